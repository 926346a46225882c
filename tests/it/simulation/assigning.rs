//! Members that are polled and name their queues: a member reads all of them, and another follows when it goes.

use std::sync::Arc;

use rocketmq::error::MQClientError;

use super::crew;
use super::plan::{Filter, OTHER, Plan, Step, TOPIC};
use super::seat::Seat;
use super::world::World;

impl Plan {
    /// A plan whose members name their queues.
    pub(super) fn assigning(seed: u64) -> Self {
        let mut plan = Self { assigns: true, members: 1, filter: Filter::All, ..Self::pulling(seed) };
        plan.steps.retain(|(_, step)| !matches!(step, Step::Join));
        plan
    }
}

impl World {
    /// Has a member read all queues of the group.
    pub(super) async fn assign(&self, consumer: &Seat) -> Result<(), MQClientError> {
        let topics = [TOPIC, OTHER].into_iter().take(1 + usize::from(self.wants_other()));
        let queues = topics.flat_map(|topic| self.cluster.queue_offsets(topic));
        consumer.assign(queues.map(|queue| queue.queue).collect()).await
    }

    /// Members that name their queues follow each other.
    pub(super) async fn follow(self: Arc<Self>) {
        if self.plan.assigns {
            crew::join(self).await;
        }
    }
}

/// Seeds that found a defect: no event told of a queue that a call of `assign` took itself.
const FOUND: [u64; 1] = [236_289_651_686_983];

super::groups::tests_of!("assigning", Plan::assigning);
