//! Errors that rooms share.
//!
//! - `shared`: [`SharedError`], an error of any type that can be cloned
//! - `publish_error`: [`PublishError`], and whether the event is stored

mod publish_error;
mod shared;

pub(crate) use publish_error::{LONGEST, wait_before};
pub use publish_error::{Outcome, PublishError, PublishErrorKind};
pub use shared::SharedError;
pub(crate) use shared::{panic_text, with_causes};
