//! A RocketMQ NameServer and brokers on loopback, in memory, for tests.
//!
//! [`MockCluster`] is the way in. It stands on the wire formats alone and knows nothing of the client, so that it
//! judges the client as Apache's servers would: what it accepts, refuses and answers is what a broker 5.5.0 was seen
//! to do, remarks included.
//!
//! | to find | look in |
//! |---|---|
//! | starting, settings, looking inside | `cluster` |
//! | routes | `name_server` |
//! | which request goes where | `broker/table.rs`, one file or room beside it for each family |
//! | what goes wrong on request | `faults`, and `lines` below the frames |
//! | what a test waits for | `changes.rs`, `capture.rs`, `cluster/wait.rs` |
//! | what happened, for checkers | `history.rs` |
//! | the time | `clock.rs` |
//! | standing before real servers | `proxy` |
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
