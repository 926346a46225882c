//! This client as a member of its group: what all drivers of one running consumer share.
//!
//! - [`Member`]: group, subscriptions, owned queues, budget
//! - [`OwnedQueue`]: one ownership of a queue, and at which stage it is
//! - `owning`: how a member takes queues, moves, restarts and drops them
//! - [`Acks`]: acknowledgements of popped messages
//! - [`Agenda`]: which queue needs a driver, and when
//! - `budget`: the limits of the cache, for each queue and for all together
//! - [`Pace`]: how many messages a second go to handlers
//! - [`Ready`]: the queues that have messages for workers
//! - [`Pulse`]: when each loop has last been round
//! - [`Retries`]: failed messages that no broker took yet
//! - [`Settings`]: the options, in the types that drivers work with
//! - [`Subscribed`]: one subscribed topic
//! - [`Trouble`]: an outage of a broker, a topic or a route
//! - `timetable`: items by the time at which they are due, for `Agenda`, `Retries` and the deliveries of a stream

mod acks;
mod agenda;
mod budget;
mod owned_queue;
mod owning;
mod pace;
mod pulse;
mod queues;
mod ready;
mod retries;
mod settings;
mod shared;
mod subscribed;
mod timetable;
mod troubles;

pub(crate) use acks::Acks;
pub(crate) use agenda::Agenda;
pub(crate) use owned_queue::{OwnedQueue, Ownership, Stage, Way};
pub(crate) use pace::Pace;
pub(crate) use pulse::{Beat, Pulse};
pub(crate) use ready::Ready;
pub(crate) use retries::{Parked, Retries};
pub(crate) use settings::{PopSettings, Settings};
pub(crate) use shared::Member;
pub(crate) use subscribed::Subscribed;
pub(crate) use troubles::Trouble;
