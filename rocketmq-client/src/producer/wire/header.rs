use rocketmq_remoting::protocol::header::{SendMessageRequestHeaderV2, TemplatedSend};
use rocketmq_remoting::protocol::{EncodeHeader, FieldSink, RequestCode, RequestHeader};

use super::Prepared;
use crate::conf::ProducerOption;
use crate::factory::{Choice, TopicPublishInfo};
use crate::model::MessageQueue;

/// The header of one attempt.
///
/// A plain message uses the template of its queue, which holds all fields that plain messages share already encoded:
/// that saves most of the cost of a request. The fields of any other message are written one by one.
#[derive(Debug)]
pub(crate) enum SendHeader<'a> {
    Templated(TemplatedSend<'a>),
    Whole { others: SendMessageRequestHeaderV2<'a>, properties: &'a [&'a str] },
}

impl<'a> SendHeader<'a> {
    /// The header of an attempt to send to `choice` of `route`. `producer_group` is the group, and `properties` are all
    /// properties, under their names at brokers.
    #[inline]
    pub(crate) fn new(
        option: &'a ProducerOption,
        producer_group: &'a str,
        route: &'a TopicPublishInfo,
        choice: Choice<'a>,
        prepared: &Prepared,
        properties: &'a [&'a str],
    ) -> Self {
        let others = || others(option, producer_group, choice.queue, prepared);
        let template = if prepared.is_plain() { route.template(choice.place, others) } else { None };
        match template {
            Some(template) => Self::Templated(template.send(prepared.born_timestamp, properties)),
            None => Self::Whole { others: others(), properties },
        }
    }

    pub(crate) fn code(&self) -> RequestCode {
        match self {
            Self::Templated(send) => send.code(),
            Self::Whole { others, .. } => others.code(),
        }
    }
}

impl EncodeHeader for SendHeader<'_> {
    #[inline]
    fn encode_fields<S: FieldSink + ?Sized>(&self, sink: &mut S) {
        match self {
            Self::Templated(send) => send.encode_fields(sink),
            Self::Whole { others, properties } => {
                others.encode_fields(sink);
                // In parts: no text of all properties needs to be made.
                sink.joined("i", properties);
            }
        }
    }
}

/// All fields without the properties.
fn others<'a>(
    option: &'a ProducerOption,
    producer_group: &'a str,
    queue: &'a MessageQueue,
    prepared: &Prepared,
) -> SendMessageRequestHeaderV2<'a> {
    SendMessageRequestHeaderV2 {
        kind: prepared.kind,
        producer_group,
        topic: queue.topic(),
        default_topic: option.create_topic_key().unwrap_or_default(),
        default_topic_queue_nums: i32::try_from(option.default_topic_queue_nums()).unwrap_or(i32::MAX),
        queue_id: queue.queue_id(),
        sys_flag: prepared.sys_flag.bits(),
        born_timestamp: prepared.born_timestamp,
        flag: prepared.message.flag(),
        properties: None,
        reconsume_times: Some(0),
        unit_mode: Some(option.unit_mode()),
        max_reconsume_times: None,
        broker_name: Some(queue.broker_name()),
    }
}
