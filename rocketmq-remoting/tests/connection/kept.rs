//! Bodies that are kept after their frames are gone.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rocketmq_remoting::net::{CallError, OnAnswer};
use rocketmq_remoting::protocol::{
    CommandRef, CommandView, KeptBody, NoHeader, RemotingCommand, ResponseCode,
};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::peer::{ADDRESS, Peer, fixture};
use super::{CODE, connected, run};

const SECONDS_30: Duration = Duration::from_secs(30);

/// Keeps the body of its answer.
struct Keep(mpsc::Sender<KeptBody>, KeptBody);

impl OnAnswer for Keep {
    fn answered(&mut self, answer: &CommandView<'_>, _: Instant) {
        self.1 = answer.keep_body();
    }

    fn failed(&mut self, error: CallError) {
        panic!("{error}");
    }

    fn call(self: Box<Self>) {
        let _ = self.0.try_send(self.1);
    }
}

fn body(length: usize, fill: u8) -> Bytes {
    vec![fill; length].into()
}

/// Answers the next requests with bodies of these lengths, all in one write.
async fn answer_all(peer: &mut Peer, lengths: &[usize]) {
    let mut answers = BytesMut::new();
    for (length, fill) in lengths.iter().zip(0..) {
        let request = peer.read().await.unwrap();
        let answer = RemotingCommand::response(ResponseCode::SUCCESS).with_opaque(request.opaque);
        answer.with_body(body(*length, fill)).encode(&mut answers).unwrap();
    }
    peer.stream.write_all(&answers).await.unwrap();
}

#[test]
fn kept_bodies_pin_at_most_twice_their_length_and_never_more_than_they_say() {
    run(async {
        let lengths = [0, 1, 300, 10_000, 40_000, 100, 70_000, 5, 256 * 1024, 4 * 1024 * 1024, 20_000];
        let mut fixture = fixture(|memory, _| memory.pipe = 300_000);
        let mut peer = connected(&mut fixture).await;
        let connection = fixture.client.connection(ADDRESS).unwrap();
        let (to, mut kept) = mpsc::channel(lengths.len());
        for _ in lengths {
            let request = CommandRef::request(CODE, &NoHeader);
            let begun = connection.begin_call(&request, Instant::now() + SECONDS_30).unwrap().unwrap();
            begun.then(Box::new(Keep(to.clone(), KeptBody::default())));
        }
        answer_all(&mut peer, &lengths).await;
        for (length, fill) in lengths.into_iter().zip(0..) {
            let kept = kept.recv().await.unwrap();
            assert_eq!(*kept.bytes(), body(length, fill));
            assert!((length..=2 * length + 1).contains(&kept.pinned()), "{length} pins {}", kept.pinned());
            if length > 65_536 {
                assert!(
                    kept.pinned() < length + 200,
                    "large frames have memory of their own: {}",
                    kept.pinned()
                );
            }
        }
    });
}

#[test]
fn an_awaited_answer_keeps_its_body_without_a_copy() {
    run(async {
        let mut fixture = fixture(|_, _| {});
        let mut peer = connected(&mut fixture).await;
        let connection = fixture.client.connection(ADDRESS).unwrap();
        for (length, shared) in [(1000, false), (50_000, true), (1_000_000, true)] {
            let request = CommandRef::request(CODE, &NoHeader);
            let begun = connection.begin_call(&request, Instant::now() + SECONDS_30).unwrap().unwrap();
            let pending =
                std::future::poll_fn(|cx| std::task::Poll::Ready(Some(cx.waker().clone()))).await.unwrap();
            let pending = begun.wait(&pending);
            let answer = async {
                answer_all(&mut peer, &[length]).await;
                // Keeps the stream from looking closed.
                std::future::pending::<()>().await;
            };
            let frame = tokio::select! {
                frame = pending => frame.unwrap(),
                () = answer => unreachable!(),
            };
            let kept = frame.view().keep_body();
            assert_eq!(kept.bytes().len(), length);
            assert_eq!(kept.bytes().as_ptr() == frame.view().body().as_ptr(), shared, "{length}");
        }
    });
}
