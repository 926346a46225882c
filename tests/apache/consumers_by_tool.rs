//! Apache's tool looks at consumers of this client, and moves them.

use std::time::Duration;

use rocketmq::admin::{Brokers, SubscriptionGroupConfig};
use rocketmq::consumer::{ConsumeFromWhere, ConsumerEvent, PullConsumer, PushConsumer};

use crate::cases::consumer::support::{Seen, bodies, consumer, fresh_group, send, until};
use crate::cases::support::{Site, eventually};
use crate::mqadmin::mqadmin;
use crate::stage;

/// Runs the tool while consumers go on.
async fn tool(name_server: &str, arguments: &[&str]) -> String {
    let command: Vec<String> =
        arguments.iter().chain(&["-n", name_server]).map(|argument| (*argument).to_owned()).collect();
    let run = move || mqadmin(&command.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.expect("the tool runs")
}

async fn start(name_server: &str, group: &str, topic: &str, seen: &Seen) -> PushConsumer {
    let collect = seen.clone();
    let consumer = consumer(name_server, group).subscribe(topic, "*").listener(move |message, _| {
        collect.add(message);
        async {}
    });
    consumer.option(|option| _ = option.set_persist_offset_interval(200)).start().await.expect("it starts")
}

/// The line of the output that holds all of these texts.
fn line<'a>(output: &'a str, texts: &[&str]) -> &'a str {
    let has_all = |line: &&str| texts.iter().all(|text| line.contains(text));
    output.lines().find(has_all).unwrap_or_else(|| panic!("no line with {texts:?}:\n{output}"))
}

#[tokio::test]
async fn the_tool_shows_and_moves_a_running_consumer() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group, seen) = (site.create("by_tool", 1).await, fresh_group("by_tool"), Seen::default());
    send(&site, &topic, bodies("m", 5)).await;
    let consumer = start(name_server, &group, &topic, &seen).await;
    let mut events = consumer.events();
    seen.wait_for(5).await;
    let queue = consumer.assignment().into_iter().find(|queue| queue.topic() == topic).expect("its queue");
    eventually("the commit", async || {
        let committed = site.admin.consumer_offset(&group, &queue).await.expect("an answer");
        (committed == Some(5)).then_some(())
    })
    .await;

    let all = tool(name_server, &["consumerStatus", "-g", &group]).await;
    let client = line(&all, &["@", "V5_5_0"]).split_whitespace().nth(1).expect("a client id").to_owned();
    let one = tool(name_server, &["consumerStatus", "-g", &group, "-i", &client]).await;
    line(&one, &["PROP_CONSUME_TYPE", "CONSUME_PASSIVELY"]);
    line(&one, &["PROP_CLIENT_VERSION", "V5_5_0"]);
    line(&one, &["Topic: ", &topic, "SubExpression: *"]);
    let offset = line(&one, &[&topic, "broker-a", " 5"]);
    assert_eq!(offset.split_whitespace().collect::<Vec<_>>(), [&*topic, "broker-a", "0", "5"]);
    line(&one, &["commitOffset=5", "cachedMsgCount=0"]);
    let with_stacks = tool(name_server, &["consumerStatus", "-g", &group, "-i", &client, "-s", "true"]).await;
    line(&with_stacks, &["PROP_CONSUME_TYPE"]);

    let progress = tool(name_server, &["consumerProgress", "-g", &group, "-s", "true"]).await;
    let of_queue: Vec<_> = line(&progress, &[&topic, "broker-a"]).split_whitespace().collect();
    assert_eq!(of_queue[2..5], ["0", "5", "5"], "{progress}");
    let ip = client.split('@').next().expect("an address");
    assert_eq!(of_queue[5], ip, "it knows who has the queue: {progress}");
    line(&progress, &["Diff Total: 0"]);

    tool(name_server, &["resetOffsetByTime", "-g", &group, "-t", &topic, "-s", "0", "-f", "true"]).await;
    until("all again", || seen.len() >= 10).await;
    let moved =
        |event: ConsumerEvent| matches!(event, ConsumerEvent::OffsetReset { from: Some(5), to: 0, .. });
    assert!(std::iter::from_fn(|| events.try_next()).any(moved));
    assert!(consumer.shutdown().await.expect("it runs").is_clean());
    assert!(seen.counts().values().all(|count| *count == 2), "{:?}", seen.counts());
}

#[tokio::test]
async fn a_group_that_the_tool_cloned_goes_on_where_the_other_is() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group, clone) = (site.create("clone", 1).await, fresh_group("clone"), fresh_group("clone"));
    let (seen, by_clone) = (Seen::default(), Seen::default());
    send(&site, &topic, bodies("m", 5)).await;
    let consumer = start(name_server, &group, &topic, &seen).await;
    seen.wait_for(5).await;
    assert!(consumer.shutdown().await.expect("it runs").is_clean());
    // The other group must be there: it comes with its first member.
    let idle = start(name_server, &clone, &site.create("clone_idle", 1).await, &Seen::default()).await;
    idle.shutdown().await.expect("it runs");
    let said = tool(name_server, &["cloneGroupOffset", "-s", &group, "-d", &clone, "-t", &topic]).await;
    line(&said, &["clone group offset success", &clone]);
    let consumer = start(name_server, &clone, &topic, &by_clone).await;
    send(&site, &topic, ["new".to_owned()]).await;
    until("the new message", || by_clone.bodies().contains(&"new".to_owned())).await;
    assert!(consumer.shutdown().await.expect("it runs").is_clean());
    assert_eq!(by_clone.bodies(), ["new"]);
}

#[tokio::test]
async fn the_tool_has_a_running_consumer_consume_a_message() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group, seen) =
        (site.create("tool_direct", 1).await, fresh_group("tool_direct"), Seen::default());
    send(&site, &topic, bodies("m", 3)).await;
    let consumer = start(name_server, &group, &topic, &seen).await;
    seen.wait_for(3).await;
    let connections = tool(name_server, &["consumerConnection", "-g", &group]).await;
    line(&connections, &["ConsumeType: CONSUME_PASSIVELY"]);
    line(&connections, &["MessageModel: CLUSTERING"]);
    let member = site.admin.consumer_connections(&group).await.expect("answers").done.remove(0).1;
    let client = member.expect("it is online").connection_set.remove(0).client_id;
    line(&connections, &[&client, "V5_5_0"]);
    let queue = consumer.assignment().into_iter().find(|queue| queue.topic() == topic).expect("its queue");
    let message = site.pull_one(&queue, 1).await;
    let id = message.offset_msg_id();
    let said =
        tool(name_server, &["queryMsgById", "-t", &topic, "-i", id, "-g", &group, "-d", &client]).await;
    line(&said, &["consumeResult=CR_SUCCESS", "order=false"]);
    assert_eq!(seen.counts()["m1"], 2);
    consumer.shutdown().await.expect("it runs");
}

async fn poll(consumer: &mut PullConsumer, count: usize) -> Vec<i64> {
    let (mut offsets, began) = (Vec::new(), std::time::Instant::now());
    while offsets.len() < count {
        assert!(began.elapsed() < Duration::from_secs(60), "{count} messages: {offsets:?}");
        let messages = consumer.poll(Duration::from_millis(500)).await.expect("it runs");
        offsets.extend(messages.iter().map(|message| message.queue_offset()));
    }
    offsets
}

#[tokio::test]
async fn the_tool_shows_moves_and_clones_a_pull_consumer() {
    let name_server = &*stage::name_server().await;
    let site = Site::new(name_server).await;
    let (topic, group, clone) =
        (site.create("pull_tool", 1).await, fresh_group("pull_tool"), fresh_group("pull_tool"));
    send(&site, &topic, bodies("m", 5)).await;
    let puller = |group: &str| {
        PullConsumer::builder(group).name_server_addr(name_server).subscribe(&topic, "*").option(|option| {
            option.set_consume_from_where(ConsumeFromWhere::First).set_broker_suspend_max_time(2000);
        })
    };
    let mut consumer = puller(&group).start().await.expect("it starts");
    assert_eq!(poll(&mut consumer, 5).await, [0, 1, 2, 3, 4]);
    consumer.commit().await.expect("committed");

    // What the tool says of Java's lite pull consumer.
    let connections = tool(name_server, &["consumerConnection", "-g", &group]).await;
    line(&connections, &["ConsumeType: CONSUME_ACTIVELY"]);
    line(&connections, &["MessageModel: CLUSTERING"]);
    line(&connections, &[&topic, " *"]);
    let all = tool(name_server, &["consumerStatus", "-g", &group]).await;
    let client = line(&all, &["@", "V5_5_0"]).split_whitespace().nth(1).expect("a client id").to_owned();
    let one = tool(name_server, &["consumerStatus", "-g", &group, "-i", &client]).await;
    line(&one, &["PROP_CONSUME_TYPE", "CONSUME_ACTIVELY"]);
    line(&one, &["commitOffset=5", "cachedMsgCount=0"]);
    let progress = tool(name_server, &["consumerProgress", "-g", &group, "-s", "true"]).await;
    let of_queue: Vec<_> = line(&progress, &[&topic, "broker-a"]).split_whitespace().collect();
    assert_eq!(of_queue[2..5], ["0", "5", "5"], "{progress}");
    assert_eq!(Some(of_queue[5]), client.split('@').next(), "it knows who has the queue: {progress}");

    tool(name_server, &["resetOffsetByTime", "-g", &group, "-t", &topic, "-s", "0", "-f", "true"]).await;
    assert_eq!(poll(&mut consumer, 5).await, [0, 1, 2, 3, 4], "the reset brings them again");
    consumer.commit().await.expect("committed");
    let queue = consumer.assignment().remove(0);
    let message = site.pull_one(&queue, 1).await;
    let direct = site.admin.consume_message_directly(&group, &client, &topic, message.offset_msg_id()).await;
    let error = direct.expect_err("it has no listener");
    assert_eq!(error.response_code().map(|code| code.0), Some(1), "{error}");
    assert!(consumer.shutdown().await.expect("it runs").is_clean());
    tool(name_server, &["resetOffsetByTime", "-g", &group, "-t", &topic, "-s", "0", "-f", "true"]).await;
    let mut consumer = puller(&group).start().await.expect("it starts");
    assert_eq!(poll(&mut consumer, 5).await, [0, 1, 2, 3, 4], "a group that was offline starts there");
    consumer.commit().await.expect("committed");
    consumer.shutdown().await.expect("it runs");

    let config = SubscriptionGroupConfig::new(&clone);
    site.admin.create_subscription_group(&config, &Brokers::All).await.expect("created");
    let said = tool(name_server, &["cloneGroupOffset", "-s", &group, "-d", &clone, "-t", &topic]).await;
    line(&said, &["clone group offset success", &clone]);
    let mut consumer = puller(&clone).start().await.expect("it starts");
    send(&site, &topic, ["new".to_owned()]).await;
    assert_eq!(poll(&mut consumer, 1).await, [5]);
    consumer.shutdown().await.expect("it runs");
}
