//! Text and lists with limits that hold from the moment they exist.

use std::fmt;
use std::str::FromStr;

use bincode::de::{BorrowDecoder, Decoder};
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::note::{KeyName, misleads};

/// Why a text or list does not fit its field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// Too long for the field.
    #[error("the text has {found} bytes, but at most {max} fit")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// Bytes that fit.
        max: usize,
    },
    /// It has a character that could mislead a reader.
    #[error(
        "the text has a control character, or one that can't be seen or reorders what is seen (U+{0:04X})"
    )]
    Character(u32),
    /// The text is no slug.
    #[error(
        "{0:?} is no slug: 1 to 64 of a-z, 0-9 and -, beginning and ending with a letter or digit"
    )]
    Slug(String),
    /// The text is no address.
    #[error("{0:?} is no address: expected none, or one that begins with https:// or http://")]
    WebAddress(String),
    /// The text is no country's code.
    #[error("{0:?} is no country's code: two letters A to Z are expected (ISO 3166-1)")]
    Country(String),
    /// A list has a point twice in a row, or ends with its first one.
    #[error("point {0} of the outline is also the one behind it (the first is behind the last)")]
    PointRepeated(usize),
    /// A list whose items ascend has some that do not.
    #[error("the names are not in strictly ascending order")]
    NotAscending,
    /// The text is no origin.
    #[error(transparent)]
    Origin(#[from] crate::note::NameError),
    /// A list with more or fewer items than its field holds.
    #[error("the list has {found} items, but {min} to {max} belong there")]
    Items {
        /// Items found.
        found: usize,
        /// The fewest items that belong there.
        min: usize,
        /// The most items that belong there.
        max: usize,
    },
}

impl From<TextError> for DecodeError {
    fn from(error: TextError) -> Self {
        Self::OtherString(error.to_string())
    }
}

/// UTF-8 text of at most `MAX` bytes, without control characters and those that can't be seen.
#[derive(Clone, PartialEq, Eq, Hash, Encode, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Default for Text<MAX> {
    fn default() -> Self {
        Self(String::new())
    }
}

impl<const MAX: usize> Text<MAX> {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const MAX: usize> TryFrom<String> for Text<MAX> {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.len() > MAX {
            return Err(TextError::TooLong {
                found: text.len(),
                max: MAX,
            });
        }
        match text.chars().find(|c| misleads(*c)) {
            Some(c) => Err(TextError::Character(c.into())),
            None => Ok(Self(text)),
        }
    }
}

impl<const MAX: usize> FromStr for Text<MAX> {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl<Context, const MAX: usize> Decode<Context> for Text<MAX> {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(String::decode(decoder)?.try_into()?)
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where something can be read on the web: empty, or text of at most 300 bytes that begins with
/// `https://` or `http://`. Whether anything is there, nobody checks.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Encode, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct WebAddress(Text<300>);

impl WebAddress {
    /// The address; empty if there is none.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl TryFrom<String> for WebAddress {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_address = text.starts_with("https://") || text.starts_with("http://");
        if text.is_empty() || is_address {
            Ok(Self(text.try_into()?))
        } else {
            Err(TextError::WebAddress(text.chars().take(80).collect()))
        }
    }
}

impl FromStr for WebAddress {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl<Context> Decode<Context> for WebAddress {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(String::decode(decoder)?.try_into()?)
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A short lower-case name: 1 to 64 of `a-z`, `0-9` and `-`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Slug(String);

impl Slug {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Slug {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        let ends =
            bytes.first().copied().is_some_and(plain) && bytes.last().copied().is_some_and(plain);
        if ends && bytes.len() <= 64 && bytes.iter().all(|b| plain(*b) || *b == b'-') {
            Ok(Self(text))
        } else {
            Err(TextError::Slug(text.chars().take(80).collect()))
        }
    }
}

impl FromStr for Slug {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl<Context> Decode<Context> for Slug {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(String::decode(decoder)?.try_into()?)
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a log, as the first line of its checkpoints.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(KeyName);

impl Origin {
    /// The name as notes use it.
    pub fn name(&self) -> &KeyName {
        &self.0
    }
}

/// A key's name and a log's are held to the same.
impl From<KeyName> for Origin {
    fn from(name: KeyName) -> Self {
        Self(name)
    }
}

impl TryFrom<String> for Origin {
    type Error = TextError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Ok(Self(text.parse()?))
    }
}

impl FromStr for Origin {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.to_owned().try_into()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0.as_str().to_owned()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Encode for Origin {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.as_str().encode(encoder)
    }
}

impl<Context> Decode<Context> for Origin {
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        Ok(String::decode(decoder)?.try_into()?)
    }
}

/// A list of `MIN` to `MAX` items.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Serialize, Deserialize)]
#[serde(try_from = "Vec<T>")]
pub struct List<T, const MIN: usize, const MAX: usize>(Vec<T>);

impl<T, const MIN: usize, const MAX: usize> TryFrom<Vec<T>> for List<T, MIN, MAX> {
    type Error = TextError;

    fn try_from(items: Vec<T>) -> Result<Self, Self::Error> {
        if (MIN..=MAX).contains(&items.len()) {
            Ok(Self(items))
        } else {
            Err(TextError::Items {
                found: items.len(),
                min: MIN,
                max: MAX,
            })
        }
    }
}

impl<Context, T: Decode<Context> + 'static, const MIN: usize, const MAX: usize> Decode<Context>
    for List<T, MIN, MAX>
{
    fn decode<D: Decoder<Context = Context>>(decoder: &mut D) -> Result<Self, DecodeError> {
        // Item by item: the codec's own vectors count an item's size in memory against the limit,
        // which is no property of the bytes.
        let found = u64::decode(decoder)?;
        if found > MAX as u64 {
            let found = usize::try_from(found).unwrap_or(usize::MAX);
            return Err(TextError::Items {
                found,
                min: MIN,
                max: MAX,
            }
            .into());
        }
        let items = (0..found)
            .map(|_| T::decode(decoder))
            .collect::<Result<Vec<T>, _>>()?;
        Ok(items.try_into()?)
    }
}

impl<T, const MIN: usize, const MAX: usize> std::ops::Deref for List<T, MIN, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

// The derives ask for borrowing decoders too; nothing here borrows.

impl<'de, Context, const MAX: usize> BorrowDecode<'de, Context> for Text<MAX> {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

impl<'de, Context> BorrowDecode<'de, Context> for Slug {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

impl<'de, Context> BorrowDecode<'de, Context> for WebAddress {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

impl<'de, Context> BorrowDecode<'de, Context> for Origin {
    fn borrow_decode<D: BorrowDecoder<'de, Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}

impl<'de, Context, T: Decode<Context> + 'static, const MIN: usize, const MAX: usize>
    BorrowDecode<'de, Context> for List<T, MIN, MAX>
{
    fn borrow_decode<D: BorrowDecoder<'de, Context = Context>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        Self::decode(decoder)
    }
}
