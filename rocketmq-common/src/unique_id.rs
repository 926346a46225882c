//! The unique id that a client gives each message (Java: `MessageClientIDSetter`).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Deref;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use bytestring::ByteString;

use crate::calendar::Date;
use crate::hex;

/// The largest number of characters of an id: with an IPv6 address.
const MAX_CHARS: usize = 56;
/// Bytes after the address: process (2), seed (4), time (4), counter (2).
const REST_BYTES: usize = 12;

/// Makes ids that are unique among all clients.
///
/// An id is, in upper-case hexadecimal: 4 or 16 bytes of address, 2 of the process id, 4 of a seed, 4 of the
/// milliseconds since the month began, and 2 of a counter. It has 32 characters, or 56 with an IPv6 address. Two
/// generators with different seeds never make an equal id.
///
/// ```
/// use std::net::{IpAddr, Ipv4Addr};
///
/// use rocketmq_common::UniqueIdGenerator;
/// use rocketmq_common::unique_id::UniqueIdParts;
///
/// let ids = UniqueIdGenerator::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 77, 0xCAFE);
/// let (first, second) = (ids.next(1_000), ids.next(1_000));
/// assert_eq!(first.as_str(), "7F000001004D0000CAFE000003E80000");
/// assert_ne!(first, second);
/// assert_eq!(UniqueIdParts::parse(&second).map(|parts| parts.counter), Some(1));
/// ```
#[derive(Debug)]
pub struct UniqueIdGenerator {
    /// An id whose last six bytes are filled in for each message.
    template: UniqueId,
    counter: AtomicU32,
    utc_offset_ms: i64,
    /// The start of the last id's month, in local time.
    month_began: AtomicI64,
}

impl UniqueIdGenerator {
    /// A generator for this address, process id (its low 16 bits) and seed. Months begin in UTC.
    pub fn new(ip: IpAddr, pid: u32, seed: u32) -> Self {
        Self::with_utc_offset(ip, pid, seed, 0)
    }

    /// Like [`new`](Self::new), with months that begin `utc_offset_ms` milliseconds before those of UTC: Java takes
    /// the local time zone.
    ///
    /// ```
    /// use std::net::{IpAddr, Ipv4Addr};
    ///
    /// use rocketmq_common::UniqueIdGenerator;
    /// use rocketmq_common::unique_id::UniqueIdParts;
    ///
    /// let two_hours = 7_200_000;
    /// let ids = UniqueIdGenerator::with_utc_offset(IpAddr::V4(Ipv4Addr::LOCALHOST), 77, 1, two_hours);
    /// let parts = UniqueIdParts::parse(&ids.next(0));
    /// assert_eq!(parts.map(|parts| parts.ms_since_month_began), Some(7_200_000));
    /// ```
    pub fn with_utc_offset(ip: IpAddr, pid: u32, seed: u32, utc_offset_ms: i64) -> Self {
        let mut template = UniqueId { digits: [b'0'; MAX_CHARS], len: 0 };
        match ip {
            IpAddr::V4(ip) => template.push(&ip.octets()),
            IpAddr::V6(ip) => template.push(&ip.octets()),
        }
        let [_, _, pid @ ..] = pid.to_be_bytes();
        template.push(&pid);
        template.push(&seed.to_be_bytes());
        Self { template, counter: AtomicU32::new(0), utc_offset_ms, month_began: AtomicI64::new(0) }
    }

    /// The next id at this time, milliseconds since the epoch. Takes no lock and allocates nothing.
    pub fn next(&self, now_ms: i64) -> UniqueId {
        let count = self.counter.fetch_add(1, Ordering::Relaxed);
        let in_month = self.ms_since_month_began(now_ms.saturating_add(self.utc_offset_ms));
        let mut id = self.template;
        id.push_digits(&hex::digits(in_month));
        id.push_digits(&hex::digits(count)[4..]);
        id
    }

    fn ms_since_month_began(&self, now_ms: i64) -> u32 {
        // No month is shorter than this.
        const SHORTEST_MS: i64 = 28 * 86_400_000;
        let since = now_ms.saturating_sub(self.month_began.load(Ordering::Relaxed));
        if (0..SHORTEST_MS).contains(&since) {
            return since as u32;
        }
        let since = ms_since_month_began(now_ms);
        self.month_began.store(now_ms.saturating_sub(i64::from(since)), Ordering::Relaxed);
        since
    }
}

/// An id made by a [`UniqueIdGenerator`]: a text on the stack.
///
/// Aligned to eight bytes, so that UTF-8 is checked eight bytes at a time from the first digit on.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[repr(align(8))]
pub struct UniqueId {
    digits: [u8; MAX_CHARS],
    len: u8,
}

impl UniqueId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        // The digits are ASCII or were copied from a `str`: the default is never used.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The bytes of the text.
    pub fn as_bytes(&self) -> &[u8] {
        &self.digits[..usize::from(self.len)]
    }

    /// Copies a received id, or any text of at most 56 bytes. `None` if the text is longer.
    ///
    /// ```
    /// use rocketmq_common::UniqueId;
    ///
    /// let id = UniqueId::copied("7F000001004D0000CAFE000003E80000");
    /// assert_eq!(id.as_deref(), Some("7F000001004D0000CAFE000003E80000"));
    /// assert!(UniqueId::copied(&"F".repeat(57)).is_none());
    /// ```
    pub fn copied(text: &str) -> Option<Self> {
        let mut digits = [0; MAX_CHARS];
        digits.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Self { digits, len: text.len() as u8 })
    }

    fn push(&mut self, bytes: &[u8]) {
        let start = usize::from(self.len);
        hex::encode(bytes, &mut self.digits[start..start + 2 * bytes.len()]);
        self.len += 2 * bytes.len() as u8;
    }

    fn push_digits(&mut self, digits: &[u8]) {
        let start = usize::from(self.len);
        self.digits[start..start + digits.len()].copy_from_slice(digits);
        self.len += digits.len() as u8;
    }
}

impl Deref for UniqueId {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl AsRef<str> for UniqueId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for UniqueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UniqueId({})", self.as_str())
    }
}

impl From<UniqueId> for String {
    fn from(id: UniqueId) -> Self {
        id.as_str().to_owned()
    }
}

impl From<UniqueId> for ByteString {
    fn from(id: UniqueId) -> Self {
        id.as_str().into()
    }
}

/// The parts of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UniqueIdParts {
    /// The address of the client.
    pub ip: IpAddr,
    /// The low 16 bits of its process id.
    pub pid: u16,
    /// Its seed; Java uses the hash of a class loader.
    pub seed: u32,
    /// Milliseconds since the beginning of the month in the client's time zone.
    pub ms_since_month_began: u32,
    /// The low 16 bits of its counter.
    pub counter: u16,
}

impl UniqueIdParts {
    /// Splits an id into its parts. `None` if the text has another length or other characters. An
    /// [offset id](crate::OffsetMsgId) has the same form and is split too.
    ///
    /// ```
    /// use rocketmq_common::unique_id::UniqueIdParts;
    ///
    /// let parts = UniqueIdParts::parse("7F000001004D0000CAFE000003E80000");
    /// assert_eq!(parts.map(|parts| (parts.ip.to_string(), parts.pid)), Some(("127.0.0.1".to_owned(), 77)));
    /// assert!(UniqueIdParts::parse("order-7").is_none());
    /// ```
    pub fn parse(id: &str) -> Option<Self> {
        if let Some(bytes) = hex::decode::<{ 4 + REST_BYTES }>(id) {
            let [a, b, c, d, rest @ ..] = bytes;
            return Some(Self::from_rest(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), rest));
        }
        let bytes = hex::decode::<{ 16 + REST_BYTES }>(id)?;
        let (mut ip, mut rest) = ([0; 16], [0; REST_BYTES]);
        ip.copy_from_slice(&bytes[..16]);
        rest.copy_from_slice(&bytes[16..]);
        Some(Self::from_rest(IpAddr::V6(Ipv6Addr::from(ip)), rest))
    }

    fn from_rest(ip: IpAddr, rest: [u8; REST_BYTES]) -> Self {
        let [p0, p1, s0, s1, s2, s3, t0, t1, t2, t3, c0, c1] = rest;
        Self {
            ip,
            pid: u16::from_be_bytes([p0, p1]),
            seed: u32::from_be_bytes([s0, s1, s2, s3]),
            ms_since_month_began: u32::from_be_bytes([t0, t1, t2, t3]),
            counter: u16::from_be_bytes([c0, c1]),
        }
    }
}

/// The cast fits: a month has at most 2,678,400,000 ms.
fn ms_since_month_began(now_ms: i64) -> u32 {
    const DAY_MS: i64 = 86_400_000;
    let day_of_month = Date::of_day(now_ms.div_euclid(DAY_MS)).day - 1;
    (day_of_month * DAY_MS + now_ms.rem_euclid(DAY_MS)) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    const DAY_MS: i64 = 86_400_000;

    #[test]
    fn an_id_has_java_s_layout() {
        let generator = UniqueIdGenerator::new("127.0.0.1".parse().unwrap(), 0x0012_0001, 0x251A_69D7);
        // 2026-11-21T09:40:00.123Z
        let now = 1_795_254_000_123;
        let id = generator.next(now);
        let in_month = 20 * DAY_MS + 9 * 3_600_000 + 40 * 60_000 + 123;
        assert_eq!(id.as_str(), format!("7F0000010001251A69D7{in_month:08X}0000"));
        assert!(generator.next(now).ends_with("0001"));
        let parts = UniqueIdParts::parse(&id).unwrap();
        assert_eq!((parts.pid, parts.seed, parts.counter), (1, 0x251A_69D7, 0));
        assert_eq!((parts.ip, parts.ms_since_month_began), ("127.0.0.1".parse().unwrap(), in_month as u32));
    }

    #[test]
    fn an_ipv6_address_makes_56_characters() {
        let ip: IpAddr = "fd00::2".parse().unwrap();
        let id = UniqueIdGenerator::new(ip, 7, 9).next(0);
        assert_eq!(
            id.as_str(),
            "FD0000000000000000000000000000020007000000090000000000000000"[..56].to_owned()
        );
        assert_eq!(UniqueIdParts::parse(&id).unwrap().ip, ip);
    }

    #[test]
    fn an_id_of_a_real_broker_is_taken_apart() {
        let parts = UniqueIdParts::parse("FD00000000000000000000000000000226352FD2B2768E8A6A11B007").unwrap();
        assert_eq!((parts.pid, parts.seed, parts.counter), (0x2635, 0x2FD2_B276, 0xB007));
        assert_eq!(UniqueIdParts::parse("7F0000010001251A69D7000000000AA"), None);
    }

    #[test]
    fn months_begin_at_midnight_on_the_first() {
        const DAY_MS: i64 = 86_400_000;
        assert_eq!(ms_since_month_began(31 * DAY_MS - 1), (31 * DAY_MS - 1) as u32);
        assert_eq!(ms_since_month_began(31 * DAY_MS), 0);
    }

    #[test]
    fn an_id_counts_from_its_own_month_whatever_the_last_one_was() {
        let generator = UniqueIdGenerator::new("127.0.0.1".parse().unwrap(), 1, 2);
        let in_month = |now: i64| {
            let parts = UniqueIdParts::parse(&generator.next(now)).unwrap();
            i64::from(parts.ms_since_month_began)
        };
        for (days, expected) in
            [(0, 0), (27, 27), (28, 28), (30, 30), (31, 0), (58, 27), (59, 0), (31, 0), (-1, 30)]
        {
            assert_eq!(in_month(days * DAY_MS + 5), expected * DAY_MS + 5, "day {days}");
        }
        assert!(in_month(i64::MIN) < 31 * DAY_MS && in_month(i64::MAX) < 31 * DAY_MS);
    }

    #[test]
    fn a_time_zone_moves_the_beginning_of_the_month() {
        let ip: IpAddr = "127.0.0.1".parse().unwrap();
        let hour = 3_600_000;
        let east = UniqueIdGenerator::with_utc_offset(ip, 0, 0, 8 * hour).next(31 * DAY_MS - 8 * hour);
        assert_eq!(UniqueIdParts::parse(&east).unwrap().ms_since_month_began, 0);
    }

    #[test]
    fn a_text_that_is_short_enough_can_be_copied() {
        let longest = "é".repeat(MAX_CHARS / 2);
        for text in ["", "7F000001", longest.as_str()] {
            assert_eq!(UniqueId::copied(text).unwrap().as_str(), text);
        }
        assert_eq!(UniqueId::copied(&format!("{longest}x")), None);
    }

    #[test]
    fn threads_never_make_the_same_id() {
        let generator = UniqueIdGenerator::new("127.0.0.1".parse().unwrap(), 1, 2);
        let ids: HashSet<UniqueId> = std::thread::scope(|scope| {
            let make = || (0..1_000).map(|_| generator.next(5)).collect::<Vec<_>>();
            let threads = [(); 4].map(|()| scope.spawn(make));
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(ids.len(), 4_000);
    }

    proptest! {
        #[test]
        fn ids_can_be_made_at_any_time_and_taken_apart(ip: IpAddr, pid: u32, seed: u32, now: i64, offset: i64) {
            let id = UniqueIdGenerator::with_utc_offset(ip, pid, seed, offset).next(now);
            let parts = UniqueIdParts::parse(&id).unwrap();
            prop_assert_eq!((parts.ip, parts.pid, parts.seed, parts.counter), (ip, pid as u16, seed, 0));
            prop_assert!(i64::from(parts.ms_since_month_began) < 31 * DAY_MS);
        }

        #[test]
        fn any_text_is_an_id_or_not(text in "[0-9A-F]{32}|.{0,60}") {
            let _ = UniqueIdParts::parse(&text);
        }
    }
}
