//! Which accounts claim which trees: what a platform decides, here by a plain rule.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use super::serials::{self, SerialsExhausted};
use crate::record::{
    AccountId, Assignment, CLAIMS_PER_ASSIGNMENT_MAX, Claim, Day, Grams, Index, List, Method,
    Planting, PlotNumber, Serial, Statement, TextError,
};

/// Every twentieth claim is left waiting for a tree, as some always are.
const WAITING_EVERY: usize = 20;

/// Claims, and the trees that are meant for them.
#[derive(Default)]
pub struct ClaimPlan {
    /// The claims, as statements.
    pub claims: Vec<Statement>,
    /// Which claims get which trees.
    pub assignments: Vec<PlannedAssignment>,
}

/// Trees of a plot, and the claims that get one each.
pub struct PlannedAssignment {
    /// The plot.
    pub plot: PlotNumber,
    /// The serial of the first claim's tree; the others' follow without a gap.
    pub first_serial: Serial,
    /// The claims, by position in [`ClaimPlan::claims`].
    pub claims: Vec<usize>,
}

/// Why assignments can't be made of a plan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimPlanError {
    /// More trees than a plot has serials.
    #[error(transparent)]
    Serials(#[from] SerialsExhausted),
    /// Claims that do not fit into an assignment.
    #[error("the claims of an assignment: {0}")]
    Claims(#[from] TextError),
}

/// Lets accounts take turns in claiming a tree each, of the plantings given, while they can pay.
pub fn plan_claims(
    balances: &BTreeMap<AccountId, u64>,
    plantings: &[Planting],
    method: &Method,
    today: Day,
) -> ClaimPlan {
    let mut plan = ClaimPlan::default();
    if method.effective_from > today {
        return plan;
    }
    let mut payers = Payers::new(balances);
    for planting in plantings {
        let Some(price) = price_of(method, planting) else {
            continue;
        };
        let mut claims = Vec::new();
        for _ in 0..planting.count.get() {
            let Some(account) = payers.next(price) else {
                break;
            };
            let position = plan.claims.len();
            plan.claims.push(Statement::Claim(Claim {
                account,
                method: method.id,
                version: method.version,
                species: planting.species,
                points: price,
            }));
            if position % WAITING_EVERY == WAITING_EVERY - 1 {
                break;
            }
            claims.push(position);
        }
        if !claims.is_empty() {
            plan.assignments.push(PlannedAssignment {
                plot: planting.plot,
                first_serial: planting.first_serial,
                claims,
            });
        }
    }
    plan
}

impl ClaimPlan {
    /// The assignments as statements, once the claims' entries are known. A claim that was not
    /// admitted gets no tree, and the trees after it move up.
    ///
    /// # Errors
    /// [`ClaimPlanError`].
    pub fn assignments(
        &self,
        index_of: impl Fn(usize) -> Option<Index>,
    ) -> Result<Vec<Statement>, ClaimPlanError> {
        let mut statements = Vec::new();
        for planned in &self.assignments {
            let admitted = planned.claims.iter().filter_map(|claim| index_of(*claim));
            let admitted: Vec<Index> = admitted.collect();
            let mut first_serial = planned.first_serial;
            for claims in admitted.chunks(CLAIMS_PER_ASSIGNMENT_MAX) {
                let count = u32::try_from(claims.len()).ok().and_then(NonZeroU32::new);
                let count = count.ok_or(SerialsExhausted(planned.plot))?;
                statements.push(Statement::Assignment(Assignment {
                    plot: planned.plot,
                    first_serial,
                    claims: List::try_from(claims.to_vec())?,
                }));
                first_serial = serials::after(planned.plot, first_serial, count)?;
            }
        }
        Ok(statements)
    }
}

fn price_of(method: &Method, planting: &Planting) -> Option<Grams> {
    let mut species = method.species.iter();
    species
        .find(|species| species.code == planting.species)
        .map(|species| species.price)
}

/// Accounts that pay in turn.
struct Payers {
    balances: Vec<(AccountId, u64)>,
    /// Whose turn it is, by position.
    turn: usize,
}

impl Payers {
    fn new(balances: &BTreeMap<AccountId, u64>) -> Self {
        let balances = balances.iter();
        Self {
            balances: balances
                .map(|(account, points)| (*account, *points))
                .collect(),
            turn: 0,
        }
    }

    /// The next account that has the price, which is taken from its balance.
    fn next(&mut self, price: Grams) -> Option<AccountId> {
        for _ in 0..self.balances.len() {
            let position = self.turn % self.balances.len();
            self.turn += 1;
            if let Some((account, points)) = self.balances.get_mut(position)
                && *points >= price.0
            {
                *points -= price.0;
                return Some(*account);
            }
        }
        None
    }
}
