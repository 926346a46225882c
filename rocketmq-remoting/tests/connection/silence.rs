//! Half-open connections: the network loses a peer without a sign.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rocketmq_remoting::client::RemotingError;
use rocketmq_remoting::net::{CallError, Connection};
use rocketmq_remoting::protocol::{CommandRef, NoHeader, ResponseCode};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

use super::peer::{ADDRESS, Fixture, Peer, fixture};
use super::{CODE, SECONDS_3, ask, call_error, run};

/// Silence says nothing about a peer that was dialled a shorter time ago.
const TRUST_IN_A_DIAL: Duration = Duration::from_secs(10);

/// The far end of a connection that has answered once, a while ago.
async fn connected(fixture: &mut Fixture) -> Peer {
    let peer = super::connected(fixture).await;
    tokio::time::sleep(TRUST_IN_A_DIAL).await;
    peer
}

fn dials(fixture: &Fixture) -> usize {
    fixture.transport.dials.load(Ordering::SeqCst)
}

/// The next request goes over a new connection, and is answered there.
async fn goes_elsewhere(fixture: &mut Fixture) -> Peer {
    let before = dials(fixture);
    let call = ask(fixture, "elsewhere", SECONDS_3);
    let mut peer = Peer::accept(fixture).await;
    let request = peer.read().await.unwrap();
    peer.answer(&request, ResponseCode::SUCCESS).await;
    call.await.unwrap().unwrap();
    assert_eq!(dials(fixture), before + 1);
    peer
}

#[test]
fn after_a_time_out_in_silence_the_next_request_gets_a_new_connection() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let mut silent = connected(&mut fixture).await;
        for _ in 0..3 {
            let error = call_error(ask(&fixture, "lost", SECONDS_3).await.unwrap());
            assert!(matches!(error, CallError::TimedOut), "{error:?}");
            assert!(!error.is_unsent(), "it may have arrived");
            let next = goes_elsewhere(&mut fixture).await;
            assert!(silent.read().await.is_some() && silent.read().await.is_none(), "the old one is closed");
            silent = next;
            tokio::time::sleep(TRUST_IN_A_DIAL).await;
        }
    });
}

#[test]
fn a_caller_that_gives_up_at_its_deadline_or_before_it_counts_too() {
    run(async {
        for patience in [SECONDS_3, Duration::from_secs(1)] {
            let mut fixture = fixture(|_, _| {});
            let _silent = connected(&mut fixture).await;
            let began = Instant::now();
            let request = CommandRef::request(CODE, &NoHeader);
            let call = fixture.client.invoke(ADDRESS, &request, began + SECONDS_3);
            assert!(timeout(patience, call).await.is_err());
            tokio::time::sleep_until(began + SECONDS_3 + Duration::from_millis(20)).await;
            goes_elsewhere(&mut fixture).await;
        }
        // At the deadline, without a further wait: the next request uses a new connection.
        let mut fixture = fixture(|_, _| {});
        let _silent = connected(&mut fixture).await;
        let request = CommandRef::request(CODE, &NoHeader);
        let call = fixture.client.invoke(ADDRESS, &request, Instant::now() + SECONDS_3);
        assert!(timeout(SECONDS_3, call).await.is_err());
        goes_elsewhere(&mut fixture).await;
    });
}

#[test]
fn a_peer_that_sends_any_byte_is_slow_not_silent() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let mut peer = connected(&mut fixture).await;
        let (lost, served) = (ask(&fixture, "lost", SECONDS_3), ask(&fixture, "served", SECONDS_3));
        let (_, second) = (peer.read().await.unwrap(), peer.read().await.unwrap());
        peer.answer(&second, ResponseCode::SUCCESS).await;
        served.await.unwrap().unwrap();
        call_error(lost.await.unwrap());
        // Now only the first bytes of an answer come.
        let lost = ask(&fixture, "lost", SECONDS_3);
        peer.read().await.unwrap();
        peer.stream.write_all(&[0, 0]).await.unwrap();
        call_error(lost.await.unwrap());
        assert!(fixture.client.connection(ADDRESS).is_some());
        assert_eq!(dials(&fixture), 1);
    });
}

#[test]
fn a_short_time_out_says_little_and_the_next_one_more() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let _silent = connected(&mut fixture).await;
        for retired in [false, false, true] {
            call_error(ask(&fixture, "hasty", Duration::from_millis(90)).await.unwrap());
            assert_eq!(fixture.client.connection(ADDRESS).is_none(), retired);
        }
    });
}

/// A peer that holds all answers for seconds takes dials all the same: these must not become a storm.
#[test]
fn a_peer_that_is_busy_is_not_dialled_again_for_each_time_out() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let mut connections = vec![connected(&mut fixture).await];
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(30) {
            call_error(ask(&fixture, "held", Duration::from_millis(300)).await.unwrap());
            while let Ok(stream) = fixture.accept.try_recv() {
                connections.push(Peer::of(stream));
            }
        }
        assert_eq!(dials(&fixture), 4, "the first one, and one in ten seconds");
        // The last connection was good all along.
        let call = ask(&fixture, "now", SECONDS_3);
        let peer = connections.last_mut().unwrap();
        let mut request = peer.read().await.unwrap();
        while request.body != "now" {
            request = peer.read().await.unwrap();
        }
        peer.answer(&request, ResponseCode::SUCCESS).await;
        call.await.unwrap().unwrap();
        assert_eq!(dials(&fixture), 4);
    });
}

#[test]
fn an_upload_that_takes_long_is_no_silence() {
    run(async {
        let mut fixture = fixture(|memory, _| memory.pipe = 1000);
        let mut peer = connected(&mut fixture).await;
        let upload = ask(&fixture, vec![0; 5000], SECONDS_3);
        tokio::time::sleep(Duration::from_secs(2)).await;
        // The peer reads a part of it, and the pipe takes more.
        let mut part = [0; 500];
        tokio::io::AsyncReadExt::read_exact(&mut peer.stream, &mut part).await.unwrap();
        let error = call_error(upload.await.unwrap());
        assert!(matches!(error, CallError::TimedOut), "{error:?}");
        assert!(fixture.client.connection(ADDRESS).is_some());
    });
}

#[test]
fn what_is_in_flight_on_a_connection_that_turns_out_healthy_is_answered_there() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let mut slow = connected(&mut fixture).await;
        let (lost, patient) =
            (ask(&fixture, "lost", SECONDS_3), ask(&fixture, "patient", Duration::from_secs(20)));
        call_error(lost.await.unwrap());
        goes_elsewhere(&mut fixture).await;
        tokio::time::sleep(Duration::from_secs(10)).await;
        let (_, second) = (slow.read().await.unwrap(), slow.read().await.unwrap());
        slow.answer(&second, ResponseCode::SUCCESS).await;
        assert_eq!(patient.await.unwrap().unwrap().body, "patient");
        assert!(slow.read().await.is_none(), "the last answer closes it");
    });
}

#[test]
fn a_retired_connection_closes_at_its_expire_limit() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let mut silent = connected(&mut fixture).await;
        let began = Instant::now();
        let (lost, endless) =
            (ask(&fixture, "lost", SECONDS_3), ask(&fixture, "endless", Duration::from_secs(9999)));
        call_error(lost.await.unwrap());
        let error = call_error(endless.await.unwrap());
        assert!(matches!(error, CallError::Ended { written: true, .. }), "{error:?}");
        assert_eq!((began.elapsed() + TRUST_IN_A_DIAL).as_secs(), 180, "after its last byte");
        assert!(
            silent.read().await.is_some() && silent.read().await.is_some() && silent.read().await.is_none()
        );
    });
}

#[test]
fn when_the_new_connection_cannot_be_made_requests_fail_at_once_and_unsent() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let _silent = connected(&mut fixture).await;
        call_error(ask(&fixture, "lost", SECONDS_3).await.unwrap());
        fixture.accept.close();
        let error = ask(&fixture, "x", SECONDS_3).await.unwrap().unwrap_err();
        assert!(matches!(error, RemotingError::Connect(_)) && error.is_unsent(), "{error:?}");
    });
}

/// Sends a long poll on this connection.
fn poll(
    connection: &Connection,
    hold: Duration,
    timeout: Duration,
) -> tokio::task::JoinHandle<Option<CallError>> {
    let connection = connection.clone();
    tokio::task::spawn_local(async move {
        let request = CommandRef::request(CODE, &NoHeader).held_for(hold);
        connection.call(&request, Instant::now() + timeout).await.err()
    })
}

#[test]
fn a_long_poll_makes_its_connection_suspect_only_after_its_hold_time() {
    run(async {
        for (timeout, suspect) in [(5, false), (20, true)] {
            let mut fixture = fixture(|_, _| {});
            let _silent = connected(&mut fixture).await;
            let connection = fixture.client.connection(ADDRESS).unwrap();
            let began = Instant::now();
            let ended =
                poll(&connection, Duration::from_secs(15), Duration::from_secs(timeout)).await.unwrap();
            assert!(matches!(ended, Some(CallError::TimedOut)), "{ended:?}");
            let late = began.elapsed() - Duration::from_secs(timeout);
            assert!(late <= Duration::from_millis(260), "{late:?}");
            assert_eq!(connection.is_usable(), !suspect);
        }
    });
}
