use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rocketmq::consumer::strategy::{
    AllocateError, AllocateMessageQueueAveragely, AllocateMessageQueueStrategy,
};
use rocketmq::consumer::{ConsumerEvent, PushConsumer, QueueState};
use rocketmq::error::{MQClientError, ResponseCode};
use rocketmq::model::MessageQueue;
use rocketmq_namesrv_mock::{Fault, FaultAction};
use rocketmq_remoting::protocol::RequestCode;
use rocketmq_remoting::protocol::body::SubscriptionGroupConfig;
use tokio::time::{Instant, sleep, timeout};

use super::support::{Count, GROUP, TOPIC, World, counting, event, seconds, simulate, told, until};

async fn ended(consumer: &PushConsumer, within: Duration) -> Option<Result<(), MQClientError>> {
    timeout(within, consumer.wait()).await.ok()
}

#[test]
fn a_deleted_group_ends_its_consumer_and_stream_with_the_reason() {
    simulate(async {
        let world = World::new(|builder| builder.brokers(2).auto_create_group(false)).await;
        world.cluster.create_topic(TOPIC, 2).unwrap();
        let group = SubscriptionGroupConfig { group_name: Some(GROUP.to_owned()), ..Default::default() };
        world.cluster.create_group(&group).unwrap();
        let consumer = world.consumer().build().unwrap();
        let mut stream = consumer.messages().unwrap();
        let mut events = consumer.events();
        assert!(matches!(consumer.wait().await, Err(MQClientError::NotStarted { .. })));
        consumer.start().await.unwrap();
        world.send_body("before").await;
        let delivery = stream.next().await.unwrap().unwrap();
        assert!(ended(&consumer, seconds(600)).await.is_none() && consumer.is_live());
        world.cluster.delete_group(GROUP);
        let began = Instant::now();
        sleep(seconds(30)).await;
        let queues = consumer.health().queues;
        assert!(queues.iter().all(|queue| queue.state == QueueState::Refused), "{queues:?}");
        assert!(consumer.is_live() && !consumer.is_ready());
        // Held for longer than the consumer needs to be sure: it is settled while the consumer ends.
        event(&mut events, |event| matches!(event, ConsumerEvent::Ended { .. })).await;
        assert!((60..90).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        delivery.ack();
        let reason = ended(&consumer, seconds(60)).await.unwrap().unwrap_err();
        assert_eq!(reason.response_code(), Some(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST));
        assert!(
            reason.to_string().contains("does not exist") && reason.to_string().contains(GROUP),
            "{reason}"
        );
        let last = stream.next().await.unwrap().unwrap_err();
        assert_eq!(last.to_string(), reason.to_string());
        assert!(stream.next().await.is_none());
        assert_eq!(
            consumer.get_stats().unwrap_err().to_string(),
            "the push consumer is shut down: make a new one"
        );
        let health = consumer.health();
        assert!(!consumer.is_live() && !consumer.is_ready() && health.has_ended);
        assert_eq!(health.end_reason.unwrap().to_string(), reason.to_string());
        let report = consumer.shutdown().await.unwrap();
        assert_eq!(report.unfinished, 0, "{report:?}");
    });
}

#[test]
fn polls_name_the_reason_for_which_their_consumer_ended() {
    simulate(async {
        let world = World::new(|builder| builder.auto_create_group(false)).await;
        world.cluster.create_topic(TOPIC, 2).unwrap();
        let group = SubscriptionGroupConfig { group_name: Some(GROUP.to_owned()), ..Default::default() };
        world.cluster.create_group(&group).unwrap();
        let early = world.poller().build().unwrap().shutdown().await.unwrap_err();
        assert!(early.to_string().contains("pull consumer"), "{early}");
        let mut consumer = world.poller().start().await.unwrap();
        world.cluster.delete_group(GROUP);
        let began = Instant::now();
        let reason = consumer.poll(seconds(600)).await.unwrap_err();
        assert!((60..90).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
        assert_eq!(reason.response_code(), Some(ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST));
        consumer.shutdown().await.unwrap();
    });
}

fn refuses(code: ResponseCode) -> Fault {
    let remark = "no".to_owned();
    Fault::on(RequestCode::PULL_MESSAGE, FaultAction::Refuse { code, remark })
}

#[test]
fn one_broker_that_refuses_ends_no_consumer_and_all_of_them_do() {
    for code in [ResponseCode::NO_PERMISSION, ResponseCode::SUBSCRIPTION_GROUP_NOT_EXIST] {
        simulate(async {
            let world = World::new(|builder| builder.brokers(2)).await;
            world.cluster.create_topic(TOPIC, 1).unwrap();
            let start = || world.consumer().listener(|_, _| async {}).start();
            // Each of them reads one broker.
            let (one, other) = (start().await.unwrap(), start().await.unwrap());
            let of_topic = |consumer: &PushConsumer| {
                consumer.assignment().into_iter().filter(|queue| queue.topic() == TOPIC).count()
            };
            until("each has a queue", || of_topic(&one) == 1 && of_topic(&other) == 1).await;
            world.cluster.inject(refuses(code).server("broker-a"));
            assert!(ended(&one, seconds(600)).await.is_none(), "one broker is not the cluster");
            assert!(ended(&other, seconds(1)).await.is_none());
            assert!(!one.is_ready() || !other.is_ready());
            world.cluster.inject(refuses(code).server("broker-b"));
            for consumer in [&one, &other] {
                let reason = ended(consumer, seconds(120)).await.unwrap().unwrap_err();
                assert_eq!(reason.response_code(), Some(code));
            }
        });
    }
}

#[test]
fn a_refusal_that_is_taken_back_and_a_switch_of_an_operator_end_no_consumer() {
    simulate(async {
        let world = World::new(|builder| builder).await;
        world.cluster.create_topic(TOPIC, 1).unwrap();
        let count = Count::default();
        let consumer = world.consumer().listener(counting(&count)).start().await.unwrap();
        for round in 1..5 {
            world.cluster.inject(refuses(ResponseCode::NO_PERMISSION));
            assert!(ended(&consumer, seconds(55)).await.is_none());
            world.cluster.clear_faults();
            world.send_body("served again").await;
            until("the message", || count.load(Ordering::SeqCst) == round).await;
        }
        let switch = |consume_enable| {
            let group_name = Some(GROUP.to_owned());
            let config = SubscriptionGroupConfig { group_name, consume_enable, ..Default::default() };
            world.cluster.create_group(&config).unwrap();
        };
        switch(false);
        assert!(ended(&consumer, seconds(1_000)).await.is_none(), "it may be switched on again");
        let queue = &consumer.health().queues[0];
        assert_eq!(queue.state, QueueState::Refused);
        assert!(
            queue.in_state_for > seconds(900) && queue.last_error.as_ref().unwrap().contains("no permission")
        );
        switch(true);
        world.send_body("switched on").await;
        until("the message", || count.load(Ordering::SeqCst) == 5).await;
        until("it is ready", || consumer.is_ready()).await;
        assert!(consumer.shutdown().await.unwrap().is_clean());
        assert!(ended(&consumer, seconds(1)).await.unwrap().is_ok(), "a shutdown is no failure");
        assert!(!consumer.is_live() && consumer.health().end_reason.is_none());
    });
}

#[test]
fn a_topic_that_is_deleted_is_told_of_once_and_comes_back() {
    simulate(async {
        let world = World::new(|builder| builder).await;
        world.cluster.create_topic(TOPIC, 4).unwrap();
        let count = Count::default();
        let consumer = world.consumer().listener(counting(&count)).build().unwrap();
        let mut events = consumer.events();
        consumer.start().await.unwrap();
        for round in 1..3 {
            world.cluster.delete_topic(TOPIC);
            assert!(ended(&consumer, seconds(300)).await.is_none() && consumer.is_live());
            let missing = told(&mut events, |event| matches!(event, ConsumerEvent::TopicMissing { .. }));
            let [missing] = &missing[..] else { panic!("{missing:?}") };
            assert_eq!(missing.topic(), Some(TOPIC));
            world.cluster.create_topic(TOPIC, 4).unwrap();
            world.send_body("again").await;
            until("the message", || count.load(Ordering::SeqCst) == round).await;
            until("it is ready", || consumer.is_ready()).await;
            sleep(seconds(60)).await;
        }
    });
}

/// Panics at its second call.
#[derive(Debug, Default)]
struct Breaks(AtomicUsize);

impl AllocateMessageQueueStrategy for Breaks {
    fn name(&self) -> Cow<'_, str> {
        "BREAKS".into()
    }

    fn allocate(
        &self,
        group: &str,
        me: &str,
        queues: &[MessageQueue],
        members: &[String],
    ) -> Result<Vec<MessageQueue>, AllocateError> {
        assert!(self.0.fetch_add(1, Ordering::SeqCst) < 2, "broken");
        AllocateMessageQueueAveragely.allocate(group, me, queues, members)
    }
}

#[test]
fn an_idle_consumer_is_live_and_ready_and_a_loop_that_died_makes_it_dead() {
    simulate(async {
        let world = World::new(|builder| builder).await;
        world.cluster.create_topic(TOPIC, 4).unwrap();
        let healthy = world.consumer().listener(|_, _| async {}).build().unwrap();
        assert!(healthy.is_live() && !healthy.is_ready(), "it may start for as long as it takes");
        healthy.start().await.unwrap();
        for _ in 0..720 {
            sleep(seconds(10)).await;
            assert!(healthy.is_live() && healthy.is_ready(), "{:?}", healthy.health().problems());
        }
        world.cluster.shutdown().await;
        sleep(seconds(600)).await;
        assert!(healthy.is_live() && !healthy.is_ready(), "a restart brings no broker back");

        let world = World::new(|builder| builder).await;
        world.cluster.create_topic(TOPIC, 4).unwrap();
        let broken = world
            .consumer()
            .option(|option| _ = option.set_allocate_message_queue_strategy(Breaks::default()));
        let broken = broken.listener(|_, _| async {}).start().await.unwrap();
        assert!(broken.is_live() && broken.is_ready());
        sleep(seconds(120)).await;
        assert!(!broken.is_live() && !broken.is_ready());
        let problems = broken.health().problems();
        assert!(problems[0].contains("the rebalance loop has not been round"), "{problems:?}");
    });
}
