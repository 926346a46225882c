//! Hooks that see, or forbid, sends; that see what becomes of consumed messages, or leave messages out; and that see all
//! requests.
//!
//! - `send`: hooks of producers
//! - `consume`: hooks of consumers

mod consume;
mod send;

use std::fmt;
use std::sync::Arc;

pub use consume::{
    ConsumeMessageContext, ConsumeMessageHook, ConsumeMessageOutcome, ConsumeReturnType,
    FilterMessageContext, FilterMessageHook,
};
pub use rocketmq_remoting::client::RpcHook;
pub use send::{
    CheckForbiddenHook, CommunicationMode, MessageType, SendMessageContext, SendMessageHook,
    SendMessageOutcome,
};

pub(crate) use consume::{Consumed, Kept, Seen};

/// The hooks of one client.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub(crate) rpc: Vec<Arc<dyn RpcHook>>,
    pub(crate) send: Vec<Arc<dyn SendMessageHook>>,
    pub(crate) forbidden: Vec<Arc<dyn CheckForbiddenHook>>,
    pub(crate) consume: Vec<Arc<dyn ConsumeMessageHook>>,
    pub(crate) filter: Vec<Arc<dyn FilterMessageHook>>,
}

impl Hooks {
    /// Whether any hook sees single attempts.
    pub(crate) fn watch_sends(&self) -> bool {
        !self.send.is_empty() || !self.forbidden.is_empty()
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("rpc", &self.rpc.len())
            .field("send", &self.send.len())
            .field("forbidden", &self.forbidden.len())
            .field("consume", &self.consume.len())
            .field("filter", &self.filter.len())
            .finish()
    }
}
