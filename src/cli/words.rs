//! Statements in plain words.

use arborlog::record::{Correction, Remedy, Statement, Transfer};

/// One sentence that says what a statement says.
pub fn say_statement(statement: &Statement) -> String {
    match statement {
        Statement::Genesis(it) => format!(
            "the ledger {} begins: {:?}, {} governors, quorum {}, log key {}",
            it.origin,
            it.programme,
            it.governors.len(),
            it.quorum,
            it.log_key
        ),
        Statement::Governors(it) => {
            let keys: Vec<String> = it.governors.iter().map(ToString::to_string).collect();
            format!(
                "the governors are now {}, quorum {}",
                keys.join(", "),
                it.quorum
            )
        }
        Statement::KeyGrant(it) => {
            let until = it
                .expires_on
                .map_or(String::new(), |day| format!(", until {day}"));
            format!(
                "the key {} is {}'s ({:?}), as {}{until}",
                it.key, it.holder, it.display_name, it.role
            )
        }
        Statement::KeyRevoke(it) => {
            let since = it.compromised_since.map_or(String::new(), |day| {
                format!("; what it signed since {day} is in doubt")
            });
            format!("the key {} is revoked: {:?}{since}", it.key, it.reason)
        }
        Statement::LogKey(it) => format!("the key {} signs checkpoints from now on", it.key),
        Statement::Method(it) => format!(
            "method {} version {} from {} on: {} activities, {} species, in {:?}",
            it.id,
            it.version,
            it.effective_from,
            it.activities.len(),
            it.species.len(),
            it.jurisdiction
        ),
        Statement::Award(it) => format!(
            "account {} is awarded {} points (g CO2e under method {} version {}) for {} thousandths of activity {} on {}",
            it.account, it.points, it.method, it.version, it.quantity, it.activity, it.occurred_on
        ),
        Statement::Transfer(it) => say_transfer(it),
        Statement::Plot(it) => format!(
            "plot {} {:?}: {} m² at {:.4}, {:.4}, at most {} trees a hectare, paid for by {:?}",
            it.number,
            it.name,
            it.area_m2,
            it.latitude.degrees(),
            it.longitude.degrees(),
            it.trees_per_ha_max,
            it.funded_by
        ),
        Statement::Planting(it) => format!(
            "{} trees of species {} were planted on plot {} on {}, serials from {} on",
            it.count, it.species, it.plot, it.planted_on, it.first_serial
        ),
        Statement::Survey(it) => format!(
            "of {} trees looked for on plot {} on {}, {} were alive and {} dead ({:?}, paid for by {:?})",
            it.sampled, it.plot, it.surveyed_on, it.alive, it.dead, it.basis, it.paid_by
        ),
        Statement::Claim(it) => format!(
            "account {} gives {} points for the promise of a tree of species {}",
            it.account, it.points, it.species
        ),
        Statement::Assignment(it) => format!(
            "{} claims get the trees of plot {} from serial {} on",
            it.claims.len(),
            it.plot,
            it.first_serial
        ),
        Statement::Correction(it) => say_correction(it),
    }
}

fn say_transfer(it: &Transfer) -> String {
    let reason = serde_json::to_value(it.reason).unwrap_or_default();
    let reason = reason.as_str().unwrap_or("transfer").replace('_', " ");
    match &it.to {
        Some(to) => format!(
            "{} points go from account {} to {to} ({reason})",
            it.points, it.from
        ),
        None => format!("{} points leave account {} ({reason})", it.points, it.from),
    }
}

fn say_correction(it: &Correction) -> String {
    let what = match &it.remedy {
        Remedy::Reverse { points } => {
            format!("{points} points of entry {} are taken back", it.target)
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
                it.target
            )
        }
        Remedy::Void => format!("entry {} is void", it.target),
    };
    format!("{what}: {:?}", it.reason)
}
