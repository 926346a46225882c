//! Finding messages by their keys, and what a broker says of itself.

use std::time::Duration;

use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::body::{KVTable, decode_body};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode};

use crate::support::*;

fn query(key: &str, max_num: &str, begin: i64, end: i64) -> RemotingCommand {
    let (begin, end) = (begin.to_string(), end.to_string());
    let fields = [
        ("topic", "T"),
        ("key", key),
        ("maxNum", max_num),
        ("beginTimestamp", begin.as_str()),
        ("endTimestamp", end.as_str()),
    ];
    request(RequestCode::QUERY_MESSAGE, &fields)
}

fn keyed(keys: &str, unique_key: &str) -> RemotingCommand {
    let properties = format!("KEYS\u{1}{keys}\u{2}UNIQ_KEY\u{1}{unique_key}\u{2}");
    with(send_to("T"), &[("i", &properties)])
}

fn unique_keys(answer: &RemotingCommand) -> Vec<String> {
    records(answer).iter().map(|message| message.unique_key().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn messages_are_found_by_each_word_of_their_keys_and_their_unique_key() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    for (keys, unique_key) in [("kA kB", "u0"), ("kA", "u1"), ("kC kA", "u2")] {
        assert_eq!(peer.call(keyed(keys, unique_key)).await.code, 0);
    }
    let all = |key, max| query(key, max, 0, i64::MAX);
    assert_eq!(unique_keys(&peer.call(all("kB", "32")).await), ["u0"]);
    assert_eq!(unique_keys(&peer.call(all("u1", "32")).await), ["u1"]);
    // The newest of them, the oldest first.
    let answer = peer.call(all("kA", "2")).await;
    assert_eq!(unique_keys(&answer), ["u1", "u2"]);
    let messages = cluster.messages("T");
    assert_eq!(field(&answer, "indexLastUpdatePhyoffset"), messages[2].commit_log_offset().to_string());
    let by_unique_key = with(all("u2", "0"), &[("_UNIQUE_KEY_QUERY", "true")]);
    assert_eq!(unique_keys(&peer.call(by_unique_key).await), ["u2"]);
    for nothing in ["kA kB", "ka", "U0", "x"] {
        let answer = peer.call(all(nothing, "32")).await;
        assert_eq!(verdict(&answer), (22, "can not find message, maybe time range not correct"));
        let expected =
            ["indexLastUpdatePhyoffset", "indexLastUpdateTimestamp"].map(|name| (name.into(), "0".into()));
        assert_eq!(fields(&answer), expected);
    }
}

#[tokio::test]
async fn the_index_knows_the_second_of_a_message() {
    let cluster = MockCluster::builder().virtual_clock(true).start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    peer.call(keyed("k", "u0")).await;
    cluster.advance(Duration::from_millis(2500)).await;
    peer.call(keyed("k", "u1")).await;
    let times: Vec<_> = cluster.messages("T").iter().map(|message| message.store_timestamp()).collect();
    assert_eq!(peer.call(query("k", "32", times[1], times[1])).await.code, 22);
    assert_eq!(unique_keys(&peer.call(query("k", "32", times[1] - 500, times[1])).await), ["u1"]);
    assert_eq!(unique_keys(&peer.call(query("k", "32", times[0], times[0])).await), ["u0"]);
}

#[tokio::test]
async fn a_broker_tells_its_version_and_counts() {
    let cluster = MockCluster::start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    peer.call(send_to("T")).await;
    let answer = peer.call(request(RequestCode::GET_BROKER_RUNTIME_INFO, &[])).await;
    let table: KVTable = decode_body(&answer.body).unwrap();
    let messages = cluster.messages("T");
    for (name, value) in [
        ("brokerVersionDesc", "V5_5_0"),
        ("brokerActive", "true"),
        ("putTps", "0.0 0.0 0.0"),
        ("msgPutTotalTodayNow", "1"),
        ("sendThreadPoolQueueSize", "0"),
        ("earliestMessageTimeStamp", &messages[0].store_timestamp().to_string()),
        ("commitLogMaxOffset", &messages[0].store_size().to_string()),
    ] {
        assert_eq!(table.table[name], value, "{name}");
    }
}
