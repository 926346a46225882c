//! What a restart may bring back, and what it forgets.

use std::sync::atomic::Ordering;

use super::{Agenda, Broker, CommittedOffsets, Halves, TopicTable};
use crate::history::BrokerEvent;
use crate::store::CommitLog;

/// What a broker had stored at some moment; see [`MockCluster::snapshot`](crate::MockCluster::snapshot).
#[derive(Debug, Clone)]
pub struct BrokerSnapshot {
    topics: TopicTable,
    log: CommitLog,
    agenda: Agenda,
    halves: Halves,
    offsets: CommittedOffsets,
}

impl Broker {
    /// What is stored now. Records are shared, not copied.
    pub(crate) fn snapshot(&self) -> BrokerSnapshot {
        let state = self.lock();
        BrokerSnapshot {
            topics: state.topics.clone(),
            log: state.log.clone(),
            agenda: state.agenda.clone(),
            halves: state.halves.clone(),
            offsets: state.offsets.clone(),
        }
    }

    /// Puts the messages back as they were. Topics stay; those that were made since then are empty.
    pub(crate) fn restore_store(&self, snapshot: &BrokerSnapshot) {
        let mut state = self.lock();
        state.topics.restore_queues(&snapshot.topics);
        state.log = snapshot.log.clone();
        state.agenda = snapshot.agenda.clone();
        state.halves = snapshot.halves.clone();
        drop(state);
        self.due_sooner.notify_one();
        self.role.tell_slaves();
    }

    /// Puts the committed offsets back as they were.
    pub(crate) fn restore_offsets(&self, snapshot: &BrokerSnapshot) {
        self.lock().offsets.follow(&snapshot.offsets);
    }

    /// The process ended: what was in its memory alone is gone.
    pub(crate) fn forget_memory(&self) {
        let mut state = self.lock();
        self.recorder.note(|| BrokerEvent::Stopped);
        state.locks.forget(|_, _, _| true);
        state.offsets.forget_resets();
    }

    /// The broker id that pull answers tell clients to read from next.
    pub(crate) fn suggested(&self) -> i64 {
        self.suggested.load(Ordering::Relaxed)
    }

    /// Says which broker id that is.
    pub(crate) fn suggest(&self, id: i64) {
        self.suggested.store(id, Ordering::Relaxed);
    }
}
