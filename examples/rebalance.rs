//! Two members of a group share the queues of a topic, and the first gets all of them back when the second leaves.
//!
//! The strategy is one of this file: a member that is named as a stand-by reads only while nobody else is there. All members of a
//! group have to use the same strategy.
//!
//! With no argument it starts a mock cluster in this process. With `NAMESRV_ADDR` set it does the same
//! against that cluster: `NAMESRV_ADDR=127.0.0.1:9876 cargo run --example rebalance`.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use rocketmq::client::MQClient;
use rocketmq::conf::ClientOption;
use rocketmq::consumer::strategy::{
    AllocateError, AllocateMessageQueueAveragelyByCircle, AllocateMessageQueueStrategy,
};
use rocketmq::consumer::{ConsumerEvent, ConsumerEvents, PushConsumer};
use rocketmq::model::{Message, MessageQueue};
use rocketmq_namesrv_mock::MockCluster;
use tokio::time::timeout;

const TOPIC: &str = "RebalanceExample";
const STAND_BY: &str = "stand_by";

/// Members share the queues in turn. Members whose instance is a stand-by get a share when there are no others.
#[derive(Debug)]
struct StandBy;

impl AllocateMessageQueueStrategy for StandBy {
    fn name(&self) -> Cow<'_, str> {
        "STAND_BY".into()
    }

    fn allocate(
        &self,
        group: &str,
        me: &str,
        queues: &[MessageQueue],
        members: &[String],
    ) -> Result<Vec<MessageQueue>, AllocateError> {
        let (stand_by, first): (Vec<_>, Vec<_>) =
            members.iter().cloned().partition(|member| member.contains(STAND_BY));
        let readers = if first.is_empty() { stand_by } else { first };
        if !readers.iter().any(|reader| reader == me) {
            return Ok(Vec::new());
        }
        AllocateMessageQueueAveragelyByCircle.allocate(group, me, queues, &readers)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut option = ClientOption::from_env()?;
    let mock = if option.name_server_addr().is_none() { Some(MockCluster::start().await?) } else { None };
    if let Some(mock) = &mock {
        option.set_name_server_addr(mock.name_server_addr());
    }

    // Each member is a client of its own, so two of them stand for two processes here.
    let [first, second, spare] = [("first", 1), ("second", 2), (STAND_BY, 3)].map(|(name, number)| {
        let mut option = option.clone();
        option.set_instance_name(format!("{name}-{number}"));
        MQClient::new(option)
    });
    first.start().await?;
    let producer = first.producer("rebalance_example_producer").start().await?;
    producer.send(Message::new(TOPIC, "makes the topic")).await?;

    let (one, mut of_one) = member(&first).await?;
    let all = share(&one);
    println!("first alone: {all} queues");

    second.start().await?;
    let (two, mut of_two) = member(&second).await?;
    shares("first", &one, &mut of_one, all / 2).await?;
    shares("second", &two, &mut of_two, all / 2).await?;

    spare.start().await?;
    let (three, mut of_three) = member(&spare).await?;
    println!("a stand-by came: {} queues", share(&three));
    assert_eq!(share(&three), 0);

    // Who leaves hands its queues over at once: their offsets are committed before.
    let report = two.shutdown().await?;
    println!("second left after {:?}", report.took);
    shares("first", &one, &mut of_one, all).await?;
    one.shutdown().await?;
    shares("stand-by", &three, &mut of_three, all).await?;

    for client in [first, second, spare] {
        client.shutdown().await?;
    }
    Ok(())
}

async fn member(client: &MQClient) -> Result<(PushConsumer, ConsumerEvents), rocketmq::error::MQClientError> {
    let consumer = client
        .push_consumer("rebalance_example_consumer")
        .option(|option| _ = option.set_allocate_message_queue_strategy(Arc::new(StandBy)))
        .subscribe(TOPIC, "*")
        .listener(|_, _| async {})
        .build()?;
    let events = consumer.events();
    consumer.start().await?;
    Ok((consumer, events))
}

/// How many queues of the topic a member has. The retry topic of the group is shared as well.
fn share(consumer: &PushConsumer) -> usize {
    consumer.assignment().iter().filter(|queue| queue.topic() == TOPIC).count()
}

/// Prints what a member gains and loses, until it has `count` queues.
async fn shares(
    name: &str,
    consumer: &PushConsumer,
    events: &mut ConsumerEvents,
    count: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    while share(consumer) != count {
        match timeout(Duration::from_secs(60), events.next()).await? {
            Some(event @ (ConsumerEvent::Assigned { .. } | ConsumerEvent::Revoked { .. })) => {
                println!("{name}: {event}");
            }
            Some(_) => {}
            None => return Err("the consumer has ended".into()),
        }
    }
    Ok(())
}
