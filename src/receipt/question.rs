//! The question that a file answers. A file that holds may be about something else than what was asked, and one that was
//! cut to its items is a true file about less (`docs/format.md`, 13.4): so who asked says what the file must be about.

use std::fmt;
use std::str::FromStr;

use super::about::About;
use super::history::Span;
use super::state_items::ProvenItem;
use super::{ReceiptError, VerifiedReceipt};
use crate::ledger::items::{Item, domain_named, key_form, key_of};
use crate::ledger::trie::Domain;
use crate::ledger::{ClaimTree, domains};
use crate::record::{AccountId, Index, PlotNumber, RecordId};

/// What a file must be about, in the one grammar that every verifier reads (`docs/format.md`, 13.6):
/// `certificate/33258`, `account-history/…`, `plot-history/7`, `plot-history/7/from/90` for the part of a history
/// that begins with an entry, `entry/12` for what corrected an entry, `tree/7/42` and the like for an item of the
/// state, `surveys/7/latest`, `totals`; and `receipt/12` for the receipt of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Question {
    /// An entry: that it is in the log, and who said it.
    Receipt(Index),
    /// The sums over the ledger.
    Totals,
    /// A certificate with all that it rests on.
    Certificate(Index),
    /// An account's history: all of it, or the part that begins with an entry.
    AccountHistory {
        /// The account.
        id: AccountId,
        /// The newest entry of the part; `None` for the whole history.
        from: Option<Index>,
    },
    /// A plot's history: all of it, or the part that begins with an entry.
    PlotHistory {
        /// The plot.
        number: PlotNumber,
        /// The newest entry of the part; `None` for the whole history.
        from: Option<Index>,
    },
    /// What corrected an entry.
    Corrections(Index),
    /// The latest survey of a plot, or that it has none.
    LatestSurvey(PlotNumber),
    /// An item of the state, or that there is none.
    Item(Domain, ItemKey),
}

/// The key of an item of the state, of the ledger that the file is of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ItemKey {
    /// As people write it.
    text: String,
}

impl ItemKey {
    /// The key as people write it.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// Text that is no question.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text:?} is nothing that a file is about: {what}")]
pub struct QuestionError {
    text: String,
    what: &'static str,
}

const INDEX: &str = "the key is the index of an entry";
const PLOT: &str = "the key is a plot's number";
const ACCOUNT: &str = "the key is 64 hexadecimal digits";
const PART: &str = "behind /from/ stands the index of an entry";

/// A number or id in its one writing.
fn written<T: FromStr + fmt::Display>(key: &str) -> Option<T> {
    let value: T = key.parse().ok()?;
    (value.to_string() == key).then_some(value)
}

/// The key of a history, and the entry that its part begins with.
fn part_of(key: &str) -> Option<(&str, Option<Index>)> {
    match key.split_once("/from/") {
        None => Some((key, None)),
        Some((of, from)) => Some((of, Some(written(from)?))),
    }
}

impl FromStr for Question {
    type Err = QuestionError;

    fn from_str(text: &str) -> Result<Self, QuestionError> {
        let wrong = |what| QuestionError {
            text: text.to_owned(),
            what,
        };
        let (name, key) = text.split_once('/').unwrap_or((text, ""));
        let index = || written(key).ok_or_else(|| wrong(INDEX));
        let part = || part_of(key).ok_or_else(|| wrong(PART));
        let plot = |key| written(key).ok_or_else(|| wrong(PLOT));
        match name {
            "receipt" => Ok(Self::Receipt(index()?)),
            "totals" if text == name => Ok(Self::Totals),
            "totals" => Err(wrong("the totals have no key")),
            "certificate" => Ok(Self::Certificate(index()?)),
            "account-history" => {
                let (id, from) = part()?;
                let id = written(id).ok_or_else(|| wrong(ACCOUNT))?;
                Ok(Self::AccountHistory { id, from })
            }
            "plot-history" => {
                let (number, from) = part()?;
                let number = plot(number)?;
                Ok(Self::PlotHistory { number, from })
            }
            "entry" => Ok(Self::Corrections(index()?)),
            _ => {
                let domain = domain_named(name);
                let (domain, _) = domain.ok_or_else(|| {
                    wrong("it is written as docs/format.md, 13.6, says, such as certificate/33258")
                })?;
                if let Some(of) = key.strip_suffix("/latest")
                    && domain == domains::SURVEYS
                {
                    return Ok(Self::LatestSurvey(plot(of)?));
                }
                match key_of(domain, key, &RecordId::NONE) {
                    Some(_) => Ok(Self::Item(
                        domain,
                        ItemKey {
                            text: key.to_owned(),
                        },
                    )),
                    None => Err(wrong(key_form(domain))),
                }
            }
        }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = match self {
            Self::AccountHistory { from, .. } | Self::PlotHistory { from, .. } => *from,
            _ => None,
        };
        match self {
            Self::Receipt(index) => write!(f, "receipt/{index}")?,
            Self::Totals => f.write_str("totals")?,
            Self::Certificate(index) => write!(f, "certificate/{index}")?,
            Self::AccountHistory { id, .. } => write!(f, "account-history/{id}")?,
            Self::PlotHistory { number, .. } => write!(f, "plot-history/{number}")?,
            Self::Corrections(index) => write!(f, "entry/{index}")?,
            Self::LatestSurvey(number) => write!(f, "surveys/{number}/latest")?,
            Self::Item(domain, key) => write!(f, "{}/{}", domains::name(*domain), key.text)?,
        }
        from.map_or(Ok(()), |from| write!(f, "/from/{from}"))
    }
}

impl VerifiedReceipt {
    /// The questions that the file answers: one, but of a file with several items and no entries one for each item.
    pub fn answers(&self) -> Vec<String> {
        let one = |question: Question| vec![question.to_string()];
        match self.file.as_ref().map(|file| &file.about) {
            Some(About::Certificate(certificate)) => one(Question::Certificate(certificate.index)),
            Some(About::Account(history)) => one(Question::AccountHistory {
                id: history.id,
                from: history.span.part_from(),
            }),
            Some(About::Plot(history)) => one(Question::PlotHistory {
                number: history.number,
                from: history.span.part_from(),
            }),
            Some(About::Corrected(corrected)) => one(Question::Corrections(corrected.index)),
            None if self.entry.stated().is_some() => one(Question::Receipt(self.index)),
            None if self.items.is_empty() => one(Question::Totals),
            None => self.items.iter().map(ProvenItem::question).collect(),
        }
    }

    /// Checks that the file answers the question that was asked.
    ///
    /// # Errors
    /// [`ReceiptError::About`] when it is about something else, or about less; [`ReceiptError::Part`] when it is
    /// a part of the history that was asked for.
    pub fn check_about(&self, asked: &Question) -> Result<(), ReceiptError> {
        if !self.is_about(asked) {
            return Err(ReceiptError::About {
                asked: asked.to_string(),
                answers: self.answers().join(", "),
            });
        }
        let asks_whole = match asked {
            Question::AccountHistory { from, .. } | Question::PlotHistory { from, .. } => {
                from.is_none()
            }
            _ => false,
        };
        match self.span().filter(|span| asks_whole && !span.is_whole()) {
            None => Ok(()),
            Some(span) => Err(ReceiptError::Part {
                asked: asked.to_string(),
                is: self.answers().join(", "),
                missing: span.missing().join(", and "),
            }),
        }
    }

    /// From where to where the history is, if the file is about one.
    fn span(&self) -> Option<&Span> {
        match self.file.as_ref().map(|file| &file.about)? {
            About::Account(history) => Some(&history.span),
            About::Plot(history) => Some(&history.span),
            About::Certificate(_) | About::Corrected(_) => None,
        }
    }

    fn is_about(&self, asked: &Question) -> bool {
        let about = self.file.as_ref().map(|file| &file.about);
        match (asked, about) {
            (Question::Receipt(index), _) => self.index == *index,
            (Question::Totals, _) => self.entry.stated().is_none(),
            (Question::Certificate(index), Some(About::Certificate(found))) => {
                found.index == *index
            }
            (Question::AccountHistory { id, from }, Some(About::Account(found))) => {
                found.id == *id && from.is_none_or(|from| found.span.top() == Some(from))
            }
            (Question::PlotHistory { number, from }, Some(About::Plot(found))) => {
                found.number == *number && from.is_none_or(|from| found.span.top() == Some(from))
            }
            (Question::Corrections(index), Some(About::Corrected(found))) => found.index == *index,
            (
                Question::Certificate(_)
                | Question::AccountHistory { .. }
                | Question::PlotHistory { .. }
                | Question::Corrections(_),
                _,
            ) => false,
            (Question::LatestSurvey(_), _) => {
                let asked = asked.to_string();
                self.items.iter().any(|item| item.question() == asked)
            }
            (Question::Item(domain, key), _) => self.items.iter().any(|item| {
                // An account's key names the ledger: that of the file, which a pinned genesis was compared with.
                let genesis = item.key.first_chunk::<32>().copied().unwrap_or_default();
                let key = key_of(*domain, &key.text, &RecordId::from_bytes(genesis));
                item.domain == *domain
                    && item.nothing_up_to.is_none()
                    && key.as_ref() == Some(&item.key)
            }),
        }
    }

    /// What the file lacks of what it is a part of: of a history that goes on in other files; of a certificate's file, if it
    /// begins as one does, with the claim's item. A file that was cut to its items holds, and says less.
    pub fn missing(&self) -> Vec<String> {
        match self.span() {
            Some(span) => span.missing(),
            None => {
                let parts = self.missing_of_certificate().into_iter();
                parts.map(str::to_owned).collect()
            }
        }
    }

    fn missing_of_certificate(&self) -> Vec<&'static str> {
        let Some(ProvenItem {
            domain: domains::CLAIMS,
            found: Some((_, Item::Claim(claim))),
            ..
        }) = self.items.first().filter(|_| self.file.is_none())
        else {
            return Vec::new();
        };
        let has = |domain: Domain| self.items.iter().any(|item| item.domain == domain);
        let mut parts = vec![("the claim as it was stated", false)];
        match claim.tree {
            ClaimTree::Waiting => {}
            ClaimTree::Voided => parts.extend([
                ("by which entry it was voided", has(domains::VOIDED)),
                ("why it was voided", false),
            ]),
            ClaimTree::Tied { .. } => parts.extend([
                (
                    "that no other certificate has its tree",
                    has(domains::TREES),
                ),
                ("the tree's planting", has(domains::PLANTINGS)),
                ("the plot", has(domains::PLOTS)),
                ("the plot's latest survey", has(domains::SURVEYS)),
                (
                    "that assignment, planting, plot and survey were stated so, and that nothing corrected them",
                    false,
                ),
            ]),
        }
        parts.push(("whether the issuers' keys are revoked", has(domains::KEYS)));
        parts
            .into_iter()
            .filter(|(_, there)| !there)
            .map(|(part, _)| part)
            .collect()
    }
}
