//! Rule 8: reversals, losses and voids. `docs/format.md` tables what each does to each total.

use super::authority::KeyRole;
use super::refusal::{Code, Refusal, ensure};
use super::state::{Proposal, State};
use super::trees::{ClaimTree, LossState, LostRange, TreeState, pairs};
use crate::record::{
    Award, Claim, Correction, Entry, Grams, Index, Kind, Planting, PlotNumber, Record, Remedy,
    Role, Serial, Statement, Survey,
};

impl State {
    /// Points of an award that were reversed so far.
    pub fn reversed(&self, award: Index) -> Grams {
        self.reversed.get(&award).copied().unwrap_or_default()
    }

    /// A loss that still counts: it was not voided, nor the planting that it speaks of.
    pub fn loss(&self, correction: Index) -> Option<&LossState> {
        self.losses.get(&correction)
    }

    /// All losses that still count, by their corrections.
    pub fn losses(&self) -> impl Iterator<Item = &(Index, LossState)> {
        self.losses.iter()
    }

    /// The correction that voided an entry.
    pub fn voided_by(&self, target: Index) -> Option<Index> {
        self.voided.get(&target).copied()
    }

    pub(super) fn judge_correction(
        &self,
        proposal: &Proposal<'_>,
        correction: &Correction,
    ) -> Result<Vec<Option<Index>>, Refusal> {
        let unknown = || {
            Refusal::new(
                Code::TargetUnknown,
                format!("there is no entry {}", correction.target),
                "name the entry that is put right",
            )
        };
        ensure(correction.target.0 < self.head.entries, unknown)?;
        let target = proposal.target.ok_or_else(unknown)?.signed.record();
        self.judge_corrector(proposal, correction, target)?;
        if let Remedy::Lost { lost_on, .. } = &correction.remedy {
            self.judge_day(proposal, "lost_on", *lost_on)?;
        }
        let subject = match (&correction.remedy, &target.statement) {
            (Remedy::Reverse { points }, Statement::Award(award)) => {
                self.judge_reversal(correction.target, award, *points)?
            }
            (
                Remedy::Lost {
                    count,
                    first_serial,
                    ..
                },
                Statement::Planting(planting),
            ) => self.judge_loss(planting, count.get(), *first_serial)?,
            (Remedy::Void, statement) => self.judge_void(correction.target, statement)?,
            (Remedy::Reverse { .. } | Remedy::Lost { .. }, other) => {
                return Err(target_refused(&correction.remedy, other.kind()));
            }
        };
        let mut lineage = vec![Some(correction.target)];
        lineage.extend(subject);
        Ok(lineage)
    }

    /// A key of the target's holder and role; a loss also any surveyor; any by k governors.
    fn judge_corrector(
        &self,
        proposal: &Proposal<'_>,
        correction: &Correction,
        target: &Record,
    ) -> Result<(), Refusal> {
        let role_of = |key| self.keys.get(key).map(|key| &key.role);
        match role_of(&proposal.record().issuer) {
            Some(KeyRole::Governor) => self.judge_quorum(proposal, &[]),
            Some(KeyRole::Issuer { role, holder, .. }) => {
                self.judge_role(proposal, *role)?;
                let lost = matches!(correction.remedy, Remedy::Lost { .. });
                let same = matches!(
                    role_of(&target.issuer),
                    Some(KeyRole::Issuer { role: r, holder: h, .. }) if r == role && h == holder
                );
                ensure(same || (lost && *role == Role::Surveyor), || {
                    Refusal::new(
                        Code::HolderRefused,
                        format!(
                            "entry {} was not said by {holder} as {role}",
                            correction.target
                        ),
                        "a key of the same holder and role corrects it, or k governors do",
                    )
                })
            }
            Some(KeyRole::Log) | None => Err(Refusal::new(
                Code::RoleRefused,
                "this key corrects nothing",
                "a key of the same holder and role corrects it, or k governors do",
            )),
        }
    }

    fn judge_reversal(
        &self,
        target: Index,
        award: &Award,
        points: Grams,
    ) -> Result<Vec<Option<Index>>, Refusal> {
        let before = self.reversed.get(&target).copied().unwrap_or_default();
        let left = award.points.0.saturating_sub(before.0);
        ensure(points.0 > 0, || {
            Refusal::new(Code::PointsZero, "0 points", "reverse one at least")
        })?;
        ensure(points.0 <= left, || {
            Refusal::new(
                Code::ReversalExcess,
                format!(
                    "{points} points of {} awarded, {before} reversed before",
                    award.points
                ),
                format!("at most {left} are left to reverse"),
            )
        })?;
        Ok(vec![self.judge_debit(&award.account, points)?])
    }

    fn judge_loss(
        &self,
        planting: &Planting,
        count: u32,
        first: Option<Serial>,
    ) -> Result<Vec<Option<Index>>, Refusal> {
        let place = (planting.plot, planting.first_serial);
        let Some(state) = self.plantings.get(&place).filter(|state| !state.voided) else {
            return Err(voided("the planting was voided"));
        };
        let standing = planting.count.get().saturating_sub(state.lost);
        let excess = |detail: String| {
            Refusal::new(
                Code::LossExcess,
                detail,
                format!(
                    "{standing} trees of this planting stand, with serials {} to {}",
                    planting.first_serial, state.last
                ),
            )
        };
        ensure(count <= standing, || excess(format!("{count} trees lost")))?;
        if let Some(first) = first {
            let range = lost_range(first, count, Index(0))
                .filter(|range| first >= planting.first_serial && range.last <= state.last);
            let Some(range) = range else {
                return Err(excess(format!("{count} trees from serial {first} on")));
            };
            let met = |other: &&LostRange| other.first <= range.last && range.first <= other.last;
            if let Some(other) = state.lost_ranges.iter().find(met) {
                return Err(Refusal::new(
                    Code::TreeLost,
                    format!(
                        "serials {} to {} are lost since entry {}",
                        other.first, other.last, other.lost_at
                    ),
                    "a tree is lost once",
                ));
            }
        }
        Ok(vec![self.last_of_plot(planting.plot)])
    }

    fn judge_void(
        &self,
        target: Index,
        statement: &Statement,
    ) -> Result<Vec<Option<Index>>, Refusal> {
        if let Some(by) = self.voided.get(&target) {
            return Err(voided(&format!("entry {target} was voided by entry {by}")));
        }
        Ok(match statement {
            Statement::Transfer(transfer) => {
                let from = self.judge_receipt(&transfer.from, transfer.points)?;
                let to = match &transfer.to {
                    Some(to) => self.judge_debit(to, transfer.points)?,
                    None => None,
                };
                vec![from, to]
            }
            Statement::Claim(claim) => vec![self.judge_receipt(&claim.account, claim.points)?],
            Statement::Survey(survey) => vec![self.last_of_plot(survey.plot)],
            Statement::Assignment(assignment) => vec![self.last_of_plot(assignment.plot)],
            Statement::Planting(planting) => {
                let place = (planting.plot, planting.first_serial);
                let assigned = self.plantings.get(&place).map_or(0, |state| state.assigned);
                ensure(assigned == 0, || {
                    Refusal::new(
                        Code::VoidBlocked,
                        format!("{assigned} trees of the planting are assigned"),
                        "void their assignments first",
                    )
                })?;
                vec![self.last_of_plot(planting.plot)]
            }
            Statement::Correction(Correction {
                remedy: Remedy::Lost { .. },
                ..
            }) => {
                let Some(loss) = self.losses.get(&target) else {
                    return Err(voided("the planting that it speaks of was voided"));
                };
                if let Some(plot) = self.plots.get(&loss.plot) {
                    let standing = plot.standing().saturating_add(loss.count.into());
                    self.judge_capacity(&plot.plot, standing)?;
                }
                vec![self.last_of_plot(loss.plot)]
            }
            other => return Err(target_refused(&Remedy::Void, other.kind())),
        })
    }

    fn last_of_plot(&self, number: PlotNumber) -> Option<Index> {
        self.plots.get(&number).map(|plot| plot.last)
    }

    pub(super) fn apply_correction(
        &mut self,
        proposal: &Proposal<'_>,
        index: Index,
        correction: &Correction,
    ) {
        let Some(target) = proposal.target.map(|entry: &Entry| entry.signed.record()) else {
            return;
        };
        match (&correction.remedy, &target.statement) {
            (Remedy::Reverse { points }, Statement::Award(award)) => {
                self.reversed
                    .upsert(correction.target, |sum| sum.0 += points.0);
                self.change_balance(index, award.account, -i128::from(points.0));
                self.head.totals.reversed += u128::from(points.0);
            }
            (
                Remedy::Lost {
                    count,
                    first_serial,
                    ..
                },
                Statement::Planting(planting),
            ) => {
                self.apply_loss(index, planting, count.get(), *first_serial);
            }
            (Remedy::Void, statement) => {
                self.voided.insert(correction.target, index);
                self.apply_void(index, correction.target, statement);
            }
            (Remedy::Reverse { .. } | Remedy::Lost { .. }, _) => {}
        }
    }

    fn apply_loss(&mut self, index: Index, planting: &Planting, count: u32, first: Option<Serial>) {
        let plot = planting.plot;
        let range = first.and_then(|first| lost_range(first, count, index));
        let mut displaced = Vec::new();
        if let Some(range) = range {
            let tied: Vec<Serial> = self
                .trees
                .range((plot, range.first)..=(plot, range.last))
                .map(|((_, serial), _)| *serial)
                .collect();
            for serial in tied {
                displaced.extend(self.untie(plot, serial).map(|tree| (serial, tree)));
            }
        }
        self.plantings
            .update(&(plot, planting.first_serial), |state| {
                state.lost += count;
                state.lost_ranges.extend(range);
            });
        let loss = LossState {
            plot,
            planting: planting.first_serial,
            count,
            by_serial: range.is_some(),
            displaced,
        };
        self.losses.insert(index, loss);
        self.count_lost(index, plot, i64::from(count));
    }

    fn count_lost(&mut self, index: Index, plot: PlotNumber, change: i64) {
        self.plots.update(&plot, |plot| {
            plot.last = index;
            plot.lost = plot.lost.saturating_add_signed(change);
        });
        let totals = &mut self.head.totals;
        totals.lost = totals.lost.saturating_add_signed(change);
        totals.standing = totals.standing.saturating_add_signed(-change);
    }

    fn apply_void(&mut self, index: Index, target: Index, statement: &Statement) {
        match statement {
            Statement::Transfer(transfer) => self.move_points(index, transfer, -1),
            Statement::Claim(claim) => self.void_claim(index, target, claim),
            Statement::Survey(survey) => self.void_survey(index, target, survey),
            Statement::Planting(planting) => self.void_planting(index, planting),
            Statement::Assignment(assignment) => {
                for (_, serial) in pairs(assignment) {
                    let Some(serial) = serial else { continue };
                    let tied = self.trees.get(&(assignment.plot, serial));
                    if tied.is_some_and(|tree| tree.assigned_at == target) {
                        self.untie(assignment.plot, serial);
                    }
                }
                self.plots
                    .update(&assignment.plot, |plot| plot.last = index);
            }
            Statement::Correction(_) => self.void_loss(index, target),
            _ => {}
        }
    }

    fn void_claim(&mut self, index: Index, target: Index, claim: &Claim) {
        let tree = self.claims.get(&target).map(|claim| claim.tree);
        if let Some(ClaimTree::Tied { plot, serial }) = tree {
            self.untie(plot, serial);
        }
        self.claims
            .update(&target, |claim| claim.tree = ClaimTree::Voided);
        self.change_balance(index, claim.account, claim.points.0.into());
        let totals = &mut self.head.totals;
        totals.claimed = totals.claimed.saturating_sub(claim.points.0.into());
        totals.claims = totals.claims.saturating_sub(1);
        totals.waiting = totals.waiting.saturating_sub(1);
    }

    fn void_survey(&mut self, index: Index, target: Index, survey: &Survey) {
        self.surveys
            .remove(&(survey.plot, survey.surveyed_on, target));
        self.plots.update(&survey.plot, |plot| plot.last = index);
    }

    /// Its trees were never planted, so those lost of it were never lost either.
    fn void_planting(&mut self, index: Index, planting: &Planting) {
        let (plot, first) = (planting.plot, planting.first_serial);
        let count = u64::from(planting.count.get());
        let lost = self
            .plantings
            .update(&(plot, first), |state| {
                state.voided = true;
                state.lost_ranges.clear();
                u64::from(std::mem::take(&mut state.lost))
            })
            .unwrap_or(0);
        if lost > 0 {
            let gone: Vec<Index> = self
                .losses
                .iter()
                .filter(|(_, loss)| loss.plot == plot && loss.planting == first)
                .map(|(index, _)| *index)
                .collect();
            for loss in gone {
                self.losses.remove(&loss);
            }
        }
        self.plots.update(&plot, |plot| {
            plot.last = index;
            plot.planted = plot.planted.saturating_sub(count);
            plot.lost = plot.lost.saturating_sub(lost);
        });
        let totals = &mut self.head.totals;
        totals.planted_voided += count;
        totals.lost = totals.lost.saturating_sub(lost);
        totals.standing = totals.standing.saturating_sub(count - lost);
    }

    /// The trees stand again; claims that they were taken from get them back if they still wait
    /// and their assignment was not voided.
    fn void_loss(&mut self, index: Index, target: Index) {
        let Some(loss) = self.losses.remove(&target) else {
            return;
        };
        self.plantings.update(&(loss.plot, loss.planting), |state| {
            state.lost = state.lost.saturating_sub(loss.count);
            state.lost_ranges.retain(|range| range.lost_at != target);
        });
        self.count_lost(index, loss.plot, -i64::from(loss.count));
        for (serial, tree) in loss.displaced {
            if self.may_return(&tree) {
                self.tie(loss.plot, serial, tree);
            }
        }
    }

    fn may_return(&self, tree: &TreeState) -> bool {
        let waits = self
            .claims
            .get(&tree.claim)
            .is_some_and(|claim| claim.tree == ClaimTree::Waiting);
        waits && !self.voided.contains(&tree.assigned_at)
    }
}

fn lost_range(first: Serial, count: u32, lost_at: Index) -> Option<LostRange> {
    let last = first.0.checked_add(count.checked_sub(1)?).map(Serial)?;
    Some(LostRange {
        first,
        last,
        lost_at,
    })
}

fn target_refused(remedy: &Remedy, kind: Kind) -> Refusal {
    let (what, of) = match remedy {
        Remedy::Reverse { .. } => ("reversed", "awards"),
        Remedy::Lost { .. } => ("lost", "plantings"),
        Remedy::Void => (
            "voided",
            "transfers, plantings, surveys, claims, assignments and losses",
        ),
    };
    Refusal::new(
        Code::TargetRefused,
        format!("the target is a {kind}"),
        format!("only {of} can be {what}"),
    )
}

fn voided(detail: &str) -> Refusal {
    Refusal::new(
        Code::TargetVoided,
        detail,
        "what was voided is not corrected again",
    )
}
