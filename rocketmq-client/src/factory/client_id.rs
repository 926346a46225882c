use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::panic::catch_unwind;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rocketmq_common::UniqueIdGenerator;
use rocketmq_remoting::net::random;
use tokio::time::timeout;

use crate::error::MQClientError;

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

/// Whether the caller runs on a runtime with timers and, if they are needed, sockets. tokio tells only by a panic, which is
/// caught here.
pub(crate) fn check_runtime(needs_sockets: bool) -> Result<(), MQClientError> {
    tokio::runtime::Handle::try_current().map_err(|_| MQClientError::NoRuntime)?;
    let use_both = || {
        drop(tokio::time::sleep(Duration::ZERO));
        if !needs_sockets {
            return;
        }
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok();
        let socket = socket.filter(|socket| socket.set_nonblocking(true).is_ok());
        drop(socket.map(tokio::net::UdpSocket::from_std));
    };
    catch_unwind(use_both).map_err(|_| MQClientError::NoRuntime)
}

fn local_ip_towards(peer: SocketAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind(if peer.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).ok()?;
    // Connecting a UDP socket sends nothing; it only chooses a route.
    socket.connect(peer).ok()?;
    socket.local_addr().ok().map(|address| address.ip())
}

/// The time zone that is behind all others, from UTC.
///
/// The time in an id is that of its sender's zone in Java, and tools look for a message from that time on, read in a zone
/// of their own. An id of the last zone is found wherever the tool runs: it begins up to 26 hours too early, never late.
const LAST_TIME_ZONE_MS: i64 = -12 * 3_600_000;

/// The generator of message ids. The process has one, so that no two of its clients make equal ids.
pub(crate) fn unique_ids(ip: IpAddr) -> &'static UniqueIdGenerator {
    static GENERATOR: OnceLock<UniqueIdGenerator> = OnceLock::new();
    let make = || {
        // Not from `random`: the first id of the process would change what a simulation draws after it.
        let (pid, seed) = (std::process::id(), RandomState::new().build_hasher().finish() as u32);
        UniqueIdGenerator::with_utc_offset(ip, pid, seed, LAST_TIME_ZONE_MS)
    };
    GENERATOR.get_or_init(make)
}

#[cfg(test)]
mod tests {
    use rocketmq_common::calendar::Date;
    use rocketmq_common::unique_id::UniqueIdParts;

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

    /// Java's `MessageClientIDSetter.getNearlyTimeFromID`, in a time zone without daylight saving time.
    fn nearly_time(id: &str, now: i64, zone_ms: i64) -> i64 {
        const DAY_MS: i64 = 86_400_000;
        let span = i64::from(UniqueIdParts::parse(id).unwrap().ms_since_month_began);
        let month_began = |local: i64| {
            let day = local.div_euclid(DAY_MS);
            (day + 1 - Date::of_day(day).day) * DAY_MS
        };
        let mut began = month_began(now + zone_ms);
        if began + span >= now + zone_ms {
            began = month_began(began - 1);
        }
        began + span - zone_ms
    }

    #[test]
    fn a_tool_in_any_time_zone_looks_for_a_message_from_before_it_was_sent() {
        const HOUR_MS: i64 = 3_600_000;
        let ids = unique_ids(LOCAL);
        // From 2026-11-29T00:00Z on, over the end of a month.
        for sent in (0..96).map(|hour| 1_795_910_400_000 + hour * HOUR_MS) {
            let id = ids.next(sent);
            for zone in -12..=14 {
                let begins = nearly_time(&id, sent + HOUR_MS, zone * HOUR_MS);
                assert!((0..=26 * HOUR_MS).contains(&(sent - begins)), "{sent} in {zone}: {}", sent - begins);
            }
        }
    }

    #[test]
    fn a_runtime_without_timers_or_sockets_is_none() {
        use tokio::runtime::Builder;

        let check = |builder: &mut Builder| builder.build().unwrap().block_on(async { check_runtime(true) });
        for lacking in [
            &mut Builder::new_current_thread(),
            Builder::new_current_thread().enable_io(),
            Builder::new_current_thread().enable_time(),
        ] {
            assert!(matches!(check(lacking), Err(MQClientError::NoRuntime)));
        }
        assert!(check(Builder::new_current_thread().enable_all()).is_ok());
        let with_timers = Builder::new_current_thread().enable_time().build().unwrap();
        assert!(with_timers.block_on(async { check_runtime(false) }).is_ok(), "a network in memory");
    }

    #[tokio::test]
    async fn the_address_towards_loopback_is_loopback() {
        assert_eq!(local_ip(&["127.0.0.1:9876".into()]).await, LOCAL);
    }
}
