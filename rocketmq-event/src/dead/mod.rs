//! Dead letters: events that a group could not handle, with all that is known of their failures.
//!
//! - `letter`: [`DeadLetter`]
//! - `letters`: [`DeadLetters`]: counting, reading, putting back

mod letter;
mod letters;

pub use letter::DeadLetter;
pub use letters::{DeadLetters, Replayed};
