use std::fmt::{Display, Write};
use std::time::Duration;

use rocketmq_common::mix_all::DEFAULT_TRACE_REGION_ID;

use crate::clock::now_ms;
use crate::hook::{ConsumeReturnType, MessageType};
use crate::model::Message;

const FIELD_END: char = '\u{1}';
const RECORD_END: char = '\u{2}';

/// Java: the ordinal of `MessageType.Trans_msg_Commit`, which Java uses for all ends, even for rollbacks.
const TRANSACTION_COMMIT: u8 = 2;

/// One event of a message, in the text form of a trace message. Java: `TraceContext` and `TraceDataEncoder`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TraceRecord {
    pub(super) text: String,
    /// The keys of the record: the id of the message and its keys.
    pub(super) msg_id: String,
    pub(super) keys: Option<String>,
}

/// An attempt to send one message. Java: `TraceType.Pub`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pub<'a> {
    pub(super) began_ms: i64,
    pub(super) region_id: Option<&'a str>,
    pub(super) group: &'a str,
    pub(super) topic: &'a str,
    pub(super) msg_id: &'a str,
    pub(super) tags: Option<&'a str>,
    pub(super) keys: Option<&'a str>,
    pub(super) broker_address: &'a str,
    pub(super) body_length: usize,
    pub(super) took: Duration,
    pub(super) message_type: MessageType,
    pub(super) offset_msg_id: Option<&'a str>,
    pub(super) success: bool,
}

/// The end of a transaction that the broker was told. Java: `TraceType.EndTransaction`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EndOfTransaction<'a> {
    pub(crate) group: &'a str,
    pub(crate) message: &'a Message,
    pub(crate) msg_id: &'a str,
    pub(crate) broker_address: &'a str,
    pub(crate) transaction_id: &'a str,
    /// Java: `LocalTransactionState.name`.
    pub(crate) state: &'static str,
    /// Whether it answers a check of the broker.
    pub(crate) from_check: bool,
}

/// A message that is about to be handled. Java: `TraceType.SubBefore`.
#[derive(Debug, Clone, Copy)]
pub(super) struct SubBefore<'a> {
    pub(super) now_ms: i64,
    pub(super) region_id: Option<&'a str>,
    pub(super) group: &'a str,
    /// Joins it to its `SubAfter`.
    pub(super) request_id: &'a str,
    pub(super) msg_id: &'a str,
    pub(super) retry_times: i32,
    pub(super) keys: Option<&'a str>,
}

/// A message that was handled. Java: `TraceType.SubAfter`.
#[derive(Debug, Clone, Copy)]
pub(super) struct SubAfter<'a> {
    pub(super) request_id: &'a str,
    pub(super) msg_id: &'a str,
    /// The time of its batch, divided by the messages of the batch.
    pub(super) cost: Duration,
    pub(super) success: bool,
    pub(super) keys: Option<&'a str>,
    pub(super) status: ConsumeReturnType,
    pub(super) now_ms: i64,
    pub(super) group: &'a str,
}

impl TraceRecord {
    pub(super) fn of_sub_before(sub: &SubBefore<'_>) -> Self {
        let mut text = Text::of("SubBefore");
        text.field(sub.now_ms);
        text.field(sub.region_id.unwrap_or(DEFAULT_TRACE_REGION_ID));
        text.field(sub.group);
        text.field(sub.request_id);
        text.field(sub.msg_id);
        text.field(sub.retry_times);
        text.user_field(sub.keys);
        Self { text: text.end(), msg_id: sub.msg_id.to_owned(), keys: sub.keys.map(str::to_owned) }
    }

    pub(super) fn of_sub_after(sub: &SubAfter<'_>) -> Self {
        let mut text = Text::of("SubAfter");
        text.field(sub.request_id);
        text.field(sub.msg_id);
        text.field(sub.cost.as_millis());
        text.field(sub.success);
        text.user_field(sub.keys);
        text.field(code(sub.status));
        text.field(sub.now_ms);
        text.field(sub.group);
        Self { text: text.end(), msg_id: sub.msg_id.to_owned(), keys: sub.keys.map(str::to_owned) }
    }

    pub(super) fn of_pub(sent: &Pub<'_>) -> Self {
        let mut text = Text::of("Pub");
        text.field(sent.began_ms);
        text.field(sent.region_id.unwrap_or(DEFAULT_TRACE_REGION_ID));
        text.field(sent.group);
        text.field(sent.topic);
        text.field(sent.msg_id);
        text.user_field(sent.tags);
        text.user_field(sent.keys);
        text.field(sent.broker_address);
        text.field(sent.body_length);
        text.field(sent.took.as_millis());
        text.field(ordinal(sent.message_type));
        // Java traces no failed attempts, so no reader expects another value.
        text.field(sent.offset_msg_id.unwrap_or_default());
        text.field(sent.success);
        Self { text: text.end(), msg_id: sent.msg_id.to_owned(), keys: sent.keys.map(str::to_owned) }
    }

    pub(crate) fn of_end(end: &EndOfTransaction<'_>) -> Self {
        let mut text = Text::of("EndTransaction");
        text.field(now_ms());
        text.field(DEFAULT_TRACE_REGION_ID);
        text.field(end.group);
        text.field(end.message.topic());
        text.field(end.msg_id);
        text.user_field(end.message.tags());
        text.user_field(end.message.keys());
        text.field(end.broker_address);
        text.field(TRANSACTION_COMMIT);
        text.field(end.transaction_id);
        text.field(end.state);
        text.field(end.from_check);
        let keys = end.message.keys().map(str::to_owned);
        Self { text: text.end(), msg_id: end.msg_id.to_owned(), keys }
    }

    /// A recall of a timer message. Java: `TraceType.Recall`.
    pub(crate) fn of_recall(group: &str, topic: &str, msg_id: &str, success: bool) -> Self {
        let mut text = Text::of("Recall");
        text.field(now_ms());
        text.field(DEFAULT_TRACE_REGION_ID);
        text.field(group);
        text.field(topic);
        text.field(msg_id);
        text.field(success);
        Self { text: text.end(), msg_id: msg_id.to_owned(), keys: None }
    }
}

/// Java: the ordinal of `MessageType`.
fn ordinal(message_type: MessageType) -> u8 {
    match message_type {
        MessageType::Normal => 0,
        MessageType::TransactionHalf => 1,
        MessageType::Delay => 3,
    }
}

/// Java: the ordinal of `ConsumeReturnType`. 3 is `RETURNNULL`, which does not exist here.
fn code(status: ConsumeReturnType) -> u8 {
    match status {
        ConsumeReturnType::Success => 0,
        ConsumeReturnType::TimeOut => 1,
        ConsumeReturnType::Exception => 2,
        ConsumeReturnType::Failed => 4,
    }
}

/// Fields, separated by a separator.
struct Text(String);

impl Text {
    fn of(kind: &str) -> Self {
        let mut text = String::with_capacity(256);
        text.push_str(kind);
        Self(text)
    }

    fn field(&mut self, value: impl Display) {
        self.0.push(FIELD_END);
        // Writing to a String does not fail.
        let _ = write!(self.0, "{value}");
    }

    /// Adds a text of the user, without separators: they would shift all fields after it. A missing text is `null`,
    /// like in Java.
    fn user_field(&mut self, value: Option<&str>) {
        self.0.push(FIELD_END);
        let separator = |c| c == FIELD_END || c == RECORD_END;
        match value {
            None => self.0.push_str("null"),
            Some(value) if !value.contains(separator) => self.0.push_str(value),
            Some(value) => self.0.extend(value.chars().map(|c| if separator(c) { ' ' } else { c })),
        }
    }

    fn end(mut self) -> String {
        self.0.push(RECORD_END);
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: Pub<'static> = Pub {
        began_ms: 1_700_000_000_000,
        region_id: Some("Region"),
        group: "group",
        topic: "Topic",
        msg_id: "7F01",
        tags: Some("TagA"),
        keys: Some("k1 k2"),
        broker_address: "127.0.0.1:10911",
        body_length: 5,
        took: Duration::from_micros(3900),
        message_type: MessageType::Delay,
        offset_msg_id: Some("7F00"),
        success: true,
    };

    #[test]
    fn a_send_is_fourteen_fields_in_java_s_order() {
        let expected = "Pub\u{1}1700000000000\u{1}Region\u{1}group\u{1}Topic\u{1}7F01\u{1}TagA\u{1}k1 k2\u{1}\
                        127.0.0.1:10911\u{1}5\u{1}3\u{1}3\u{1}7F00\u{1}true\u{2}";
        assert_eq!(TraceRecord::of_pub(&SENT).text, expected);
    }

    #[test]
    fn what_is_missing_and_what_would_separate_keeps_every_field_in_its_place() {
        let sent = Pub {
            region_id: None,
            tags: None,
            keys: Some("a\u{1}b"),
            offset_msg_id: None,
            success: false,
            ..SENT
        };
        let record = TraceRecord::of_pub(&sent);
        let fields: Vec<&str> = record.text.split(FIELD_END).collect();
        assert_eq!(fields.len(), 14);
        assert_eq!((fields[2], fields[6], fields[7]), ("DefaultRegion", "null", "a b"));
        assert_eq!((fields[12], fields[13]), ("", "false\u{2}"));
    }

    #[test]
    fn the_end_of_a_transaction_is_thirteen_fields() {
        let record = TraceRecord::of_end(&EndOfTransaction {
            group: "group",
            message: &Message::new("Topic", "x").with_tags("TagA"),
            msg_id: "7F01",
            broker_address: "127.0.0.1:10911",
            transaction_id: "7F02",
            state: "ROLLBACK_MESSAGE",
            from_check: true,
        });
        let fields: Vec<&str> = record.text.split(FIELD_END).collect();
        assert_eq!((fields.len(), fields[0], fields[2]), (13, "EndTransaction", "DefaultRegion"));
        let rest = "group|Topic|7F01|TagA|null|127.0.0.1:10911|2|7F02|ROLLBACK_MESSAGE|true\u{2}";
        assert_eq!(fields[3..].join("|"), rest);
    }

    #[test]
    fn a_handled_message_is_eight_and_nine_fields_in_java_s_order() {
        let (request_id, msg_id, group, now_ms) = ("7F02", "7F01", "group", 1_700_000_000_000);
        let before =
            SubBefore { now_ms, region_id: None, group, request_id, msg_id, retry_times: 2, keys: Some("k") };
        let expected = "SubBefore|1700000000000|DefaultRegion|group|7F02|7F01|2|k\u{2}";
        assert_eq!(TraceRecord::of_sub_before(&before).text.replace(FIELD_END, "|"), expected);
        let (cost, status) = (Duration::from_micros(3900), ConsumeReturnType::Failed);
        let after = SubAfter { request_id, msg_id, cost, success: false, keys: None, status, now_ms, group };
        let expected = "SubAfter|7F02|7F01|3|false|null|4|1700000000000|group\u{2}";
        assert_eq!(TraceRecord::of_sub_after(&after).text.replace(FIELD_END, "|"), expected);
    }

    #[test]
    fn a_recall_is_seven_fields() {
        let record = TraceRecord::of_recall("group", "Topic", "7F01", true);
        let fields: Vec<&str> = record.text.split(FIELD_END).collect();
        assert_eq!((fields.len(), fields[0]), (7, "Recall"));
        assert_eq!(fields[3..], ["group", "Topic", "7F01", "true\u{2}"]);
    }
}
