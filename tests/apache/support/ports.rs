//! Free loopback ports.

use std::net::{Ipv4Addr, TcpListener};

/// The NameServer's port and the broker's. A broker listens on three: its own, two below it (the "VIP" port) and
/// one above it (replication).
pub(crate) fn free() -> (u16, u16) {
    let name_server = bind(0).expect("a free loopback port");
    for _ in 0..100 {
        let broker = bind(0).expect("a free loopback port");
        let port = port_of(&broker);
        // All are held until the last is known to be free, and let go together.
        let neighbours = (bind(port - 2), bind(port + 1));
        if let (Some(_), Some(_)) = neighbours {
            return (port_of(&name_server), port);
        }
    }
    panic!("no three free loopback ports in a hundred tries");
}

fn bind(port: u16) -> Option<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
}

fn port_of(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("the address of a bound socket").port()
}
