//! Version numbers of the wire: the ordinals of Java's `MQVersion` that make a difference.
//!
//! A command carries its sender's ordinal. Snapshot and release alternate, so that a release is odd.

/// Brokers below it ignore the maximum of retries that a request carries.
pub const V3_4_9: i32 = 121;
/// From it on brokers filter by SQL.
pub const V4_1_0: i32 = 233;
/// Up to it the flag of a query by unique id is not part of what is signed.
pub const V4_9_3: i32 = 399;
/// From it on a NameServer writes routes as strict JSON.
pub const V4_9_4: i32 = 401;
/// The first of the 5.x brokers: pop, static topics, timers.
pub const V5_0_0: i32 = 413;
/// Senders above it are told to go away when a broker shuts down.
pub const V5_3_1: i32 = 475;
/// The release that this implementation was checked against.
pub const V5_5_0: i32 = 513;
/// What this implementation says about itself.
pub const CURRENT_VERSION: i32 = V5_5_0;
