use std::time::Duration;

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, LongString, ShortString};
use lapin::{Channel, ErrorKind, ExchangeKind, Queue};

use super::link::Link;
use crate::backend::{BackendError, SubscriptionSpec};

/// "No such queue", and "it exists with other settings", in AMQP.
pub(super) const NOT_FOUND: u16 = 404;
pub(super) const PRECONDITION_FAILED: u16 = 406;
/// Reading a dead letter and giving it back counts as a delivery: the broker must never take it away for that.
const NO_LIMIT: u32 = i32::MAX as u32;

/// The queues of a group. Everything but letters, digits, `-` and `_` in the name of the group is escaped, so that two groups
/// never share a queue.
#[derive(Debug, Clone)]
pub(super) struct Queues {
    pub(super) main: String,
}

impl Queues {
    pub(super) fn new(stream: &str, group: &str) -> Self {
        let mut main = format!("{stream}.");
        for byte in group.bytes() {
            match byte {
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'_' => main.push(char::from(byte)),
                byte => main.push_str(&format!("%{byte:02X}")),
            }
        }
        Self { main }
    }

    pub(super) fn dead(&self) -> String {
        format!("{}:dead", self.main)
    }

    pub(super) fn retry(&self, delay: Duration) -> String {
        format!("{}:retry-{}", self.main, delay.as_millis())
    }
}

pub(super) fn short(text: &str) -> Result<ShortString, BackendError> {
    let error = |_| BackendError::new(format!("{text:?} is longer than the 255 bytes of a name in AMQP"));
    ShortString::try_new(text).map_err(error)
}

pub(super) async fn declare_stream(channel: &Channel, stream: &str) -> Result<(), BackendError> {
    let options = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    let declared =
        channel.exchange_declare(short(stream)?, ExchangeKind::Topic, options, FieldTable::default()).await;
    declared.map_err(|error| {
        BackendError::with_source(format!("cannot declare the topic exchange {stream:?}"), error)
    })
}

/// The stream queue that keeps what is published to a stream. No queue of a group has this name.
pub(super) fn log(stream: &str) -> String {
    format!("{stream}:log")
}

/// The exchange of a stream, and the queue that keeps all of its messages.
pub(super) async fn declare_log(link: &Link, stream: &str) -> Result<(), BackendError> {
    let channel = link.channel().await?;
    declare_stream(&channel, stream).await?;
    let (queue, mut table) = (log(stream), FieldTable::default());
    table.insert(short("x-queue-type")?, text("stream"));
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let declared = channel.queue_declare(short(&queue)?, options, table).await;
    declared.map_err(|error| super::log::undeclared(&queue, error))?;
    let options = QueueBindOptions::default();
    let bound =
        channel.queue_bind(short(&queue)?, short(stream)?, short("#")?, options, FieldTable::default());
    bound.await.map_err(|error| {
        BackendError::with_source(format!("cannot bind {queue:?} to its exchange"), error)
    })?;
    close(channel).await;
    Ok(())
}

/// Exchange, queue with its bindings, and dead letters of a group.
pub(super) async fn declare_group(
    link: &Link,
    spec: &SubscriptionSpec,
    delivery_limit: u32,
) -> Result<(), BackendError> {
    let queues = Queues::new(&spec.stream, &spec.group);
    let mut channel = link.channel().await?;
    declare_stream(&channel, &spec.stream).await?;
    declare(&channel, &queues.dead(), &[("x-delivery-limit", number(NO_LIMIT))]).await?;
    let mut arguments = dead_lettering(&queues.dead());
    arguments.push(("x-delivery-limit", number(delivery_limit)));
    if spec.by_key {
        arguments.push(("x-single-active-consumer", AMQPValue::Boolean(true)));
    }
    match declare(&channel, &queues.main, &arguments).await {
        Ok(_) => {}
        // The queue is there with other settings, perhaps an operator's: they hold. One setting decides over the order.
        Err(error) if !spec.by_key && code(&error) == Some(PRECONDITION_FAILED) => {
            tracing::warn!(queue = queues.main, "the queue exists with other settings, which stay");
            channel = link.channel().await?;
        }
        Err(error) => return Err(error),
    }
    for pattern in &spec.patterns {
        let (queue, exchange) = (short(&queues.main)?, short(&spec.stream)?);
        let (key, options) = (short(pattern.as_str())?, QueueBindOptions::default());
        let bound = channel.queue_bind(queue, exchange, key, options, FieldTable::default()).await;
        bound.map_err(|error| {
            let what = format!("cannot bind the queue {:?} to {}", queues.main, pattern.as_str());
            BackendError::with_source(what, error)
        })?;
    }
    close(channel).await;
    Ok(())
}

/// The queue that keeps messages for `delay` and then hands them to the group. False if the group does not exist.
pub(super) async fn declare_retry(
    link: &Link,
    queues: &Queues,
    delay: Duration,
) -> Result<bool, BackendError> {
    if !exists(link, &queues.main).await? {
        return Ok(false);
    }
    let channel = link.channel().await?;
    let mut arguments = dead_lettering(&queues.main);
    // The longest delay is a day.
    arguments.push(("x-message-ttl", number(u32::try_from(delay.as_millis()).unwrap_or(u32::MAX))));
    declare(&channel, &queues.retry(delay), &arguments).await?;
    close(channel).await;
    Ok(true)
}

pub(super) async fn declare_dead(link: &Link, queues: &Queues) -> Result<(), BackendError> {
    let channel = link.channel().await?;
    declare(&channel, &queues.dead(), &[("x-delivery-limit", number(NO_LIMIT))]).await?;
    close(channel).await;
    Ok(())
}

pub(super) async fn exists(link: &Link, queue: &str) -> Result<bool, BackendError> {
    let channel = link.channel().await?;
    let found = count(&channel, queue).await;
    match found {
        Ok(_) => {
            close(channel).await;
            Ok(true)
        }
        Err(error) if code(&error) == Some(NOT_FOUND) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The messages in a queue that are not out at a consumer. It fails, and closes the channel, when the queue does not exist.
pub(super) async fn count(channel: &Channel, queue: &str) -> Result<u32, BackendError> {
    let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let asked = channel.queue_declare(short(queue)?, options, FieldTable::default()).await;
    let failed = |error| BackendError::with_source(format!("cannot ask for the queue {queue:?}"), error);
    asked.map(|queue| queue.message_count()).map_err(failed)
}

/// The code of the broker's refusal, if it was one.
pub(super) fn code(error: &BackendError) -> Option<u16> {
    let source = error.source.as_ref()?.get().downcast_ref::<lapin::Error>()?;
    match source.kind() {
        ErrorKind::ProtocolError(error) => Some(error.get_id()),
        _ => None,
    }
}

pub(super) async fn close(channel: Channel) {
    // Whatever the broker says: nothing is out on it.
    _ = channel.close(200, "done".into()).await;
}

async fn declare(
    channel: &Channel,
    queue: &str,
    arguments: &[(&str, AMQPValue)],
) -> Result<Queue, BackendError> {
    let mut table = FieldTable::default();
    table.insert(short("x-queue-type")?, text("quorum"));
    for (name, value) in arguments {
        table.insert(short(name)?, value.clone());
    }
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    let declared = channel.queue_declare(short(queue)?, options, table).await;
    declared.map_err(|error| BackendError::with_source(format!("cannot declare the queue {queue:?}"), error))
}

/// A message that leaves a queue otherwise than by an acknowledgement goes to `target`, and stays until `target` has it.
fn dead_lettering(target: &str) -> Vec<(&'static str, AMQPValue)> {
    vec![
        ("x-dead-letter-exchange", text("")),
        ("x-dead-letter-routing-key", text(target)),
        ("x-dead-letter-strategy", text("at-least-once")),
        // The strategy needs it.
        ("x-overflow", text("reject-publish")),
    ]
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(LongString::from(text))
}

fn number(number: u32) -> AMQPValue {
    AMQPValue::LongLongInt(number.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_groups_have_the_same_queue() {
        let main = |stream, group| Queues::new(stream, group).main;
        assert_eq!(main("users", "mailer"), "users.mailer");
        assert_ne!(main("shop.orders", "mail"), main("shop", "orders.mail"));
        assert_ne!(main("users", "mailer:dead"), Queues::new("users", "mailer").dead());
    }
}
