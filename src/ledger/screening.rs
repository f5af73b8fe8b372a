//! What is surely refused, before anybody looks at a signature: whoever sends junk in the name of others
//! must not make the log work for it.

use super::kinds::rules_of;
use super::refusal::{Refusal, ensure};
use super::rules::chain::{check_in_use, known_issuer, sequence_gap};
use super::rules::speakers::{
    Endorsers, Speakers, for_governors, no_governor, superseded, unasked,
};
use super::state::{KeyRole, State};
use crate::crypto::PublicKey;
use crate::record::{Day, Role, Seq, SignedRecord, Statement};

/// How far beyond an issuer's next seq a record may be for its signature to be looked at: records
/// before it may be on their way. More than an issuer's batches that can wait hold together.
const SEQS_AHEAD_MAX: u64 = 1 << 20;

impl State {
    /// The first of one issuer's new records, in the order in which they were sent, that is surely
    /// refused, and why. What is said holds whatever else is admitted before it: a key that has a role,
    /// is in use, and a seq that can follow; then for each record no endorsements but those that its
    /// kind can have. A record that is not refused here may be refused by [`Self::judge`].
    ///
    /// Costs no more than reading the records once.
    pub fn screen(&self, issuer: &PublicKey, records: &[SignedRecord]) -> Option<(usize, Refusal)> {
        let first = records.first()?;
        let mut expected = first.record().seq;
        if let Err(refusal) = self.screen_issuer(issuer, expected) {
            return Some((0, refusal));
        }
        // Who governs after a record of this very batch that names a new set.
        let mut coming = Vec::new();
        for (position, signed) in records.iter().enumerate() {
            let seq = signed.record().seq;
            let screened = ensure(seq <= expected, || sequence_gap(seq, expected))
                .and_then(|()| self.screen_endorsers(signed, &coming));
            if let Err(refusal) = screened {
                return Some((position, refusal));
            }
            // A seq before the expected one may be of a record that is sent twice.
            expected = Seq(seq.0.saturating_add(1));
            if let Statement::Governors(set) = &signed.record().statement {
                coming.extend_from_slice(&set.governors);
            }
        }
        None
    }

    fn screen_issuer(&self, issuer: &PublicKey, seq: Seq) -> Result<(), Refusal> {
        let key = known_issuer(self, issuer)?;
        // Admissions never go back in time: a key that had expired at the last one has expired.
        check_in_use(key, Day::of(self.globals.last_admitted_at))?;
        let (next, _) = key.next();
        ensure(seq.0 <= next.0.saturating_add(SEQS_AHEAD_MAX), || {
            sequence_gap(seq, next)
        })
    }

    fn screen_endorsers(&self, signed: &SignedRecord, coming: &[PublicKey]) -> Result<(), Refusal> {
        if signed.endorsements().is_empty() {
            return Ok(());
        }
        let statement = &signed.record().statement;
        let rules = rules_of(statement);
        let asked = match rules.endorsers() {
            Endorsers::None => return Err(unasked(statement.kind())),
            Endorsers::Governors => (Vec::new(), false),
            Endorsers::GovernorsAnd(named) => (named, false),
            Endorsers::GovernorsOrPlatforms => (Vec::new(), true),
        };
        let (named, platforms) = asked;
        let platform = |key: &PublicKey| {
            let role = self.role_of(key);
            platforms
                && matches!(
                    role,
                    Some(KeyRole::Issuer {
                        role: Role::Platform,
                        ..
                    })
                )
        };
        let governs = |key: &PublicKey| self.is_governor(key) || coming.contains(key);
        self.screen_set(statement, governs(&signed.record().issuer))?;
        let mut keys = signed
            .endorsements()
            .iter()
            .map(|endorsement| endorsement.key);
        let Some(stranger) =
            keys.find(|key| !governs(key) && !named.contains(key) && !platform(key))
        else {
            return Ok(());
        };
        // As the rules say when governors of an older set sign.
        ensure(
            rules.speakers() != Speakers::Governors || governs(&signed.record().issuer),
            || for_governors(statement.kind()),
        )?;
        Err(no_governor(&stranger))
    }

    /// A set of governors that another has replaced never comes into force again. Said before
    /// endorsers who left are called strangers.
    fn screen_set(&self, statement: &Statement, by_governor: bool) -> Result<(), Refusal> {
        let asks_governors = match statement {
            Statement::Plot(plot) => self.plots.contains(&plot.number),
            _ => by_governor,
        };
        let in_force = self.globals.council.stated_at;
        match statement.set() {
            Some(set) if asks_governors && set < in_force => Err(superseded(set, in_force)),
            _ => Ok(()),
        }
    }
}
