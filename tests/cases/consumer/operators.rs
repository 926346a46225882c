//! What operators do to a consumer through its broker: they reset offsets, look at it, and choose messages for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rocketmq::consumer::{
    ConsumeContext, ConsumerEvent, ConsumerEvents, OrderlyOutcome, PushConsumer, PushConsumerBuilder,
};
use rocketmq::model::{MessageExt, MessageQueue};
use rocketmq_remoting::protocol::body::{
    CMResult, ConsumeMessageDirectlyResult, ConsumerRunningInfo, GetConsumerStatusBody, decode_body,
};
use tokio::sync::Semaphore;

use super::support::{Seen, bodies, broker, consumer, fresh_group, raw, send, until};
use crate::cases::support::{Site, eventually};
use crate::stage;

const RESET: i32 = 222;
const STATUS: i32 = 223;
const RUNNING_INFO: i32 = 307;
const DIRECTLY: i32 = 309;
const UPDATE_BROKER_CONFIG: i32 = 25;
const CONNECTIONS: i32 = 203;

/// One queue with five messages that a consumer has seen.
struct Stand {
    site: Site,
    name_server: String,
    broker: String,
    topic: String,
    group: String,
    seen: Seen,
}

impl Stand {
    async fn new(name_server: &str, name: &str) -> Self {
        let site = Site::new(name_server).await;
        let topic = site.create(name, 1).await;
        let broker = broker(&site).await;
        send(&site, &topic, bodies("m", 5)).await;
        let (name_server, group) = (name_server.to_owned(), fresh_group(name));
        Self { site, name_server, broker, topic, group, seen: Seen::default() }
    }

    /// A consumer whose pulls are held briefly: the end of such a pull tells it of a reset.
    fn builder(&self) -> PushConsumerBuilder {
        let builder = consumer(&self.name_server, &self.group).subscribe(&self.topic, "*");
        builder.option(|option| _ = option.set_broker_suspend_max_time(2000))
    }

    async fn start(&self) -> (PushConsumer, ConsumerEvents) {
        let seen = self.seen.clone();
        self.start_with(move |message, _| {
            seen.add(message);
            async {}
        })
        .await
    }

    async fn start_with<F, Fut>(&self, listener: F) -> (PushConsumer, ConsumerEvents)
    where
        F: Fn(Arc<MessageExt>, ConsumeContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let consumer = self.builder().listener(listener);
        let consumer = consumer.build().unwrap();
        let events = consumer.events();
        consumer.start().await.unwrap();
        (consumer, events)
    }

    fn queue(&self, consumer: &PushConsumer) -> MessageQueue {
        consumer.assignment().into_iter().find(|queue| queue.topic() == self.topic).unwrap()
    }

    /// Resets the group to the first message, as `mqadmin resetOffsetByTime` does.
    async fn reset(&self) {
        let fields =
            [("group", &*self.group), ("topic", &self.topic), ("timestamp", "0"), ("isForce", "true")];
        let answer = raw(&self.broker, RESET, &fields, "").await;
        assert_eq!(answer.code, 0, "{answer:?}");
    }

    async fn committed(&self, consumer: &PushConsumer, offset: i64) {
        let queue = self.queue(consumer);
        let what = format!("the committed offset {offset}");
        eventually(&what, async || {
            let committed = self.site.admin.consumer_offset(&self.group, &queue).await.unwrap();
            (committed == Some(offset)).then_some(())
        })
        .await;
    }

    /// Each of the five messages came so often.
    fn each_came(&self, times: usize) {
        let counts = self.seen.counts();
        assert!(counts.len() == 5 && counts.values().all(|count| *count == times), "{counts:?}");
    }

    fn of_client<'a>(&'a self, id: &'a str) -> [(&'static str, &'a str); 2] {
        [("consumerGroup", &self.group), ("clientId", id)]
    }

    /// The client id of the only member.
    async fn client_id(&self) -> String {
        let answer = raw(&self.broker, CONNECTIONS, &[("consumerGroup", &self.group)], "").await;
        let found: rocketmq_remoting::protocol::body::ConsumerConnection = decode_body(&answer.body).unwrap();
        found.connection_set.into_iter().next().unwrap().client_id
    }
}

/// Waits for a reset. Returns where the queue was and is.
async fn reset_event(events: &mut ConsumerEvents) -> (Option<i64>, i64) {
    loop {
        let event =
            tokio::time::timeout(super::support::WITHIN, events.next()).await.expect("a reset in time");
        if let Some(ConsumerEvent::OffsetReset { from, to, .. }) = event {
            return (from, to);
        }
    }
}

#[tokio::test]
async fn a_reset_while_a_pull_is_held_brings_each_message_once_more() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "reset_held").await;
    let (consumer, mut events) = stand.start().await;
    stand.seen.wait_for(5).await;
    stand.committed(&consumer, 5).await;
    stand.reset().await;
    assert_eq!(reset_event(&mut events).await, (Some(5), 0));
    until("all again", || stand.seen.len() >= 10).await;
    assert!(consumer.shutdown().await.unwrap().is_clean());
    stand.each_came(2);
}

#[tokio::test]
async fn a_reset_while_nobody_is_online_is_where_the_next_consumer_starts() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "reset_offline").await;
    let (consumer, _) = stand.start().await;
    stand.seen.wait_for(5).await;
    assert!(consumer.shutdown().await.unwrap().is_clean());
    stand.reset().await;
    let (consumer, _) = stand.start().await;
    until("all again", || stand.seen.len() >= 10).await;
    stand.committed(&consumer, 5).await;
    assert!(consumer.shutdown().await.unwrap().is_clean());
    stand.each_came(2);
}

#[tokio::test]
async fn what_handlers_do_after_a_reset_changes_nothing() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "reset_running").await;
    let (gate, held) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicBool::new(true)));
    let (consumer, mut events) = {
        let (gate, held, seen) = (gate.clone(), held.clone(), stand.seen.clone());
        stand
            .start_with(move |message, _| {
                let (gate, held) = (gate.clone(), held.load(Ordering::Relaxed) && message.queue_offset() > 2);
                seen.add(message);
                async move {
                    if held {
                        gate.acquire().await.unwrap().forget();
                    }
                }
            })
            .await
    };
    stand.seen.wait_for(5).await;
    stand.committed(&consumer, 3).await;
    held.store(false, Ordering::Relaxed);
    stand.reset().await;
    assert_eq!(reset_event(&mut events).await, (Some(3), 0));
    until("all again, while two handlers still run", || stand.seen.len() >= 10).await;
    stand.committed(&consumer, 5).await;
    gate.add_permits(2);
    // Their results would move the offset of another ownership, or end messages of it.
    assert!(consumer.shutdown().await.unwrap().is_clean());
    stand.each_came(2);
}

#[tokio::test]
async fn a_reset_of_an_orderly_consumer_waits_for_its_handler_and_keeps_the_order() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "reset_orderly").await;
    let gate = Arc::new(Semaphore::new(0));
    let (opened, seen) = (gate.clone(), stand.seen.clone());
    let consumer = stand.builder();
    let consumer = consumer.orderly_listener(move |message, _| {
        let (gate, held) = (opened.clone(), message.queue_offset() == 2);
        seen.add(message);
        async move {
            if held {
                gate.acquire().await.unwrap().forget();
            }
        }
    });
    let consumer = consumer.build().unwrap();
    let mut events = consumer.events();
    consumer.start().await.unwrap();
    stand.seen.wait_for(3).await;
    stand.reset().await;
    assert_eq!(reset_event(&mut events).await, (Some(2), 0));
    stand.committed(&consumer, 0).await;
    assert_eq!(stand.seen.bodies(), ["m0", "m1", "m2"], "its handler still runs");
    gate.add_permits(2);
    until("all again", || stand.seen.len() >= 8).await;
    stand.committed(&consumer, 5).await;
    assert!(consumer.shutdown().await.unwrap().is_clean());
    assert_eq!(stand.seen.bodies(), ["m0", "m1", "m2", "m0", "m1", "m2", "m3", "m4"]);
}

#[tokio::test]
async fn members_that_their_broker_tells_of_a_reset_move_at_once() {
    let name_server = &*stage::name_server_of_its_own().await;
    let stand = Stand::new(name_server, "reset_told").await;
    raw(&stand.broker, UPDATE_BROKER_CONFIG, &[], "useServerSideResetOffset=false").await;
    let seen = stand.seen.clone();
    let consumer = stand.builder().option(|option| _ = option.set_broker_suspend_max_time(60_000));
    let consumer = consumer.listener(move |message, _| {
        seen.add(message);
        async {}
    });
    let consumer = consumer.build().unwrap();
    let mut events = consumer.events();
    consumer.start().await.unwrap();
    stand.seen.wait_for(5).await;
    stand.committed(&consumer, 5).await;
    let began = std::time::Instant::now();
    stand.reset().await;
    assert_eq!(reset_event(&mut events).await, (Some(5), 0));
    until("all again", || stand.seen.len() >= 10).await;
    // The pull that the broker holds is not waited for, and nothing sleeps.
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
    stand.committed(&consumer, 5).await;
    assert!(consumer.shutdown().await.unwrap().is_clean());
    stand.each_came(2);
}

#[tokio::test]
async fn brokers_pass_on_how_a_consumer_is() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "status").await;
    let (consumer, _) = stand.start().await;
    stand.seen.wait_for(5).await;
    let queue = stand.queue(&consumer);
    until("all are finished", || consumer.consumer_running_info().mq_table[&queue].commit_offset == 5).await;
    let id = stand.client_id().await;
    let answer = raw(&stand.broker, RUNNING_INFO, &stand.of_client(&id), "").await;
    let info: ConsumerRunningInfo = decode_body(&answer.body).unwrap();
    assert_eq!(info.properties[ConsumerRunningInfo::PROP_CONSUME_TYPE], "CONSUME_PASSIVELY");
    assert_eq!(info.properties[ConsumerRunningInfo::PROP_CONSUMEORDERLY], "false");
    assert_eq!(info.properties[ConsumerRunningInfo::PROP_THREADPOOL_CORE_SIZE], "20");
    assert_eq!(info.properties[ConsumerRunningInfo::PROP_NAMESERVER_ADDR], stand.name_server);
    let topics: Vec<_> = info.subscription_set.iter().map(|one| (&*one.topic, &*one.sub_string)).collect();
    assert!(topics.contains(&(&stand.topic, "*")), "{topics:?}");
    let state = &info.mq_table[&queue];
    assert_eq!((state.commit_offset, state.cached_msg_count, state.dropped), (5, 0, false));
    let started: i64 = info.properties[ConsumerRunningInfo::PROP_CONSUMER_START_TIMESTAMP].parse().unwrap();
    assert!(started > 0 && state.last_pull_timestamp >= started && state.last_consume_timestamp >= started);

    let fields = [("group", &*stand.group), ("topic", &stand.topic)];
    let answer = raw(&stand.broker, STATUS, &fields, "").await;
    let status: GetConsumerStatusBody = decode_body(&answer.body).unwrap();
    let offsets = status.consumer_table[&id].as_object().unwrap();
    assert_eq!(offsets.len(), 1, "{offsets:?}");
    assert!(offsets.values().all(|offset| offset == 5), "{offsets:?}");
    consumer.shutdown().await.unwrap();
}

/// Has the broker give the member the message at an offset.
async fn directly(stand: &Stand, queue: &MessageQueue, offset: i64) -> ConsumeMessageDirectlyResult {
    let message = stand.site.pull_one(queue, offset).await;
    let (id, msg_id) = (stand.client_id().await, message.offset_msg_id().to_owned());
    let fields = [&stand.of_client(&id)[..], &[("msgId", &msg_id), ("topic", &stand.topic)]].concat();
    let answer = raw(&stand.broker, DIRECTLY, &fields, "").await;
    assert_eq!(answer.code, 0, "{answer:?}");
    decode_body(&answer.body).unwrap()
}

#[tokio::test]
async fn an_operator_has_a_listener_consume_a_message() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "directly").await;
    let fails = Arc::new(AtomicBool::new(false));
    let (seen, failing) = (stand.seen.clone(), fails.clone());
    let consumer = stand.builder();
    let consumer = consumer.listener(move |message, context| {
        assert_eq!(message.topic(), context.queue.topic());
        let fails = failing.load(Ordering::Relaxed);
        seen.add(message);
        async move { if fails { Err("no stock".into()) } else { Ok(()) } }
    });
    let consumer = consumer.start().await.unwrap();
    stand.seen.wait_for(5).await;
    stand.committed(&consumer, 5).await;
    let queue = stand.queue(&consumer);
    let result = directly(&stand, &queue, 2).await;
    assert_eq!((result.consume_result, result.order, result.remark), (CMResult::Success, false, None));
    fails.store(true, Ordering::Relaxed);
    let result = directly(&stand, &queue, 3).await;
    assert_eq!(
        (result.consume_result, result.remark.as_deref()),
        (CMResult::ThrowException, Some("no stock"))
    );
    assert_eq!(stand.seen.bodies()[5..], ["m2", "m3"]);
    stand.committed(&consumer, 5).await;
    assert!(consumer.shutdown().await.unwrap().is_clean());
}

#[tokio::test]
async fn an_orderly_listener_consumes_a_chosen_message_too() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "directly_orderly").await;
    let seen = stand.seen.clone();
    let consumer = stand.builder();
    let consumer = consumer.orderly_listener(move |message, _| {
        let again = seen.bodies().iter().any(|body| body.as_bytes() == &message.body()[..]);
        seen.add(message);
        async move {
            if again {
                OrderlyOutcome::SuspendCurrentQueueAMoment { millis: None }
            } else {
                OrderlyOutcome::Success
            }
        }
    });
    let consumer = consumer.start().await.unwrap();
    stand.seen.wait_for(5).await;
    let result = directly(&stand, &stand.queue(&consumer), 1).await;
    assert_eq!((result.consume_result, result.order, result.auto_commit), (CMResult::Later, true, true));
    assert!(consumer.shutdown().await.unwrap().is_clean());
    assert_eq!(stand.seen.bodies(), ["m0", "m1", "m2", "m3", "m4", "m1"]);
}

#[tokio::test]
async fn what_a_consumer_cannot_do_is_refused_with_a_reason() {
    let name_server = &*stage::name_server().await;
    let stand = Stand::new(name_server, "refused").await;
    let other = stand.site.create("refused_other", 1).await;
    send(&stand.site, &other, bodies("o", 1)).await;
    let (consumer, _) = stand.start().await;
    stand.seen.wait_for(5).await;
    let queue = MessageQueue::new(other.as_str(), stand.queue(&consumer).broker_name(), 0);
    let message = stand.site.pull_one(&queue, 0).await;
    let (id, msg_id) = (stand.client_id().await, message.offset_msg_id().to_owned());
    let fields = [&stand.of_client(&id)[..], &[("msgId", &msg_id), ("topic", &other)]].concat();
    let answer = raw(&stand.broker, DIRECTLY, &fields, "").await;
    assert_eq!(answer.code, 1);
    let expected = format!("the consumer does not subscribe to {other}");
    assert_eq!(answer.remark.as_deref(), Some(&*expected));
    consumer.shutdown().await.unwrap();
    assert_eq!(stand.seen.len(), 5);
}
