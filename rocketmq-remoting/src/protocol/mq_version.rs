//! Version numbers of the wire: the ordinals of Java's `MQVersion` that make a difference.
//!
//! A command carries its sender's ordinal. Snapshots and releases alternate; a release is odd.

/// Brokers below it ignore the maximum number of retries in a request.
pub const V3_4_9: i32 = 121;
/// Brokers from it on filter by SQL.
pub const V4_1_0: i32 = 233;
/// Up to it, the flag of a query by unique id is not part of the signed text.
pub const V4_9_3: i32 = 399;
/// NameServers from it on write routes as strict JSON.
pub const V4_9_4: i32 = 401;
/// The first of the 5.x brokers: pop, static topics, timers.
pub const V5_0_0: i32 = 413;
/// A broker that shuts down answers GO_AWAY to senders above it.
pub const V5_3_1: i32 = 475;
/// The release against which this implementation was checked.
pub const V5_5_0: i32 = 513;
/// The version that this implementation announces.
pub const CURRENT_VERSION: i32 = V5_5_0;
/// Its name in Java's `MQVersion`.
pub const CURRENT_VERSION_NAME: &str = "V5_5_0";
