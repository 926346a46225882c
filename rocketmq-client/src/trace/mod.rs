//! Message trace: records of sends and of handled messages, written as messages of a trace topic that `mqadmin queryMsgTraceById` and the
//! dashboard read. Java: `org.apache.rocketmq.client.trace`.
//!
//! - `send_hook`: makes a record of each attempt to send
//! - `consume_hook`: makes records of each message before and after it is handled
//! - `record`: the records and their text
//! - `bundle`: records for one trace message
//! - `dispatcher`: the queue of records, and the inner producer that sends them

mod bundle;
mod consume_hook;
mod dispatcher;
mod record;
mod send_hook;

pub(crate) use consume_hook::ConsumeMessageTraceHook;
pub(crate) use dispatcher::{TraceDispatcher, TraceSender, inner_group, is_inner_group};
pub(crate) use record::{EndOfTransaction, TraceRecord};
pub(crate) use send_hook::SendMessageTraceHook;
