//! The messages of one queue between their arrival and the end of their handler.
//!
//! - [`ProcessQueue`]: the cached messages of one queue, and the offset up to which all are finished
//! - `pinned`: the answers that cached messages are part of, and how many bytes of memory they keep alive
//! - [`Generation`]: one ownership of a queue
//! - `tests`, `properties`: single steps, and random histories against a plain model

mod generation;
mod pinned;
mod process_queue;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub(crate) use generation::{Generation, Generations};
pub(crate) use process_queue::{ProcessQueue, PulledRange};
