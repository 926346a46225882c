//! Dialling: one at a time for each address, back-off, reconnecting, shutting down.

use std::sync::atomic::Ordering;
use std::time::Duration;

use rocketmq_remoting::client::RemotingError;
use rocketmq_remoting::net::DialError;
use rocketmq_remoting::protocol::ResponseCode;
use tokio::time::Instant;

use super::peer::{ADDRESS, Peer, fixture};
use super::{SECONDS_3, ask, connected, run};

#[test]
fn many_callers_share_one_dial() {
    run(async {
        let mut fixture = fixture(|memory, _| memory.dial_takes = Duration::from_millis(300));
        let calls: Vec<_> = (0..100).map(|_| ask(&fixture, "x", SECONDS_3)).collect();
        let mut peer = Peer::accept(&mut fixture).await;
        for _ in 0..100 {
            let request = peer.read().await.unwrap();
            peer.answer(&request, ResponseCode::SUCCESS).await;
        }
        for call in calls {
            call.await.unwrap().unwrap();
        }
        assert_eq!(fixture.transport.dials.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_dial_outlives_the_caller_that_began_it() {
    run(async {
        let mut fixture = fixture(|memory, _| memory.dial_takes = Duration::from_millis(300));
        let first = ask(&fixture, "first", SECONDS_3);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let second = ask(&fixture, "second", SECONDS_3);
        tokio::time::sleep(Duration::from_millis(100)).await;
        first.abort();
        let mut peer = Peer::accept(&mut fixture).await;
        let request = peer.read().await.unwrap();
        assert_eq!(request.body, "second");
        peer.answer(&request, ResponseCode::SUCCESS).await;
        second.await.unwrap().unwrap();
        assert_eq!(fixture.transport.dials.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_refused_dial_fails_at_once_and_the_next_one_waits() {
    run(async {
        let mut fixture = fixture(|memory, _| memory.refuse_first = 1);
        let began = Instant::now();
        let error = ask(&fixture, "x", SECONDS_3).await.unwrap().unwrap_err();
        assert!(
            matches!(&error, RemotingError::Connect(DialError::Failed { address, .. }) if &**address == ADDRESS)
        );
        assert!(error.is_unsent());
        let error = ask(&fixture, "x", SECONDS_3).await.unwrap().unwrap_err();
        assert!(
            matches!(&error, RemotingError::Connect(DialError::BackingOff { wait, .. })
            if *wait <= Duration::from_millis(100)),
            "{error:?}"
        );
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(fixture.transport.dials.load(Ordering::SeqCst), 1);
        tokio::time::sleep(Duration::from_millis(101)).await;
        let call = ask(&fixture, "x", SECONDS_3);
        let mut peer = Peer::accept(&mut fixture).await;
        let request = peer.read().await.unwrap();
        peer.answer(&request, ResponseCode::SUCCESS).await;
        call.await.unwrap().unwrap();
    });
}

#[test]
fn a_dial_that_hangs_ends_with_the_connect_time_out_or_the_deadline() {
    run(async {
        let fixture = fixture(|memory, _| memory.dial_takes = Duration::from_secs(3600));
        let began = Instant::now();
        let (hasty, patient) =
            (ask(&fixture, "x", Duration::from_secs(1)), ask(&fixture, "x", Duration::from_secs(100)));
        let error = hasty.await.unwrap().unwrap_err();
        assert!(matches!(error, RemotingError::Connect(DialError::GaveUp { .. })), "{error:?}");
        assert_eq!(began.elapsed().as_secs(), 1);
        let error = patient.await.unwrap().unwrap_err();
        assert!(matches!(error, RemotingError::Connect(_)), "{error:?}");
        assert_eq!(began.elapsed().as_secs(), 3);
    });
}

#[test]
fn after_the_peer_closed_the_next_call_dials_again() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        for _ in 0..3 {
            let call = ask(&fixture, "x", SECONDS_3);
            let mut peer = Peer::accept(&mut fixture).await;
            let request = peer.read().await.unwrap();
            peer.answer(&request, ResponseCode::SUCCESS).await;
            call.await.unwrap().unwrap();
            drop(peer);
            tokio::task::yield_now().await;
        }
        assert_eq!(fixture.transport.dials.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn after_go_away_what_is_in_flight_finishes_and_the_next_call_dials_again() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let mut peer = connected(&mut fixture).await;
        let (refused, served) = (ask(&fixture, "refused", SECONDS_3), ask(&fixture, "served", SECONDS_3));
        let (first, second) = (peer.read().await.unwrap(), peer.read().await.unwrap());
        peer.answer(&first, ResponseCode::GO_AWAY).await;
        assert_eq!(refused.await.unwrap().unwrap().code, ResponseCode::GO_AWAY.0);
        let next = ask(&fixture, "next", SECONDS_3);
        let mut new_peer = Peer::accept(&mut fixture).await;
        let request = new_peer.read().await.unwrap();
        assert_eq!(request.body, "next");
        new_peer.answer(&request, ResponseCode::SUCCESS).await;
        next.await.unwrap().unwrap();
        peer.answer(&second, ResponseCode::SUCCESS).await;
        assert_eq!(served.await.unwrap().unwrap().body, "served");
        assert!(peer.read().await.is_none(), "the old connection is closed when nothing is in flight");
    });
}

#[test]
fn shutdown_fails_what_is_in_flight_and_what_comes_after() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let call = ask(&fixture, "x", SECONDS_3);
        let mut peer = Peer::accept(&mut fixture).await;
        peer.read().await.unwrap();
        assert!(fixture.client.shutdown(Duration::from_secs(1)).await);
        assert!(call.await.unwrap().is_err());
        assert!(peer.read().await.is_none());
        let error = ask(&fixture, "late", SECONDS_3).await.unwrap().unwrap_err();
        assert!(matches!(error, RemotingError::Connect(DialError::Stopped { .. })), "{error:?}");
    });
}

#[test]
fn a_client_whose_runtime_is_gone_says_so() {
    let fixture = {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { fixture(|_, _| {}) })
    };
    run(async {
        let error = ask(&fixture, "x", SECONDS_3).await.unwrap().unwrap_err();
        assert!(matches!(error, RemotingError::Connect(DialError::Stopped { .. })), "{error:?}");
    });
}
