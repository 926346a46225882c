//! Messages that are to come again: after a time that their failure asks for, or at once because this member does not handle them.

use std::sync::Arc;
use std::time::Duration;

use rocketmq_remoting::protocol::header::ChangeInvisibleTimeRequestHeader;
use tokio::time::{Instant, sleep};

use super::PopHandle;
use crate::consumer::member::{Member, OwnedQueue};
use crate::error::{MQClientError, with_causes};
use crate::waiting;

/// Messages that are handed back are visible again after this time; a broker needs some seconds more for it.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(1);
/// The number of requests that are under way at the same time.
const AT_A_TIME: usize = 64;
/// A broker tells its records of pops apart by their first offset and their time in milliseconds (`PopReviveService`, up to 5.5.0). A message
/// that is the first of its pop, and is hidden anew within the millisecond of the pop, gets a record like the earlier record, which the broker
/// then acknowledges: both count as acknowledged, and the message never comes again.
const NEXT_MILLISECOND: Duration = Duration::from_millis(2);

/// Asks the broker to hand a message out again after this time (200053); an `uncounted` delivery does not count as a failure. False:
/// nothing was to be sent, because the message comes again by itself. If the broker refuses or does not answer, the message comes
/// again at the end of its invisible time.
pub(crate) async fn put_off(
    member: &Member,
    owned: &OwnedQueue,
    number: i64,
    (after, uncounted): (Duration, bool),
) -> Result<bool, MQClientError> {
    loop {
        let mut settled = std::pin::pin!(owned.settled.notified());
        settled.as_mut().enable();
        let given_up = {
            let mut state = owned.lock();
            let Some(book) = &mut state.pop else { return Ok(false) };
            (!book.is_extending(number)).then(|| book.give_up(number, Instant::now()))
        };
        match given_up {
            Some(Some(handle)) => {
                return change(member, owned, &handle, after, uncounted).await.map(|_| true);
            }
            Some(None) => return Ok(false),
            None => settled.await,
        }
    }
}

/// Makes messages visible again that no handler has begun. The delivery does not count (from 5.4 on).
pub(crate) async fn hand_back(member: &Member, owned: &OwnedQueue, handles: Vec<PopHandle>) {
    for some in handles.chunks(AT_A_TIME) {
        let all = some.iter().map(|handle| change(member, owned, handle, AT_ONCE, true));
        for changed in waiting::all(all).await {
            match changed {
                Ok(_) => member.recorder.handed_back(1),
                Err(error) => {
                    let queue = &owned.queue;
                    tracing::debug!(%queue, error = with_causes(&error), "a message is not handed back: its time runs out");
                }
            }
        }
    }
}

/// Makes the messages of a released queue visible again: messages that wait for a handler, and with `all` messages that handlers have.
pub(crate) async fn hand_back_all(member: &Arc<Member>, owned: &Arc<OwnedQueue>, all: bool) {
    let given_up = {
        let mut state = owned.lock();
        let state = &mut *state;
        let (Some(book), Some(window)) = (&mut state.pop, &state.window) else { return };
        book.give_up_all(Instant::now(), |number| all || window.is_waiting(number))
    };
    hand_back(member, owned, given_up.into_iter().map(|(_, handle)| handle).collect()).await;
}

/// Hides a message for this time from now on (200053). Returns its new handle.
pub(super) async fn change(
    member: &Member,
    owned: &OwnedQueue,
    handle: &PopHandle,
    time: Duration,
    uncounted: bool,
) -> Result<PopHandle, MQClientError> {
    if handle.start == handle.offset {
        sleep(NEXT_MILLISECOND).await;
    }
    let queue = &owned.queue;
    let header = ChangeInvisibleTimeRequestHeader {
        consumer_group: (&**member.group()).into(),
        topic: (&*handle.kind.topic(queue.topic(), member.group())).into(),
        queue_id: handle.queue_id,
        extra_info: handle.extra_info(queue.broker_name()).into(),
        offset: handle.offset,
        invisible_time: i64::try_from(time.as_millis()).unwrap_or(i64::MAX),
        suspend: uncounted.then_some(true),
        broker_name: Some(queue.broker_name().into()),
    };
    let master = member.known_master(queue)?;
    let changed = member.instance.api().asking().change_invisible_time(&master, &header).await?;
    Ok(PopHandle {
        start: handle.offset,
        pop_time: changed.pop_time,
        invisible: changed.invisible_time,
        revive_queue: changed.revive_qid,
        ..*handle
    })
}
