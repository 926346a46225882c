//! What consumers and steps did, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use rocketmq::model::MessageQueue;
use tokio::time::Instant;

/// The records of one run. A clone of the handle is in each listener.
#[derive(Debug)]
pub(super) struct Log {
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    entries: Vec<Entry>,
    calls: usize,
    /// Messages that a handler finished with success, by the member of a broadcast group (0 otherwise).
    done: BTreeSet<(usize, u32)>,
    /// How often handlers failed with a message.
    failed: BTreeMap<u32, u32>,
    /// Which message is where, of those that were delivered.
    places: BTreeMap<(MessageQueue, i64), u32>,
    /// Messages that a member of a broadcast group gave up.
    skipped: BTreeSet<(usize, u32)>,
    /// The highest offset to which an operator moved a queue.
    resets: BTreeMap<MessageQueue, i64>,
    /// What was seen to be wrong while it happened.
    problems: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) at: Duration,
    pub(super) what: What,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    /// A handler starts with a message, or a reader of a stream takes it.
    Begin { call: usize, member: usize, queue: MessageQueue, offset: i64, number: u32, times: u32 },
    /// It ends with this message.
    End { call: usize, end: End },
    /// A broker acknowledged a message.
    Sent { number: u32, queue: MessageQueue, offset: i64 },
    /// A message of a broadcast member was given up.
    Skipped { member: usize, queue: MessageQueue, offset: i64 },
    /// The start of a member returned.
    Started { member: usize },
    /// A member is gone, and how.
    Gone { member: usize },
    /// Queues were taken, or the position of a queue was set anew.
    Taken { member: usize, queues: Vec<MessageQueue> },
    /// An operator moved the group.
    Reset { queue: MessageQueue, to: i64 },
    /// A step, an event, or a result, in words.
    Note(String),
}

/// How a handler left a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Done,
    /// It failed, panicked, or did not end in time.
    Failed,
    /// It asked for a dead letter.
    Dead,
    /// It was told to stop, and did.
    Stopped,
    /// It was dropped at an await point.
    Dropped,
}

impl Log {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), state: Mutex::default() }
    }

    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn add(&self, what: What) {
        let at = self.now();
        let mut state = self.lock();
        match &what {
            What::Begin { queue, offset, number, .. } => {
                state.places.insert((queue.clone(), *offset), *number);
            }
            What::Skipped { member, queue, offset } => {
                let number = state.places.get(&(queue.clone(), *offset)).copied();
                let member = *member;
                state.skipped.extend(number.map(|number| (member, number)));
            }
            What::Reset { queue, to } => {
                let highest = state.resets.entry(queue.clone()).or_insert(*to);
                *highest = (*highest).max(*to);
            }
            _ => {}
        }
        state.entries.push(Entry { at, what });
    }

    pub(super) fn note(&self, text: impl fmt::Display) {
        self.add(What::Note(text.to_string()));
    }

    pub(super) fn problem(&self, text: impl fmt::Display) {
        self.note(format_args!("PROBLEM {text}"));
        self.lock().problems.push(text.to_string());
    }

    /// Notes the start of a handler. The call ends when it is dropped, or earlier.
    pub(super) fn begin<'a>(
        &'a self,
        member: usize,
        scope: usize,
        (queue, offset): (&MessageQueue, i64),
        (number, times): (u32, u32),
    ) -> Call<'a> {
        let call = {
            let mut state = self.lock();
            state.calls += 1;
            state.calls
        };
        self.add(What::Begin { call, member, queue: queue.clone(), offset, number, times });
        Call { log: self, call, key: (scope, number), open: true }
    }

    pub(super) fn is_done(&self, scope: usize, number: u32) -> bool {
        self.lock().done.contains(&(scope, number))
    }

    pub(super) fn is_skipped(&self, member: usize, number: u32) -> bool {
        self.lock().skipped.contains(&(member, number))
    }

    /// By queue, the offset below which an operator may have left messages out.
    pub(super) fn skipped_by_resets(&self) -> BTreeMap<MessageQueue, i64> {
        self.lock().resets.clone()
    }

    /// How often handlers failed with this message.
    pub(super) fn failures(&self, number: u32) -> u32 {
        self.lock().failed.get(&number).copied().unwrap_or_default()
    }

    pub(super) fn take(&self) -> (Vec<Entry>, Vec<String>) {
        let mut state = self.lock();
        (std::mem::take(&mut state.entries), std::mem::take(&mut state.problems))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// A handler that runs.
pub(super) struct Call<'a> {
    log: &'a Log,
    call: usize,
    key: (usize, u32),
    open: bool,
}

impl Call<'_> {
    pub(super) fn end(mut self, end: End) {
        self.close(end);
    }

    fn close(&mut self, end: End) {
        self.open = false;
        let mut state = self.log.lock();
        match end {
            End::Done => _ = state.done.insert(self.key),
            End::Failed | End::Dropped => *state.failed.entry(self.key.1).or_default() += 1,
            End::Dead | End::Stopped => {}
        }
        drop(state);
        self.log.add(What::End { call: self.call, end });
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if self.open {
            self.close(End::Dropped);
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>11.6} ", self.at.as_secs_f64())?;
        match &self.what {
            What::Begin { call, member, queue, offset, number, times } => {
                write!(
                    f,
                    "m{member} begins {number} (failed {times}x), call {call}: {offset} of {}",
                    short(queue)
                )
            }
            What::End { call, end } => write!(f, "call {call} ends: {end:?}"),
            What::Sent { number, queue, offset } => write!(f, "{number} sent: {offset} of {}", short(queue)),
            What::Skipped { member, queue, offset } => {
                write!(f, "m{member} gives {offset} of {} up", short(queue))
            }
            What::Started { member } => write!(f, "m{member} runs"),
            What::Gone { member } => write!(f, "m{member} is gone"),
            What::Taken { member, queues } => {
                write!(f, "m{member} takes {}", queues.iter().map(short).collect::<Vec<_>>().join(", "))
            }
            What::Reset { queue, to } => write!(f, "reset of {} to {to}", short(queue)),
            What::Note(text) => f.write_str(text),
        }
    }
}

pub(super) fn short(queue: &MessageQueue) -> String {
    format!("{}@{}#{}", queue.topic(), queue.broker_name(), queue.queue_id())
}
