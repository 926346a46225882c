//! Consumer groups through an admin.
//!
//! - `settings`: groups that are created and deleted, their members and progress
//! - `resets`: plans, and groups that move, online or not
//! - `letters`: dead letters that are counted, read and sent once more

mod letters;
mod resets;
mod settings;

use rocketmq::admin::{Brokers, MQAdmin, QueuePosition, SubscriptionGroupConfig};
use rocketmq::consumer::PushConsumer;
use rocketmq::error::MQClientError;
use rocketmq::model::MessageQueue;

use super::consumer::support::{Seen, bodies, consumer, fresh_group, send};
use super::support::{Site, eventually};

async fn create(admin: &MQAdmin, group: &str) {
    let config = SubscriptionGroupConfig::new(group);
    assert!(admin.create_subscription_group(&config, &Brokers::All).await.unwrap().is_complete());
}

/// A consumer that collects, and commits soon.
async fn start(name_server: &str, group: &str, topic: &str, seen: &Seen) -> PushConsumer {
    let collect = seen.clone();
    let consumer = consumer(name_server, group).subscribe(topic, "*").listener(move |message, _| {
        collect.add(message);
        async {}
    });
    let option = |option: &mut rocketmq::conf::ConsumerOption| {
        option.set_persist_offset_interval(100).set_broker_suspend_max_time(2000);
    };
    consumer.option(option).start().await.unwrap()
}

/// A topic of one queue with ten messages, which a group has finished or not.
struct Stand {
    site: Site,
    name_server: String,
    topic: String,
    group: String,
    queue: MessageQueue,
}

impl Stand {
    async fn new(name_server: &str, name: &str) -> Self {
        let site = Site::new(name_server).await;
        let (topic, group) = (site.create(name, 1).await, fresh_group(name));
        send(&site, &topic, bodies("m", 10)).await;
        let queue = site.admin.message_queues(&topic).await.unwrap().remove(0);
        site.pull_one(&queue, 9).await;
        Self { site, name_server: name_server.to_owned(), topic, group, queue }
    }

    async fn start(&self, seen: &Seen) -> PushConsumer {
        start(&self.name_server, &self.group, &self.topic, seen).await
    }

    /// Has a consumer finish all messages, and leave.
    async fn finish(&self) {
        let seen = Seen::default();
        let consumer = self.start(&seen).await;
        seen.wait_for(10).await;
        assert!(consumer.shutdown().await.unwrap().is_clean());
        assert_eq!(self.committed().await, Some(10));
    }

    async fn committed(&self) -> Option<i64> {
        self.site.admin.consumer_offset(&self.group, &self.queue).await.unwrap()
    }

    async fn wait_for_committed(&self, offset: i64) {
        eventually("the commit", async || (self.committed().await == Some(offset)).then_some(())).await;
    }

    async fn reset(&self, to: QueuePosition) -> Result<i64, MQClientError> {
        let plan = self.site.admin.plan_queue_reset(&self.group, &self.queue, to).await?;
        let moved = self.site.admin.reset_offsets(&plan).await?.into_complete()?;
        Ok(moved[0].1)
    }
}
