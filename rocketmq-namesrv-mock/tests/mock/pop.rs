//! Invisible times by a clock that stands until it is moved; and a broker that drops its oldest messages.

use std::time::Duration;

use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::support::*;

fn pop_from(topic: &str, invisible_ms: &str) -> RemotingCommand {
    let fields = [
        ("consumerGroup", "group"),
        ("topic", topic),
        ("queueId", "0"),
        ("maxMsgNums", "32"),
        ("invisibleTime", invisible_ms),
        ("pollTime", "0"),
        ("bornTime", "0"),
        ("initMode", "0"),
    ];
    request(RequestCode::POP_MESSAGE, &fields)
}

#[tokio::test]
async fn messages_come_again_when_the_clock_is_moved() {
    let cluster = MockCluster::builder().virtual_clock(true).start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    peer.call(send_to("T")).await;
    let hour = "3600000";
    assert_eq!(records(&peer.call(pop_from("T", hour)).await).len(), 1);
    cluster.advance(Duration::from_millis(3_599_999)).await;
    assert_eq!(peer.call(pop_from("T", hour)).await.code, 210);
    cluster.advance(Duration::from_millis(1)).await;
    for times in 1..4 {
        let again = peer.call(pop_from("T", hour)).await;
        let [message] = &records(&again)[..] else { panic!("{again:?}") };
        assert_eq!((message.topic(), message.reconsume_times()), ("T", times));
        cluster.advance(Duration::from_secs(3600)).await;
    }
    assert_eq!(cluster.message_count("%RETRY%group_T"), 4);
}

#[tokio::test]
async fn a_pop_of_a_closed_connection_takes_nothing() {
    let cluster = MockCluster::start().await.unwrap();
    cluster.create_topic("T", 1).unwrap();
    let mut gone = Peer::broker(&cluster).await;
    gone.send(with(pop_from("T", "60000"), &[("pollTime", "20000")])).await;
    while cluster.held_pulls("T") == 0 {
        tokio::task::yield_now().await;
    }
    drop(gone);
    while cluster.held_pulls("T") == 1 {
        tokio::task::yield_now().await;
    }
    let mut peer = Peer::broker(&cluster).await;
    peer.call(send_to("T")).await;
    assert_eq!(records(&peer.call(pop_from("T", "60000")).await).len(), 1);
}

#[tokio::test]
async fn the_oldest_messages_go_when_the_memory_is_full() {
    let cluster = MockCluster::builder().memory_limit(10_000).start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    for index in 0..20 {
        let sent = peer
            .call(with(send_to("T"), &[("e", &(index % 2).to_string())]).with_body(vec![b'x'; 1000]))
            .await;
        assert_eq!(sent.code, 0);
    }
    let offsets = cluster.queue_offsets("T");
    let (min, max) = (offsets[0].min, offsets[0].max);
    assert!(min > 0 && max == 10, "{offsets:?}");
    assert!(cluster.message_count("T") < 10);
    let below = peer.call(pull_from("T", 0)).await;
    assert_eq!(verdict(&below), (21, "OFFSET_TOO_SMALL"));
    assert_eq!(
        [field(&below, "nextBeginOffset"), field(&below, "minOffset")],
        [min.to_string(), min.to_string()]
    );
    let found = peer.call(pull_from("T", min)).await;
    let kept: Vec<_> = records(&found).iter().map(|message| message.queue_offset()).collect();
    assert_eq!(kept, (min..max).collect::<Vec<_>>());
    let asked = [("topic", "T"), ("queueId", "0")];
    let answer = peer.call(request(RequestCode::GET_MIN_OFFSET, &asked)).await;
    assert_eq!(field(&answer, "offset"), min.to_string());
    let last = peer.call(with(pop_from("T", "60000"), &[("initMode", "1")])).await;
    assert_eq!(field(&last, "msgOffsetInfo"), format!("0 0 {}", max - 1));
    // One that is larger than all that may be kept is kept alone.
    assert_eq!(peer.call(send_to("T").with_body(vec![b'x'; 20_000])).await.code, 0);
    assert_eq!(cluster.message_count("T"), 1);
}

/// What names a popped message of queue 0.
fn named(answer: &RemotingCommand, offset: &str) -> Vec<(&'static str, String)> {
    let start = field(answer, "startOffsetInfo").rsplit(' ').next().unwrap().to_owned();
    let [time, hidden, revive] = ["popTime", "invisibleTime", "reviveQid"].map(|name| field(answer, name));
    let extra_info = format!("{start} {time} {hidden} {revive} 0 broker-a 0 {offset}");
    let texts = [("consumerGroup", "group"), ("topic", "T"), ("queueId", "0"), ("offset", offset)];
    let named = texts.into_iter().map(|(name, text)| (name, text.to_owned()));
    named.chain([("extraInfo", extra_info), ("invisibleTime", "7200000".to_owned())]).collect()
}

#[tokio::test]
async fn what_is_acknowledged_does_not_come_again_and_what_is_hidden_for_longer_comes_later() {
    let cluster = MockCluster::builder().virtual_clock(true).start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    for _ in 0..5 {
        peer.call(send_to("T")).await;
    }
    let popped = peer.call(pop_from("T", "3600000")).await;
    assert_eq!(records(&popped).len(), 5);
    for (code, offset) in [(RequestCode::ACK_MESSAGE, "0"), (RequestCode::CHANGE_MESSAGE_INVISIBLETIME, "1")]
    {
        let fields = named(&popped, offset);
        let fields: Vec<_> = fields.iter().map(|(name, text)| (*name, text.as_str())).collect();
        assert_eq!(peer.call(request(code, &fields)).await.code, 0);
    }
    // The third and the fourth of the pop.
    let batch = format!(
        r#"{{"brokerName":"broker-a","acks":[{{"c":"group","t":"T","r":"0","so":0,"q":0,"rq":{},"pt":{},"it":3600000,"b":"DA=="}}]}}"#,
        field(&popped, "reviveQid"),
        field(&popped, "popTime")
    );
    let batch = request(RequestCode::BATCH_ACK_MESSAGE, &[]).with_body(batch);
    assert_eq!(peer.call(batch).await.code, 0);
    let originals = |cluster: &MockCluster| {
        let stored = cluster.messages("%RETRY%group_T");
        let ids: Vec<_> = cluster.messages("T").iter().map(|message| message.msg_id().to_owned()).collect();
        stored
            .iter()
            .map(|again| ids.iter().position(|id| *id == again.msg_id()).unwrap())
            .collect::<Vec<_>>()
    };
    cluster.advance(Duration::from_secs(3600)).await;
    assert_eq!(originals(&cluster), [4]);
    cluster.advance(Duration::from_secs(3600)).await;
    assert_eq!(originals(&cluster), [4, 1]);
}
