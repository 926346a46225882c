//! The contract of backends, where the suite of consumers does not reach: what is given back, what a member that dies leaves, and delays.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rocketmq_event::backend::{
    Backend, Destination, Incoming, Notices, Outgoing, Positions, Source, Start, SubscriptionSpec,
};
use rocketmq_event::event::{FailureKind, Pattern};
use rocketmq_event::{Bus, Envelope};

const SECOND: Duration = Duration::from_secs(1);
/// Joining a group of Kafka takes some seconds.
const PATIENCE: Duration = Duration::from_secs(60);

struct Desk<'a> {
    backend: &'a dyn Backend,
    stream: &'static str,
}

impl Desk<'_> {
    async fn member(&self, prefetch: usize, by_key: bool) -> Box<dyn Source> {
        let (group, start) = ("group", Start::Earliest);
        self.backend
            .subscribe(SubscriptionSpec { prefetch, by_key, ..self.spec(group, start) })
            .await
            .unwrap()
    }

    fn spec(&self, group: &str, start: Start) -> SubscriptionSpec {
        SubscriptionSpec {
            stream: self.stream.into(),
            group: group.into(),
            patterns: vec![Pattern::new("#")],
            start,
            prefetch: 10,
            by_key: false,
            notices: Notices::new(),
        }
    }

    /// Publishes bodies of one key, so that their order holds.
    async fn publish(&self, destination: Destination, bodies: impl IntoIterator<Item = u32>) {
        self.backend.ensure(&destination).await.unwrap();
        let message = |body: u32| {
            let mut envelope = Envelope::new("number");
            envelope.key = Some("key".into());
            Outgoing { destination: destination.clone(), envelope, body: Bytes::from(body.to_string()) }
        };
        for stored in self.backend.publish(bodies.into_iter().map(message).collect()).await {
            stored.unwrap();
        }
    }

    fn to_all(&self) -> Destination {
        Destination::Stream(self.stream.into())
    }

    fn to_group(&self, delay: Duration) -> Destination {
        Destination::Group { stream: self.stream.into(), group: "group".into(), delay }
    }

    fn to_dead(&self) -> Destination {
        Destination::Dead { stream: self.stream.into(), group: "group".into() }
    }

    async fn dead(&self) -> Vec<u32> {
        let mut queue = self.backend.dead(self.stream, "group").await.unwrap();
        let mut found = Vec::new();
        while let Some(letter) = queue.next().await.unwrap() {
            found.push(number(&letter));
        }
        assert_eq!(queue.count().await.unwrap(), found.len() as u64);
        found
    }
}

fn number(incoming: &Incoming) -> u32 {
    std::str::from_utf8(&incoming.body).unwrap().parse().unwrap()
}

async fn next(source: &dyn Source) -> Incoming {
    let next = tokio::time::timeout(PATIENCE, source.next()).await;
    next.expect("a delivery comes").unwrap().expect("the source is open")
}

async fn take(source: &dyn Source, count: usize) -> Vec<Incoming> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.push(next(source).await);
    }
    taken
}

async fn nothing_comes(source: &dyn Source, within: Duration) {
    let next = tokio::time::timeout(within, source.next()).await;
    assert!(next.is_err(), "{next:?} came");
}

fn numbers(taken: &[Incoming]) -> Vec<u32> {
    taken.iter().map(number).collect()
}

pub(crate) async fn holds(bus: &Bus) {
    let backend: &dyn Backend = &**bus.backend();
    let desk = |stream| Desk { backend, stream };
    tokio::join!(
        within(out_of_order(desk("out-of-order"))),
        within(delays(desk("delays"))),
        within(prefetch(desk("prefetch"))),
        within(death(desk("death"))),
        within(dead_letters(desk("dead-letters"))),
        within(by_key(desk("by-key"))),
        within(latest(desk("latest"))),
        within(log(desk("log"))),
    );
}

async fn within(case: impl Future<Output = ()>) {
    tokio::time::timeout(2 * PATIENCE, case).await.expect("the case ends within two minutes");
}

/// What was acknowledged behind an unfinished delivery does not take that away.
async fn out_of_order(desk: Desk<'_>) {
    let member = desk.member(10, false).await;
    desk.publish(desk.to_all(), 1..=5).await;
    let taken = take(&*member, 5).await;
    assert_eq!(numbers(&taken), [1, 2, 3, 4, 5]);
    for incoming in taken.iter().filter(|incoming| number(incoming) != 2) {
        member.acknowledge(incoming.tag).await.unwrap();
    }
    member.close(10 * SECOND).await.unwrap();
    assert!(member.next().await.unwrap().is_none(), "a closed source ends");
    let member = desk.member(10, false).await;
    let again = next(&*member).await;
    assert_eq!(number(&again), 2);
    member.acknowledge(again.tag).await.unwrap();
    desk.publish(desk.to_all(), [6]).await;
    let mut seen = BTreeSet::new();
    while !seen.contains(&6) {
        let incoming = next(&*member).await;
        member.acknowledge(incoming.tag).await.unwrap();
        seen.insert(number(&incoming));
    }
    assert!(seen.is_subset(&BTreeSet::from([3, 4, 5, 6])), "{seen:?}: the first is finished");
    member.close(10 * SECOND).await.unwrap();
    let member = desk.member(10, false).await;
    desk.publish(desk.to_all(), [7]).await;
    assert_eq!(number(&next(&*member).await), 7, "what is acknowledged does not come again");
}

/// A short delay does not wait behind a long one, and none is too short. Other groups see nothing of it.
async fn delays(desk: Desk<'_>) {
    let member = desk.member(10, false).await;
    let published = Instant::now();
    desk.publish(desk.to_group(600 * SECOND), [5]).await;
    desk.publish(desk.to_group(SECOND), [1, 11]).await;
    desk.publish(desk.to_group(Duration::ZERO), [0]).await;
    // The order of these two says how fast the server was; the long one does not come within the case.
    let mut came = BTreeSet::new();
    while came.len() < 3 {
        let incoming = next(&*member).await;
        member.acknowledge(incoming.tag).await.unwrap();
        assert!(came.insert(number(&incoming)), "{came:?}");
        let delay = Duration::from_secs(u64::from(number(&incoming) % 10));
        assert!(published.elapsed() > delay.mul_f64(0.98), "{came:?} after {:?}", published.elapsed());
    }
    assert!(!came.contains(&5), "{came:?}");
}

/// No more than `prefetch` are out; the rest comes, also after a long pause.
async fn prefetch(desk: Desk<'_>) {
    let member = desk.member(2, false).await;
    desk.publish(desk.to_all(), 0..50).await;
    let mut taken = take(&*member, 2).await;
    nothing_comes(&*member, 3 * SECOND).await;
    let mut seen = numbers(&taken);
    while seen.len() < 50 {
        member.acknowledge(taken.remove(0).tag).await.unwrap();
        let incoming = next(&*member).await;
        seen.push(number(&incoming));
        taken.push(incoming);
    }
    assert!(seen.into_iter().eq(0..50), "in order, each once");
}

/// A new group begins with what is published from then on, also when a group of that name reads other streams.
async fn latest(desk: Desk<'_>) {
    let early = desk.member(10, false).await;
    desk.publish(desk.to_all(), 0..3).await;
    let elsewhere = Desk { backend: desk.backend, stream: "latest-elsewhere" };
    let busy = elsewhere.backend.subscribe(elsewhere.spec("late", Start::Earliest)).await.unwrap();
    elsewhere.publish(elsewhere.to_all(), [9]).await;
    assert_eq!(number(&next(&*busy).await), 9);
    let late = desk.backend.subscribe(desk.spec("late", Start::Latest)).await.unwrap();
    desk.publish(desk.to_all(), [3]).await;
    assert_eq!(number(&next(&*late).await), 3);
    assert_eq!(numbers(&take(&*early, 4).await), [0, 1, 2, 3]);
}

/// A log is read from its beginning to its end, and one place of it from anywhere.
async fn log(desk: Desk<'_>) {
    desk.backend.ensure_log(desk.stream).await.unwrap();
    desk.publish(desk.to_all(), 0..5).await;
    let mut reader = desk.backend.log(desk.stream, Positions::beginning()).await.unwrap();
    assert!(reader.positions().0.values().all(|first| *first == 0), "nothing is deleted");
    let ends = reader.ends().await.unwrap();
    let mut found = Vec::new();
    while !reader.positions().have_reached(&ends) {
        let incoming = reader.next().await.unwrap();
        if incoming.envelope.name == "number" {
            found.push((number(&incoming), incoming.position));
        }
    }
    assert!(found.iter().map(|(number, _)| *number).eq(0..5), "{found:?}");
    for wanted in [3, 1, 1, 4, 0] {
        let position = &found[wanted].1;
        reader.seek(&position.place, position.offset.unwrap()).await.unwrap();
        let read = loop {
            let incoming = reader.next().await.unwrap();
            assert!(incoming.position.offset <= position.offset, "it is left out");
            if incoming.position == *position {
                break number(&incoming);
            }
        };
        assert_eq!(read as usize, wanted);
    }
}

/// An event whose members die, each time before an answer, becomes a dead letter by the broker itself.
#[cfg(feature = "rabbitmq")]
pub(crate) async fn kills_its_members(bus: &Bus) {
    let desk = Desk { backend: &**bus.backend(), stream: "kills" };
    let mut deliveries = 0;
    let first = desk.member(10, false).await;
    desk.publish(desk.to_all(), [7]).await;
    next(&*first).await;
    drop(first);
    let letter = loop {
        let member = desk.member(10, false).await;
        // It comes again, or it is dead.
        if let Ok(again) = tokio::time::timeout(2 * SECOND, member.next()).await {
            deliveries += 1;
            assert_eq!(again.unwrap().unwrap().redeliveries, deliveries);
            continue;
        }
        let mut queue = desk.backend.dead(desk.stream, "group").await.unwrap();
        if let Some(letter) = queue.next().await.unwrap() {
            break letter;
        }
    };
    assert_eq!((number(&letter), deliveries), (7, 2), "the first delivery, and two more");
    let record = letter.envelope.failure.unwrap();
    assert_eq!((record.kind, &*record.group), (FailureKind::Died, "group"));
    assert!(record.reason.contains("delivery_limit"), "{}", record.reason);
}

/// A member that is dropped leaves what it has to another, whose deliveries are its own.
async fn death(desk: Desk<'_>) {
    let dying = desk.member(10, false).await;
    desk.publish(desk.to_all(), 0..3).await;
    let taken = take(&*dying, 3).await;
    let other = desk.member(10, false).await;
    drop(dying);
    let mut again = numbers(&take(&*other, 3).await);
    again.sort_unstable();
    assert_eq!(again, [0, 1, 2]);
    let revoked = async {
        for incoming in &taken {
            incoming.revoked.cancelled().await;
        }
    };
    tokio::time::timeout(PATIENCE, revoked).await.expect("the dropped member does not own them any longer");
}

/// Reading takes nothing away; removing does.
async fn dead_letters(desk: Desk<'_>) {
    assert_eq!(desk.dead().await, Vec::<u32>::new());
    desk.publish(desk.to_dead(), 0..4).await;
    assert_eq!(desk.dead().await, [0, 1, 2, 3]);
    assert_eq!(desk.dead().await, [0, 1, 2, 3]);
    let mut queue = desk.backend.dead(desk.stream, "group").await.unwrap();
    while let Some(letter) = queue.next().await.unwrap() {
        if number(&letter).is_multiple_of(2) {
            queue.remove(letter.tag).await.unwrap();
        }
    }
    assert_eq!(queue.count().await.unwrap(), 2);
    drop(queue);
    assert_eq!(desk.dead().await, [1, 3]);
}

/// Events of one key are not out at two members.
async fn by_key(desk: Desk<'_>) {
    let (one, two) = (desk.member(4, true).await, desk.member(4, true).await);
    desk.publish(desk.to_all(), 0..20).await;
    // Whoever has the key has all of it.
    let (owner, first, other) = tokio::select! {
        first = next(&*one) => (&one, first, &two),
        first = next(&*two) => (&two, first, &one),
    };
    let mut seen = vec![number(&first)];
    owner.acknowledge(first.tag).await.unwrap();
    let owner_takes = async {
        while seen.len() < 20 {
            let incoming = next(&**owner).await;
            owner.acknowledge(incoming.tag).await.unwrap();
            seen.push(number(&incoming));
        }
    };
    tokio::select! {
        () = owner_takes => {}
        incoming = next(&**other) => panic!("{} came to the other member", number(&incoming)),
    }
    assert!(seen.into_iter().eq(0..20));
}

/// The server ends all connections: the consumer tells of it, and goes on.
#[cfg(feature = "rabbitmq")]
pub(crate) async fn heals(bus: &Bus, close_all_connections: impl FnOnce()) {
    use futures_util::StreamExt;
    use rocketmq_event::ConsumerEvent::Connection;
    use rocketmq_event::backend::Notice;

    let lab =
        crate::lab::Lab { rig: std::sync::Arc::new(crate::rigs::Memory::default()), stream: "heals".into() };
    let (mailer, mut seen) =
        crate::lab::recorder(crate::lab::consumer(bus, &lab, "mailer"), |_, _| Ok(())).await;
    let mut events = std::pin::pin!(mailer.events());
    tokio::task::block_in_place(close_all_connections);
    let healed = async {
        while !matches!(events.next().await, Some(Connection(Notice::Lost { .. }))) {}
        while !matches!(events.next().await, Some(Connection(Notice::Connected))) {}
    };
    tokio::time::timeout(PATIENCE, healed).await.expect("the consumer tells of the loss, and of the return");
    let producer = bus.producer("heals").await.unwrap();
    crate::lab::until(|| async {
        producer.send(&crate::lab::order(1)).await.map_err(|error| error.to_string())
    })
    .await;
    assert_eq!(seen.next().await.0, 1);
    mailer.shutdown(10 * SECOND).await.unwrap();
}
