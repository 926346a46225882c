//! A lost connection and a killed server: the bus and its consumer go on by themselves, and nothing is lost.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use rocketmq_event::backend::Notice;
use rocketmq_event::{Bus, ConsumerEvent, MessageProducer};
use tokio::task::spawn_blocking;

use crate::lab::{Seen, consumer, order, recorder, until};

/// A server that a test ends.
pub(crate) trait Faulty: Send + 'static {
    /// Whether the server can end connections and stay.
    const CLOSES_CONNECTIONS: bool;
    /// Ends all connections.
    fn close_all_connections(&self);
    /// SIGKILL.
    fn kill(&mut self);
    /// With what it stored.
    fn restart(&mut self);
}

/// Publishes until the broker says that it has the event: twice if it is not known whether it had it before.
async fn publish(producer: &MessageProducer, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let send = || async { producer.send(&order(number)).await.map_err(|error| error.to_string()) };
        until(send).await;
    }
}

async fn see(seen: &mut Seen<(u64, u32)>, all: &mut BTreeSet<u64>, count: usize) {
    while all.len() < count {
        all.insert(seen.next().await.0);
    }
}

async fn notice(events: &mut (impl Stream<Item = ConsumerEvent> + Unpin), wanted: impl Fn(&Notice) -> bool) {
    let next = async {
        while let Some(event) = events.next().await {
            if let ConsumerEvent::Connection(notice) = event
                && wanted(&notice)
            {
                return;
            }
        }
        panic!("the events ended");
    };
    tokio::time::timeout(Duration::from_secs(60), next).await.expect("the notice comes within 60 s");
}

pub(crate) async fn nothing_is_lost<S: Faulty>(mut server: S, bus: Bus) {
    let lab = crate::lab::Lab::new(std::sync::Arc::new(crate::rigs::Memory::default()), 38, 0);
    let (mailer, mut seen) = recorder(consumer(&bus, &lab, "mailer"), |_, _| Ok(())).await;
    let mut events = pin!(mailer.events());
    let producer = bus.producer(lab.stream.clone()).await.unwrap();
    let mut all = BTreeSet::new();
    publish(&producer, 0..10).await;
    see(&mut seen, &mut all, 10).await;

    if S::CLOSES_CONNECTIONS {
        server = spawn_blocking(move || {
            server.close_all_connections();
            server
        })
        .await
        .unwrap();
        notice(&mut events, |notice| matches!(notice, Notice::Lost { .. })).await;
        notice(&mut events, |notice| *notice == Notice::Connected).await;
    }
    publish(&producer, 10..20).await;
    see(&mut seen, &mut all, 20).await;

    server.kill();
    notice(&mut events, |notice| matches!(notice, Notice::Lost { .. })).await;
    assert!(!mailer.health().is_connected);
    let sending = publish(&producer, 20..30);
    let restarting = spawn_blocking(move || {
        server.restart();
        server
    });
    let ((), server) = tokio::join!(sending, restarting);
    notice(&mut events, |notice| *notice == Notice::Connected).await;
    see(&mut seen, &mut all, 30).await;
    assert!(all.into_iter().eq(0..30));
    assert!(mailer.shutdown(Duration::from_secs(10)).await.unwrap().is_clean());
    bus.close().await.unwrap();
    drop(server);
}
