//! What is owed: trees for claims that wait, trees for points, trees for claims that were tied.

use super::{Cases, Facts, Finding, Inconsistent, Severity, many};
use crate::ledger::ClaimTree;
use crate::record::Grams;

/// A promise that has waited longer than this is late.
const LATE_PROMISE_DAYS: u32 = 365;
/// A promise that has waited longer than this is very late.
const VERY_LATE_PROMISE_DAYS: u32 = 730;

pub(super) fn findings(facts: &Facts<'_>) -> Result<Vec<Finding>, Inconsistent> {
    let mut found = waiting(facts)?;
    found.extend(shortfall(facts));
    found.extend(negative(facts));
    found.extend(outstanding(facts));
    Ok(found)
}

fn waiting(facts: &Facts<'_>) -> Result<Vec<Finding>, Inconsistent> {
    let why = "Somebody paid for a tree and has none yet. Ask when and where it will be planted.";
    let mut late = Cases::new("promises_late", Severity::Medium, why).weighed_by_time();
    let mut very_late = Cases::new("promises_very_late", Severity::High, why).weighed_by_time();
    for (index, claim) in facts.state.claims() {
        if claim.tree != ClaimTree::Waiting {
            continue;
        }
        let since = facts.admitted_on(*index)?;
        let days = facts.days_since(since);
        let cases = match days {
            days if days > VERY_LATE_PROMISE_DAYS => &mut very_late,
            days if days > LATE_PROMISE_DAYS => &mut late,
            _ => continue,
        };
        let detail = format!("promised on {since}, waiting for {days} days");
        cases.add(
            days.into(),
            format!("certificate {index}"),
            detail,
            vec![*index],
        );
    }
    let title = |months: &'static str| {
        move |count| {
            let promises = many(count, "promise has", "promises have");
            format!("{promises} waited for a tree for more than {months}")
        }
    };
    let very_late = very_late.finding(title("24 months"));
    let late = late.finding(title("12 months, but no more than 24"));
    Ok(very_late.into_iter().chain(late).collect())
}

fn shortfall(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "plot_shortfall",
        Severity::High,
        "More certificates name trees on the plot than stand there in the books: some of them \
         stand for nothing. Ask for replanting, or for new trees for these claims.",
    );
    let mut trees = 0;
    for (number, plot) in facts.state.plots() {
        let short = plot.shortfall();
        if short > 0 {
            trees += short;
            let detail = format!(
                "{} certificates, {} trees standing: {short} short",
                plot.assigned,
                plot.standing()
            );
            cases.add(
                short.into(),
                format!("plot {number}"),
                detail,
                vec![plot.last_entry],
            );
        }
    }
    cases.finding(|count| {
        let plots = many(count, "plot lacks", "plots lack");
        format!(
            "{plots} {} that certificates name",
            many(trees, "tree", "trees")
        )
    })
}

fn negative(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "negative_balances",
        Severity::Medium,
        "Points were reversed after they were spent: a tree may stand on an award that was wrong. \
         Ask whether such claims are voided.",
    );
    for account in facts.state.accounts() {
        if account.balance < 0 {
            let detail = format!("balance {} points", account.balance);
            cases.add(
                account.balance.unsigned_abs().into(),
                format!("account that entry {} was last about", account.last_entry),
                detail,
                vec![account.last_entry],
            );
        }
    }
    cases.finding(|count| format!("{} below zero", many(count, "account is", "accounts are")))
}

fn outstanding(facts: &Facts<'_>) -> Option<Finding> {
    let points: u128 = facts
        .state
        .accounts()
        .filter(|account| account.balance > 0)
        .map(|account| u128::from(account.balance.unsigned_abs()))
        .sum();
    // Of the versions in effect on that day: older prices buy nothing any more.
    let priced = facts.state.methods().filter(|method| {
        let now = facts.state.method_in_effect(method.method.id, facts.as_of);
        now.is_some_and(|now| now.stated_at == method.stated_at)
    });
    let cheapest = priced
        .flat_map(|method| method.method.species.iter())
        .map(|species| species.price)
        .filter(|price| *price > Grams(0))
        .min();
    let trees = cheapest.map_or(0, |price| points / u128::from(price.0));
    let mut cases = Cases::new(
        "points_outstanding",
        Severity::Low,
        "Points that were awarded and not spent are a promise too, as long as they don't expire. \
         Ask whether the programme could plant for them.",
    );
    if trees > 0 || cheapest.is_none() && points > 0 {
        let what = match cheapest {
            Some(price) => format!("the cheapest tree costs {price}"),
            None => "no tree has a price".to_owned(),
        };
        cases.add(
            0,
            "all accounts",
            match facts.state.totals().owed {
                0 => format!("{points} points held; {what}"),
                owed => format!(
                    "{points} points held; {what}. Other accounts owe {owed}, so all balances together are {}",
                    facts.state.totals().balances
                ),
            },
            Vec::new(),
        );
    }
    let verb = if points == 1 { "is" } else { "are" };
    cases.finding(|_| {
        format!("{points} points {verb} not spent yet: enough for up to {trees} trees")
    })
}
