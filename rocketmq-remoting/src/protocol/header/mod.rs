//! Typed request and response headers, one file per family of requests.
//!
//! A header has the fields of its Java class. Fields that any Java header may carry stay in the ext fields of the
//! command: `ns` and `nsd` (namespace), `oway`, `lo`, and fields that hooks add. `bname` (the broker's name) is a field
//! where Java's client sets it.
//!
//! Build a header with `..Default::default()` for its optional fields; send it with
//! [`encode_frame`](super::encode_frame) or [`RemotingCommand::request_with`](super::RemotingCommand::request_with);
//! read it with [`RemotingCommand::header`](super::RemotingCommand::header). Servers as lenient as Apache's read its
//! `Fields` form, see [`LenientFields`].

mod admin;
mod client;
mod lenient;
mod macros;
mod name_server;
mod offset;
mod pop;
mod pull;
mod query;
mod recall;
mod remote;
mod reply;
mod send;
mod send_answer;
mod send_back;
mod send_template;
#[cfg(test)]
mod tests;
mod transaction;

pub use admin::*;
pub use client::*;
pub use lenient::{LenientFields, NotANumber, NumberPolicy};
pub use name_server::*;
pub use offset::*;
pub use pop::*;
pub use pull::{PullMessageAnswer, PullMessageFields, PullMessageRequestHeader, PullMessageResponseHeader};
pub use query::*;
pub use recall::*;
pub use remote::*;
pub use reply::*;
pub use send::{
    SendMessageFields, SendMessageRequestHeader, SendMessageRequestHeaderV2, SendMessageResponseHeader,
    SendRequestKind,
};
pub use send_answer::SendMessageAnswer;
pub use send_back::*;
pub use send_template::{SendTemplate, TemplatedSend};
pub use transaction::*;
