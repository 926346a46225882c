//! What listeners and readers get, and when, on paused time.

use std::future::{Ready, ready};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rocketmq::consumer::{
    ConsumeContext, ConsumeFromWhere, Delivery, MessageStream, OrderlyOutcome, PushConsumerBuilder,
    QueueHealth, QueueState,
};
use rocketmq::model::{Message, MessageExt};
use rocketmq_namesrv_mock::{Fault, FaultAction};
use rocketmq_remoting::protocol::{RequestCode, ResponseCode};
use tokio::time::Instant;

use crate::faults::support::{Site, TOPIC, simulate, until};

const HOUR: Duration = Duration::from_secs(3600);

/// Notes what comes and when.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<(Instant, String)>>>);

impl Log {
    fn add(&self, message: &MessageExt) {
        let body = String::from_utf8_lossy(message.body()).into_owned();
        self.0.lock().unwrap().push((Instant::now(), body));
    }

    fn bodies(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(_, body)| body.clone()).collect()
    }

    fn times(&self) -> Vec<Instant> {
        self.0.lock().unwrap().iter().map(|(at, _)| *at).collect()
    }

    async fn wait_for(&self, count: usize) {
        until("the messages came", || self.0.lock().unwrap().len() >= count).await;
    }

    /// A listener that notes each message, and has this outcome.
    fn listener<O: 'static>(
        &self,
        outcome: impl Fn(&MessageExt) -> O + Send + Sync + 'static,
    ) -> impl Fn(Arc<MessageExt>, ConsumeContext) -> Ready<O> + Send + Sync + 'static {
        let log = self.clone();
        move |message, _| {
            log.add(&message);
            ready(outcome(&message))
        }
    }
}

/// 50 messages a second: none comes early, and all came in time.
fn assert_paced(times: &[Instant]) {
    for (index, at) in times.iter().enumerate() {
        let passed = at.duration_since(times[0]);
        let due = Duration::from_millis(20) * u32::try_from(index).unwrap();
        // Timers have a millisecond; what came late is made up for.
        assert!(passed + Duration::from_millis(12) >= due, "{index} after {passed:?}");
        assert!(passed <= due + Duration::from_millis(12), "{index} after {passed:?}");
    }
}

#[test]
fn a_rate_limit_holds_for_each_kind_of_receiver() {
    let limited = |site: &Site| site.member().option(|option| _ = option.set_consume_rate_limit(50));
    simulate(async move {
        let site = Site::new(2, 4).await;
        site.send(200).await;
        let log = Log::default();
        let consumer = limited(&site).listener(log.listener(|_| ())).start().await.unwrap();
        log.wait_for(200).await;
        assert_paced(&log.times());
        assert!(consumer.shutdown().await.unwrap().is_clean());
    });
    simulate(async move {
        let site = Site::new(2, 4).await;
        site.send(200).await;
        let log = Log::default();
        let orderly = limited(&site).orderly_listener(log.listener(|_| OrderlyOutcome::Success));
        let consumer = orderly.start().await.unwrap();
        log.wait_for(200).await;
        assert_paced(&log.times());
        assert!(consumer.shutdown().await.unwrap().is_clean());
    });
    simulate(async move {
        let site = Site::new(2, 4).await;
        site.send(200).await;
        let log = Log::default();
        let consumer = limited(&site).build().unwrap();
        let mut messages = consumer.messages().unwrap();
        consumer.start().await.unwrap();
        for _ in 0..200 {
            let delivery = messages.next().await.unwrap().unwrap();
            log.add(&delivery);
            delivery.ack();
        }
        assert_paced(&log.times());
        assert!(consumer.shutdown().await.unwrap().is_clean());
    });
}

#[test]
fn a_batch_counts_with_all_its_messages() {
    simulate(async {
        let site = Site::new(1, 1).await;
        site.send(200).await;
        let log = Log::default();
        let collect = log.clone();
        let builder = site.member().option(|option| {
            option.set_consume_rate_limit(50).set_consume_message_batch_max_size(10);
        });
        let consumer = builder.batch_listener(move |messages, _| {
            messages.iter().for_each(|message| collect.add(message));
            async {}
        });
        let consumer = consumer.start().await.unwrap();
        log.wait_for(200).await;
        let times = log.times();
        let took = times[199] - times[0];
        assert!((3_700..=3_900).contains(&took.as_millis()), "{took:?}");
        assert!(consumer.shutdown().await.unwrap().is_clean());
    });
}

#[test]
fn after_a_crash_the_next_owner_gets_what_was_not_committed() {
    simulate(async {
        let site = Site::new(1, 1).await;
        site.send(10).await;
        let by_hand =
            |builder: PushConsumerBuilder| builder.option(|option| _ = option.set_auto_commit(false));
        let (first, second) = (Log::default(), Log::default());
        let judge = |message: &MessageExt| match &message.body()[..] {
            b"4" => OrderlyOutcome::Commit,
            _ => OrderlyOutcome::Success,
        };
        let consumer = by_hand(site.member()).orderly_listener(first.listener(judge)).start().await.unwrap();
        first.wait_for(10).await;
        until("it is committed", || site.committed().values().any(|offset| *offset == 5)).await;
        drop(consumer);
        let next = by_hand(site.member()).orderly_listener(second.listener(|_| OrderlyOutcome::Commit));
        let next = next.start().await.unwrap();
        second.wait_for(5).await;
        until("it is committed", || site.committed().values().any(|offset| *offset == 10)).await;
        assert!(next.shutdown().await.unwrap().is_clean());
        assert_eq!(second.bodies(), ["5", "6", "7", "8", "9"], "in order");
    });
}

async fn started(builder: PushConsumerBuilder) -> (rocketmq::consumer::PushConsumer, MessageStream) {
    let consumer = builder.build().unwrap();
    let messages = consumer.messages().unwrap();
    consumer.start().await.unwrap();
    (consumer, messages)
}

async fn batch(messages: &mut MessageStream, max: usize, wait: Duration) -> Vec<Delivery> {
    messages.next_batch(max, wait).await.unwrap().unwrap()
}

#[test]
fn a_batch_of_a_stream_is_as_large_as_asked_for_or_as_the_flow_control_lets_it() {
    simulate(async {
        let site = Site::new(1, 2).await;
        site.send(600).await;
        let builder = site.member().option(|option| {
            option.set_consume_concurrency(2).set_pull_threshold_for_queue(128);
        });
        let (consumer, mut messages) = started(builder).await;
        let began = Instant::now();
        let full = batch(&mut messages, 100, HOUR).await;
        assert_eq!(full.len(), 100, "more than the handlers");
        full.into_iter().for_each(Delivery::ack);
        let limited = batch(&mut messages, 10_000, HOUR).await;
        assert!((128..=400).contains(&limited.len()), "{}", limited.len());
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        let mut all = limited.len();
        limited.into_iter().for_each(Delivery::ack);
        while all < 500 {
            let some = batch(&mut messages, 64, Duration::from_secs(1)).await;
            assert!(!some.is_empty());
            all += some.len();
            some.into_iter().for_each(Delivery::ack);
        }
        assert!(batch(&mut messages, 64, Duration::from_secs(1)).await.is_empty());
        assert!(consumer.shutdown().await.unwrap().is_clean());
        assert_eq!(site.committed().values().sum::<i64>(), 600);
    });
}

#[test]
fn messages_that_nobody_took_delay_no_release() {
    simulate(async {
        let site = Site::new(1, 4).await;
        site.send(400).await;
        let (consumer, mut messages) = started(site.member()).await;
        let held = messages.next().await.unwrap().unwrap();
        until("the rest waits", || consumer.get_stats().unwrap().cached_count == 400).await;
        held.ack();
        let joined = Instant::now();
        let (other, _kept) = started(site.member()).await;
        let of = |consumer: &rocketmq::consumer::PushConsumer| {
            consumer.assignment().iter().filter(|queue| queue.topic() == TOPIC).count()
        };
        until("the first gives two queues up", || of(&consumer) == 2 && of(&other) == 2).await;
        assert!(joined.elapsed() < Duration::from_millis(1_500), "{:?}", joined.elapsed());
        let report = consumer.shutdown().await.unwrap();
        assert!(report.is_clean() && report.took < Duration::from_millis(200), "{report:?}");
        assert!(other.shutdown().await.unwrap().is_clean());
    });
}

#[test]
fn a_message_that_is_sent_after_the_start_is_delivered_though_its_position_is_found_later() {
    simulate(async {
        let site = Site::new(1, 2).await;
        site.send(10).await;
        let unknown = FaultAction::Refuse { code: ResponseCode::SYSTEM_ERROR, remark: "not now".to_owned() };
        site.cluster.inject(Fault::on(RequestCode::QUERY_CONSUMER_OFFSET, unknown));
        let log = Log::default();
        let builder = site.member().option(|option| {
            option.set_consume_from_where(ConsumeFromWhere::LastExactly).set_start_timeout(2_000);
        });
        let consumer = builder.listener(log.listener(|_| ())).start().await.unwrap();
        let of_topic = |queue: &&QueueHealth| queue.queue.topic() == TOPIC;
        assert!(
            consumer
                .health()
                .queues
                .iter()
                .filter(of_topic)
                .all(|queue| queue.state == QueueState::OffsetUnknown)
        );
        for number in 0..10 {
            site.producer.send(Message::new(TOPIC, format!("after{number}"))).await.unwrap();
        }
        site.cluster.clear_faults();
        until("what came after the start is there", || {
            let bodies = log.bodies();
            (0..10).all(|number| bodies.contains(&format!("after{number}")))
        })
        .await;
        assert!(consumer.shutdown().await.unwrap().is_clean());
    });
}
