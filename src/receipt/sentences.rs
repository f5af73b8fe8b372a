//! What a file about the state says, in sentences.

use super::about::{About, Issuer, StateFile};
use super::certificate::{Certificate, CertifiedTree, Standing};
use super::corrected::{Corrected, Corrections};
use super::history::{AccountHistory, PlotHistory, Span};
use crate::ledger::{KeyRole, PlantingState};
use crate::record::Index;

impl StateFile {
    /// What stands, a sentence each.
    pub fn sentences(&self) -> Vec<String> {
        let mut said = match &self.about {
            About::Certificate(certificate) => certificate.sentences(),
            About::Account(history) => history.sentences(),
            About::Plot(history) => history.sentences(),
            About::Corrected(corrected) => vec![corrected.sentence()],
        };
        said.push(format!("the programme is {:?}", self.programme.as_str()));
        said.extend(self.issuers.iter().map(Issuer::sentence));
        said
    }
}

impl Certificate {
    fn sentences(&self) -> Vec<String> {
        let number = self.index;
        let species = self.species.as_str();
        let mut said = vec![format!(
            "certificate {number} is account {}'s, claimed on {} for {} points: a tree of {species}",
            self.claim.account, self.claimed_on, self.claim.points
        )];
        match &self.standing {
            Standing::Waiting => said.push(format!("certificate {number} waits for its tree")),
            Standing::Voided { by, reason } => said.push(format!(
                "certificate {number} was voided by entry {by}: {:?}",
                reason.as_str()
            )),
            Standing::Tree(tree) => said.extend(tree.sentences(number)),
        }
        said
    }
}

impl CertifiedTree {
    fn sentences(&self, certificate: Index) -> Vec<String> {
        let Self {
            number,
            serial,
            assigned_at,
            planting,
            plot,
            survey,
        } = self;
        let statement = &plot.plot;
        let planted = match planting.planted_from == planting.planted_until {
            true => format!("on {}", planting.planted_from),
            false => format!(
                "between {} and {}",
                planting.planted_from, planting.planted_until
            ),
        };
        vec![
            format!(
                "its tree is {number}/{serial}, by the assignment of entry {assigned_at}; no other certificate than {certificate} has that tree"
            ),
            format!(
                "the tree was planted {planted}, by entry {}, with {} others{}",
                planting.index,
                planting.count().saturating_sub(1),
                lost(planting)
            ),
            format!(
                "plot {number} is {:?} in {}, held by {}: {} trees stand, {} are lost, {} have a claim",
                statement.name.as_str(),
                statement.country,
                plot.holder,
                plot.standing(),
                plot.lost(),
                plot.assigned
            ),
            match survey {
                None => format!("plot {number} has no survey that counts"),
                Some(survey) => format!(
                    "the latest survey of plot {number} is of {}, by {}, entry {}: {} alive, {} dead, {} not found{}",
                    survey.survey.surveyed_on,
                    survey.surveyor,
                    survey.stated_at,
                    survey.survey.alive,
                    survey.survey.dead,
                    survey.survey.not_found,
                    match survey.survey.planting {
                        Some(looked_at) if looked_at == planting.index =>
                            ", of this planting alone".to_owned(),
                        Some(looked_at) => format!(", of the planting of entry {looked_at} alone"),
                        None => String::new(),
                    }
                ),
            },
        ]
    }
}

/// What is known of a planting's losses.
fn lost(planting: &PlantingState) -> String {
    match planting.lost() {
        0 => "; none of them is lost".to_owned(),
        lost => format!("; {lost} of these trees are lost"),
    }
}

impl Span {
    fn sentences(&self, of: &str) -> Vec<String> {
        let (Some((first, _)), Some((last, _))) = (self.entries.first(), self.entries.last())
        else {
            return Vec::new();
        };
        let count = self.entries.len();
        let mut said = vec![match self.is_whole() {
            true => {
                format!("this is {of}'s complete history: {count} entries, from {last} to {first}")
            }
            false => {
                format!(
                    "this is a part of {of}'s history, not all of it: {count} entries, from {last} to {first}, and none is left out between"
                )
            }
        }];
        if let Some(newest) = &self.newest {
            said.push(format!(
                "newer entries, up to {newest}, are not in this file"
            ));
        }
        if let Some(older) = &self.older {
            said.push(format!(
                "it is complete back to entry {last}; older entries are not in this file: the next one begins with entry {older}"
            ));
        }
        said
    }
}

impl AccountHistory {
    fn sentences(&self) -> Vec<String> {
        let account = &self.account;
        let mut said = vec![format!(
            "account {} has {} points",
            self.id, account.balance
        )];
        said.extend(self.span.sentences("the account"));
        if self.span.is_whole() {
            said.push("its entries add up to that balance".to_owned());
        }
        let lines = self.span.entries.iter().zip(&self.changes);
        said.extend(
            lines
                .map(|((index, kind), change)| format!("entry {index}, {kind}: {change:+} points")),
        );
        said
    }
}

impl PlotHistory {
    fn sentences(&self) -> Vec<String> {
        let (number, plot) = (self.number, &self.plot);
        let mut said = vec![format!(
            "plot {number} is {:?}, held by {}: {} trees stand, {} are lost, {} have a claim",
            plot.plot.name.as_str(),
            plot.holder,
            plot.standing(),
            plot.lost(),
            plot.assigned
        )];
        said.extend(self.span.sentences("the plot"));
        let lines = self.span.entries.iter();
        said.extend(lines.map(|(index, kind)| format!("entry {index}, {kind}")));
        said
    }
}

impl Corrected {
    fn sentence(&self) -> String {
        let Self { index, kind, by } = self;
        let voided = |by: &Option<Index>| match by {
            Some(by) => format!("the {kind} of entry {index} was voided by entry {by}"),
            None => format!("nothing voided the {kind} of entry {index}"),
        };
        match by {
            Corrections::Reversed(points) if points.0 == 0 => {
                format!("nothing was taken back of the award of entry {index}")
            }
            Corrections::Reversed(points) => {
                format!("{points} points of the award of entry {index} were taken back")
            }
            Corrections::Voided(by) => voided(by),
            Corrections::Planting(by, planting) => format!("{}{}", voided(by), lost(planting)),
            Corrections::Loss(Some(loss), _) => format!(
                "the loss of entry {index} counts: {} trees of plot {}",
                loss.count, loss.plot
            ),
            Corrections::Loss(None, Some(by)) => {
                format!("the loss of entry {index} was voided by entry {by}")
            }
            Corrections::Loss(None, None) => {
                format!("the loss of entry {index} does not count: its planting was voided")
            }
        }
    }
}

impl Issuer {
    fn sentence(&self) -> String {
        let key = &self.key;
        let who = match &key.role {
            KeyRole::Governor => "a governor's key".to_owned(),
            KeyRole::Log => "a key of the log".to_owned(),
            KeyRole::Issuer {
                role,
                holder,
                display_name,
                ..
            } => format!("{} ({holder}), as {role},", display_name.as_str()),
        };
        let entries: Vec<String> = self.entries.iter().map(ToString::to_string).collect();
        let revoked = match (key.revoked_at, key.compromised_since) {
            (None, _) => "the key is not revoked".to_owned(),
            (Some(by), None) => format!("entry {by} revoked the key"),
            (Some(by), Some(since)) => {
                format!("entry {by} revoked the key, and what it signed since {since} is in doubt")
            }
        };
        format!("{who} issued entries {}; {revoked}", entries.join(", "))
    }
}
