//! Limits of brokers, and the settings that change them.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, ResponseCode};

use super::peer::{Fields, Peer, field, fresh_topic, number, pull_fields, records, verdict};
use crate::stage;

async fn send(peer: &Peer, topic: &str, more: &[(&str, &str)], body: impl Into<Bytes>) -> RemotingCommand {
    let names = [("a", "p"), ("b", topic), ("c", "TBW102"), ("d", "4"), ("e", "0"), ("i", "")];
    let fields = Fields::from(&names).with(&[("f", "0"), ("g", "1700000000000"), ("h", "0")]).with(more);
    let body = body.into();
    loop {
        let sent = peer.call(RequestCode::SEND_MESSAGE_V2, &fields.list(), body.clone()).await;
        if sent.code != ResponseCode::SYSTEM_BUSY.0 {
            return sent;
        }
    }
}

/// So many messages of one byte, in the form of a batch.
fn batch(messages: usize) -> Bytes {
    let mut body = Vec::new();
    for _ in 0..messages {
        for number in [23, 0, 0, 0, 1] {
            body.extend_from_slice(&i32::to_be_bytes(number));
        }
        body.extend_from_slice(&[b'x', 0, 0]);
    }
    body.into()
}

#[tokio::test]
async fn a_batch_is_counted_in_16_bits() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    for (messages, next) in [(32_767, 32_768), (40_000, -25_535)] {
        let topic = fresh_topic("batch");
        send(&peer, &topic, &[], "x").await;
        let sent = send(&peer, &topic, &[("m", "true")], batch(messages)).await;
        assert_eq!((sent.code, number(&sent, "queueOffset")), (0, 1));
        for offset in [next, next + 1] {
            assert_eq!(number(&send(&peer, &topic, &[], "lost?").await, "queueOffset"), offset);
        }
        let sent = send(&peer, &topic, &[("m", "true")], batch(3)).await;
        assert_eq!(number(&sent, "queueOffset"), next + 2);
        let end = if next < 0 { 40_001 } else { 32_773 };
        peer.until_visible(&topic, end).await;
        let pulled =
            pull_fields("TOOLS_CONSUMER", &topic).with(&[("queueOffset", "32760"), ("sysFlag", "4")]);
        let pulled = pulled.with(&[("subscription", "*"), ("expressionType", "TAG"), ("maxMsgNums", "1")]);
        assert_eq!(records(&peer.call(11, &pulled.list(), "").await)[0].queue_offset(), 32_760);
    }
}

#[tokio::test]
async fn a_query_gives_the_newest_64_messages() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let topic = fresh_topic("keys");
    for _ in 0..70 {
        peer.store(&topic, 1, &[("KEYS", "k")]).await;
    }
    let query = |count: &str| {
        let fields = [("topic", &*topic), ("key", "k"), ("beginTimestamp", "0"), ("maxNum", count)];
        Fields::from(&fields).with(&[("endTimestamp", "9223372036854775807")])
    };
    let offsets = |answer: &RemotingCommand| -> Vec<i64> {
        if answer.body.is_empty() {
            return Vec::new();
        }
        records(answer).iter().map(|message| message.queue_offset()).collect()
    };
    // Apache's index follows later.
    peer.until(12, &query("1").list(), |answer| offsets(answer) == [69]).await;
    for (asked, first) in [("32", 38), ("64", 6), ("65", 6), ("1000", 6)] {
        let found = peer.call(12, &query(asked).list(), "").await;
        assert_eq!(offsets(&found), (first..70).collect::<Vec<_>>(), "{asked}");
    }
    for (asked, code) in [("0", 22), ("-1", 1)] {
        assert_eq!(peer.call(12, &query(asked).list(), "").await.code, code, "{asked}");
    }
}

/// All settings in one case: on Apache's broker, it has a cluster of its own.
#[tokio::test]
async fn settings_change_what_clients_see() {
    let name_server = &*stage::name_server_of_its_own().await;
    let peer = Peer::new(name_server).await;
    let topic = fresh_topic("settings");
    let set = async |text: &'static str| assert_eq!(peer.call(25, &[], text).await.code, 0, "{text}");
    for _ in 0..40 {
        send(&peer, &topic, &[], "hello").await;
    }
    peer.until_visible(&topic, 40).await;
    let pull = |more: &[(&str, &str)]| {
        let fields = pull_fields("TOOLS_CONSUMER", &topic).with(&[("sysFlag", "4"), ("maxMsgNums", "64")]);
        fields.with(&[("subscription", "*"), ("expressionType", "TAG")]).with(more)
    };
    for (text, count) in [
        ("maxTransferCountOnMessageInMemory=5", 5),
        ("maxTransferCountOnMessageInMemory=0", 1),
        ("maxTransferCountOnMessageInMemory=64", 40),
    ] {
        set(text).await;
        assert_eq!(records(&peer.call(11, &pull(&[]).list(), "").await).len(), count, "{text}");
    }

    set("maxMessageSize=100").await;
    assert_eq!(send(&peer, &topic, &[], vec![b'x'; 100]).await.code, 0);
    let long = send(&peer, &topic, &[], vec![b'x'; 101]).await;
    let remark = "the message is illegal, maybe msg body or properties length not matched. msg body length limit \
                  100B, msg properties length limit 32KB.";
    assert_eq!(verdict(&long), (13, remark));
    set("maxMessageSize=8388608").await;
    assert_eq!(send(&peer, &topic, &[], vec![b'x'; 4_194_305]).await.code, 0);

    set("rejectTransactionMessage=true\ntraceOn=false").await;
    let half = send(&peer, &topic, &[("i", "TRAN_MSG\u{1}true\u{2}PGROUP\u{1}p\u{2}")], "x").await;
    assert_eq!(verdict(&half), (16, "the broker[127.0.0.1] sending transaction message is forbidden"));
    let plain = send(&peer, &topic, &[], "x").await;
    assert_eq!(field(&plain, "TRACE_ON"), "false");
    let offset = number(&plain, "queueOffset");
    assert_eq!(peer.stored(&topic, offset).await.property("TRACE_ON"), Some("false"));
    set("rejectTransactionMessage=false\ntraceOn=true").await;
    assert_eq!(field(&send(&peer, &topic, &[], "x").await, "TRACE_ON"), "true");

    set("longPollingEnable=false\nshortPollingTimeMills=1500").await;
    let (mut end, other) = (offset + 2, Peer::new(name_server).await);
    peer.until_visible(&topic, end).await;
    let mut took = Duration::ZERO;
    for round in 0..3 {
        let from = end.to_string();
        let waits = pull(&[("queueOffset", &from), ("sysFlag", "6"), ("suspendTimeoutMillis", "30000")]);
        let waits = waits.list();
        if round == 0 {
            // Apache's broker goes on as before until its next look, within five seconds.
            peer.call(11, &waits, "").await;
        }
        let began = Instant::now();
        let (pulled, sent) = tokio::join!(peer.call(11, &waits, ""), send(&other, &topic, &[], "x"));
        took = began.elapsed();
        assert!(pulled.code == 0 || pulled.code == 19, "{pulled:?}");
        if took > Duration::from_millis(300) {
            break;
        }
        // The message was there before the pull came: once more, behind the message.
        end = number(&sent, "queueOffset") + 1;
        peer.until_visible(&topic, end).await;
    }
    assert!(took > Duration::from_millis(300), "no message wakes a pull: {took:?}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}
