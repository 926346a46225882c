//! JSON bodies, under Java's names, one file per family.
//!
//! [`decode_body`] reads bodies from Java, which are not always JSON; [`encode_body`] writes bodies that Java reads.
//! Unknown members are ignored; missing members have their default. Members are written in the order of their names,
//! like in Java; a `None` is left out.

mod ack_bits;
mod assignment;
mod batch_ack;
mod client_config;
mod cluster;
mod connection;
mod consumer_status;
mod heartbeat;
mod lenient;
mod lock;
mod object_keys;
mod open_enum;
mod relaxed_json;
mod route;
mod stats;
mod subscription_group;
#[cfg(test)]
mod tests;
mod topic_config;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use ack_bits::AckBits;
pub use assignment::*;
pub use batch_ack::*;
pub use client_config::*;
pub use cluster::*;
pub use connection::*;
pub use consumer_status::*;
pub use heartbeat::*;
pub use lock::*;
pub use route::*;
pub use stats::*;
pub use subscription_group::*;
pub use topic_config::*;

/// Why a body cannot be read or written. The source says where.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// The bytes are no JSON, or JSON of another type.
    #[error("body is no {what}")]
    Decode {
        /// Name of the expected type.
        what: &'static str,
        /// The fault, with line and column.
        source: serde_json::Error,
    },
    /// The value has no JSON form.
    #[error("{what} cannot be written as JSON")]
    Encode {
        /// Name of the type to write.
        what: &'static str,
        /// The fault.
        source: serde_json::Error,
    },
}

/// Reads a body. Strict JSON is read directly. If that fails, the deviations of fastjson are corrected and the body is
/// read again: bare keys (`{0:"…"}`), objects as keys, null members.
///
/// # Errors
///
/// The bytes are neither, nest deeper than 64 levels, or do not hold a `T`.
pub fn decode_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, BodyError> {
    let strict = match serde_json::from_slice(body) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    let relaxed = match relaxed_json::relax(body) {
        Some(text) => serde_json::from_slice(&text),
        None => Err(strict),
    };
    relaxed.map_err(|source| BodyError::Decode { what: name_of::<T>(), source })
}

/// Writes a body like Java: in a map keyed by a queue the keys are objects, which is not JSON.
///
/// # Errors
///
/// The value has no JSON form, such as a map whose keys are not texts. All bodies of this module have a JSON form.
pub fn encode_body<T: Serialize + ?Sized>(body: &T) -> Result<Bytes, BodyError> {
    let text =
        serde_json::to_vec(body).map_err(|source| BodyError::Encode { what: name_of::<T>(), source })?;
    Ok(object_keys::unquote(text).into())
}

fn name_of<T: ?Sized>() -> &'static str {
    let path = std::any::type_name::<T>();
    path.rsplit_once("::").map_or(path, |(_, name)| name)
}
