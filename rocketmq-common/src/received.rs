//! What a broker wrote into the properties of a message, which must not go out again when the message is sent on.

use crate::message_const as names;
use crate::properties::{MessageProperties, append_properties};

/// Properties that say what became of one copy of a message: its delay, its place, its transaction, its deliveries. Sent
/// on, they would delay the new copy again, move it, or make a broker refuse it.
///
/// `DELAY` and the timers are a sender's wish, but the broker has fulfilled it.
pub const OF_ONE_COPY: [&str; 40] = [
    names::PROPERTY_DELAY_TIME_LEVEL,
    names::PROPERTY_TIMER_DELAY_SEC,
    names::PROPERTY_TIMER_DELAY_MS,
    names::PROPERTY_TIMER_DELIVER_MS,
    names::PROPERTY_TIMER_OUT_MS,
    names::PROPERTY_TIMER_ENQUEUE_MS,
    names::PROPERTY_TIMER_DEQUEUE_MS,
    names::PROPERTY_TIMER_ROLL_TIMES,
    names::PROPERTY_TIMER_DEL_UNIQKEY,
    names::PROPERTY_TIMER_DELAY_LEVEL,
    names::PROPERTY_REAL_TOPIC,
    names::PROPERTY_REAL_QUEUE_ID,
    names::PROPERTY_TRANSACTION_PREPARED,
    names::PROPERTY_PRODUCER_GROUP,
    names::PROPERTY_TRANSACTION_ID,
    names::PROPERTY_TRANSACTION_CHECK_TIMES,
    names::PROPERTY_TRANSACTION_PREPARED_QUEUE_OFFSET,
    names::PROPERTY_RETRY_TOPIC,
    names::PROPERTY_RECONSUME_TIME,
    names::PROPERTY_MAX_RECONSUME_TIMES,
    names::PROPERTY_ORIGIN_MESSAGE_ID,
    names::PROPERTY_DLQ_ORIGIN_TOPIC,
    names::PROPERTY_DLQ_ORIGIN_MESSAGE_ID,
    names::PROPERTY_CONSUME_START_TIMESTAMP,
    names::PROPERTY_MIN_OFFSET,
    names::PROPERTY_MAX_OFFSET,
    names::PROPERTY_POP_CK,
    names::PROPERTY_POP_CK_OFFSET,
    names::PROPERTY_FIRST_POP_TIME,
    names::PROPERTY_ORIGIN_GROUP,
    names::PROPERTY_INNER_NUM,
    names::PROPERTY_INNER_BASE,
    names::PROPERTY_INNER_MULTI_QUEUE_OFFSET,
    names::PROPERTY_MSG_REGION,
    names::PROPERTY_TRACE_SWITCH,
    names::PROPERTY_CLUSTER,
    names::PROPERTY_INSTANCE_ID,
    names::PROPERTY_MESSAGE_TYPE,
    names::PROPERTY_PUSH_REPLY_TIME,
    names::PROPERTY_CRC32,
];

/// Messages that are sent on.
impl MessageProperties {
    /// Notes that the properties, as they are now, came from a broker. Reading them changes nothing.
    /// [`take_off_received`](Self::take_off_received) tells them from the properties that are set later.
    #[inline]
    pub fn mark_received(&mut self) {
        self.received = self.len_bytes() as u32;
    }

    /// Takes off the properties [of one copy](OF_ONE_COPY) that came from a broker. A property that was set after the
    /// message was received stays. Producers call this for every message that they send.
    ///
    /// ```
    /// use rocketmq_common::{Message, MessageProperties};
    ///
    /// let mut properties = MessageProperties::from_wire("TAGS\u{1}A\u{2}DELAY\u{1}3\u{2}TIMER_OUT_MS\u{1}9\u{2}");
    /// properties.mark_received();
    /// let mut message = Message::from_parts("Orders", 0, properties, "hello").with_delay_time_sec(20);
    /// message.properties_mut().take_off_received();
    /// assert_eq!((message.tags(), message.delay_time_level()), (Some("A"), 0));
    /// assert_eq!(message.delay_time_sec(), Some(20), "set anew");
    /// ```
    #[inline]
    pub fn take_off_received(&mut self) {
        if self.received > 0 {
            self.take_off();
        }
    }

    #[cold]
    fn take_off(&mut self) {
        let is_kept = |(name, _): &(&str, &str)| !OF_ONE_COPY.contains(name);
        let (received, own) = self.received_and_own();
        if !received.clone().all(|entry| is_kept(&entry)) {
            let mut kept = String::with_capacity(self.len_bytes());
            append_properties(&mut kept, received.filter(is_kept));
            append_properties(&mut kept, own);
            self.replace_wire(kept);
        }
        self.received = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(text: &str) -> String {
        text.replace('=', "\u{1}").replace('|', "\u{2}")
    }

    fn received(text: &str) -> MessageProperties {
        let mut properties = MessageProperties::from_wire(wire(text));
        properties.mark_received();
        properties
    }

    fn sent_on(mut properties: MessageProperties) -> String {
        properties.take_off_received();
        properties.as_wire().replace('\u{1}', "=").replace('\u{2}', "|")
    }

    #[test]
    fn only_what_belongs_to_the_received_copy_is_taken_off() {
        assert_eq!(
            sent_on(received("TAGS=A|UNIQ_KEY=7F|mine=1|WAIT=false|")),
            "TAGS=A|UNIQ_KEY=7F|mine=1|WAIT=false|"
        );
        for name in OF_ONE_COPY {
            assert_eq!(sent_on(received(&format!("TAGS=A|{name}=1|mine=2"))), "TAGS=A|mine=2|", "{name}");
            let own = MessageProperties::from_wire(wire(&format!("{name}=1|")));
            assert_eq!(sent_on(own), format!("{name}=1|"), "this text came from no broker");
        }
    }

    #[test]
    fn a_property_that_is_set_anew_is_the_sender_s_own() {
        for text in ["a=1|DELAY=3|b=2|", "DELAY=3|a=1|b=2", "a=1|DELAY=3|b=2"] {
            let mut properties = received(text);
            properties.put_reserved("DELAY", "4");
            properties.put("b", "5");
            properties.remove("a");
            assert_eq!(sent_on(properties), "DELAY=4|b=5|", "{text}");
        }
        let mut properties = received("DELAY=3");
        properties.put_reserved("TIMER_DELAY_SEC", "20");
        properties.remove("TIMER_DELAY_SEC");
        properties.put("c", "1");
        assert_eq!(sent_on(properties), "c=1|");
    }
}
