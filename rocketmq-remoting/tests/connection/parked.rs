//! Long polls: requests that the peer holds until it has something to send.

use std::time::Duration;

use rocketmq_remoting::net::{CallError, ConnectionEnd, OnAnswer};
use rocketmq_remoting::protocol::{CommandRef, CommandView, NoHeader, ResponseCode};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::peer::{ADDRESS, Fixture, fixture};
use super::{CODE, SECONDS_3, ask, connected, run};

const HOLD: Duration = Duration::from_secs(15);

/// Reports how a poll ended.
struct Tell {
    to: mpsc::Sender<Result<(), CallError>>,
    outcome: Result<(), CallError>,
}

impl OnAnswer for Tell {
    fn answered(&mut self, _: &CommandView<'_>, _: Instant) {}

    fn failed(&mut self, error: CallError) {
        self.outcome = Err(error);
    }

    fn call(self: Box<Self>) {
        let _ = self.to.try_send(self.outcome);
    }
}

/// Sends this many long polls, which may be held for `hold`.
fn park(
    fixture: &Fixture,
    count: usize,
    hold: Duration,
    timeout: Duration,
) -> mpsc::Receiver<Result<(), CallError>> {
    let (to, told) = mpsc::channel(count);
    let connection = fixture.client.connection(ADDRESS).unwrap();
    for _ in 0..count {
        let request = CommandRef::request(CODE, &NoHeader).held_for(hold);
        let begun = connection.begin_call(&request, Instant::now() + timeout).unwrap().unwrap();
        begun.then(Box::new(Tell { to: to.clone(), outcome: Ok(()) }));
    }
    told
}

#[test]
fn a_request_beside_parked_polls_is_written_and_answered_as_if_alone() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let mut peer = connected(&mut fixture).await;
        let _polls = park(&fixture, 4096, HOLD, HOLD * 2);
        for _ in 0..4096 {
            peer.read().await.unwrap();
        }
        let (first, mut second) = (ask(&fixture, "first", SECONDS_3), ask(&fixture, "second", SECONDS_3));
        let request = peer.read().await.unwrap();
        peer.answer(&request, ResponseCode::SUCCESS).await;
        assert_eq!(first.await.unwrap().unwrap().body, "first");
        assert!(futures_pending(&mut second).await);
        assert_eq!(fixture.client.connection(ADDRESS).unwrap().in_flight(), 4097);
    });
}

async fn futures_pending<T>(task: &mut tokio::task::JoinHandle<T>) -> bool {
    tokio::task::yield_now().await;
    !task.is_finished()
}

#[test]
fn a_connection_with_parked_polls_alone_is_neither_idle_nor_silent_before_they_are_due() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let mut peer = connected(&mut fixture).await;
        // Longer than a connection may be idle (120 s) or silent (180 s).
        let hold = Duration::from_secs(400);
        let began = Instant::now();
        let mut polls = park(&fixture, 1, hold, Duration::from_secs(9999));
        let held = peer.read().await.unwrap();
        tokio::time::sleep_until(began + hold).await;
        peer.answer(&held, ResponseCode::SUCCESS).await;
        polls.recv().await.unwrap().unwrap();
        // The next poll is never answered.
        let began = Instant::now();
        let mut polls = park(&fixture, 1, hold, Duration::from_secs(9999));
        let ended = polls.recv().await.unwrap();
        assert!(matches!(ended, Err(CallError::Ended { end: ConnectionEnd::Silent(_), .. })), "{ended:?}");
        assert_eq!(began.elapsed().as_secs(), 410, "its hold time and a margin");
    });
}

#[test]
fn each_poll_and_each_request_beside_it_has_its_own_deadline() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let _peer = connected(&mut fixture).await;
        let began = Instant::now();
        let mut late = park(&fixture, 1, HOLD, HOLD * 2);
        let mut early = park(&fixture, 1, HOLD, HOLD + SECONDS_3);
        assert!(ask(&fixture, "prompt", Duration::from_secs(1)).await.unwrap().is_err());
        assert!(began.elapsed() <= Duration::from_millis(1010), "{:?}", began.elapsed());
        for (polls, due) in [(&mut early, HOLD + SECONDS_3), (&mut late, HOLD * 2)] {
            assert!(matches!(polls.recv().await, Some(Err(CallError::TimedOut))));
            let after = began.elapsed();
            assert!((due..due + Duration::from_millis(261)).contains(&after), "{after:?}");
        }
    });
}
