use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytestring::ByteString;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::{OutboxError, OutboxEvent, OutboxStore, UnreadableRow};
use crate::error::{Outcome, PublishError, PublishErrorKind, with_causes};
use crate::publish::EventPublisher;

/// After this number of pages of which no event came through, the broker counts as away, and the rest waits for the next pass.
const HOPELESS: u32 = 4;

/// The parts of a relay that passes share.
pub(super) struct Passes {
    pub(super) name: String,
    pub(super) store: Arc<dyn OutboxStore>,
    /// Rows that are read, and keys that are published, at a time.
    pub(super) at_a_time: usize,
    /// Events that the broker has, and the table does not know it yet: they are not published again.
    pub(super) unmarked: BTreeSet<u64>,
    pub(super) report: Counts,
    /// The last row that was set aside, and why.
    pub(super) last_refused: Option<String>,
    /// The relay takes no further events.
    pub(super) stopping: CancellationToken,
    pub(super) publisher: Arc<Publisher>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) published: u64,
    pub(super) refused: u64,
}

/// Why a pass did not publish everything.
#[derive(Debug, Clone)]
pub(super) enum Trouble {
    /// The next pass may do better.
    ForNow(String),
    /// The bus is closed.
    Closed(String),
}

enum Sent {
    Stored,
    Never(String),
    NotYet(Trouble),
}

pub(super) type Publisher = dyn EventPublisher<OutboxEvent>;

impl Passes {
    /// Publishes all that waits. A key whose event fails waits for the next pass, with all its later events; other keys go on.
    pub(super) async fn run(&mut self) -> Result<(), Trouble> {
        let mut blocked = HashSet::new();
        let (mut after, mut hopeless, mut trouble) = (0, 0, Ok(()));
        self.mark().await?;
        while !self.stopping.is_cancelled() {
            let page = self.store.unpublished(after, self.at_a_time).await;
            let page = page.map_err(|error| self.failed("the outbox cannot be read", &error))?;
            let Some(last) = page.last() else { break };
            after = last.as_ref().map_or_else(|row| row.sequence, |event| event.sequence);
            let is_last = page.len() < self.at_a_time;
            let before = self.report;
            let (mut events, mut set_aside) = (Vec::with_capacity(page.len()), Ok(()));
            for row in page {
                match row {
                    Ok(event) => events.push(event),
                    Err(row) => set_aside = set_aside.and(self.refuse(row).await),
                }
            }
            let failed = self.publish(events, &mut blocked).await.and(set_aside);
            self.mark().await?;
            if let Err(failed) = failed {
                hopeless = if before == self.report { hopeless + 1 } else { 0 };
                let is_closed = matches!(failed, Trouble::Closed(_));
                trouble = Err(failed);
                if is_closed || hopeless == HOPELESS {
                    break;
                }
            }
            if is_last {
                break;
            }
        }
        trouble
    }

    /// Tells the table what the broker has.
    pub(super) async fn mark(&mut self) -> Result<(), Trouble> {
        if self.unmarked.is_empty() {
            return Ok(());
        }
        let sequences: Vec<u64> = self.unmarked.iter().copied().collect();
        let marked = self.store.mark_published(&sequences).await;
        marked.map_err(|error| self.failed("published events cannot be marked", &error))?;
        self.unmarked.clear();
        Ok(())
    }

    /// Publishes a page: keys beside each other, the events of a key one after the other.
    async fn publish(
        &mut self,
        page: Vec<OutboxEvent>,
        blocked: &mut HashSet<ByteString>,
    ) -> Result<(), Trouble> {
        let (mut lanes, mut lane_of) = (Vec::<Vec<OutboxEvent>>::new(), HashMap::new());
        for event in page.into_iter().filter(|event| !self.unmarked.contains(&event.sequence)) {
            let Some(key) = event.envelope.key.clone() else {
                lanes.push(vec![event]);
                continue;
            };
            if blocked.contains(&key) {
                continue;
            }
            let lane = *lane_of.entry(key).or_insert_with(|| {
                lanes.push(Vec::new());
                lanes.len() - 1
            });
            lanes[lane].push(event);
        }
        let mut trouble = Ok(());
        let (publisher, stopping) = (self.publisher.clone(), self.stopping.clone());
        let mut running: FuturesUnordered<_> =
            lanes.into_iter().map(|lane| step(&*publisher, lane.into_iter(), &stopping)).collect();
        while let Some(next) = running.next().await {
            let Some((sequence, key, sent, rest)) = next else { continue };
            match sent {
                Sent::Stored => {
                    self.unmarked.insert(sequence);
                    self.report.published += 1;
                    metrics::counter!("outbox_published_total", "outbox" => self.name.clone()).increment(1);
                }
                Sent::Never(reason) => {
                    let reason = format!("the broker never takes it: {reason}");
                    if let Err(failed) = self.refuse(UnreadableRow { sequence, reason }).await {
                        blocked.extend(key);
                        trouble = Err(failed);
                        continue;
                    }
                }
                Sent::NotYet(reason) => {
                    blocked.extend(key);
                    if !matches!(trouble, Err(Trouble::Closed(_))) {
                        trouble = Err(reason);
                    }
                    continue;
                }
            }
            running.push(step(&*publisher, rest, &stopping));
        }
        trouble
    }

    /// Sets a row aside: the table keeps it with the reason, and no pass finds it again.
    async fn refuse(&mut self, row: UnreadableRow) -> Result<(), Trouble> {
        let UnreadableRow { sequence, reason } = &row;
        tracing::error!(outbox = %self.name, sequence, "the row {sequence} is set aside: {reason}");
        let refused = self.store.refuse(*sequence, reason).await;
        refused.map_err(|error| self.failed(&format!("the row {sequence} cannot be set aside"), &error))?;
        self.report.refused += 1;
        self.last_refused = Some(format!("row {sequence}: {reason}"));
        metrics::counter!("outbox_refused_total", "outbox" => self.name.clone()).increment(1);
        Ok(())
    }

    fn failed(&self, what: &str, error: &OutboxError) -> Trouble {
        Trouble::ForNow(format!("{what}: {}", with_causes(&**error)))
    }
}

type Lane = std::vec::IntoIter<OutboxEvent>;
type Step = Option<(u64, Option<ByteString>, Sent, Lane)>;

/// Publishes the next event of a lane, and returns the rest of it. `None`: there is none, or the relay stops.
async fn step(publisher: &Publisher, mut lane: Lane, stopping: &CancellationToken) -> Step {
    let event = lane.next().filter(|_| !stopping.is_cancelled())?;
    let (sequence, key) = (event.sequence, event.envelope.key.clone());
    let sent = match publisher.publish(event).await {
        Ok(_) => Sent::Stored,
        Err(error) => judged(&error),
    };
    Some((sequence, key, sent, lane))
}

/// Judges an event that is not published: it is tried again if the broker may have it, or may take it later. A route can still come.
fn judged(error: &PublishError) -> Sent {
    let reason = with_causes(error);
    let never = [PublishErrorKind::TooLarge, PublishErrorKind::Encode, PublishErrorKind::Invalid];
    match error.kind() {
        PublishErrorKind::Closed => Sent::NotYet(Trouble::Closed(reason)),
        kind if never.contains(&kind) && error.outcome() == Outcome::NotStored => Sent::Never(reason),
        _ => Sent::NotYet(Trouble::ForNow(reason)),
    }
}
