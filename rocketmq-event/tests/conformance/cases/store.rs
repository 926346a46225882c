use std::collections::BTreeMap;
use std::sync::atomic::AtomicUsize;

use futures_util::{StreamExt, TryStreamExt};
use rocketmq_event::backend::Positions;
use rocketmq_event::store::{Aggregate, AppendError, Expected, Recorded, StoreError};
use rocketmq_event::{Bus, Envelope, Event, EventStore, EventType, Outcome};
use serde::{Deserialize, Serialize};

use crate::faulty::{Forgets, HasNoLogs, LosesAnswers, with_fault};
use crate::lab::{CaseResult, Lab};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Deposited {
    cents: u64,
}

impl EventType for Deposited {
    const NAMES: &'static [&'static str] = &["account.deposited"];
}

#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Account {
    cents: u64,
    deposits: u64,
}

impl Aggregate for Account {
    type Event = Deposited;

    fn apply(&mut self, event: &Deposited) {
        self.cents += event.cents;
        self.deposits += 1;
    }
}

type Accounts = EventStore<Deposited>;

fn deposits<const COUNT: usize>(cents: [u64; COUNT]) -> [Deposited; COUNT] {
    cents.map(|cents| Deposited { cents })
}

async fn open(bus: &Bus, lab: &Lab) -> Accounts {
    Accounts::open(bus, lab.stream.clone()).await.unwrap()
}

/// Versions and amounts of an account.
async fn read(store: &Accounts, account: &str, from: u64) -> Result<Vec<(u64, u64)>, StoreError> {
    let pairs = store.read(account, from).map_ok(|recorded| (recorded.version, recorded.event.data.cents));
    pairs.try_collect().await
}

async fn read_all(store: &Accounts, from: &Positions) -> Result<Vec<Recorded<Deposited>>, StoreError> {
    store.read_all(from.clone()).try_collect().await
}

pub(crate) async fn versions(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let store = open(&bus, &lab).await;
    assert_eq!(read(&store, "ann", 1).await?, [], "an account that nobody knows has no events");
    assert_eq!(store.append("ann", Expected::New, &deposits([10])).await?, 1);
    assert_eq!(store.append("ann", Expected::Version(1), &deposits([20, 21, 22])).await?, 4);
    assert_eq!(store.append("bob", Expected::New, &deposits([90, 91])).await?, 2);
    assert_eq!(store.append_event("ann", Deposited { cents: 30 }).await?, 5);
    // A message that no store wrote is none of the account.
    let mut foreign = Envelope::new("account.deposited");
    foreign.key = Some("ann".into());
    lab.publish_raw(&bus, foreign, br#"{"cents":1}"#).await?;
    let all = [(1, 10), (2, 20), (3, 21), (4, 22), (5, 30)];
    let other = open(&lab.bus().await, &lab).await;
    for store in [&store, &other] {
        assert_eq!(read(store, "ann", 1).await?, all);
        assert_eq!(read(store, "ann", 3).await?, all[2..]);
        assert_eq!(read(store, "ann", 6).await?, []);
        assert_eq!(read(store, "bob", 0).await?, [(1, 90), (2, 91)]);
        assert_eq!(store.replay_events("bob").await?, deposits([90, 91]));
    }
    let events = deposits([1, 2])
        .map(|data| Event::new(data).with_header("tenant", &b"\xff"[..]).with_correlation("c"));
    store.append_events("carl", Expected::New, &events).await?;
    let found: Vec<Recorded<Deposited>> = other.read("carl", 1).try_collect().await?;
    for (event, recorded) in events.iter().zip(&found) {
        let mut envelope = event.envelope.clone();
        envelope.key = Some("carl".into());
        assert_eq!(recorded.event.envelope, envelope, "the envelope of each event comes back");
    }
    let without_logs = with_fault(&bus, HasNoLogs);
    let unsupported = Accounts::open(&without_logs, lab.stream.clone()).await.unwrap_err();
    let StoreError::Unsupported { backend } = unsupported else { panic!("{unsupported:?}") };
    assert_eq!(backend, bus.backend().abilities().name);
    Ok(())
}

pub(crate) async fn conflict(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let store = open(&bus, &lab).await;
    let stale = open(&lab.bus().await, &lab).await;
    assert_eq!(read(&stale, "ann", 1).await?, []);
    store.append("ann", Expected::New, &deposits([10, 11])).await?;
    for store in [&stale, &store] {
        for (wrong, expects) in [(Expected::New, 0), (Expected::Version(1), 1), (Expected::Version(7), 7)] {
            let error = store.append("ann", wrong, &deposits([1, 2])).await.unwrap_err();
            assert_eq!(error.outcome(), Outcome::NotStored);
            let AppendError::Conflict { expected, actual, .. } = error else { panic!("{error:?}") };
            assert_eq!((expected, actual), (expects, 2));
        }
        assert_eq!(read(store, "ann", 1).await?, [(1, 10), (2, 11)]);
        assert_eq!(read_all(store, &Positions::beginning()).await?.len(), 2, "nothing of it is visible");
        let nobody = store.append("", Expected::Any, &deposits([1])).await;
        assert!(matches!(nobody, Err(AppendError::Store(StoreError::NoId))), "{nobody:?}");
        let nothing = store.append("ann", Expected::Any, &[]).await;
        assert!(matches!(nothing, Err(AppendError::Invalid { .. })), "{nothing:?}");
    }
    Ok(())
}

/// Deposits each amount, and decides again after each conflict.
async fn deposit_all(store: Accounts, amounts: std::ops::Range<u64>) {
    let mut version = 0;
    for cents in amounts {
        loop {
            match store.append("shared", Expected::Version(version), &deposits([cents])).await {
                Ok(new) => {
                    version = new;
                    break;
                }
                Err(AppendError::Conflict { actual, .. }) => version = actual,
                Err(error) => panic!("{error:?}"),
            }
        }
    }
}

pub(crate) async fn two_writers(lab: Lab) -> CaseResult {
    let (one, two) = (open(&lab.bus().await, &lab).await, open(&lab.bus().await, &lab).await);
    tokio::join!(deposit_all(one.clone(), 0..100), deposit_all(two.clone(), 100..200));
    let order = read(&one, "shared", 1).await?;
    assert!(order.iter().map(|(version, _)| *version).eq(1..=200), "{order:?}");
    for amounts in [0..100, 100..200] {
        let of_one = order.iter().map(|(_, cents)| *cents).filter(|cents| amounts.contains(cents));
        assert!(of_one.eq(amounts.clone()), "each writer's deposits are in its order, and each once");
    }
    for store in [two, open(&lab.bus().await, &lab).await] {
        assert_eq!(read(&store, "shared", 1).await?, order, "all readers see one order");
    }
    Ok(())
}

pub(crate) async fn resent(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let store = |lost| {
        let faulty = with_fault(&bus, LosesAnswers(AtomicUsize::new(lost)));
        let lab = lab.clone();
        async move { open(&faulty, &lab).await }
    };
    // The first answer is lost: the append makes sure by itself.
    assert_eq!(store(1).await.append("ann", Expected::New, &deposits([1])).await?, 1);
    assert_eq!(store(1).await.append_event("ann", Deposited { cents: 2 }).await?, 2);
    // All are lost: the caller appends the same events again, also after others did.
    for (expected, cents) in [(Expected::Version(2), 3), (Expected::Any, 5)] {
        let events = [Event::new(Deposited { cents }), Event::new(Deposited { cents })];
        let error = store(usize::MAX).await.append_events("ann", expected, &events).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::MaybeStored, "{error:?}");
        let healthy = open(&bus, &lab).await;
        let version = healthy.append_events("ann", expected, &events).await?;
        let next = healthy.append_event("ann", Deposited { cents: cents + 1 }).await?;
        assert_eq!(next, version + 1);
        assert_eq!(healthy.append_events("ann", expected, &events).await?, version, "it is there already");
    }
    let expected = [1, 2, 3, 3, 4, 5, 5, 6];
    let found = read(&open(&lab.bus().await, &lab).await, "ann", 1).await?;
    assert!(found.into_iter().eq((1..).zip(expected)), "each once");
    Ok(())
}

pub(crate) async fn from_positions(lab: Lab) -> CaseResult {
    let store = open(&lab.bus().await, &lab).await;
    let accounts = ["ann", "bob", "carl", "dora", "emil"];
    for round in 0..4 {
        for account in accounts {
            store.append(account, Expected::Any, &deposits([round])).await?;
            store.append(account, Expected::Any, &deposits([round, round, round])).await?;
        }
    }
    let all = read_all(&store, &Positions::beginning()).await?;
    assert_eq!(all.len(), 80);
    let mut versions: BTreeMap<_, u64> = BTreeMap::new();
    for recorded in &all {
        let version = versions.entry(recorded.aggregate.clone()).or_default();
        *version += 1;
        assert_eq!(recorded.version, *version, "the order of each aggregate");
    }
    // A projection that stops behind any append goes on exactly there.
    let name = |recorded: &Recorded<Deposited>| (recorded.aggregate.clone(), recorded.version);
    let mut expected: Vec<_> = all.iter().map(name).collect();
    expected.sort();
    let other = open(&lab.bus().await, &lab).await;
    let borders: Vec<usize> = (1..=80).filter(|end| all[end - 1].is_last).collect();
    for stop in borders.iter().copied().step_by(7).chain([80]) {
        let mut positions = Positions::beginning();
        let mut seen = Vec::new();
        let mut first = store.read_all(positions.clone()).take(stop).boxed();
        while let Some(recorded) = first.try_next().await? {
            recorded.pass(&mut positions);
            seen.push(name(&recorded));
        }
        seen.extend(read_all(&other, &positions).await?.iter().map(name));
        seen.sort();
        assert_eq!(seen, expected, "stopped behind {stop}");
    }
    Ok(())
}

pub(crate) async fn snapshots(lab: Lab) -> CaseResult {
    let store = open(&lab.bus().await, &lab).await;
    let nobody = store.load::<Account>("ann").await?;
    assert_eq!((nobody.version, nobody.state), (0, Account::default()));
    for round in 1..=10 {
        store.append("ann", Expected::Any, &deposits([round, 100])).await?;
        store.append("bob", Expected::Any, &deposits([1])).await?;
    }
    let full = store.load::<Account>("ann").await?;
    assert_eq!((full.version, full.snapshot, full.state.cents), (20, 0, 1_055));
    store.save_snapshot(&full).await?;
    store.append("ann", Expected::Version(20), &deposits([7, 8, 9])).await?;
    let other = open(&lab.bus().await, &lab).await;
    for store in [&store, &other] {
        let loaded = store.load::<Account>("ann").await?;
        assert_eq!((loaded.version, loaded.snapshot), (23, 20), "the snapshot, and what came behind it");
        let mut replayed = Account::default();
        store.replay_events("ann").await?.iter().for_each(|event| replayed.apply(event));
        assert_eq!(loaded.state, replayed);
        assert_eq!(store.load::<Account>("bob").await?.snapshot, 0, "its neighbour has none");
    }
    other.save_snapshot(&other.load::<Account>("ann").await?).await?;
    assert_eq!(store.load::<Account>("ann").await?.snapshot, 23, "the last one");
    Ok(())
}

pub(crate) async fn truncated(lab: Lab) -> CaseResult {
    let bus = lab.bus().await;
    let store = open(&bus, &lab).await;
    for account in ["ann", "bob"] {
        store.append(account, Expected::New, &deposits([1, 2])).await?;
    }
    let before = bus.backend().log(&lab.stream, Positions::beginning()).await?.ends().await?;
    store.save_snapshot(&store.load::<Account>("ann").await?).await?;
    store.append("bob", Expected::Version(2), &deposits([3])).await?;

    let left = if lab.rig.delete_before(&lab.stream, &before).await {
        lab.bus().await
    } else {
        with_fault(&bus, Forgets { stream: lab.stream.clone(), before })
    };
    let late = open(&left, &lab).await;
    for account in ["ann", "bob"] {
        let error = read(&late, account, 1).await.unwrap_err();
        assert!(matches!(error, StoreError::Truncated { .. }), "{error:?}");
    }
    let error = late.load::<Account>("bob").await.unwrap_err();
    assert!(matches!(error, StoreError::Truncated { .. }), "{error:?}");
    let error = read_all(&late, &Positions::beginning()).await.unwrap_err();
    assert!(matches!(error, StoreError::Truncated { .. }), "{error:?}");
    let error = late.append("bob", Expected::Version(3), &deposits([4])).await.unwrap_err();
    assert!(matches!(error, AppendError::Store(StoreError::Truncated { .. })), "{error:?}");
    assert_eq!(error.outcome(), Outcome::NotStored);
    // A snapshot covers what is deleted.
    let ann = late.load::<Account>("ann").await?;
    assert_eq!((ann.version, ann.state.cents), (2, 3));
    assert_eq!(late.append("ann", Expected::Version(2), &deposits([5])).await?, 3);
    assert_eq!(late.load::<Account>("ann").await?.state, Account { cents: 8, deposits: 3 });
    assert_eq!(read(&late, "ann", 3).await?, [(3, 5)]);
    let Err(StoreError::Truncated { first_version, .. }) = read(&late, "ann", 1).await else {
        panic!("two events are deleted")
    };
    assert_eq!(first_version, Some(3));
    Ok(())
}
