//! The question that a file answers. A file that holds may be about something else than what was asked, and one that was
//! cut to its items is a true file about less (`docs/format.md`, 13.4): so who asked says what the file must be about.

use std::fmt;
use std::str::FromStr;

use super::about::About;
use super::state_items::ProvenItem;
use super::{ReceiptError, VerifiedReceipt};
use crate::ledger::items::{Item, domain_named, key_form, key_of};
use crate::ledger::trie::Domain;
use crate::ledger::{ClaimTree, domains};
use crate::record::{AccountId, Index, PlotNumber, RecordId};

/// What a file must be about, written as `arborlog prove` takes it: `certificate/33258`, `account-history/…`,
/// `plot-history/7`, `entry/12` for what corrected an entry, `tree/7/42` and the like for an item of the state,
/// `surveys/7/latest`, `totals`; and `receipt/12` for the receipt of an entry.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Question {
    /// An entry: that it is in the log, and who said it.
    Receipt(Index),
    /// The sums over the ledger.
    Totals,
    /// A certificate with all that it rests on.
    Certificate(Index),
    /// An account's history, or a part of it that says so.
    AccountHistory(AccountId),
    /// A plot's history, or a part of it that says so.
    PlotHistory(PlotNumber),
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

/// Text that is no question.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{text:?} is nothing that a file is about: {what}")]
pub struct QuestionError {
    text: String,
    what: &'static str,
}

impl FromStr for Question {
    type Err = QuestionError;

    fn from_str(text: &str) -> Result<Self, QuestionError> {
        let wrong = |what| QuestionError {
            text: text.to_owned(),
            what,
        };
        let (name, key) = text.split_once('/').unwrap_or((text, ""));
        fn written<T: FromStr + fmt::Display>(key: &str) -> Option<T> {
            let value: T = key.parse().ok()?;
            (value.to_string() == key).then_some(value)
        }
        let index = || written(key).ok_or_else(|| wrong("the key is the index of an entry"));
        let plot = |key| written(key).ok_or_else(|| wrong("the key is a plot's number"));
        let account = || written(key).ok_or_else(|| wrong("the key is 64 hexadecimal digits"));
        match name {
            "receipt" => Ok(Self::Receipt(index()?)),
            "totals" if text == name => Ok(Self::Totals),
            "totals" => Err(wrong("the totals have no key")),
            "certificate" => Ok(Self::Certificate(index()?)),
            "account-history" => Ok(Self::AccountHistory(account()?)),
            "plot-history" => Ok(Self::PlotHistory(plot(key)?)),
            "entry" => Ok(Self::Corrections(index()?)),
            _ => {
                let domain = domain_named(name);
                let (domain, _) = domain.ok_or_else(|| {
                    wrong("it is written as arborlog prove takes it, such as certificate/33258")
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
        match self {
            Self::Receipt(index) => write!(f, "receipt/{index}"),
            Self::Totals => f.write_str("totals"),
            Self::Certificate(index) => write!(f, "certificate/{index}"),
            Self::AccountHistory(id) => write!(f, "account-history/{id}"),
            Self::PlotHistory(number) => write!(f, "plot-history/{number}"),
            Self::Corrections(index) => write!(f, "entry/{index}"),
            Self::LatestSurvey(number) => write!(f, "surveys/{number}/latest"),
            Self::Item(domain, key) => write!(f, "{}/{}", domains::name(*domain), key.text),
        }
    }
}

impl VerifiedReceipt {
    /// The questions that the file answers: one, but of a file with several items and no entries one for each item.
    pub fn answers(&self) -> Vec<String> {
        let one = |question: Question| vec![question.to_string()];
        match self.file.as_ref().map(|file| &file.about) {
            Some(About::Certificate(certificate)) => one(Question::Certificate(certificate.index)),
            Some(About::Account(history)) => one(Question::AccountHistory(history.id)),
            Some(About::Plot(history)) => one(Question::PlotHistory(history.number)),
            Some(About::Corrected(corrected)) => one(Question::Corrections(corrected.index)),
            None if self.entry.stated().is_some() => one(Question::Receipt(self.index)),
            None if self.items.is_empty() => one(Question::Totals),
            None => self.items.iter().map(ProvenItem::question).collect(),
        }
    }

    /// Checks that the file answers the question that was asked.
    ///
    /// # Errors
    /// [`ReceiptError::About`] when it is about something else, or about less.
    pub fn check_about(&self, asked: &Question) -> Result<(), ReceiptError> {
        if self.is_about(asked) {
            return Ok(());
        }
        Err(ReceiptError::About {
            asked: asked.to_string(),
            answers: self.answers().join(", "),
        })
    }

    fn is_about(&self, asked: &Question) -> bool {
        let about = self.file.as_ref().map(|file| &file.about);
        match (asked, about) {
            (Question::Receipt(index), _) => self.index == *index,
            (Question::Totals, _) => self.entry.stated().is_none(),
            (Question::Certificate(index), Some(About::Certificate(found))) => {
                found.index == *index
            }
            (Question::AccountHistory(id), Some(About::Account(found))) => found.id == *id,
            (Question::PlotHistory(number), Some(About::Plot(found))) => found.number == *number,
            (Question::Corrections(index), Some(About::Corrected(found))) => found.index == *index,
            (
                Question::Certificate(_)
                | Question::AccountHistory(_)
                | Question::PlotHistory(_)
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

    /// What a certificate's file has and this one lacks, if it begins as one does: with the claim's item. A file that was
    /// cut to its items holds, and says less.
    pub fn missing_of_certificate(&self) -> Vec<&'static str> {
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
