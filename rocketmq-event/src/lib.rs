//! Typed events over RocketMQ, RabbitMQ, Kafka or memory: one publisher, one consumer, equal outcomes.
//!
//! ```
//! use rocketmq_event::{Bus, Context, Event, EventType};
//! use serde::{Deserialize, Serialize};
//! use std::time::Duration;
//!
//! #[derive(Serialize, Deserialize)]
//! struct UserCreated {
//!     user_id: i64,
//! }
//!
//! impl EventType for UserCreated {
//!     const NAMES: &'static [&'static str] = &["user.created"];
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bus = Bus::connect("memory:").await?; // or rocketmq://host:9876
//! # let (seen, mut saw) = tokio::sync::mpsc::channel(1);
//! let mailer = bus
//!     .consumer("users", "mailer")
//!     .on(move |event: Event<UserCreated>, _: Context| {
//! #       let seen = seen.clone();
//!         async move {
//!             println!("welcome, {}", event.data.user_id); // An error would be tried again later, then dead-lettered.
//! #           seen.send(()).await?;
//!             Ok(())
//!         }
//!     })
//!     .start()
//!     .await?;
//! let receipt = bus.producer("users").await?.send(&UserCreated { user_id: 7 }).await?;
//! println!("{} is at {}", receipt.id, receipt.position);
//! # saw.recv().await;
//! let report = mailer.shutdown(Duration::from_secs(30)).await?; // Handlers that run finish.
//! assert!(report.is_clean());
//! bus.close().await?;
//! # Ok(())
//! # }
//! ```
//!
//! | word | is |
//! |---|---|
//! | **event** | a value of the user's type in an envelope: [`Event`] |
//! | **bus** | a connection to one broker: [`Bus`] |
//! | **stream** | where events go: RocketMQ topic, Kafka topic, RabbitMQ topic exchange |
//! | **group** | who reads a stream together: its members share the events, each group gets all of them |
//! | **outcome** | the end of a delivery: acknowledged, retried later, retried in place, dead-lettered, released |
//! | **policy** | tries, delays, order, concurrency: [`RetryPolicy`], [`Order`] |
//!
//! | to find | look in |
//! |---|---|
//! | events, their types, names and payload formats | [`event`] |
//! | publishing, and whether a failed event is stored | [`publish`] |
//! | handlers, failures, retries, middleware, shutdown | [`consume`] |
//! | events that are written with a row of a database, and published afterwards | [`outbox`] |
//! | spans of OpenTelemetry (feature `otel`) | `otel` |
//! | dead letters: reading, counting, putting back | [`dead`] |
//! | event sourcing: append with the expected version, replay, snapshots | [`store`] |
//! | tests of handlers without a broker | [`mod@test`] |
//! | brokers: their contract, and the broker in memory | [`backend`] |

pub mod backend;
mod bus;
pub mod consume;
pub mod dead;
mod error;
pub mod event;
#[cfg(feature = "otel")]
pub mod otel;
#[cfg(not(feature = "otel"))]
#[path = "otel/off.rs"]
mod otel;
pub mod outbox;
pub mod publish;
pub mod store;
pub mod test;

pub use backend::Start;
pub use bus::{Bus, BusError};
pub use consume::{
    ConsumerBuilder, ConsumerEvent, Context, Failure, FailureExt, MessageConsumer, Order, RetryMode,
    RetryPolicy, ShutdownReport, Then, Unmatched, with_retry,
};
pub use dead::{DeadLetter, DeadLetters};
pub use error::SharedError;
pub use event::{Envelope, Event, EventId, EventType, Format, Headers, Position};
pub use publish::{EventPublisher, MessageProducer, Outcome, PublishError, PublishErrorKind, Receipt};
pub use store::EventStore;
