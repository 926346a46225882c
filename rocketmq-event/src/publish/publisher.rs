use async_trait::async_trait;

use super::{MessageProducer, Receipt};
use crate::error::PublishError;
use crate::event::EventType;

/// Publishes events of one type. Services hold an `Arc<dyn EventPublisher<DomainEvent>>`, and tests give them a recorder.
///
/// ```
/// use std::sync::Arc;
/// use rocketmq_event::{Bus, EventPublisher, EventType};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct UserCreated { user_id: i64 }
/// impl EventType for UserCreated {
///     const NAMES: &'static [&'static str] = &["user.created"];
/// }
///
/// struct Users { events: Arc<dyn EventPublisher<UserCreated>> }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = Bus::connect("memory:").await?;
/// let users = Users { events: Arc::new(bus.producer("users").await?) };
/// users.events.publish(UserCreated { user_id: 7 }).await?;
/// # Ok(())
/// # }
/// ```
#[async_trait]
pub trait EventPublisher<E>: Send + Sync {
    /// Publishes an event. Its name is the routing key, its key decides over the order.
    ///
    /// # Errors
    /// When the event is not stored, or maybe stored: [`PublishError::outcome`]. When the future is dropped, it is maybe stored.
    async fn publish(&self, event: E) -> Result<Receipt, PublishError>;
}

#[async_trait]
impl<E: EventType> EventPublisher<E> for MessageProducer {
    async fn publish(&self, event: E) -> Result<Receipt, PublishError> {
        self.send(&event).await
    }
}
