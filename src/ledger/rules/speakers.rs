//! Who may state what: roles, and governors by a quorum.

use crate::crypto::PublicKey;
use crate::ledger::broken::{Contradiction, present};
use crate::ledger::candidate::Candidate;
use crate::ledger::refusal::{Code, Refusal, ensure};
use crate::ledger::state::{HolderNumber, KeyRole, State};
use crate::record::{Index, Kind, Role, Slug};

/// Who may state a kind of statement (`docs/format.md`, 6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Speakers {
    /// The first of the governors that it names; all others whom it names endorse: the genesis.
    FirstGovernor,
    /// A governor in force, with the quorum.
    Governors,
    /// A key that was granted this role.
    Role(Role),
    /// A key of any role: seals.
    AnyRole,
    /// A key of any role, about what its holder stated in that role (a surveyor also about any
    /// loss); or a governor in force, with the quorum: corrections.
    HolderOrGovernors,
}

impl Speakers {
    /// Whether a key that was granted this role may be the issuer.
    pub fn include_role(self, granted: Role) -> bool {
        match self {
            Self::Role(role) => role == granted,
            Self::AnyRole | Self::HolderOrGovernors => true,
            Self::FirstGovernor | Self::Governors => false,
        }
    }

    /// Whether a governor in force may be the issuer.
    pub fn include_governors(self) -> bool {
        match self {
            Self::Governors | Self::HolderOrGovernors => true,
            Self::FirstGovernor | Self::Role(_) | Self::AnyRole => false,
        }
    }
}

/// Whose endorsements a kind of statement may have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::ledger) enum Endorsers {
    /// Nobody's.
    None,
    /// Those of governors in force.
    Governors,
    /// Those of governors in force, and of these keys, which the statement names.
    GovernorsAnd(Vec<PublicKey>),
    /// Those of governors in force, or of platforms' keys: who of them, the target says.
    GovernorsOrPlatforms,
}

/// Checks that the issuer is one of those who may state the candidate's kind.
pub(in crate::ledger) fn require_speaker(
    state: &State,
    candidate: &Candidate<'_>,
    speakers: Speakers,
) -> Result<(), Refusal> {
    let issuer = candidate.issuer;
    let role = candidate.issuer_key(state).map(|key| &key.role);
    let may_state = match role {
        // Of an empty ledger: the genesis has named its governors itself.
        None => speakers == Speakers::FirstGovernor,
        Some(KeyRole::Issuer { role, .. }) => speakers.include_role(*role),
        Some(KeyRole::Governor) => speakers.include_governors() && state.is_governor(issuer),
        Some(KeyRole::Log) => false,
    };
    ensure(may_state, || {
        Refusal::new(
            Code::RoleRefused,
            format!(
                "{} is not for this key, which is {}",
                candidate.statement.kind(),
                role_name(role)
            ),
            "sign with a key that was granted the role for it",
        )
    })
}

/// Checks that the issuer's key has this role, and that nobody endorsed. Returns the key's holder.
pub(in crate::ledger) fn require_role<'a>(
    state: &'a State,
    candidate: &Candidate<'_>,
    needed: Role,
) -> Result<&'a Slug, Refusal> {
    ensure(candidate.endorsements.is_empty(), || {
        unasked(candidate.statement.kind())
    })?;
    require_role_endorsed(state, candidate, needed)
}

/// Checks that the issuer's key has this role; others may have endorsed. Returns the key's holder.
pub(in crate::ledger) fn require_role_endorsed<'a>(
    state: &'a State,
    candidate: &Candidate<'_>,
    needed: Role,
) -> Result<&'a Slug, Refusal> {
    let kind = candidate.statement.kind();
    match candidate.issuer_key(state).map(|key| &key.role) {
        Some(KeyRole::Issuer { role, holder, .. }) if *role == needed => Ok(holder),
        other => Err(Refusal::new(
            Code::RoleRefused,
            format!(
                "{kind} needs the role {needed}, and this key is {}",
                role_name(other)
            ),
            format!("sign with a key that was granted the role {needed}"),
        )),
    }
}

/// Checks that a governor in force issued the record, that it names the set in force, that the quorum
/// of them signed it, that each of `also` signed it too, and that nobody else did.
pub(in crate::ledger) fn require_governors(
    state: &State,
    candidate: &Candidate<'_>,
    also: &[PublicKey],
) -> Result<(), Refusal> {
    ensure(state.is_governor(candidate.issuer), || {
        for_governors(candidate.statement.kind())
    })?;
    check_set(state, candidate)?;
    check_quorum(state, candidate, 1, also)
}

/// Checks that a record that governors sign names the set in force: signatures that were collected
/// for one set are worth nothing under another, whose quorum may be smaller.
pub(in crate::ledger) fn check_set(
    state: &State,
    candidate: &Candidate<'_>,
) -> Result<(), Refusal> {
    let in_force = state.globals.council.stated_at;
    let statement = candidate.statement;
    match statement.set() {
        Some(set) if set == in_force => Ok(()),
        Some(set) => Err(superseded(set, in_force)),
        None => Err(Refusal::new(
            Code::SetMisplaced,
            format!(
                "governors sign this {}, and it names no set of them",
                statement.kind()
            ),
            format!("name the set in force, {in_force}, and have it signed"),
        )),
    }
}

/// Checks that a record that no governors sign names no set of them.
pub(in crate::ledger) fn check_no_set(candidate: &Candidate<'_>) -> Result<(), Refusal> {
    let statement = candidate.statement;
    match statement.set() {
        None => Ok(()),
        Some(set) => Err(Refusal::new(
            Code::SetMisplaced,
            format!(
                "no governors sign this {}, and it names the set {set} of them",
                statement.kind()
            ),
            "leave the set out",
        )),
    }
}

/// The refusal of a record that names another set of governors than the one in force.
pub(in crate::ledger) fn superseded(set: Index, in_force: Index) -> Refusal {
    Refusal::new(
        Code::SetSuperseded,
        format!(
            "it names the governors of entry {set}, and those in force are stated by entry {in_force}"
        ),
        "propose it anew: signatures for one set of governors are worth nothing under another",
    )
}

/// Checks the endorsements: the quorum of governors in force, of whom `counted` signed otherwise, and
/// all of `also`.
pub(in crate::ledger) fn check_quorum(
    state: &State,
    candidate: &Candidate<'_>,
    counted: usize,
    also: &[PublicKey],
) -> Result<(), Refusal> {
    let quorum = usize::from(state.globals.council.quorum);
    let mut signed = counted;
    for endorsement in candidate.endorsements {
        if state.is_governor(&endorsement.key) {
            signed += 1;
        } else if !also.contains(&endorsement.key) {
            return Err(no_governor(&endorsement.key));
        }
    }
    ensure(signed >= quorum, || {
        Refusal::new(
            Code::QuorumShort,
            format!("{signed} of the governors in force signed, {quorum} are needed"),
            format!("have {} more endorse it", quorum - signed),
        )
    })?;
    check_possession(candidate, also)
}

/// Checks that each of these keys signed the record that names it.
pub(in crate::ledger) fn check_possession(
    candidate: &Candidate<'_>,
    keys: &[PublicKey],
) -> Result<(), Refusal> {
    let signs = |key: &PublicKey| {
        key == candidate.issuer || candidate.endorsements.iter().any(|e| e.key == *key)
    };
    match keys.iter().find(|key| !signs(key)) {
        None => Ok(()),
        Some(key) => Err(Refusal::new(
            Code::PossessionUnproven,
            format!("the key {key} did not sign the record that names it"),
            "endorse the record with that key too, so that nobody names a key of others",
        )),
    }
}

/// Number of distinct keys of a set of governors that signed, as issuer or endorser. The ledger
/// counts so for the set in force, a receipt's verifier for the set behind an entry.
pub fn endorsement_quorum(
    governors: &[PublicKey],
    issuer: &PublicKey,
    endorsers: impl Iterator<Item = PublicKey>,
) -> usize {
    let issuer = usize::from(governors.contains(issuer));
    issuer + endorsers.filter(|key| governors.contains(key)).count()
}

/// The refusal of a statement that governors in force alone may state, by somebody else.
pub(in crate::ledger) fn for_governors(kind: Kind) -> Refusal {
    Refusal::new(
        Code::RoleRefused,
        format!("{} is said by governors in force", kind.with_article()),
        "a governor of the current set issues it, and others endorse it",
    )
}

/// The refusal of an endorsement by a key that is neither a governor's in force nor named.
pub(in crate::ledger) fn no_governor(key: &PublicKey) -> Refusal {
    Refusal::new(
        Code::EndorserRefused,
        format!("{key} is no governor in force"),
        "leave its endorsement out; only those the kind asks for may sign",
    )
}

/// The refusal of an endorsement that the kind does not ask for.
pub(in crate::ledger) fn unasked(kind: Kind) -> Refusal {
    Refusal::new(
        Code::EndorserRefused,
        format!(
            "{} has signatures of others that it does not ask for",
            kind.with_article()
        ),
        "leave these endorsements out",
    )
}

/// The holder of a candidate's issuer, which was granted a role.
pub(in crate::ledger) fn issuing_holder(
    state: &State,
    candidate: &Candidate<'_>,
) -> Result<HolderNumber, Contradiction> {
    let holder = candidate.issuer_holder(state);
    present(holder, "the issuer's holder")
}

fn role_name(role: Option<&KeyRole>) -> String {
    match role {
        Some(KeyRole::Governor) => "a governor's".to_owned(),
        Some(KeyRole::Log) => "the log's".to_owned(),
        Some(KeyRole::Issuer { role, .. }) => format!("{}'s", role.with_article()),
        None => "unknown".to_owned(),
    }
}
