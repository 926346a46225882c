//! Parts of remarks.

use std::net::SocketAddr;

/// Ends many of Apache's remarks.
pub(crate) const SEE_FAQ: &str =
    "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.";

/// An address as Java prints an `InetSocketAddress`.
pub(crate) fn peer_with_slash(peer: SocketAddr) -> String {
    format!("/{peer}")
}
