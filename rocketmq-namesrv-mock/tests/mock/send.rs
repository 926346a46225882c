//! Sends of one message: where they are stored, with what, and what is turned down.

use rocketmq_namesrv_mock::MockCluster;
use rocketmq_remoting::protocol::{ExtFields, RemotingCommand, RequestCode, SerializeType};

use crate::support::*;

async fn start() -> (MockCluster, Peer) {
    let cluster = MockCluster::start().await.unwrap();
    let peer = Peer::broker(&cluster).await;
    (cluster, peer)
}

/// A refusal that carries what nearly every answer to a send carries.
#[track_caller]
fn assert_refused(answer: &RemotingCommand, code: i32, remark: &str) {
    assert_eq!(verdict(answer), (code, remark));
    assert_eq!(answer.ext_fields, region_fields());
}

/// What an exception in the broker becomes: no fields at all.
#[track_caller]
fn assert_exception(answer: &RemotingCommand, class: &str) {
    assert_eq!(answer.code, 1, "{answer:?}");
    assert!(answer.remark().starts_with(class), "{answer:?}");
    assert!(!answer.ext_fields.is_present(), "{answer:?}");
}

const NULL: &str = "java.lang.NullPointerException";
const BAD_NUMBER: &str = "java.lang.NumberFormatException";
const ILLEGAL: &str = "the message is illegal, maybe msg body or properties length not matched. \
    msg body length limit 4194304B, msg properties length limit 32KB.";
const NO_TOPIC: &str = "topic[T] not exist, apply first please!\n\
    See https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.";

#[tokio::test]
async fn a_message_gets_the_next_offset_of_its_queue_and_a_place_in_the_log() {
    let (cluster, mut peer) = start().await;
    let first = peer.call(with(send_to("T"), &[("i", &wire("UNIQ_KEY=abc"))])).await;
    let expected = ["MSG_REGION", "TRACE_ON", "msgId", "queueId", "queueOffset", "transactionId"];
    assert_eq!(fields(&first).into_iter().map(|(name, _)| name).collect::<Vec<_>>(), expected);
    assert_eq!(verdict(&first), (0, ""));
    assert_eq!((field(&first, "transactionId"), field(&first, "queueOffset")), ("abc".into(), "0".into()));
    let second = peer.call(send_to("T")).await;
    assert_eq!(field(&second, "queueOffset"), "1");
    let messages = cluster.messages("T");
    assert_eq!(messages[0].commit_log_offset(), 0);
    assert_eq!(messages[1].commit_log_offset(), messages[0].store_size() as i64);
    assert_eq!(field(&second, "msgId"), messages[1].offset_msg_id());
    assert_eq!(messages[1].store_host(), cluster.broker_addr("broker-a").unwrap());
    assert_eq!((messages[0].born_host(), messages[0].broker_name()), (peer.local_addr(), "broker-a"));
}

#[tokio::test]
async fn long_and_short_names_go_with_their_codes() {
    let (cluster, mut peer) = start().await;
    let names = ["producerGroup", "topic", "defaultTopic", "defaultTopicQueueNums"];
    let names = names.into_iter().chain(["queueId", "sysFlag", "bornTimestamp", "flag"]);
    let short = send_to("T");
    let values = short.ext_fields.iter().map(|(_, value)| value.into_owned()).collect::<Vec<_>>();
    let long_names: ExtFields = names.zip(values).collect();
    let mut long = short.clone();
    (long.code, long.ext_fields) = (10, long_names.clone());
    assert_eq!(peer.call(long).await.code, 0);
    for code in [310, 320] {
        let mut mixed = short.clone();
        (mixed.code, mixed.ext_fields) = (code, long_names.clone());
        assert_exception(&peer.call(mixed).await, NULL);
    }
    let mut mixed = short.clone();
    mixed.code = 10;
    assert_exception(&peer.call(mixed).await, NULL);
    assert_eq!(cluster.message_count("T"), 1);
}

#[tokio::test]
async fn fields_are_needed_when_they_are_used() {
    let (cluster, mut peer) = start().await;
    cluster.create_topic("T", 4).unwrap();
    for name in ["a", "c", "d"] {
        assert_eq!(peer.call(without(send_to("T"), name)).await.code, 0, "{name}");
    }
    for name in ["b", "e", "f", "g", "h"] {
        assert_exception(&peer.call(without(send_to("T"), name)).await, NULL);
    }
    for name in ["c", "d"] {
        assert_exception(&peer.call(without(send_to("New"), name)).await, NULL);
    }
    assert_exception(&peer.call(request(RequestCode::SEND_MESSAGE_V2, &[]).with_body("b")).await, NULL);
    assert_exception(&peer.call(send_to("T").with_body("")).await, NULL);
}

#[tokio::test]
async fn numbers_that_are_none_fail_in_the_short_form_and_are_missing_in_the_long_one() {
    let (cluster, mut peer) = start().await;
    assert_exception(&peer.call(with(send_to("T"), &[("j", "x")])).await, BAD_NUMBER);
    assert_exception(&peer.call(with(send_to("T"), &[("e", "")])).await, BAD_NUMBER);
    peer.serialize_type = SerializeType::RocketMq;
    assert_exception(&peer.call(with(send_to("T"), &[("e", "")])).await, NULL);
    assert_eq!(peer.call(with(send_to("T"), &[("i", ""), ("k", "")])).await.code, 0);
    assert_eq!(cluster.message_count("T"), 1);
}

#[tokio::test]
async fn a_send_creates_its_topic_with_the_queues_of_the_default_topic_at_most() {
    let (cluster, mut peer) = start().await;
    for (asked, made) in [("2", 2), ("4", 4), ("8", 8), ("16", 8)] {
        let topic = format!("T{asked}");
        assert_eq!(peer.call(with(send_to(&topic), &[("d", asked)])).await.code, 0);
        assert_eq!(cluster.queue_offsets(&topic).len(), made);
    }
    let retry = peer.call(send_to("%RETRY%g")).await;
    assert_eq!((retry.code, cluster.queue_offsets("%RETRY%g").len()), (0, 4));
    assert_eq!(peer.call(send_to("%DLQ%g")).await.code, 0);
    assert_eq!(cluster.queue_offsets("%DLQ%g").len(), 4);
}

#[tokio::test]
async fn a_topic_that_is_created_without_queues_stays_unusable() {
    let (_cluster, mut peer) = start().await;
    for asked in ["0", "4"] {
        let answer = peer.call(with(send_to("T"), &[("d", asked)])).await;
        assert_eq!(answer.code, 29);
        assert!(
            answer
                .remark()
                .starts_with("request queueId[0] is illegal, TopicConfig [topicName=T, readQueueNums=0")
        );
    }
    assert_exception(&peer.call(with(send_to("T"), &[("e", "-1")])).await, "java.lang.ArithmeticException");
}

#[tokio::test]
async fn topics_are_not_created_from_any_topic() {
    let (_cluster, mut peer) = start().await;
    for default in ["missing", "SELF_TEST_TOPIC"] {
        assert_refused(&peer.call(with(send_to("T"), &[("c", default)])).await, 17, NO_TOPIC);
    }
    let cluster = MockCluster::builder().auto_create_topic(false).start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    assert_refused(&peer.call(send_to("T")).await, 17, NO_TOPIC);
    assert_eq!(peer.call(send_to("%RETRY%g")).await.code, 0);
    assert_eq!(cluster.queue_offsets("%RETRY%g").len(), 1);
}

#[tokio::test]
async fn queues_are_checked_and_chosen() {
    let (cluster, mut peer) = start().await;
    cluster.create_topic("T", 4).unwrap();
    let answer = peer.call(with(send_to("T"), &[("e", "4")])).await;
    let remark = format!(
        "request queueId[4] is illegal, TopicConfig [topicName=T, readQueueNums=4, writeQueueNums=4, perm=RW-, \
         topicFilterType=SINGLE_TAG, topicSysFlag=0, order=false, attributes={{}}] Producer: {}",
        peer.local_addr()
    );
    assert_refused(&answer, 29, &remark);
    for _ in 0..20 {
        let answer = peer.call(with(send_to("T"), &[("e", "-1")])).await;
        let queue = cluster.messages("T").last().unwrap().queue_id();
        assert_eq!(field(&answer, "queueId"), queue.to_string());
        assert!((0..4).contains(&queue));
    }
}

#[tokio::test]
async fn names_are_checked() {
    let (_cluster, mut peer) = start().await;
    let long = "t".repeat(128);
    assert_eq!(peer.call(send_to(&long[1..])).await.code, 0);
    let remark = format!("The specified topic: {long}, is longer than topic max length: 127");
    assert_refused(&peer.call(send_to(&long)).await, 29, &remark);
    assert_refused(&peer.call(send_to(" ")).await, 29, "The specified topic is blank.");
    let remark = "The specified topic: a.b, contains illegal characters, allowing only ^[%|a-zA-Z0-9_-]+$";
    assert_refused(&peer.call(send_to("a.b")).await, 29, remark);
    let dead_letters = format!("%DLQ%{}", "g".repeat(200));
    assert_refused(&peer.call(send_to(&dead_letters)).await, 13, ILLEGAL);
    let retry = peer.call(send_to(&format!("%RETRY%{}", "g".repeat(121)))).await;
    assert_eq!(retry.code, 26);
    assert!(retry.remark().starts_with("subscription group not exist, ggg"));
}

#[tokio::test]
async fn some_topics_belong_to_the_broker() {
    let (_cluster, mut peer) = start().await;
    let forbidden = [
        "SCHEDULE_TOPIC_XXXX",
        "RMQ_SYS_TRANS_HALF_TOPIC",
        "RMQ_SYS_TRANS_OP_HALF_TOPIC",
        "TRANS_CHECK_MAX_TIME_TOPIC",
        "SELF_TEST_TOPIC",
        "OFFSET_MOVED_EVENT",
    ];
    for topic in forbidden {
        let remark = format!("Sending message to topic[{topic}] is forbidden.");
        assert_refused(&peer.call(send_to(topic)).await, 16, &remark);
    }
    for topic in ["TBW102", "BenchmarkTest", "RMQ_SYS_TRACE_TOPIC", "rmq_sys_x", "DefaultCluster", "broker-a"]
    {
        assert_eq!(peer.call(send_to(topic)).await.code, 0, "{topic}");
    }
}

#[tokio::test]
async fn bodies_have_at_most_4_mib_as_transmitted() {
    let (cluster, mut peer) = start().await;
    assert_eq!(peer.call(send_to("T").with_body(vec![b'x'; 4_194_304])).await.code, 0);
    assert_refused(&peer.call(send_to("T").with_body(vec![b'x'; 4_194_305])).await, 13, ILLEGAL);
    assert_eq!(cluster.message_count("T"), 1);
}

#[tokio::test]
async fn properties_have_at_most_32767_bytes_with_those_of_the_broker() {
    let (cluster, mut peer) = start().await;
    // MSG_REGION=DefaultRegion, UNIQ_KEY=u, CLUSTER=DefaultCluster, TRACE_ON=true with two separators each.
    let added = 25 + 11 + 23 + 14;
    let text = |length: usize| wire(&format!("UNIQ_KEY=u k={}", "v".repeat(length - 11 - 3)));
    let fits = 32_767 - added + 11;
    assert_refused(&peer.call(with(send_to("T"), &[("i", &text(fits + 1))])).await, 13, ILLEGAL);
    assert_eq!(peer.call(with(send_to("T"), &[("i", &text(fits))])).await.code, 0);
    assert_eq!(cluster.messages("T")[0].properties().len_bytes(), 32_767);
}

#[tokio::test]
async fn the_broker_adds_its_properties_and_drops_what_makes_no_sense() {
    let (cluster, mut peer) = start().await;
    let sent = "WAIT=false TAGS=A TAGS=B CLUSTER=mine MSG_REGION=mine TRACE_ON=false POP_CK=x noValue= =noName entry \
                __RMQ.TRANSIENT.x=y";
    let sent = wire(sent) + "soh\u{1}a\u{1}b\u{2}unicode\u{1}\u{e4}\u{20ac}";
    assert_eq!(peer.call(with(send_to("T"), &[("i", &sent), ("h", "7"), ("j", "5")])).await.code, 0);
    let message = &cluster.messages("T")[0];
    let own: Vec<_> = message.properties().iter().filter(|(name, _)| !["UNIQ_KEY"].contains(name)).collect();
    let expected = [
        ("MSG_REGION", "DefaultRegion"),
        ("CLUSTER", "DefaultCluster"),
        ("TAGS", "B"),
        ("WAIT", "false"),
        ("TRACE_ON", "true"),
        ("__RMQ.TRANSIENT.x", "y"),
        ("soh", "a\u{1}b"),
        ("unicode", "\u{e4}\u{20ac}"),
    ];
    for pair in expected {
        assert!(own.contains(&pair), "{pair:?} in {own:?}");
    }
    assert_eq!(own.len(), expected.len());
    assert_eq!((message.flag(), message.reconsume_times()), (7, 5));
    assert_eq!(message.unique_key().map(str::len), Some(32));
    assert_eq!(message.born_timestamp(), 1_700_000_000_000);
}

#[tokio::test]
async fn compression_bits_are_stored_as_they_come() {
    let (cluster, mut peer) = start().await;
    for bits in [0x301, 0x001, 0x101, 0x201, 0x401, 0x701] {
        assert_eq!(peer.call(with(send_to("T"), &[("f", &format!("{bits}"))])).await.code, 0);
        let message = cluster.messages("T").pop().unwrap();
        assert_eq!((message.sys_flag().bits(), &message.body()[..]), (bits, &b"hello"[..]));
    }
}

#[tokio::test]
async fn flags_of_inner_batches_are_turned_down() {
    let (_cluster, mut peer) = start().await;
    for bits in ["128", "192"] {
        assert_refused(&peer.call(with(send_to("T"), &[("f", bits)])).await, 13, ILLEGAL);
    }
    assert_refused(&peer.call(with(send_to("T"), &[("i", &wire("INNER_NUM=2"))])).await, 13, ILLEGAL);
}

#[tokio::test]
async fn a_flag_of_an_address_that_is_not_there_loses_the_message_and_an_offset() {
    let (cluster, mut peer) = start().await;
    for bits in ["16", "32"] {
        assert_eq!(peer.call(with(send_to("T"), &[("f", bits)])).await.code, 0);
    }
    assert_eq!(field(&peer.call(send_to("T")).await, "queueOffset"), "2");
    assert_eq!(cluster.message_count("T"), 1);
    assert_eq!(cluster.queue_offsets("T")[0].max, 1);
}

#[tokio::test]
async fn levels_and_timers_have_to_make_sense() {
    let (cluster, mut peer) = start().await;
    assert_exception(&peer.call(with(send_to("T"), &[("i", &wire("DELAY=x"))])).await, BAD_NUMBER);
    let too_far = peer.call(with(send_to("T"), &[("i", &wire("TIMER_DELAY_SEC=259201"))])).await;
    let remark = "timer message illegal, the delay time should not be bigger than the max delay 259200000ms; \
                  or if set del msg, the delay time should be bigger than the current time";
    assert_refused(&too_far, 13, remark);
    assert_eq!(cluster.message_count("T"), 0);
    for properties in ["DELAY=0", "DELAY=-1", "TIMER_DELIVER_MS=1", "TRAN_MSG=false"] {
        assert_eq!(peer.call(with(send_to("T"), &[("i", &wire(properties))])).await.code, 0);
    }
}

#[tokio::test]
async fn a_retry_that_came_too_often_goes_to_the_dead_letters() {
    let (cluster, mut peer) = start().await;
    let retry = |times: &str, allowed: &str| with(send_to("%RETRY%g"), &[("j", times), ("l", allowed)]);
    assert_eq!(peer.call(retry("2", "2")).await.code, 0);
    assert_eq!(peer.call(with(retry("3", "2"), &[("e", "1")])).await.code, 0);
    let mut old = retry("3", "2");
    old.version = 100;
    assert_eq!(peer.call(old).await.code, 0);
    assert_eq!(cluster.message_count("%RETRY%g"), 2);
    let dead = &cluster.messages("%DLQ%g")[0];
    assert_eq!((dead.queue_id(), dead.reconsume_times(), dead.property("DELAY")), (0, 3, Some("-1")));
    assert_eq!(cluster.queue_offsets("%DLQ%g").len(), 1);
}

#[tokio::test]
async fn a_client_on_ipv6_is_stored_with_its_address() {
    let cluster = MockCluster::builder().ipv6(true).start().await.unwrap();
    let mut peer = Peer::broker(&cluster).await;
    let answer = peer.call(send_to("T")).await;
    assert_eq!((answer.code, field(&answer, "msgId").len()), (0, 56));
    let message = &cluster.messages("T")[0];
    assert_eq!((message.born_host(), message.sys_flag().bits()), (peer.local_addr(), 0x30));
    assert_eq!(field(&answer, "msgId"), message.offset_msg_id());
}
