use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::body::BatchAckMessageRequestBody;
use rocketmq_remoting::protocol::header::AckMessageRequestHeader;
use tokio::time::{Instant, sleep};

use super::merge::distance;
use super::{Ack, merge};
use crate::consumer::member::{Member, OwnedQueue};
use crate::error::{MQClientError, with_causes};
use crate::waiting;

/// How long acknowledgements are gathered for one request.
const GATHERED: Duration = Duration::from_millis(10);
/// The pause before a request without an answer is repeated; it doubles.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// The answers of a broker that is busy, starts or stops.
const BUSY: [ResponseCode; 4] = [
    ResponseCode::SYSTEM_ERROR,
    ResponseCode::SYSTEM_BUSY,
    ResponseCode::SERVICE_NOT_AVAILABLE,
    ResponseCode::FLOW_CONTROL,
];
/// The number of single acknowledgements that are under way at the same time.
const AT_A_TIME: usize = 64;

/// A message to acknowledge, with its queue.
type Acked = (Arc<OwnedQueue>, Ack);

/// Acknowledges what is finished: the messages of a broker together.
pub(crate) async fn keep_acking(member: Arc<Member>) {
    loop {
        member.acks.some().await;
        sleep(GATHERED).await;
        let mut brokers: BTreeMap<Arc<str>, Vec<Acked>> = BTreeMap::new();
        for acked in member.acks.take() {
            brokers.entry(acked.0.queue.shared_broker_name().clone()).or_default().push(acked);
        }
        for (_, acks) in brokers {
            // Each broker has its own pace.
            member.tasks.spawn(tell(member.clone(), acks));
        }
    }
}

/// Waits until no acknowledgement of a queue is under way.
pub(crate) async fn all_acked(owned: &OwnedQueue) {
    loop {
        let mut settled = std::pin::pin!(owned.settled.notified());
        settled.as_mut().enable();
        if owned.lock().pop.as_ref().is_none_or(|book| book.acking() == 0) {
            return;
        }
        settled.await;
    }
}

/// Tells a broker until it answers, or until it is too late.
async fn tell(member: Arc<Member>, mut acks: Vec<Acked>) {
    let mut pause = PAUSE;
    loop {
        let live = in_time(&member, acks);
        if live.is_empty() {
            return;
        }
        let unanswered = request(&member, live).await;
        if unanswered.is_empty() {
            return;
        }
        acks = unanswered;
        sleep(pause).await;
        pause = LONGEST_PAUSE.min(pause * 2);
    }
}

/// Keeps the acknowledgements that a broker can still take in time, and ends the others.
fn in_time(member: &Member, acks: Vec<Acked>) -> Vec<Acked> {
    let now = Instant::now();
    let (live, late): (Vec<_>, Vec<_>) = acks.into_iter().partition(|(_, ack)| ack.until > now);
    member.recorder.acked_late(late.len() as u64);
    end(late, false);
    live
}

/// Sends one request. Returns the acknowledgements that are to be sent again.
async fn request(member: &Member, acks: Vec<Acked>) -> Vec<Acked> {
    let Some(first) = acks.first() else { return acks };
    let Some(master) = member.master(&first.0.queue) else { return acks };
    let (together, single): (Vec<_>, Vec<_>) =
        acks.into_iter().partition(|(_, ack)| distance(&ack.handle).is_some());
    if together.len() <= 1 {
        return one_by_one(member, &master, together.into_iter().chain(single).collect()).await;
    }
    let mut unanswered = one_by_one(member, &master, single).await;
    let mut topics: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (owned, ack) in &together {
        topics.entry(owned.queue.topic()).or_default().push(ack.handle);
    }
    let acks = topics.into_iter().flat_map(|(topic, handles)| merge(member.group(), topic, handles));
    let broker_name = together.first().map(|(owned, _)| owned.queue.broker_name().to_owned());
    let body =
        BatchAckMessageRequestBody { acks: acks.collect(), broker_name: broker_name.unwrap_or_default() };
    let answer = member.instance.api().asking().batch_ack(&master, &body).await;
    if answer
        .as_ref()
        .is_err_and(|error| error.response_code() == Some(ResponseCode::REQUEST_CODE_NOT_SUPPORTED))
    {
        // A broker before 5.1.
        unanswered.extend(one_by_one(member, &master, together).await);
        return unanswered;
    }
    unanswered.extend(judge(member, together, answer));
    unanswered
}

async fn one_by_one(member: &Member, master: &Arc<str>, acks: Vec<Acked>) -> Vec<Acked> {
    let mut unanswered = Vec::new();
    let mut acks = acks.into_iter().peekable();
    while acks.peek().is_some() {
        let some = acks.by_ref().take(AT_A_TIME).map(|(owned, ack)| async move {
            let (handle, queue) = (&ack.handle, &owned.queue);
            let header = AckMessageRequestHeader {
                consumer_group: (&**member.group()).into(),
                topic: (&*handle.kind.topic(queue.topic(), member.group())).into(),
                queue_id: handle.queue_id,
                extra_info: handle.extra_info(queue.broker_name()).into(),
                offset: handle.offset,
                broker_name: Some(queue.broker_name().into()),
            };
            let answer = member.instance.api().asking().ack(master, &header).await;
            judge(member, vec![(owned, ack)], answer)
        });
        unanswered.extend(waiting::all(some).await.into_iter().flatten());
    }
    unanswered
}

/// Judges an answer. Returns the acknowledgements that are to be sent again.
fn judge(member: &Member, acks: Vec<Acked>, answer: Result<(), MQClientError>) -> Vec<Acked> {
    match answer {
        Ok(()) => {
            // Brokers answer 0 to late acknowledgements, too.
            let acks = in_time(member, acks);
            member.recorder.acked(acks.len() as u64);
            end(acks, true);
        }
        Err(error) => {
            member.recorder.ack_failed(acks.len() as u64);
            let group = member.group();
            if error.response_code().is_none_or(|code| BUSY.contains(&code)) {
                tracing::debug!(%group, error = with_causes(&error), "acknowledgements are not taken, they are repeated");
                return acks;
            }
            tracing::warn!(%group, error = with_causes(&error), "a broker refuses acknowledgements: their messages come again");
            end(acks, false);
        }
    }
    Vec::new()
}

/// Acknowledgements have come to their end: the broker has them in time, or their messages come again.
fn end(acks: Vec<Acked>, is_told: bool) {
    for (owned, ack) in acks {
        if let Some(waiter) = ack.waiter {
            let _ = waiter.send(is_told);
        }
        if let Some(book) = &mut owned.lock().pop {
            book.acked(1);
        }
        owned.settled.notify_waiters();
    }
}
