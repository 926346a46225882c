use std::sync::Arc;
use std::time::Duration;

use rocketmq_common::MessageQueue;
use tokio::time::Instant;

use crate::consumer::member::{Member, OwnedQueue, Stage};
use crate::consumer::position::{StartFrom, StartMachine};
use crate::consumer::pull::find_start;
use crate::consumer::window::ProcessQueue;
use crate::error::with_causes;

/// When a position that no broker took is committed again.
const AGAIN: Duration = Duration::from_millis(500);

/// Finds where a new group starts and commits it, before the first pop: a broker that is asked to start at the end hands the last
/// message out, and passes what comes before the first pop.
pub(crate) async fn locate(member: &Arc<Member>, owned: &Arc<OwnedQueue>, mut machine: StartMachine) {
    let mut again = None;
    if member.settings.start_from != StartFrom::First {
        for queue in real_queues(member, &owned.queue) {
            again = match find_start(member, owned, &queue, &mut machine).await {
                Ok((offset, true)) => commit(member, &queue, offset).await.err(),
                Ok((_, false)) => None,
                Err(at) => Some(at),
            };
            if again.is_some() {
                break;
            }
        }
    }
    {
        let mut state = owned.lock();
        match (&mut state.stage, again) {
            (Stage::Locating(place), Some(_)) => *place = Some(machine),
            (Stage::Locating(_), None) => {
                state.window = Some(ProcessQueue::new(owned.generation, 0));
                state.enter(Stage::Idle);
                state.refusal = None;
            }
            _ => return,
        }
    }
    // To try again, or to pop.
    member.agenda.add(again.unwrap_or_else(Instant::now), owned);
    owned.settled.notify_waiters();
}

/// The error is when to try again.
async fn commit(member: &Member, queue: &MessageQueue, offset: i64) -> Result<(), Instant> {
    let committed = match member.known_master(queue) {
        Ok(master) => {
            let asking = member.instance.api().asking();
            asking.update_consumer_offset(&master, member.group(), queue, offset).await
        }
        Err(error) => Err(error),
    };
    committed.map_err(|error| {
        tracing::debug!(%queue, error = with_causes(&error), "the start of a queue is not committed");
        Instant::now() + AGAIN
    })
}

/// The queues that a pop reads: with the number -1, all of the topic that the broker has.
fn real_queues(member: &Member, queue: &MessageQueue) -> Vec<MessageQueue> {
    if queue.queue_id() >= 0 {
        return vec![queue.clone()];
    }
    let Some(view) = member.view(queue.topic()) else { return Vec::new() };
    view.queues().iter().filter(|one| one.broker_name() == queue.broker_name()).cloned().collect()
}
