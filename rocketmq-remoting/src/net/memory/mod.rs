//! A network within one process, for simulations: clients and servers in one thread on tokio's paused clock.
//!
//! * `network`: who listens where, latency, and faults: streams that are cut, half-open or never made;
//! * `stream`: one end of a stream;
//! * `pipe`: the bytes on their way in one direction.

mod network;
mod pipe;
mod stream;

#[cfg(test)]
mod tests;

pub use super::back_off::seed_random;
pub use network::{InMemoryNetwork, MemoryListener};
pub use stream::MemoryStream;
