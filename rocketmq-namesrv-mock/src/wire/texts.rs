//! Parts of remarks.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use rocketmq_common::calendar::Date;

/// Java prepares each answer with this text and sometimes leaves it there.
pub(crate) const NOT_SET: &str = "not set any response code";

/// The end of many of Apache's remarks.
pub(crate) const SEE_FAQ: &str =
    "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.";

/// An address in the form of Java's `InetSocketAddress`.
pub(crate) fn peer_with_slash(peer: SocketAddr) -> String {
    format!("/{peer}")
}

/// A map with number keys in fastjson's form: keys without quotes.
pub(crate) fn bare_numbers(numbers: &BTreeMap<i32, i64>) -> String {
    let entries: Vec<_> = numbers.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    format!("{{{}}}", entries.join(","))
}

/// A time in UTC in the form of Java's tools: `2026-11-21#16:18:40:573`.
pub(crate) fn java_time(ms: i64) -> String {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let (days, in_day) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let Date { year, month, day } = Date::of_day(days);
    let (hours, minutes) = (in_day / 3_600_000, in_day / 60_000 % 60);
    let (seconds, millis) = (in_day / 1000 % 60, in_day % 1000);
    format!("{year:04}-{month:02}-{day:02}#{hours:02}:{minutes:02}:{seconds:02}:{millis:03}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_as_java_does() {
        for (ms, expected) in [
            (0, "1970-01-01#00:00:00:000"),
            (-1, "1969-12-31#23:59:59:999"),
            (1_795_277_920_573, "2026-11-21#16:18:40:573"),
            (951_782_400_000, "2000-02-29#00:00:00:000"),
            (1_709_251_199_999, "2024-02-29#23:59:59:999"),
            (1_709_251_200_000, "2024-03-01#00:00:00:000"),
        ] {
            assert_eq!(java_time(ms), expected);
        }
    }
}
