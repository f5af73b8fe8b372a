//! Which accounts claim which trees: what a platform decides, here by a plain rule.

use std::collections::BTreeMap;

use crate::record::{
    AccountId, Assignment, CLAIMS_PER_ASSIGNMENT_MAX, Claim, Day, Grams, Index, List, Method,
    Planting, PlotNumber, Serial, Statement,
};

/// One claim in so many is left waiting for a tree, as some always are.
const WAITING_EVERY: usize = 20;

/// Claims, and the trees that are meant for them.
#[derive(Default)]
pub struct ClaimPlan {
    /// The claims, as statements.
    pub claims: Vec<Statement>,
    /// Plot, first serial, and which claims (by place) get the trees from there on.
    pub assignments: Vec<(PlotNumber, Serial, Vec<usize>)>,
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
    let mut balances: Vec<(AccountId, u64)> = balances
        .iter()
        .map(|(account, balance)| (*account, *balance))
        .collect();
    let mut turn = 0;
    for planting in plantings {
        let Some(price) = price_of(method, planting) else {
            continue;
        };
        let mut given = Vec::new();
        for _ in 0..planting.count.get() {
            let Some(account) = next_payer(&mut balances, &mut turn, price) else {
                break;
            };
            let place = plan.claims.len();
            plan.claims.push(Statement::Claim(Claim {
                account,
                method: method.id,
                version: method.version,
                species: planting.species,
                points: price,
            }));
            if place % WAITING_EVERY == WAITING_EVERY - 1 {
                break;
            }
            given.push(place);
        }
        if !given.is_empty() {
            plan.assignments
                .push((planting.plot, planting.first_serial, given));
        }
    }
    plan
}

impl ClaimPlan {
    /// The assignments as statements, once the claims' entries are known. A claim that was not
    /// admitted gets no tree, and the trees after it move up.
    pub fn assignments(&self, index_of: impl Fn(usize) -> Option<Index>) -> Vec<Statement> {
        let mut statements = Vec::new();
        for (plot, first, places) in &self.assignments {
            let claims: Vec<Index> = places.iter().filter_map(|place| index_of(*place)).collect();
            let mut first_serial = *first;
            for part in claims.chunks(CLAIMS_PER_ASSIGNMENT_MAX) {
                let Ok(claims) = List::try_from(part.to_vec()) else {
                    continue;
                };
                let assignment = Assignment {
                    plot: *plot,
                    first_serial,
                    claims,
                };
                first_serial.0 += part.len() as u32;
                statements.push(Statement::Assignment(assignment));
            }
        }
        statements
    }
}

fn price_of(method: &Method, planting: &Planting) -> Option<Grams> {
    method
        .species
        .iter()
        .find(|it| it.code == planting.species)
        .map(|it| it.price)
}

fn next_payer(
    balances: &mut [(AccountId, u64)],
    turn: &mut usize,
    price: Grams,
) -> Option<AccountId> {
    for _ in 0..balances.len() {
        let place = *turn % balances.len();
        *turn += 1;
        if let Some((account, balance)) = balances.get_mut(place)
            && *balance >= price.0
        {
            *balance -= price.0;
            return Some(*account);
        }
    }
    None
}
