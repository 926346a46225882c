//! How long messages wait for another member of the group when their member leaves, is killed or falls silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rocketmq::model::Message;

use crate::cases::support::{Site, fresh_topic};
use crate::members::{Done, Join, Members, ours, until};
use crate::stage::shared;

const QUEUES: usize = 4;

/// How the member ends.
#[derive(Debug, Clone, Copy)]
enum End {
    /// It is told to shut down.
    Leaves,
    /// `kill -9`: its connections are closed.
    Killed,
    /// It is stopped: its connections stay open.
    Silent,
}

/// Ends a member under load. Returns how long the slowest of its queues waited for the other member, from the order to
/// leave or the kill on.
async fn takeover(kind: &str, end: End) -> Duration {
    let name_server = shared().name_server_addr();
    let site = Site::new(name_server).await;
    let (topic, group) = (site.create("takeover", QUEUES as u32).await, fresh_topic("takeover_group"));
    let stopped = Arc::new(AtomicBool::new(false));
    let (stop, producer, to) = (stopped.clone(), site.producer.clone(), topic.clone());
    let sending = tokio::spawn(async move {
        let mut sent = 0;
        while !stop.load(Ordering::Relaxed) {
            producer.send(Message::new(&*to, format!("m{sent}"))).await.expect("it is sent");
            sent += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        sent
    });
    let join = Join { kind, ..Join::new(&group, &topic) };
    let mut leaver = Members::start(ours::program(name_server)).await;
    let mut stays = Members::start(ours::program(name_server)).await;
    leaver.join("leaver", &join).await;
    stays.join("stays", &join).await;
    while leaver.queues("leaver").await.len() != QUEUES / 2 || stays.queues("stays").await.len() != QUEUES / 2
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let settled = (leaver.done().len(), stays.done().len());
    let enough = || leaver.done().len() > settled.0 + 50 && stays.done().len() > settled.1 + 50;
    until("messages of both", enough).await;
    let at = SystemTime::UNIX_EPOCH.elapsed().expect("a clock after 1970").as_micros() as u64;
    match end {
        End::Leaves => leaver.leave("leaver").await,
        End::Killed => leaver.kill(),
        End::Silent => leaver.stop(),
    }
    let mut moved: Vec<i32> = leaver.done().iter().rev().take(50).map(|done| done.queue).collect();
    moved.sort_unstable();
    moved.dedup();
    assert_eq!(moved.len(), QUEUES / 2);
    let first = |calls: &[Done], queue| {
        let taken = calls.iter().filter(|done| done.queue == queue && done.began > at);
        taken.map(|done| Duration::from_micros(done.began - at)).min()
    };
    until("messages of all queues", || {
        let calls = stays.done();
        moved.iter().all(|queue| first(&calls, *queue).is_some())
    })
    .await;
    stopped.store(true, Ordering::Relaxed);
    let sent = sending.await.expect("no panic");
    let bodies = || {
        let mut bodies: Vec<String> =
            leaver.done().into_iter().chain(stays.done()).map(|done| done.body).collect();
        bodies.sort();
        bodies
    };
    until("all messages", || {
        let mut seen = bodies();
        seen.dedup();
        seen.len() == sent
    })
    .await;
    let calls = stays.done();
    let slowest = moved.iter().filter_map(|queue| first(&calls, *queue)).max().expect("queues moved");
    if matches!(end, End::Leaves) {
        // While the members came together, each queue may have had messages that both handled.
        let handled = |done: &Done| done.began > at;
        let repeated = calls
            .iter()
            .filter(|done| handled(done) && leaver.done().iter().any(|left| left.body == done.body));
        assert_eq!(repeated.count(), 0, "a graceful leave repeats nothing");
    }
    eprintln!("takeover, {kind}, {end:?}: {slowest:?}, {sent} messages, {} calls", bodies().len());
    slowest
}

#[tokio::test]
async fn another_member_goes_on_after_a_leave_and_after_a_kill() {
    // Generous: the machine is busy with the other tests. `.ci/long` measures.
    let limit = Duration::from_secs(5);
    for (kind, end) in [("concurrent", End::Leaves), ("orderly", End::Leaves), ("concurrent", End::Killed)] {
        let took = takeover(kind, end).await;
        assert!(took < limit, "{kind}, {end:?}: {took:?}");
    }
}

/// Run by `.ci/long`, one after the other on a quiet machine.
mod long {
    use super::*;

    async fn three_times(kind: &str, end: End, limit: Duration) {
        let mut slowest = Duration::ZERO;
        for _ in 0..3 {
            slowest = slowest.max(takeover(kind, end).await);
        }
        eprintln!("takeover, {kind}, {end:?}: {slowest:?} at most in three runs, limit {limit:?}");
        assert!(slowest <= limit, "{slowest:?}");
    }

    #[tokio::test]
    #[ignore = "takes minutes: .ci/long"]
    async fn a_leave() {
        three_times("concurrent", End::Leaves, Duration::from_millis(300)).await;
    }

    #[tokio::test]
    #[ignore = "takes minutes: .ci/long"]
    async fn an_orderly_leave() {
        three_times("orderly", End::Leaves, Duration::from_millis(500)).await;
    }

    #[tokio::test]
    #[ignore = "takes minutes: .ci/long"]
    async fn a_kill() {
        three_times("concurrent", End::Killed, Duration::from_millis(300)).await;
    }

    #[tokio::test]
    #[ignore = "takes minutes: .ci/long"]
    async fn a_kill_of_an_orderly_member() {
        three_times("orderly", End::Killed, Duration::from_secs(61)).await;
    }

    #[tokio::test]
    #[ignore = "takes minutes: .ci/long"]
    async fn a_silent_death() {
        let took = takeover("concurrent", End::Silent).await;
        assert!(took <= Duration::from_secs(150), "{took:?}");
    }
}
