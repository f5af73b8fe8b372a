//! Which proposals the ledger would refuse whoever signs them, as far as its server tells: better said before they are
//! handed on than days later.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Done, Failure};
use arborlog::client::{CouncilInForce, Remote, RemoteError, today};
use arborlog::crypto::PublicKey;
use arborlog::ledger::names_look_alike;
use arborlog::record::{
    GovernorSet, Index, KeyGrant, KeyRevoke, Method, MethodId, SpeciesCode, Statement,
};

/// Refuses a proposal that the ledger would refuse with any signatures, as far as its server tells.
pub fn check_can_succeed(
    remote: &Remote,
    council: &CouncilInForce,
    issuer: &PublicKey,
    statement: &Statement,
) -> Done {
    let in_force = council.stated_at;
    if let Some(set) = statement.set()
        && set != in_force
    {
        return no(format!(
            "it names the governors of entry {set}, and those in force are stated by entry {in_force}"
        ));
    }
    let governed = !matches!(statement, Statement::Plot(_) | Statement::Correction(_));
    if governed && !council.governors.contains(issuer) {
        return no(format!(
            "{issuer} is no governor in force, and {} is said by one",
            statement.kind().with_article()
        ));
    }
    match statement {
        Statement::KeyGrant(grant) => check_grant(remote, grant),
        Statement::LogKey(log_key) => check_fresh(remote, &log_key.key),
        Statement::Governors(set) => check_governors(remote, council, set),
        Statement::KeyRevoke(revoke) => check_revoke(remote, revoke),
        Statement::Method(method) => check_method(remote, method),
        _ => Ok(()),
    }
}

fn no(why: String) -> Done {
    Err(Failure::check(anyhow::anyhow!("this can't succeed: {why}")))
}

/// What the server says of a key that has, or had, a task.
#[derive(Deserialize)]
struct KnownKey {
    role: String,
    revoked_at: Option<Index>,
}

fn known(remote: &Remote, key: &PublicKey) -> Result<Option<KnownKey>, Failure> {
    match remote.json::<KnownKey>(&format!("v1/issuers/{key}")) {
        Ok(known) => Ok(Some(known)),
        Err(RemoteError::Problem { problem, .. }) if problem.code == "not_found" => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// A key never gets a second task.
fn check_fresh(remote: &Remote, key: &PublicKey) -> Done {
    match known(remote, key)? {
        None => Ok(()),
        Some(KnownKey { role, .. }) => no(format!(
            "{key} has, or had, a task ({role}), and no key gets another; take a fresh one (arborlog keygen)"
        )),
    }
}

fn check_governors(remote: &Remote, council: &CouncilInForce, set: &GovernorSet) -> Done {
    let count = set.governors.len();
    let distinct: BTreeSet<_> = set.governors.iter().collect();
    if distinct.len() < count {
        return no("a governor is named twice".to_owned());
    }
    if set.quorum == 0 || usize::from(set.quorum) > count {
        return no(format!("a quorum of {count} governors is 1 to {count}"));
    }
    let new = set.governors.iter();
    for key in new.filter(|key| !council.governors.contains(key)) {
        check_fresh(remote, key)?;
    }
    Ok(())
}

fn check_revoke(remote: &Remote, revoke: &KeyRevoke) -> Done {
    match known(remote, &revoke.key)? {
        None => no(format!("{} was never granted", revoke.key)),
        Some(KnownKey {
            revoked_at: Some(index),
            ..
        }) => no(format!("{} was revoked by entry {index}", revoke.key)),
        Some(KnownKey { role, .. }) if role == "governor" || role == "log" => no(format!(
            "{} is a {role}'s key, which is not revoked but replaced",
            revoke.key
        )),
        Some(_) => Ok(()),
    }
}

/// A page of a list that the server gives page by page.
trait Page: DeserializeOwned {
    type Item;
    /// The page's items, and the path of the next one.
    fn into_parts(self) -> (Vec<Self::Item>, Option<String>);
}

/// Takes all items of a list.
fn for_each<P: Page>(remote: &Remote, path: &str, mut take: impl FnMut(P::Item)) -> Done {
    let mut next = Some(path.to_owned());
    while let Some(path) = next {
        let page: P = remote.json(path.trim_start_matches('/'))?;
        let (items, behind) = page.into_parts();
        items.into_iter().for_each(&mut take);
        next = behind;
    }
    Ok(())
}

#[derive(Deserialize)]
struct HoldersPage {
    issuers: Vec<ListedHolder>,
    next: Option<String>,
}

/// A key, as the list of the ledger's keys has it.
#[derive(Deserialize)]
struct ListedHolder {
    role: String,
    holder: Option<String>,
    display_name: Option<String>,
}

impl Page for HoldersPage {
    type Item = ListedHolder;

    fn into_parts(self) -> (Vec<ListedHolder>, Option<String>) {
        (self.issuers, self.next)
    }
}

/// The one duty of its holder that a role is of (`docs/format.md`, section 8, key_grant).
fn duty(role: &str) -> &str {
    match role {
        "platform" | "planter" => "planting or awarding",
        other => other,
    }
}

fn check_grant(remote: &Remote, grant: &KeyGrant) -> Done {
    check_fresh(remote, &grant.key)?;
    if let Some(day) = grant.expires_on
        && day < today()
    {
        return no(format!("the key would have expired on {day}"));
    }
    let (holder, role) = (grant.holder.as_str(), grant.role.to_string());
    let mut refused = None;
    for_each::<HoldersPage>(remote, "v1/issuers", |listed| {
        let Some(other) = &listed.holder else {
            return;
        };
        if other == holder {
            if duty(&listed.role) != duty(&role) {
                refused = Some(format!(
                    "{holder} has, or had, the role {}, which nobody has beside {role}",
                    listed.role
                ));
            }
            return;
        }
        let theirs = [Some(other), listed.display_name.as_ref()];
        for theirs in theirs.into_iter().flatten() {
            let ours = [holder, grant.display_name.as_str()].into_iter();
            for ours in ours.filter(|ours| names_look_alike(ours, theirs)) {
                refused = Some(format!(
                    "{ours:?} could be taken for {theirs:?}, a name of the holder {other}"
                ));
            }
        }
    })?;
    refused.map_or(Ok(()), no)
}

#[derive(Deserialize)]
struct MethodsPage {
    methods: Vec<ListedMethod>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct ListedMethod {
    method: NamedMethod,
}

/// What is looked at of a method.
#[derive(Deserialize)]
struct NamedMethod {
    id: MethodId,
    version: u32,
    species: Vec<NamedSpecies>,
}

#[derive(Deserialize)]
struct NamedSpecies {
    code: SpeciesCode,
    name: String,
}

impl Page for MethodsPage {
    type Item = NamedMethod;

    fn into_parts(self) -> (Vec<NamedMethod>, Option<String>) {
        let methods = self.methods.into_iter().map(|listed| listed.method);
        (methods.collect(), self.next)
    }
}

fn check_method(remote: &Remote, method: &Method) -> Done {
    let mut newest = None;
    let mut named = BTreeMap::new();
    for_each::<MethodsPage>(remote, "v1/methods", |listed| {
        if listed.id == method.id {
            newest = newest.max(Some(listed.version));
        }
        let species = listed.species.into_iter();
        named.extend(species.map(|species| (species.code, species.name)));
    })?;
    match newest.map_or(Some(1), |newest| newest.checked_add(1)) {
        Some(next) if next == method.version.0 => {}
        Some(next) => {
            return no(format!(
                "the next version of method {} is {next}, not {}",
                method.id, method.version
            ));
        }
        None => return no(format!("the versions of method {} ran out", method.id)),
    }
    if newest.is_some() && method.effective_from < today() {
        return no(format!(
            "it would take effect on {}, which has passed; only a first version does so",
            method.effective_from
        ));
    }
    for species in method.species.iter() {
        if let Some(name) = named.get(&species.code)
            && *name != species.name.as_str()
        {
            return no(format!(
                "species {} is named {name:?}, not {:?}; another species needs another code",
                species.code,
                species.name.as_str()
            ));
        }
    }
    Ok(())
}
