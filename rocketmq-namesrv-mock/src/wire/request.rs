//! A request that a handler serves.

use rocketmq_remoting::protocol::RemotingCommand;

use super::Reply;

/// A request and the way back for its answer.
pub(crate) struct Request<'a> {
    pub(crate) command: &'a RemotingCommand,
    pub(crate) responder: &'a Reply,
}
