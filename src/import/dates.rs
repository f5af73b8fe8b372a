//! Days as other people write them. `05/04/2018` is two days: which one, a whole file tells, or
//! somebody has to say it. Nothing is guessed from one value.

use std::str::FromStr;

use crate::record::Day;

/// In which order a file writes its dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOrder {
    /// `2018-04-27` alone.
    Iso,
    /// `04/27/2018`; `2018-04-27` too.
    MonthFirst,
    /// `27/04/2018`; `2018-04-27` too.
    DayFirst,
}

/// Text that names no order of dates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is none of day-first, month-first and iso")]
pub struct DateOrderError(String);

impl FromStr for DateOrder {
    type Err = DateOrderError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "iso" => Ok(Self::Iso),
            "month-first" => Ok(Self::MonthFirst),
            "day-first" => Ok(Self::DayFirst),
            _ => Err(DateOrderError(text.chars().take(40).collect())),
        }
    }
}

/// A file whose dates could be read in two ways.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatesError {
    /// Nothing in the file tells the order.
    #[error(
        "{file}, line {line}: {text:?} may be a day of either month, and no date of the file tells whether the day or the month stands first. Nothing was sent. Say which with --dates day-first or --dates month-first"
    )]
    Ambiguous {
        /// The file.
        file: String,
        /// A line with such a date.
        line: u64,
        /// The date.
        text: String,
    },
    /// The file has both orders.
    #[error(
        "{file} has dates in two orders: {day_first:?} on line {day_first_line}, {month_first:?} on line {month_first_line}. Nothing was sent. Have it exported again; or say which order is right with --dates day-first or --dates month-first, and the other dates are set aside"
    )]
    Mixed {
        /// The file.
        file: String,
        /// A date that can only be read with the day first.
        day_first: String,
        /// Its line.
        day_first_line: u64,
        /// A date that can only be read with the month first.
        month_first: String,
        /// Its line.
        month_first_line: u64,
    },
}

/// What the dates of a file tell of their order.
#[derive(Clone, Debug, Default)]
pub(super) struct DateEvidence {
    day_first: Option<(u64, String)>,
    month_first: Option<(u64, String)>,
    either: Option<(u64, String)>,
}

impl DateEvidence {
    /// Takes a date of the file.
    pub(super) fn see(&mut self, line: u64, text: &str) {
        let Some(Written::Slashes(first, second, _)) = written(text) else {
            return;
        };
        let seen = match (first > 12, second > 12) {
            (true, true) => return,
            (true, false) => &mut self.day_first,
            (false, true) => &mut self.month_first,
            // The same day in either order.
            (false, false) if first == second => return,
            (false, false) => &mut self.either,
        };
        seen.get_or_insert_with(|| (line, text.chars().take(40).collect()));
    }

    /// The order of the file's dates: what somebody said, or what the whole file tells.
    pub(super) fn decide(
        &self,
        file: &str,
        asked: Option<DateOrder>,
    ) -> Result<DateOrder, DatesError> {
        let file = file.to_owned();
        match (asked, &self.day_first, &self.month_first, &self.either) {
            (Some(order), ..) => Ok(order),
            (None, Some((day_first_line, day_first)), Some((month_first_line, month_first)), _) => {
                Err(DatesError::Mixed {
                    file,
                    day_first: day_first.clone(),
                    day_first_line: *day_first_line,
                    month_first: month_first.clone(),
                    month_first_line: *month_first_line,
                })
            }
            (None, Some(_), None, _) => Ok(DateOrder::DayFirst),
            (None, None, None, Some((line, text))) => Err(DatesError::Ambiguous {
                file,
                line: *line,
                text: text.clone(),
            }),
            // Without any that tells, all slashed dates are the same day in either order.
            (None, None, _, _) => Ok(DateOrder::MonthFirst),
        }
    }
}

/// The day of a date in this order: `2018-04-27` or `04/27/2018`, with or without a time behind it.
pub(super) fn read_day(text: &str, order: DateOrder) -> Option<Day> {
    match (written(text)?, order) {
        (Written::Iso(day), _) => Some(day),
        (Written::Slashes(..), DateOrder::Iso) => None,
        (Written::Slashes(month, day, year), DateOrder::MonthFirst)
        | (Written::Slashes(day, month, year), DateOrder::DayFirst) => {
            Day::from_ymd(year.into(), month, day)
        }
    }
}

/// A time from 1970 on, in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct UtcTime {
    /// Its day.
    pub day: Day,
    second: i64,
}

/// An RFC 3339 time, whatever its offset.
pub(super) fn utc_time(time: &str) -> Option<UtcTime> {
    let day: Day = time.get(..10)?.parse().ok()?;
    let number = |range| time.get(range).and_then(digits).map(i64::from);
    let minutes = number(11..13)? * 60 + number(14..16)?;
    let offset = match time.get(19..)? {
        "Z" => 0,
        _ => {
            let sign = if time.get(19..20)? == "-" { -1 } else { 1 };
            sign * (number(20..22)? * 60 + number(23..25)?)
        }
    };
    let utc = (i64::from(day.0) * 1440 + minutes - offset) * 60 + number(17..19)?;
    Some(UtcTime {
        day: Day(u32::try_from(utc.div_euclid(86_400)).ok()?),
        second: utc.rem_euclid(86_400),
    })
}

/// A number of decimal digits alone: no sign, as `str::parse` would take one.
pub(super) fn digits(text: &str) -> Option<u32> {
    let only = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    only.then(|| text.parse().ok()).flatten()
}

/// A date as it stands there.
enum Written {
    Iso(Day),
    /// Two numbers that are day and month in some order, and a year of four digits.
    Slashes(u32, u32, u32),
}

fn written(text: &str) -> Option<Written> {
    let (date, time) = match text.split_once([' ', 'T']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    if !time.is_none_or(is_time) {
        return None;
    }
    if date.contains('-') {
        return date.parse().ok().map(Written::Iso);
    }
    let mut parts = date.split('/');
    let mut part = |most: usize| parts.next().filter(|part| part.len() <= most);
    let (first, second) = (digits(part(2)?)?, digits(part(2)?)?);
    let year = part(4).filter(|year| year.len() == 4).and_then(digits)?;
    (parts.next().is_none() && (1..=31).contains(&first) && (1..=31).contains(&second))
        .then_some(Written::Slashes(first, second, year))
}

/// `12:00`, `12:00:00 AM`, `00:00:00.000Z`, `00:00:00-07:00`: the day is taken, the time is not.
fn is_time(text: &str) -> bool {
    let clock = text
        .strip_suffix(" AM")
        .or_else(|| text.strip_suffix(" PM"))
        .unwrap_or(text);
    let two = |range| clock.get(range).and_then(digits);
    two(0..2).is_some_and(|hours| hours < 24)
        && clock.get(2..3) == Some(":")
        && two(3..5).is_some_and(|minutes| minutes < 60)
        && clock
            .bytes()
            .skip(5)
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'Z' | b'+' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(dates: &[&str]) -> Result<DateOrder, DatesError> {
        let mut evidence = DateEvidence::default();
        for (line, date) in (2..).zip(dates) {
            evidence.see(line, date);
        }
        evidence.decide("t.csv", None)
    }

    #[test]
    fn a_whole_file_tells_the_order_or_nobody_does() {
        assert_eq!(
            order(&["05/04/2018", "27/04/2018"]),
            Ok(DateOrder::DayFirst)
        );
        let us = ["05/04/2018", "04/27/2018 12:00:00 AM", "2018-04-27"];
        assert_eq!(order(&us), Ok(DateOrder::MonthFirst));
        assert_eq!(
            order(&["05/05/2018", "", "soon"]),
            Ok(DateOrder::MonthFirst)
        );
        let ambiguous = order(&["05/05/2018", "05/04/2018"]).err().unwrap();
        assert!(matches!(ambiguous, DatesError::Ambiguous { line: 3, .. }));
        let mixed = order(&["27/04/2018", "04/27/2018"]).err().unwrap();
        assert!(matches!(mixed, DatesError::Mixed { .. }));
    }

    #[test]
    fn a_day_is_read_in_one_order_only() {
        let day = |text, order| read_day(text, order).map(|day| day.to_string());
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(day("05/04/2018", DateOrder::DayFirst), some("2018-04-05"));
        assert_eq!(day("05/04/2018", DateOrder::MonthFirst), some("2018-05-04"));
        assert_eq!(
            day("5/4/2018 11:59:59 PM", DateOrder::DayFirst),
            some("2018-04-05")
        );
        assert_eq!(
            day("2018-04-05T00:00:00.000", DateOrder::Iso),
            some("2018-04-05")
        );
        for text in [
            "05/04/2018 soon",
            "4/7/18",
            "13/13/2018",
            "+5/04/2018",
            "05/04",
            "27.04.2018",
            "05/04/2018/1",
        ] {
            assert_eq!(day(text, DateOrder::MonthFirst), None, "{text}");
        }
        assert_eq!(day("05/04/2018", DateOrder::Iso), None);
        assert_eq!(day("02/29/2019", DateOrder::MonthFirst), None);
    }
}
