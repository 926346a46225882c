use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rocketmq::consumer::{
    ConsumeContext, ConsumerEvent, ConsumerEvents, PullConsumerBuilder, PushConsumerBuilder,
};
use rocketmq::model::{Message, MessageExt};
use tokio::time::timeout;

pub(super) use crate::faults::support::until;
pub(super) use crate::simulation::simulate;
pub(super) use crate::world::{World, seconds};

pub(super) const TOPIC: &str = "Watched";
pub(super) const GROUP: &str = "watched";

impl World {
    /// A push consumer in the making that reads the topic from its beginning.
    pub(super) fn consumer(&self) -> PushConsumerBuilder {
        self.pusher(GROUP).subscribe(TOPIC, "*")
    }

    /// A pull consumer in the making that reads the topic from its beginning.
    pub(super) fn poller(&self) -> PullConsumerBuilder {
        self.puller(GROUP).subscribe(TOPIC, "*")
    }

    pub(super) async fn send_body(&self, body: &'static str) {
        self.send([Message::new(TOPIC, body)]).await;
    }
}

/// How often each message was handled.
pub(super) type Count = Arc<AtomicUsize>;

/// A listener that counts the messages and succeeds.
pub(super) fn counting(
    count: &Count,
) -> impl Fn(Arc<MessageExt>, ConsumeContext) -> Ready<()> + Send + Sync + 'static {
    let count = count.clone();
    move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
        ready(())
    }
}

/// The events that came by now and that count.
pub(super) fn told(
    events: &mut ConsumerEvents,
    counts: impl Fn(&ConsumerEvent) -> bool,
) -> Vec<ConsumerEvent> {
    std::iter::from_fn(|| events.try_next()).filter(|event| counts(event)).collect()
}

/// Waits for an event.
pub(super) async fn event(
    events: &mut ConsumerEvents,
    wanted: impl Fn(&ConsumerEvent) -> bool,
) -> ConsumerEvent {
    let waiting = async {
        loop {
            let event = events.next().await.unwrap();
            if wanted(&event) {
                return event;
            }
        }
    };
    timeout(seconds(300), waiting).await.expect("the event comes")
}
