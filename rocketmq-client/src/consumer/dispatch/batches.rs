use std::sync::Arc;

use rocketmq_common::MessageExt;
use tokio::time::Instant;

use super::Pool;
use super::concurrently::conclude;
use super::desk::{Desk, Messages};
use super::running::{context, poll_once, wait};
use crate::consumer::listener::{BatchOutcome, BatchResult, CancelSource, ConsumeOutcome, Slot};
use crate::consumer::member::{Member, OwnedQueue};
use crate::consumer::pull::{give_back, settle};

/// Handles batches of messages, until the pool has another size.
pub(super) async fn work(
    pool: Arc<Pool>,
    index: usize,
    desk: Arc<Desk>,
    mut slot: Slot<Arc<[MessageExt]>, BatchResult>,
) {
    let member = pool.member.clone();
    let (mut source, mut done) = (CancelSource::default(), Vec::new());
    while let Some(owned) = pool.next(index).await {
        let most = pool.paced(member.settings.batch_max, member.settings.batch_max).await;
        let mut taken = Vec::new();
        {
            let mut state = owned.lock();
            state.take(most, &mut done, &mut taken);
            member.note_lapsed(&state);
            if state.gets_in_line() {
                drop(state);
                member.ready.push(owned.clone());
            }
        }
        if owned.subscribed.is_retry {
            keep_one_topic(&member, &owned, &mut done, &mut taken);
        }
        pool.not_used(most - taken.len());
        if !taken.is_empty() {
            handle(&member, &owned, &desk, (&mut slot, &mut source), (taken, &mut done)).await;
            done.clear();
        }
        tokio::task::consume_budget().await;
    }
}

/// The retry topic of a group has messages of all its topics: a batch has one.
fn keep_one_topic(
    member: &Arc<Member>,
    owned: &Arc<OwnedQueue>,
    offsets: &mut Vec<i64>,
    taken: &mut Vec<MessageExt>,
) {
    let first = taken.first().map(|first| first.topic().to_owned());
    let same = taken.iter().take_while(|taken| Some(taken.topic()) == first.as_deref()).count();
    if same < taken.len() {
        give_back(member, owned, offsets.drain(same..).zip(taken.drain(same..)));
    }
}

async fn handle(
    member: &Arc<Member>,
    owned: &Arc<OwnedQueue>,
    desk: &Desk,
    (slot, source): (&mut Slot<Arc<[MessageExt]>, BatchResult>, &mut CancelSource),
    (taken, done): (Vec<MessageExt>, &mut Vec<i64>),
) {
    let messages: Arc<[MessageExt]> = taken.into();
    let (Some(first), Some(offset)) = (messages.first(), done.first()) else { return };
    let began = Instant::now();
    let context = context(member, owned, *offset, first, source, began);
    let deadline = context.deadline;
    desk.begin(owned, Messages::Batch(messages.clone()), &context.cancelled, began);
    slot.start(messages.clone(), context);
    let outcome = match poll_once(desk, slot).await {
        Some(ended) => {
            member.recorder.handled(1, began.elapsed());
            ended.into()
        }
        None => wait(member, owned, desk, (slot, &*source), (began, deadline)).await,
    };
    let outcome = outcome.or_reason(member, owned, first);
    if outcome == Ok(BatchOutcome::All(ConsumeOutcome::Success)) {
        member.recorder.succeeded(done.len() as u64);
        return settle(member, owned, done);
    }
    let mut finished = Vec::with_capacity(done.len());
    for (index, (offset, message)) in done.iter().zip(messages.iter()).enumerate() {
        let outcome = match &outcome {
            Ok(outcome) => Ok(outcome.of(index)),
            Err(reason) => Err(reason.clone()),
        };
        let message = Arc::new(message.clone());
        if conclude(member, owned, *offset, &message, outcome).await {
            finished.push(*offset);
        }
    }
    settle(member, owned, &mut finished);
}
