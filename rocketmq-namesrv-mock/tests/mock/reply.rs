//! Replies to the requests of other clients.

use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::clients::producer_heartbeat;
use crate::support::*;

const TOPIC: &str = "DefaultCluster_REPLY_TOPIC";

fn reply(to: &str) -> RemotingCommand {
    let to = if to.is_empty() { String::new() } else { format!(" REPLY_TO_CLIENT={to}") };
    let properties = wire(&format!("UNIQ_KEY=U CORRELATION_ID=corr-1 MSG_TYPE=reply TTL=3000{to}"));
    let mut reply = with(send_to(TOPIC), &[("i", &properties), ("f", "1"), ("h", "7")]);
    reply.code = RequestCode::SEND_REPLY_MESSAGE_V2.0;
    reply
}

#[tokio::test]
async fn a_reply_is_pushed_to_the_client_that_asked() {
    let cluster = MockCluster::start().await.unwrap();
    let (mut asker, mut replier) = (Peer::broker(&cluster).await, Peer::broker(&cluster).await);
    asker.call(producer_heartbeat("pg", "c1")).await;
    let opaque = replier.send(reply("c1")).await;
    let pushed = asker.receive().await;
    let theirs = captured_frame("push_reply_326");
    assert_eq!((pushed.code, pushed.flag, &*pushed.body), (326, theirs.flag, &b"hello"[..]));
    let names = |command| fields(command).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(&pushed), names(&theirs));
    for (name, value) in [
        ("producerGroup", "group"),
        ("topic", TOPIC),
        ("defaultTopic", "TBW102"),
        ("defaultTopicQueueNums", "4"),
        ("queueId", "0"),
        ("sysFlag", "1"),
        ("flag", "7"),
        ("reconsumeTimes", "0"),
        ("unitMode", "false"),
        ("bornTimestamp", "1700000000000"),
        ("bornHost", &replier.local_addr().to_string()),
        ("storeHost", &cluster.broker_addr("broker-a").unwrap().to_string()),
    ] {
        assert_eq!(field(&pushed, name), value, "{name}");
    }
    // The same properties in the same order as those that Apache's broker pushed.
    let property_names = |command| {
        let text = field(command, "properties");
        text.split('\u{2}').map(|entry| entry.split('\u{1}').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(property_names(&pushed), property_names(&theirs));

    let mut taken = RemotingCommand::request(RequestCode(0));
    (taken.opaque, taken.flag) = (pushed.opaque, rocketmq_remoting::protocol::CommandFlag::RESPONSE);
    asker.respond(taken).await;
    let answer = replier.receive().await;
    assert_eq!((answer.opaque, answer.code, answer.remark.as_ref()), (opaque, 0, None));
    assert_eq!(fields(&answer).len(), fields(&captured_frame("reply_response")).len());
    let stored = cluster.messages(TOPIC);
    assert_eq!(field(&answer, "msgId"), stored[0].offset_msg_id());
    assert!(stored[0].property("CLUSTER").is_none() && stored[0].property("PUSH_REPLY_TIME").is_none());
}

#[tokio::test]
async fn a_reply_that_cannot_be_pushed_is_stored_and_reported() {
    let cluster = MockCluster::start().await.unwrap();
    let (mut asker, mut replier) = (Peer::broker(&cluster).await, Peer::broker(&cluster).await);
    for (to, remark) in [
        ("gone", "push reply message fail, channel of <gone> not found."),
        ("", "reply message properties[REPLY_TO_CLIENT] is null"),
    ] {
        let answer = replier.call(reply(to)).await;
        assert_eq!(verdict(&answer), (1, remark));
        assert_eq!(field(&answer, "msgId").len(), 32);
    }
    asker.call(producer_heartbeat("pg", "c1")).await;
    replier.send(reply("c1")).await;
    let pushed = asker.receive().await;
    let mut refused = RemotingCommand::request(RequestCode(1));
    (refused.opaque, refused.flag) = (pushed.opaque, rocketmq_remoting::protocol::CommandFlag::RESPONSE);
    asker.respond(refused).await;
    assert_eq!(verdict(&replier.receive().await), (1, "push reply message to c1fail."));
    assert_eq!(cluster.message_count(TOPIC), 3);
}

#[tokio::test]
async fn a_reply_sent_as_an_ordinary_message_is_one() {
    let cluster = MockCluster::start().await.unwrap();
    let (mut asker, mut replier) = (Peer::broker(&cluster).await, Peer::broker(&cluster).await);
    asker.call(producer_heartbeat("pg", "c1")).await;
    let mut ordinary = reply("c1");
    ordinary.code = RequestCode::SEND_MESSAGE_V2.0;
    assert_eq!(replier.call(ordinary).await.code, 0);
    // The asker's next frame is the answer to its own request.
    assert_eq!(asker.call(send_to("T")).await.code, 0);
}
