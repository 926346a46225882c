//! The parts of the remoting protocol in this crate's public interface: the requests that hooks see, their codes and
//! fields, and the frames below them.
//!
//! Errors of the protocol are in [`error`](crate::error), bodies that an admin returns in [`admin`](crate::admin), and
//! settings in [`conf`](crate::conf).

pub use bytes::{Bytes, BytesMut};
pub use bytestring::ByteString;
pub use rocketmq_remoting::client::RpcHook;
pub use rocketmq_remoting::protocol::{
    CommandFlag, DecodeHeader, EncodeHeader, ExtFields, ExtFieldsIter, FieldsView, LanguageCode,
    RemotingCommand, RequestCode, RequestHeader, ResponseCode, SerializeType,
};
