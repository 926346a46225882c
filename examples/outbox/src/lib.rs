//! An outbox over SQLite: copy these files into a service, or take them as a pattern for another database.
//!
//! - `database`: [`Database`], connections and transactions off the runtime's threads
//! - `store`: [`add`], which writes an event in a transaction, and [`SqliteOutbox`], which a relay reads
//! - `inbox`: [`first_time`], which tells a second delivery within the transaction of a handler
//!
//! `cargo run -p rocketmq-outbox-example` kills a relay between the publication and the mark, starts another, and counts.

mod database;
mod inbox;
mod store;

pub use database::Database;
pub use inbox::first_time;
pub use store::{SqliteOutbox, add};
