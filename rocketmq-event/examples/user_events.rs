//! A service publishes what happens to its users as one enum, through an injected publisher. One group handles a single variant by
//! its own type, another group handles all of them, in the order of each user.

mod support;

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketmq_event::event::{self, DecodeError, EncodeError};
use rocketmq_event::{
    Context, Event, EventPublisher, EventType, Failure, Format, Order, PublishError, Receipt,
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct UserCreated {
    user_id: i64,
    username: String,
}

impl EventType for UserCreated {
    const NAMES: &'static [&'static str] = &["user.created"];
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct UserDeleted {
    user_id: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum DomainEvent {
    UserCreated(UserCreated),
    UserDeleted(UserDeleted),
}

impl EventType for DomainEvent {
    const NAMES: &'static [&'static str] = &["user.created", "user.deleted"];

    fn name(&self) -> &str {
        match self {
            Self::UserCreated(_) => "user.created",
            Self::UserDeleted(_) => "user.deleted",
        }
    }

    /// Events of one user keep their order.
    fn key(&self) -> Option<Cow<'_, str>> {
        let (Self::UserCreated(UserCreated { user_id, .. }) | Self::UserDeleted(UserDeleted { user_id })) =
            self;
        Some(user_id.to_string().into())
    }

    /// The payload is that of the variant alone: readers need not know the enum.
    fn encode(&self, format: Format) -> Result<Bytes, EncodeError> {
        match self {
            Self::UserCreated(created) => event::encode(created, format),
            Self::UserDeleted(deleted) => event::encode(deleted, format),
        }
    }

    fn decode(name: &str, _: u32, format: Format, bytes: &[u8]) -> Result<Self, DecodeError> {
        match name {
            "user.created" => event::decode(name, format, bytes).map(Self::UserCreated),
            "user.deleted" => event::decode(name, format, bytes).map(Self::UserDeleted),
            _ => Err(DecodeError::Name { name: name.to_owned() }),
        }
    }
}

/// The service knows no broker: a test gives it a recorder.
struct Users {
    events: Arc<dyn EventPublisher<DomainEvent>>,
}

impl Users {
    async fn create(&self, user_id: i64, username: &str) -> Result<Receipt, PublishError> {
        let created = UserCreated { user_id, username: username.to_owned() };
        self.events.publish(DomainEvent::UserCreated(created)).await
    }

    async fn delete(&self, user_id: i64) -> Result<Receipt, PublishError> {
        self.events.publish(DomainEvent::UserDeleted(UserDeleted { user_id })).await
    }
}

#[tokio::main]
async fn main() -> support::Result {
    let bus = support::connect().await?.with_source("shop/users");
    let (tell, mut handled) = mpsc::channel(16);
    let told = tell.clone();
    let welcome = move |event: Event<UserCreated>, _: Context| {
        let told = told.clone();
        async move { Ok(told.send(format!("mailer: welcome, {}", event.data.username)).await?) }
    };
    let mailer = bus.consumer("users", "mailer").on(welcome).start().await?;
    let note = move |event: Event<DomainEvent>, _: Context| {
        let tell = tell.clone();
        async move {
            tell.send(format!("audit: {:?} at {:?} from {}", event.data, event.time, event.source)).await?;
            Ok::<(), Failure>(())
        }
    };
    let audit = bus
        .consumer("users", "audit")
        .on(note)
        .order(Order::ByKey)
        .concurrency(NonZeroUsize::new(4).ok_or("no handler")?)
        .start()
        .await?;

    let users = Users { events: Arc::new(bus.producer("users").await?) };
    users.create(7, "ann").await?;
    users.delete(7).await?;
    for _ in 0..3 {
        println!("{}", handled.recv().await.ok_or("the handlers are gone")?);
    }
    mailer.shutdown(Duration::from_secs(10)).await?;
    audit.shutdown(Duration::from_secs(10)).await?;
    Ok(bus.close().await?)
}
