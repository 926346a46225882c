//! Connections and pool over an in-memory transport, with the clock paused: the caller's view of peers that
//! answer late, out of order, not at all, or nonsense.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod callbacks;
mod held_back;
mod kept;
mod parked;
mod peer;
mod pool;
mod silence;
mod written;

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use peer::{ADDRESS, Fixture, Peer, fixture};
use rocketmq_remoting::client::RemotingError;
use rocketmq_remoting::net::{CallError, ConnectionEnd};
use rocketmq_remoting::protocol::{
    CommandRef, LanguageCode, NoHeader, RemotingCommand, RequestCode, ResponseCode, SerializeType,
};
use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

type Outcome = Result<RemotingCommand, RemotingError>;

const CODE: RequestCode = RequestCode::HEART_BEAT;

/// Starts a request with this body.
fn ask(fixture: &Fixture, body: impl Into<Bytes>, timeout: Duration) -> JoinHandle<Outcome> {
    let (client, body) = (fixture.client.clone(), body.into());
    tokio::task::spawn_local(async move {
        let request = CommandRef::request(CODE, &NoHeader).with_body(&body);
        client.invoke(ADDRESS, &request, Instant::now() + timeout).await
    })
}

const SECONDS_3: Duration = Duration::from_secs(3);

/// The far end of a connection that has answered once.
async fn connected(fixture: &mut Fixture) -> Peer {
    let call = ask(fixture, "first", SECONDS_3);
    let mut peer = Peer::accept(fixture).await;
    let request = peer.read().await.unwrap();
    peer.answer(&request, ResponseCode::SUCCESS).await;
    call.await.unwrap().unwrap();
    peer
}

fn call_error(outcome: Outcome) -> CallError {
    match outcome {
        Err(RemotingError::Call { source, .. }) => source,
        other => panic!("expected a call error, found {other:?}"),
    }
}

/// Runs a test with local tasks and a paused clock. What never comes fails the test at the end of a day of that clock.
fn run(test: impl Future<Output = ()>) {
    let test = async { timeout(Duration::from_secs(24 * 3600), test).await.unwrap() };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, test);
}

#[test]
fn answers_in_any_order_reach_their_callers() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let calls: Vec<_> = (0..500).map(|n| (n, ask(&fixture, format!("body {n}"), SECONDS_3))).collect();
        let mut peer = Peer::accept(&mut fixture).await;
        let mut requests = Vec::new();
        for _ in 0..500 {
            requests.push(peer.read().await.unwrap());
        }
        for request in requests.iter().rev() {
            peer.answer(request, ResponseCode::SUCCESS).await;
        }
        for (n, call) in calls {
            assert_eq!(call.await.unwrap().unwrap().body, format!("body {n}"));
        }
        assert_eq!(fixture.client.connection(ADDRESS).unwrap().in_flight(), 0);
    });
}

#[test]
fn any_number_of_answers_may_come_at_once() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let mut peer = connected(&mut fixture).await;
        let calls: Vec<_> = (0..2100).map(|_| ask(&fixture, "", SECONDS_3)).collect();
        let mut answers = BytesMut::new();
        for _ in 0..calls.len() {
            let request = peer.read().await.unwrap();
            let mut answer = RemotingCommand::response(ResponseCode::SUCCESS).with_opaque(request.opaque);
            answer.serialize_type = SerializeType::RocketMq;
            answer.encode(&mut answers).unwrap();
        }
        assert!(answers.len() < 64 * 1024, "they fit into one read");
        peer.stream.write_all(&answers).await.unwrap();
        for call in calls {
            call.await.unwrap().unwrap();
        }
    });
}

#[test]
fn an_answer_with_broken_texts_is_that_of_its_request_alone() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let mut peer = connected(&mut fixture).await;
        let (broken, sound) = (ask(&fixture, "broken", SECONDS_3), ask(&fixture, "sound", SECONDS_3));
        let (first, second) = (peer.read().await.unwrap(), peer.read().await.unwrap());
        let answer = RemotingCommand::response(ResponseCode::SUCCESS).with_opaque(first.opaque);
        let mut frame = BytesMut::new();
        let mut java = answer.with_field("name", "value");
        java.language = LanguageCode::JAVA;
        java.encode(&mut frame).unwrap();
        let at = frame.windows(5).position(|bytes| bytes == b"value").unwrap();
        frame[at] = 0xFF;
        peer.stream.write_all(&frame).await.unwrap();
        peer.answer(&second, ResponseCode::SUCCESS).await;
        let error = call_error(broken.await.unwrap());
        assert!(matches!(&error, CallError::BadAnswer(_)) && !error.is_unsent(), "{error:?}");
        assert_eq!(sound.await.unwrap().unwrap().body, "sound");
    });
}

#[test]
fn a_time_out_ends_its_own_request_and_the_late_answer_reaches_nobody() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let hasty = ask(&fixture, "hasty", Duration::from_millis(100));
        let patient = ask(&fixture, "patient", SECONDS_3);
        let mut peer = Peer::accept(&mut fixture).await;
        let (first, second) = (peer.read().await.unwrap(), peer.read().await.unwrap());
        let began = Instant::now();
        let error = call_error(hasty.await.unwrap());
        assert!(matches!(error, CallError::TimedOut), "{error:?}");
        assert!(!error.is_unsent(), "the peer may have acted on it");
        assert!(began.elapsed() <= Duration::from_millis(110), "{:?}", began.elapsed());
        peer.answer(&first, ResponseCode::SUCCESS).await;
        peer.answer(&second, ResponseCode::SUCCESS).await;
        assert_eq!(patient.await.unwrap().unwrap().body, "patient");
        let connection = fixture.client.connection(ADDRESS).unwrap();
        assert_eq!((connection.unmatched_answers(), connection.in_flight()), (1, 0));
    });
}

#[test]
fn a_dropped_call_leaves_nothing_behind() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let call = ask(&fixture, "never mind", SECONDS_3);
        let mut peer = Peer::accept(&mut fixture).await;
        let request = peer.read().await.unwrap();
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
        let connection = fixture.client.connection(ADDRESS).unwrap();
        assert_eq!(connection.in_flight(), 0);
        peer.answer(&request, ResponseCode::SUCCESS).await;
        let next = ask(&fixture, "next", SECONDS_3);
        let request = peer.read().await.unwrap();
        peer.answer(&request, ResponseCode::SUCCESS).await;
        assert_eq!(next.await.unwrap().unwrap().body, "next");
        assert_eq!(connection.unmatched_answers(), 1);
    });
}

#[test]
fn when_the_peer_closes_callers_learn_at_once_what_it_may_have_seen() {
    run(async {
        // The pipe takes the first frame and a bit; the peer reads nothing.
        let mut fixture = fixture(|memory, _| memory.pipe = 4096);
        let peer = connected(&mut fixture).await;
        let seen = ask(&fixture, vec![1; 2000], SECONDS_3);
        let cut = ask(&fixture, vec![2; 4000], SECONDS_3);
        let unseen = ask(&fixture, vec![3; 4000], SECONDS_3);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let began = Instant::now();
        drop(peer);
        for (call, unsent) in [(seen, false), (cut, false), (unseen, true)] {
            let error = call_error(call.await.unwrap());
            assert!(matches!(error, CallError::Ended { .. }), "{error:?}");
            assert_eq!(error.is_unsent(), unsent, "{error:?}");
        }
        assert!(began.elapsed() < Duration::from_millis(10));
    });
}

#[test]
fn a_peer_that_does_not_read_pushes_back_and_what_waits_is_unsent() {
    run(async {
        let mut fixture = fixture(|memory, options| {
            memory.pipe = 1000;
            options.write_buffer_limit = 10_000;
        });
        let calls: Vec<_> = (0..30).map(|_| ask(&fixture, vec![0; 1000], Duration::from_secs(1))).collect();
        let _peer = Peer::accept(&mut fixture).await;
        let began = Instant::now();
        let mut unsent = 0;
        for call in calls {
            unsent += usize::from(call_error(call.await.unwrap()).is_unsent());
        }
        assert!(began.elapsed() <= Duration::from_millis(1020), "{:?}", began.elapsed());
        assert!((5..=25).contains(&unsent), "{unsent} of 30 found no room");
    });
}

#[test]
fn a_short_deadline_holds_while_the_peer_does_not_read() {
    run(async {
        let mut fixture = fixture(|memory, _| memory.pipe = 1000);
        let _peer = connected(&mut fixture).await;
        let _stuck = ask(&fixture, vec![0; 5000], SECONDS_3);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let began = Instant::now();
        let error = call_error(ask(&fixture, "hasty", Duration::from_millis(200)).await.unwrap());
        assert!(matches!(error, CallError::TimedOut), "{error:?}");
        assert!(began.elapsed() <= Duration::from_millis(220), "{:?}", began.elapsed());
    });
}

#[test]
fn what_is_no_frame_ends_the_connection_and_is_named() {
    for (garbage, hint) in [
        (&b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"[..], "HTTP"),
        (&[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x46, 0, 0, 0, 0, 0], "TLS"),
        (&[0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0], ""),
        (&[0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0], ""),
        (&[0, 0, 0, 0, 0, 0, 0, 0], ""),
        (&[0, 0, 0, 8, 9, 0, 0, 0, 0, 0, 0, 0], ""),
        (&[0, 0, 0, 8, 0, 0, 0, 0xFF, 0, 0, 0, 0], ""),
    ] {
        run(async move {
            let mut fixture = fixture(|_, _| {});
            let call = ask(&fixture, "request", SECONDS_3);
            let mut peer = Peer::accept(&mut fixture).await;
            peer.read().await.unwrap();
            let began = Instant::now();
            peer.stream.write_all(garbage).await.unwrap();
            let error = call_error(call.await.unwrap());
            assert!(began.elapsed() < Duration::from_millis(10));
            assert!(!error.is_unsent());
            let CallError::Ended { end: ConnectionEnd::BadFrame(source), .. } = error else {
                panic!("{garbage:?}: {error:?}");
            };
            assert!(source.to_string().contains(hint), "{source}");
            assert!(peer.read().await.is_none(), "the connection is closed");
        });
    }
}

/// Brokers of old versions answer one-way requests that they refuse.
#[test]
fn an_answer_to_a_one_way_request_is_no_answer_to_another_one() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let call = ask(&fixture, "awaited", SECONDS_3);
        let mut peer = Peer::accept(&mut fixture).await;
        let awaited = peer.read().await.unwrap();
        let request = CommandRef::request(CODE, &NoHeader);
        for _ in 0..3 {
            fixture.client.oneway(ADDRESS, &request, Instant::now() + SECONDS_3).await.unwrap();
            let oneway = peer.read().await.unwrap();
            peer.answer(&oneway, ResponseCode::SYSTEM_BUSY).await;
        }
        peer.answer(&awaited, ResponseCode::SUCCESS).await;
        let answer = call.await.unwrap().unwrap();
        assert_eq!((answer.code, &answer.body[..]), (0, &b"awaited"[..]));
        assert_eq!(fixture.client.connection(ADDRESS).unwrap().unmatched_answers(), 3);
    });
}

#[test]
fn a_request_from_the_peer_is_told_apart_by_its_flag_not_by_its_opaque() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let call = ask(&fixture, "mine", SECONDS_3);
        let mut peer = Peer::accept(&mut fixture).await;
        let mine = peer.read().await.unwrap();
        let mut theirs = RemotingCommand::request(RequestCode(9999));
        theirs.opaque = mine.opaque;
        peer.write(&theirs).await;
        let refusal = peer.read().await.unwrap();
        assert!(refusal.is_response());
        assert_eq!((refusal.code, refusal.opaque), (3, mine.opaque));
        assert_eq!(refusal.remark.as_deref(), Some(" request type 9999 not supported"));
        peer.answer(&mine, ResponseCode::SUCCESS).await;
        assert_eq!(call.await.unwrap().unwrap().body, "mine");
    });
}

#[test]
fn idle_silent_and_trickling_connections_are_closed() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        // Idle: nothing outstanding for 120 s.
        let mut peer = connected(&mut fixture).await;
        let began = Instant::now();
        assert!(peer.read().await.is_none());
        assert_eq!(began.elapsed().as_secs(), 120);
        // Silent: a request outstanding for 180 s, and not one byte.
        let call = ask(&fixture, "x", Duration::from_secs(1000));
        let mut peer = Peer::accept(&mut fixture).await;
        let began = Instant::now();
        let error = call_error(call.await.unwrap());
        assert!(matches!(error, CallError::Ended { end: ConnectionEnd::Silent(_), .. }), "{error:?}");
        assert_eq!(began.elapsed().as_secs(), 180);
        assert!(peer.read().await.is_some() && peer.read().await.is_none());
        // A frame that begins and goes on at one byte a second.
        let call = ask(&fixture, "x", Duration::from_secs(1000));
        let mut peer = Peer::accept(&mut fixture).await;
        peer.stream.write_all(&[0, 0, 1, 0]).await.unwrap();
        let began = Instant::now();
        let error = loop {
            if call.is_finished() {
                break call_error(call.await.unwrap());
            }
            let _ = peer.stream.write_all(&[0]).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
        assert!(matches!(error, CallError::Ended { end: ConnectionEnd::SlowFrame(_), .. }), "{error:?}");
        assert!(began.elapsed().as_secs() <= 61);
    });
}

#[test]
fn frames_of_many_callers_share_a_write() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let mut peer = connected(&mut fixture).await;
        let calls: Vec<_> = (0..50).map(|_| ask(&fixture, "together", SECONDS_3)).collect();
        let first = peer.read().await.unwrap();
        // One read of the peer returns all requests: they were written at once.
        let mut requests = vec![first];
        while requests.len() < 50 {
            requests.push(peer.buffered().expect("the other frames came with the first"));
        }
        for request in &requests {
            peer.answer(request, ResponseCode::SUCCESS).await;
        }
        for call in calls {
            call.await.unwrap().unwrap();
        }
    });
}

#[test]
fn callers_of_the_first_answers_send_again_before_the_last_are_handed_out() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let mut peer = connected(&mut fixture).await;
        // On the runtime of the connection's task, where tasks take turns.
        let tasks = fixture.client.tasks();
        for _ in 0..64 {
            let client = fixture.client.clone();
            tasks.spawn(async move {
                for _ in 0..2 {
                    let request = CommandRef::request(CODE, &NoHeader);
                    let _ = client.invoke(ADDRESS, &request, Instant::now() + SECONDS_3).await;
                }
            });
        }
        let (seen, first_seen) = oneshot::channel();
        tasks.spawn(async move {
            let mut answers = BytesMut::new();
            for _ in 0..64 {
                let request = peer.read().await.unwrap();
                let answer = RemotingCommand::response(ResponseCode::SUCCESS).with_opaque(request.opaque);
                answer.encode(&mut answers).unwrap();
            }
            peer.stream.write_all(&answers).await.unwrap();
            peer.read().await.unwrap();
            let _ = seen.send(1 + std::iter::from_fn(|| peer.buffered()).count());
        });
        assert_eq!(first_seen.await.unwrap(), 16, "a quarter of what was in flight");
    });
}
