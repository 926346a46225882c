//! The cost of the codecs: commands and the table of requests in flight, records and properties.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark; its entry points come from macros")]

mod command;
mod record;

use criterion::{criterion_group, criterion_main};

criterion_group!(commands, command::encode_send, command::read_answers, command::in_flight_table);
criterion_group!(records, record::decode, record::properties);
criterion_main!(commands, records);
