use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rocketmq_common::MessageQueue;
use rustc_hash::FxHashMap;
use tokio::time::Instant;

use super::puller::{pull, reset, unreachable};
use crate::clock::now_ms;
use crate::consumer::member::{Beat, Member, OwnedQueue, Stage, Way};
use crate::consumer::offsets::{ReadBack, remote};
use crate::consumer::pop;
use crate::consumer::position::{
    CorrectionEvent, CorrectionMachine, CorrectionStep, OffsetReading, StartEvent, StartMachine, StartStep,
};
use crate::consumer::watch::ConsumerEvent;
use crate::waiting;

/// The number of queues of a broker that are looked after at the same time.
const AT_A_TIME: usize = 64;
/// A position that is found within this time of a subscription counts as found when the topic was subscribed.
const AT_ONCE_MS: i64 = 5_000;
/// The pause before an unknown committed offset is read again.
const REREAD_AGAIN: Duration = Duration::from_millis(500);
/// The time after a reconnect at which the offset is committed once more. A broker that missed this member has announced that it left, and a
/// member that took its queue gives it back by then, with a lower offset perhaps.
const TAKEN_FOR: Duration = Duration::from_secs(10);
/// The pause before the broker is asked again for a topic that it did not know.
const ASK_FOR_TOPIC: Duration = Duration::from_secs(5);

/// The queues that are due, by broker. A broker that is here has an attendant.
#[derive(Debug, Default)]
struct Attendants(Mutex<FxHashMap<Arc<str>, Vec<Arc<OwnedQueue>>>>);

/// Looks after the queues that are due, with at most one task for each broker: a broker that does not answer delays no queue
/// of another.
pub(crate) async fn mind_queues(member: Arc<Member>) {
    let attendants = Arc::new(Attendants::default());
    loop {
        let due = member.agenda.due().await;
        member.pulse.beat(Beat::Pull);
        for broker in attendants.add(due) {
            member.tasks.spawn(attend_broker(member.clone(), attendants.clone(), broker));
        }
    }
}

impl Attendants {
    /// Adds queues. Returns the brokers that need an attendant now.
    fn add(&self, due: Vec<Arc<OwnedQueue>>) -> Vec<Arc<str>> {
        let (mut brokers, mut new) = (self.lock(), Vec::new());
        for owned in due {
            let broker = owned.queue.shared_broker_name();
            match brokers.get_mut(broker) {
                Some(waiting) => waiting.push(owned),
                None => {
                    new.push(broker.clone());
                    brokers.insert(broker.clone(), vec![owned]);
                }
            }
        }
        new
    }

    /// The queues of a broker that wait; `None` ends its attendant.
    fn take(&self, broker: &str) -> Option<Vec<Arc<OwnedQueue>>> {
        let mut brokers = self.lock();
        let waiting = std::mem::take(brokers.get_mut(broker)?);
        if waiting.is_empty() {
            brokers.remove(broker);
            return None;
        }
        Some(waiting)
    }

    fn lock(&self) -> MutexGuard<'_, FxHashMap<Arc<str>, Vec<Arc<OwnedQueue>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn attend_broker(member: Arc<Member>, attendants: Arc<Attendants>, broker: Arc<str>) {
    while let Some(due) = attendants.take(&broker) {
        for some in due.chunks(AT_A_TIME) {
            waiting::all(some.iter().map(|owned| attend(&member, owned))).await;
        }
    }
}

async fn attend(member: &Arc<Member>, owned: &Arc<OwnedQueue>) {
    enum Task {
        Locate(StartMachine),
        Correct(CorrectionMachine),
        Reread,
        Pull,
    }
    let (task, gets_in_line) = {
        let (mut state, now) = (owned.lock(), Instant::now());
        let gets_in_line = state.gets_in_line();
        if state.commit_again.take_if(|at| *at <= now).is_some() {
            member.commits().lost(&owned.queue, owned.generation);
        }
        let (waits, reread) = (state.waits_for_lock(now), state.must_reread(now) && state.window.is_some());
        let task = match &mut state.stage {
            Stage::Released => None,
            // The locker comes back with the lock.
            _ if waits => None,
            _ if reread => Some(Task::Reread),
            Stage::Locating(machine) => machine.take().map(Task::Locate),
            Stage::Correcting(machine) => machine.take().map(Task::Correct),
            Stage::Idle => Some(Task::Pull),
            Stage::Pulling | Stage::Throttled(_) => None,
        };
        (task, gets_in_line)
    };
    if gets_in_line {
        member.ready.push(owned.clone());
    }
    match task {
        Some(Task::Locate(machine)) if owned.is_pop => pop::locate(member, owned, machine).await,
        Some(Task::Locate(machine)) => locate(member, owned, machine).await,
        Some(Task::Correct(machine)) => correct(member, owned, machine).await,
        Some(Task::Reread) => reread(member, owned).await,
        Some(Task::Pull) => find_way(member, owned).await,
        None => {}
    }
}

/// Finds the first position.
async fn locate(member: &Arc<Member>, owned: &Arc<OwnedQueue>, mut machine: StartMachine) {
    let asked = Instant::now();
    match find_start(member, owned, &owned.queue, &mut machine).await {
        Ok((offset, commit)) => {
            start_at(member, owned, offset, commit, asked);
            find_way(member, owned).await;
        }
        Err(at) => {
            let mut state = owned.lock();
            if let Stage::Locating(place) = &mut state.stage {
                *place = Some(machine);
                member.agenda.add(at, owned);
            }
        }
    }
}

/// Finds where a queue starts, and whether that has to be committed. The error is when to try again.
pub(crate) async fn find_start(
    member: &Arc<Member>,
    owned: &Arc<OwnedQueue>,
    queue: &MessageQueue,
    machine: &mut StartMachine,
) -> Result<(i64, bool), Instant> {
    let mut step = machine.first_step();
    loop {
        let event = match step {
            StartStep::AskCommitted { zero_if_young } => {
                StartEvent::Committed(remote::read(member, queue, zero_if_young).await)
            }
            StartStep::AskBounds => {
                let bounds = remote::bounds(member, queue).await;
                let end = member.ends().get(queue).copied();
                StartEvent::Bounds(bounds.map(|bounds| bounds.ending_at(end)))
            }
            StartStep::AskGroup => {
                let open = member.open_since.get().filter(|_| !member.ends().contains_key(queue));
                if let Some(since) = open.and_then(|open| owed_since(*open, owned, now_ms())) {
                    machine.owe(since);
                }
                StartEvent::Group(remote::history(member, queue).await)
            }
            StartStep::AskTime(time) => StartEvent::AtTime(remote::offset_at(member, queue, time).await.ok()),
            StartStep::WaitUntil(at) => return Err(at),
            StartStep::StartAt { offset, commit } => return Ok((offset, commit)),
        };
        step = machine.step(Instant::now(), event);
    }
}

/// Since when messages of a queue are owed whose position is found late, in milliseconds since 1970: the start has returned,
/// or the subscription was made while the consumer ran.
fn owed_since(open: i64, owned: &OwnedQueue, now: i64) -> Option<i64> {
    let subscribed = owned.subscribed.subscription.data().sub_version;
    (subscribed <= open || now - subscribed > AT_ONCE_MS).then_some(subscribed)
}

fn start_at(member: &Member, owned: &Arc<OwnedQueue>, offset: i64, commit: bool, asked: Instant) {
    let mut state = owned.lock();
    if !matches!(state.stage, Stage::Locating(_)) {
        return;
    }
    tracing::debug!(queue = %owned.queue, group = %member.group(), offset, chosen = commit, "first position");
    let committed = (!commit).then_some(offset);
    member.commits().own(owned.queue.clone(), owned.generation, offset, committed);
    state.window = Some(crate::consumer::window::ProcessQueue::new(owned.generation, offset));
    if let Some(order) = &mut state.order {
        order.lock.offset_read(asked);
    }
    // A member that takes over must not choose anew: the messages in between would be lost.
    state.commit_first = commit && !member.settings.broadcast;
    state.enter(Stage::Idle);
    state.refusal = None;
    if state.must_reread(Instant::now()) {
        member.agenda.add(Instant::now(), owned);
    }
    drop(state);
    // Brokers filter by the last subscription: messages that they leave out must not count as finished for an earlier
    // subscription.
    let subscribed = member.subscribed(owned.queue.topic());
    if subscribed.is_some_and(|subscribed| !Arc::ptr_eq(&subscribed, &owned.subscribed)) {
        member.move_to(owned, offset);
    }
    owned.settled.notify_waiters();
}

/// Reads the committed offset after the lock came back: another member may have consumed meanwhile.
async fn reread(member: &Arc<Member>, owned: &Arc<OwnedQueue>) {
    commit_first(member, owned).await;
    let asked = Instant::now();
    let read = match remote::read(member, &owned.queue, false).await {
        OffsetReading::Found(read) => Some(read),
        OffsetReading::Absent => {
            member.commits().lost(&owned.queue, owned.generation);
            None
        }
        OffsetReading::Unknown => {
            member.agenda.add(Instant::now() + REREAD_AGAIN, owned);
            return;
        }
    };
    let verdict = read.and_then(|read| member.commits().read_back(&owned.queue, owned.generation, read));
    {
        let mut state = owned.lock();
        if let Some(order) = &mut state.order {
            order.lock.offset_read(asked);
        }
        if verdict != Some(ReadBack::Foreign) {
            let gets_in_line = state.gets_in_line();
            if matches!(state.stage, Stage::Idle) || state.must_reread(Instant::now()) {
                member.agenda.add(Instant::now(), owned);
            }
            drop(state);
            if gets_in_line {
                member.ready.push(owned.clone());
            }
            return;
        }
    }
    if let Some(read) = read {
        member.move_to(owned, read);
    }
}

/// Checks a claim about the position.
async fn correct(member: &Arc<Member>, owned: &Arc<OwnedQueue>, mut machine: CorrectionMachine) {
    let mut step = machine.first_step();
    loop {
        match step {
            CorrectionStep::AskBounds => {
                let mut bounds = remote::bounds(member, &owned.queue).await;
                match remote::read(member, &owned.queue, false).await {
                    OffsetReading::Unknown => bounds = None,
                    OffsetReading::Absent if member.commits().committed(&owned.queue).is_some() => {
                        machine.note_new_topic();
                    }
                    _ => {}
                }
                step = machine.step(Instant::now(), CorrectionEvent::Bounds(bounds));
            }
            CorrectionStep::WaitUntil(at) => {
                let mut state = owned.lock();
                if let Stage::Correcting(place) = &mut state.stage {
                    *place = Some(machine);
                    member.agenda.add(at, owned);
                }
                return;
            }
            CorrectionStep::StayUntil(at) => {
                let mut state = owned.lock();
                if let Stage::Correcting(_) = state.stage {
                    state.enter(Stage::Idle);
                    member.agenda.add(at, owned);
                }
                return;
            }
            CorrectionStep::MoveTo(correction) => {
                let to = {
                    let state = owned.lock();
                    // What the broker still has of the unfinished messages comes again.
                    let unfinished = state.window.as_ref().map(|window| window.lowest_unfinished());
                    unfinished
                        .map_or(correction.to, |lowest| lowest.max(correction.bounds.min).min(correction.to))
                };
                member.move_to(owned, to);
                member.recorder.offset_moved(1);
                member.events.emit(ConsumerEvent::OffsetCorrected {
                    group: member.events.group(),
                    queue: owned.queue.clone(),
                    from: correction.from,
                    to,
                    min: correction.bounds.min,
                    max: correction.bounds.max,
                });
                return;
            }
        }
    }
}

/// Makes sure that a server of the broker knows this member on its open connection, and pulls.
async fn find_way(member: &Arc<Member>, owned: &Arc<OwnedQueue>) {
    let (id, tell_first) = {
        let state = owned.lock();
        if !matches!(state.stage, Stage::Idle) {
            return;
        }
        (state.read_from, state.tell_first)
    };
    commit_first(member, owned).await;
    let queue = &owned.queue;
    let view = member.view(queue.topic());
    let server = view.as_ref().and_then(|view| match owned.is_pop {
        // Only a master hides messages.
        true => view.server(queue.broker_name(), 0).map(|address| (0, address)),
        false => view.server_or_other(queue.broker_name(), i64::try_from(id).unwrap_or_default()),
    });
    let Some((id, address)) = server.map(|(id, address)| (id, address.clone())) else {
        member.instance.want_fresh_routes();
        return unreachable(member, owned, &mut owned.lock());
    };
    let (instance, version) = (&member.instance, member.instance.groups_version());
    let told = if tell_first {
        instance.tell(&address).await.is_ok()
    } else {
        instance.reach(&address, Instant::now() + instance.api().timeout()).await.is_ok()
    };
    let connection = instance.api().remoting().connection(&address).filter(|_| told);
    let Some(connection) = connection else {
        return unreachable(member, owned, &mut owned.lock());
    };
    if !owned.is_pop {
        if owned.lock().topic_gone && !is_the_same(member, owned).await {
            return;
        }
        let last = owned.lock().last_connection;
        if last.is_some_and(|last| last != connection.id()) && id == 0 {
            if !look_back(member, owned).await {
                return;
            }
            let again = Instant::now() + TAKEN_FOR;
            owned.lock().commit_again = Some(again);
            member.agenda.add(again, owned);
        }
    }
    let mut state = owned.lock();
    state.read_from = u64::try_from(id).unwrap_or_default();
    state.way = Some(Way { connection, version });
    state.tell_first = false;
    state.lost = None;
    state.judge.reached();
    pull(member, owned, &mut state);
    drop(state);
    member.found_broker(queue.shared_broker_name());
}

/// Looks whether a topic that was gone is the topic of before. A topic that was made again has other messages under the old
/// offsets, and no committed offset. False if the queue goes on in another ownership, at its beginning, or the topic is gone.
async fn is_the_same(member: &Arc<Member>, owned: &Arc<OwnedQueue>) -> bool {
    let read = remote::read(member, &owned.queue, false).await;
    let bounds = remote::bounds(member, &owned.queue).await.filter(|_| read != OffsetReading::Unknown);
    let Some(bounds) = bounds else {
        // The topic is still gone.
        member.agenda.add(Instant::now() + ASK_FOR_TOPIC, owned);
        return false;
    };
    let from = owned.lock().window.as_ref().map_or(bounds.min, |window| window.next_pull());
    match read {
        OffsetReading::Absent if from != bounds.min => {
            member.move_to(owned, bounds.min);
            member.recorder.offset_moved(1);
            let (group, queue) = (member.events.group(), owned.queue.clone());
            let (to, min, max) = (bounds.min, bounds.min, bounds.max);
            member.events.emit(ConsumerEvent::OffsetCorrected { group, queue, from, to, min, max });
            false
        }
        _ => {
            owned.lock().topic_gone = false;
            true
        }
    }
}

/// Commits a position that was set anew, before anything else is asked of the broker: its answer would undo a reset.
async fn commit_first(member: &Member, owned: &OwnedQueue) {
    if owned.lock().commit_first {
        remote::commit_now(member, owned).await;
        owned.lock().commit_first = false;
    }
}

/// Reads the committed offset after the broker was gone: it may have restarted, with older offsets or without the news of a
/// reset. False if the queue goes on in another ownership, or the offset is unknown.
async fn look_back(member: &Arc<Member>, owned: &Arc<OwnedQueue>) -> bool {
    member.want_rebalance();
    if member.settings.broadcast {
        return true;
    }
    let read = match remote::read(member, &owned.queue, false).await {
        OffsetReading::Found(read) => read,
        OffsetReading::Absent => {
            member.commits().lost(&owned.queue, owned.generation);
            return true;
        }
        // A pull could commit over a reset.
        OffsetReading::Unknown => {
            member.agenda.add(Instant::now() + REREAD_AGAIN, owned);
            return false;
        }
    };
    let verdict = member.commits().read_back(&owned.queue, owned.generation, read);
    if verdict != Some(ReadBack::Foreign) {
        return true;
    }
    reset(member, &owned.queue, read);
    false
}
