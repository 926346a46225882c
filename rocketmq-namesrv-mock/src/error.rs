//! Errors of the mock.

use std::net::IpAddr;

use rocketmq_remoting::protocol::ResponseCode;

/// Why a call to a [`MockCluster`](crate::MockCluster) failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MockError {
    /// A server could not listen on its port of the loopback.
    #[error("{server} cannot listen on {}", place(*address, *port))]
    Listen {
        /// The broker's name, or `namesrv-0` ….
        server: String,
        /// The loopback address.
        address: IpAddr,
        /// The port; 0 for any that is free.
        port: u16,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// The mock was started outside a tokio runtime.
    #[error("the mock was started outside a tokio runtime; start it from async code")]
    NoRuntime(#[source] tokio::runtime::TryCurrentError),
    /// A cluster needs at least one NameServer and one broker; here the number is 0.
    #[error("a cluster needs at least one {what}")]
    None {
        /// `NameServer` or `broker`.
        what: &'static str,
    },
    /// There are not enough ports after the first for all servers.
    #[error("there are not enough ports from {first} to 65535 for all servers")]
    TooFewPorts {
        /// The port of the first server.
        first: u16,
    },
    /// A wait ended before its condition was met.
    #[error("waited {limit:?} in vain: there is {there}")]
    WaitedInVain {
        /// How long the wait took.
        limit: std::time::Duration,
        /// The state at the end of the wait.
        there: String,
    },
    /// There is no server of this name.
    #[error("the cluster has no {server}; it has those that its builder was told of")]
    NoServer {
        /// The broker's name, or `namesrv-0` ….
        server: String,
    },
    /// Switching roles needs the name of a slave.
    #[error("{server} is no slave; those of broker-a are broker-a-s1, broker-a-s2 and so on")]
    NoSlave {
        /// The broker's name.
        server: String,
    },
    /// A certificate cannot be made.
    #[cfg(feature = "tls")]
    #[error("cannot make a certificate: {reason}")]
    Certificate {
        /// The fault.
        reason: String,
    },
    /// The TLS settings cannot be used.
    #[cfg(feature = "tls")]
    #[error("cannot serve TLS")]
    Tls(#[from] rocketmq_remoting::net::tls::TlsConfigError),
    /// A broker would have refused the request.
    #[error("refused with code {code}: {remark}")]
    Refused {
        /// The broker's code.
        code: ResponseCode,
        /// The broker's remark.
        remark: String,
    },
}

/// The port of server `index`, counted from 0: the ports of the servers follow each other. 0 means any free port.
pub(crate) fn next_port(first: u16, index: usize) -> Result<u16, MockError> {
    if first == 0 {
        return Ok(0);
    }
    let port = u16::try_from(index).ok().and_then(|index| first.checked_add(index));
    port.ok_or(MockError::TooFewPorts { first })
}

fn place(address: IpAddr, port: u16) -> String {
    match port {
        0 => format!("a free port of {address}"),
        port => std::net::SocketAddr::from((address, port)).to_string(),
    }
}
