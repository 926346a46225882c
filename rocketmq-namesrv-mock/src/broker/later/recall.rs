//! Recalls a timer message: 370. Java: `RecallMessageProcessor`.

use std::net::{Ipv4Addr, SocketAddr};

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use rocketmq_common::java_hash::java_string_hash;
use rocketmq_common::message_const as names;
use rocketmq_common::mix_all::DEFAULT_TRACE_REGION_ID;
use rocketmq_common::sysflag::MessageSysFlag;
use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::header::RecallMessageFields;

use super::plan::TIMER_MAX_DELAY_MS;
use crate::broker::records::{KnownProperties, NewRecord};
use crate::broker::state::{Broker, HeldRequest};
use crate::store::with_properties;
use crate::wire::{Answer, NOT_SET, Refusal, Request, required};

/// Tag and body of the message that deletes another one.
const RECALL_TAG: &str = "_RECALL_TAG_";
const RECALL_BODY: &[u8] = b"0";

/// The encoding of handles. Like Java's decoder, it accepts missing padding and ignores excess bits.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A decoded recall handle.
struct RecallHandle {
    topic: String,
    broker: String,
    timestamp: String,
    unique_key: String,
}

/// 370.
pub(crate) fn recall(broker: &Broker, request: &Request<'_>) -> Result<Answer, Refusal> {
    let region = [(names::PROPERTY_MSG_REGION, DEFAULT_TRACE_REGION_ID)].into_iter().collect();
    let handle = checked(broker, request).and_then(|(fields, handle)| {
        store(broker, request, fields.producer_group.as_deref().unwrap_or_default(), &handle)?;
        Ok(handle)
    });
    match handle {
        Ok(handle) => {
            let answer = Answer::success().with_remark(NOT_SET).with_field("msgId", handle.unique_key);
            Ok(answer.with_field(names::PROPERTY_MSG_REGION, DEFAULT_TRACE_REGION_ID))
        }
        Err(refusal) => Err(refusal.with_fields(region)),
    }
}

/// The handle, if this broker may hold its message. Does not check whether it still does.
fn checked<'a>(
    broker: &Broker,
    request: &Request<'a>,
) -> Result<(RecallMessageFields<'a>, RecallHandle), Refusal> {
    if !broker.obeyed().recall {
        return Err(Refusal::new(ResponseCode::NO_PERMISSION, "recall failed, operation is forbidden"));
    }
    let fields: RecallMessageFields<'_> = request.fields()?;
    let topic = &*required(fields.topic.clone(), "topic")?;
    if broker.lock().topics.get(topic).is_none() {
        let remark = format!("recall failed, the topic[{topic}] not exist");
        return Err(Refusal::new(ResponseCode::TOPIC_NOT_EXIST, remark));
    }
    let illegal = |remark: &'static str| Refusal::new(ResponseCode::ILLEGAL_OPERATION, remark);
    let handle = fields.recall_handle.as_deref().and_then(RecallHandle::read);
    let handle = handle.ok_or_else(|| illegal("recall handle is invalid"))?;
    if handle.topic != topic {
        return Err(illegal("recall failed, topic not match"));
    }
    if handle.broker != *broker.name {
        return Err(illegal("recall failed, broker service not available"));
    }
    let left_ms = handle.timestamp.parse().unwrap_or(-1_i64).saturating_sub(broker.now_ms());
    if left_ms <= 0 || left_ms >= TIMER_MAX_DELAY_MS {
        return Err(illegal("recall failed, timestamp invalid"));
    }
    Ok((fields, handle))
}

/// Stores a timer message that deletes another one.
fn store(broker: &Broker, request: &Request<'_>, group: &str, handle: &RecallHandle) -> Result<(), Refusal> {
    let now_ms = broker.now_ms();
    let born = now_ms.to_string();
    let entries = [
        (names::PROPERTY_TAGS, RECALL_TAG),
        (names::PROPERTY_TIMER_DEL_UNIQKEY, &handle.unique_key),
        (names::UNIQ_KEY, &handle.unique_key),
        (names::PROPERTY_TIMER_DELIVER_MS, &handle.timestamp),
        (names::PROPERTY_BORN_TIMESTAMP, &born),
        (names::PROPERTY_PRODUCER_GROUP, group),
    ];
    let properties = with_properties("", entries.into_iter(), &[]);
    let peer = request.responder.peer();
    let record = NewRecord {
        topic: &handle.topic,
        queue_id: 0,
        flag: 0,
        sys_flag: MessageSysFlag::default(),
        born_timestamp: now_ms,
        born_host: peer.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        store_timestamp: now_ms,
        reconsume_times: 0,
        prepared_transaction_offset: 0,
        tags_code: java_string_hash(RECALL_TAG),
        body: RECALL_BODY,
        properties: &properties,
    };
    let mut woken = Vec::new();
    let known = KnownProperties::read(&properties);
    super::store(broker, &mut broker.lock(), &record, &known, &mut woken)?;
    HeldRequest::wake_all(woken, broker);
    Ok(())
}

/// The handle of a timer message: it names the broker, the time and the message.
pub(crate) fn handle_text(topic: &str, broker: &str, out_ms: i64, unique_key: &str) -> String {
    BASE64.encode(format!("v1 {topic} {broker} {} {unique_key}", out_ms.saturating_add(1)))
}

impl RecallHandle {
    /// Reads `v1 topic broker time key` in Base64. Ignores further parts.
    fn read(text: &str) -> Option<Self> {
        let plain = String::from_utf8(BASE64.decode(text).ok()?).ok()?;
        let mut parts = plain.split(' ').map(str::to_owned);
        (parts.next()? == "v1").then_some(())?;
        Some(Self {
            topic: parts.next()?,
            broker: parts.next()?,
            timestamp: parts.next()?,
            unique_key: parts.next()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_with_and_without_padding() {
        let text = handle_text("T", "broker-a", 8, "K?>");
        assert_eq!(text, "djEgVCBicm9rZXItYSA5IEs_Pg==");
        for text in [text.as_str(), "djEgVCBicm9rZXItYSA5IEs_Pg", "djEgVCBicm9rZXItYSA5IEs_Ph"] {
            let handle = RecallHandle::read(text).expect(text);
            assert_eq!((handle.topic.as_str(), handle.broker.as_str()), ("T", "broker-a"));
            assert_eq!((handle.timestamp.as_str(), handle.unique_key.as_str()), ("9", "K?>"));
        }
        assert!(
            ["", "djEgVCBicm9rZXItYSA5IEs/Pg==", "d"].iter().all(|text| RecallHandle::read(text).is_none())
        );
    }
}
