//! What is the same for all requests: one-way, unknown codes, frames that are none.

use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::{CommandFlag, LanguageCode, RemotingCommand, RequestCode, SerializeType};

use crate::support::*;

#[tokio::test]
async fn servers_answer_in_json_as_java_5_5_0() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    peer.serialize_type = SerializeType::RocketMq;
    let answer = peer.call(send_to("T")).await;
    assert_eq!(
        (answer.serialize_type, answer.language, answer.version),
        (SerializeType::Json, LanguageCode::JAVA, 513)
    );
}

#[tokio::test]
async fn servers_answer_in_binary_if_they_are_told_to() {
    let cluster = MockCluster::builder().serialize_type(SerializeType::RocketMq).start().await.unwrap();
    let answer = Peer::broker(&cluster).await.call(send_to("T")).await;
    assert_eq!((answer.serialize_type, answer.code), (SerializeType::RocketMq, 0));
}

#[tokio::test]
async fn unknown_codes_get_java_s_words_from_both_servers() {
    let cluster = MockCluster::start().await.unwrap();
    let mut broker = Peer::broker(&cluster).await;
    let mut name_server = Peer::connect(cluster.name_server_addr()).await;
    let theirs = captured_frame("unsupported_3");
    let answer = broker.call(request(RequestCode(9999), &[])).await;
    assert_eq!(verdict(&answer), verdict(&theirs));
    assert!(!answer.ext_fields.is_present());
    let answer = broker.call(request(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[])).await;
    assert_eq!(verdict(&answer), (3, " request type 105 not supported"));
    let answer = name_server.call(send_to("T")).await;
    assert_eq!(verdict(&answer), (3, " request type 310 not supported"));
}

#[tokio::test]
async fn one_way_requests_are_served_and_never_answered() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    peer.send(send_to("T").oneway()).await;
    peer.send(request(RequestCode(9999), &[]).oneway()).await;
    peer.send(with(send_to("T"), &[("e", "9")]).oneway()).await;
    peer.send(request(RequestCode::SEND_MESSAGE_V2, &[]).oneway()).await;
    // The first answer is that of the first request that wanted one.
    assert_eq!(field(&peer.call(send_to("T")).await, "queueOffset"), "1");
    assert_eq!(cluster.message_count("T"), 2);
}

#[tokio::test]
async fn answers_that_nobody_asked_for_are_ignored() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    let mut response = RemotingCommand::request(RequestCode::SEND_MESSAGE_V2);
    response.flag = CommandFlag::RESPONSE;
    peer.send(response).await;
    let negative = send_to("T").with_opaque(-5);
    assert_eq!(peer.call(negative).await.code, 0);
}

#[tokio::test]
async fn bytes_that_are_no_frame_end_the_connection_without_an_answer() {
    let cluster = MockCluster::start().await.unwrap();
    let bad: [&[u8]; 5] = [
        // Longer than any frame, no known header form, header longer than the frame, no JSON, an empty frame.
        &[0x01, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0, 0, 0, 8, 2, 0, 0, 4, b'{', b'}', 0, 0],
        &[0, 0, 0, 8, 0, 0, 1, 0, b'{', b'}', 0, 0],
        &[0, 0, 0, 8, 0, 0, 0, 4, b'n', b'o', b'n', b'e'],
        &[0; 12],
    ];
    for bytes in bad {
        let mut peer = Peer::broker(&cluster).await;
        peer.write(bytes).await;
        peer.expect_closed().await;
    }
}
