//! Free loopback ports.

use std::net::{Ipv4Addr, TcpListener};

use rocketmq_remoting::net::random;

/// Below those that the system gives to outgoing connections: a server that is started again finds its port free.
const RANGE: std::ops::Range<u16> = 10_000..30_000;

/// The NameServer's port, and one for each broker. A broker listens on three: its own, two below it (the "VIP" port)
/// and one above it (replication).
pub(crate) fn free(brokers: usize) -> (u16, Vec<u16>) {
    // All are held until the last is known to be free, and let go together.
    let mut held = Vec::new();
    let mut ports = Vec::new();
    for _ in 0..1000 {
        // The remainder is below a number of 16 bits.
        let port = RANGE.start + (random() % u64::from(RANGE.end - RANGE.start)) as u16;
        if let (Some(own), Some(below), Some(above)) = (bind(port), bind(port - 2), bind(port + 1)) {
            held.extend([own, below, above]);
            ports.push(port);
        }
        if ports.len() > brokers {
            return (ports[0], ports.split_off(1));
        }
    }
    panic!("no three free loopback ports in a row in a thousand tries");
}

fn bind(port: u16) -> Option<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
}
