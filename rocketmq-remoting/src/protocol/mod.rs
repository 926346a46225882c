//! Frames, commands, codes, headers and bodies of the remoting protocol. No I/O.
//!
//! A frame is a length, a header and a body. The header carries the fixed fields of a
//! [`RemotingCommand`] and its [`ExtFields`], which typed headers ([`header`]) read and write without a
//! map in between. Bodies ([`body`]) are JSON, or stored messages, which `rocketmq-common` decodes.
//!
//! * fast path out: a [`CommandRef`] borrows its parts, [`encode_frame`] writes its typed header straight into the
//!   write buffer;
//! * otherwise out: build a [`RemotingCommand`] and [`RemotingCommand::encode`] it;
//! * in: [`decode_frame`] takes one command off the read buffer, [`RemotingCommand::header`] reads it;
//! * fast path in: a [`CommandView`] borrows a received command.

pub mod body;
mod codec;
mod command;
mod command_flag;
mod command_ref;
mod encoded_fields;
mod ext_fields;
mod fields;
mod frame;
mod frame_error;
pub mod header;
mod kept_body;
mod language_code;
pub mod mq_version;
mod open_code;
mod request_code;
mod response_code;
mod serialize_type;
mod view;

#[cfg(test)]
mod captured_tests;
#[cfg(test)]
mod frame_tests;
#[cfg(test)]
pub(crate) mod golden;
#[cfg(test)]
mod property_tests;

pub use command::RemotingCommand;
pub use command_flag::CommandFlag;
pub use command_ref::CommandRef;
pub use encoded_fields::EncodedFields;
pub use ext_fields::{ExtFields, ExtFieldsIter, FieldsView};
pub use fields::{DecodeHeader, EncodeHeader, FieldSink, HeaderError, NoHeader, RequestHeader};
pub(crate) use frame::outline;
pub use frame::{FrameHead, FrameLimits, MAX_FRAME_LENGTH, decode_frame, encode_frame};
pub use frame_error::{EncodeError, FrameError, PeerHint};
pub use kept_body::KeptBody;
pub(crate) use kept_body::ReadBytes;
pub use language_code::LanguageCode;
pub use request_code::RequestCode;
pub use response_code::ResponseCode;
pub use serialize_type::SerializeType;
pub(crate) use view::Layout;
pub use view::{CommandView, ReceivedFrame};
