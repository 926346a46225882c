//! Days of the Gregorian calendar.

/// A date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// The year; 0 is the year before year 1.
    pub year: i64,
    /// The month, from 1 to 12.
    pub month: i64,
    /// The day of the month, from 1 to 31.
    pub day: i64,
}

impl Date {
    /// The date of a day since 1970-01-01, which is day 0.
    ///
    /// The computation lets years begin in March: leap days are then last, and the lengths of months follow a formula.
    ///
    /// ```
    /// use rocketmq_common::calendar::Date;
    ///
    /// assert_eq!(Date::of_day(0), Date { year: 1970, month: 1, day: 1 });
    /// assert_eq!(Date::of_day(59), Date { year: 1970, month: 3, day: 1 });
    /// ```
    pub fn of_day(days_since_epoch: i64) -> Self {
        const DAYS_TO_EPOCH_FROM_YEAR_0: i64 = 719_468;
        const DAYS_IN_400_YEARS: i64 = 146_097;
        let days = days_since_epoch.saturating_add(DAYS_TO_EPOCH_FROM_YEAR_0);
        let (era, day_of_era) = (days.div_euclid(DAYS_IN_400_YEARS), days.rem_euclid(DAYS_IN_400_YEARS));
        let leap_corrected = day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096;
        let year_of_era = leap_corrected / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month + 2) / 5 + 1;
        let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        Self { year: era * 400 + year_of_era + next_year, month, day }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_since_the_epoch_have_dates() {
        for (days, year, month, day) in [
            (0, 1970, 1, 1),
            (11_016, 2000, 2, 29),
            (11_017, 2000, 3, 1),
            (47_540, 2100, 2, 28),
            (47_541, 2100, 3, 1),
            (-1, 1969, 12, 31),
            (157_053, 2399, 12, 31),
            (157_113, 2400, 2, 29),
            (-719_162, 1, 1, 1),
            (-719_163, 0, 12, 31),
        ] {
            assert_eq!(Date::of_day(days), Date { year, month, day }, "day {days}");
        }
    }
}
