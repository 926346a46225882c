//! Consumers under faults: the rows of `docs/consumer-faults.md`.
//!
//! - `offsets`: offsets that cannot be read or committed, and claims that move them (C7, C8, C9)
//! - `failing`: messages that no broker takes back (C10)
//! - `locks`: locks that are late, partial or stolen (C11)
//! - `table`: the rows, and the document that a run writes
//! - `support`: a cluster, its producer and its consumers, on paused time in one thread
//! - `record`: what listeners saw, and when
//! - `checker`: what must hold of every history of brokers and listeners
//! - `assignment`: wrong lists of members, wrong routes (C5, C6)
//! - `connections`: connections that are half-open, brokers that restart (C3, C4)
//! - `members`: members that are killed, leave and join (C1, C2)
//! - `scene`: a cluster and members of one group, on paused time or on sockets
//! - `listeners`: listeners that panic, fail, hang and block; a runtime that stands still (C12, C24)
//! - `limits`: floods, records that cannot be read, brokers that put consumers off (C13, C14, C18)
//! - `popping`: late and lost acknowledgements, handles of a broker that was restarted (C15)
//! - `popped_order`: the order of popped messages, deadlines without a broker, readers of streams that pop
//! - `seeks`: seeks before the first position is known
//! - `brokers`: slaves, and a broker that vanished (C17, C22)
//! - `topics`: notices without end; topics that go, come again, grow and shrink (C19, C21)
//! - `ending`: shutdowns in each state (C23)
//! - `offsets_file`: the file of a broadcast consumer (C26)
//! - `dropped`: futures of the public API that are dropped after each number of polls
//! - `resets`: resets by an operator (C16)
//! - `on_sockets`: a dropped member, a common start, an unreadable record, a shutdown, on sockets (C1, C7, C14, C23)
//! - `agreement`: members that subscribe differently, and twins (C20, C25)

mod agreement;
mod assignment;
mod brokers;
pub(crate) mod checker;
mod connections;
mod dropped;
mod ending;
mod failing;
mod limits;
mod listeners;
mod locks;
mod members;
mod offsets;
mod offsets_file;
mod on_sockets;
mod popped_order;
mod popping;
pub(crate) mod record;
mod resets;
mod scene;
mod seeks;
pub(crate) mod support;
mod table;
mod topics;
