//! The parts of the benchmark of sends.

pub(crate) mod baseline;
pub(crate) mod client;
pub(crate) mod raw;
pub(crate) mod run;
pub(crate) mod server_process;
pub(crate) mod table;
