//! Topics with `queue.type=BatchCQ`: a batch is one record there, and takes as many offsets as it has messages.

use rocketmq_remoting::protocol::{RemotingCommand, ResponseCode};

use super::peer::{Fields, Peer, field, fresh_group, fresh_topic, number, pull_fields};
use crate::stage;

async fn new_topic(peer: &Peer) -> String {
    let topic = fresh_topic("inner");
    let texts = [("topic", &*topic), ("defaultTopic", "TBW102"), ("topicFilterType", "SINGLE_TAG")];
    let fields = Fields::from(&texts).with(&[("readQueueNums", "1"), ("writeQueueNums", "1"), ("perm", "6")]);
    let fields = fields.with(&[("attributes", "+queue.type=BatchCQ"), ("order", "false")]);
    assert_eq!(peer.call(17, &fields.list(), "").await.code, 0);
    topic
}

/// Sends so many messages of one byte as a batch; `properties` are those around the batch.
async fn send(peer: &Peer, topic: &str, messages: usize, properties: &str) -> RemotingCommand {
    let mut body = Vec::new();
    for _ in 0..messages {
        for number in [23, 0, 0, 7, 1] {
            body.extend_from_slice(&i32::to_be_bytes(number));
        }
        body.extend_from_slice(&[b'x', 0, 0]);
    }
    let names = [("a", "p"), ("b", topic), ("c", "TBW102"), ("d", "1"), ("e", "0"), ("i", properties)];
    let fields = Fields::from(&names).with(&[("f", "0"), ("g", "1700000000000"), ("h", "0"), ("m", "true")]);
    loop {
        let sent = peer.call(320, &fields.list(), body.clone()).await;
        if sent.code != ResponseCode::SYSTEM_BUSY.0 {
            return sent;
        }
    }
}

/// Offset, flags, length of the body and properties of each record in a body.
fn records(answer: &RemotingCommand) -> Vec<(i64, i32, usize, String)> {
    let mut rest = &answer.body[..];
    let mut records = Vec::new();
    let int = |bytes: &[u8], at: usize| i32::from_be_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
    while !rest.is_empty() {
        let (record, behind) = rest.split_at(int(rest, 0) as usize);
        let body = int(record, 84) as usize;
        let properties = &record[88 + body..];
        let properties = &properties[1 + usize::from(properties[0]) + 2..];
        let properties = String::from_utf8_lossy(properties).replace('\u{1}', "=").replace('\u{2}', " ");
        records.push((i64::from(int(record, 24)), int(record, 36), body, properties));
        rest = behind;
    }
    records
}

fn offsets(answer: &RemotingCommand) -> Vec<i64> {
    records(answer).iter().map(|record| record.0).collect()
}

#[tokio::test]
async fn a_batch_is_one_record_that_takes_an_offset_for_each_message() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let topic = new_topic(&peer).await;
    let sent = send(&peer, &topic, 3, "UNIQ_KEY\u{1}W1\u{2}TAGS\u{1}A\u{2}mine\u{1}x").await;
    let named = ["batchUniqId", "transactionId", "queueOffset"].map(|name| field(&sent, name));
    assert_eq!(named, ["W1", "W1", "0"]);
    assert!(!field(&sent, "msgId").contains(','));
    assert_eq!(number(&send(&peer, &topic, 5, "UNIQ_KEY\u{1}W2").await, "queueOffset"), 3);
    let plain = send(&peer, &topic, 2, "").await;
    assert_eq!((number(&plain, "queueOffset"), field(&plain, "msgId").contains(',')), (8, true));
    let delayed = send(&peer, &topic, 2, "UNIQ_KEY\u{1}W3\u{2}DELAY\u{1}1").await;
    assert_eq!(delayed.code, 13);
    peer.until_visible(&topic, 10).await;

    let pull = async |offset: &str, count: &str| {
        let fields =
            pull_fields("TOOLS_CONSUMER", &topic).with(&[("queueOffset", offset), ("maxMsgNums", count)]);
        let fields = fields.with(&[("sysFlag", "4"), ("subscription", "*"), ("expressionType", "TAG")]);
        peer.call(11, &fields.list(), "").await
    };
    let all = pull("0", "32").await;
    assert_eq!(offsets(&all), [0, 3, 8, 9]);
    let first = &records(&all)[0];
    let properties = "INNER_BASE=0 MSG_REGION=DefaultRegion UNIQ_KEY=W1 CLUSTER=DefaultCluster TAGS=A mine=x \
                      TRACE_ON=true INNER_NUM=3 ";
    assert_eq!((first.1, first.2, &*first.3), (0xC0, 69, properties));
    for (offset, count, found, next) in [
        ("1", "32", &[0, 3, 8, 9][..], 10),
        ("7", "32", &[3, 8, 9], 10),
        ("0", "1", &[0], 3),
        ("2", "1", &[0], 3),
        ("0", "7", &[0], 3),
        ("0", "8", &[0, 3], 8),
    ] {
        let pulled = pull(offset, count).await;
        assert_eq!(
            (offsets(&pulled), number(&pulled, "nextBeginOffset")),
            (found.to_vec(), next),
            "{offset}"
        );
    }
    assert_eq!(pull("10", "32").await.code, 19);

    let group = fresh_group("inner");
    let pop = [("consumerGroup", &*group), ("topic", &topic), ("queueId", "0"), ("maxMsgNums", "32")];
    let pop = Fields::from(&pop).with(&[("invisibleTime", "60000"), ("pollTime", "0"), ("bornTime", "0")]);
    let popped = peer.call(200_050, &pop.with(&[("initMode", "0")]).list(), "").await;
    assert_eq!(field(&popped, "msgOffsetInfo"), "0 0 0,3,8,9");
    let query = [("topic", &*topic), ("key", "W1"), ("maxNum", "9"), ("beginTimestamp", "0")];
    let query = Fields::from(&query).with(&[("endTimestamp", "9223372036854775807")]);
    let found = peer.until(12, &query.list(), |answer| answer.code == 0).await;
    assert_eq!(offsets(&found), [0]);
}

#[tokio::test]
async fn an_ordinary_topic_splits_a_batch_with_an_id() {
    let name_server = &*stage::name_server().await;
    let peer = Peer::new(name_server).await;
    let sent = send(&peer, &fresh_topic("plain"), 2, "UNIQ_KEY\u{1}W").await;
    assert_eq!(field(&sent, "transactionId"), "W");
    assert!(field(&sent, "msgId").contains(',') && sent.ext_fields.get("batchUniqId").is_none());
}
