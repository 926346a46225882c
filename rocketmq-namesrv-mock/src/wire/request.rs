//! A request, as handlers see it.

use rocketmq_remoting::protocol::RemotingCommand;
use rocketmq_remoting::protocol::header::LenientFields;

use super::{Refusal, Reply, read_fields};

/// A request with the way back for its answer.
pub(crate) struct Request<'a> {
    pub(crate) command: &'a RemotingCommand,
    pub(crate) responder: &'a Reply,
}

impl<'a> Request<'a> {
    /// The header.
    pub(crate) fn fields<F: LenientFields<'a>>(&self) -> Result<F, Refusal> {
        read_fields(&self.command.ext_fields)
    }
}
