//! The numbers and names that statements are made of, each with its unit in its type.

use std::fmt;
use std::str::FromStr;

use bincode::de::Decoder;
use bincode::error::DecodeError;
use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// Text that is no number of its kind.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text:?} is no whole number from 0 to {most}")]
pub struct NumberError {
    text: String,
    most: u64,
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($int:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Encode, Decode,
            Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $int);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NumberError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self).map_err(|_| NumberError {
                    text: text.to_owned(),
                    most: <$int>::MAX.into(),
                })
            }
        }
    };
}

number! {
    /// Points: whole grams of CO2e under the programme's own method.
    Grams(u64)
}
number! {
    /// Micrograms of CO2e for one unit of an activity: an emission factor.
    Micrograms(u64)
}
number! {
    /// An amount of an activity, in thousandths of its unit.
    Quantity(u64)
}
number! {
    /// Position of an entry in the log, from 0.
    Index(u64)
}
number! {
    /// Position of a record in its issuer's chain, from 0.
    Seq(u64)
}
number! {
    /// A time in milliseconds since 1970-01-01 UTC.
    TimeMs(u64)
}
number! {
    /// The number of a method; its versions share it.
    MethodId(u32)
}
number! {
    /// A method's version: 1, 2, 3 and so on, without gaps.
    MethodVersion(u32)
}
number! {
    /// The code of an activity within a method's version.
    ActivityCode(u16)
}
number! {
    /// The code of a species: one list for the whole ledger.
    SpeciesCode(u16)
}
number! {
    /// The number of a plot.
    PlotNumber(u32)
}
number! {
    /// The number of a tree on its plot: an entry in the books, not a tag on a sapling.
    Serial(u32)
}

/// Quantities are thousandths and factors micrograms, so a gram is this many of their product.
const QUANTITY_TIMES_FACTOR_PER_GRAM: u128 = 1_000_000_000;

impl Quantity {
    /// The points of an award: ⌊quantity × factor ÷ 10⁹⌋ (`docs/format.md`, rule 3); `None` if that is
    /// more than any award.
    pub fn points(self, factor: Micrograms) -> Option<Grams> {
        let product = u128::from(self.0) * u128::from(factor.0);
        u64::try_from(product / QUANTITY_TIMES_FACTOR_PER_GRAM)
            .ok()
            .map(Grams)
    }
}

macro_rules! id32 {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes the 32 bytes.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = TextId32Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let mut bytes = [0; 32];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| TextId32Error)?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(super) use id32;

/// Text that should be 32 bytes in hexadecimal and is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits")]
pub struct TextId32Error;

id32! {
    /// An account's pseudonym: an HMAC that only the platform can link to a person.
    AccountId
}
id32! {
    /// The digest of evidence or of a document.
    Digest
}

/// A day, as days since 1970-01-01 UTC; written `2026-11-23`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode)]
pub struct Day(pub u32);

/// 9999-12-31: the last day that can be written with four digits of the year.
const DAY_LAST: u32 = 2_932_896;

impl<Context> Decode<Context> for Day {
    fn decode<D: Decoder<Context = Context>>(from: &mut D) -> Result<Self, DecodeError> {
        match u32::decode(from)? {
            days if days <= DAY_LAST => Ok(Self(days)),
            days => Err(DecodeError::OtherString(format!(
                "day {days} is after the year 9999"
            ))),
        }
    }
}

bincode::impl_borrow_decode!(Day);

const DAY_MS: u64 = 86_400_000;

impl TimeMs {
    /// The time as people read it, to the second.
    ///
    /// ```
    /// # use arborlog::record::TimeMs;
    /// assert_eq!(TimeMs(86_399_999).to_utc(), "1970-01-01 23:59:59 UTC");
    /// ```
    pub fn to_utc(self) -> String {
        let seconds = self.0 / 1000 % 86_400;
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!("{} {hour:02}:{minute:02}:{second:02} UTC", Day::of(self))
    }
}

impl Day {
    /// The day that a time falls on; of all times after the last `Day`, that one.
    pub fn of(time: TimeMs) -> Self {
        u32::try_from(time.0 / DAY_MS).map_or(Self(u32::MAX), Self)
    }

    /// The day this many days before; the first one, 1970-01-01, if that would lie before it.
    pub fn earlier(self, days: u32) -> Self {
        Self(self.0.saturating_sub(days))
    }

    /// The day this many days after; the last `Day`, if that would lie after it.
    pub fn later(self, days: u32) -> Self {
        Self(self.0.saturating_add(days))
    }

    /// The day of this year, month (1 to 12) and day of the month, of the Gregorian calendar.
    /// `None` if there is no such day or it lies before 1970.
    pub fn from_ymd(year: i64, month: u32, day: u32) -> Option<Self> {
        // Days from civil, after Howard Hinnant: years begin in March, eras are 400 years.
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(1970..=9999).contains(&year)
        {
            return None;
        }
        let y = if month <= 2 { year - 1 } else { year };
        let (era, of_era) = (y.div_euclid(400), y.rem_euclid(400));
        let shifted = i64::from((month + 9) % 12);
        let of_year = (153 * shifted + 2) / 5 + i64::from(day) - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        let found = Self(u32::try_from(days).ok()?);
        (found.ymd() == (year, month, day)).then_some(found)
    }

    /// Year, month and day of the month.
    pub fn ymd(self) -> (i64, u32, u32) {
        let (year, month, day) = self.civil();
        (year.into(), month, day)
    }

    /// As [`Self::ymd`]. Civil from days, after Howard Hinnant, where nothing overflows: an era is 400
    /// years from March on, and 1970-01-01 is day 135,080 of era 4.
    fn civil(self) -> (u32, u32, u32) {
        const DAYS_PER_ERA: u32 = 146_097;
        let days = self.0 % DAYS_PER_ERA + 135_080;
        let era = self.0 / DAYS_PER_ERA + 4 + days / DAYS_PER_ERA;
        let of_era = days % DAYS_PER_ERA;
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 {
            shifted + 3
        } else {
            shifted - 9
        };
        (year_of_era + era * 400 + u32::from(month <= 2), month, day)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.ymd();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Day({self})")
    }
}

/// Text that is no day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no day: expected YYYY-MM-DD from 1970 on")]
pub struct DayError(String);

impl FromStr for Day {
    type Err = DayError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, '-');
        let mut part = || parts.next().and_then(|digits| digits.parse::<u32>().ok());
        part()
            .zip(part())
            .zip(part())
            .and_then(|((year, month), day)| Self::from_ymd(year.into(), month, day))
            .filter(|day| day.to_string() == text)
            .ok_or_else(|| DayError(text.chars().take(40).collect()))
    }
}

impl Serialize for Day {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! degrees {
    ($(#[$doc:meta])* $name:ident, $limit:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Serialize, Deserialize)]
        #[serde(try_from = "i32", into = "i32")]
        pub struct $name(i32);

        impl $name {
            /// In ten-millionths of a degree.
            pub fn e7(self) -> i32 {
                self.0
            }

            /// From ten-millionths of a degree; the nearest there is of others.
            pub(super) fn nearest(e7: i64) -> Self {
                #[expect(clippy::cast_possible_truncation, reason = "the limit is less than 2^31")]
                let within = e7.clamp(-$limit, $limit) as i32;
                Self(within)
            }

            /// In degrees.
            pub fn degrees(self) -> f64 {
                f64::from(self.0) / 1e7
            }
        }

        impl TryFrom<i32> for $name {
            type Error = String;

            fn try_from(e7: i32) -> Result<Self, Self::Error> {
                if (-$limit..=$limit).contains(&e7) {
                    Ok(Self(e7))
                } else {
                    Err(format!("{e7} lies outside of ±{} ten-millionths of a degree", $limit))
                }
            }
        }

        impl From<$name> for i32 {
            fn from(degrees: $name) -> Self {
                degrees.0
            }
        }

        impl<Context> Decode<Context> for $name {
            fn decode<D: Decoder<Context = Context>>(from: &mut D) -> Result<Self, DecodeError> {
                i32::decode(from)?.try_into().map_err(DecodeError::OtherString)
            }
        }

        bincode::impl_borrow_decode!($name);
    };
}

degrees! {
    /// Degrees north, in ten-millionths: within ±90°.
    Latitude, 900_000_000
}
degrees! {
    /// Degrees east, in ten-millionths: within ±180°.
    Longitude, 1_800_000_000
}

/// A month of a year: 12 × year + month − 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Encode, Decode)]
pub struct Month(pub u32);

impl Month {
    /// The month that a day is in.
    pub fn of(day: Day) -> Self {
        let (year, month, _) = day.civil();
        Self(year * 12 + month - 1)
    }

    /// Year, and month from 1 to 12.
    pub fn parts(self) -> (u32, u32) {
        (self.0 / 12, self.0 % 12 + 1)
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (year, month) = self.parts();
        write!(f, "{year:04}-{month:02}")
    }
}
