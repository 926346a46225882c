//! Real servers for tests, on loopback ports, in folders below `target/servers`: they end with the value, and with the test process.
//!
//! - `process`: a process that cannot outlive this one, and ports
//! - `rabbitmq`: RabbitMQ of Debian's package
//! - `kafka`: Apache Kafka, one process that is broker and controller
//! - `rocketmq`: Apache RocketMQ, a NameServer and a broker
//!
//! `.ci/servers` installs and fetches them.

#[cfg(feature = "kafka")]
pub(crate) mod kafka;
mod process;
#[cfg(feature = "rabbitmq")]
pub(crate) mod rabbitmq;
#[cfg(feature = "rocketmq")]
pub(crate) mod rocketmq;

#[cfg(feature = "kafka")]
pub(crate) use process::ports;
