//! Offsets that a broadcast consumer keeps itself, in its file.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rocketmq_common::MessageQueue;
use tokio::time::sleep;

use super::remote::note_finished;
use super::{Commit, LocalFile, Offsets};
use crate::consumer::member::Member;
use crate::consumer::position::{GroupHistory, OffsetReading};
use crate::consumer::watch::ConsumerEvent;

/// The offsets of a broadcast consumer, and their file.
#[derive(Debug)]
pub(crate) struct LocalOffsets {
    file: LocalFile,
    /// The offsets of the file at the start: they show which queues were added while no consumer ran.
    loaded: Offsets,
    /// The offsets that the file has, or will have once it can be written.
    known: Mutex<Offsets>,
    /// Commits that the next store takes: queues that are released together are written once.
    waiting: Mutex<Vec<Commit>>,
    /// One store at a time.
    turn: tokio::sync::Mutex<()>,
}

impl LocalOffsets {
    /// Reads the file.
    ///
    /// # Errors
    /// As [`LocalFile::load`].
    pub(crate) async fn load(file: LocalFile) -> io::Result<Self> {
        let loaded = file.load().await?;
        let known = Mutex::new(loaded.clone());
        Ok(Self { file, loaded, known, waiting: Mutex::default(), turn: tokio::sync::Mutex::default() })
    }

    pub(super) fn read(&self, queue: &MessageQueue) -> OffsetReading {
        lock(&self.known).get(queue).map_or(OffsetReading::Absent, |offset| OffsetReading::Found(*offset))
    }

    /// Whether the file had other queues of the topic.
    pub(super) fn history(&self, topic: &str) -> GroupHistory {
        let known = self.loaded.keys().any(|queue| queue.topic() == topic);
        if known { GroupHistory::Known } else { GroupHistory::New }
    }

    /// Writes commits, and the commits of other callers with them. Returns whether the file may have them: a caller whose
    /// commits another caller wrote asks the table.
    ///
    /// Dropped while it writes, it counts as failed, and the next store writes the offsets again.
    pub(super) async fn store(&self, member: &Member, commits: impl IntoIterator<Item = Commit>) -> bool {
        lock(&self.waiting).extend(commits);
        let _turn = self.turn.lock().await;
        let commits = std::mem::take(&mut *lock(&self.waiting));
        if commits.is_empty() {
            return true;
        }
        let offsets: BTreeMap<_, _> = {
            let mut known = lock(&self.known);
            known.extend(commits.iter().map(|commit| (commit.queue.clone(), commit.offset)));
            known.clone()
        };
        let count = commits.len() as u64;
        let mut under_way = UnderWay { member, commits };
        match self.file.store(offsets).await {
            Ok(()) => {
                let mut table = member.commits();
                under_way.commits.drain(..).for_each(|commit| table.acknowledged(&commit));
                member.recorder.committed(count);
                true
            }
            Err(error) => {
                member.recorder.commit_failed(count);
                let (group, path) = (member.events.group(), self.file.path().to_owned());
                member.events.emit(ConsumerEvent::OffsetsNotStored { group, path, error: Arc::new(error) });
                false
            }
        }
    }
}

/// Stores what is finished, in each interval.
pub(crate) async fn keep_storing(member: Arc<Member>) {
    loop {
        sleep(member.settings.persist_interval).await;
        store_finished(&member).await;
    }
}

/// Stores what is finished now.
pub(crate) async fn store_finished(member: &Member) {
    let Some(local) = &member.local else { return };
    note_finished(member);
    member.note_gauges();
    let due = member.commits().take_due(|_| true);
    local.store(member, due.into_values().flatten()).await;
}

/// Commits that are being written; commits that are left at the end have failed.
struct UnderWay<'a> {
    member: &'a Member,
    commits: Vec<Commit>,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut table = self.member.commits();
        self.commits.iter().for_each(|commit| table.failed(commit));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
