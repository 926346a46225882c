//! A message as a user sends it (Java: `Message`).

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;

use crate::message_const as names;
use crate::properties::MessageProperties;

/// The longest delay of a timer message, in milliseconds: half of what 63 bits count, because the broker adds its clock.
const MAX_DELAY_MS: u64 = i64::MAX as u64 / 2;

/// A message: a topic, a body, properties.
///
/// Setters never fail. A faulty property is remembered, and the send fails with its error; see
/// [`MessageProperties::check`]. Each setter has a chainable twin:
///
/// ```
/// use rocketmq_common::Message;
///
/// let mut message = Message::new("TopicTest", "hello");
/// message.set_tags("TagA");
/// let same = Message::new("TopicTest", "hello").with_tags("TagA");
/// assert_eq!(message, same);
/// ```
///
/// `Clone` shares the body.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    topic: ByteString,
    flag: i32,
    properties: MessageProperties,
    body: Bytes,
}

impl Message {
    /// Copies topic, properties and body into memory of their own. A message that came in a large answer shares the
    /// memory of that answer, and keeps it whole for as long as the message lives.
    pub fn detach(&mut self) {
        self.topic = ByteString::from(&*self.topic);
        self.properties.detach();
        self.body = Bytes::copy_from_slice(&self.body);
    }

    /// A message without properties.
    pub fn new(topic: impl Into<String>, body: impl Into<Bytes>) -> Self {
        Self::from_parts(topic.into(), 0, MessageProperties::new(), body)
    }

    /// Builds a message from existing parts, without a copy.
    ///
    /// ```
    /// use rocketmq_common::{Message, MessageProperties};
    ///
    /// let properties = MessageProperties::from_wire("TAGS\u{1}TagA\u{2}");
    /// let message = Message::from_parts("TopicTest", 0, properties, "hello");
    /// assert_eq!(message.tags(), Some("TagA"));
    /// ```
    #[inline]
    pub fn from_parts(
        topic: impl Into<ByteString>,
        flag: i32,
        properties: MessageProperties,
        body: impl Into<Bytes>,
    ) -> Self {
        Self { topic: topic.into(), flag, properties, body: body.into() }
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The topic, under Java's name.
    pub fn get_topic(&self) -> &str {
        &self.topic
    }

    /// The topic as a text that clones without a copy.
    pub fn shared_topic(&self) -> &ByteString {
        &self.topic
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// A number for the user's own use. Brokers store it and return it unchanged. 0 unless set.
    pub fn flag(&self) -> i32 {
        self.flag
    }

    /// All properties.
    pub fn properties(&self) -> &MessageProperties {
        &self.properties
    }

    /// All properties, to be changed.
    pub fn properties_mut(&mut self) -> &mut MessageProperties {
        &mut self.properties
    }

    /// The value of one property.
    ///
    /// ```
    /// use rocketmq_common::Message;
    ///
    /// let message = Message::new("TopicTest", "hello").with_property("region", "north");
    /// assert_eq!(message.property("region"), Some("north"));
    /// assert_eq!(message.property("country"), None);
    /// ```
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name)
    }

    /// The tag that consumers filter by.
    pub fn tags(&self) -> Option<&str> {
        self.property(names::PROPERTY_TAGS)
    }

    /// The keys for look-ups, separated by blanks.
    ///
    /// ```
    /// use rocketmq_common::Message;
    ///
    /// let message = Message::new("TopicTest", "hello").with_keys("order-7 customer-9");
    /// let keys: Vec<&str> = message.keys().unwrap_or_default().split(' ').collect();
    /// assert_eq!(keys, ["order-7", "customer-9"]);
    /// ```
    pub fn keys(&self) -> Option<&str> {
        self.property(names::PROPERTY_KEYS)
    }

    /// The delay level; 0 if there is none.
    pub fn delay_time_level(&self) -> i32 {
        self.property(names::PROPERTY_DELAY_TIME_LEVEL).and_then(|level| level.parse().ok()).unwrap_or(0)
    }

    /// Whether the broker answers only after it has flushed and replicated the message as its settings ask. Default:
    /// true.
    pub fn wait_store_msg_ok(&self) -> bool {
        self.property(names::PROPERTY_WAIT_STORE_MSG_OK).is_none_or(|wait| wait.eq_ignore_ascii_case("true"))
    }

    /// The delay of a timer message, in seconds.
    pub fn delay_time_sec(&self) -> Option<u64> {
        self.number(names::PROPERTY_TIMER_DELAY_SEC)
    }

    /// The delay of a timer message, in milliseconds.
    pub fn delay_time_ms(&self) -> Option<u64> {
        self.number(names::PROPERTY_TIMER_DELAY_MS)
    }

    /// The time at which a timer message is delivered, in milliseconds since 1970 (UTC).
    pub fn deliver_time_ms(&self) -> Option<u64> {
        self.number(names::PROPERTY_TIMER_DELIVER_MS)
    }

    /// Whether one of the timer properties is set: the broker keeps the message until it is due.
    ///
    /// ```
    /// use rocketmq_common::Message;
    ///
    /// assert!(Message::new("TopicTest", "hello").with_delay_time_sec(10).is_timer());
    /// assert!(!Message::new("TopicTest", "hello").with_delay_time_level(3).is_timer(), "a level is no timer");
    /// ```
    pub fn is_timer(&self) -> bool {
        [names::PROPERTY_TIMER_DELAY_SEC, names::PROPERTY_TIMER_DELAY_MS, names::PROPERTY_TIMER_DELIVER_MS]
            .iter()
            .any(|name| self.properties.contains(name))
    }

    /// How urgent the message is, if it says so.
    pub fn priority(&self) -> Option<u32> {
        let priority: i32 = self.property(names::PROPERTY_PRIORITY)?.parse().ok()?;
        u32::try_from(priority).ok()
    }

    /// The time, in seconds, before a broker first asks for the outcome of the message's transaction.
    pub fn check_immunity_time_in_seconds(&self) -> Option<u64> {
        self.number(names::PROPERTY_CHECK_IMMUNITY_TIME_IN_SECONDS)
    }

    /// The key that keeps messages of one group in order.
    pub fn sharding_key(&self) -> Option<&str> {
        self.property(names::PROPERTY_SHARDING_KEY)
    }

    /// The id of the buyer.
    pub fn buyer_id(&self) -> Option<&str> {
        self.property(names::PROPERTY_BUYER_ID)
    }

    /// The id that the client gave the message at the send (`UNIQ_KEY`).
    pub fn unique_key(&self) -> Option<&str> {
        self.property(names::UNIQ_KEY)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.property(name).and_then(|value| value.parse().ok())
    }
}

/// The setters, and their twins that return the message.
impl Message {
    /// Replaces the topic.
    pub fn set_topic(&mut self, topic: impl Into<String>) {
        self.topic = topic.into().into();
    }

    /// Replaces the topic by a shared text.
    pub fn set_shared_topic(&mut self, topic: ByteString) {
        self.topic = topic;
    }

    /// Replaces the body.
    pub fn set_body(&mut self, body: impl Into<Bytes>) {
        self.body = body.into();
    }

    /// Sets the number for the user's own use.
    pub fn set_flag(&mut self, flag: i32) {
        self.flag = flag;
    }

    /// Sets the tag that consumers filter by.
    pub fn set_tags(&mut self, tags: impl AsRef<str>) {
        self.properties.put_reserved(names::PROPERTY_TAGS, tags.as_ref());
    }

    /// Sets the keys for look-ups, separated by blanks.
    pub fn set_keys(&mut self, keys: impl AsRef<str>) {
        self.properties.put_reserved(names::PROPERTY_KEYS, keys.as_ref());
    }

    /// Sets a property of the user's own. Names that RocketMQ uses itself are refused when the message is sent.
    ///
    /// ```
    /// use rocketmq_common::Message;
    ///
    /// let mut message = Message::new("TopicTest", "hello");
    /// message.put_property("KEYS", "order-7");
    /// let error = message.properties().check().unwrap_err();
    /// assert!(error.to_string().starts_with("property `KEYS`: the name is reserved"));
    /// message.set_keys("order-7");
    /// assert!(message.properties().check().is_ok());
    /// ```
    pub fn put_property(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) {
        self.properties.put(name.as_ref(), value.as_ref());
    }

    /// Delivers the message later: 1 = 1 s, 2 = 5 s, 3 = 10 s, 4 = 30 s, 5 to 14 = 1 to 10 min, 15 = 20 min,
    /// 16 = 30 min, 17 = 1 h, 18 = 2 h. 0 takes the delay away.
    ///
    /// A level beyond the broker's highest counts as the highest: 2 h, unless the broker has a list of its own. A negative
    /// level is no delay. A level wins over the timer properties, which the broker then ignores. Producers log both at
    /// DEBUG.
    ///
    /// ```
    /// use rocketmq_common::Message;
    ///
    /// let mut message = Message::new("TopicTest", "in ten seconds");
    /// message.set_delay_time_level(3);
    /// assert_eq!(message.delay_time_level(), 3);
    /// message.set_delay_time_level(0);
    /// assert!(message.properties().is_empty());
    /// ```
    pub fn set_delay_time_level(&mut self, level: i32) {
        if level == 0 {
            self.properties.remove(names::PROPERTY_DELAY_TIME_LEVEL);
        } else {
            self.properties.put_reserved(names::PROPERTY_DELAY_TIME_LEVEL, &level.to_string());
        }
    }

    /// Sets whether the broker answers only after it has flushed and replicated the message as its settings ask.
    pub fn set_wait_store_msg_ok(&mut self, wait: bool) {
        self.properties.put_reserved(names::PROPERTY_WAIT_STORE_MSG_OK, if wait { "true" } else { "false" });
    }

    /// Delivers the message after `seconds` (5.x brokers). At most three days unless the broker allows more: it refuses
    /// longer delays with code 13, and the client refuses more than 4,611,686,018,427,387, which the broker's sum cannot hold.
    /// Wins over the other timer properties; a delay level wins over all of them.
    pub fn set_delay_time_sec(&mut self, seconds: u64) {
        self.properties.put_number(names::PROPERTY_TIMER_DELAY_SEC, seconds, MAX_DELAY_MS / 1000);
    }

    /// Delivers the message after `millis` (5.x brokers, which are exact to about a second). The limits are those of
    /// [`set_delay_time_sec`](Self::set_delay_time_sec), in milliseconds.
    pub fn set_delay_time_ms(&mut self, millis: u64) {
        self.properties.put_number(names::PROPERTY_TIMER_DELAY_MS, millis, MAX_DELAY_MS);
    }

    /// Delivers the message at `millis` since 1970 in UTC (5.x brokers, which are exact to about a second).
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    ///
    /// use rocketmq_common::Message;
    ///
    /// let at = SystemTime::now() + Duration::from_secs(3_600);
    /// let at = at.duration_since(SystemTime::UNIX_EPOCH)?.as_millis() as u64;
    /// let message = Message::new("TopicTest", "in an hour").with_deliver_time_ms(at);
    /// assert_eq!(message.deliver_time_ms(), Some(at));
    /// # Ok::<(), std::time::SystemTimeError>(())
    /// ```
    pub fn set_deliver_time_ms(&mut self, millis: u64) {
        self.properties.put_number(names::PROPERTY_TIMER_DELIVER_MS, millis, i64::MAX as u64);
    }

    /// Sets the time, in seconds, before a broker first asks for the outcome of the message's transaction. Choose the
    /// longest time that the local part takes. Brokers wait at least their own setting (6 s). Once a broker has asked,
    /// only an answer to its question ends the transaction.
    pub fn set_check_immunity_time_in_seconds(&mut self, seconds: u64) {
        let name = names::PROPERTY_CHECK_IMMUNITY_TIME_IN_SECONDS;
        self.properties.put_number(name, seconds, i64::MAX as u64 / 1000);
    }

    /// Sets how urgent the message is, 0 being the least; values above [`i32::MAX`] count as that. A 5.4 broker stores the
    /// message in the queue of this number, or in the last queue if there are fewer, whatever queue the producer chose.
    /// Pops of a topic with `message.type=PRIORITY` take the highest queue first; pushed messages come in no such order.
    /// The broker ignores the priority of a half message, a delayed or ordered message, and of messages in a batch.
    /// Java: `Message.setPriority`.
    pub fn set_priority(&mut self, priority: u32) {
        let priority = i32::try_from(priority).unwrap_or(i32::MAX);
        self.properties.put_reserved(names::PROPERTY_PRIORITY, &priority.to_string());
    }

    /// Sets the key that keeps messages of one group in order.
    ///
    /// ```
    /// use rocketmq_common::Message;
    ///
    /// let message = Message::new("Orders", "paid").with_sharding_key("order-7");
    /// assert_eq!(message.sharding_key(), Some("order-7"));
    /// ```
    pub fn set_sharding_key(&mut self, key: impl AsRef<str>) {
        self.properties.put_reserved(names::PROPERTY_SHARDING_KEY, key.as_ref());
    }

    /// Sets the id of the buyer.
    pub fn set_buyer_id(&mut self, id: impl AsRef<str>) {
        self.properties.put_reserved(names::PROPERTY_BUYER_ID, id.as_ref());
    }
}

macro_rules! chainable {
    ($($with:ident = $set:ident($($arg:ident: $kind:ty),+);)+) => {
        impl Message {
            $(
                #[doc = concat!("[`", stringify!($set), "`](Self::", stringify!($set), "), chainable.")]
                #[must_use]
                pub fn $with(mut self, $($arg: $kind),+) -> Self {
                    self.$set($($arg),+);
                    self
                }
            )+
        }
    };
}

chainable! {
    with_topic = set_topic(topic: impl Into<String>);
    with_body = set_body(body: impl Into<Bytes>);
    with_flag = set_flag(flag: i32);
    with_tags = set_tags(tags: impl AsRef<str>);
    with_keys = set_keys(keys: impl AsRef<str>);
    with_property = put_property(name: impl AsRef<str>, value: impl AsRef<str>);
    with_delay_time_level = set_delay_time_level(level: i32);
    with_wait_store_msg_ok = set_wait_store_msg_ok(wait: bool);
    with_delay_time_sec = set_delay_time_sec(seconds: u64);
    with_delay_time_ms = set_delay_time_ms(millis: u64);
    with_deliver_time_ms = set_deliver_time_ms(millis: u64);
    with_check_immunity_time_in_seconds = set_check_immunity_time_in_seconds(seconds: u64);
    with_priority = set_priority(priority: u32);
    with_sharding_key = set_sharding_key(key: impl AsRef<str>);
    with_buyer_id = set_buyer_id(id: impl AsRef<str>);
}

/// Shows the length of the body, not the body.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("topic", &&*self.topic)
            .field("flag", &self.flag)
            .field("properties", &self.properties)
            .field("body_len", &self.body.len())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::{PropertyError, PropertyProblem};

    #[test]
    fn a_message_can_be_made_of_all_sorts_of_text_and_bytes() {
        for message in [
            Message::new("T", "body"),
            Message::new(String::from("T"), String::from("body")),
            Message::new("T", b"body".to_vec()),
            Message::new("T", Bytes::from_static(b"body")),
            Message::new("T", &b"body"[..]),
        ] {
            assert_eq!((message.topic(), message.get_topic(), &message.body()[..]), ("T", "T", &b"body"[..]));
            assert!(message.properties().is_empty());
        }
    }

    #[test]
    fn setters_use_the_names_of_the_wire() {
        let mut message = Message::new("T", "");
        message.set_tags("A");
        message.set_keys(String::from("k1 k2"));
        message.put_property("mine", "x");
        message.set_delay_time_level(3);
        message.set_wait_store_msg_ok(false);
        message.set_delay_time_sec(4);
        message.set_delay_time_ms(5);
        message.set_deliver_time_ms(6);
        message.set_check_immunity_time_in_seconds(7);
        message.set_priority(u32::MAX);
        assert_eq!(message.priority(), Some(i32::MAX as u32));
        message.set_priority(8);
        message.set_sharding_key("s");
        message.set_buyer_id("b");
        let expected = "TAGS=A|KEYS=k1 k2|mine=x|DELAY=3|WAIT=false|TIMER_DELAY_SEC=4|TIMER_DELAY_MS=5|\
                        TIMER_DELIVER_MS=6|CHECK_IMMUNITY_TIME_IN_SECONDS=7|_SYS_MSG_PRIORITY_=8|__SHARDINGKEY=s|\
                        BUYER_ID=b|";
        assert_eq!(message.properties().as_wire(), expected.replace('=', "\u{1}").replace('|', "\u{2}"));
        assert_eq!((message.tags(), message.keys()), (Some("A"), Some("k1 k2")));
        assert_eq!((message.delay_time_level(), message.wait_store_msg_ok()), (3, false));
        assert_eq!((message.delay_time_sec(), message.delay_time_ms()), (Some(4), Some(5)));
        assert_eq!((message.deliver_time_ms(), message.is_timer()), (Some(6), true));
        assert_eq!((message.check_immunity_time_in_seconds(), message.priority()), (Some(7), Some(8)));
        assert_eq!((message.sharding_key(), message.buyer_id()), (Some("s"), Some("b")));
        assert_eq!(message.properties().check(), Ok(()));
    }

    #[test]
    fn what_is_not_set_has_java_s_default() {
        let message = Message::new("T", "");
        assert_eq!((message.tags(), message.keys(), message.unique_key()), (None, None, None));
        assert_eq!((message.delay_time_level(), message.flag(), message.is_timer()), (0, 0, false));
        assert!(message.wait_store_msg_ok());
        assert_eq!(message.with_delay_time_level(2).with_delay_time_level(0), Message::new("T", ""));
    }

    #[test]
    fn a_reserved_name_is_refused_until_it_is_set_the_right_way() {
        let mut message = Message::new("T", "").with_property("TAGS", "A");
        let error = message.properties().check();
        assert_eq!(error, Err(PropertyError { name: "TAGS".into(), problem: PropertyProblem::Reserved }));
        message.set_tags("A");
        assert_eq!(message.properties().check(), Ok(()));
    }

    #[test]
    fn a_time_that_overflows_the_sum_of_the_broker_is_refused_with_the_limit() {
        let message = || Message::new("T", "");
        let (max, limit) = (i64::MAX as u64, i64::MAX as u64 / 2);
        for (message, limit) in [
            (message().with_delay_time_sec(max), limit / 1000),
            (message().with_delay_time_sec(1 << 54), limit / 1000),
            (message().with_delay_time_sec(limit / 1000 + 1), limit / 1000),
            (message().with_delay_time_ms(max), limit),
            (message().with_delay_time_ms(limit + 1), limit),
            (message().with_deliver_time_ms(max + 1), max),
            (message().with_check_immunity_time_in_seconds(max), max / 1000),
        ] {
            let error = message.properties().check().expect_err("refused");
            assert!(error.to_string().contains(&format!("over the limit of {limit}")), "{error}");
            assert!(message.properties().is_empty(), "{error}");
        }
        for message in [
            message().with_delay_time_sec(limit / 1000),
            message().with_delay_time_ms(limit),
            message().with_deliver_time_ms(max),
            message().with_delay_time_sec(max).with_delay_time_sec(1),
        ] {
            assert_eq!(message.properties().check(), Ok(()));
        }
    }

    #[test]
    fn debug_shows_no_body() {
        let text = format!("{:?}", Message::new("T", "secret").with_tags("A"));
        assert_eq!(text, r#"Message { topic: "T", flag: 0, properties: {"TAGS": "A"}, body_len: 6 }"#);
    }
}
