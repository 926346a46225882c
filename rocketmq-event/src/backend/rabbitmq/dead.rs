use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use lapin::Channel;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicGetOptions, BasicNackOptions};
use tokio::sync::RwLock;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::link::{Link, answered};
use super::topology::{self, Queues};
use super::wire;
use crate::backend::tasks::Tasks;
use crate::backend::{BackendError, DeadQueue, Incoming, Tag};
use crate::event::{FailureKind, FailureRecord, Position};

/// Readers hold it shared while they give back what they read: the next reader waits until all is back.
pub(super) type Readers = Arc<RwLock<()>>;

/// The dead letters of a group.
///
/// The broker hides a dead letter from other readers as long as this reader has it.
#[derive(Debug)]
pub(super) struct Dead {
    channel: Option<Channel>,
    readers: Readers,
    tasks: Tasks,
    queue: String,
    stream: String,
    group: String,
    /// Dead letters that were there when it was opened, and are not read yet.
    left: u32,
    out: HashMap<Tag, Delivery>,
}

impl Dead {
    pub(super) async fn open(
        link: &Link,
        readers: Readers,
        tasks: Tasks,
        stream: &str,
        group: &str,
    ) -> Result<Self, BackendError> {
        drop(readers.write().await);
        let queues = Queues::new(stream, group);
        let queue = queues.dead();
        let opening = async {
            topology::declare_dead(link, &queues).await?;
            let channel = link.channel().await?;
            let left = topology::count(&channel, &queue).await?;
            Ok((channel, left))
        };
        let (channel, left) = answered(opening).await?;
        let (stream, group) = (stream.to_owned(), group.to_owned());
        Ok(Self { channel: Some(channel), readers, tasks, queue, stream, group, left, out: HashMap::new() })
    }

    fn channel(&self) -> Result<&Channel, BackendError> {
        self.channel.as_ref().ok_or_else(|| BackendError::new("the dead letters are closed"))
    }

    fn incoming(&self, tag: Tag, delivery: &Delivery) -> Incoming {
        let position =
            Position { stream: self.stream.as_str().into(), place: self.queue.as_str().into(), offset: None };
        let mut envelope = wire::envelope(delivery.routing_key.as_str(), &delivery.properties);
        if let Some(reason) = wire::death(&delivery.properties) {
            // The broker itself put it here, after members that never answered.
            let deliveries = wire::delivery_count(&delivery.properties).max(1);
            let now = SystemTime::now();
            let record = envelope.failure.get_or_insert_with(|| {
                Box::new(FailureRecord {
                    group: self.group.as_str().into(),
                    attempts: 0,
                    kind: FailureKind::Died,
                    reason: "".into(),
                    first: now,
                    last: now,
                    origin: position.clone(),
                    replays: 0,
                })
            });
            if record.attempts == 0 {
                record.attempts = deliveries;
                record.reason = format!("RabbitMQ took it out of the queue: {reason}").into();
            }
        }
        Incoming {
            tag,
            envelope,
            body: Bytes::copy_from_slice(&delivery.data),
            position,
            redeliveries: 0,
            revoked: CancellationToken::new(),
        }
    }
}

#[async_trait]
impl DeadQueue for Dead {
    async fn count(&mut self) -> Result<u64, BackendError> {
        let waiting = answered(topology::count(self.channel()?, &self.queue)).await?;
        Ok(u64::from(waiting) + self.out.len() as u64)
    }

    async fn next(&mut self) -> Result<Option<Incoming>, BackendError> {
        if self.left == 0 {
            return Ok(None);
        }
        let getting = self.channel()?.basic_get(topology::short(&self.queue)?, BasicGetOptions::default());
        let failed = |error| BackendError::with_source("cannot read a dead letter", error);
        let got = answered(getting.map(|got| got.map_err(failed))).await?;
        self.left -= 1;
        let Some(message) = got else {
            self.left = 0;
            return Ok(None);
        };
        let tag = Tag(message.delivery.delivery_tag);
        let incoming = self.incoming(tag, &message.delivery);
        self.out.insert(tag, message.delivery);
        Ok(Some(incoming))
    }

    async fn remove(&mut self, tag: Tag) -> Result<(), BackendError> {
        let Some(delivery) = self.out.remove(&tag) else { return Ok(()) };
        let failed = |error| BackendError::with_source("RabbitMQ may still have the dead letter", error);
        if !delivery.acker.ack(BasicAckOptions::default()).await.map_err(failed)? {
            return Err(BackendError::new("the channel is lost: RabbitMQ still has the dead letter"));
        }
        // The broker reads a channel in order: its answer says that it has read the acknowledgement.
        answered(topology::count(self.channel()?, &self.queue)).await?;
        Ok(())
    }
}

impl Drop for Dead {
    fn drop(&mut self) {
        let Some(channel) = self.channel.take() else { return };
        // Fails only while a reader is about to open, who then may see less for a moment.
        let giving_back = self.readers.clone().try_read_owned();
        let (queue, out) = (std::mem::take(&mut self.queue), self.out.len());
        self.tasks.spawn(async move {
            if out > 0 {
                give_back(&channel, &queue, out).await;
            }
            // The broker takes back the rest, whatever its answer is.
            _ = channel.close(200, "read".into()).await;
            drop(giving_back);
        });
    }
}

/// Gives back all that is out, and waits until the queue has it again: it answers before.
async fn give_back(channel: &Channel, queue: &str, out: usize) {
    const POLL: Duration = Duration::from_millis(20);
    const LOOKS: usize = 100;
    let all = BasicNackOptions { multiple: true, requeue: true };
    if channel.basic_nack(0, all).await.is_err() {
        // The channel is lost: the broker takes back everything.
        return;
    }
    for _ in 0..LOOKS {
        match topology::count(channel, queue).await {
            Ok(waiting) if (waiting as usize) < out => sleep(POLL).await,
            // Another reader may have some of them.
            _ => return,
        }
    }
}
