use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use rocketmq_common::message_const::UNIQ_KEY;
use rocketmq_common::{CompressionType, Message, MessageSysFlag, UniqueIdGenerator, compression, validators};

use crate::conf::ProducerOption;
use crate::error::MQClientError;

/// Compressing at least that many bytes takes long enough to keep other tasks of the thread waiting.
const COMPRESS_ELSEWHERE_FROM: usize = 128 * 1024;

/// A message as all attempts send it: checked, with its id, compressed at most once.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) message: Message,
    /// What goes out and is stored: the body, or its compressed form.
    pub(super) body: Bytes,
    /// All properties in wire form, the id among them.
    pub(super) properties: String,
    pub(super) sys_flag: MessageSysFlag,
    pub(super) born_timestamp: i64,
    pub(super) msg_id: String,
}

/// Why a body cannot be sent.
#[derive(Debug, thiserror::Error)]
pub(super) enum IllegalBody {
    #[error("the body is empty: a broker stores no message without one")]
    Empty,
    #[error("the body has {size} bytes{compressed}: at most {limit} can be stored (option max_message_size)")]
    TooLarge { size: usize, compressed: &'static str, limit: usize },
    #[error("the body has {size} bytes: consumers inflate at most {limit}")]
    TooLargeToInflate { size: usize, limit: usize },
}

impl Prepared {
    pub(super) async fn new(
        message: Message,
        option: &ProducerOption,
        ids: &UniqueIdGenerator,
    ) -> Result<Self, MQClientError> {
        check(&message)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let born_timestamp = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        // A message that was made from a received or a failed one may have its id already.
        let (msg_id, properties) = match message.unique_key() {
            Some(id) => (id.to_owned(), message.properties().as_wire().to_owned()),
            None => {
                let id = ids.next(born_timestamp);
                let properties = message.properties().wire_with(&[(UNIQ_KEY, id.as_str())]);
                (id.as_str().to_owned(), properties)
            }
        };
        let (body, sys_flag) = stored_form(message.body(), option).await?;
        Ok(Self { message, body, properties, sys_flag, born_timestamp, msg_id })
    }
}

/// What can be said without looking at any option: names, properties, combinations that brokers choke on.
fn check(message: &Message) -> Result<(), MQClientError> {
    validators::check_sendable_topic(message.topic()).map_err(MQClientError::illegal)?;
    message.properties().check().map_err(MQClientError::illegal)?;
    if message.body().is_empty() {
        return Err(MQClientError::illegal(IllegalBody::Empty));
    }
    Ok(())
}

/// The body as it is stored, and the flags that say how.
async fn stored_form(
    body: &Bytes,
    option: &ProducerOption,
) -> Result<(Bytes, MessageSysFlag), MQClientError> {
    let size = body.len();
    if size > compression::DEFAULT_MAX_INFLATED {
        let limit = compression::DEFAULT_MAX_INFLATED;
        return Err(MQClientError::illegal(IllegalBody::TooLargeToInflate { size, limit }));
    }
    let limit = option.max_message_size();
    let too_large =
        |size, compressed| MQClientError::illegal(IllegalBody::TooLarge { size, compressed, limit });
    if size >= option.compress_msg_body_over_threshold() {
        let compressed = compress(body.clone(), option.compress_type(), option.compress_level()).await?;
        if compressed.len() < size {
            let flag = MessageSysFlag::default().with_compression(option.compress_type());
            return if compressed.len() <= limit {
                Ok((compressed, flag))
            } else {
                Err(too_large(compressed.len(), " after compression"))
            };
        }
    }
    if size > limit {
        return Err(too_large(size, ""));
    }
    Ok((body.clone(), MessageSysFlag::default()))
}

async fn compress(body: Bytes, kind: CompressionType, level: u32) -> Result<Bytes, MQClientError> {
    let level = i32::try_from(level).unwrap_or(i32::MAX);
    let elsewhere = body.len() >= COMPRESS_ELSEWHERE_FROM;
    let work = move || compression::compress(kind, &body, level);
    let compressed = if elsewhere {
        // A join error means that the runtime is going down, or a panic in the compressor.
        tokio::task::spawn_blocking(work).await.map_err(MQClientError::illegal)?
    } else {
        work()
    };
    compressed.map_err(MQClientError::illegal)
}
