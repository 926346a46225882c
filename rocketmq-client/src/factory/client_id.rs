use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rocketmq_common::UniqueIdGenerator;
use rocketmq_remoting::net::random;
use tokio::time::timeout;

/// The longest wait for name resolution: the address is only a label.
const RESOLVE_WITHIN: Duration = Duration::from_secs(1);

/// `ip@instance_name[@unit_name]`, by which brokers distinguish clients. Without an instance name it is made unique by
/// the process id and the time.
pub(crate) fn client_id(
    ip: IpAddr,
    client_ip: Option<&str>,
    instance: Option<&str>,
    unit: Option<&str>,
) -> String {
    let instance = match instance {
        Some(name) => name.to_owned(),
        None => {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            // Random low bits distinguish two clients that start in the same clock tick.
            format!("{}#{}", std::process::id(), now.as_nanos() ^ u128::from(random() & 0xFFFF))
        }
    };
    let ip = client_ip.map_or_else(|| ip.to_string(), str::to_owned);
    match unit {
        Some(unit) => format!("{ip}@{instance}@{unit}"),
        None => format!("{ip}@{instance}"),
    }
}

/// The local address from which the system would reach the first of `peers` (`host:port`) whose name resolves soon. No
/// packet is sent.
pub(crate) async fn local_ip(peers: &[Arc<str>]) -> IpAddr {
    for peer in peers {
        let Ok(Ok(addresses)) = timeout(RESOLVE_WITHIN, tokio::net::lookup_host(&**peer)).await else {
            continue;
        };
        if let Some(ip) = addresses.into_iter().find_map(local_ip_towards) {
            return ip;
        }
    }
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

fn local_ip_towards(peer: SocketAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind(if peer.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).ok()?;
    // Connecting a UDP socket sends nothing; it only chooses a route.
    socket.connect(peer).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

/// The generator of message ids. The process has one, so that no two of its clients make equal ids.
pub(crate) fn unique_ids(ip: IpAddr) -> &'static UniqueIdGenerator {
    static GENERATOR: OnceLock<UniqueIdGenerator> = OnceLock::new();
    GENERATOR.get_or_init(|| UniqueIdGenerator::new(ip, std::process::id(), random() as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn given_names_are_kept_and_missing_ones_are_unique() {
        assert_eq!(client_id(LOCAL, None, Some("orders"), None), "127.0.0.1@orders");
        assert_eq!(client_id(LOCAL, Some("10.1.2.3"), Some("orders"), Some("u1")), "10.1.2.3@orders@u1");
        let (one, two) = (client_id(LOCAL, None, None, None), client_id(LOCAL, None, None, None));
        assert!(one.starts_with(&format!("127.0.0.1@{}#", std::process::id())), "{one}");
        assert_ne!(one, two);
    }

    #[tokio::test]
    async fn the_address_towards_loopback_is_loopback() {
        assert_eq!(local_ip(&["127.0.0.1:9876".into()]).await, LOCAL);
    }
}
