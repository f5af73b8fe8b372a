//! Rules 1 and 2: who may say what, and each issuer's chain.

use bincode::{Decode, Encode};

use super::refusal::{Code, Refusal, ensure};
use super::state::{HolderName, Proposal, State};
use crate::crypto::{PublicKey, VerifyingKey};
use crate::record::{
    Day, Genesis, GovernorSet, Index, KeyGrant, KeyRevoke, Lineage, LogKey, RecordId, Role, Seq,
    Slug, Text,
};

/// A record may have been signed so many days before its admission, and one day after it (the
/// issuer's clock may be ahead, or east).
const ISSUED_DAYS_BEFORE_MAX: u32 = 30;

/// The governors in force.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct Council {
    /// Their keys.
    pub governors: Vec<PublicKey>,
    /// How many must sign.
    pub quorum: u8,
    /// The entry that says so.
    pub stated_at: Index,
}

/// What a key is for, for ever.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub enum KeyRole {
    /// It governs, or did.
    Governor,
    /// It signs checkpoints, or did.
    Log,
    /// It was granted a role.
    Issuer {
        /// The role.
        role: Role,
        /// Who holds it.
        holder: Slug,
        /// The holder's name for people.
        display_name: Text<100>,
    },
}

/// The newest record of an issuer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct ChainHead {
    /// Its sequence number.
    pub seq: Seq,
    /// Its id.
    pub id: RecordId,
    /// Its entry.
    pub index: Index,
}

/// What the ledger knows of a key.
#[derive(Clone, PartialEq, Eq, Debug, Encode, Decode)]
pub struct KeyState {
    /// What it is for.
    pub role: KeyRole,
    /// The entry that gave it that.
    pub granted_at: Index,
    /// That record's id: `prev` of the key's first.
    pub granted_id: RecordId,
    /// The last day on which it may sign.
    pub expires_on: Option<Day>,
    /// The entry that revoked it.
    pub revoked_at: Option<Index>,
    /// Since when what it signed is in doubt.
    pub compromised_since: Option<Day>,
    /// The last entry about it.
    pub about: Index,
    /// Its newest record.
    pub head: Option<ChainHead>,
}

impl KeyState {
    /// The sequence number and `prev` of its next record.
    pub fn next(&self) -> (Seq, RecordId) {
        match &self.head {
            Some(head) => (Seq(head.seq.0.saturating_add(1)), head.id),
            None => (Seq(0), self.granted_id),
        }
    }
}

/// Which roles a holder ever had.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub(super) struct HolderRoles {
    surveys: bool,
    plants_or_awards: bool,
}

impl State {
    /// What is known of a key.
    pub fn key(&self, key: &PublicKey) -> Option<&KeyState> {
        self.keys.get(key)
    }

    /// All keys that ever had a task.
    pub fn keys(&self) -> impl Iterator<Item = &(PublicKey, KeyState)> {
        self.keys.iter()
    }

    /// Checks the issuer's key, chain and days; gives its entry before and its authority's.
    pub(super) fn judge_issuer(
        &self,
        proposal: &Proposal<'_>,
    ) -> Result<(Option<Index>, Index), Refusal> {
        let record = proposal.record();
        ensure(self.head.genesis.is_some(), || {
            Refusal::new(
                Code::GenesisMisplaced,
                "the ledger has no genesis yet",
                "entry 0 must be the genesis",
            )
        })?;
        let key = self.keys.get(&record.issuer).ok_or_else(|| {
            Refusal::new(
                Code::IssuerUnknown,
                format!("the key {} was never granted a role", record.issuer),
                "ask the governors for a key grant",
            )
        })?;
        let (seq, prev) = key.next();
        ensure(record.seq <= seq, || {
            Refusal::new(
                Code::SequenceGap,
                format!(
                    "the record's seq is {}, the issuer's next is {seq}",
                    record.seq
                ),
                "send the records before it first; GET /v1/issuers/{key} tells the head",
            )
        })?;
        ensure(record.seq == seq, || {
            Refusal::new(
                Code::SequenceUsed,
                format!("the issuer's seq {} is used by another record", record.seq),
                format!("the next is {seq}; never sign a used seq again"),
            )
        })?;
        ensure(record.prev == prev, || {
            Refusal::new(
                Code::ChainBroken,
                format!("prev is {}", record.prev),
                format!("prev must be {prev}, the id of the issuer's record before"),
            )
        })?;
        ensure(key.revoked_at.is_none(), || {
            Refusal::new(
                Code::KeyRevoked,
                format!(
                    "the key was revoked at entry {}",
                    key.revoked_at.unwrap_or_default()
                ),
                "sign with another granted key",
            )
        })?;
        ensure(
            key.expires_on
                .is_none_or(|last| proposal.admitted_on() <= last),
            || {
                Refusal::new(
                    Code::KeyExpired,
                    "the key's last day has passed",
                    "ask the governors to grant a new key",
                )
            },
        )?;
        self.judge_issued_on(proposal)?;
        let authority = match key.role {
            KeyRole::Governor => self.head.council.stated_at,
            KeyRole::Log | KeyRole::Issuer { .. } => key.granted_at,
        };
        Ok((key.head.map(|head| head.index), authority))
    }

    fn judge_issued_on(&self, proposal: &Proposal<'_>) -> Result<(), Refusal> {
        let (issued, admitted) = (proposal.record().issued_on, proposal.admitted_on());
        let first = Day(admitted.0.saturating_sub(ISSUED_DAYS_BEFORE_MAX));
        let last = Day(admitted.0.saturating_add(1));
        ensure((first..=last).contains(&issued), || {
            Refusal::new(
                Code::DayRefused,
                format!("issued_on is {issued}"),
                format!("on this day it must lie from {first} to {last}"),
            )
        })
    }

    /// Rule 2: a day that is spoken of is not after the day of issue.
    pub(super) fn judge_day(
        &self,
        proposal: &Proposal<'_>,
        what: &str,
        day: Day,
    ) -> Result<(), Refusal> {
        let issued = proposal.record().issued_on;
        ensure(day <= issued, || {
            Refusal::new(
                Code::DayRefused,
                format!("{what} is {day}, after issued_on {issued}"),
                "nothing is recorded before it happened",
            )
        })
    }

    /// Notes the issuer's newest record.
    pub(super) fn apply_issuer(&mut self, proposal: &Proposal<'_>, index: Index) {
        let record = proposal.record();
        let head = ChainHead {
            seq: record.seq,
            id: proposal.id,
            index,
        };
        self.keys
            .update(&record.issuer, |key| key.head = Some(head));
    }

    /// The issuer's holder, if its key has this role and nobody endorsed.
    pub(super) fn judge_role(
        &self,
        proposal: &Proposal<'_>,
        needed: Role,
    ) -> Result<&Slug, Refusal> {
        ensure(proposal.signed.endorsements().is_empty(), || {
            unasked(proposal)
        })?;
        self.judge_role_endorsed(proposal, needed)
    }

    /// The issuer's holder, if its key has this role.
    pub(super) fn judge_role_endorsed(
        &self,
        proposal: &Proposal<'_>,
        needed: Role,
    ) -> Result<&Slug, Refusal> {
        let kind = proposal.record().statement.kind();
        match self
            .keys
            .get(&proposal.record().issuer)
            .map(|key| &key.role)
        {
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

    /// Whether the issuer is a governor in force.
    pub(super) fn is_governor(&self, key: &PublicKey) -> bool {
        self.head.council.governors.contains(key)
    }

    /// Checks that a governor issued the record, that k of those in force signed it, that each
    /// of `also` signed it too, and that nobody else did.
    pub(super) fn judge_quorum(
        &self,
        proposal: &Proposal<'_>,
        also: &[PublicKey],
    ) -> Result<(), Refusal> {
        let record = proposal.record();
        ensure(self.is_governor(&record.issuer), || {
            Refusal::new(
                Code::RoleRefused,
                format!(
                    "a {} is said by governors in force",
                    record.statement.kind()
                ),
                "a governor of the current set issues it, and others endorse it",
            )
        })?;
        self.judge_endorsements(proposal, 1, also)
    }

    /// Checks the endorsements: k governors in force with the `counted` ones, and all of `also`.
    pub(super) fn judge_endorsements(
        &self,
        proposal: &Proposal<'_>,
        counted: usize,
        also: &[PublicKey],
    ) -> Result<(), Refusal> {
        let quorum = usize::from(self.head.council.quorum);
        let mut signed = counted;
        for endorsement in proposal.signed.endorsements() {
            if self.is_governor(&endorsement.key) {
                signed += 1;
            } else if !also.contains(&endorsement.key) {
                return Err(Refusal::new(
                    Code::EndorserRefused,
                    format!("{} is no governor in force", endorsement.key),
                    "leave its endorsement out; only those the kind asks for may sign",
                ));
            }
        }
        ensure(signed >= quorum, || {
            Refusal::new(
                Code::QuorumShort,
                format!("{signed} of the governors in force signed, {quorum} are needed"),
                format!("have {} more endorse it", quorum - signed),
            )
        })?;
        self.judge_possession(proposal, also)
    }

    fn judge_possession(&self, proposal: &Proposal<'_>, keys: &[PublicKey]) -> Result<(), Refusal> {
        let signs = |key: &PublicKey| {
            *key == proposal.record().issuer
                || proposal.signed.endorsements().iter().any(|e| e.key == *key)
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

    /// Checks that a key is safe to verify with and never had a task.
    fn judge_new_key(&self, key: &PublicKey) -> Result<(), Refusal> {
        VerifyingKey::new(key).map_err(|error| {
            Refusal::new(
                Code::KeyInvalid,
                format!("{key}: {error}"),
                "make a key with keygen",
            )
        })?;
        ensure(!self.keys.contains(key), || {
            Refusal::new(
                Code::KeyReused,
                format!("the key {key} has, or had, a task in this ledger"),
                "a key is granted once, ever; make a new one",
            )
        })
    }

    pub(super) fn judge_genesis(
        &self,
        proposal: &Proposal<'_>,
        genesis: &Genesis,
    ) -> Result<Lineage, Refusal> {
        let record = proposal.record();
        let misplaced = |detail: &str| {
            Refusal::new(
                Code::GenesisMisplaced,
                detail,
                "a ledger begins with one genesis, seq 0",
            )
        };
        ensure(self.head.entries == 0, || {
            misplaced("this ledger has its genesis")
        })?;
        ensure(genesis.origin == self.head.origin, || {
            Refusal::new(
                Code::OriginMismatch,
                format!("the genesis is of {}", genesis.origin),
                format!("this log is {}", self.head.origin),
            )
        })?;
        ensure(
            record.seq == Seq(0) && record.prev == RecordId::NONE,
            || misplaced("the genesis has seq 0 and 32 zero bytes as prev"),
        )?;
        ensure(genesis.governors.first() == Some(&record.issuer), || {
            misplaced("the genesis is issued by its first governor")
        })?;
        judge_set(&genesis.governors, genesis.quorum)?;
        self.judge_issued_on(proposal)?;
        let mut all = genesis.governors.to_vec();
        ensure(!all.contains(&genesis.log_key), || {
            Refusal::new(
                Code::KeyReused,
                "the log's key governs too",
                "the log's key and the governors' are different keys",
            )
        })?;
        all.push(genesis.log_key);
        for key in &all {
            self.judge_new_key(key)?;
        }
        if proposal
            .signed
            .endorsements()
            .iter()
            .any(|e| !all.contains(&e.key))
        {
            return Err(unasked(proposal));
        }
        self.judge_possession(proposal, &all)?;
        Ok(Lineage::new(vec![None, None]))
    }

    pub(super) fn apply_genesis(&mut self, proposal: &Proposal<'_>, index: Index, it: &Genesis) {
        self.head.genesis = Some((proposal.id, it.programme.clone()));
        self.set_council(proposal, index, &it.governors, it.quorum);
        self.add_key(proposal, index, it.log_key, KeyRole::Log, None);
        self.head.log_keys.push((it.log_key, index));
    }

    pub(super) fn judge_governors(
        &self,
        proposal: &Proposal<'_>,
        set: &GovernorSet,
    ) -> Result<Vec<Option<Index>>, Refusal> {
        judge_set(&set.governors, set.quorum)?;
        let new: Vec<PublicKey> = set
            .governors
            .iter()
            .filter(|key| !self.is_governor(key))
            .copied()
            .collect();
        for key in &new {
            self.judge_new_key(key)?;
        }
        self.judge_quorum(proposal, &new)?;
        Ok(vec![Some(self.head.council.stated_at)])
    }

    pub(super) fn apply_governors(
        &mut self,
        proposal: &Proposal<'_>,
        index: Index,
        set: &GovernorSet,
    ) {
        self.set_council(proposal, index, &set.governors, set.quorum);
    }

    fn set_council(
        &mut self,
        proposal: &Proposal<'_>,
        index: Index,
        governors: &[PublicKey],
        quorum: u8,
    ) {
        for key in governors {
            if !self.keys.contains(key) {
                self.add_key(proposal, index, *key, KeyRole::Governor, None);
            }
        }
        self.head.council = Council {
            governors: governors.to_vec(),
            quorum,
            stated_at: index,
        };
    }

    fn add_key(
        &mut self,
        proposal: &Proposal<'_>,
        index: Index,
        key: PublicKey,
        role: KeyRole,
        expires_on: Option<Day>,
    ) {
        self.keys.insert(
            key,
            KeyState {
                role,
                granted_at: index,
                granted_id: proposal.id,
                expires_on,
                revoked_at: None,
                compromised_since: None,
                about: index,
                head: None,
            },
        );
    }

    pub(super) fn judge_grant(
        &self,
        proposal: &Proposal<'_>,
        grant: &KeyGrant,
    ) -> Result<Vec<Option<Index>>, Refusal> {
        self.judge_new_key(&grant.key)?;
        let had = self
            .holders
            .get(&HolderName::of(&grant.holder))
            .copied()
            .unwrap_or_default();
        let conflict = match grant.role {
            Role::Surveyor => had.plants_or_awards,
            Role::Platform | Role::Planter => had.surveys,
        };
        ensure(!conflict, || {
            Refusal::new(
                Code::HolderConflict,
                format!(
                    "{} can't be {} after what it was before",
                    grant.holder, grant.role
                ),
                "who surveys never plants or awards, and the reverse; another house must do it",
            )
        })?;
        self.judge_quorum(proposal, &[grant.key])?;
        Ok(vec![None])
    }

    pub(super) fn apply_grant(&mut self, proposal: &Proposal<'_>, index: Index, it: &KeyGrant) {
        self.holders
            .upsert(HolderName::of(&it.holder), |roles| match it.role {
                Role::Surveyor => roles.surveys = true,
                Role::Platform | Role::Planter => roles.plants_or_awards = true,
            });
        let role = KeyRole::Issuer {
            role: it.role,
            holder: it.holder.clone(),
            display_name: it.display_name.clone(),
        };
        self.add_key(proposal, index, it.key, role, it.expires_on);
    }

    pub(super) fn judge_revoke(
        &self,
        proposal: &Proposal<'_>,
        revoke: &KeyRevoke,
    ) -> Result<Vec<Option<Index>>, Refusal> {
        let key = match self.keys.get(&revoke.key) {
            Some(key) if matches!(key.role, KeyRole::Issuer { .. }) => key,
            Some(_) => {
                return Err(Refusal::new(
                    Code::RoleRefused,
                    "only granted keys are revoked",
                    "state a new set of governors, or a new log key, instead",
                ));
            }
            None => {
                return Err(Refusal::new(
                    Code::KeyUnknown,
                    format!("the key {} was never granted", revoke.key),
                    "name a granted key",
                ));
            }
        };
        ensure(key.revoked_at.is_none(), || {
            Refusal::new(
                Code::KeyRevoked,
                "the key is revoked already",
                "nothing is left to do",
            )
        })?;
        self.judge_quorum(proposal, &[])?;
        Ok(vec![Some(key.about)])
    }

    pub(super) fn apply_revoke(&mut self, index: Index, revoke: &KeyRevoke) {
        self.keys.update(&revoke.key, |key| {
            key.revoked_at = Some(index);
            key.compromised_since = revoke.compromised_since;
            key.about = index;
        });
    }

    pub(super) fn judge_log_key(
        &self,
        proposal: &Proposal<'_>,
        next: &LogKey,
    ) -> Result<Vec<Option<Index>>, Refusal> {
        self.judge_new_key(&next.key)?;
        self.judge_quorum(proposal, &[next.key])?;
        Ok(vec![self.head.log_keys.last().map(|(_, index)| *index)])
    }

    pub(super) fn apply_log_key(&mut self, proposal: &Proposal<'_>, index: Index, it: &LogKey) {
        self.add_key(proposal, index, it.key, KeyRole::Log, None);
        self.head.log_keys.push((it.key, index));
    }
}

/// How many distinct keys of a set of governors signed: the issuer and the endorsers. A receipt's
/// verifier counts with it what the ledger counts in force.
pub fn endorsement_quorum(
    governors: &[PublicKey],
    issuer: &PublicKey,
    endorsers: impl Iterator<Item = PublicKey>,
) -> usize {
    let issuer = usize::from(governors.contains(issuer));
    issuer + endorsers.filter(|key| governors.contains(key)).count()
}

fn judge_set(governors: &[PublicKey], quorum: u8) -> Result<(), Refusal> {
    let mut sorted = governors.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    let impossible = |detail: String| {
        Refusal::new(
            Code::QuorumImpossible,
            detail,
            "name each governor once, and a quorum from 1 to their number",
        )
    };
    ensure(sorted.len() == governors.len(), || {
        impossible("a governor is named twice".to_owned())
    })?;
    ensure((1..=governors.len()).contains(&usize::from(quorum)), || {
        impossible(format!(
            "a quorum of {quorum} of {} governors",
            governors.len()
        ))
    })
}

fn unasked(proposal: &Proposal<'_>) -> Refusal {
    Refusal::new(
        Code::EndorserRefused,
        format!(
            "a {} has signatures of others that it does not ask for",
            proposal.record().statement.kind()
        ),
        "leave these endorsements out",
    )
}

fn role_name(role: Option<&KeyRole>) -> String {
    match role {
        Some(KeyRole::Governor) => "a governor's".to_owned(),
        Some(KeyRole::Log) => "the log's".to_owned(),
        Some(KeyRole::Issuer { role, .. }) => format!("a {role}'s"),
        None => "unknown".to_owned(),
    }
}
