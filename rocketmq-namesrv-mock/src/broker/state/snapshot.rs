//! State that a restart may bring back, and state that it loses.

use std::sync::atomic::Ordering;

use super::{Agenda, Broker, CommittedOffsets, Halves, TopicTable};
use crate::history::BrokerEvent;
use crate::store::CommitLog;

/// The stored state of a broker at one moment; see [`MockCluster::snapshot`](crate::MockCluster::snapshot).
#[derive(Debug, Clone)]
pub struct BrokerSnapshot {
    topics: TopicTable,
    log: CommitLog,
    agenda: Agenda,
    halves: Halves,
    offsets: CommittedOffsets,
}

impl Broker {
    /// Takes a snapshot. Records are shared, not copied.
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

    /// Restores the messages. Topics stay; topics made after the snapshot become empty.
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

    /// Restores the committed offsets.
    pub(crate) fn restore_offsets(&self, snapshot: &BrokerSnapshot) {
        self.lock().offsets.follow(&snapshot.offsets);
    }

    /// Drops the state that a process keeps in memory only.
    pub(crate) fn forget_memory(&self) {
        let mut state = self.lock();
        self.recorder.note(|| BrokerEvent::Stopped);
        state.locks.forget(|_, _, _| true);
        state.offsets.forget_resets();
    }

    /// The broker id that pull answers suggest.
    pub(crate) fn suggested(&self) -> i64 {
        self.suggested.load(Ordering::Relaxed)
    }

    /// Sets the broker id that pull answers suggest.
    pub(crate) fn suggest(&self, id: i64) {
        self.suggested.store(id, Ordering::Relaxed);
    }
}
