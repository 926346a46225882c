//! Push consumers, as a user sees them.
//!
//! - `support`: a consumer whose listener collects what comes
//! - `receiving`: messages from before and after the start, filters, batches
//! - `stream`: messages as a stream, settled by their reader
//! - `failing`: messages that come again, and dead letters
//! - `sharing`: members of a group that come and go
//! - `broadcast`: members that each get all messages, and their files
//! - `order`: one message of a queue at a time
//! - `ending`: what a shutdown commits

mod broadcast;
mod ending;
mod failing;
mod order;
mod receiving;
mod sharing;
mod stream;
mod support;
