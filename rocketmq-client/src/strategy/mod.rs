//! How the queues of a topic are shared among the members of a group.
//!
//! All members of a group have to use one strategy, with equal settings: each member computes its own share. The strategies
//! here compute what those of the Java client compute, so that members in both languages share a group.
//!
//! - [`AllocateMessageQueueStrategy`]: the trait, which a strategy of your own implements, too
//! - [`AllocateMessageQueueAveragely`] (the default), [`AllocateMessageQueueAveragelyByCircle`]
//! - [`AllocateMessageQueueConsistentHash`]
//! - [`AllocateMessageQueueByMachineRoom`], [`AllocateMachineRoomNearby`]
//! - [`AllocateMessageQueueByConfig`]

mod averagely;
mod config;
mod consistent_hash;
mod machine_room;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

use rocketmq_common::MessageQueue;

pub use averagely::{AllocateMessageQueueAveragely, AllocateMessageQueueAveragelyByCircle};
pub use config::AllocateMessageQueueByConfig;
pub use consistent_hash::AllocateMessageQueueConsistentHash;
pub use machine_room::{AllocateMachineRoomNearby, AllocateMessageQueueByMachineRoom, MachineRoomResolver};

/// Computes the share of one member of a group. Java: `AllocateMessageQueueStrategy`.
///
/// Each member calls it for itself, with the same queues and members in the same order. A share that two members compute
/// differently is read twice, or by nobody.
///
/// ```
/// # use std::borrow::Cow;
/// use rocketmq_client::consumer::strategy::{AllocateError, AllocateMessageQueueStrategy};
/// use rocketmq_client::model::MessageQueue;
///
/// /// The first member reads everything; the others stand by.
/// #[derive(Debug)]
/// struct OneReads;
///
/// impl AllocateMessageQueueStrategy for OneReads {
///     fn name(&self) -> Cow<'_, str> {
///         "ONE_READS".into()
///     }
///
///     fn allocate(
///         &self,
///         _group: &str,
///         me: &str,
///         queues: &[MessageQueue],
///         members: &[String],
///     ) -> Result<Vec<MessageQueue>, AllocateError> {
///         Ok(if members[0] == me { queues.to_vec() } else { Vec::new() })
///     }
/// }
///
/// let queues = [MessageQueue::new("Orders", "broker-a", 0), MessageQueue::new("Orders", "broker-a", 1)];
/// let members = ["10.0.0.1@7".to_owned(), "10.0.0.2@7".to_owned()];
/// assert_eq!(OneReads.allocate("g", "10.0.0.1@7", &queues, &members).unwrap(), queues);
/// assert!(OneReads.allocate("g", "10.0.0.2@7", &queues, &members).unwrap().is_empty());
/// ```
pub trait AllocateMessageQueueStrategy: fmt::Debug + Send + Sync {
    /// The name, which is shown where members of a group are compared.
    fn name(&self) -> Cow<'_, str>;

    /// The queues that `me` reads. `queues` (of one topic) and `members` (client ids) are sorted, without duplicates, and
    /// not empty; `me` is one of the members. Queues that the topic does not have are left out afterwards.
    ///
    /// # Errors
    /// What keeps the strategy from deciding. The member then keeps the queues that it has.
    fn allocate(
        &self,
        group: &str,
        me: &str,
        queues: &[MessageQueue],
        members: &[String],
    ) -> Result<Vec<MessageQueue>, AllocateError>;
}

impl<S: AllocateMessageQueueStrategy + ?Sized> AllocateMessageQueueStrategy for Arc<S> {
    fn name(&self) -> Cow<'_, str> {
        (**self).name()
    }

    fn allocate(
        &self,
        group: &str,
        me: &str,
        queues: &[MessageQueue],
        members: &[String],
    ) -> Result<Vec<MessageQueue>, AllocateError> {
        (**self).allocate(group, me, queues, members)
    }
}

/// Why a strategy cannot decide: any error, or a text (`"no room".into()`).
pub type AllocateError = Box<dyn Error + Send + Sync>;

/// The place of a member among all; a member that is not on the list has no share.
fn place_of(me: &str, members: &[String]) -> Option<usize> {
    members.iter().position(|member| member == me)
}
