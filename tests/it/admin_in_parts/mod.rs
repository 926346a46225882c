//! Admin calls to a cluster of which a part fails. `support` is that cluster.

mod support;

use std::time::{Duration, Instant};

use rocketmq::admin::{Brokers, TopicConfig};
use rocketmq::error::MQClientError;
use rocketmq::model::MessageQueue;
use rocketmq_remoting::protocol::body::{TopicConfigAndQueueMapping, TopicStatsTable, encode_body};
use rocketmq_remoting::protocol::header::QueryMessageResponseHeader;
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, ResponseCode};

use support::{Cluster, names, ok, refusal};

/// By how much a busy machine may exceed the limit of a call.
const SLACK: Duration = Duration::from_secs(3);

fn nothing_found(_: &RemotingCommand, _: usize) -> Option<RemotingCommand> {
    refusal(ResponseCode::QUERY_NOT_FOUND)
}

fn forbidden(_: &RemotingCommand, _: usize) -> Option<RemotingCommand> {
    refusal(ResponseCode::NO_PERMISSION)
}

fn silent(_: &RemotingCommand, _: usize) -> Option<RemotingCommand> {
    None
}

#[tokio::test]
async fn a_busy_master_is_tried_again_and_one_that_refuses_is_not() {
    let cluster = Cluster::start(&[
        ("good", ok),
        ("busy", |_, before| {
            if before < 2 { refusal(ResponseCode::SYSTEM_BUSY) } else { refusal(ResponseCode::SUCCESS) }
        }),
        ("always_busy", |_, _| refusal(ResponseCode::SYSTEM_BUSY)),
        ("strict", |_, _| refusal(ResponseCode::INVALID_PARAMETER)),
        ("headless-1", ok),
    ])
    .await;
    let created = cluster.admin.create_topic(&TopicConfig::new("T", 4), &Brokers::cluster("Cluster")).await;
    let created = created.expect("two masters have it");
    let (done, failed) = names(&created);
    assert_eq!(done, ["busy", "good"]);
    let codes: Vec<_> = failed
        .iter()
        .map(|(name, error)| (name.as_str(), error.response_code().map(|code| code.0)))
        .collect();
    assert_eq!(codes, [("always_busy", Some(2)), ("headless", None), ("strict", Some(29))]);
    assert!(matches!(failed[1].1, MQClientError::NoMaster { .. }), "{:?}", failed[1]);
    let tries = ["good", "busy", "always_busy", "strict", "headless-1"]
        .map(|broker| cluster.count(broker, RequestCode::UPDATE_AND_CREATE_TOPIC));
    assert_eq!(tries, [1, 3, 5, 1, 0]);
}

#[tokio::test]
async fn a_topic_that_no_master_creates_is_an_error_with_every_reason() {
    let cluster = Cluster::start(&[("a", forbidden), ("b", forbidden)]).await;
    let error = cluster.admin.create_topic(&TopicConfig::new("T", 4), &Brokers::All).await.unwrap_err();
    assert_eq!(error.response_code(), Some(ResponseCode::NO_PERMISSION));
    let text = error.to_string();
    assert!(
        text.contains("2 of 2 failed") && text.contains("a (master, ") && text.contains("b (master, "),
        "{text}"
    );
}

#[tokio::test]
async fn a_topic_is_deleted_from_slaves_and_name_servers_too() {
    let cluster = Cluster::start(&[("a", ok), ("a-1", forbidden), ("b", ok)]).await;
    let deleted = cluster.admin.delete_topic("T", "Cluster").await.expect("most have deleted it");
    let (done, failed) = names(&deleted);
    assert_eq!(done, ["a", "b", "NameServer"]);
    assert_eq!(failed.len(), 1);
    assert!(deleted.failed[0].0.to_string().starts_with("a (slave 1, "), "{deleted:?}");
    let forgot = cluster.name_server.seen(RequestCode::DELETE_TOPIC_IN_NAMESRV);
    let field = |name: &str| forgot[0].request.ext_fields.get(name).map(|value| value.to_string());
    assert_eq!((field("topic").as_deref(), field("clusterName").as_deref()), (Some("T"), Some("Cluster")));
    assert_eq!(cluster.name_server.seen(RequestCode::DELETE_KV_CONFIG).len(), 1);
}

#[tokio::test]
async fn name_servers_keep_the_route_of_a_topic_that_no_broker_deletes() {
    let cluster = Cluster::start(&[("a", forbidden)]).await;
    let error = cluster.admin.delete_topic("T", "Cluster").await.unwrap_err();
    assert_eq!(error.response_code(), Some(ResponseCode::NO_PERMISSION));
    assert!(cluster.name_server.seen(RequestCode::DELETE_TOPIC_IN_NAMESRV).is_empty());
}

#[tokio::test]
async fn a_silent_broker_costs_its_time_out_once_and_nobody_else() {
    let cluster = Cluster::start(&[("good", ok), ("silent", silent), ("silent2", silent)]).await;
    let began = Instant::now();
    let error = cluster.admin.broker_runtime_info(&Brokers::named(["silent"])).await.unwrap_err();
    assert!(matches!(error, MQClientError::FanOut { asked: 1, .. }), "{error}");
    let answers = cluster.admin.max_offsets("T").await;
    // An answer without an offset cannot be read.
    let MQClientError::FanOut { asked: 6, failures, .. } = answers.unwrap_err() else { panic!("all failed") };
    let good = failures.iter().filter(|failure| matches!(failure.error, MQClientError::BadAnswer { .. }));
    let silent = failures.iter().filter(|failure| matches!(failure.error, MQClientError::Remoting { .. }));
    assert_eq!((good.count(), silent.count()), (2, 4));
    assert!(began.elapsed() < SLACK, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_message_is_absent_only_if_every_broker_says_so() {
    let cluster =
        Cluster::start(&[("a", nothing_found), ("b", |_, _| refusal(ResponseCode::NO_MESSAGE))]).await;
    assert_eq!(cluster.admin.view_message_by_unique_key("T", "ID").await.expect("certain"), None);
    assert_eq!(cluster.admin.message("T", "ID").await.expect("certain"), None);

    let cluster = Cluster::start(&[("a", nothing_found), ("b", forbidden)]).await;
    let found = cluster.admin.query_by_unique_key("T", "ID", ..).await.expect("one broker answered");
    assert!(found.messages.is_empty());
    assert_eq!((found.failed.len(), found.failed[0].0.broker_name()), (1, Some("b")));
    let error = cluster.admin.view_message_by_unique_key("T", "ID").await.expect_err("not certain");
    assert_eq!(error.response_code(), Some(ResponseCode::NO_PERMISSION));
    assert!(cluster.admin.message("T", "ID").await.is_err());
}

#[tokio::test]
async fn records_that_cannot_be_read_are_reported() {
    let cluster = Cluster::start(&[("a", |_, _| {
        let header =
            QueryMessageResponseHeader { index_last_update_timestamp: 77, index_last_update_phyoffset: 1 };
        let answer = RemotingCommand::response(ResponseCode::SUCCESS).with_header(&header);
        Some(answer.with_body("this is no stored message"))
    })])
    .await;
    let found = cluster.admin.query_message("T", "key", 8, ..).await.expect("an answer");
    assert_eq!((found.messages.len(), found.unreadable.len()), (0, 1));
    assert_eq!(found.index_last_update_timestamp, 77);
    let error = cluster.admin.view_message_by_unique_key("T", "ID").await.expect_err("it may be that one");
    assert!(matches!(error, MQClientError::BadAnswer { .. }), "{error}");
}

#[tokio::test]
async fn a_committed_offset_is_there_or_absent_or_unknown() {
    let cluster = Cluster::start(&[
        ("there", |request, _| {
            let asked = request.ext_fields.get("setZeroIfNotFound").map(|value| value.to_string());
            assert_eq!(asked.as_deref(), Some("false"));
            Some(RemotingCommand::response(ResponseCode::SUCCESS).with_field("offset", "7"))
        }),
        ("absent", nothing_found),
        ("unknown", |_, _| refusal(ResponseCode::SYSTEM_ERROR)),
    ])
    .await;
    let offset =
        async |broker: &str| cluster.admin.consumer_offset("G", &MessageQueue::new("T", broker, 0)).await;
    assert_eq!(offset("there").await.expect("an answer"), Some(7));
    assert_eq!(offset("absent").await.expect("an answer"), None);
    assert!(offset("unknown").await.is_err());
    let all = cluster.admin.consumer_offsets("G", "T").await.expect("some answered");
    assert_eq!((all.done.len(), all.failed.len()), (4, 2));
}

#[tokio::test]
async fn brokers_of_4_x_describe_a_topic_without_its_settings() {
    let cluster = Cluster::start(&[
        ("old", |request, _| match request.request_code() {
            RequestCode::GET_TOPIC_STATS_INFO => stats(),
            _ => refusal(ResponseCode::REQUEST_CODE_NOT_SUPPORTED),
        }),
        ("new", |request, _| match request.request_code() {
            RequestCode::GET_TOPIC_STATS_INFO => stats(),
            _ => {
                let body = encode_body(&TopicConfigAndQueueMapping::default()).unwrap();
                Some(RemotingCommand::response(ResponseCode::SUCCESS).with_body(body))
            }
        }),
        ("gone", |_, _| refusal(ResponseCode::TOPIC_NOT_EXIST)),
    ])
    .await;
    let described = cluster.admin.describe_topic("T").await.expect("some answered");
    let (done, failed) = names(&described);
    assert_eq!((done, failed.len()), (vec!["new".to_owned(), "old".to_owned()], 1));
    let queue_nums: Vec<_> = described
        .done
        .iter()
        .map(|(_, on)| on.config.as_ref().map(|config| config.read_queue_nums))
        .collect();
    assert_eq!(queue_nums, [Some(16), None]);
}

fn stats() -> Option<RemotingCommand> {
    let body = encode_body(&TopicStatsTable::default()).unwrap();
    Some(RemotingCommand::response(ResponseCode::SUCCESS).with_body(body))
}

#[tokio::test]
async fn advertised_addresses_are_translated() {
    let cluster = Cluster::start_behind_translation(&[("a", |request, _| match request.request_code() {
        RequestCode::QUERY_CONSUMER_OFFSET => {
            Some(RemotingCommand::response(ResponseCode::SUCCESS).with_field("offset", "3"))
        }
        _ => ok(request, 0),
    })])
    .await;
    let created =
        cluster.admin.create_topic(&TopicConfig::new("T", 4), &Brokers::All).await.expect("reached");
    assert!(created.done[0].0.address().starts_with("behind.127.0.0.1:"), "{created:?}");
    let queue = MessageQueue::new("T", "a", 0);
    assert_eq!(cluster.admin.consumer_offset("G", &queue).await.expect("reached"), Some(3));
    assert!(cluster.admin.consumer_offsets("G", "T").await.expect("reached").is_complete());
}
