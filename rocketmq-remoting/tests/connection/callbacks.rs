//! Requests whose answers go to callbacks.

use std::time::Duration;

use bytes::Bytes;
use rocketmq_remoting::net::{CallError, Connection, OnAnswer};
use rocketmq_remoting::protocol::{CommandRef, CommandView, NoHeader, ResponseCode};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::peer::{ADDRESS, Fixture, fixture};
use super::{CODE, SECONDS_3, ask, connected, run};

/// The outcome of a request: the body of its answer, or its error.
type Outcome = Result<Bytes, CallError>;

/// A callback that reports its outcome, or panics. It also reports that it was dropped without a call.
struct Tell {
    name: &'static str,
    to: mpsc::Sender<(&'static str, Option<Outcome>)>,
    panics: bool,
    outcome: Option<Outcome>,
    called: bool,
}

impl OnAnswer for Tell {
    fn answered(&mut self, answer: &CommandView<'_>, _: Instant) {
        assert!(!answer.body().is_empty(), "nobody asked for nothing");
        self.outcome = Some(Ok(Bytes::copy_from_slice(answer.body())));
    }

    fn failed(&mut self, error: CallError) {
        self.outcome = Some(Err(error));
    }

    fn call(mut self: Box<Self>) {
        let outcome = self.outcome.take().unwrap_or(Err(CallError::NoRoom));
        self.called = true;
        let _ = self.to.try_send((self.name, Some(outcome)));
        assert!(!self.panics, "as asked for");
    }
}

impl Drop for Tell {
    fn drop(&mut self) {
        if !self.called {
            let _ = self.to.try_send((self.name, None));
        }
    }
}

struct Callers {
    connection: Connection,
    to: mpsc::Sender<(&'static str, Option<Outcome>)>,
    told: mpsc::Receiver<(&'static str, Option<Outcome>)>,
}

impl Callers {
    fn new(fixture: &Fixture) -> Self {
        let (to, told) = mpsc::channel(16);
        Self { connection: fixture.client.connection(ADDRESS).unwrap(), to, told }
    }

    fn ask(&self, name: &'static str, timeout: Duration, panics: bool) {
        let body = Bytes::from_static(name.as_bytes());
        let request = CommandRef::request(CODE, &NoHeader).with_body(&body);
        let begun = self.connection.begin_call(&request, Instant::now() + timeout).unwrap().unwrap();
        begun.then(Box::new(Tell { name, to: self.to.clone(), panics, outcome: None, called: false }));
    }

    async fn told(&mut self) -> (&'static str, Option<Outcome>) {
        self.told.recv().await.unwrap()
    }
}

#[test]
fn each_callback_gets_its_answer_or_its_time_out() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let mut peer = connected(&mut fixture).await;
        let mut callers = Callers::new(&fixture);
        callers.ask("late", Duration::from_millis(100), false);
        callers.ask("one", SECONDS_3, false);
        callers.ask("two", SECONDS_3, true);
        callers.ask("three", SECONDS_3, false);
        let mut requests = Vec::new();
        for _ in 0..4 {
            requests.push(peer.read().await.unwrap());
        }
        let (late, outcome) = callers.told().await;
        assert!(late == "late" && matches!(outcome, Some(Err(CallError::TimedOut))), "{outcome:?}");
        for request in &requests {
            peer.answer(request, ResponseCode::SUCCESS).await;
        }
        // The second callback panics; the others must still run.
        for name in ["one", "two", "three"] {
            let (told, outcome) = callers.told().await;
            assert_eq!((told, outcome.unwrap().unwrap()), (name, Bytes::from(name)));
        }
        assert_eq!((callers.connection.in_flight(), callers.connection.unmatched_answers()), (0, 1));
    });
}

#[test]
fn a_callback_that_panics_over_its_answer_is_dropped_alone() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let mut peer = connected(&mut fixture).await;
        let mut callers = Callers::new(&fixture);
        for name in ["", "next"] {
            callers.ask(name, SECONDS_3, false);
            let request = peer.read().await.unwrap();
            peer.answer(&request, ResponseCode::SUCCESS).await;
        }
        assert!(matches!(callers.told().await, ("", None)));
        let (name, outcome) = callers.told().await;
        assert_eq!((name, outcome.unwrap().unwrap()), ("next", Bytes::from("next")));
    });
}

#[test]
fn when_the_connection_ends_callbacks_learn_what_the_peer_may_have_seen() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let mut peer = connected(&mut fixture).await;
        let mut callers = Callers::new(&fixture);
        callers.ask("seen", SECONDS_3, false);
        peer.read().await.unwrap();
        callers.ask("unseen", SECONDS_3, false);
        drop(peer);
        for (name, unsent) in [("seen", false), ("unseen", true)] {
            let (told, outcome) = callers.told().await;
            let error = outcome.unwrap().unwrap_err();
            assert_eq!((told, error.is_unsent()), (name, unsent), "{error:?}");
        }
    });
}

#[test]
fn callbacks_are_dropped_when_the_tasks_are_stopped() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let _peer = connected(&mut fixture).await;
        let mut callers = Callers::new(&fixture);
        callers.ask("waiting", SECONDS_3, false);
        fixture.client.tasks().stop();
        let (name, outcome) = callers.told().await;
        assert_eq!(name, "waiting");
        assert!(matches!(outcome, None | Some(Err(CallError::Ended { .. }))), "{outcome:?}");
    });
}

#[test]
fn a_call_that_nobody_waits_for_leaves_nothing_behind() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let mut peer = connected(&mut fixture).await;
        let connection = fixture.client.connection(ADDRESS).unwrap();
        let request = CommandRef::request(CODE, &NoHeader);
        drop(connection.begin_call(&request, Instant::now() + SECONDS_3).unwrap().unwrap());
        assert_eq!(connection.in_flight(), 0);
        let forgotten = peer.read().await.unwrap();
        peer.answer(&forgotten, ResponseCode::SUCCESS).await;
        let next = ask(&fixture, "next", SECONDS_3);
        let request = peer.read().await.unwrap();
        peer.answer(&request, ResponseCode::SUCCESS).await;
        next.await.unwrap().unwrap();
        assert_eq!(connection.unmatched_answers(), 1);
    });
}
