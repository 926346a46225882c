use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rocketmq_common::record::{RecordDecoder, RecordError};
use rocketmq_common::{MessageExt, OffsetMsgId};
use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::header::QueryMessageRequestHeader;

use super::answers::fan_out;
use super::brokers::readers;
use super::{MQAdmin, Server, invalid};
use crate::error::{Failure, MQClientError};

/// The search window for a message with a unique key. Java: `DefaultMQAdminExtImpl.viewMessage`.
const UNIQUE_KEY_WINDOW: Duration = Duration::from_secs(3 * 24 * 60 * 60);

/// The number of messages to ask for with a unique key: a message that was sent again is stored several times. Java's
/// number.
const UNIQUE_KEY_MAX: u32 = 32;

/// An index keeps times in whole seconds, rounded down.
const INDEX_PRECISION_MS: i64 = 1000;

/// The result of a search by key. Java: `QueryResult`.
#[derive(Debug)]
#[non_exhaustive]
pub struct QueryResult {
    /// The messages, in the order in which they were stored.
    pub messages: Vec<MessageExt>,
    /// Unreadable records with the brokers that sent them. They may be messages with the key.
    pub unreadable: Vec<(Server, RecordError)>,
    /// When the index was last written, in milliseconds since 1970; the latest time of all brokers. Later messages
    /// cannot be found yet. 0 if nothing was found.
    pub index_last_update_timestamp: i64,
    /// The brokers that did not answer: they may have more messages.
    pub failed: Vec<(Server, MQClientError)>,
}

impl MQAdmin {
    /// One stored message by its offset message id: the request goes to the broker whose address the id holds
    /// (request code 33). Java: `MQAdminExt.viewMessage`. Dropping the future has no effect.
    ///
    /// The id names the host to dial. For an id from an untrusted source, check its address first, or search with
    /// [`query_by_unique_key`](Self::query_by_unique_key).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// let message = admin.view_message(&sent.offset_msg_id).await?;
    /// assert_eq!(message.msg_id(), sent.msg_id);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` if the text is no offset message id (a `UNIQ_KEY` is none); `Broker` with code 1 if nothing is
    /// stored there; `Remoting` if that broker cannot be reached.
    pub async fn view_message(&self, offset_msg_id: &str) -> Result<MessageExt, MQClientError> {
        let id = OffsetMsgId::parse(offset_msg_id).map_err(|error| invalid("offset message id", error))?;
        let address = self.instance()?.dial_address(&id.store_host.to_string());
        let body = self.asking()?.view_message(&address, id.commit_log_offset).await?;
        match RecordDecoder::new(body).next() {
            Some(record) => record.map_err(|error| bad_answer(&address, error)),
            None => Err(bad_answer(&address, "the answer has no message")),
        }
    }

    /// The newest messages of a topic with a key, at most `max`, stored within a range of times in milliseconds since
    /// 1970 (`..` for any time). Request codes 105 and 12, to all brokers of the topic; Java: `MQAdmin.queryMessage`,
    /// `mqadmin queryMsgByKey`. Dropping the future has no effect.
    ///
    /// A key is one word of the text given to [`Message::set_keys`](crate::model::Message::set_keys). Brokers search
    /// by a hash of the key. This method drops hits with another key, topic or time, so that it may return fewer than
    /// `max` messages although there are more. A broker returns 64 at most. A message can be found a moment after it
    /// was stored, once it is in the index.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// let found = admin.query_message("TopicTest", "order-7", 10, ..).await?;
    /// assert_eq!(found.messages[0].msg_id(), sent.msg_id);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` for a key that is empty or has a space; `BrokerNotFound` if the topic has no route;
    /// `NameServerUnreachable`; `FanOut` if no broker answered. An empty result is no error.
    pub async fn query_message(
        &self,
        topic: &str,
        key: &str,
        max: u32,
        stored: impl RangeBounds<i64>,
    ) -> Result<QueryResult, MQClientError> {
        if key.is_empty() || key.contains(' ') {
            return Err(invalid("key", format!("{key:?} is not one word, and only words are found")));
        }
        let wanted = Wanted::new(topic, key, false, &stored);
        drop(stored);
        self.query(&wanted, max).await
    }

    /// The messages of a topic with this unique key, which [`SendResult`](crate::model::SendResult) calls `msg_id`,
    /// stored within a range of times in milliseconds since 1970 (`..` for any time: slow if there is no such
    /// message). There are several if the message was sent again, or returned by a consumer. Request codes 105 and 12
    /// with
    /// `_UNIQUE_KEY_QUERY`, to all brokers of the topic; Java: `DefaultMQAdminExt.queryMessageByUniqKey`,
    /// `mqadmin queryMsgByUniqueKey`. Dropping the future has no effect.
    ///
    /// # Errors
    /// The errors of [`query_message`](Self::query_message).
    pub async fn query_by_unique_key(
        &self,
        topic: &str,
        unique_key: &str,
        stored: impl RangeBounds<i64>,
    ) -> Result<QueryResult, MQClientError> {
        if unique_key.is_empty() {
            return Err(invalid("unique key", "it is empty"));
        }
        let wanted = Wanted::new(topic, unique_key, true, &stored);
        drop(stored);
        self.query(&wanted, UNIQUE_KEY_MAX).await
    }

    /// The first message of a topic with this unique key, stored within the last three days; for another time, see
    /// [`query_by_unique_key`](Self::query_by_unique_key). `None` if no broker has it. Java:
    /// `MQAdmin.queryMessageByUniqKey`. Dropping the future has no effect.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// let message = admin.view_message_by_unique_key("TopicTest", &sent.msg_id).await?;
    /// assert_eq!(message.map(|message| message.queue_offset()), Some(sent.queue_offset));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The errors of [`query_message`](Self::query_message). `FanOut` also if nothing is found and a broker did not
    /// answer; `BadAnswer` if the only hit cannot be read.
    pub async fn view_message_by_unique_key(
        &self,
        topic: &str,
        unique_key: &str,
    ) -> Result<Option<MessageExt>, MQClientError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let begin = i64::try_from(now.saturating_sub(UNIQUE_KEY_WINDOW).as_millis()).unwrap_or(i64::MAX);
        self.query_by_unique_key(topic, unique_key, begin..).await?.into_first()
    }

    /// A message by an id of either kind: an offset message id (its place) or a unique key (its sender). The ids look
    /// alike, and the port in them tells the kind; an id that may be of both kinds is searched as both. `None` if
    /// there is no such message. Java: `MQAdmin.viewMessage` with a topic, `mqadmin queryMsgById`. Dropping the future
    /// has no effect.
    ///
    /// The topic is needed for unique keys; for offset message ids it is not compared. Like
    /// [`view_message`](Self::view_message), this dials the broker named by an offset message id.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use rocketmq_client::{admin::*, model::*, producer::Producer};
    /// # let cluster = rocketmq_namesrv_mock::MockCluster::start().await?;
    /// # let producer = Producer::builder("docs").name_server_addr(cluster.name_server_addr()).start().await?;
    /// # let sent = producer.send(Message::new("TopicTest", "hello").with_keys("order-7")).await?;
    /// # let admin = MQAdmin::connect(cluster.name_server_addr()).await?;
    /// for id in [&sent.msg_id, &sent.offset_msg_id] {
    ///     assert!(admin.message("TopicTest", id).await?.is_some());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The errors of [`view_message_by_unique_key`](Self::view_message_by_unique_key). For an offset message id those
    /// of
    /// [`view_message`](Self::view_message), but a missing message is no error.
    pub async fn message(&self, topic: &str, id: &str) -> Result<Option<MessageExt>, MQClientError> {
        if OffsetMsgId::parse(id).is_err() {
            return self.view_message_by_unique_key(topic, id).await;
        }
        let at_offset = match self.view_message(id).await {
            Ok(message) => return Ok(Some(message)),
            Err(error) => error,
        };
        // It may also be a unique key whose process id and seed look like a port.
        let by_unique_key = self.view_message_by_unique_key(topic, id).await;
        if is_nothing_stored(&at_offset) || matches!(by_unique_key, Ok(Some(_))) {
            by_unique_key
        } else {
            Err(at_offset)
        }
    }

    async fn query(&self, wanted: &Wanted<'_>, max: u32) -> Result<QueryResult, MQClientError> {
        let header = wanted.header(max);
        let header = &header;
        let route = self.route(wanted.topic).await?;
        let answers = fan_out(readers(&route.broker_datas), |broker| async move {
            let address = self.dial_address(&broker)?;
            let header = QueryMessageRequestHeader {
                broker_name: broker.broker_name().map(Into::into),
                ..header.clone()
            };
            self.asking()?.query_message(&address, &header).await
        });
        let answers = answers.await.any()?;
        let mut result = QueryResult {
            messages: Vec::new(),
            unreadable: Vec::new(),
            index_last_update_timestamp: 0,
            failed: answers.failed,
        };
        for (broker, reply) in answers.done {
            let Some(reply) = reply else { continue };
            let updated = reply.header.index_last_update_timestamp;
            result.index_last_update_timestamp = result.index_last_update_timestamp.max(updated);
            result.take(&broker, reply.body, wanted);
        }
        result.messages.sort_by_key(|message| (message.store_timestamp(), message.commit_log_offset()));
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        result.messages.drain(..result.messages.len().saturating_sub(max));
        Ok(result)
    }
}

impl QueryResult {
    /// Adds the wanted records of a broker's answer.
    fn take(&mut self, broker: &Server, body: Bytes, wanted: &Wanted<'_>) {
        let name: Arc<str> = broker.broker_name().unwrap_or_default().into();
        for record in RecordDecoder::new(body) {
            match record {
                Ok(mut message) if wanted.is(&message) => {
                    message.set_broker_name(name.clone());
                    self.messages.push(message);
                }
                Ok(_) => {}
                Err(error) => self.unreadable.push((broker.clone(), error)),
            }
        }
    }

    /// The first message. An error if there is none and a broker or a record failed: the message may be there.
    fn into_first(mut self) -> Result<Option<MessageExt>, MQClientError> {
        if !self.messages.is_empty() {
            return Ok(Some(self.messages.swap_remove(0)));
        }
        if let Some((broker, error)) = self.unreadable.into_iter().next() {
            return Err(bad_answer(broker.address(), error));
        }
        if self.failed.is_empty() {
            return Ok(None);
        }
        let asked = self.failed.len();
        let failures = self.failed.into_iter().map(|(broker, error)| Failure::new(broker, error)).collect();
        Err(MQClientError::FanOut { asked, failures })
    }
}

/// The wanted messages of a search by key. Times are inclusive.
#[derive(Debug)]
struct Wanted<'a> {
    topic: &'a str,
    key: &'a str,
    is_unique_key: bool,
    begin: i64,
    end: i64,
}

impl<'a> Wanted<'a> {
    fn new(topic: &'a str, key: &'a str, is_unique_key: bool, stored: &impl RangeBounds<i64>) -> Self {
        let begin = match stored.start_bound() {
            Bound::Included(begin) => *begin,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match stored.end_bound() {
            Bound::Included(end) => *end,
            Bound::Excluded(after) => after.saturating_sub(1),
            Bound::Unbounded => i64::MAX,
        };
        Self { topic, key, is_unique_key, begin, end }
    }

    fn header(&self, max: u32) -> QueryMessageRequestHeader {
        QueryMessageRequestHeader {
            topic: self.topic.into(),
            key: self.key.into(),
            max_num: i32::try_from(max).unwrap_or(i32::MAX),
            // The index rounds times down: a message may be there up to a second earlier.
            begin_timestamp: self.begin.saturating_sub(INDEX_PRECISION_MS).max(0),
            end_timestamp: self.end,
            unique_key_query: self.is_unique_key.then_some(true),
            broker_name: None,
        }
    }

    /// Whether a message is wanted: the index knows only hashes and seconds.
    fn is(&self, message: &MessageExt) -> bool {
        let key = if self.is_unique_key {
            message.unique_key() == Some(self.key)
        } else {
            message.keys().is_some_and(|keys| keys.split(' ').any(|key| key == self.key))
        };
        key && message.topic() == self.topic && (self.begin..=self.end).contains(&message.store_timestamp())
    }
}

/// Brokers answer code 1 (`SYSTEM_ERROR`); there is no dedicated code.
fn is_nothing_stored(error: &MQClientError) -> bool {
    match error {
        MQClientError::Broker { code: ResponseCode::SYSTEM_ERROR, remark: Some(remark), .. } => {
            remark.starts_with("can not find message by the offset")
        }
        _ => false,
    }
}

fn bad_answer(peer: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> MQClientError {
    MQClientError::bad_answer(peer, source)
}

#[cfg(test)]
mod tests {
    use rocketmq_common::message_const::UNIQ_KEY;
    use rocketmq_common::record::RecordHeader;

    use super::*;
    use crate::model::Message;

    fn stored(topic: &str, keys: &str, unique_key: &str, store_timestamp: i64) -> MessageExt {
        let mut message = Message::new(topic, "body").with_keys(keys);
        message.properties_mut().put_reserved(UNIQ_KEY, unique_key);
        MessageExt::new(message, RecordHeader { store_timestamp, ..RecordHeader::default() })
    }

    #[test]
    fn only_the_exact_word_topic_and_time_are_wanted() {
        let wanted = Wanted::new("T", "k1", false, &(1000..2000));
        assert!(wanted.is(&stored("T", "k0 k1", "ID", 1000)));
        assert!(wanted.is(&stored("T", "k1", "ID", 1999)));
        for other in [
            stored("T", "k10 k", "ID", 1500),
            stored("T", "K1", "ID", 1500),
            stored("T", "x", "k1", 1500),
            stored("S", "k1", "ID", 1500),
            stored("T", "k1", "ID", 999),
            stored("T", "k1", "ID", 2000),
        ] {
            assert!(!wanted.is(&other), "{other:?}");
        }
        let wanted = Wanted::new("T", "ID", true, &..);
        assert!(wanted.is(&stored("T", "k", "ID", 1)));
        assert!(!wanted.is(&stored("T", "ID", "id", 1)));
    }

    #[test]
    fn brokers_are_asked_for_a_second_more_than_is_wanted() {
        let header = Wanted::new("T", "k", false, &(5000..=5000)).header(8);
        assert_eq!((header.begin_timestamp, header.end_timestamp, header.max_num), (4000, 5000, 8));
        assert_eq!(header.unique_key_query, None);
        let header = Wanted::new("T", "k", true, &..).header(u32::MAX);
        assert_eq!((header.begin_timestamp, header.end_timestamp, header.max_num), (0, i64::MAX, i32::MAX));
        assert_eq!(header.unique_key_query, Some(true));
        let header = Wanted::new("T", "k", true, &(i64::MIN..i64::MIN)).header(0);
        assert_eq!((header.begin_timestamp, header.end_timestamp), (0, i64::MIN));
    }

    #[test]
    fn nothing_found_is_certain_only_when_all_brokers_answered() {
        let result = |failed: Vec<(Server, MQClientError)>| QueryResult {
            messages: Vec::new(),
            unreadable: Vec::new(),
            index_last_update_timestamp: 0,
            failed,
        };
        assert!(matches!(result(Vec::new()).into_first(), Ok(None)));
        let server = Server::NameServer { address: "x:1".into() };
        let failed = vec![(server, MQClientError::NoMaster { broker: "b".into() })];
        let error = result(failed).into_first().unwrap_err();
        assert_eq!(
            error.to_string(),
            "1 of 1 failed: NameServer x:1: broker b has no master now: start it, or wait until a slave takes over"
        );
    }
}
