//! Relays that crash at any of their awaits, over a table and a broker that fail, on virtual time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::pass::Publisher;
use super::{Backlog, MemoryOutbox, OutboxError, OutboxEvent, OutboxRow, OutboxStore, Relay, RelayReport};
use crate::consume::{Dedupe, MemorySeen};
use crate::{
    Bus, Context, Event, EventPublisher, EventType, Format, PublishError, PublishErrorKind, Receipt, Start,
};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize, Deserialize)]
struct Row(u64);

impl EventType for Row {
    const NAMES: &'static [&'static str] = &["row"];
}

/// Random numbers of a seed; 0 makes no fault.
#[derive(Debug)]
struct Dice {
    state: AtomicU64,
    is_fair: AtomicBool,
}

impl Dice {
    fn new(seed: u64) -> Self {
        Self { state: AtomicU64::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15)), is_fair: false.into() }
    }

    /// Below `sides`; splitmix64.
    fn roll(&self, sides: u64) -> u64 {
        let step = 0x9E37_79B9_7F4A_7C15;
        let mut z = self.state.fetch_add(step, Ordering::Relaxed).wrapping_add(step);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }

    /// A fault of one kind in `sides`, until the world is healed.
    fn fault(&self, sides: u64) -> Option<u64> {
        (!self.is_fair.load(Ordering::Relaxed)).then(|| self.roll(sides))
    }

    async fn wait(&self) {
        sleep(Duration::from_millis(self.roll(20))).await;
    }
}

#[derive(Debug)]
struct Table {
    rows: MemoryOutbox,
    dice: Arc<Dice>,
}

#[async_trait]
impl OutboxStore for Table {
    async fn unpublished(&self, after: u64, limit: usize) -> Result<Vec<OutboxRow>, OutboxError> {
        self.dice.wait().await;
        if self.dice.fault(10) == Some(1) {
            Err("the table cannot be read")?
        }
        self.rows.unpublished(after, limit).await
    }

    async fn mark_published(&self, sequences: &[u64]) -> Result<(), OutboxError> {
        self.dice.wait().await;
        let fault = self.dice.fault(5);
        if fault == Some(1) {
            Err("not marked")?
        }
        self.rows.mark_published(sequences).await?;
        self.dice.wait().await;
        if fault == Some(2) {
            Err("marked, and the answer is lost")?
        }
        Ok(())
    }

    async fn refuse(&self, sequence: u64, reason: &str) -> Result<(), OutboxError> {
        self.rows.refuse(sequence, reason).await
    }

    async fn backlog(&self) -> Result<Backlog, OutboxError> {
        self.rows.backlog().await
    }
}

async fn publisher(bus: &Bus) -> Arc<Publisher> {
    Arc::new(bus.producer("rows").await.unwrap())
}

/// Counts the publications of each event.
struct Broker {
    producer: Arc<Publisher>,
    dice: Arc<Dice>,
    published: Mutex<HashMap<u64, u32>>,
}

#[async_trait]
impl EventPublisher<OutboxEvent> for Broker {
    async fn publish(&self, event: OutboxEvent) -> Result<Receipt, PublishError> {
        let fault = self.dice.fault(12);
        self.dice.wait().await;
        match fault {
            Some(1) => {
                return Err(PublishError::not_stored(PublishErrorKind::Disconnected, "no connection"));
            }
            Some(2) => return Err(PublishError::maybe_stored(PublishErrorKind::Timeout, "lost on the way")),
            _ => {}
        }
        *self.published.lock().unwrap().entry(event.sequence).or_default() += 1;
        let receipt = self.producer.publish(event).await?;
        self.dice.wait().await;
        if fault == Some(3) {
            return Err(PublishError::maybe_stored(PublishErrorKind::Timeout, "the answer is lost"));
        }
        Ok(receipt)
    }
}

/// Returns the number of events that were published more than once.
async fn world(seed: u64) -> usize {
    let dice = Arc::new(Dice::new(seed));
    let bus = Bus::connect("memory:").await.unwrap();
    let producer = publisher(&bus).await;
    let table = Arc::new(Table { rows: MemoryOutbox::new(), dice: dice.clone() });
    let broker = Arc::new(Broker { producer, dice: dice.clone(), published: Mutex::default() });
    let (tell, mut seen) = mpsc::channel(1_000);
    let handler = move |event: Event<Row>, _: Context| {
        tell.try_send((event.envelope.key.clone(), event.data.0)).unwrap();
        std::future::ready(Ok(()))
    };
    let reader =
        bus.consumer("rows", "reader").start_from(Start::Earliest).layer(Dedupe(MemorySeen::new(1_000)));
    let reader = reader.on(handler).start().await.unwrap();

    let start = || {
        Relay::builder(table.clone(), broker.clone())
            .interval(SECOND / 10)
            .at_a_time(1 + seed as usize % 7)
            .start()
    };
    let rows = 40;
    let mut relay = start();
    for number in 0..rows {
        let mut event = Event::new(Row(number));
        if number % 4 != 0 {
            event = event.with_key((number % 3).to_string());
        }
        table.rows.add(OutboxEvent::new(&event, Format::Json).unwrap());
        dice.wait().await;
        match dice.roll(6) {
            0 => {
                drop(relay);
                relay = start();
            }
            1 => _ = std::mem::replace(&mut relay, start()).shutdown(SECOND / 100).await,
            2 => relay.wake(),
            _ => {}
        }
    }
    dice.is_fair.store(true, Ordering::Relaxed);
    relay.wait_until_empty().await.unwrap();
    let report = relay.shutdown(SECOND).await;
    assert!(report.is_clean() && report.waiting == Some(0), "seed {seed}: {report:?}");

    let mut orders: BTreeMap<_, Vec<u64>> = BTreeMap::new();
    for _ in 0..rows {
        let (key, number) = seen.recv().await.unwrap();
        orders.entry(key).or_default().push(number);
    }
    reader.shutdown(SECOND).await.unwrap();
    assert!(seen.try_recv().is_err(), "seed {seed}: Dedupe drops every second event");
    let all: BTreeSet<u64> = orders.values().flatten().copied().collect();
    assert!(all.into_iter().eq(0..rows), "seed {seed}: each row has its event");
    for (key, order) in orders.iter().filter(|(key, _)| key.is_some()) {
        assert!(order.is_sorted(), "seed {seed}: the key {key:?} came as {order:?}");
    }
    broker.published.lock().unwrap().values().filter(|times| **times > 1).count()
}

#[tokio::test(start_paused = true)]
async fn each_row_has_its_event_and_each_key_its_order() {
    let mut twice = 0;
    for seed in 0..200 {
        twice += world(seed).await;
    }
    assert!(twice > 200, "the test crashes relays between the publication and the mark: {twice}");
}

/// A relay over the memory broker, and what it published.
async fn relayed(publisher: Arc<Publisher>, rows: &Arc<MemoryOutbox>) -> RelayReport {
    let relay = Relay::builder(rows.clone(), publisher).start();
    relay.wait_until_empty().await.unwrap();
    relay.shutdown(SECOND).await
}

#[tokio::test(start_paused = true)]
async fn an_event_that_the_broker_never_takes_is_set_aside_and_its_key_goes_on() {
    let bus = Bus::connect("memory:").await.unwrap();
    let rows = Arc::new(MemoryOutbox::new());
    let event = |number| OutboxEvent::new(&Event::new(Row(number)).with_key("key"), Format::Json).unwrap();
    let mut large = event(1);
    large.body = vec![0; bus.backend().abilities().max_body + 1].into();
    rows.add(large);
    rows.add(event(2));
    let report = relayed(publisher(&bus).await, &rows).await;
    assert_eq!((report.published, report.refused, report.waiting), (1, 1, Some(0)));
    let refused = rows.refused();
    assert_eq!(refused[0].0.sequence, 1);
    assert!(refused[0].1.contains("larger"), "{}", refused[0].1);
}

/// A table in which something damaged the rows of some sequences.
#[derive(Debug)]
struct Damaged {
    rows: MemoryOutbox,
    broken: BTreeSet<u64>,
}

#[async_trait]
impl OutboxStore for Damaged {
    async fn unpublished(&self, after: u64, limit: usize) -> Result<Vec<OutboxRow>, OutboxError> {
        let rows = self.rows.unpublished(after, limit).await?.into_iter();
        Ok(rows
            .map(|row| {
                let event = row?;
                let is_broken = self.broken.contains(&event.sequence);
                let text = if is_broken { r#"[["id","#.to_owned() } else { event.envelope_text() };
                OutboxEvent::from_row(event.sequence, &text, event.body)
            })
            .collect())
    }

    async fn mark_published(&self, sequences: &[u64]) -> Result<(), OutboxError> {
        self.rows.mark_published(sequences).await
    }

    async fn refuse(&self, sequence: u64, reason: &str) -> Result<(), OutboxError> {
        self.rows.refuse(sequence, reason).await
    }

    async fn backlog(&self) -> Result<Backlog, OutboxError> {
        self.rows.backlog().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_row_that_cannot_be_read_is_set_aside_and_named_and_all_others_go_on() {
    let bus = Bus::connect("memory:").await.unwrap();
    // The first row, the only row of a page, and the last row.
    let table = Arc::new(Damaged { rows: MemoryOutbox::new(), broken: [1, 2, 9].into() });
    for number in 1..=9 {
        let event = Event::new(Row(number)).with_key(if number % 2 == 0 { "even" } else { "odd" });
        table.rows.add(OutboxEvent::new(&event, Format::Json).unwrap());
    }
    let relay = Relay::builder(table.clone(), publisher(&bus).await).at_a_time(2).start();
    relay.wait_until_empty().await.unwrap();
    let health = relay.health();
    assert_eq!(health.trouble, None);
    assert!(health.last_refused.is_some_and(|row| row.starts_with("row 9: its envelope")));
    let report = relay.shutdown(SECOND).await;
    assert_eq!((report.published, report.refused, report.waiting), (6, 3, Some(0)));
    let refused: Vec<u64> = table.rows.refused().iter().map(|(event, _)| event.sequence).collect();
    assert_eq!(refused, [1, 2, 9], "the table keeps the rows");

    let (tell, mut seen) = mpsc::channel(100);
    let handler = move |event: Event<Row>, _: Context| {
        tell.try_send(event.data.0).unwrap();
        std::future::ready(Ok(()))
    };
    let reader =
        bus.consumer("rows", "reader").start_from(Start::Earliest).on(handler).start().await.unwrap();
    let mut came = Vec::new();
    while came.len() < 6 {
        came.push(seen.recv().await.unwrap());
    }
    let (even, odd): (Vec<u64>, Vec<u64>) = came.into_iter().partition(|number| number % 2 == 0);
    assert_eq!((even, odd), (vec![4, 6, 8], vec![3, 5, 7]), "keys go on, in their order");
    reader.shutdown(SECOND).await.unwrap();
}

/// Nothing of one key comes through.
struct Stuck(Arc<Publisher>);

#[async_trait]
impl EventPublisher<OutboxEvent> for Stuck {
    async fn publish(&self, event: OutboxEvent) -> Result<Receipt, PublishError> {
        if event.envelope.key.as_deref() == Some("stuck") {
            return Err(PublishError::not_stored(PublishErrorKind::NoRoute, "no queue"));
        }
        self.0.publish(event).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_stuck_holds_up_no_other_key() {
    let bus = Bus::connect("memory:").await.unwrap();
    let rows = Arc::new(MemoryOutbox::new());
    for number in 0..1_000 {
        let key = if number < 999 { "stuck" } else { "other" };
        rows.add(OutboxEvent::new(&Event::new(Row(number)).with_key(key), Format::Json).unwrap());
    }
    let publisher = Arc::new(Stuck(publisher(&bus).await));
    let relay = Relay::builder(rows.clone(), publisher).at_a_time(10).start();
    for _ in 0..100 {
        sleep(SECOND / 10).await;
    }
    assert_eq!(rows.backlog().await.unwrap().count, 999, "the other key waits");
    assert!(relay.health().trouble.is_some_and(|trouble| trouble.contains("no queue")));
    assert_eq!(relay.health().backlog.map(|backlog| backlog.count > 0), Some(true));
    let report = relay.shutdown(SECOND).await;
    assert_eq!((report.published, report.waiting), (1, Some(999)));
}

#[tokio::test(start_paused = true)]
async fn a_closed_bus_ends_the_relay_and_loses_nothing() {
    let bus = Bus::connect("memory:").await.unwrap();
    let rows = Arc::new(MemoryOutbox::new());
    let relay = Relay::builder(rows.clone(), publisher(&bus).await).start();
    bus.close().await.unwrap();
    rows.add(OutboxEvent::new(&Event::new(Row(1)), Format::Json).unwrap());
    let error = relay.wait_until_empty().await.unwrap_err();
    assert!(!error.reason.is_empty());
    let report = relay.shutdown(SECOND).await;
    assert_eq!((report.published, report.waiting, report.ended), (0, Some(1), Some(error.reason)));
}

/// A publisher with a defect.
struct Panics;

#[async_trait]
impl EventPublisher<OutboxEvent> for Panics {
    async fn publish(&self, _: OutboxEvent) -> Result<Receipt, PublishError> {
        panic!("out of order")
    }
}

#[tokio::test(start_paused = true)]
async fn a_publisher_that_panics_ends_the_relay_for_all_who_wait() {
    let rows = Arc::new(MemoryOutbox::new());
    rows.add(OutboxEvent::new(&Event::new(Row(1)), Format::Json).unwrap());
    let relay = Relay::builder(rows.clone(), Arc::new(Panics)).start();
    let error = relay.wait_until_empty().await.unwrap_err();
    assert!(error.reason.contains("out of order"), "{error}");
    assert_eq!(relay.health().ended, Some(error.reason.clone()));
    let report = relay.shutdown(SECOND).await;
    assert_eq!((report.published, report.interrupted, report.ended), (0, true, Some(error.reason)));
    assert_eq!(rows.backlog().await.unwrap().count, 1, "the next relay finds the event");
}
