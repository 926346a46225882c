//! Connections that end in the middle of an answer.

use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use rocketmq::error::Outcome;
use rocketmq::model::Message;
use rocketmq::producer::{Producer, SendOptions};
use rocketmq_remoting::protocol::{CommandFlag, FrameLimits, RemotingCommand, RequestCode, decode_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::site::producer;
use crate::peer::{NameServer, stored, unique_key};

/// The notes and the orders of the broker below.
#[derive(Default)]
struct Cuts {
    ids: Vec<String>,
    /// The connection ends after this number of bytes of the next answer to a send.
    cut_at: Option<usize>,
    answer_length: usize,
}

/// A broker on a bare socket.
async fn broker(cuts: Arc<Mutex<Cuts>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, cuts.clone()));
        }
    });
    address
}

async fn serve(mut stream: TcpStream, cuts: Arc<Mutex<Cuts>>) {
    let mut read = BytesMut::new();
    while stream.read_buf(&mut read).await.is_ok_and(|count| count > 0) {
        while let Some(request) = decode_frame(&mut read, &FrameLimits::default()).unwrap() {
            let mut answer = stored(&request, 0).with_opaque(request.opaque);
            answer.flag = CommandFlag::RESPONSE;
            let mut bytes = BytesMut::new();
            answer.encode(&mut bytes).unwrap();
            if let Some(cut_at) = note(&cuts, &request, bytes.len()) {
                let _ = stream.write_all(&bytes[..cut_at]).await;
                return;
            }
            if stream.write_all(&bytes).await.is_err() {
                return;
            }
        }
    }
}

fn note(cuts: &Mutex<Cuts>, request: &RemotingCommand, answer_length: usize) -> Option<usize> {
    if request.request_code() != RequestCode::SEND_MESSAGE_V2 {
        return None;
    }
    let mut cuts = cuts.lock().unwrap();
    cuts.ids.push(unique_key(request));
    cuts.answer_length = answer_length;
    cuts.cut_at.take()
}

/// A producer that has sent one message, whose answer was not cut.
async fn after_a_send() -> (Arc<Mutex<Cuts>>, Producer) {
    let cuts = Arc::new(Mutex::new(Cuts::default()));
    let address = broker(cuts.clone()).await;
    let name_server = NameServer::of_broker(&address).await;
    let producer = producer(&name_server, |_| {}).await;
    producer.send(Message::new("T", "x")).await.unwrap();
    (cuts, producer)
}

#[tokio::test]
async fn at_every_byte_of_the_answer_the_message_is_sent_again_with_its_id() {
    let (cuts, producer) = after_a_send().await;
    let length = cuts.lock().unwrap().answer_length;
    assert!(length > 100, "{length}");
    for cut_at in 0..length {
        *cuts.lock().unwrap() = Cuts { cut_at: Some(cut_at), ..Cuts::default() };
        let sent = producer.send(Message::new("T", "x")).await.unwrap();
        assert_eq!(cuts.lock().unwrap().ids, vec![sent.msg_id; 2], "cut at {cut_at}");

        cuts.lock().unwrap().cut_at = Some(cut_at);
        let once = SendOptions::new().retry_times(0);
        let error = producer.send_with(Message::new("T", "x"), once).await.unwrap_err();
        assert_eq!(error.outcome(), Outcome::MaybeStored, "cut at {cut_at}: {error}");
    }
}

#[tokio::test]
async fn whatever_was_in_flight_is_sent_again() {
    let (cuts, producer) = after_a_send().await;
    *cuts.lock().unwrap() = Cuts { cut_at: Some(17), ..Cuts::default() };
    let mut sends = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let producer = producer.clone();
        sends.spawn(async move { producer.send(Message::new("T", "x")).await.unwrap().msg_id });
    }
    let sent = sends.join_all().await;
    let seen = &cuts.lock().unwrap().ids;
    assert!(sent.iter().all(|id| seen.contains(id)));
    assert_eq!(producer.get_stats().unwrap().in_flight, 0);
}
