//! Offsets that brokers keep; a broadcast consumer has its offsets in a file. All questions and commits go to masters: a slave may
//! answer 0 where the master has 7.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rocketmq_common::MessageQueue;
use rocketmq_remoting::protocol::header::BoundaryType;
use rustc_hash::FxHashSet;
use tokio::time::{Instant, sleep};

use super::{Commit, LastCommit, ReadBack};
use crate::consumer::member::{Member, OwnedQueue, Ownership, Stage, Subscribed};
use crate::consumer::position::{Bounds, GroupHistory, OffsetReading, StartFrom};
use crate::consumer::pull::PullRefusal;
use crate::error::{MQClientError, invalid, with_causes};
use crate::otel::{self, Operation};
use crate::waiting;

/// The number of requests to a broker that are under way at the same time.
const AT_A_TIME: usize = 64;
/// When to look again whether a commit that is under way has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// The committed offset of a queue (14).
pub(crate) async fn read(member: &Member, queue: &MessageQueue, zero_if_young: bool) -> OffsetReading {
    if let Some(local) = &member.local {
        return local.read(queue);
    }
    match ask_committed(member, queue, zero_if_young).await {
        Ok(Some(offset)) if offset >= 0 => OffsetReading::Found(offset),
        Ok(Some(_)) => OffsetReading::Unknown,
        Ok(None) => OffsetReading::Absent,
        Err(error) => {
            note_refusal(member, queue, &error);
            tracing::debug!(%queue, error = with_causes(&error), "the committed offset is not known");
            OffsetReading::Unknown
        }
    }
}

/// A broker that refuses this member may say so before the first pull.
fn note_refusal(member: &Member, queue: &MessageQueue, error: &MQClientError) {
    if let MQClientError::Broker { code, remark, .. } = error
        && let (Some(why), Some(owned)) = (PullRefusal::of(Some(*code)), member.queues.get(queue))
    {
        owned.lock().refuse(why, remark.as_deref().unwrap_or_default());
    }
}

/// The committed offset of a queue (14), for the user.
pub(crate) async fn committed(member: &Member, queue: &MessageQueue) -> Result<Option<i64>, MQClientError> {
    if let Some(local) = &member.local {
        return Ok(match local.read(queue) {
            OffsetReading::Found(offset) => Some(offset),
            OffsetReading::Absent | OffsetReading::Unknown => None,
        });
    }
    Ok(ask_committed(member, queue, false).await?.filter(|offset| *offset >= 0))
}

async fn ask_committed(
    member: &Member,
    queue: &MessageQueue,
    zero_if_young: bool,
) -> Result<Option<i64>, MQClientError> {
    let master = member.known_master(queue)?;
    let asking = member.instance.api().asking();
    asking.committed_offset(&master, member.group(), queue, zero_if_young).await
}

/// The ends of a queue (31, 30), if the route has it with a master.
pub(crate) async fn bounds(member: &Member, queue: &MessageQueue) -> Option<Bounds> {
    member.view(queue.topic())?.queues().binary_search(queue).ok()?;
    ends(member, queue).await.ok()
}

/// The ends of a queue (31, 30), for the user.
pub(crate) async fn ends(member: &Member, queue: &MessageQueue) -> Result<Bounds, MQClientError> {
    let master = member.known_master(queue)?;
    let asking = member.instance.api().asking();
    let min = asking.min_offset(&master, queue).await?;
    let max = asking.max_offset(&master, queue).await?;
    Ok(Bounds { min, max })
}

/// Reads whether the group has consumed a topic, and keeps the answer. To be called before brokers know that this member
/// wants the topic: no other member shares the queues with it until then, so that commits of members that start together
/// are never taken for history. Returns at once where the position of a new group does not depend on it.
pub(crate) async fn note_history(member: &Member, subscribed: &Subscribed) {
    let topic = &subscribed.topic;
    let matters = !subscribed.is_retry && !member.settings.broadcast;
    if !matters || member.settings.start_from == StartFrom::First || member.history(topic).is_some() {
        return;
    }
    let Some(view) = member.view(topic) else { return };
    let reading = async {
        let history = history_of(member, view.queues().iter()).await;
        if history == GroupHistory::New && !matches!(member.settings.start_from, StartFrom::Timestamp(_)) {
            note_ends(member, view.queues()).await;
        }
        history
    };
    if let Ok(history) = tokio::time::timeout(member.instance.api().timeout(), reading).await {
        member.keep_history(topic, history);
    }
}

/// Whether the group had consumed the topic of a queue. If [`note_history`] could not tell, the other queues are read now.
pub(crate) async fn history(member: &Member, queue: &MessageQueue) -> GroupHistory {
    if let Some(local) = &member.local {
        return local.history(queue.topic());
    }
    if let Some(history) = member.history(queue.topic()) {
        return history;
    }
    let Some(view) = member.view(queue.topic()) else { return GroupHistory::Unknown };
    let history = history_of(member, view.queues().iter().filter(|other| *other != queue)).await;
    member.keep_history(queue.shared_topic(), history)
}

/// Notes where queues end. A new group starts there, though it takes some queues later: what is sent after the start of a
/// member is delivered.
async fn note_ends(member: &Member, queues: &[MessageQueue]) {
    for some in queues.chunks(AT_A_TIME) {
        let ends = waiting::all(some.iter().map(|queue| async move {
            let end = member.instance.api().asking().max_offset(&member.master(queue)?, queue).await.ok()?;
            Some((queue.clone(), end))
        }));
        let ends = ends.await;
        member.ends().extend(ends.into_iter().flatten());
    }
}

async fn history_of(member: &Member, queues: impl Iterator<Item = &MessageQueue>) -> GroupHistory {
    let queues: Vec<_> = queues.collect();
    let mut readings = Vec::with_capacity(queues.len());
    for some in queues.chunks(AT_A_TIME) {
        readings.extend(waiting::all(some.iter().map(|queue| read(member, queue, false))).await);
        if readings.iter().any(|reading| matches!(reading, OffsetReading::Found(_))) {
            break;
        }
    }
    GroupHistory::of(readings)
}

/// The offset of the first message stored at this time or later (29).
pub(crate) async fn offset_at(
    member: &Member,
    queue: &MessageQueue,
    time: i64,
) -> Result<i64, MQClientError> {
    let master = member.known_master(queue)?;
    member.instance.api().asking().search_offset(&master, queue, time, BoundaryType::Lower).await
}

/// Commits what is finished, in each interval.
pub(crate) async fn keep_committing(member: Arc<Member>) {
    loop {
        sleep(member.settings.persist_interval).await;
        note_finished(&member);
        member.note_gauges();
        let now = Instant::now();
        let mut all = member.queues.all_and_releasing();
        all.retain(|owned| {
            let state = owned.lock();
            // Its pull fails soon, and what is committed is looked at before the next.
            let looks = matches!(state.stage, Stage::Pulling);
            !state.may_commit(now) || looks && member.was_away(owned, &state)
        });
        let not_ours: FxHashSet<_> = all.iter().map(|owned| &owned.queue).collect();
        let due = member.commits().take_due(|queue| !not_ours.contains(queue));
        for (_, commits) in due {
            let member = member.clone();
            // Each broker has its own pace.
            member.clone().tasks.spawn(async move {
                send_all(&member, commits).await;
            });
        }
    }
}

/// Commits the position of one queue now, if it is not committed. Returns whether the broker has it.
pub(crate) async fn commit_now(member: &Member, owned: &OwnedQueue) -> bool {
    if !owned.lock().may_commit(Instant::now()) {
        return false;
    }
    let due = member.commits().take_due_of(&owned.queue, owned.generation);
    match due {
        Some(commit) => send(member, commit).await,
        None => true,
    }
}

/// Commits the position of a queue because the user says so. While this member was away from the broker, another may have taken the
/// queue and committed more: its offset stands.
pub(crate) async fn commit_position(
    member: &Member,
    owned: &OwnedQueue,
    position: i64,
) -> Result<(), MQClientError> {
    if member.local.is_none() {
        let master = member.known_master(&owned.queue)?;
        member.instance.reach(&master, Instant::now() + member.instance.api().timeout()).await?;
        let is_ours = {
            let state = owned.lock();
            state.may_commit(Instant::now()) && !member.was_away(owned, &state)
        };
        if !is_ours
            && let Some(read) = ask_committed(member, &owned.queue, false).await?
            && member.commits().read_back(&owned.queue, owned.generation, read) == Some(ReadBack::Foreign)
        {
            return Err(overtaken(member, owned, position));
        }
    }
    // Other tasks may commit more while this commit waits for its turn.
    commit_chosen(member, owned, |state| {
        state.window.as_ref().map_or(position, |window| window.lowest_unfinished())
    })
    .await
}

/// Commits an offset that the user chose, and which may be lower than an earlier one. What fails is repeated in the next interval.
pub(crate) async fn commit_exactly(
    member: &Member,
    owned: &OwnedQueue,
    offset: i64,
) -> Result<(), MQClientError> {
    commit_chosen(member, owned, |_| offset).await
}

fn overtaken(member: &Member, owned: &OwnedQueue, offset: i64) -> MQClientError {
    let is_moved = member.queues.get(&owned.queue).is_some_and(|now| now.generation != owned.generation);
    let reason = match is_moved {
        true => "a seek or a reset has moved the queue meanwhile",
        false => "another member of the group has committed the queue meanwhile, or has it now",
    };
    let (group, queue) = (member.events.group(), Box::new(owned.shown.clone()));
    MQClientError::NotSettled { group, queue, offset, reason }
}

/// Commits for the user. `offset` is asked when the turn of the commit has come.
async fn commit_chosen(
    member: &Member,
    owned: &OwnedQueue,
    offset: impl Fn(&Ownership) -> i64,
) -> Result<(), MQClientError> {
    let Some(local) = &member.local else {
        let master = member.known_master(&owned.queue)?;
        let commit = chosen(member, owned, offset).await?;
        let began = Instant::now();
        let done = send_to(member, &master, &commit).await;
        let took = (began.elapsed(), done.as_ref().err());
        otel::done(member.about(), Operation::Settle("commit"), &owned.shown, [], took);
        return done;
    };
    let commit = chosen(member, owned, offset).await?;
    if local.store(member, [commit]).await { Ok(()) } else { Err(not_stored()) }
}

/// Takes a commit for the user when no other commit of the queue is under way: brokers may carry out two in any order.
async fn chosen(
    member: &Member,
    owned: &OwnedQueue,
    offset: impl Fn(&Ownership) -> i64,
) -> Result<Commit, MQClientError> {
    loop {
        let (offset, is_released) = {
            let state = owned.lock();
            (offset(&state), state.is_released())
        };
        if is_released {
            return Err(overtaken(member, owned, offset));
        }
        let chosen = member.commits().choose(&owned.queue, owned.generation, offset);
        match chosen {
            Some(commit) => return Ok(commit),
            None => sleep(LOOK_AGAIN).await,
        }
    }
}

fn not_stored() -> MQClientError {
    invalid("local_offset_store_dir", "the offsets cannot be written there: an event has the reason")
}

/// A caller waits for the commit of a message: until then the end of each message is told.
struct Awaits<'a>(&'a OwnedQueue);

impl<'a> Awaits<'a> {
    fn new(owned: &'a OwnedQueue) -> Self {
        owned.awaited.fetch_add(1, Ordering::Relaxed);
        Self(owned)
    }
}

impl Drop for Awaits<'_> {
    fn drop(&mut self) {
        self.0.awaited.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Waits until the broker has an offset behind this one: all messages before it have to finish, and commits are repeated. False
/// if the ownership ends first.
pub(crate) async fn wait_until_committed(member: &Member, owned: &OwnedQueue, offset: i64) -> bool {
    const LOOK_AGAIN: Duration = Duration::from_millis(100);
    let _waits = Awaits::new(owned);
    loop {
        let mut settled = std::pin::pin!(owned.settled.notified());
        settled.as_mut().enable();
        let lowest = owned.lock().window.as_ref().map(|window| window.lowest_unfinished());
        let Some(lowest) = lowest else { return false };
        if lowest > offset {
            member.commits().advance(&owned.queue, owned.generation, lowest);
            commit_now(member, owned).await;
            if member.commits().committed(&owned.queue).is_some_and(|committed| committed > offset) {
                return true;
            }
        }
        // The end of a commit that another task sent wakes no caller here.
        let _ = tokio::time::timeout(LOOK_AGAIN, settled).await;
    }
}

/// The last commit of a released queue. If it is not [surely ours to make](crate::consumer::member::Ownership::may_commit), the
/// offset of another member stands. Returns the offset that the broker does not have, if there is one.
pub(crate) async fn commit_last(
    member: &Member,
    owned: &OwnedQueue,
    limit: Duration,
    is_ours: bool,
) -> Option<i64> {
    let (queue, generation) = (&owned.queue, owned.generation);
    let lowest = owned.lock().window.as_ref().map(|window| window.lowest_unfinished());
    if let Some(lowest) = lowest.filter(|_| !member.settings.user_commits()) {
        member.commits().advance(queue, generation, lowest);
    }
    let committing = async {
        if !is_ours && lowest.is_some() {
            match read(member, queue, false).await {
                OffsetReading::Unknown => return,
                OffsetReading::Absent => {}
                OffsetReading::Found(read) => {
                    let verdict = member.commits().read_back(queue, generation, read);
                    if verdict == Some(ReadBack::Foreign) {
                        return;
                    }
                }
            }
        }
        loop {
            let last = member.commits().release(queue, generation);
            match last {
                LastCommit::Clean => return,
                LastCommit::AfterAnswer => sleep(LOOK_AGAIN).await,
                LastCommit::Send(commit) => {
                    if !send(member, commit).await {
                        return;
                    }
                }
            }
        }
    };
    let _ = tokio::time::timeout(limit, committing).await;
    member.commits().forget(queue, generation)
}

/// Tells the table how far each queue is.
pub(super) fn note_finished(member: &Member) {
    member.queues.all().iter().for_each(|owned| note_finished_of(member, owned));
}

fn note_finished_of(member: &Member, owned: &OwnedQueue) {
    let lowest = owned.lock().window.as_ref().map(|window| window.lowest_unfinished());
    if let Some(lowest) = lowest.filter(|_| !member.settings.user_commits()) {
        member.commits().advance(&owned.queue, owned.generation, lowest);
    }
}

/// Commits what is finished of a queue that is released, until its last handler ends.
pub(crate) async fn commit_while_draining(member: &Member, owned: &OwnedQueue) {
    while !member.settings.user_commits() {
        let mut settled = std::pin::pin!(owned.settled.notified());
        settled.as_mut().enable();
        note_finished_of(member, owned);
        if !member.was_away(owned, &owned.lock()) {
            commit_now(member, owned).await;
        }
        if owned.lock().in_hand() == 0 {
            return;
        }
        settled.await;
    }
}

async fn send_all(member: &Member, commits: Vec<Commit>) {
    for some in commits.chunks(AT_A_TIME) {
        waiting::all(some.iter().map(|commit| send(member, commit.clone()))).await;
    }
}

/// A commit under way. Dropped, it counts as failed: the broker may have it or not.
struct UnderWay<'a> {
    member: &'a Member,
    commit: Option<&'a Commit>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(commit) = self.commit {
            self.member.commits().failed(commit);
        }
    }
}

async fn send(member: &Member, commit: Commit) -> bool {
    if let Some(local) = &member.local {
        return local.store(member, [commit]).await;
    }
    let Some(master) = member.master(&commit.queue) else {
        member.commits().failed(&commit);
        return false;
    };
    match send_to(member, &master, &commit).await {
        Ok(()) => {
            member.recorder.committed(1);
            true
        }
        Err(error) => {
            member.recorder.commit_failed(1);
            tracing::debug!(queue = %commit.queue, error = with_causes(&error), "commit failed, it is repeated");
            false
        }
    }
}

async fn send_to(member: &Member, master: &Arc<str>, commit: &Commit) -> Result<(), MQClientError> {
    let mut under_way = UnderWay { member, commit: Some(commit) };
    let asking = member.instance.api().asking();
    asking.update_consumer_offset(master, member.group(), &commit.queue, commit.offset).await?;
    under_way.commit = None;
    member.commits().acknowledged(commit);
    Ok(())
}
