//! Statements in plain words.

use arborlog::record::{Correction, Remedy, Slug, Statement, Transfer};

/// One sentence that says what a statement says.
pub fn say_statement(statement: &Statement) -> String {
    match statement {
        Statement::Genesis(genesis) => format!(
            "the ledger {} begins: {:?}, {} governors, quorum {}, log key {}",
            genesis.origin,
            genesis.programme,
            genesis.governors.len(),
            genesis.quorum,
            genesis.log_key
        ),
        Statement::Governors(council) => {
            let keys: Vec<String> = council.governors.iter().map(ToString::to_string).collect();
            format!(
                "the governors are now {}, quorum {}",
                keys.join(", "),
                council.quorum
            )
        }
        Statement::KeyGrant(grant) => {
            let until = grant
                .expires_on
                .map_or(String::new(), |day| format!(", until {day}"));
            format!(
                "the key {} is {}'s ({:?}), as {}{until}",
                grant.key, grant.holder, grant.display_name, grant.role
            )
        }
        Statement::KeyRevoke(revocation) => {
            let since = revocation.compromised_since.map_or(String::new(), |day| {
                format!("; what it signed since {day} is in doubt")
            });
            format!(
                "the key {} is revoked: {:?}{since}",
                revocation.key, revocation.reason
            )
        }
        Statement::LogKey(log_key) => {
            format!("the key {} signs checkpoints from now on", log_key.key)
        }
        Statement::Method(method) => format!(
            "method {} version {} from {} on: {} activities, {} species, in {:?}",
            method.id,
            method.version,
            method.effective_from,
            method.activities.len(),
            method.species.len(),
            method.jurisdiction
        ),
        Statement::Award(award) => format!(
            "account {} is awarded {} points (g CO2e under method {} version {}) for {} thousandths of activity {} on {}",
            award.account,
            award.points,
            award.method,
            award.version,
            award.quantity,
            award.activity,
            award.occurred_on
        ),
        Statement::Transfer(transfer) => say_transfer(transfer),
        Statement::Plot(plot) => format!(
            "plot {} {:?}: {} m² at {:.4}, {:.4} in {}, at most {} trees a hectare, paid for by {:?}{}",
            plot.number,
            plot.name,
            plot.area_m2,
            plot.place.circle().latitude.degrees(),
            plot.place.circle().longitude.degrees(),
            plot.country,
            plot.trees_per_ha_max,
            plot.funded_by,
            if plot.platforms.is_empty() {
                String::new()
            } else {
                let named: Vec<&str> = plot.platforms.iter().map(Slug::as_str).collect();
                format!(", its trees for {}", named.join(", "))
            }
        ),
        Statement::Planting(planting) => format!(
            "{} trees of species {} were planted on plot {} {}, serials from {} on",
            planting.count,
            planting.species,
            planting.plot,
            if planting.planted_from == planting.planted_until {
                format!("on {}", planting.planted_from)
            } else {
                let (from, until) = (planting.planted_from, planting.planted_until);
                format!("between {from} and {until}")
            },
            planting.first_serial
        ),
        Statement::Survey(survey) => format!(
            "of {} trees looked for on plot {} on {}, by the books of entry {}, {} were alive, {} dead and {} not found ({}, paid for by {:?})",
            survey.looked_for(),
            survey.plot,
            survey.surveyed_on,
            survey.as_of,
            survey.alive,
            survey.dead,
            survey.not_found,
            survey.basis.words(),
            survey.paid_by
        ),
        Statement::Claim(claim) => format!(
            "account {} gives {} points for the promise of a tree of species {}",
            claim.account, claim.points, claim.species
        ),
        Statement::Assignment(assignment) => format!(
            "{} claims get the trees of plot {} from serial {} on",
            assignment.claims.len(),
            assignment.plot,
            assignment.first_serial
        ),
        Statement::Correction(correction) => say_correction(correction),
        Statement::Policy(said) => format!(
            "of {} witnesses, {} must have seen a checkpoint:\n{}",
            said.policy.witnesses(),
            match said.policy.quorum() {
                "none" => "nobody",
                name => name,
            },
            said.policy.as_str().trim_end()
        ),
        Statement::Seal(seal) => format!(
            "the {} statements directly before it, of the root {}",
            seal.count, seal.root
        ),
        Statement::Attestation(said) => format!(
            "of the first {} entries, and {} to {}, the opinion is {} with {} assurance: {:?}",
            said.size,
            said.period_from,
            said.period_until,
            said.opinion.words(),
            said.level.words(),
            said.words
        ),
    }
}

fn say_transfer(transfer: &Transfer) -> String {
    let reason = transfer.reason.words();
    match &transfer.to {
        Some(to) => format!(
            "{} points go from account {} to {to} ({reason})",
            transfer.points, transfer.from
        ),
        None => format!(
            "{} points leave account {} ({reason})",
            transfer.points, transfer.from
        ),
    }
}

fn say_correction(correction: &Correction) -> String {
    let what = match &correction.remedy {
        Remedy::Reverse { points } => {
            format!(
                "{points} points of entry {} are taken back",
                correction.target
            )
        }
        Remedy::Lost {
            count,
            first_serial,
            lost_on,
            ..
        } => {
            let which =
                first_serial.map_or(String::new(), |first| format!(" from serial {first} on"));
            format!(
                "{count} trees of entry {}{which} were lost on {lost_on}",
                correction.target
            )
        }
        Remedy::Void => format!("entry {} is void", correction.target),
    };
    format!("{what}: {:?}", correction.reason)
}
