//! What a send does when brokers fail, one way after the other: where it is tried again, what it keeps, how long it
//! takes, and what its error tells. The brokers are scripts of the test.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]
#![allow(clippy::disallowed_methods, reason = "a test's peers are tasks of their own")]

mod cancelled;
mod codes;
mod cut;
mod down;
mod full;
mod moved;
mod routes;
mod runtimes;
mod script;
mod silence;
mod site;
