//! Points in time as people and files write them: RFC 3339, UTC, milliseconds.

const DAY_MS: u64 = 86_400_000;
/// The last millisecond that has a year of four digits.
const LAST_MS: u64 = 253_402_300_799_999;

/// `2026-11-24T21:56:14.123Z` of milliseconds since 1970. Later than the year 9999 is that year's
/// last millisecond.
#[must_use]
pub fn utc(ms: u64) -> String {
    let ms = ms.min(LAST_MS);
    let (days, rest) = (ms / DAY_MS, ms % DAY_MS);
    let (year, month, day) = date(days);
    let (seconds, millis) = (rest / 1000, rest % 1000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{millis:03}Z")
}

/// `2026-11-24 21:56:14 UTC`, for people.
#[must_use]
pub fn readable(ms: u64) -> String {
    let text = utc(ms);
    let to_second = text.split('.').next().unwrap_or_default();
    format!("{} UTC", to_second.replace('T', " "))
}

/// Reads exactly what [`utc`] writes.
#[must_use]
pub fn from_utc(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| -> Option<u64> {
        let digits = text.get(from..to)?;
        let all = digits.bytes().all(|c| c.is_ascii_digit());
        digits.parse().ok().filter(|_| all)
    };
    let days = days(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
    let seconds = number(11, 13)? * 3600 + number(14, 16)? * 60 + number(17, 19)?;
    let ms = days * DAY_MS + seconds * 1000 + number(20, 23)?;
    // One spelling: punctuation, ranges and length are right when it is written the same again.
    (utc(ms) == text).then_some(ms)
}

/// Year, month and day of days since 1970 (Howard Hinnant, "chrono-compatible low-level date
/// algorithms", `civil_from_days`, for days from 1970 on).
const fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month, day)
}

/// Days since 1970, the inverse of [`date`].
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    (era * 146_097 + of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::{LAST_MS, from_utc, readable, utc};

    #[test]
    fn days_and_leap_years_go_both_ways() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_800_000_000_000, "2027-01-15T08:00:00.000Z"),
            (LAST_MS, "9999-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(utc(ms), text);
            assert_eq!(from_utc(text), Some(ms));
        }
        for ms in (0..LAST_MS).step_by(40_000_000_123) {
            assert_eq!(from_utc(&utc(ms)), Some(ms));
        }
        assert_eq!(utc(u64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(readable(0), "1970-01-01 00:00:00 UTC");
    }

    #[test]
    fn only_one_spelling_is_read() {
        for text in [
            "",
            "1970-01-01",
            "1970-02-30T00:00:00.000Z",
            "1970-01-01T24:00:00.000Z",
            "1970-01-01 00:00:00.000Z",
            "1970-01-01T00:00:00.000+",
            "+970-01-01T00:00:00.000Z",
            "1970-01-01T00:00:00.000Z ",
            "é970-01-01T00:00:00.000Z",
        ] {
            assert_eq!(from_utc(text), None, "{text}");
        }
    }
}
