//! A RocketMQ NameServer and brokers on loopback, in memory, for tests.
//!
//! Start with [`MockCluster`]. The mock is built on the wire formats alone and knows nothing of the client, so that it
//! judges the client like Apache's servers. It accepts, refuses and answers what a broker 5.5.0 was seen to accept,
//! refuse and answer, remarks included.
//!
//! | to find | look in |
//! |---|---|
//! | starting, settings, looking inside | `cluster` |
//! | routes | `name_server` |
//! | the handler of each request | `broker/dispatch.rs`, one folder beside it for each family |
//! | faults on request | `faults`, and `lines` below the frames |
//! | waiting in tests | `changes.rs`, `capture.rs`, `cluster/wait.rs` |
//! | the history, for checkers | `history.rs` |
//! | the time | `clock.rs` |
//! | a proxy before real servers | `proxy` |
//! | settings under Java's names | `configuration` |
//! | the program | `main.rs`, `command` |
//! | records and queues | `store` |
//! | reading requests and refusing them | `wire` |

mod broker;
mod capture;
#[cfg(feature = "tls")]
mod certificates;
mod changes;
mod clock;
mod cluster;
mod configuration;
mod error;
mod faults;
mod history;
mod lines;
mod name_server;
mod proxy;
mod store;
mod wire;

pub use broker::{BrokerSnapshot, SlaveLag};
pub use capture::CapturedRequest;
#[cfg(feature = "tls")]
pub use certificates::{MockAuthority, MockCertificate};
pub use cluster::{GroupConnection, GroupMode, MockCluster, MockClusterBuilder, QueueOffsets};
pub use error::MockError;
pub use faults::{AnswerChange, Fault, FaultAction, FaultError, RecordDamage};
pub use history::{BrokerEvent, HistoryEntry};
pub use proxy::{MockProxy, MockProxyBuilder};
pub use rocketmq_remoting::net::memory::InMemoryNetwork;
#[cfg(feature = "tls")]
pub use rocketmq_remoting::net::tls::{TlsConfig, TlsServerConfig};
pub use rocketmq_remoting::protocol::{ExtFields, LanguageCode, RequestCode, ResponseCode, SerializeType};
