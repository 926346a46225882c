//! Messages that are ready for all their attempts.

use bytes::Bytes;
use rocketmq_common::message_const::{
    PROPERTY_DELAY_TIME_LEVEL, PROPERTY_INSTANCE_ID, PROPERTY_MESSAGE_TYPE, PROPERTY_TIMER_DELAY_MS,
    PROPERTY_TIMER_DELAY_SEC, PROPERTY_TIMER_DELIVER_MS, PROPERTY_TRANSACTION_PREPARED, UNIQ_KEY,
};
use rocketmq_common::{
    CompressionType, Message, MessageBatch, MessageSysFlag, UniqueIdGenerator, compression, mix_all,
    namespace, validators,
};
use rocketmq_remoting::protocol::header::SendRequestKind;

use super::{MessageId, Submission};
use crate::clock::now_ms;
use crate::conf::ProducerOption;
use crate::error::MQClientError;
use crate::hook::MessageType;
use crate::waiting::run_blocking;

/// From this size on, compressing takes long enough to keep other tasks of the thread waiting.
const COMPRESS_ELSEWHERE_FROM: usize = 128 * 1024;

/// A message in the form that all attempts send: checked, with its id, compressed at most once.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) kind: SendRequestKind,
    pub(crate) message_type: MessageType,
    /// The caller's message; for a batch, a message with the topic and the encoded batch.
    pub(crate) message: Message,
    /// The messages of a batch, if a hook wants to see them. Boxed, like all rare parts: many thousand messages may be
    /// in flight.
    pub(crate) batch: Option<Box<MessageBatch>>,
    /// The compressed body, if compression made it smaller.
    pub(crate) compressed: Option<Box<Bytes>>,
    /// All properties in wire form, unless they are just the message's properties followed by the id.
    properties: Option<String>,
    pub(crate) sys_flag: MessageSysFlag,
    pub(crate) born_timestamp: i64,
    msg_id: MessageId,
    /// The topic under its name at brokers, if it differs from the message's.
    wrapped_topic: Option<Box<str>>,
}

/// The highest delay level of a broker with the default list of levels.
const HIGHEST_DELAY_LEVEL: i32 = 18;

/// The text before the id in the properties.
const ID_ENTRY: &str = "UNIQ_KEY\u{1}";

/// Prepares messages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Preparation<'a> {
    pub(crate) option: &'a ProducerOption,
    pub(crate) ids: &'static UniqueIdGenerator,
}

/// Why a body cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IllegalBody {
    #[error("the body is empty: a broker stores no message without one")]
    Empty,
    #[error("the body has {size} bytes{what}: at most {limit} can be stored (option max_message_size)")]
    TooLarge { size: usize, what: &'static str, limit: usize },
    #[error("the body has {size} bytes: at most {limit} can be sent, because consumers inflate no more")]
    TooLargeToInflate { size: usize, limit: usize },
}

impl Prepared {
    /// A submission that is still to be [made ready](Preparation::make_ready).
    #[inline]
    pub(crate) fn new(submission: Submission) -> Self {
        match submission {
            Submission::Message(message) => Self::of(message),
            Submission::Half(message) => {
                Self { message_type: MessageType::TransactionHalf, ..Self::of(message) }
            }
            Submission::Batch(batch) => {
                let message = Message::new(batch.topic(), Bytes::new());
                Self { kind: SendRequestKind::Batch, batch: Some(Box::new(batch)), ..Self::of(message) }
            }
        }
    }

    #[inline]
    fn of(message: Message) -> Self {
        Self {
            kind: SendRequestKind::Message,
            message_type: MessageType::Normal,
            message,
            batch: None,
            compressed: None,
            properties: None,
            sys_flag: MessageSysFlag::default(),
            born_timestamp: 0,
            msg_id: MessageId::default(),
            wrapped_topic: None,
        }
    }

    /// A message that has this id.
    #[cfg(test)]
    pub(crate) fn with_id(message: Message, id: &str) -> Self {
        Self { msg_id: id.into(), ..Self::of(message) }
    }

    /// All properties in wire form, including the id, as the parts of one text.
    #[inline]
    pub(crate) fn properties(&self) -> [&str; 4] {
        match &self.properties {
            None => [self.message.properties().as_wire(), ID_ENTRY, &self.msg_id, "\u{2}"],
            Some(all) => [all, "", "", ""],
        }
    }

    /// Whether the message can be sent with the template of its queue.
    pub(crate) fn is_plain(&self) -> bool {
        self.kind == SendRequestKind::Message && self.sys_flag.bits() == 0 && self.message.flag() == 0
    }

    /// The topic under its name at brokers.
    pub(crate) fn topic(&self) -> &str {
        self.wrapped_topic.as_deref().unwrap_or_else(|| self.message.topic())
    }

    /// The id; for a batch, the ids of its messages joined by commas.
    pub(crate) fn msg_id(&self) -> &str {
        &self.msg_id
    }

    /// Whether it has this id.
    pub(crate) fn has_msg_id(&self, id: &str) -> bool {
        self.msg_id.is(id)
    }

    /// The message, if it is neither a batch nor a half message.
    pub(crate) fn as_message(&mut self) -> Option<&mut Message> {
        let is_message =
            self.kind == SendRequestKind::Message && self.message_type != MessageType::TransactionHalf;
        is_message.then_some(&mut self.message)
    }

    /// The body that is sent and stored.
    pub(crate) fn body(&self) -> &Bytes {
        self.compressed.as_deref().unwrap_or_else(|| self.message.body())
    }

    /// Compresses the body, if that makes it smaller, and checks its stored size.
    pub(crate) async fn compress(&mut self, option: &ProducerOption) -> Result<(), MQClientError> {
        let (kind, level) = (option.compress_type(), option.compress_level());
        let (body, limit) = (self.message.body(), option.max_message_size());
        let compressed = compress(body.clone(), kind, level).await?;
        let smaller = compressed.len() < body.len();
        let (size, what) = if smaller { (compressed.len(), " after compression") } else { (body.len(), "") };
        if size > limit {
            return Err(MQClientError::illegal(IllegalBody::TooLarge { size, what, limit }));
        }
        if smaller {
            self.sys_flag = self.sys_flag.with_compression(kind);
            self.compressed = Some(Box::new(compressed));
        }
        Ok(())
    }
}

impl Preparation<'_> {
    /// Whether compression might make the body smaller. Brokers store batches unchanged, so batches are not compressed.
    pub(crate) fn is_to_be_compressed(&self, prepared: &Prepared) -> bool {
        prepared.kind != SendRequestKind::Batch
            && prepared.compressed.is_none()
            && prepared.message.body().len() >= self.option.compress_msg_body_over_threshold()
    }

    /// Prepares a submission in place: moving a message would cost more than most of this function. Afterwards
    /// [compress](Prepared::compress) it if it [needs to be](Self::is_to_be_compressed). A received message that was
    /// delayed, or came from a transaction, becomes an ordinary message when it is sent on.
    pub(crate) fn make_ready(&self, prepared: &mut Prepared) -> Result<(), MQClientError> {
        if let Some(batch) = prepared.batch.take() {
            return self.batch(prepared, batch);
        }
        if prepared.message_type == MessageType::TransactionHalf {
            prepared.sys_flag = prepared.sys_flag.with(MessageSysFlag::TRANSACTION_PREPARED);
            return self.single(prepared, &Known::of(&prepared.message));
        }
        prepared.message.properties_mut().take_off_received();
        let mut known = Known::of(&prepared.message);
        if known.half {
            prepared.message.properties_mut().remove(PROPERTY_TRANSACTION_PREPARED);
            known = Known::of(&prepared.message);
        }
        if known.reply {
            prepared.kind = SendRequestKind::Reply;
        }
        if known.later {
            prepared.message_type = MessageType::Delay;
            note_delay(&prepared.message);
        }
        self.single(prepared, &known)
    }

    fn single(&self, prepared: &mut Prepared, known: &Known) -> Result<(), MQClientError> {
        let message = &prepared.message;
        let wrapped_topic = self.wrap(message, known);
        check(message, wrapped_topic.as_deref())?;
        self.check_size(message.body()).map_err(|error| error.of_topic(message.topic()))?;
        prepared.born_timestamp = now_ms();
        (prepared.msg_id, prepared.properties) = self.identify(message, known, prepared.born_timestamp);
        prepared.wrapped_topic = wrapped_topic;
        Ok(())
    }

    /// Prepares several checked messages for one request.
    fn batch(&self, prepared: &mut Prepared, mut batch: Box<MessageBatch>) -> Result<(), MQClientError> {
        let born_timestamp = now_ms();
        batch.assign_unique_keys(|| self.ids.next(born_timestamp));
        let ids: Vec<&str> = batch.messages().iter().filter_map(Message::unique_key).collect();
        prepared.msg_id = MessageId::from(&*ids.join(","));
        let body = batch.encode().map_err(MQClientError::illegal)?;
        let limit = self.option.max_message_size();
        if body.len() > limit {
            let (size, what) = (body.len(), " as an encoded batch, which MessageBatch::split makes smaller");
            return Err(MQClientError::illegal(IllegalBody::TooLarge { size, what, limit }));
        }
        let mut message = Message::new(batch.topic(), body);
        if !batch.wait_store_msg_ok() {
            message.set_wait_store_msg_ok(false);
        }
        let id = self.ids.next(born_timestamp);
        prepared.properties = Some(message.properties().wire_with(&[(UNIQ_KEY, id.as_str())]));
        prepared.wrapped_topic = self.wrap(&message, &Known::default());
        prepared.born_timestamp = born_timestamp;
        prepared.message = message;
        prepared.batch = self.option.hooks().watch_sends().then_some(batch);
        Ok(())
    }

    /// Checks each message of a batch.
    pub(crate) fn check_all(&self, batch: &MessageBatch) -> Result<(), MQClientError> {
        batch.messages().iter().try_for_each(|message| self.check(message))
    }

    /// Checks a message without sending it: names, properties, combinations that brokers mishandle.
    pub(crate) fn check(&self, message: &Message) -> Result<(), MQClientError> {
        check(message, self.wrap(message, &Known::of(message)).as_deref())
    }

    /// Checks the size of a body. If it will be compressed, only the limit up to which consumers inflate applies here.
    fn check_size(&self, body: &Bytes) -> Result<(), MQClientError> {
        let (size, what, limit) = (body.len(), "", compression::DEFAULT_MAX_INFLATED);
        if size > limit {
            return Err(MQClientError::illegal(IllegalBody::TooLargeToInflate { size, limit }));
        }
        let limit = self.option.max_message_size();
        if size > limit && size < self.option.compress_msg_body_over_threshold() {
            return Err(MQClientError::illegal(IllegalBody::TooLarge { size, what, limit }));
        }
        Ok(())
    }

    /// The id, and all properties unless they are just the message's properties followed by the id. A message made
    /// from a received one has an id already.
    fn identify(&self, message: &Message, known: &Known, now: i64) -> (MessageId, Option<String>) {
        let instance = self.option.namespace().filter(|_| !known.has_instance);
        let instance = instance.map(|namespace| (PROPERTY_INSTANCE_ID, namespace));
        let properties = message.properties();
        if let Some(id) = known.has_id.then(|| message.unique_key()).flatten() {
            return (id.into(), Some(properties.wire_with(instance.as_slice())));
        }
        let id = self.ids.next(now);
        let all = match instance {
            Some(instance) => Some(properties.wire_with(&[(UNIQ_KEY, id.as_str()), instance])),
            None if properties.is_terminated() => None,
            None => Some(properties.wire_with(&[(UNIQ_KEY, id.as_str())])),
        };
        (MessageId::Short(id), all)
    }

    /// The topic under its name at brokers. Replies go to a topic of the cluster, which has no namespace.
    fn wrap(&self, message: &Message, known: &Known) -> Option<Box<str>> {
        let namespace = self.option.namespace().filter(|_| !known.reply)?;
        Some(namespace::wrap_namespace(namespace, message.topic()).into())
    }
}

/// The properties that decide how a message is sent, found in one pass.
#[derive(Debug, Default, Clone, Copy)]
struct Known {
    /// Whether it is a half message.
    half: bool,
    /// Whether it is the reply to a request: brokers push it to the requester.
    reply: bool,
    /// Whether it is delivered later.
    later: bool,
    has_id: bool,
    has_instance: bool,
}

impl Known {
    fn of(message: &Message) -> Self {
        let mut known = Self::default();
        let mut may_be_later = false;
        // If a name occurs twice, the last value counts.
        for (name, value) in message.properties().iter() {
            match name {
                PROPERTY_TRANSACTION_PREPARED => known.half = value.eq_ignore_ascii_case("true"),
                PROPERTY_MESSAGE_TYPE => known.reply = value == mix_all::REPLY_MESSAGE_FLAG,
                UNIQ_KEY => known.has_id = true,
                PROPERTY_INSTANCE_ID => known.has_instance = true,
                PROPERTY_DELAY_TIME_LEVEL
                | PROPERTY_TIMER_DELAY_SEC
                | PROPERTY_TIMER_DELAY_MS
                | PROPERTY_TIMER_DELIVER_MS => may_be_later = true,
                _ => {}
            }
        }
        known.later = may_be_later && (message.delay_time_level() > 0 || message.is_timer());
        known
    }
}

/// Logs what a broker makes of a delay that it does not take as it is.
#[cold]
fn note_delay(message: &Message) {
    let (topic, level) = (message.topic(), message.delay_time_level());
    if level > HIGHEST_DELAY_LEVEL {
        tracing::debug!(
            topic,
            level,
            "the broker takes the delay level for its highest one, mostly 18 (2 h)"
        );
    }
    if level > 0 && message.is_timer() {
        tracing::debug!(topic, level, "the delay level wins: the broker ignores the timer of this message");
    }
}

fn check(message: &Message, wrapped_topic: Option<&str>) -> Result<(), MQClientError> {
    let topic = wrapped_topic.unwrap_or_else(|| message.topic());
    let named = |error: MQClientError| error.of_topic(topic);
    validators::check_sendable_topic(topic).map_err(MQClientError::illegal)?;
    message.properties().check().map_err(|error| named(MQClientError::illegal(error)))?;
    if message.body().is_empty() {
        return Err(named(MQClientError::illegal(IllegalBody::Empty)));
    }
    Ok(())
}

async fn compress(body: Bytes, kind: CompressionType, level: u32) -> Result<Bytes, MQClientError> {
    let level = i32::try_from(level).unwrap_or(i32::MAX);
    let elsewhere = body.len() >= COMPRESS_ELSEWHERE_FROM;
    let work = move || compression::compress(kind, &body, level);
    let compressed = if elsewhere {
        // A join error means that the runtime is going down, or a panic in the compressor.
        run_blocking(work).await.map_err(MQClientError::illegal)?
    } else {
        work()
    };
    compressed.map_err(MQClientError::illegal)
}
