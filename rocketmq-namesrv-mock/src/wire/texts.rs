//! Parts of remarks.

use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Ends many of Apache's remarks.
pub(crate) const SEE_FAQ: &str =
    "\nSee https://rocketmq.apache.org/docs/bestPractice/06FAQ for further details.";

/// An address as Java prints an `InetSocketAddress`.
pub(crate) fn peer_with_slash(peer: SocketAddr) -> String {
    format!("/{peer}")
}

/// A map as fastjson writes one whose keys are numbers: without quotes.
pub(crate) fn bare_numbers(numbers: &BTreeMap<i32, i64>) -> String {
    let entries: Vec<_> = numbers.iter().map(|(key, value)| format!("{key}:{value}")).collect();
    format!("{{{}}}", entries.join(","))
}

/// A time in UTC as Java's tools print it: `2026-11-21#16:18:40:573`.
pub(crate) fn java_time(ms: i64) -> String {
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    let (days, in_day) = (ms.div_euclid(DAY_MS), ms.rem_euclid(DAY_MS));
    let (year, month, day) = civil(days);
    let (hours, minutes) = (in_day / 3_600_000, in_day / 60_000 % 60);
    let (seconds, millis) = (in_day / 1000 % 60, in_day % 1000);
    format!("{year:04}-{month:02}-{day:02}#{hours:02}:{minutes:02}:{seconds:02}:{millis:03}")
}

/// Year, month and day of a day since 1970. Years begin in March here, so that leap days come last.
fn civil(days_since_1970: i64) -> (i64, i64, i64) {
    let days = days_since_1970.saturating_add(719_468);
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year_of_era + next_year, month, day)
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
