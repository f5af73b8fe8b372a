//! Where a page of a list begins: a place is written into the address of the next page.

use std::fmt;
use std::str::FromStr;

use crate::record::{Day, Index, MethodId, MethodVersion};

/// The place of a survey in the list of its plot, such as `2026-11-27.412`: its day and its entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SurveyPlace(pub Day, pub Index);

/// The place of a version of a method in the list of all, such as `1.3`: the method and the version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct MethodPlace(pub MethodId, pub MethodVersion);

/// Text that is no place of a list.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no place of this list: expected {1}, as the list itself writes it")]
pub(crate) struct PlaceError(String, &'static str);

impl fmt::Display for SurveyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl FromStr for SurveyPlace {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let place = || {
            let (day, index) = text.split_once('.')?;
            Some(Self(day.parse().ok()?, index.parse().ok()?))
        };
        place().ok_or_else(|| PlaceError(text.to_owned(), "DAY.ENTRY"))
    }
}

impl fmt::Display for MethodPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl FromStr for MethodPlace {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let place = || {
            let (id, version) = text.split_once('.')?;
            Some(Self(id.parse().ok()?, version.parse().ok()?))
        };
        place().ok_or_else(|| PlaceError(text.to_owned(), "METHOD.VERSION"))
    }
}

/// Some items of a list, and whether there are more behind them.
pub(crate) struct ListPage<T> {
    pub items: Vec<T>,
    pub more: bool,
}

impl<T> ListPage<T> {
    /// The first items, at most so many.
    pub(crate) fn of(mut items: impl Iterator<Item = T>, most: usize) -> Self {
        let page = items.by_ref().take(most).collect();
        Self {
            items: page,
            more: items.next().is_some(),
        }
    }

    /// The last item, if there are more behind it: the next page begins after it.
    pub(crate) fn next_after(&self) -> Option<&T> {
        self.items.last().filter(|_| self.more)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_written() {
        let survey = SurveyPlace("2026-11-27".parse().unwrap(), Index(412));
        assert_eq!(survey.to_string(), "2026-11-27.412");
        assert_eq!(survey.to_string().parse::<SurveyPlace>().unwrap(), survey);
        let method = MethodPlace(MethodId(1), MethodVersion(3));
        assert_eq!(method.to_string().parse::<MethodPlace>().unwrap(), method);
        for odd in ["", ".", "2026-11-27", "2026-11-27.", "2026-13-27.4", "1.x"] {
            assert!(odd.parse::<SurveyPlace>().is_err(), "{odd}");
            assert!(odd.parse::<MethodPlace>().is_err(), "{odd}");
        }
    }

    #[test]
    fn a_page_knows_whether_there_is_more() {
        let whole = ListPage::of(0..3, 3);
        assert_eq!((whole.items.len(), whole.next_after()), (3, None));
        let part = ListPage::of(0..4, 3);
        assert_eq!((part.items.len(), part.next_after()), (3, Some(&2)));
    }
}
