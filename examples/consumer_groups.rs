//! Consumer groups by their operator: lists and describes them, shows how far each member is, moves a group to other offsets
//! after a dry run, copies offsets to a new group, and sends a dead letter to its consumers once more.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same
//! against that cluster: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example consumer_groups`.

use std::time::Duration;

use rocketmq::admin::{
    Brokers, DLQ_RESEND_TIMES, Keep, QueuePosition, ResendTo, SubscriptionGroupConfig, TopicConfig,
};
use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::consumer::{ConsumeFromWhere, ConsumeOutcome, PushConsumer};
use rocketmq::model::Message;
use rocketmq_namesrv_mock::MockCluster;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt::init();

    let mut option = ClientOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }
    let client = MQClient::new(option);
    client.start().await?;
    let admin = client.admin();

    // Names of its own: the example must not touch other groups.
    let id = std::process::id();
    let (topic, billing, audit) = (format!("Groups_{id}"), format!("billing_{id}"), format!("audit_{id}"));
    admin.create_topic(&TopicConfig::new(&topic, 2), &Brokers::All).await?.into_complete()?;
    let mut config = SubscriptionGroupConfig::new(&billing);
    config.retry_max_times = 3;
    admin.create_subscription_group(&config, &Brokers::All).await?.into_complete()?;

    let producer = client.producer("groups_example_producer").start().await?;
    for number in 0..10 {
        producer.send(Message::new(&topic, format!("invoice {number}"))).await?;
    }
    let consumer = start(&client, &billing, &topic).await?;
    wait_until("the dead letter", async || Ok(admin.count_dead_letters(&billing).await? == 1)).await?;

    for (broker, groups) in admin.subscription_groups(&Brokers::All).await?.done {
        println!("list      {broker} has {} groups", groups.len());
    }
    for (broker, group) in admin.describe_group(&billing).await?.done {
        let retries = group.config.map(|config| config.retry_max_times);
        let members = group.members.map_or(0, |members| members.connection_set.len());
        println!("describe  {billing} at {broker}: {retries:?} retries, {members} members");
    }
    let is_done = async || {
        let progress = admin.consumer_progress(&billing).await?;
        Ok(!progress.queues.is_empty() && progress.lag() == 0)
    };
    wait_until("the commits", is_done).await?;
    let progress = admin.consumer_progress(&billing).await?;
    for (member, lag) in progress.lag_by_member() {
        println!("lag       {lag} at {}", member.unwrap_or("no member"));
    }

    // A reset in two steps: the plan says what would happen, and moves nothing.
    consumer.shutdown().await?;
    let plan = admin.plan_offset_reset(&billing, &topic, QueuePosition::Begin).await?;
    println!("dry run   {}", plan.to_string().replace('\n', "\n          "));
    if let Err(error) = admin.plan_offset_reset(&billing, &topic, QueuePosition::Offset(1_000)).await {
        println!("refused   {error}");
    }
    for (queue, offset) in admin.reset_offsets(&plan).await?.into_complete()? {
        println!("reset     {queue} to {offset}");
    }

    // A new group begins where another one is.
    for (queue, offset) in admin.clone_group_offset(&billing, &audit, &topic).await?.into_complete()? {
        println!("clone     {audit} begins at {offset} of {queue}");
    }

    // The dead letter gets another try, and at most three in all.
    for queue in admin.dead_letter_queues(&billing).await? {
        let mut letters = admin.read_queue(&queue, QueuePosition::Begin, Some(QueuePosition::End));
        while let Some(letter) = letters.next().await {
            let letter = letter?;
            let (body, reason) = (String::from_utf8_lossy(letter.body()), letter.property("DLQ_REASON"));
            let resent = admin.resend_dead_letter(&letter, ResendTo::RetryTopic, 3).await?;
            println!("dead      {body:?} for {reason:?}: sent once more, {} of 3", resent.times);
        }
    }
    let consumer = start(&client, &billing, &topic).await?;
    wait_until("all is done", is_done).await?;
    println!("done      {} dead letters", admin.count_dead_letters(&billing).await?);
    consumer.shutdown().await?;

    for cluster in admin.cluster_info().await?.cluster_addr_table.into_keys() {
        for group in [&billing, &audit] {
            admin.delete_subscription_group(group, &cluster, Keep::Nothing).await?;
        }
        admin.delete_topic(&topic, &cluster).await?;
    }
    client.shutdown().await?;
    Ok(())
}

/// A consumer that gives the third invoice up, unless it is sent once more.
async fn start(client: &MQClient, group: &str, topic: &str) -> rocketmq::Result<PushConsumer> {
    let consumer = client.push_consumer(group).subscribe(topic, "*").listener(|message, _| async move {
        let gives_up = &message.body()[..] == b"invoice 3" && message.property(DLQ_RESEND_TIMES).is_none();
        match gives_up {
            true => ConsumeOutcome::DeadLetter { reason: "no such customer".to_owned() },
            false => ConsumeOutcome::Success,
        }
    });
    let option = |option: &mut rocketmq::conf::ConsumerOption| {
        option.set_consume_from_where(ConsumeFromWhere::First).set_persist_offset_interval(500);
    };
    consumer.option(option).start().await
}

async fn wait_until(
    what: &str,
    holds: impl AsyncFn() -> rocketmq::Result<bool>,
) -> Result<(), Box<dyn std::error::Error>> {
    for _ in 0..600 {
        if holds().await? {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(format!("{what}: not within a minute").into())
}
