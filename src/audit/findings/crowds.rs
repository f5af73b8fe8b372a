//! Accounts that are many and act as one: with one history, or with one who takes all their points.

use sha2::{Digest as _, Sha256};

use super::{Cases, Facts, Finding, FindingsError, Severity, many};
use crate::audit::awards::{AwardRow, AwardRows, SentRow};
use crate::audit::gathered::{Gathered, Groups};
use crate::record::{AccountId, Grams, Index, Quantity};

/// A history is compared with others when it has so many awards.
const HISTORY_AWARDS: usize = 5;
/// So many accounts with one history are no chance.
const ALIKE_MIN: usize = 10;
/// An account that collects nearly all points of so many others is asked about.
const EMPTIED_MIN: usize = 20;
/// The percentage of an account's points that is nearly all of them.
const NEARLY_ALL_PERCENT: u128 = 90;
/// Accounts of which a case names the entries.
const NAMED_MAX: usize = 10;
/// One unit of an activity: a bill, a day. Who has the same bill on the same days is not alike.
const ONE_UNIT: Quantity = Quantity(1_000);

/// What is gathered of each account. In memory at most a bounded number of rows, beyond it on disk.
pub(super) struct Crowds {
    alike: Groups,
    emptied: Groups,
}

impl Crowds {
    pub(super) fn new(awards: &AwardRows) -> Self {
        Self {
            alike: Groups::new(awards.scratch(), "alike"),
            emptied: Groups::new(awards.scratch(), "emptied"),
        }
    }

    /// Takes in an account: its awards, and what it sent.
    pub(super) fn add(
        &mut self,
        facts: &Facts<'_>,
        rows: &[AwardRow],
        sent: &[SentRow],
    ) -> Result<(), FindingsError> {
        self.add_history(facts, rows)?;
        self.add_sent(facts, rows, sent)
    }

    fn add_history(&mut self, facts: &Facts<'_>, rows: &[AwardRow]) -> Result<(), FindingsError> {
        let tells = |row: &&AwardRow| {
            let activity = facts.state.activity(row.method, row.version, row.activity);
            activity.is_none_or(|it| ONE_UNIT.points(it.factor) != Some(row.points))
        };
        let mut hasher = Sha256::new();
        let (mut count, mut points) = (0, 0_u64);
        let (mut first, mut last) = (Index(u64::MAX), Index(0));
        for row in rows.iter().filter(tells) {
            hasher.update(row.method.0.to_be_bytes());
            hasher.update(row.activity.0.to_be_bytes());
            hasher.update(row.occurred_on.0.to_be_bytes());
            hasher.update(row.points.0.to_be_bytes());
            count += 1;
            points = points.saturating_add(row.points.0);
            (first, last) = (first.min(row.index), last.max(row.index));
        }
        if count >= HISTORY_AWARDS {
            let key = hasher.finalize().into();
            self.alike.add(Gathered {
                key,
                first,
                last,
                points,
            })?;
        }
        Ok(())
    }

    fn add_sent(
        &mut self,
        facts: &Facts<'_>,
        rows: &[AwardRow],
        sent: &[SentRow],
    ) -> Result<(), FindingsError> {
        let standing = |row: &AwardRow| {
            let Grams(reversed) = facts.state.reversed(row.index);
            u128::from(row.points.0.saturating_sub(reversed))
        };
        let awarded: u128 = rows.iter().map(standing).sum();
        for to_one in sent.chunk_by(|a, b| a.to == b.to) {
            let counts = |row: &&SentRow| facts.state.voided_by(row.index).is_none();
            let counting = to_one.iter().filter(counts);
            let points: u128 = counting.clone().map(|row| u128::from(row.points.0)).sum();
            let (first, last) = (
                counting.clone().map(|row| row.index).min(),
                counting.map(|row| row.index).max(),
            );
            if let (Some(one), Some(first), Some(last)) = (to_one.first(), first, last)
                && points * 100 >= awarded * NEARLY_ALL_PERCENT
                && awarded > 0
            {
                self.emptied.add(Gathered {
                    key: *one.to.as_bytes(),
                    first,
                    last,
                    points: u64::try_from(points).unwrap_or(u64::MAX),
                })?;
            }
        }
        Ok(())
    }

    pub(super) fn findings(self) -> Result<Vec<Finding>, FindingsError> {
        let mut alike = Cases::new(
            "accounts_alike",
            Severity::Medium,
            "Many accounts were awarded the same points for the same activities on the same days, each time: people do \
             not move alike. Ask what stands behind them.",
        );
        let mut collected = Cases::new(
            "points_collected_by_one",
            Severity::Medium,
            "Many accounts gave nearly all that they were ever awarded to one. Ask whose they are.",
        );
        self.alike.each(|group| {
            if group.len() >= ALIKE_MIN {
                let points: u128 = group.iter().map(|row| u128::from(row.points)).sum();
                let detail = format!("{points} points together");
                let subject = format!("{} accounts with one history", group.len());
                alike.add(group.len() as u128, subject, detail, firsts(group));
            }
            Ok::<_, FindingsError>(())
        })?;
        self.emptied.each(|group| {
            if let Some(one) = group.first().filter(|_| group.len() >= EMPTIED_MIN) {
                let points: u128 = group.iter().map(|row| u128::from(row.points)).sum();
                let detail = format!("{points} points of {} accounts", group.len());
                let account = AccountId::from_bytes(one.key);
                collected.add(points, format!("account {account}"), detail, firsts(group));
            }
            Ok::<_, FindingsError>(())
        })?;
        let alike = alike.finding(|count| {
            let histories = many(count, "history is", "histories are");
            format!("{histories} that of {ALIKE_MIN} accounts or more")
        });
        let collected = collected.finding(|count| {
            let accounts = many(count, "account", "accounts");
            format!("{accounts} collected nearly all points of {EMPTIED_MIN} others or more")
        });
        Ok(alike.into_iter().chain(collected).collect())
    }
}

fn firsts(group: &[Gathered]) -> Vec<Index> {
    let mut firsts: Vec<Index> = group.iter().map(|row| row.first).collect();
    firsts.sort_unstable();
    firsts.truncate(NAMED_MAX);
    firsts
}
