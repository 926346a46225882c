use std::borrow::Cow;

use md5::{Digest, Md5};
use rocketmq_common::MessageQueue;

use super::{AllocateError, AllocateMessageQueueStrategy, place_of};

/// Places members on a ring by a hash, and gives each queue to the next member on the ring: when a member comes or goes, few
/// queues move. Shares may differ in size. Java: `AllocateMessageQueueConsistentHash`, `CONSISTENT_HASH`.
///
/// ```
/// use rocketmq_client::consumer::strategy::{
///     AllocateMessageQueueConsistentHash, AllocateMessageQueueStrategy,
/// };
/// use rocketmq_client::model::MessageQueue;
///
/// let queues: Vec<_> = (0..16).map(|id| MessageQueue::new("Orders", "broker-a", id)).collect();
/// let members = ["a".to_owned(), "b".to_owned()];
/// let strategy = AllocateMessageQueueConsistentHash::default();
/// let shares = members.each_ref().map(|me| strategy.allocate("g", me, &queues, &members).unwrap());
/// assert_eq!(shares[0].len() + shares[1].len(), queues.len());
/// ```
#[derive(Debug, Clone, Copy)]
pub struct AllocateMessageQueueConsistentHash {
    virtual_nodes: u32,
}

impl AllocateMessageQueueConsistentHash {
    /// How many places each member has on the ring; Java has 10. With more places shares differ less. 0 places leave every
    /// queue without a reader, so that `allocate` errs.
    pub fn new(virtual_nodes: u32) -> Self {
        Self { virtual_nodes }
    }
}

impl Default for AllocateMessageQueueConsistentHash {
    fn default() -> Self {
        Self::new(10)
    }
}

impl AllocateMessageQueueStrategy for AllocateMessageQueueConsistentHash {
    fn name(&self) -> Cow<'_, str> {
        "CONSISTENT_HASH".into()
    }

    fn allocate(
        &self,
        _group: &str,
        me: &str,
        queues: &[MessageQueue],
        members: &[String],
    ) -> Result<Vec<MessageQueue>, AllocateError> {
        let Some(place) = place_of(me, members) else { return Ok(Vec::new()) };
        let ring = self.ring(members);
        if ring.is_empty() {
            return Err("a consistent hash needs at least one virtual node for each member".into());
        }
        let owner = |queue: &MessageQueue| {
            let hash = hash(&queue.to_string());
            let next = ring.partition_point(|(node, _)| *node < hash);
            ring.get(next).or(ring.first()).map(|(_, member)| *member)
        };
        Ok(queues.iter().filter(|queue| owner(queue) == Some(place)).cloned().collect())
    }
}

impl AllocateMessageQueueConsistentHash {
    /// The places on the ring, ascending, each with its member. Of two members at one place the later counts, as in Java's
    /// map.
    fn ring(&self, members: &[String]) -> Vec<(u32, usize)> {
        let mut ring: Vec<(u32, usize)> = (0..members.len())
            .flat_map(|member| (0..self.virtual_nodes).map(move |node| (member, node)))
            .map(|(member, node)| (hash(&format!("{}-{node}", members[member])), member))
            .collect();
        ring.sort_by_key(|(node, member)| (*node, std::cmp::Reverse(*member)));
        ring.dedup_by_key(|(node, _)| *node);
        ring
    }
}

/// The first four bytes of the MD5.
fn hash(text: &str) -> u32 {
    let digest: [u8; 16] = Md5::digest(text).into();
    digest[..4].iter().fold(0, |hash, byte| hash << 8 | u32::from(*byte))
}
