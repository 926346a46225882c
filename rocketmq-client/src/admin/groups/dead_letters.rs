use rocketmq_common::mix_all::{self, dlq_topic, retry_topic};
use rocketmq_common::{MessageExt, MessageQueue, PermName, message_const as names};
use rocketmq_remoting::protocol::header::SendMessageRequestHeaderV2;

use crate::admin::answers::fan_out;
use crate::admin::{MQAdmin, invalid};
use crate::consumer::{DLQ_ORIGIN_BROKER, DLQ_REASON};
use crate::error::{MQClientError, with_causes};

/// The property that counts how often a message was sent to its consumers once more after it was a dead letter.
pub const DLQ_RESEND_TIMES: &str = "DLQ_RESEND_TIMES";

/// Where a dead letter goes when it is sent once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ResendTo {
    /// The retry topic of its group: only this group gets it, with all its retries.
    RetryTopic,
    /// The topic that its producer sent it to: all groups that subscribe get it.
    OriginalTopic,
}

/// A dead letter that was sent once more.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resent {
    /// The queue that it is in now.
    pub queue: MessageQueue,
    /// Its offset there.
    pub queue_offset: i64,
    /// The id of its new place. Its unique key, `msg_id`, stays.
    pub offset_msg_id: String,
    /// How often it was sent once more by now.
    pub times: u32,
}

impl MQAdmin {
    /// The queues of the dead letters of a group, mostly one for each broker; none if the group has no dead letters. Read them
    /// with [`read_queue`](Self::read_queue). Request code 105. Dropping the future has no effect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::admin::*;
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// for queue in admin.dead_letter_queues("billing").await? {
    ///     let mut letters = admin.read_queue(&queue, QueuePosition::Begin, Some(QueuePosition::End));
    ///     while let Some(letter) = letters.next().await {
    ///         let letter = letter?;
    ///         println!("{}: {:?}", letter.msg_id(), letter.property("DLQ_REASON"));
    ///         admin.resend_dead_letter(&letter, ResendTo::RetryTopic, 3).await?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `NameServerUnreachable`; `InvalidArgument` if the topic cannot be read: brokers before 4.9 make it so.
    pub async fn dead_letter_queues(&self, group: &str) -> Result<Vec<MessageQueue>, MQClientError> {
        let topic = dlq_topic(group);
        let route = match self.route(&topic).await {
            Err(MQClientError::BrokerNotFound { .. }) => return Ok(Vec::new()),
            route => route?,
        };
        if let Some(data) = route.queue_datas.iter().find(|data| !PermName(data.perm).is_readable()) {
            let (broker, perm) = (&data.broker_name, data.perm);
            let reason = format!(
                "{topic} cannot be read at {broker}, where it has permission {perm}: give it permission 6 (create_topic)"
            );
            return Err(invalid("group", reason));
        }
        self.message_queues(&topic).await
    }

    /// The number of dead letters of a group that brokers still have. Request codes 105, 30 and 31. Dropping the future has no
    /// effect.
    ///
    /// # Errors
    /// The errors of [`dead_letter_queues`](Self::dead_letter_queues); `FanOut` if a queue could not be read.
    pub async fn count_dead_letters(&self, group: &str) -> Result<u64, MQClientError> {
        let counts = fan_out(self.dead_letter_queues(group).await?, |queue: MessageQueue| async move {
            let (min, max) = tokio::try_join!(self.min_offset(&queue), self.max_offset(&queue))?;
            Ok(u64::try_from(max.saturating_sub(min.max(0))).unwrap_or(0))
        });
        Ok(counts.await.into_complete()?.into_iter().map(|(_, count)| count).fold(0, u64::saturating_add))
    }

    /// Sends a dead letter to its consumers once more: body, keys, tags and properties of the user stay, and so does its
    /// unique key. Its count of failures begins at 0. The letter itself stays where it is, as queues keep everything, so that a
    /// second call sends a second copy. Request codes 105, 310 and 33. Dropping the future leaves open whether it was sent.
    ///
    /// After a copy for the retry topic, the place where it was stored is looked at (33); a copy that cannot be looked at counts as
    /// sent. A message that keeps failing would go in circles. Therefore [`DLQ_RESEND_TIMES`] counts how often it was sent once more,
    /// in all its later copies, and at `max_times` it is refused.
    ///
    /// # Errors
    /// `InvalidArgument` if the message was not read from a topic of dead letters, does not say which topic it came from, is a
    /// record that its consumer could not decode, or was sent once more `max_times` times; and if its broker made a dead letter
    /// of it again, which it does with every message for a retry topic while a member holds locks of queues (orderly
    /// listeners): send it to the original topic then. `Broker` if its broker refuses. `BrokerNotFound` if the topic to send it
    /// to is gone.
    pub async fn resend_dead_letter(
        &self,
        letter: &MessageExt,
        to: ResendTo,
        max_times: u32,
    ) -> Result<Resent, MQClientError> {
        let refuse = |reason: String| Err(invalid("dead letter", reason));
        let id = letter.msg_id();
        let Some(group) = letter.topic().strip_prefix(mix_all::DLQ_GROUP_TOPIC_PREFIX) else {
            return refuse(format!("{id} is of topic {}, which holds no dead letters", letter.topic()));
        };
        let origin = [names::PROPERTY_RETRY_TOPIC, names::PROPERTY_DLQ_ORIGIN_TOPIC];
        let Some(origin) = origin.iter().find_map(|name| letter.property(name)) else {
            return refuse(format!("{id} does not say which topic it came from"));
        };
        if letter.property(DLQ_ORIGIN_BROKER).is_some() {
            return refuse(format!("{id} is a record that its consumer could not decode"));
        }
        let times = letter.property(DLQ_RESEND_TIMES).and_then(|times| times.parse().ok()).unwrap_or(0u32);
        if times >= max_times {
            return refuse(format!(
                "{id} was sent once more {times} times already, of {max_times}: it fails each time"
            ));
        }
        let times = times.saturating_add(1);
        let topic = match to {
            ResendTo::RetryTopic => retry_topic(group),
            ResendTo::OriginalTopic => origin.to_owned(),
        };
        let (broker, address, queue_id) = self.master_and_queue(&topic, letter).await?;
        let properties = properties(letter, (to == ResendTo::RetryTopic).then_some(origin), times);
        let header = SendMessageRequestHeaderV2 {
            producer_group: mix_all::CLIENT_INNER_PRODUCER_GROUP,
            topic: &topic,
            default_topic: mix_all::AUTO_CREATE_TOPIC_KEY_TOPIC,
            default_topic_queue_nums: 1,
            queue_id,
            born_timestamp: letter.born_timestamp(),
            flag: letter.flag(),
            properties: Some(&properties),
            reconsume_times: Some(0),
            broker_name: Some(&broker),
            ..SendMessageRequestHeaderV2::default()
        };
        let stored = self.asking()?.send_on(&address, &header, letter.body()).await;
        let stored = stored.map_err(|error| error.of_group(group))?;
        let offset_msg_id = stored.msg_id.to_string();
        // It is stored: after an error here it would be sent twice.
        if to == ResendTo::RetryTopic
            && let Ok(again) = self.view_message(&offset_msg_id).await.inspect_err(|error| {
                tracing::warn!(
                    id,
                    error = with_causes(error),
                    "a dead letter was sent once more and cannot be looked at"
                );
            })
            && again.topic() == letter.topic()
        {
            return refuse(format!(
                "broker {broker} made a dead letter of {id} again, at offset {} of {}: a member of {group} holds locks of \
                 queues, so send it to the original topic",
                again.queue_offset(),
                again.topic()
            ));
        }
        let queue = MessageQueue::new(topic.as_str(), broker, stored.queue_id);
        Ok(Resent { queue, queue_offset: stored.queue_offset, offset_msg_id, times })
    }

    /// The broker to send to, its master, and a writable queue: the broker of the letter, if it has the topic.
    async fn master_and_queue(
        &self,
        topic: &str,
        letter: &MessageExt,
    ) -> Result<(String, std::sync::Arc<str>, i32), MQClientError> {
        let route = self.route(topic).await?;
        let mut writable: Vec<_> = route
            .queue_datas
            .iter()
            .filter(|data| PermName(data.perm).is_writable() && data.write_queue_nums > 0)
            .collect();
        writable.sort_by_key(|data| data.broker_name != letter.broker_name());
        let Some(data) = writable.first() else {
            return Err(invalid("topic", format!("no broker lets {topic} be written")));
        };
        let (broker, queue_id) =
            (&data.broker_name, letter.queue_offset() % i64::from(data.write_queue_nums));
        let info = route.broker_datas.iter().find(|info| info.broker_name == *broker);
        let master = info.and_then(|info| info.broker_addrs.get(&mix_all::MASTER_ID));
        let master = master.ok_or_else(|| MQClientError::NoMaster { broker: broker.as_str().into() })?;
        Ok((broker.clone(), self.instance()?.dial_address(master), i32::try_from(queue_id).unwrap_or(0)))
    }
}

/// The properties of the new copy. In a retry topic they name the topic that consumers see.
fn properties(letter: &MessageExt, origin: Option<&str>, times: u32) -> String {
    let mut properties = letter.message().properties().clone();
    properties.mark_received();
    properties.take_off_received();
    for name in [DLQ_REASON, DLQ_RESEND_TIMES, names::PROPERTY_ORIGIN_MESSAGE_ID] {
        properties.remove(name);
    }
    let times = times.to_string();
    let mut added = vec![(DLQ_RESEND_TIMES, &*times)];
    added.extend(origin.map(|origin| (names::PROPERTY_RETRY_TOPIC, origin)));
    properties.wire_with(&added)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Message, RecordHeader};

    #[test]
    fn a_new_copy_has_what_its_producer_set_and_counts() {
        let mut message = Message::new("%DLQ%billing", "x").with_tags("paid").with_keys("order-7");
        message.put_property("mine", "1");
        for (name, value) in [
            ("UNIQ_KEY", "7F"),
            ("RETRY_TOPIC", "Orders"),
            ("RECONSUME_TIME", "16"),
            ("DLQ_REASON", "no stock"),
            ("DLQ_ORIGIN_TOPIC", "Orders"),
            ("DELAY", "5"),
            ("TRAN_MSG", "true"),
            ("TIMER_OUT_MS", "1"),
            (DLQ_RESEND_TIMES, "1"),
        ] {
            message.properties_mut().put_reserved(name, value);
        }
        let letter = MessageExt::new(message, RecordHeader::default());
        let show = |text: String| text.replace('\u{1}', "=").replace('\u{2}', "|");
        assert_eq!(
            show(properties(&letter, Some("Orders"), 2)),
            "TAGS=paid|KEYS=order-7|mine=1|UNIQ_KEY=7F|DLQ_RESEND_TIMES=2|RETRY_TOPIC=Orders|"
        );
        assert_eq!(
            show(properties(&letter, None, 2)),
            "TAGS=paid|KEYS=order-7|mine=1|UNIQ_KEY=7F|DLQ_RESEND_TIMES=2|"
        );
    }
}
