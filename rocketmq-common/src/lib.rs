//! Messages, stored records, flags, ids and names of Apache RocketMQ.
//!
//! Everything here is a value or a function of its arguments: no I/O, no runtime, no clock. Time, seeds and
//! addresses are parameters, so that what a client or a broker does with them can be tested without either.
//!
//! | to find | look in |
//! |---|---|
//! | messages sent and received, queues | [`message`], [`message_ext`], [`message_batch`], [`message_queue`] |
//! | properties, their names, and which are taken off a message that is sent on | [`properties`], [`message_const`], [`received`] |
//! | the bytes of a stored message | [`record`], [`compression`], [`crc32`], [`sysflag`] |
//! | ids | [`unique_id`], [`offset_msg_id`] |
//! | dates | [`calendar`] |
//! | names of topics and groups | [`validators`], [`namespace`], [`mix_all`] |

pub mod calendar;
#[cfg(test)]
mod captured_tests;
pub mod compression;
pub mod crc32;
mod hex;
pub mod java_hash;
pub mod message;
pub mod message_batch;
pub mod message_const;
pub mod message_ext;
pub mod message_queue;
pub mod mix_all;
pub mod namespace;
pub mod offset_msg_id;
pub mod perm;
pub mod properties;
mod property_error;
mod reader;
pub mod received;
pub mod record;
mod record_error;
mod shorten;
pub mod sysflag;
#[cfg(test)]
mod testdata;
pub mod unique_id;
pub mod validators;

pub use compression::CompressionType;
pub use message::Message;
pub use message_batch::MessageBatch;
pub use message_ext::MessageExt;
pub use message_queue::MessageQueue;
pub use offset_msg_id::OffsetMsgId;
pub use perm::PermName;
pub use properties::{MessageProperties, PropertyError, PropertyProblem};
pub use sysflag::{MessageSysFlag, PullSysFlag, SubscriptionSysFlag, TopicSysFlag};
pub use unique_id::{UniqueId, UniqueIdGenerator};
