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
    /// Whether dates that are only replaced show one order, or the other.
    replaced_day_first: bool,
    replaced_month_first: bool,
}

impl DateEvidence {
    /// Takes a date that the file replaces or removes: it is not read, but written as those that are.
    pub(super) fn see_replaced(&mut self, text: &str) {
        if let Some(Written::Slashes(first, second, _)) = written(text) {
            self.replaced_day_first |= first > 12 && second <= 12;
            self.replaced_month_first |= second > 12 && first <= 12;
        }
    }

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
            (None, None, None, Some((line, text))) => {
                match (self.replaced_day_first, self.replaced_month_first) {
                    (true, false) => Ok(DateOrder::DayFirst),
                    (false, true) => Ok(DateOrder::MonthFirst),
                    (false, false) | (true, true) => Err(DatesError::Ambiguous {
                        file,
                        line: *line,
                        text: text.clone(),
                    }),
                }
            }
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

/// An RFC 3339 time of whole seconds, whatever its offset. No leap second: what it would be in
/// another offset's order of times, nobody tells.
pub(super) fn utc_time(time: &str) -> Option<UtcTime> {
    let day: Day = time.get(..10)?.parse().ok()?;
    let mark = |at: usize, marks: &str| {
        let found = time.get(at..=at)?;
        marks.contains(found).then_some(found)
    };
    let two = |at: usize, below: u32| {
        let number = time.get(at..at + 2).and_then(digits)?;
        (number < below).then(|| i64::from(number))
    };
    mark(10, "T")?;
    let hours = two(11, 24)?;
    mark(13, ":")?;
    let minutes = two(14, 60)?;
    mark(16, ":")?;
    let seconds = two(17, 60)?;
    let (offset, length) = match mark(19, "Z+-")? {
        "Z" => (0, 20),
        sign => {
            let hours = two(20, 24)?;
            mark(22, ":")?;
            let offset = hours * 60 + two(23, 60)?;
            (if sign == "-" { -offset } else { offset }, 25)
        }
    };
    if time.len() != length {
        return None;
    }
    let utc = (i64::from(day.0) * 1440 + hours * 60 + minutes - offset) * 60 + seconds;
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
    let half = text
        .strip_suffix(" AM")
        .or_else(|| text.strip_suffix(" PM"));
    let clock = half.unwrap_or(text);
    // What an offset adds to the day is not asked: the day is the one that is written.
    let offset = clock.find(['Z', '+', '-']).unwrap_or(clock.len());
    let (clock, offset) = clock.split_at_checked(offset).unwrap_or((clock, ""));
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (clock, None),
    };
    let hours_below = if half.is_some() { 13 } else { 24 };
    is_clock(clock, hours_below, fraction.is_some())
        && fraction.is_none_or(|fraction| digits(fraction).is_some())
        && match offset.split_at_checked(1) {
            None => true,
            Some(("Z", rest)) => half.is_none() && rest.is_empty(),
            Some((_, offset)) => half.is_none() && is_clock(offset, 24, false),
        }
}

/// `12:00`, or `12:00:00`.
fn is_clock(text: &str, hours_below: u32, with_seconds: bool) -> bool {
    let two =
        |part: &str, below| part.len() == 2 && digits(part).is_some_and(|number| number < below);
    let parts: Vec<&str> = text.split(':').collect();
    match parts.as_slice() {
        [hours, minutes] => !with_seconds && two(hours, hours_below) && two(minutes, 60),
        [hours, minutes, seconds] => {
            two(hours, hours_below) && two(minutes, 60) && two(seconds, 60)
        }
        _ => false,
    }
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
    fn a_date_that_is_replaced_tells_the_order_where_those_that_are_read_do_not() {
        let order = |replaced: &[&str], read: &str| {
            let mut evidence = DateEvidence::default();
            replaced.iter().for_each(|text| evidence.see_replaced(text));
            evidence.see(2, read);
            evidence.decide("t.csv", None).ok()
        };
        let (day, month) = (Some(DateOrder::DayFirst), Some(DateOrder::MonthFirst));
        assert_eq!(order(&["27/04/2018"], "05/04/2018"), day);
        assert_eq!(order(&["04/27/2018"], "05/04/2018"), month);
        assert_eq!(order(&["27/04/2018", "04/27/2018"], "05/04/2018"), None);
        assert_eq!(order(&["06/04/2018", "2018-04-27"], "05/04/2018"), None);
        // What is read tells by itself.
        assert_eq!(order(&["27/04/2018"], "04/27/2018"), month);
    }

    #[test]
    fn a_time_is_a_time_or_nothing() {
        let day = |text| utc_time(text).map(|time| time.day.to_string());
        assert_eq!(day("2019-03-12T21:58:28-07:00").unwrap(), "2019-03-13");
        assert_eq!(day("2019-03-12T01:58:28+07:00").unwrap(), "2019-03-11");
        assert_eq!(day("2019-03-12T23:59:59Z").unwrap(), "2019-03-12");
        for text in [
            "2019-03-12T23:59:60Z",
            "2019-03-12T24:00:00Z",
            "2019-03-12T23:60:00Z",
            "2019-03-12 23:59:59Z",
            "2019-03-12T23-59-59Z",
            "2019-03-12T23:59:59",
            "2019-03-12T23:59:59ZZ",
            "2019-03-12T23:59:59x07:00",
            "2019-03-12T23:59:59+99:00",
            "2019-03-12T23:59:59+07:00:00",
            "2019-03-12T23:59:59+0700",
            "2019-02-30T23:59:59Z",
        ] {
            assert_eq!(day(text), None, "{text}");
        }
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
        assert_eq!(
            day("2018-04-05T23:59:59.25-07:00", DateOrder::Iso),
            some("2018-04-05")
        );
        for text in [
            "05/04/2018 soon",
            "05/04/2018 12:00:60 AM",
            "05/04/2018 13:00:00 PM",
            "05/04/2018 12:00:0",
            "05/04/2018 12:00::",
            "05/04/2018 12:00Z+",
            "05/04/2018 12:00+99:00",
            "05/04/2018 12:00:00:00",
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
