//! Sends while brokers fail: where a send is tried again, what the message keeps, how long it takes, and what its error
//! tells.
//!
//! - `codes`: answers that are retried, and answers that are final
//! - `silence`: brokers that answer late or never
//! - `down`: brokers that cannot be reached or send their clients away
//! - `cut`: connections that end in the middle of an answer
//! - `routes`: routes that change
//! - `moved`: topics that move to another broker
//! - `compression`: bodies that are not compressed in time
//! - `full`: write buffers that fill up
//! - `cancelled`: sends whose futures are dropped
//! - `runtimes`: producers used from another runtime
//! - `site`: two scripted brokers, their NameServer, and a producer

mod cancelled;
mod codes;
mod compression;
mod cut;
mod down;
mod full;
mod moved;
mod routes;
mod runtimes;
mod silence;
mod site;

pub(crate) use site::MODES;
