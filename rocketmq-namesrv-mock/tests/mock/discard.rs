//! Brokers that discard messages answer at the socket, if nobody looks at what came. Nobody can tell.

use bytes::BytesMut;
use rocketmq_common::{Message, MessageBatch};
use rocketmq_namesrv_mock::{Fault, FaultAction, MockCluster};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, ResponseCode, SerializeType};

use crate::support::{Peer, fields, request, send_to, verdict, wire, with, without};

/// Sends and others, good and bad.
fn requests() -> Vec<RemotingCommand> {
    let send = || with(send_to("T"), &[("i", &wire("UNIQ_KEY=0A0B TAGS=a"))]);
    let batch = || {
        let mut batch = with(send_to("T"), &[("m", "true")]);
        batch.code = RequestCode::SEND_BATCH_MESSAGE.0;
        let messages = ["one", "two"].map(|body| Message::new("T", body));
        batch.with_body(MessageBatch::new(messages.to_vec()).unwrap().encode().unwrap())
    };
    vec![
        send(),
        send().with_body(vec![b'x'; 5_000]),
        send().with_body(vec![b'x'; 200_000]),
        with(send(), &[("e", "3")]),
        with(send(), &[("e", "9")]),
        with(send(), &[("e", "one")]),
        with(send(), &[("h", "7"), ("j", "1"), ("k", "true"), ("l", "16"), ("n", "broker-a")]),
        with(send(), &[("i", &wire("UNIQ_KEY=0A0C DELAY=1"))]),
        without(send(), "b"),
        without(send(), "g"),
        send().with_body(""),
        with(send_to("SCHEDULE_TOPIC_XXXX"), &[]),
        batch(),
        request(RequestCode::GET_MAX_OFFSET, &[("topic", "T"), ("queueId", "0")]),
        request(RequestCode::VIEW_BROKER_STATS_DATA, &[("statsName", "TOPIC_PUT_NUMS"), ("statsKey", "T")]),
        send(),
    ]
}

async fn cluster(captured: usize) -> MockCluster {
    let builder = MockCluster::builder().discard_messages(true).captured_requests(captured);
    builder.start().await.unwrap()
}

/// Code, remark and fields, but for what differs from broker to broker.
type Said = (i32, String, Vec<(String, String)>);

fn said(answer: &RemotingCommand) -> Said {
    let (code, remark) = verdict(answer);
    let mut fields = fields(answer);
    fields.retain(|(name, _)| name != "msgId");
    (code, remark.split(" Producer: ").next().unwrap_or_default().to_owned(), fields)
}

#[tokio::test]
async fn answers_at_the_socket_are_those_of_the_broker() {
    for serialize_type in [SerializeType::RocketMq, SerializeType::Json] {
        let mut answers = Vec::new();
        for captured in [0, 100] {
            let cluster = cluster(captured).await;
            let mut peer = Peer::broker(&cluster).await;
            peer.serialize_type = serialize_type;
            let mut own = Vec::new();
            for request in requests() {
                own.push(said(&peer.call(request).await));
            }
            answers.push(own);
        }
        let counted = answers[0].iter().filter(|(code, _, _)| *code == 0).count();
        assert!(counted >= 7, "{:?}", answers[0]);
        assert_eq!(answers[0], answers[1]);
    }
}

#[tokio::test]
async fn frames_may_come_in_pieces_and_all_at_once() {
    for size in [1, 7, 1_000, usize::MAX] {
        let cluster = cluster(0).await;
        let mut peer = Peer::broker(&cluster).await;
        let mut frames = BytesMut::new();
        let requests: Vec<_> =
            requests().into_iter().filter(|request| size > 1 || request.body.len() < 10_000).collect();
        for (opaque, mut request) in requests.iter().cloned().enumerate() {
            request.opaque = i32::try_from(opaque).unwrap();
            request.serialize_type = SerializeType::RocketMq;
            request.encode(&mut frames).unwrap();
        }
        for piece in frames.chunks(size.min(frames.len())) {
            peer.write(piece).await;
        }
        let mut answered = Vec::new();
        for _ in &requests {
            answered.push(peer.answer().await.opaque);
        }
        answered.sort_unstable();
        assert!(answered.iter().enumerate().all(|(place, opaque)| usize::try_from(*opaque) == Ok(place)));
    }
}

#[tokio::test]
async fn faults_are_met_there_too() {
    let cluster = cluster(0).await;
    let mut peer = Peer::broker(&cluster).await;
    peer.serialize_type = SerializeType::RocketMq;
    assert_eq!(peer.call(send_to("T")).await.code, 0);
    let busy = FaultAction::Refuse { code: ResponseCode::SYSTEM_BUSY, remark: "busy".into() };
    cluster.inject(Fault::on_sends(busy).times(1));
    assert_eq!(verdict(&peer.call(send_to("T")).await), (2, "busy"));
    assert_eq!(peer.call(send_to("T")).await.code, 0);
}
