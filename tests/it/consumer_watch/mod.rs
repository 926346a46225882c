//! What push consumers tell of what is stuck, and when they end by themselves: on a network in memory and paused time.
//! `cases` has handlers that block threads.
//!
//! - `stuck`: queues that do not move, messages that nothing reads, brokers that are away
//! - `ends`: refusals, topics that go, probes
//! - `support`: a cluster in memory, and waiting for events

mod ends;
mod stuck;
mod support;
