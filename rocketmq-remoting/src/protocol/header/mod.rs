//! Typed request and response headers, one file per family of requests.
//!
//! A header's fields are those of its Java class. What every Java header may carry on top of them is left
//! to the ext fields of the command: `ns` and `nsd` (namespace), `oway`, and what hooks add; `bname` (the
//! broker's name) and `lo` are fields where a client sets or reads them.

mod macros;
mod name_server;
mod send;

pub use name_server::*;
pub use send::{
    SendMessageRequestHeader, SendMessageRequestHeaderV2, SendMessageResponseHeader, SendRequestKind,
};
