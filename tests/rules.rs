//! Rules shown: each test breaks one rule of the ledger, sees its code and its advice, sees that
//! nothing changed, and sees the corrected record admitted.
//!
//! `Ledger` is the fixture: people by name, records signed for real, one day at a time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

use std::num::NonZeroU32;

#[path = "support/says.rs"]
mod says;

use says::{IN_FORCE, Says, naming};

use arborlog::crypto::{PublicKey, Signature, SigningKey};
use arborlog::ledger::{Candidate, ClaimTree, Code, KeyRole, Refusal, State, speakers};
use arborlog::record::{
    AccountId, Activity, ActivityCode, Assignment, AssuranceLevel, Attestation, Award, Basis,
    CarbonRights, Circle, Claim, Correction, Day, Digest, Endorsement, FormatVersion, Genesis,
    GovernorSet, Grams, Index, KeyGrant, KeyRevoke, Latitude, List, LogKey, Longitude, Method,
    MethodId, MethodVersion, Micrograms, MldsaKey, MldsaSignature, Month, NamedPlatforms, Opinion,
    Origin, Planting, Plot, PlotNumber, PlotPlace, Policy, Quantity, Record, RecordId, Remedy,
    Role, Seq, Serial, SignedEntry, SignedRecord, SigningContext, Slug, Species, SpeciesCode,
    Statement, Survey, TimeMs, Transfer, TransferReason, draft,
};

// ---------------------------------------------------------------------------------------------
// The fixture

const ORIGIN: &str = "example.org/rules";
const TODAY: Day = Day(20_700);
const ANN: u8 = 1;
const BEN: u8 = 2;
const EVE: u8 = 3;
/// The species, and what their trees cost.
const OAK: u16 = 1;
const OAK_PRICE: u64 = 100;
const ELM: u16 = 2;
const ELM_PRICE: u64 = 50;
/// Activity 1: 167.25 g per km. Activity 2: as many points as the quantity says.
const RIDE: u16 = 1;
const RIDE_CAP: u64 = 10_000;
const EXACT: u16 = 2;
/// The plot holds so many trees: 1 ha at 100 a hectare.
const PLOT_HOLDS: u32 = 100;

/// The key of somebody, by name.
fn key(name: &str) -> SigningKey {
    let mut seed = [0; 32];
    seed[..name.len()].copy_from_slice(name.as_bytes());
    SigningKey::from_seed(&seed)
}

fn public(name: &str) -> PublicKey {
    key(name).public()
}

fn origin() -> Origin {
    ORIGIN.parse().unwrap()
}

/// A ledger with its entries. Who signs is written `issuer+endorser+endorser`.
struct Ledger {
    context: SigningContext,
    state: State,
    entries: Vec<SignedEntry>,
    today: Day,
    evidence: u8,
}

impl Ledger {
    /// No entries yet.
    fn empty() -> Self {
        Self {
            context: SigningContext::new(&origin()),
            state: State::empty(origin()),
            entries: Vec::new(),
            today: TODAY,
            evidence: 0,
        }
    }

    /// Governors `g1`, `g2`, `g3`, of whom two must sign.
    fn governed() -> Self {
        let mut ledger = Self::empty();
        ledger.admit("g1+g2+g3+log", genesis(&["g1", "g2", "g3"], 2));
        ledger
    }

    /// Everybody has a key: two platforms, two planters, two surveyors, and for the first of each
    /// a second key `-b`. Method 1 is in effect.
    fn new() -> Self {
        let mut ledger = Self::governed();
        for (name, role, holder) in [
            ("platform", Role::Platform, "cityride"),
            ("platform-b", Role::Platform, "cityride"),
            ("platform2", Role::Platform, "otherride"),
            ("planter", Role::Planter, "greenhands"),
            ("planter-b", Role::Planter, "greenhands"),
            ("planter2", Role::Planter, "otherland"),
            ("surveyor", Role::Surveyor, "eyes"),
            ("surveyor-b", Role::Surveyor, "eyes"),
            ("surveyor2", Role::Surveyor, "lens"),
            ("auditor", Role::Auditor, "books"),
            ("auditor2", Role::Auditor, "ledgers"),
        ] {
            ledger.admit(&format!("g1+g2+{name}"), grant(name, role, holder));
        }
        ledger.admit("g1+g2", method(1));
        ledger
    }

    /// ... and the planter holds plot 1, with nothing on it.
    fn with_plot() -> Self {
        let mut ledger = Self::new();
        ledger.admit("planter", plot(1));
        ledger
    }

    /// ... and trees 1 to `oaks` of it are oaks. Gives the planting's index too.
    fn with_oaks(oaks: u32) -> (Self, Index) {
        let mut ledger = Self::with_plot();
        let said = ledger.planting(1, oaks);
        let planting = ledger.admit("planter", said);
        (ledger, planting)
    }

    /// ... and there are so many claims of oaks by Ann, tied to trees from 1 on. Gives the
    /// planting, the claims and the assignment.
    fn with_assigned(oaks: u32, claims: usize) -> (Self, Index, Vec<Index>, Index) {
        let (mut ledger, planting) = Self::with_oaks(oaks);
        let claims = ledger.oak_claims(claims);
        let assignment = ledger.admit("platform", assign(1, 1, &claims));
        (ledger, planting, claims, assignment)
    }

    /// Awards Ann what so many oaks cost and claims them.
    fn oak_claims(&mut self, count: usize) -> Vec<Index> {
        (0..count)
            .map(|_| {
                self.admit("platform", award(ANN, OAK_PRICE));
                self.admit("platform", claim(ANN))
            })
            .collect()
    }

    fn now(&self) -> TimeMs {
        TimeMs(u64::from(self.today.0) * 86_400_000 + 43_200_000)
    }

    /// The issuer's next record.
    fn record(&self, who: &str, said: impl Says) -> Record {
        let issuer = public(who.split('+').next().unwrap());
        let council = &self.state.globals().council;
        let statement = said.says();
        let role = self.state.key(&issuer).map(|key| &key.role);
        let by_governors = match &statement {
            Statement::Plot(plot) => who.contains('+') || self.state.plot(plot.number).is_some(),
            // Who endorses a holder's correction is another holder, and no governor.
            Statement::Correction(_) if matches!(role, Some(KeyRole::Issuer { .. })) => false,
            _ => who.contains('+') || council.governors.contains(&issuer),
        };
        let (seq, prev) = match self.state.key(&issuer) {
            Some(known) => known.next(),
            None => (Seq(0), RecordId::NONE),
        };
        Record {
            issuer,
            seq,
            prev,
            issued_on: self.today,
            statement: naming(statement, council.stated_at, by_governors),
        }
    }

    fn sign(&self, who: &str, record: &Record) -> SignedRecord {
        let mut names = who.split('+');
        let (signed, _) = draft(record, &self.context, &key(names.next().unwrap())).unwrap();
        names.fold(signed, |signed, name| {
            signed.endorse(&self.context, &key(name)).unwrap()
        })
    }

    /// Judges; takes in what is allowed; sees that rule 9 holds, and that a refusal changes
    /// nothing.
    fn offer(&mut self, signed: &SignedRecord) -> Result<Index, Refusal> {
        signed.verify(&self.context).unwrap();
        let target = match &signed.record().statement {
            Statement::Correction(correction) => usize::try_from(correction.target.0)
                .ok()
                .and_then(|i| self.entries.get(i))
                .cloned(),
            _ => None,
        };
        let candidate = Candidate::signed(
            signed,
            self.context.id(signed.bytes()),
            self.now(),
            target.as_ref().map(|target| (&target.signed).into()),
        );
        let before = format!("{:?}", self.state);
        let judged = self.state.judge(&candidate);
        self.screen_agrees(signed, judged.as_ref().err());
        assert_eq!(
            before,
            format!("{:?}", self.state),
            "judging changed the state"
        );
        let lineage = judged?;
        let index = self.state.apply(&candidate).unwrap();
        self.entries.push(SignedEntry {
            admitted_at: candidate.admitted_at,
            lineage,
            signed: signed.clone(),
        });
        assert_eq!(self.state.entries(), self.entries.len() as u64);
        self.reconcile();
        Ok(index)
    }

    /// What is refused before signatures are looked at is refused by the rules, with the same code.
    fn screen_agrees(&self, signed: &SignedRecord, refusal: Option<&Refusal>) {
        let Record { issuer, seq, .. } = signed.record();
        let known = self.state.key(issuer);
        // A used seq is looked for, not screened; the beginning of a ledger is no client's.
        let genesis = matches!(signed.record().statement, Statement::Genesis(_));
        let first = self.state.entries() == 0;
        if first || genesis || known.is_some_and(|key| *seq < key.next().0) {
            return;
        }
        if let Some((position, early)) = self.state.screen(issuer, std::slice::from_ref(signed)) {
            let late = refusal.unwrap_or_else(|| panic!("admitted, but screened out: {early}"));
            assert_eq!((position, early.code), (0, late.code), "{early}; {late}");
        }
    }

    /// Rule 9, and the sums that only all accounts together show.
    fn reconcile(&self) {
        let totals = self.state.totals();
        totals.check().unwrap();
        let roots = self.state.roots().unwrap();
        self.state.globals().check_sums(&roots).unwrap();
        let balances: Vec<i64> = self
            .state
            .accounts()
            .map(|account| account.balance)
            .collect();
        assert_eq!(
            totals.balances,
            balances.iter().copied().map(i128::from).sum::<i128>()
        );
        let owed = balances.iter().filter(|balance| **balance < 0);
        assert_eq!(
            totals.owed,
            owed.map(|balance| balance.unsigned_abs()).sum::<u64>()
        );
        let negative = balances.iter().filter(|balance| **balance < 0).count();
        assert_eq!(totals.accounts_negative, negative as u64);
        let plots = || self.state.plots().map(|(_, plot)| plot);
        assert_eq!(
            totals.standing,
            plots().map(|plot| plot.standing()).sum::<u64>()
        );
        assert_eq!(
            totals.assigned,
            plots().map(|plot| plot.assigned).sum::<u64>()
        );
    }

    #[track_caller]
    fn admit(&mut self, who: &str, said: impl Says) -> Index {
        let record = self.record(who, said);
        self.admit_record(who, &record)
    }

    #[track_caller]
    fn admit_record(&mut self, who: &str, record: &Record) -> Index {
        let signed = self.sign(who, record);
        self.offer(&signed)
            .unwrap_or_else(|refusal| panic!("{refusal}; {}", refusal.advice))
    }

    /// Sees a refusal with this code; gives its advice.
    #[track_caller]
    fn refuse(&mut self, who: &str, said: impl Says, code: Code) -> String {
        let record = self.record(who, said);
        self.refuse_record(who, &record, code)
    }

    #[track_caller]
    fn refuse_record(&mut self, who: &str, record: &Record, code: Code) -> String {
        let signed = self.sign(who, record);
        let (entries, totals) = (self.state.entries(), self.state.totals().clone());
        let refusal = match self.offer(&signed) {
            Err(refusal) => refusal,
            Ok(index) => panic!("admitted at {index}, but {code} was expected"),
        };
        assert_eq!(refusal.code, code, "{refusal}");
        assert!(!refusal.detail.is_empty() && !refusal.advice.is_empty());
        assert_eq!(
            (entries, &totals),
            (self.state.entries(), self.state.totals())
        );
        refusal.advice
    }

    fn balance(&self, who: u8) -> i64 {
        self.state
            .account(&account(who))
            .map_or(0, |account| account.balance)
    }

    fn claim_tree(&self, claim: Index) -> ClaimTree {
        self.state.claim(claim).unwrap().tree
    }

    fn digest(&mut self) -> Digest {
        self.evidence += 1;
        Digest::from_bytes([self.evidence; 32])
    }

    /// Oaks on plot 1.
    fn planting(&mut self, first: u32, count: u32) -> Planting {
        Planting {
            plot: PlotNumber(1),
            species: SpeciesCode(OAK),
            first_serial: Serial(first),
            count: NonZeroU32::new(count).unwrap(),
            planted_from: self.today,
            planted_until: self.today,
            evidence: self.digest(),
            evidence_at: "https://example.org/photographs".parse().unwrap(),
        }
    }

    fn elms(&mut self, first: u32, count: u32) -> Planting {
        Planting {
            species: SpeciesCode(ELM),
            ..self.planting(first, count)
        }
    }

    /// Of plot 1.
    fn survey(&mut self) -> Survey {
        Survey {
            plot: PlotNumber(1),
            planting: None,
            surveyed_on: self.today,
            as_of: Index(0),
            basis: Basis::RandomSample,
            protocol: "every third row".parse().unwrap(),
            plan: None,
            alive: 7,
            dead: 3,
            not_found: 0,
            dead_known: 0,
            revived: 0,
            evidence: self.digest(),
            evidence_at: "https://example.org/surveys".parse().unwrap(),
            paid_by: "the city".parse().unwrap(),
            next_due: None,
        }
    }
}

fn account(who: u8) -> AccountId {
    AccountId::from_bytes([who; 32])
}

fn keys(names: &[&str]) -> Vec<PublicKey> {
    names.iter().map(|name| public(name)).collect()
}

fn genesis(governors: &[&str], quorum: u8) -> Genesis {
    Genesis {
        format: FormatVersion::CURRENT,
        origin: origin(),
        programme: "a test".parse().unwrap(),
        governors: keys(governors).try_into().unwrap(),
        quorum,
        log_key: public("log"),
        mldsa_key: None,
    }
}

fn governors(names: &[&str], quorum: u8) -> GovernorSet {
    GovernorSet {
        governors: keys(names).try_into().unwrap(),
        quorum,
        set: IN_FORCE,
    }
}

fn grant(name: &str, role: Role, holder: &str) -> KeyGrant {
    KeyGrant {
        key: public(name),
        role,
        holder: holder.parse().unwrap(),
        display_name: holder.parse().unwrap(),
        expires_on: None,
        set: IN_FORCE,
    }
}

fn revoke(name: &str) -> KeyRevoke {
    KeyRevoke {
        key: public(name),
        reason: "lost".parse().unwrap(),
        compromised_since: None,
        set: IN_FORCE,
    }
}

fn log_key(name: &str) -> LogKey {
    LogKey {
        key: public(name),
        set: IN_FORCE,
        mldsa_key: None,
    }
}

fn activity(code: u16, factor: u64, cap: u64) -> Activity {
    Activity {
        code: ActivityCode(code),
        name: "an activity".parse().unwrap(),
        unit: "km".parse().unwrap(),
        factor: Micrograms(factor),
        cap: Grams(cap),
    }
}

fn species(code: u16, name: &str, price: u64) -> Species {
    Species {
        code: SpeciesCode(code),
        name: name.parse().unwrap(),
        price: Grams(price),
    }
}

/// Method 1. Version 1 is retroactive, a later one takes effect in ten days.
fn method(version: u32) -> Method {
    Method {
        id: MethodId(1),
        version: MethodVersion(version),
        effective_from: if version == 1 {
            Day(TODAY.0 - 1000)
        } else {
            Day(TODAY.0 + 10)
        },
        activities: vec![
            activity(RIDE, 167_250_000, RIDE_CAP),
            activity(EXACT, 1_000_000_000, u64::MAX),
        ]
        .try_into()
        .unwrap(),
        species: vec![
            species(OAK, "oak", OAK_PRICE),
            species(ELM, "elm", ELM_PRICE),
        ]
        .try_into()
        .unwrap(),
        baseline: "a car".parse().unwrap(),
        sources: "a table".parse().unwrap(),
        jurisdiction: "here".parse().unwrap(),
        document: Digest::from_bytes([0; 32]),
        set: IN_FORCE,
    }
}

/// So many points, exactly.
fn award(who: u8, points: u64) -> Award {
    Award {
        account: account(who),
        method: MethodId(1),
        version: MethodVersion(1),
        activity: ActivityCode(EXACT),
        quantity: Quantity(points),
        points: Grams(points),
        occurred_on: TODAY,
        evidence: Digest::from_bytes([0xee; 32]),
    }
}

/// A ride of so many metres, with so many points.
fn ride(metres: u64, points: u64) -> Award {
    Award {
        activity: ActivityCode(RIDE),
        quantity: Quantity(metres),
        points: Grams(points),
        ..award(ANN, 0)
    }
}

fn gift(from: u8, to: u8, points: u64) -> Transfer {
    Transfer {
        from: account(from),
        to: Some(account(to)),
        points: Grams(points),
        reason: TransferReason::Gift,
    }
}

fn spend(from: u8, points: u64, reason: TransferReason) -> Transfer {
    Transfer {
        from: account(from),
        to: None,
        points: Grams(points),
        reason,
    }
}

/// One hectare for a hundred trees.
fn plot(number: u32) -> Plot {
    Plot {
        number: PlotNumber(number),
        name: "a hill".parse().unwrap(),
        country: "US".parse().unwrap(),
        place: PlotPlace::Circle(Circle {
            latitude: Latitude::try_from(377_000_000).unwrap(),
            longitude: Longitude::try_from(-1_224_000_000).unwrap(),
            radius_m: 60,
        }),
        finer_outline: None,
        area_m2: 10_000,
        trees_per_ha_max: PLOT_HOLDS,
        carbon_rights: CarbonRights::NoneIssued,
        funded_by: "the city".parse().unwrap(),
        platforms: platforms(&[]),
        set: None,
    }
}

/// The holders that a plot names.
fn platforms(holders: &[&str]) -> NamedPlatforms {
    let holders: Vec<Slug> = holders.iter().map(|it| it.parse().unwrap()).collect();
    List::try_from(holders).unwrap().try_into().unwrap()
}

/// An oak, for Ann or whoever.
fn claim(who: u8) -> Claim {
    Claim {
        account: account(who),
        method: MethodId(1),
        version: MethodVersion(1),
        species: SpeciesCode(OAK),
        points: Grams(OAK_PRICE),
    }
}

fn elm_claim(who: u8) -> Claim {
    Claim {
        species: SpeciesCode(ELM),
        points: Grams(ELM_PRICE),
        ..claim(who)
    }
}

fn assign(plot: u32, first: u32, claims: &[Index]) -> Assignment {
    Assignment {
        plot: PlotNumber(plot),
        first_serial: Serial(first),
        claims: claims.to_vec().try_into().unwrap(),
    }
}

fn policy(text: &str) -> Policy {
    Policy {
        policy: text.parse().unwrap(),
        set: IN_FORCE,
    }
}

/// Of the first so many entries.
fn attestation(size: u64) -> Attestation {
    Attestation {
        size,
        tree_root: Digest::from_bytes([1; 32]),
        state_root: Digest::from_bytes([2; 32]),
        period_from: Day(TODAY.0 - 30),
        period_until: TODAY,
        level: AssuranceLevel::Reasonable,
        opinion: Opinion::Unmodified,
        findings: Digest::from_bytes([3; 32]),
        report: Digest::from_bytes([4; 32]),
        report_at: "https://books.example/report".parse().unwrap(),
        words: "all is right".parse().unwrap(),
    }
}

fn correct(target: Index, remedy: Remedy) -> Correction {
    Correction {
        target,
        reason: "it was wrong".parse().unwrap(),
        remedy,
        set: None,
    }
}

fn void(target: Index) -> Correction {
    correct(target, Remedy::Void)
}

fn reverse(target: Index, points: u64) -> Correction {
    correct(
        target,
        Remedy::Reverse {
            points: Grams(points),
        },
    )
}

fn lost(target: Index, count: u32, first: Option<u32>) -> Correction {
    lost_on(target, count, first, TODAY)
}

fn lost_on(target: Index, count: u32, first: Option<u32>, lost_on: Day) -> Correction {
    let count = NonZeroU32::new(count).unwrap();
    let first_serial = first.map(Serial);
    correct(
        target,
        Remedy::Lost {
            count,
            first_serial,
            lost_on,
            evidence: None,
        },
    )
}

fn tied(serial: u32) -> ClaimTree {
    ClaimTree::Tied {
        plot: PlotNumber(1),
        serial: Serial(serial),
    }
}

/// Each code that the ledger can give is expected somewhere in this file; the others are given
/// before a record reaches the ledger, or by the server around it.
#[test]
fn every_code_of_the_ledger_is_shown_here() {
    let elsewhere = [
        "not_canonical",
        "signature_invalid",
        "issuers_mixed",
        "already_in",
        "log_key_missing",
        "entry_too_long",
        // tests/seals.rs shows sealed batches.
        "seal_mismatch",
        "batch_cut",
        "state_wrong",
    ];
    let here = include_str!("rules.rs");
    let shown = |code: &Code| here.contains(&format!("Code::{code:?}"));
    let missing: Vec<&str> = Code::ALL
        .iter()
        .filter(|code| !elsewhere.contains(&code.name()) && !shown(code))
        .map(|code| code.name())
        .collect();
    assert!(missing.is_empty(), "no test shows {missing:?}");
}

// ---------------------------------------------------------------------------------------------
// The genesis

#[test]
fn a_ledger_begins_with_its_genesis() {
    let mut ledger = Ledger::empty();
    assert!(
        ledger
            .refuse("planter", plot(1), Code::GenesisMisplaced)
            .contains("genesis")
    );
    ledger.admit("g1+g2+g3+log", genesis(&["g1", "g2", "g3"], 2));
    assert_eq!(ledger.state.entries(), 1);
    assert_eq!(ledger.entries[0].lineage.indexes(), [None, None]);
}

#[test]
fn a_second_genesis_is_refused() {
    let mut ledger = Ledger::governed();
    ledger.refuse(
        "g1+g2+g3+log",
        genesis(&["g1", "g2", "g3"], 2),
        Code::GenesisMisplaced,
    );
    let mut other = genesis(&["h1"], 1);
    other.log_key = public("hlog");
    ledger.refuse("h1+hlog", other, Code::GenesisMisplaced);
    ledger.admit("g1+g2", method(1));
}

#[test]
fn a_genesis_of_another_ledger_is_refused() {
    let mut ledger = Ledger::empty();
    let mut other = genesis(&["g1"], 1);
    other.origin = "example.org/other".parse().unwrap();
    let advice = ledger.refuse("g1+log", other, Code::OriginMismatch);
    assert!(advice.contains(ORIGIN), "{advice}");
    ledger.admit("g1+log", genesis(&["g1"], 1));
}

#[test]
fn a_genesis_is_record_zero_of_its_first_governor() {
    let mut ledger = Ledger::empty();
    let who = "g1+g2+log";
    let right = ledger.record(who, genesis(&["g1", "g2"], 2));
    let later = Record {
        seq: Seq(1),
        ..right.clone()
    };
    ledger.refuse_record(who, &later, Code::GenesisMisplaced);
    let rooted = Record {
        prev: RecordId::from_bytes([1; 32]),
        ..right.clone()
    };
    ledger.refuse_record(who, &rooted, Code::GenesisMisplaced);
    ledger.refuse(
        "g2+g1+log",
        genesis(&["g1", "g2"], 2),
        Code::GenesisMisplaced,
    );
    ledger.admit_record(who, &right);
}

#[test]
fn a_genesis_is_signed_by_every_governor_and_the_log_key_and_nobody_else() {
    let mut ledger = Ledger::empty();
    let said = || genesis(&["g1", "g2", "g3"], 2);
    ledger.refuse("g1+g2+log", said(), Code::PossessionUnproven);
    ledger.refuse("g1+g2+g3", said(), Code::PossessionUnproven);
    ledger.refuse("g1+g2+g3+log+eve", said(), Code::EndorserRefused);
    ledger.admit("g1+g2+g3+log", said());
}

#[test]
fn a_genesis_quorum_above_the_governors_or_of_none_is_refused() {
    let mut ledger = Ledger::empty();
    let advice = ledger.refuse(
        "g1+g2+log",
        genesis(&["g1", "g2"], 3),
        Code::QuorumImpossible,
    );
    assert!(advice.contains("from 1 to"), "{advice}");
    ledger.refuse(
        "g1+g2+log",
        genesis(&["g1", "g2"], 0),
        Code::QuorumImpossible,
    );
    ledger.refuse(
        "g1+g2+log",
        genesis(&["g1", "g2", "g1"], 3),
        Code::QuorumImpossible,
    );
    ledger.admit("g1+g2+log", genesis(&["g1", "g2"], 2));
}

#[test]
fn a_log_key_that_governs_is_refused_in_the_genesis() {
    let mut ledger = Ledger::empty();
    let wrong = Genesis {
        log_key: public("g2"),
        ..genesis(&["g1", "g2"], 2)
    };
    ledger.refuse("g1+g2", wrong, Code::KeyReused);
    ledger.admit("g1+g2+log", genesis(&["g1", "g2"], 2));
}

// ---------------------------------------------------------------------------------------------
// Rule 1: keys

#[test]
fn a_key_that_was_never_granted_is_refused() {
    let mut ledger = Ledger::new();
    let advice = ledger.refuse("stranger", award(ANN, 5), Code::IssuerUnknown);
    assert!(advice.contains("grant"), "{advice}");
    ledger.admit(
        "g1+g2+stranger",
        grant("stranger", Role::Platform, "strangers"),
    );
    ledger.admit("stranger", award(ANN, 5));
}

#[test]
fn a_revoked_key_is_refused_from_the_next_index_on() {
    let mut ledger = Ledger::new();
    ledger.admit("platform", award(ANN, 5));
    let revoked = ledger.admit("g1+g2", revoke("platform"));
    ledger.refuse("platform", award(ANN, 5), Code::KeyRevoked);
    assert_eq!(
        ledger.state.key(&public("platform")).unwrap().revoked_at,
        Some(revoked)
    );
    assert_eq!(ledger.balance(ANN), 5, "what it said before stays");
    ledger.admit("platform-b", award(ANN, 5));
}

#[test]
fn a_key_is_revoked_once() {
    let mut ledger = Ledger::new();
    ledger.admit("g1+g2", revoke("platform"));
    ledger.refuse("g1+g2", revoke("platform"), Code::KeyRevoked);
    ledger.admit("g1+g2", revoke("platform-b"));
}

#[test]
fn only_granted_keys_are_revoked() {
    let mut ledger = Ledger::new();
    ledger.refuse("g1+g2", revoke("stranger"), Code::KeyUnknown);
    ledger.refuse("g1+g2", revoke("g3"), Code::RoleRefused);
    ledger.refuse("g1+g2", revoke("log"), Code::RoleRefused);
    ledger.admit("g1+g2", revoke("platform"));
}

#[test]
fn a_key_may_sign_on_its_last_day_and_not_after() {
    let mut ledger = Ledger::new();
    let last = Day(TODAY.0 + 3);
    let brief = KeyGrant {
        expires_on: Some(last),
        ..grant("brief", Role::Platform, "cityride")
    };
    ledger.admit("g1+g2+brief", brief);
    ledger.today = last;
    ledger.admit("brief", award(ANN, 5));
    ledger.today = Day(last.0 + 1);
    // Signed in time, admitted too late: the day of admission counts.
    let signed_in_time = Record {
        issued_on: last,
        ..ledger.record("brief", award(ANN, 5))
    };
    let advice = ledger.refuse_record("brief", &signed_in_time, Code::KeyExpired);
    assert!(advice.contains("grant"), "{advice}");
    ledger.refuse("brief", award(ANN, 5), Code::KeyExpired);
    ledger.admit("platform", award(ANN, 5));
}

#[test]
fn each_kind_is_refused_from_the_wrong_role() {
    let (mut ledger, planting) = Ledger::with_oaks(10);
    ledger.admit("platform", award(ANN, 1000));
    let claimed = ledger.admit("platform", claim(ANN));
    let (planted, surveyed) = (ledger.planting(11, 1), ledger.survey());
    let kinds: Vec<(Statement, &str, Vec<&str>)> = vec![
        (
            award(ANN, 5).says(),
            "platform",
            vec!["planter", "surveyor", "g1", "log"],
        ),
        (
            gift(ANN, BEN, 5).says(),
            "platform",
            vec!["planter", "surveyor", "g1", "log"],
        ),
        (
            claim(ANN).says(),
            "platform",
            vec!["planter", "surveyor", "g1", "log"],
        ),
        (
            assign(1, 1, &[claimed]).says(),
            "platform",
            vec!["planter", "surveyor", "g1", "log"],
        ),
        (
            plot(2).says(),
            "planter",
            vec!["platform", "surveyor", "g1", "log"],
        ),
        (
            planted.says(),
            "planter",
            vec!["platform", "surveyor", "g1", "log"],
        ),
        (
            surveyed.says(),
            "surveyor",
            vec!["platform", "planter", "g1", "log"],
        ),
        (lost(planting, 1, None).says(), "planter", vec!["log"]),
    ];
    for (said, right, wrong) in kinds {
        for who in wrong {
            let advice = ledger.refuse(who, said.clone(), Code::RoleRefused);
            assert!(advice.contains(right) || who == "log", "{advice}");
        }
        ledger.admit(right, said);
    }
}

/// Receipts are verified by the table; the ledger checks in each kind's own order.
#[test]
fn the_table_of_speakers_is_what_the_ledger_judges_by() {
    let (mut ledger, planting) = Ledger::with_oaks(10);
    ledger.admit("platform", award(ANN, 1000));
    let claimed = ledger.admit("platform", claim(ANN));
    let (planted, surveyed) = (ledger.planting(11, 1), ledger.survey());
    let statements: [Statement; 15] = [
        governors(&["g1", "g2", "g3"], 2).says(),
        grant("new", Role::Planter, "newcomers").says(),
        revoke("platform2").says(),
        log_key("log2").says(),
        method(2).says(),
        award(ANN, 5).says(),
        gift(ANN, BEN, 5).says(),
        plot(2).says(),
        planted.says(),
        surveyed.says(),
        claim(ANN).says(),
        assign(1, 1, &[claimed]).says(),
        lost(planting, 1, None).says(),
        policy("quorum none\n").says(),
        attestation(1).says(),
    ];
    for said in statements {
        let speakers = speakers(&said);
        for (who, included) in [
            ("platform", speakers.include_role(Role::Platform)),
            ("planter", speakers.include_role(Role::Planter)),
            ("surveyor", speakers.include_role(Role::Surveyor)),
            ("auditor", speakers.include_role(Role::Auditor)),
            ("g1", speakers.include_governors()),
        ] {
            let signed = ledger.sign(who, &ledger.record(who, said.clone()));
            let code = ledger.offer(&signed).err().map(|refusal| refusal.code);
            let refused = code == Some(Code::RoleRefused);
            assert_eq!(refused, !included, "{who}, {}: {code:?}", said.kind());
        }
    }
    let genesis = speakers(&genesis(&["g1"], 1).says());
    assert!(!genesis.include_governors() && !genesis.include_role(Role::Platform));
}

#[test]
fn what_governors_say_is_refused_from_anybody_else() {
    let mut ledger = Ledger::new();
    let kinds: [(Statement, &str); 6] = [
        (method(2).says(), ""),
        (policy("quorum none\n").says(), ""),
        (revoke("platform2").says(), ""),
        (log_key("log2").says(), "+log2"),
        (grant("new", Role::Planter, "newcomers").says(), "+new"),
        (governors(&["g1", "g2", "g3", "g4"], 2).says(), "+g4"),
    ];
    for (said, also) in kinds {
        for who in ["platform", "planter", "surveyor", "log"] {
            let signers = format!("{who}+g1+g2{also}");
            ledger.refuse(&signers, said.clone(), Code::RoleRefused);
        }
        ledger.admit(&format!("g1+g2{also}"), said);
    }
}

#[test]
fn a_holder_never_surveys_or_audits_what_it_does_itself() {
    let mut ledger = Ledger::new();
    let mut tried = 0;
    #[allow(clippy::explicit_counter_loop)]
    for (holder, role) in [
        ("greenhands", Role::Surveyor),
        ("cityride", Role::Surveyor),
        ("eyes", Role::Planter),
        ("eyes", Role::Platform),
        ("greenhands", Role::Auditor),
        ("cityride", Role::Auditor),
        ("eyes", Role::Auditor),
        ("books", Role::Planter),
        ("books", Role::Platform),
        ("books", Role::Surveyor),
    ] {
        let name = format!("n{tried}");
        let who = format!("g1+g2+{name}");
        ledger.refuse(&who, grant(&name, role, holder), Code::HolderConflict);
        // The same key for another house, or another role that goes with what the house does.
        ledger.admit(&who, grant(&name, role, &format!("house-{tried}")));
        tried += 1;
    }
    ledger.admit("g1+g2+both", grant("both", Role::Planter, "cityride"));
    ledger.admit("g1+g2+second", grant("second", Role::Auditor, "books"));
}

#[test]
fn a_holder_that_was_ever_surveyor_or_auditor_stays_one_after_revocation() {
    let mut ledger = Ledger::new();
    for name in ["surveyor", "surveyor-b"] {
        ledger.admit("g1+g2", revoke(name));
    }
    ledger.refuse(
        "g1+g2+new",
        grant("new", Role::Planter, "eyes"),
        Code::HolderConflict,
    );
    ledger.admit("g1+g2+new", grant("new", Role::Surveyor, "eyes"));
    ledger.admit("g1+g2", revoke("auditor"));
    let said = |role| grant("next", role, "books");
    ledger.refuse("g1+g2+next", said(Role::Surveyor), Code::HolderConflict);
    ledger.admit("g1+g2+next", said(Role::Auditor));
}

/// Everything that governors sign, each with a set of its own choice.
fn governed(set: Index, planting: Index) -> Vec<(&'static str, Statement)> {
    let granted = KeyGrant {
        set,
        ..grant("fresh", Role::Platform, "cityride")
    };
    let revoked = KeyRevoke {
        set,
        ..revoke("platform2")
    };
    let log_key = LogKey {
        set,
        ..log_key("log2")
    };
    let named = GovernorSet {
        set,
        ..governors(&["g1", "g2"], 2)
    };
    let restated = Plot {
        set: Some(set),
        ..plot(1)
    };
    let corrected = Correction {
        set: Some(set),
        ..lost(planting, 1, None)
    };
    vec![
        ("g1+g2+fresh", granted.says()),
        ("g1+g2", revoked.says()),
        ("g1+g2+log2", log_key.says()),
        ("g1+g2", Method { set, ..method(2) }.says()),
        (
            "g1+g2",
            Policy {
                set,
                ..policy("quorum none\n")
            }
            .says(),
        ),
        ("planter+g1+g2", restated.says()),
        ("g1+g2", corrected.says()),
        ("g1+g2", named.says()),
    ]
}

#[test]
fn what_governors_sign_names_the_set_in_force() {
    let (mut ledger, planting) = Ledger::with_oaks(10);
    let set = ledger.admit("g1+g2", governors(&["g1", "g2", "g3"], 2));
    let later = Index(ledger.state.entries());
    // Of sets that were in force, of entries that are none, and of those to come.
    for other in [Index(0), Index(1), planting, later] {
        for (who, said) in governed(other, planting) {
            let advice = ledger.refuse(who, said, Code::SetSuperseded);
            assert!(advice.contains("anew"), "{advice}");
        }
    }
    for (who, said) in governed(set, planting) {
        ledger.admit(who, said);
    }
}

#[test]
fn signatures_of_a_set_with_a_larger_quorum_are_worth_nothing_under_a_smaller() {
    let mut ledger = Ledger::new();
    ledger.admit("g2+g1+g3", governors(&["g1", "g2", "g3"], 3));
    let said = grant("fresh", Role::Platform, "cityride");
    let kept = ledger.record("g1+g2", said.clone());
    ledger.refuse_record("g1+g2+fresh", &kept, Code::QuorumShort);
    ledger.admit("g2+g1+g3+g4", governors(&["g1", "g2", "g4"], 2));
    ledger.refuse_record("g1+g2+fresh", &kept, Code::SetSuperseded);
    // Who left is not called a stranger first.
    ledger.refuse_record("g1+g3+fresh", &kept, Code::SetSuperseded);
    ledger.admit("g1+g2+fresh", said);
}

#[test]
fn a_set_is_named_where_governors_sign_and_nowhere_else() {
    let (mut ledger, planting) = Ledger::with_oaks(10);
    let set = Some(Index(0));
    let named = |said: Correction| Correction { set, ..said };
    // Its holder's own correction, and a plot's first statement, ask no governors.
    ledger.refuse(
        "planter",
        named(lost(planting, 1, None)),
        Code::SetMisplaced,
    );
    ledger.refuse(
        "surveyor",
        named(lost(planting, 1, None)),
        Code::SetMisplaced,
    );
    ledger.refuse("planter", Plot { set, ..plot(2) }, Code::SetMisplaced);
    ledger.admit("planter", plot(2));
    // By governors, or of a plot that is there, they must.
    let mut record = ledger.record("g1+g2", lost(planting, 1, None));
    let Statement::Correction(said) = &mut record.statement else {
        panic!("it is a correction");
    };
    said.set = None;
    let advice = ledger.refuse_record("g1+g2", &record, Code::SetMisplaced);
    assert!(advice.contains("set in force"), "{advice}");
    let mut record = ledger.record("planter+g1+g2", plot(2));
    if let Statement::Plot(said) = &mut record.statement {
        said.set = None;
    }
    ledger.refuse_record("planter+g1+g2", &record, Code::SetMisplaced);
    ledger.admit("planter+g1+g2", plot(2));
}

#[test]
fn a_name_that_could_be_taken_for_anothers_is_refused() {
    let mut ledger = Ledger::new();
    let named = |slug: &str, name: &str| KeyGrant {
        display_name: name.parse().unwrap(),
        ..grant("newcomer", Role::Platform, slug)
    };
    let old = KeyGrant {
        display_name: "City Ride".parse().unwrap(),
        ..grant("platform-c", Role::Platform, "cityride")
    };
    ledger.admit("g1+g2+platform-c", old);
    let renamed = KeyGrant {
        display_name: "Metro".parse().unwrap(),
        ..grant("platform-d", Role::Platform, "cityride")
    };
    ledger.admit("g1+g2+platform-d", renamed);
    let who = "g1+g2+newcomer";
    for (slug, name) in [
        ("newcomer", "CITY RIDE"),
        ("newcomer", "C\u{456}ty R1de"),
        ("newcomer", "City-R\u{ed}de"),
        ("newcomer", "Metr0"),
        ("city-ride", "Newcomer"),
        ("c1tyr1de", "Newcomer"),
        ("newcomer", "greenhands"),
    ] {
        let advice = ledger.refuse(who, named(slug, name), Code::NameTaken);
        assert!(advice.contains("look alike"), "{advice}");
    }
    ledger.admit(who, named("newcomer", "City Rides"));
    // A holder may go back to a name of its own.
    let back = KeyGrant {
        display_name: "CITY RIDE".parse().unwrap(),
        ..grant("platform-e", Role::Platform, "cityride")
    };
    ledger.admit("g1+g2+platform-e", back);
}

#[test]
fn a_key_granted_before_is_refused() {
    let mut ledger = Ledger::new();
    let again = grant("platform", Role::Platform, "cityride");
    let advice = ledger.refuse("g1+g2+platform", again.clone(), Code::KeyReused);
    assert!(advice.contains("once"), "{advice}");
    let other = grant("platform", Role::Planter, "cityride");
    ledger.refuse("g1+g2+platform", other, Code::KeyReused);
    ledger.admit("g1+g2", revoke("platform"));
    ledger.refuse("g1+g2+platform", again, Code::KeyReused);
    ledger.admit("g1+g2+fresh", grant("fresh", Role::Platform, "cityride"));
}

#[test]
fn a_grant_of_a_key_that_governs_is_refused() {
    let mut ledger = Ledger::new();
    let said = |name| grant(name, Role::Platform, "cityride");
    ledger.refuse("g1+g2+g3", said("g3"), Code::KeyReused);
    ledger.refuse("g1+g2", said("g1"), Code::KeyReused);
    // Nor one that governed.
    ledger.admit("g1+g2", governors(&["g1", "g2"], 2));
    ledger.refuse("g1+g2+g3", said("g3"), Code::KeyReused);
    ledger.admit("g1+g2+fresh", said("fresh"));
}

#[test]
fn a_grant_of_the_log_key_is_refused() {
    let mut ledger = Ledger::new();
    let said = |name| grant(name, Role::Platform, "cityride");
    ledger.refuse("g1+g2+log", said("log"), Code::KeyReused);
    ledger.admit("g1+g2+log2", log_key("log2"));
    for name in ["log", "log2"] {
        ledger.refuse(&format!("g1+g2+{name}"), said(name), Code::KeyReused);
    }
    ledger.admit("g1+g2+fresh", said("fresh"));
}

#[test]
fn a_log_key_that_governs_or_issues_or_signed_before_is_refused() {
    let mut ledger = Ledger::new();
    ledger.refuse("g1+g2", log_key("g2"), Code::KeyReused);
    ledger.refuse("g1+g2+platform", log_key("platform"), Code::KeyReused);
    ledger.refuse("g1+g2+log", log_key("log"), Code::KeyReused);
    ledger.admit("g1+g2+log2", log_key("log2"));
    ledger.refuse("g1+g2+log", log_key("log"), Code::KeyReused);
}

#[test]
fn a_governor_whose_key_issues_or_signs_checkpoints_is_refused() {
    let mut ledger = Ledger::new();
    for name in ["platform", "log"] {
        let set = governors(&["g1", "g2", name], 2);
        ledger.refuse(&format!("g1+g2+{name}"), set, Code::KeyReused);
    }
    ledger.admit("g1+g2+g4", governors(&["g1", "g2", "g4"], 2));
}

#[test]
fn a_key_that_is_no_safe_point_is_refused() {
    let mut ledger = Ledger::new();
    let one = {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes
    };
    // The identity; a point of order 4 (y = 0); y = p + 1, which is 1 written otherwise; no
    // point at all; a point with a torsion component.
    let not_canonical = {
        let mut bytes = [0xff; 32];
        bytes[0] = 0xee;
        bytes[31] = 0x7f;
        bytes
    };
    let no_point = {
        let mut bytes = [0; 32];
        bytes[0] = 2;
        bytes
    };
    let torsion = {
        use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
        (ED25519_BASEPOINT_POINT + EIGHT_TORSION[1])
            .compress()
            .to_bytes()
    };
    let bad = [one, [0; 32], not_canonical, no_point, torsion].map(PublicKey::from_bytes);
    for key in bad {
        let wrong = KeyGrant {
            key,
            ..grant("new", Role::Platform, "cityride")
        };
        ledger.refuse("g1+g2", wrong, Code::KeyInvalid);
        ledger.refuse(
            "g1+g2",
            LogKey {
                key,
                mldsa_key: None,
                set: IN_FORCE,
            },
            Code::KeyInvalid,
        );
        let set = vec![public("g1"), key];
        let set = GovernorSet {
            governors: set.try_into().unwrap(),
            quorum: 1,
            set: IN_FORCE,
        };
        ledger.refuse("g1+g2", set, Code::KeyInvalid);
    }
    ledger.admit("g1+g2+new", grant("new", Role::Platform, "cityride"));
}

#[test]
fn a_named_key_that_did_not_sign_is_refused() {
    let mut ledger = Ledger::new();
    let said = || grant("new", Role::Platform, "cityride");
    let advice = ledger.refuse("g1+g2", said(), Code::PossessionUnproven);
    assert!(advice.contains("endorse"), "{advice}");
    ledger.admit("g1+g2+new", said());
    ledger.refuse("g1+g2", log_key("log2"), Code::PossessionUnproven);
    ledger.admit("g1+g2+log2", log_key("log2"));
    let set = || governors(&["g1", "g4", "g5"], 2);
    ledger.refuse("g1+g2+g4", set(), Code::PossessionUnproven);
    ledger.admit("g1+g2+g4+g5", set());
}

// Rule 1: the quorum

#[test]
fn a_quorum_short_of_governors_is_refused() {
    let mut ledger = Ledger::new();
    let kinds: [(Statement, &str); 6] = [
        (method(2).says(), ""),
        (policy("quorum none\n").says(), ""),
        (revoke("platform2").says(), ""),
        (log_key("log2").says(), "+log2"),
        (grant("new", Role::Planter, "newcomers").says(), "+new"),
        // The new governor's signature shows that it has the key; it does not count yet.
        (governors(&["g1", "g2", "g3", "g4"], 3).says(), "+g4"),
    ];
    for (said, also) in kinds {
        let short = format!("g2{also}");
        let advice = ledger.refuse(&short, said.clone(), Code::QuorumShort);
        assert!(advice.contains("have 1 more"), "{advice}");
        ledger.admit(&format!("g2+g3{also}"), said);
    }
    // Three of four from now on.
    let advice = ledger.refuse("g4", revoke("platform"), Code::QuorumShort);
    assert!(advice.contains("have 2 more"), "{advice}");
    ledger.admit("g4+g1+g3", revoke("platform"));
}

#[test]
fn one_key_twice_makes_no_quorum() {
    let mut ledger = Ledger::new();
    let record = ledger.record("g1", method(2));
    let (bytes, input) = {
        let bytes = record.encode().unwrap();
        let input = ledger.context.input(&bytes);
        (bytes, input)
    };
    let signed_by = |name: &str| -> Signature { key(name).sign(&input) };
    let endorsed = |name: &str| Endorsement {
        key: public(name),
        signature: signed_by(name),
    };
    let put = |endorsements| SignedRecord::new(bytes.clone(), signed_by("g1"), endorsements);
    assert!(
        put(vec![endorsed("g2"), endorsed("g2")]).is_err(),
        "twice the same endorser"
    );
    assert!(
        put(vec![endorsed("g1")]).is_err(),
        "the issuer endorses itself"
    );
    assert!(
        put(vec![])
            .unwrap()
            .endorse(&ledger.context, &key("g1"))
            .is_err()
    );
    let once = put(vec![endorsed("g2")]).unwrap();
    assert!(once.clone().endorse(&ledger.context, &key("g2")).is_err());
    // Nor in another order than the one there is.
    let mut two = vec![endorsed("g2"), endorsed("g3")];
    two.sort_by_key(|endorsement| std::cmp::Reverse(endorsement.key));
    assert!(put(two).is_err());
    ledger.offer(&once).unwrap();
}

#[test]
fn an_endorsement_by_a_governor_of_the_old_set_is_refused() {
    let mut ledger = Ledger::new();
    ledger.admit("g1+g2+g4", governors(&["g1", "g2", "g4"], 2));
    let advice = ledger.refuse("g1+g3", method(2), Code::EndorserRefused);
    assert!(advice.contains("leave"), "{advice}");
    // Not even beside a quorum of the set in force.
    ledger.refuse("g1+g2+g3", method(2), Code::EndorserRefused);
    ledger.refuse("g3+g1+g2", method(2), Code::RoleRefused);
    ledger.admit("g1+g4", method(2));
}

#[test]
fn a_governors_change_takes_the_quorum_of_the_old_set() {
    let mut ledger = Ledger::new();
    let set = || governors(&["g4", "g5", "g6"], 1);
    ledger.refuse("g1+g4+g5+g6", set(), Code::QuorumShort);
    ledger.refuse("g4+g1+g2+g5+g6", set(), Code::IssuerUnknown);
    let changed = ledger.admit("g1+g2+g4+g5+g6", set());
    assert_eq!(ledger.state.globals().council.stated_at, changed);
    // One is enough from now on, and its records root in what named it.
    ledger.refuse("g1+g2", method(2), Code::RoleRefused);
    let index = ledger.admit("g4", method(2));
    let entry = &ledger.entries[usize::try_from(index.0).unwrap()];
    assert_eq!(entry.lineage.authority(), Some(changed));
    assert_eq!(entry.lineage.issuer_before(), None);
}

#[test]
fn a_quorum_above_the_governors_is_refused() {
    let mut ledger = Ledger::new();
    let advice = ledger.refuse("g1+g2", governors(&["g1", "g2"], 3), Code::QuorumImpossible);
    assert!(advice.contains("from 1 to"), "{advice}");
    ledger.refuse("g1+g2", governors(&["g1", "g2"], 0), Code::QuorumImpossible);
    ledger.refuse(
        "g1+g2",
        governors(&["g1", "g2", "g2"], 3),
        Code::QuorumImpossible,
    );
    ledger.admit("g1+g2", governors(&["g1", "g2"], 2));
}

#[test]
fn a_signature_that_the_kind_does_not_ask_for_is_refused() {
    let (mut ledger, planting) = Ledger::with_oaks(3);
    ledger.admit("platform", award(ANN, 1000));
    let claimed = ledger.admit("platform", claim(ANN));
    let (planted, surveyed) = (ledger.planting(4, 1), ledger.survey());
    let kinds: [(&str, Statement); 9] = [
        ("platform", award(ANN, 5).says()),
        ("platform", gift(ANN, BEN, 5).says()),
        ("platform", claim(ANN).says()),
        ("platform", assign(1, 1, &[claimed]).says()),
        ("planter", plot(2).says()),
        ("planter", planted.says()),
        ("surveyor", surveyed.says()),
        ("planter", lost(planting, 1, None).says()),
        ("g1+g2", method(2).says()),
    ];
    for (who, said) in kinds {
        let advice = ledger.refuse(&format!("{who}+eve"), said.clone(), Code::EndorserRefused);
        assert!(advice.contains("leave"), "{advice}");
        if !who.contains('+') {
            ledger.refuse(&format!("{who}+g1+g2"), said.clone(), Code::EndorserRefused);
        }
        ledger.admit(who, said);
    }
}

// ---------------------------------------------------------------------------------------------
// Rule 2: chains and days

#[test]
fn a_gap_in_the_sequence_is_refused() {
    let mut ledger = Ledger::new();
    ledger.admit("platform", award(ANN, 5));
    let right = ledger.record("platform", award(ANN, 6));
    assert_eq!(right.seq, Seq(1));
    let early = Record {
        seq: Seq(2),
        ..right.clone()
    };
    let advice = ledger.refuse_record("platform", &early, Code::SequenceGap);
    assert!(advice.contains("before it"), "{advice}");
    ledger.admit_record("platform", &right);
}

#[test]
fn a_used_sequence_number_is_refused() {
    let mut ledger = Ledger::new();
    let first = ledger.record("platform", award(ANN, 5));
    ledger.admit_record("platform", &first);
    let again = Record {
        statement: award(BEN, 5).says(),
        ..first.clone()
    };
    let advice = ledger.refuse_record("platform", &again, Code::SequenceUsed);
    assert!(advice.contains("next is 1"), "{advice}");
    // The very same record too: telling that it is in already is the log's business.
    ledger.refuse_record("platform", &first, Code::SequenceUsed);
    ledger.admit("platform", award(BEN, 5));
}

#[test]
fn a_broken_chain_is_refused() {
    let mut ledger = Ledger::new();
    let grant_id = ledger.record("platform", award(ANN, 5)).prev;
    ledger.admit("platform", award(ANN, 5));
    let right = ledger.record("platform", award(ANN, 6));
    for prev in [
        RecordId::NONE,
        grant_id,
        ledger.record("platform-b", award(ANN, 6)).prev,
    ] {
        let broken = Record {
            prev,
            ..right.clone()
        };
        let advice = ledger.refuse_record("platform", &broken, Code::ChainBroken);
        assert!(advice.contains(&right.prev.to_string()), "{advice}");
    }
    ledger.admit_record("platform", &right);
}

#[test]
fn a_first_record_names_the_grant() {
    let mut ledger = Ledger::governed();
    let who = "g1+g2+platform";
    let granting = ledger.record(who, grant("platform", Role::Platform, "cityride"));
    let grant_id = ledger.context.id(&granting.encode().unwrap());
    ledger.admit_record(who, &granting);
    ledger.admit("g1+g2", method(1));
    let rootless = Record {
        prev: RecordId::NONE,
        ..ledger.record("platform", award(ANN, 5))
    };
    let advice = ledger.refuse_record("platform", &rootless, Code::ChainBroken);
    assert!(advice.contains(&grant_id.to_string()), "{advice}");
    ledger.admit_record(
        "platform",
        &Record {
            prev: grant_id,
            ..rootless
        },
    );
}

#[test]
fn other_governors_chains_begin_at_the_genesis() {
    let mut ledger = Ledger::governed();
    let genesis_id = ledger.context.id(ledger.entries[0].signed.bytes());
    let right = ledger.record("g2+g1", method(1));
    assert_eq!((right.seq, right.prev), (Seq(0), genesis_id));
    let rootless = Record {
        prev: RecordId::NONE,
        ..right.clone()
    };
    ledger.refuse_record("g2+g1", &rootless, Code::ChainBroken);
    ledger.admit_record("g2+g1", &right);
}

#[test]
fn a_record_issued_too_long_before_or_too_far_ahead_is_refused() {
    let mut ledger = Ledger::new();
    let issued = |ledger: &Ledger, day: u32| Record {
        issued_on: Day(day),
        ..ledger.record("planter", plot(day))
    };
    let old = issued(&ledger, TODAY.0 - 31);
    let advice = ledger.refuse_record("planter", &old, Code::DayRefused);
    let window = format!("from {} to {}", Day(TODAY.0 - 30), Day(TODAY.0 + 1));
    assert!(advice.contains(&window), "{advice}");
    let ahead = issued(&ledger, TODAY.0 + 2);
    let advice = ledger.refuse_record("planter", &ahead, Code::DayRefused);
    assert!(advice.contains(&window), "{advice}");
    for day in [TODAY.0 - 30, TODAY.0, TODAY.0 + 1] {
        let right = issued(&ledger, day);
        ledger.admit_record("planter", &right);
    }
}

#[test]
fn a_record_issued_before_the_issuers_last_is_refused() {
    let mut ledger = Ledger::new();
    let issued = |ledger: &Ledger, who: &str, day: u32| Record {
        issued_on: Day(day),
        ..ledger.record(who, plot(day))
    };
    let ahead = issued(&ledger, "planter", TODAY.0 + 1);
    ledger.admit_record("planter", &ahead);
    let back = issued(&ledger, "planter", TODAY.0);
    let advice = ledger.refuse_record("planter", &back, Code::IssuedOnDecreases);
    assert!(advice.contains(&Day(TODAY.0 + 1).to_string()), "{advice}");
    // Another key of the same holder has a chain of its own.
    let other = Record {
        issued_on: TODAY,
        ..ledger.record("planter-b", plot(2))
    };
    ledger.admit_record("planter-b", &other);
    let again = Record {
        issued_on: Day(TODAY.0 + 1),
        ..back
    };
    ledger.admit_record("planter", &again);
}

#[test]
fn a_genesis_is_held_to_its_day_too() {
    let mut ledger = Ledger::empty();
    let right = ledger.record("g1+log", genesis(&["g1"], 1));
    for day in [TODAY.0 - 31, TODAY.0 + 2] {
        let wrong = Record {
            issued_on: Day(day),
            ..right.clone()
        };
        ledger.refuse_record("g1+log", &wrong, Code::DayRefused);
    }
    ledger.admit_record("g1+log", &right);
}

#[test]
fn nothing_is_said_before_it_happened() {
    let (mut ledger, planting) = Ledger::with_oaks(5);
    let tomorrow = Day(TODAY.0 + 1);
    let (planted, surveyed) = (ledger.planting(6, 1), ledger.survey());

    let early = Award {
        occurred_on: tomorrow,
        ..award(ANN, 5)
    };
    ledger.refuse("platform", early, Code::DayRefused);
    ledger.admit("platform", award(ANN, 5));

    let early = Planting {
        planted_until: tomorrow,
        ..planted.clone()
    };
    let advice = ledger.refuse("planter", early, Code::DayRefused);
    assert!(advice.contains("before it happened"), "{advice}");
    ledger.admit("planter", planted);

    let early = Survey {
        surveyed_on: tomorrow,
        ..surveyed.clone()
    };
    ledger.refuse("surveyor", early, Code::DayRefused);
    ledger.admit("surveyor", surveyed);

    ledger.refuse(
        "planter",
        lost_on(planting, 1, None, tomorrow),
        Code::DayRefused,
    );
    ledger.admit("planter", lost(planting, 1, None));
}

#[test]
fn a_loss_is_not_dated_before_its_planting() {
    let (mut ledger, planting) = Ledger::with_oaks(5);
    let early = lost_on(planting, 1, None, Day(TODAY.0 - 1));
    let advice = ledger.refuse("planter", early, Code::DayRefused);
    assert!(advice.contains("planting"), "{advice}");
    ledger.admit("planter", lost_on(planting, 1, None, TODAY));
}

#[test]
fn a_span_of_planting_is_in_order_and_a_loss_may_fall_into_it() {
    let mut ledger = Ledger::with_plot();
    let span = |said: Planting, from: u32, until: u32| Planting {
        planted_from: Day(TODAY.0 - from),
        planted_until: Day(TODAY.0 - until),
        ..said
    };
    let said = ledger.planting(1, 5);
    let advice = ledger.refuse("planter", span(said.clone(), 4, 5), Code::DayRefused);
    assert!(advice.contains("first and the last day"), "{advice}");
    let planting = ledger.admit("planter", span(said, 60, 4));
    let lost_before = |days: u32| lost_on(planting, 1, None, Day(TODAY.0 - days));
    ledger.refuse("planter", lost_before(61), Code::DayRefused);
    ledger.admit("planter", lost_before(60));
    // What was planted counts in the month of the last day.
    let last = Month::of(Day(TODAY.0 - 4));
    for (month, totals) in ledger.state.months() {
        assert_eq!(totals.planted, if *month == last { 5 } else { 0 });
    }
}

#[test]
fn what_happened_is_held_to_the_day_of_issue_and_not_of_admission() {
    let mut ledger = Ledger::new();
    let mut record = ledger.record("platform", award(ANN, 5));
    record.issued_on = Day(TODAY.0 - 1);
    ledger.refuse_record("platform", &record, Code::DayRefused);
    record.statement = Award {
        occurred_on: Day(TODAY.0 - 1),
        ..award(ANN, 5)
    }
    .says();
    ledger.admit_record("platform", &record);
}

// ---------------------------------------------------------------------------------------------
// Rule 3: methods and awards

#[test]
fn a_gap_in_a_methods_versions_is_refused() {
    let mut ledger = Ledger::new();
    for wrong in [0, 1, 3] {
        let advice = ledger.refuse("g1+g2", method(wrong), Code::MethodVersion);
        assert!(advice.contains("next version is 2"), "{advice}");
    }
    ledger.admit("g1+g2", method(2));
    let other = |version| Method {
        id: MethodId(2),
        ..method(version)
    };
    for wrong in [0, 2] {
        let advice = ledger.refuse("g1+g2", other(wrong), Code::MethodVersion);
        assert!(advice.contains("next version is 1"), "{advice}");
    }
    ledger.admit("g1+g2", other(1));
}

#[test]
fn a_later_version_that_takes_effect_before_its_admission_is_refused() {
    let mut ledger = Ledger::new();
    let from = |day: u32| Method {
        effective_from: Day(day),
        ..method(2)
    };
    let advice = ledger.refuse("g1+g2", from(TODAY.0 - 1), Code::MethodBackdated);
    assert!(advice.contains(&TODAY.to_string()), "{advice}");
    ledger.admit("g1+g2", from(TODAY.0));
}

#[test]
fn a_first_version_may_be_retroactive() {
    let mut ledger = Ledger::governed();
    ledger.admit(
        "g1+g2",
        Method {
            effective_from: Day(0),
            ..method(1)
        },
    );
    ledger.admit(
        "g1+g2+platform",
        grant("platform", Role::Platform, "cityride"),
    );
    ledger.admit(
        "platform",
        Award {
            occurred_on: Day(0),
            ..award(ANN, 5)
        },
    );
}

#[test]
fn a_code_twice_in_a_method_is_refused() {
    let mut ledger = Ledger::new();
    let twice = vec![activity(7, 1, 1), activity(8, 1, 1), activity(7, 2, 2)];
    let wrong = Method {
        activities: twice.try_into().unwrap(),
        ..method(2)
    };
    ledger.refuse("g1+g2", wrong, Code::CodeRepeated);
    let twice = vec![
        species(OAK, "oak", 1),
        species(ELM, "elm", 1),
        species(OAK, "oak", 2),
    ];
    let wrong = Method {
        species: twice.try_into().unwrap(),
        ..method(2)
    };
    ledger.refuse("g1+g2", wrong, Code::CodeRepeated);
    ledger.admit("g1+g2", method(2));
}

#[test]
fn a_species_code_never_changes_its_meaning() {
    let mut ledger = Ledger::new();
    let other = |name| Method {
        id: MethodId(9),
        species: vec![species(OAK, name, 7)].try_into().unwrap(),
        ..method(1)
    };
    let advice = ledger.refuse("g1+g2", other("holm oak"), Code::SpeciesChanged);
    assert!(advice.contains("its name is \"oak\";"), "{advice}");
    ledger.admit("g1+g2", other("oak"));
    assert_eq!(ledger.state.species_name(SpeciesCode(OAK)), Some("oak"));
}

#[test]
fn the_version_in_effect_is_that_of_the_day_it_occurred() {
    let mut ledger = Ledger::new();
    let change = Day(TODAY.0 + 10);
    ledger.admit("g1+g2", method(2));
    ledger.today = Day(change.0 + 2);
    let on = |day: u32, version| Award {
        occurred_on: Day(day),
        version: MethodVersion(version),
        ..award(ANN, 5)
    };
    let advice = ledger.refuse("platform", on(change.0 - 1, 2), Code::MethodVersion);
    assert!(advice.contains("version 1"), "{advice}");
    ledger.admit("platform", on(change.0 - 1, 1));
    let advice = ledger.refuse("platform", on(change.0, 1), Code::MethodVersion);
    assert!(advice.contains("version 2"), "{advice}");
    ledger.admit("platform", on(change.0, 2));
    ledger.refuse("platform", on(change.0, 3), Code::MethodVersion);
}

#[test]
fn the_highest_version_whose_day_has_come_is_in_effect() {
    let mut ledger = Ledger::new();
    let from = |version, day| Method {
        effective_from: Day(day),
        ..method(version)
    };
    // Version 3 overtakes version 2, which is then never in effect.
    ledger.admit("g1+g2", from(2, TODAY.0 + 9));
    ledger.admit("g1+g2", from(3, TODAY.0 + 4));
    ledger.today = Day(TODAY.0 + 12);
    let on = |day: u32, version| Award {
        occurred_on: Day(TODAY.0 + day),
        version: MethodVersion(version),
        ..award(ANN, 5)
    };
    for (day, right) in [(3, 1), (4, 3), (8, 3), (9, 3), (12, 3)] {
        for wrong in (1..=3).filter(|version| *version != right) {
            let advice = ledger.refuse("platform", on(day, wrong), Code::MethodVersion);
            assert!(advice.contains(&format!("version {right}")), "{advice}");
        }
        ledger.admit("platform", on(day, right));
    }
}

#[test]
fn an_award_under_a_method_that_is_not_in_effect_is_refused() {
    let mut ledger = Ledger::new();
    let early = Award {
        occurred_on: Day(TODAY.0 - 1001),
        ..award(ANN, 5)
    };
    ledger.refuse("platform", early, Code::MethodUnknown);
    ledger.refuse(
        "platform",
        Award {
            method: MethodId(2),
            ..award(ANN, 5)
        },
        Code::MethodUnknown,
    );
    ledger.admit(
        "platform",
        Award {
            occurred_on: Day(TODAY.0 - 1000),
            ..award(ANN, 5)
        },
    );
}

#[test]
fn an_award_for_an_unknown_activity_is_refused() {
    let mut ledger = Ledger::new();
    let wrong = Award {
        activity: ActivityCode(3),
        ..award(ANN, 5)
    };
    ledger.refuse("platform", wrong, Code::ActivityUnknown);
    ledger.admit("platform", award(ANN, 5));
}

#[test]
fn points_are_quantity_times_factor_rounded_down() {
    let mut ledger = Ledger::new();
    // 167.25 g a km: 1 km gives 167, 4 km give 669, and 5.979 km is one metre short of 1,000.
    for (metres, right) in [(1_000, 167), (4_000, 669), (5_979, 999), (5_980, 1_000)] {
        for wrong in [right - 1, right + 1] {
            let advice = ledger.refuse("platform", ride(metres, wrong), Code::PointsMismatch);
            assert!(advice.ends_with(&format!(" {right}")), "{advice}");
        }
        ledger.admit("platform", ride(metres, right));
    }
    // Far beyond 64 bits in between.
    let most = u64::MAX;
    let wrong = ride(most, 1);
    let right = u128::from(most) * 167_250_000 / 1_000_000_000;
    let advice = ledger.refuse("platform", wrong, Code::PointsMismatch);
    assert!(advice.ends_with(&format!(" {right}")), "{advice}");
}

#[test]
fn points_that_no_number_holds_are_refused() {
    let mut ledger = Ledger::new();
    let vast = vec![activity(9, u64::MAX, u64::MAX)];
    let vast = Method {
        id: MethodId(2),
        activities: vast.try_into().unwrap(),
        ..method(1)
    };
    ledger.admit("g1+g2", vast);
    let of = |quantity, points| Award {
        method: MethodId(2),
        activity: ActivityCode(9),
        quantity: Quantity(quantity),
        points: Grams(points),
        ..award(ANN, 0)
    };
    ledger.refuse("platform", of(u64::MAX, u64::MAX), Code::PointsMismatch);
    ledger.admit("platform", of(1, u64::MAX / 1_000_000_000));
}

#[test]
fn an_award_of_no_points_is_refused() {
    let mut ledger = Ledger::new();
    // 5 m are 0.84 g; 6 m are 1.0035 g.
    ledger.refuse("platform", ride(5, 0), Code::PointsZero);
    ledger.refuse("platform", ride(0, 0), Code::PointsZero);
    ledger.admit("platform", ride(6, 1));
}

#[test]
fn an_award_above_the_cap_is_refused() {
    let mut ledger = Ledger::new();
    // 59.791 km are 10,000.04 g, 59.797 km are 10,001.05 g.
    let advice = ledger.refuse("platform", ride(59_797, RIDE_CAP + 1), Code::CapExceeded);
    assert!(advice.ends_with(&format!(" {RIDE_CAP}")), "{advice}");
    ledger.admit("platform", ride(59_791, RIDE_CAP));
}

#[test]
fn a_balance_that_would_overflow_is_refused() {
    let mut ledger = Ledger::new();
    let most = u64::try_from(i64::MAX).unwrap();
    ledger.refuse("platform", award(ANN, most + 1), Code::BalanceLimit);
    let awarded = ledger.admit("platform", award(ANN, most));
    let advice = ledger.refuse("platform", award(BEN, 1), Code::BalanceLimit);
    assert!(advice.contains("2^63"), "{advice}");
    // What one account holds may be more than was awarded, once others owe: by a gift or a void.
    ledger.admit("platform", gift(ANN, BEN, most));
    ledger.admit("platform", reverse(awarded, most));
    ledger.refuse("platform", award(ANN, 1), Code::BalanceLimit);
    assert_eq!(ledger.balance(BEN), i64::MAX);
    assert_eq!(ledger.balance(ANN), -i64::MAX);
    assert_eq!(ledger.state.totals().owed, most);
}

#[test]
fn a_balance_that_would_exceed_what_a_number_holds_is_refused() {
    let mut ledger = Ledger::new();
    let half = 1 << 62;
    // Given away and taken back twice, the points are with Ben, and owed by Ann and Eve.
    let first = ledger.admit("platform", award(ANN, half));
    let sent = ledger.admit("platform", gift(ANN, BEN, half));
    ledger.admit("platform", gift(BEN, EVE, half));
    ledger.admit("platform", void(sent));
    ledger.admit("platform", gift(ANN, EVE, half - 1));
    ledger.admit("platform", reverse(first, half));
    // Ben owes 2^62, Ann 2^62 − 1, and Eve holds 2^63 − 1.
    assert_eq!(ledger.balance(EVE), i64::MAX);
    ledger.admit("platform", award(4, 1));
    let advice = ledger.refuse("platform", gift(4, EVE, 1), Code::BalanceLimit);
    assert!(advice.contains("2^63"), "{advice}");
    let sent = ledger.admit("platform", gift(EVE, 5, 1));
    ledger.admit("platform", gift(4, EVE, 1));
    ledger.refuse("platform", void(sent), Code::BalanceLimit);
    let claimed = ledger.admit("platform", claim(EVE));
    ledger.admit("platform", award(5, OAK_PRICE));
    ledger.admit("platform", gift(5, EVE, OAK_PRICE));
    ledger.refuse("platform", void(claimed), Code::BalanceLimit);
    ledger.admit("platform", gift(EVE, 5, OAK_PRICE));
    ledger.admit("platform", void(claimed));
}

#[test]
fn more_owed_in_all_than_a_number_holds_is_refused() {
    let mut ledger = Ledger::new();
    let most = u64::try_from(i64::MAX).unwrap();
    let awarded = ledger.admit("platform", award(ANN, most - 1));
    let sent = ledger.admit("platform", gift(ANN, BEN, most - 1));
    ledger.admit("platform", gift(BEN, EVE, most - 1));
    ledger.admit("platform", void(sent));
    ledger.admit("platform", gift(ANN, 4, 2));
    // Ben owes 2^63 − 2, and Ann has as many less two: what is taken from Ann below 0 is owed too.
    let advice = ledger.refuse("platform", reverse(awarded, most - 1), Code::BalanceLimit);
    assert!(advice.contains("2^63"), "{advice}");
    ledger.admit("platform", reverse(awarded, most - 2));
    assert_eq!(
        (ledger.balance(ANN), ledger.balance(BEN)),
        (-1, 1 - i64::MAX)
    );
    assert_eq!(ledger.state.totals().owed, most);
    ledger.refuse("platform", reverse(awarded, 1), Code::BalanceLimit);
}

// ---------------------------------------------------------------------------------------------
// Rule 5: transfers and claims

#[test]
fn a_transfer_of_nothing_is_refused() {
    let mut ledger = Ledger::new();
    ledger.admit("platform", award(ANN, 5));
    ledger.refuse("platform", gift(ANN, BEN, 0), Code::PointsZero);
    ledger.refuse(
        "platform",
        spend(ANN, 0, TransferReason::Expired),
        Code::PointsZero,
    );
    ledger.admit("platform", gift(ANN, BEN, 1));
}

#[test]
fn a_transfer_of_more_than_the_account_holds_is_refused() {
    let mut ledger = Ledger::new();
    ledger.admit("platform", award(ANN, 5));
    ledger.refuse("platform", gift(ANN, BEN, 6), Code::BalanceShort);
    ledger.refuse("platform", gift(ANN, BEN, u64::MAX), Code::BalanceShort);
    ledger.refuse(
        "platform",
        spend(ANN, 6, TransferReason::SpentElsewhere),
        Code::BalanceShort,
    );
    ledger.refuse("platform", gift(EVE, BEN, 1), Code::BalanceShort);
    ledger.admit("platform", gift(ANN, BEN, 5));
    assert_eq!((ledger.balance(ANN), ledger.balance(BEN)), (0, 5));
}

#[test]
fn a_transfer_from_an_account_to_itself_is_refused() {
    let mut ledger = Ledger::new();
    ledger.admit("platform", award(ANN, 5));
    ledger.refuse("platform", gift(ANN, ANN, 1), Code::AccountSame);
    ledger.admit("platform", gift(ANN, BEN, 1));
}

#[test]
fn points_that_leave_are_counted_by_why() {
    let mut ledger = Ledger::new();
    ledger.admit("platform", award(ANN, 100));
    ledger.admit("platform", spend(ANN, 7, TransferReason::Expired));
    let spent = ledger.admit("platform", spend(ANN, 11, TransferReason::SpentElsewhere));
    let totals = ledger.state.totals().clone();
    assert_eq!(
        (totals.expired, totals.spent_elsewhere, totals.balances),
        (7, 11, 82)
    );
    ledger.admit("platform", void(spent));
    let totals = ledger.state.totals().clone();
    assert_eq!(
        (totals.expired, totals.spent_elsewhere, totals.balances),
        (7, 0, 93)
    );
}

#[test]
fn a_transfer_has_a_receiver_exactly_when_its_reason_does() {
    let mut ledger = Ledger::new();
    ledger.admit("platform", award(ANN, 5));
    let nobody = Transfer {
        to: None,
        ..gift(ANN, BEN, 1)
    };
    assert!(ledger.record("platform", nobody).encode().is_err());
    let somebody = Transfer {
        reason: TransferReason::Expired,
        ..gift(ANN, BEN, 1)
    };
    assert!(ledger.record("platform", somebody).encode().is_err());
    ledger.admit("platform", gift(ANN, BEN, 1));
}

#[test]
fn a_claim_off_the_price_is_refused() {
    let mut ledger = Ledger::new();
    ledger.admit("platform", award(ANN, 1000));
    for wrong in [0, OAK_PRICE - 1, OAK_PRICE + 1] {
        let said = Claim {
            points: Grams(wrong),
            ..claim(ANN)
        };
        let advice = ledger.refuse("platform", said, Code::PriceMismatch);
        assert!(advice.ends_with(&format!(" {OAK_PRICE}")), "{advice}");
    }
    ledger.admit("platform", claim(ANN));
    assert_eq!(ledger.balance(ANN), 900);
}

#[test]
fn a_claim_of_a_species_the_method_does_not_price_is_refused() {
    let mut ledger = Ledger::new();
    ledger.admit("platform", award(ANN, 1000));
    let said = Claim {
        species: SpeciesCode(3),
        ..claim(ANN)
    };
    ledger.refuse("platform", said, Code::SpeciesUnknown);
    // Known to the ledger by another method is not enough.
    let other = Method {
        id: MethodId(2),
        species: vec![species(3, "ash", OAK_PRICE)].try_into().unwrap(),
        ..method(1)
    };
    ledger.admit("g1+g2", other);
    let said = Claim {
        species: SpeciesCode(3),
        ..claim(ANN)
    };
    ledger.refuse("platform", said.clone(), Code::SpeciesUnknown);
    ledger.admit(
        "platform",
        Claim {
            method: MethodId(2),
            ..said
        },
    );
}

#[test]
fn a_claim_is_at_the_price_of_its_day_of_admission_or_of_the_day_before() {
    let mut ledger = Ledger::new();
    ledger.admit("platform", award(ANN, 1000));
    let dearer = vec![species(OAK, "oak", 150)];
    let second = Method {
        species: dearer.try_into().unwrap(),
        ..method(2)
    };
    let change = second.effective_from;
    ledger.admit("g1+g2", second);
    let new = || Claim {
        version: MethodVersion(2),
        points: Grams(150),
        ..claim(ANN)
    };
    let advice = ledger.refuse("platform", new(), Code::MethodVersion);
    assert!(advice.contains("version 1"), "{advice}");
    // On the day of the change both prices are right, whatever the day of issue.
    ledger.today = change;
    ledger.admit("platform", claim(ANN));
    ledger.admit("platform", new());
    // A day later the old one is not, not even for what says that it was issued before.
    ledger.today = change.later(1);
    let advice = ledger.refuse("platform", claim(ANN), Code::MethodVersion);
    assert!(advice.contains("version 2"), "{advice}");
    let issued_before = Record {
        issued_on: change,
        ..ledger.record("platform", claim(ANN))
    };
    ledger.refuse_record("platform", &issued_before, Code::MethodVersion);
    ledger.admit("platform", new());
    let wrong = Claim {
        method: MethodId(7),
        ..claim(ANN)
    };
    ledger.refuse("platform", wrong, Code::MethodUnknown);
}

#[test]
fn an_account_belongs_to_the_holder_whose_key_first_named_it() {
    let (mut ledger, _) = Ledger::with_oaks(10);
    ledger.admit("platform", award(ANN, 1000));
    let claimed = ledger.admit("platform", claim(ANN));
    // Another platform neither awards to the account nor spends from it, nor ties its claims.
    let advice = ledger.refuse("platform2", award(ANN, 5), Code::HolderRefused);
    assert!(advice.contains("first named"), "{advice}");
    for spent in [
        gift(ANN, BEN, 5),
        spend(ANN, 5, TransferReason::Expired),
        spend(ANN, 5, TransferReason::SpentElsewhere),
    ] {
        ledger.refuse("platform2", spent, Code::HolderRefused);
    }
    ledger.refuse("platform2", claim(ANN), Code::HolderRefused);
    ledger.refuse("platform2", assign(1, 1, &[claimed]), Code::HolderRefused);
    // Every key of the holder does.
    ledger.admit("platform-b", assign(1, 1, &[claimed]));
    ledger.admit("platform-b", gift(ANN, BEN, 5));
    // An account that was first named as a receiver is the sender's; anybody may give to it.
    ledger.refuse("platform2", award(BEN, 5), Code::HolderRefused);
    ledger.admit("platform2", award(EVE, 5));
    ledger.admit("platform2", gift(EVE, BEN, 5));
    ledger.refuse("platform2", gift(BEN, EVE, 5), Code::HolderRefused);
    ledger.refuse("platform", gift(EVE, BEN, 5), Code::HolderRefused);
}

#[test]
fn a_void_that_takes_from_another_holders_account_needs_that_holder() {
    let mut ledger = Ledger::new();
    ledger.admit(
        "g1+g2+city-planter",
        grant("city-planter", Role::Planter, "otherride"),
    );
    ledger.admit("platform2", award(BEN, 1));
    ledger.admit("platform", award(ANN, 100));
    let own = ledger.admit("platform", gift(ANN, EVE, 1));
    let given = ledger.admit("platform", gift(ANN, BEN, 10));
    let again = ledger.admit("platform", gift(ANN, BEN, 20));
    let third = ledger.admit("platform", gift(ANN, BEN, 30));
    let advice = ledger.refuse("platform", void(given), Code::ConsentMissing);
    assert!(advice.contains("that holder's platform keys"), "{advice}");
    for endorser in ["platform-b", "g1", "city-planter", "surveyor"] {
        ledger.refuse(
            &format!("platform+{endorser}"),
            void(given),
            Code::EndorserRefused,
        );
    }
    ledger.refuse("platform+platform2+g1", void(given), Code::EndorserRefused);
    ledger.admit("platform-b+platform2", void(given));
    assert_eq!((ledger.balance(ANN), ledger.balance(BEN)), (49, 51));
    // Where nobody else pays, nobody else endorses; governors take back what they must.
    ledger.refuse("platform+platform2", void(own), Code::EndorserRefused);
    ledger.admit("platform", void(own));
    ledger.admit("g1+g2", void(again));
    // A revoked key agrees to nothing.
    ledger.admit("g1+g2", revoke("platform2"));
    ledger.refuse("platform+platform2", void(third), Code::KeyRevoked);
}

#[test]
fn a_claim_that_the_account_cannot_pay_is_refused() {
    let mut ledger = Ledger::new();
    ledger.admit("platform", award(ANN, OAK_PRICE - 1));
    ledger.refuse("platform", claim(ANN), Code::BalanceShort);
    ledger.admit("platform", award(ANN, 1));
    ledger.admit("platform", claim(ANN));
    assert_eq!(ledger.balance(ANN), 0);
}

#[test]
fn a_claim_that_costs_nothing_is_refused() {
    let mut ledger = Ledger::new();
    let free = Method {
        id: MethodId(2),
        species: vec![species(3, "weed", 0), species(4, "ash", 1)]
            .try_into()
            .unwrap(),
        ..method(1)
    };
    ledger.admit("g1+g2", free);
    ledger.admit("platform", award(ANN, 5));
    let of = |code, points| Claim {
        method: MethodId(2),
        species: SpeciesCode(code),
        points: Grams(points),
        ..claim(ANN)
    };
    ledger.refuse("platform", of(3, 0), Code::PointsZero);
    ledger.admit("platform", of(4, 1));
}

// ---------------------------------------------------------------------------------------------
// Rule 4: plots and plantings

#[test]
fn a_plot_stated_again_without_a_quorum_is_refused() {
    let mut ledger = Ledger::with_plot();
    let again = || Plot {
        name: "a higher hill".parse().unwrap(),
        ..plot(1)
    };
    let advice = ledger.refuse("planter", again(), Code::QuorumShort);
    assert!(advice.contains("have 2 more"), "{advice}");
    let advice = ledger.refuse("planter+g1", again(), Code::QuorumShort);
    assert!(advice.contains("have 1 more"), "{advice}");
    ledger.refuse("planter+g1+g2+eve", again(), Code::EndorserRefused);
    ledger.refuse("g1+g2", again(), Code::RoleRefused);
    ledger.admit("planter+g1+g2", again());
    let stated = &ledger.state.plot(PlotNumber(1)).unwrap().plot;
    assert_eq!(stated.name.as_str(), "a higher hill");
}

#[test]
fn a_plot_stated_again_by_another_holder_is_handed_over() {
    let (mut ledger, _) = Ledger::with_oaks(5);
    ledger.refuse("planter2", plot(1), Code::QuorumShort);
    let said = ledger.planting(6, 1);
    let advice = ledger.refuse("planter2", said.clone(), Code::HolderRefused);
    assert!(advice.contains("holder"), "{advice}");
    ledger.admit("planter2+g2+g3", plot(1));
    let state = ledger.state.plot(PlotNumber(1)).unwrap();
    assert_eq!((state.holder.as_str(), state.standing()), ("otherland", 5));
    ledger.refuse("planter", said.clone(), Code::HolderRefused);
    ledger.admit("planter2", said);
}

#[test]
fn any_key_of_the_plots_holder_plants() {
    let mut ledger = Ledger::with_plot();
    let said = ledger.planting(1, 1);
    ledger.admit("planter-b", said);
}

#[test]
fn a_planting_on_no_plot_is_refused() {
    let mut ledger = Ledger::with_plot();
    let said = ledger.planting(1, 1);
    let wrong = Planting {
        plot: PlotNumber(2),
        ..said.clone()
    };
    ledger.refuse("planter", wrong, Code::PlotUnknown);
    ledger.admit("planter", said);
}

#[test]
fn a_planting_of_an_unknown_species_is_refused() {
    let mut ledger = Ledger::with_plot();
    let said = ledger.planting(1, 1);
    let wrong = Planting {
        species: SpeciesCode(3),
        ..said.clone()
    };
    ledger.refuse("planter", wrong, Code::SpeciesUnknown);
    ledger.admit("planter", said);
}

#[test]
fn more_trees_than_the_plot_holds_are_refused() {
    let mut ledger = Ledger::with_plot();
    let said = ledger.planting(1, PLOT_HOLDS + 1);
    let advice = ledger.refuse("planter", said.clone(), Code::PlotFull);
    assert!(advice.contains(&format!("holds {PLOT_HOLDS}")), "{advice}");
    let count = NonZeroU32::new(PLOT_HOLDS).unwrap();
    let full = ledger.admit("planter", Planting { count, ..said });
    let one_more = ledger.planting(PLOT_HOLDS + 1, 1);
    ledger.refuse("planter", one_more.clone(), Code::PlotFull);
    // Where one was lost, another has room.
    ledger.admit("planter", lost(full, 1, None));
    ledger.admit("planter", one_more);
}

#[test]
fn a_part_of_a_tree_does_not_fit() {
    let mut ledger = Ledger::new();
    // 1,999 m² at 5 a hectare: 0.9995 trees.
    let small = |area_m2| Plot {
        area_m2,
        trees_per_ha_max: 5,
        ..plot(1)
    };
    ledger.admit("planter", small(1_999));
    let said = ledger.planting(1, 1);
    let advice = ledger.refuse("planter", said.clone(), Code::PlotFull);
    assert!(advice.contains("holds 0"), "{advice}");
    ledger.admit("planter+g1+g2", small(2_000));
    ledger.admit("planter", said);
}

#[test]
fn a_plot_is_not_restated_smaller_than_what_stands_on_it() {
    let (mut ledger, _) = Ledger::with_oaks(50);
    let denser = |trees_per_ha_max| Plot {
        trees_per_ha_max,
        ..plot(1)
    };
    ledger.refuse("planter+g1+g2", denser(49), Code::PlotFull);
    let smaller = Plot {
        area_m2: 4_999,
        ..plot(1)
    };
    ledger.refuse("planter+g1+g2", smaller, Code::PlotFull);
    ledger.admit("planter+g1+g2", denser(50));
}

#[test]
fn a_planting_takes_the_plots_next_serials() {
    let mut ledger = Ledger::with_plot();
    // A plot's first serial is 1.
    for first in [0, 2, u32::MAX] {
        let wrong = ledger.planting(first, 10);
        let advice = ledger.refuse("planter", wrong, Code::SerialNotNext);
        assert!(advice.contains("must be 1,"), "{first}: {advice}");
    }
    let said = ledger.planting(1, 10);
    ledger.admit("planter", said);
    // 1 to 10 are taken: its first, inside, its last, behind a gap, and 0 once more.
    for (first, count) in [(1, 10), (4, 3), (10, 2), (12, 5), (0, 1)] {
        let wrong = ledger.planting(first, count);
        let advice = ledger.refuse("planter", wrong, Code::SerialNotNext);
        assert!(advice.contains("must be 11,"), "{first}+{count}: {advice}");
    }
    let right = ledger.planting(11, 5);
    ledger.admit("planter", right);
    let right = ledger.planting(16, 1);
    ledger.admit("planter", right);
}

#[test]
fn serials_are_a_plots_own() {
    let (mut ledger, _) = Ledger::with_oaks(10);
    ledger.admit("planter", plot(2));
    let said = Planting {
        plot: PlotNumber(2),
        ..ledger.planting(1, 10)
    };
    ledger.admit("planter", said);
}

#[test]
fn serials_end_at_the_last_number() {
    let mut ledger = Ledger::new();
    let vast = Plot {
        area_m2: u64::MAX,
        ..plot(1)
    };
    ledger.admit("planter", vast);
    let said = ledger.planting(1, u32::MAX - 2);
    ledger.admit("planter", said);
    let wrong = ledger.planting(u32::MAX - 1, 3);
    let advice = ledger.refuse("planter", wrong, Code::SerialNotNext);
    assert!(advice.contains("4294967295"), "{advice}");
    let right = ledger.planting(u32::MAX - 1, 2);
    let planting = ledger.admit("planter", right);
    let wrong = ledger.planting(u32::MAX, 1);
    let advice = ledger.refuse("planter", wrong, Code::SerialNotNext);
    assert!(advice.contains("no serials left"), "{advice}");
    // The last tree can be claimed, and no tree after it.
    let claims = ledger.oak_claims(2);
    ledger.refuse("platform", assign(1, u32::MAX, &claims), Code::TreeUnknown);
    ledger.admit("platform", assign(1, u32::MAX, &claims[..1]));
    ledger.refuse(
        "planter",
        lost(planting, 2, Some(u32::MAX)),
        Code::LossExcess,
    );
    ledger.admit("planter", lost(planting, 1, Some(u32::MAX)));
    assert_eq!(ledger.claim_tree(claims[0]), ClaimTree::Waiting);
}

#[test]
fn the_serials_and_the_evidence_of_a_voided_planting_are_never_used_again() {
    let (mut ledger, planting) = Ledger::with_oaks(10);
    let evidence = match &ledger.entries[usize::try_from(planting.0).unwrap()]
        .signed
        .record()
    {
        Record {
            statement: Statement::Planting(said),
            ..
        } => said.evidence,
        _ => panic!("no planting"),
    };
    ledger.admit("planter", void(planting));
    let again = ledger.planting(1, 10);
    let advice = ledger.refuse("planter", again, Code::SerialNotNext);
    assert!(advice.contains("must be 11,"), "{advice}");
    let right = ledger.planting(11, 10);
    let wrong = Planting {
        evidence,
        ..right.clone()
    };
    ledger.refuse("planter", wrong, Code::EvidenceReused);
    ledger.admit("planter", right);
}

#[test]
fn evidence_serves_once() {
    let mut ledger = Ledger::with_plot();
    let (planted, surveyed) = (ledger.planting(1, 10), ledger.survey());
    ledger.admit("planter", planted.clone());
    // Of a planting: for another planting, on another plot, for a survey.
    let next = ledger.planting(11, 1);
    let wrong = Planting {
        evidence: planted.evidence,
        ..next.clone()
    };
    ledger.refuse("planter", wrong.clone(), Code::EvidenceReused);
    ledger.admit("planter", plot(2));
    let elsewhere = Planting {
        plot: PlotNumber(2),
        first_serial: Serial(1),
        ..wrong
    };
    ledger.refuse("planter", elsewhere, Code::EvidenceReused);
    let wrong = Survey {
        evidence: planted.evidence,
        ..surveyed.clone()
    };
    ledger.refuse("surveyor", wrong, Code::EvidenceReused);
    // Of a survey: for another survey, for a planting.
    ledger.admit("surveyor", surveyed.clone());
    let again = Survey {
        evidence: surveyed.evidence,
        ..ledger.survey()
    };
    ledger.refuse("surveyor2", again, Code::EvidenceReused);
    let wrong = Planting {
        evidence: surveyed.evidence,
        ..next.clone()
    };
    ledger.refuse("planter", wrong, Code::EvidenceReused);
    ledger.admit("planter", next);
}

#[test]
fn the_evidence_of_an_award_may_show_twice() {
    let mut ledger = Ledger::new();
    ledger.admit("platform", award(ANN, 5));
    ledger.admit("platform", award(ANN, 5));
    assert_eq!(ledger.balance(ANN), 10);
}

// ---------------------------------------------------------------------------------------------
// Rule 6: assignments

#[test]
fn an_assignment_of_what_is_no_claim_is_refused() {
    let (mut ledger, planting) = Ledger::with_oaks(10);
    let claims = ledger.oak_claims(1);
    for wrong in [
        planting,
        Index(0),
        Index(ledger.state.entries()),
        Index(u64::MAX),
    ] {
        ledger.refuse(
            "platform",
            assign(1, 1, &[claims[0], wrong]),
            Code::ClaimUnknown,
        );
    }
    ledger.admit("platform", assign(1, 1, &claims));
}

#[test]
fn an_assignment_of_a_voided_claim_is_refused() {
    let (mut ledger, _) = Ledger::with_oaks(10);
    let claims = ledger.oak_claims(2);
    ledger.admit("platform", void(claims[0]));
    ledger.refuse("platform", assign(1, 1, &claims), Code::ClaimUnknown);
    ledger.admit("platform", assign(1, 1, &claims[1..]));
}

#[test]
fn an_assignment_of_a_claim_that_has_a_tree_is_refused() {
    let (mut ledger, _, claims, assignment) = Ledger::with_assigned(10, 2);
    ledger.refuse("platform", assign(1, 5, &claims), Code::ClaimTaken);
    ledger.refuse("platform", assign(1, 1, &claims), Code::ClaimTaken);
    ledger.admit("platform", void(assignment));
    ledger.admit("platform", assign(1, 5, &claims));
    assert_eq!(ledger.claim_tree(claims[1]), tied(6));
}

#[test]
fn a_claim_twice_in_an_assignment_is_refused() {
    let (mut ledger, _) = Ledger::with_oaks(10);
    let claims = ledger.oak_claims(2);
    let twice = [claims[0], claims[1], claims[0]];
    ledger.refuse("platform", assign(1, 1, &twice), Code::ClaimTaken);
    ledger.admit("platform", assign(1, 1, &claims));
}

#[test]
fn an_assignment_of_trees_that_were_not_planted_is_refused() {
    let (mut ledger, planting) = Ledger::with_oaks(3);
    let claims = ledger.oak_claims(2);
    for first in [0, 3, 4, 1000] {
        ledger.refuse("platform", assign(1, first, &claims), Code::TreeUnknown);
    }
    ledger.refuse("platform", assign(2, 1, &claims), Code::PlotUnknown);
    // Those of a voided planting neither.
    let said = ledger.planting(4, 3);
    ledger.admit("planter", said);
    ledger.admit("planter", void(planting));
    ledger.refuse("platform", assign(1, 3, &claims), Code::TreeUnknown);
    ledger.admit("platform", assign(1, 4, &claims));
}

#[test]
fn an_assignment_may_span_plantings() {
    let (mut ledger, _) = Ledger::with_oaks(3);
    let said = ledger.planting(4, 3);
    ledger.admit("planter", said);
    let claims = ledger.oak_claims(4);
    ledger.admit("platform", assign(1, 2, &claims));
    assert_eq!(ledger.claim_tree(claims[3]), tied(5));
    assert_eq!(
        ledger.state.tree(PlotNumber(1), Serial(2)).unwrap().claim,
        claims[0]
    );
}

#[test]
fn an_assignment_of_a_tree_that_has_a_claim_is_refused() {
    let (mut ledger, _, _, _) = Ledger::with_assigned(10, 3);
    let claims = ledger.oak_claims(2);
    ledger.refuse("platform", assign(1, 3, &claims), Code::TreeTaken);
    ledger.refuse("platform", assign(1, 2, &claims), Code::TreeTaken);
    ledger.admit("platform", assign(1, 4, &claims));
}

#[test]
fn an_assignment_of_a_lost_tree_is_refused() {
    let (mut ledger, planting) = Ledger::with_oaks(10);
    let claims = ledger.oak_claims(2);
    ledger.admit("planter", lost(planting, 3, Some(2)));
    for first in [1, 2, 4] {
        ledger.refuse("platform", assign(1, first, &claims), Code::TreeLost);
    }
    ledger.admit("platform", assign(1, 5, &claims));
    ledger.admit("platform", award(ANN, OAK_PRICE));
    let third = ledger.admit("platform", claim(ANN));
    ledger.admit("platform", assign(1, 1, &[third]));
}

#[test]
fn an_assignment_of_several_species_is_refused() {
    let (mut ledger, _) = Ledger::with_oaks(3);
    let said = ledger.elms(4, 3);
    ledger.admit("planter", said);
    ledger.admit("platform", award(ANN, 1000));
    let oaks = [
        ledger.admit("platform", claim(ANN)),
        ledger.admit("platform", claim(ANN)),
    ];
    let elm = ledger.admit("platform", elm_claim(ANN));
    // An oak's claim on an elm, an elm's on an oak, trees of both, claims of both with fitting
    // trees.
    let advice = ledger.refuse("platform", assign(1, 4, &oaks[..1]), Code::SpeciesMismatch);
    assert!(advice.contains("one species"), "{advice}");
    ledger.refuse("platform", assign(1, 1, &[elm]), Code::SpeciesMismatch);
    ledger.refuse("platform", assign(1, 3, &oaks), Code::SpeciesMismatch);
    ledger.refuse(
        "platform",
        assign(1, 3, &[oaks[0], elm]),
        Code::SpeciesMismatch,
    );
    ledger.admit("platform", assign(1, 4, &[elm]));
    ledger.admit("platform", assign(1, 2, &oaks));
}

#[test]
fn more_assigned_of_a_planting_than_stand_are_refused() {
    let (mut ledger, planting) = Ledger::with_oaks(4);
    // Ten live ones beside them don't hide those that were lost.
    let said = ledger.planting(5, 10);
    ledger.admit("planter", said);
    let claims = ledger.oak_claims(4);
    let loss = ledger.admit("planter", lost(planting, 2, None));
    let advice = ledger.refuse("platform", assign(1, 1, &claims[..3]), Code::TreesShort);
    assert!(advice.starts_with("2 of them stand"), "{advice}");
    ledger.refuse("platform", assign(1, 2, &claims), Code::TreesShort);
    ledger.admit("platform", assign(1, 1, &claims[..2]));
    ledger.refuse("platform", assign(1, 4, &claims[2..]), Code::TreesShort);
    // Nor does a planting that fell short keep claims from others.
    ledger.admit("planter", lost(planting, 1, None));
    ledger.admit("platform", assign(1, 5, &claims[2..3]));
    ledger.admit("planter", void(loss));
    ledger.admit("platform", assign(1, 4, &claims[3..]));
}

#[test]
fn the_trees_of_a_plot_are_for_the_platforms_that_it_names() {
    let (mut ledger, _) = Ledger::with_oaks(10);
    let holder = match &ledger.state.key(&public("platform")).unwrap().role {
        KeyRole::Issuer { holder, .. } => holder.to_string(),
        other => panic!("{other:?}"),
    };
    let (own, other) = (holder, "somebody-else".to_owned());
    let claims = ledger.oak_claims(3);
    let named = |holders: &[&str]| Plot {
        platforms: platforms(holders),
        ..plot(1)
    };
    // Before it names anybody the trees are for all.
    ledger.admit("platform", assign(1, 1, &claims[..1]));
    ledger.admit("planter+g1+g2", named(&[&other]));
    let advice = ledger.refuse(
        "platform",
        assign(1, 2, &claims[1..2]),
        Code::PlatformNotNamed,
    );
    assert!(advice.contains(&other), "{advice}");
    assert_eq!(ledger.claim_tree(claims[0]), tied(1));
    let mut both = [own.as_str(), other.as_str()];
    both.sort_unstable();
    ledger.admit("planter+g1+g2", named(&both));
    ledger.admit("platform", assign(1, 2, &claims[1..2]));
    ledger.admit("planter+g1+g2", named(&[]));
    ledger.admit("platform", assign(1, 3, &claims[2..]));
}

// ---------------------------------------------------------------------------------------------
// Rule 7: surveys

#[test]
fn a_survey_by_books_that_are_yet_to_come_is_refused() {
    let mut ledger = Ledger::with_plot();
    let said = ledger.survey();
    let by = |as_of| Survey {
        as_of: Index(as_of),
        ..said.clone()
    };
    let next = ledger.state.entries();
    // Its own index, and beyond.
    for as_of in [next, next + 1, u64::MAX] {
        let advice = ledger.refuse("surveyor", by(as_of), Code::AsOfUnknown);
        assert!(advice.contains("newest entry"), "{advice}");
    }
    ledger.admit("surveyor", by(next - 1));
}

#[test]
fn what_a_survey_looked_for_has_no_limit() {
    let mut ledger = Ledger::with_plot();
    let said = Survey {
        alive: u32::MAX,
        dead: u32::MAX,
        not_found: u32::MAX,
        dead_known: u32::MAX,
        revived: u32::MAX,
        ..ledger.survey()
    };
    assert_eq!(said.looked_for(), 3 * u64::from(u32::MAX));
    ledger.admit("surveyor", said);
}

#[test]
fn a_survey_that_found_more_than_the_ledger_holds_goes_in() {
    let (mut ledger, planting) = Ledger::with_oaks(5);
    let said = Survey {
        planting: Some(planting),
        alive: 1_000,
        dead: 2_000,
        not_found: 1_000,
        ..ledger.survey()
    };
    let index = ledger.admit("surveyor", said);
    let (found, _) = ledger.state.surveys(PlotNumber(1)).next_back().unwrap();
    assert_eq!(found, index);
    assert_eq!(
        ledger.state.totals().standing,
        5,
        "a survey changes no count"
    );
}

#[test]
fn a_survey_of_no_plot_or_of_no_planting_there_is_refused() {
    let (mut ledger, planting) = Ledger::with_oaks(5);
    ledger.admit("planter", plot(2));
    let said = ledger.survey();
    let of = |plot, planting| Survey {
        plot: PlotNumber(plot),
        planting,
        ..said.clone()
    };
    ledger.refuse("surveyor", of(3, None), Code::PlotUnknown);
    ledger.refuse("surveyor", of(2, Some(planting)), Code::PlantingUnknown);
    ledger.refuse("surveyor", of(1, Some(Index(0))), Code::PlantingUnknown);
    ledger.refuse("surveyor", of(1, Some(Index(9_999))), Code::PlantingUnknown);
    ledger.admit("surveyor", of(1, Some(planting)));
}

// ---------------------------------------------------------------------------------------------
// Rule 8: corrections

#[test]
fn a_correction_of_no_entry_is_refused() {
    let mut ledger = Ledger::new();
    let awarded = ledger.admit("platform", award(ANN, 5));
    // Its own index, and beyond.
    for target in [ledger.state.entries(), 9_999, u64::MAX] {
        ledger.refuse("platform", reverse(Index(target), 1), Code::TargetUnknown);
        ledger.refuse("platform", void(Index(target)), Code::TargetUnknown);
    }
    ledger.admit("platform", reverse(awarded, 1));
}

#[test]
fn a_reversal_beyond_its_award_is_refused() {
    let mut ledger = Ledger::new();
    let awarded = ledger.admit("platform", award(ANN, 100));
    ledger.admit("platform", award(ANN, 100));
    let advice = ledger.refuse("platform", reverse(awarded, 101), Code::ReversalExcess);
    assert!(advice.contains("at most 100"), "{advice}");
    ledger.admit("platform", reverse(awarded, 60));
    let advice = ledger.refuse("platform", reverse(awarded, 41), Code::ReversalExcess);
    assert!(advice.contains("at most 40"), "{advice}");
    ledger.refuse("platform", reverse(awarded, u64::MAX), Code::ReversalExcess);
    ledger.admit("platform", reverse(awarded, 40));
    ledger.refuse("platform", reverse(awarded, 1), Code::ReversalExcess);
    assert_eq!(
        (ledger.balance(ANN), ledger.state.totals().reversed),
        (100, 100)
    );
}

#[test]
fn a_reversal_of_nothing_is_refused() {
    let mut ledger = Ledger::new();
    let awarded = ledger.admit("platform", award(ANN, 5));
    ledger.refuse("platform", reverse(awarded, 0), Code::PointsZero);
    ledger.admit("platform", reverse(awarded, 1));
}

#[test]
fn a_negative_balance_is_reported_and_cannot_spend() {
    let mut ledger = Ledger::new();
    let awarded = ledger.admit("platform", award(ANN, 300));
    let claimed = ledger.admit("platform", claim(ANN));
    ledger.admit("platform", gift(ANN, BEN, 150));
    ledger.admit("platform", reverse(awarded, 300));
    assert_eq!(
        (ledger.balance(ANN), ledger.state.totals().accounts_negative),
        (-250, 1)
    );
    ledger.refuse("platform", gift(ANN, BEN, 1), Code::BalanceShort);
    ledger.refuse("platform", claim(ANN), Code::BalanceShort);
    ledger.refuse(
        "platform",
        spend(ANN, 1, TransferReason::Expired),
        Code::BalanceShort,
    );
    // Mended, it spends again.
    ledger.admit("platform", void(claimed));
    assert_eq!(
        (ledger.balance(ANN), ledger.state.totals().accounts_negative),
        (-150, 1)
    );
    ledger.admit("platform", gift(BEN, ANN, 150));
    assert_eq!(
        (ledger.balance(ANN), ledger.state.totals().accounts_negative),
        (0, 0)
    );
    ledger.refuse("platform", gift(ANN, BEN, 1), Code::BalanceShort);
    ledger.admit("platform", award(ANN, 1));
    ledger.admit("platform", gift(ANN, BEN, 1));
}

#[test]
fn a_voided_transfer_may_leave_its_receiver_negative() {
    let mut ledger = Ledger::new();
    ledger.admit("platform", award(ANN, 10));
    let given = ledger.admit("platform", gift(ANN, BEN, 10));
    ledger.admit("platform", gift(BEN, EVE, 4));
    ledger.admit("platform", void(given));
    assert_eq!(
        (
            ledger.balance(ANN),
            ledger.balance(BEN),
            ledger.balance(EVE)
        ),
        (10, -4, 4)
    );
    assert_eq!(ledger.state.totals().accounts_negative, 1);
    ledger.refuse("platform", gift(BEN, EVE, 1), Code::BalanceShort);
    ledger.admit("platform", gift(ANN, BEN, 4));
    assert_eq!(ledger.state.totals().accounts_negative, 0);
}

#[test]
fn more_lost_than_stand_are_refused() {
    let (mut ledger, planting) = Ledger::with_oaks(10);
    // Others that stand on the plot are another planting's.
    let said = ledger.planting(11, 10);
    ledger.admit("planter", said);
    let advice = ledger.refuse("planter", lost(planting, 11, None), Code::LossExcess);
    assert!(
        advice.contains("10 trees") && advice.contains("1 to 10"),
        "{advice}"
    );
    ledger.admit("planter", lost(planting, 4, None));
    let advice = ledger.refuse("planter", lost(planting, 7, None), Code::LossExcess);
    assert!(advice.contains("6 trees"), "{advice}");
    ledger.refuse("planter", lost(planting, 7, Some(1)), Code::LossExcess);
    ledger.admit("planter", lost(planting, 6, Some(1)));
    ledger.refuse("planter", lost(planting, 1, None), Code::LossExcess);
    let totals = ledger.state.totals();
    assert_eq!(
        (totals.planted(), totals.lost, totals.standing),
        (20, 10, 10)
    );
}

/// What the state keeps of a loss and of a planting is proven as a whole: an entry that made it too large would be
/// admitted, and no state root could ever be made again.
#[test]
fn what_is_noted_of_losses_has_a_bound() {
    let mut ledger = Ledger::new();
    let mut wide = plot(1);
    wide.area_m2 = 10_000_000;
    wide.place = PlotPlace::Circle(Circle {
        latitude: Latitude::try_from(377_000_000).unwrap(),
        longitude: Longitude::try_from(-1_224_000_000).unwrap(),
        radius_m: 2_000,
    });
    ledger.admit("planter", wide);
    let said = ledger.planting(1, 50_000);
    let planting = ledger.admit("planter", said);
    let claims = ledger.oak_claims(16_385);
    for (first, claims) in (1..).step_by(1_024).zip(claims.chunks(1_024)) {
        ledger.admit("platform", assign(1, first, claims));
    }
    let advice = ledger.refuse("planter", lost(planting, 20_000, Some(1)), Code::LossExcess);
    assert!(advice.contains("several parts"), "{advice}");
    let loss = ledger.admit("planter", lost(planting, 20_000, Some(2)));
    ledger.state.roots().unwrap();
    assert_eq!(ledger.state.totals().assigned, 1);
    ledger.admit("planter", void(loss));
    assert_eq!(ledger.state.totals().assigned, 16_385);
    for tree in 0..8_192 {
        ledger.admit("planter", lost(planting, 1, Some(20_001 + 2 * tree)));
    }
    ledger.state.roots().unwrap();
    let advice = ledger.refuse("planter", lost(planting, 1, Some(50_000)), Code::LossExcess);
    assert!(advice.contains("without serials"), "{advice}");
    ledger.admit("planter", lost(planting, 1, None));
}

#[test]
fn a_loss_outside_of_its_planting_is_refused() {
    let (mut ledger, planting) = Ledger::with_oaks(10);
    let said = ledger.planting(11, 10);
    ledger.admit("planter", said);
    for (count, first) in [(1, 0), (1, 11), (3, 9), (2, 0), (2, u32::MAX)] {
        let said = lost(planting, count, Some(first));
        let advice = ledger.refuse("planter", said, Code::LossExcess);
        assert!(advice.contains("1 to 10"), "{advice}");
    }
    ledger.admit("planter", lost(planting, 2, Some(9)));
}

#[test]
fn a_tree_is_lost_once() {
    let (mut ledger, planting) = Ledger::with_oaks(10);
    let loss = ledger.admit("planter", lost(planting, 3, Some(4)));
    for (count, first) in [(3, 4), (1, 5), (2, 3), (2, 6), (5, 3)] {
        ledger.refuse(
            "planter",
            lost(planting, count, Some(first)),
            Code::TreeLost,
        );
    }
    ledger.admit("planter", lost(planting, 1, Some(3)));
    ledger.admit("planter", lost(planting, 1, Some(7)));
    // What was found again can be lost again.
    ledger.admit("planter", void(loss));
    ledger.admit("planter", lost(planting, 3, Some(4)));
    assert_eq!(ledger.state.totals().lost, 5);
}

#[test]
fn a_loss_by_serial_makes_the_claim_wait_and_its_void_gives_the_tree_back() {
    let (mut ledger, planting, claims, _) = Ledger::with_assigned(10, 3);
    let loss = ledger.admit("planter", lost(planting, 2, Some(2)));
    assert_eq!(ledger.claim_tree(claims[0]), tied(1));
    assert_eq!(ledger.claim_tree(claims[1]), ClaimTree::Waiting);
    assert_eq!(ledger.claim_tree(claims[2]), ClaimTree::Waiting);
    assert!(ledger.state.tree(PlotNumber(1), Serial(2)).is_none());
    let totals = ledger.state.totals();
    assert_eq!(
        (totals.assigned, totals.waiting, totals.standing),
        (1, 2, 8)
    );
    assert_eq!(ledger.state.plot(PlotNumber(1)).unwrap().shortfall(), 0);
    // One of them gets another tree meanwhile, and keeps it.
    ledger.admit("platform", assign(1, 9, &claims[2..]));
    ledger.admit("planter", void(loss));
    assert_eq!(ledger.claim_tree(claims[1]), tied(2));
    assert_eq!(ledger.claim_tree(claims[2]), tied(9));
    assert!(ledger.state.tree(PlotNumber(1), Serial(3)).is_none());
    let totals = ledger.state.totals();
    assert_eq!(
        (totals.assigned, totals.waiting, totals.standing),
        (3, 0, 10)
    );
}

#[test]
fn a_tree_does_not_come_back_to_a_claim_whose_assignment_was_voided() {
    let (mut ledger, planting, claims, assignment) = Ledger::with_assigned(10, 2);
    let loss = ledger.admit("planter", lost(planting, 1, Some(1)));
    ledger.admit("platform", void(assignment));
    ledger.admit("planter", void(loss));
    for claim in claims {
        assert_eq!(ledger.claim_tree(claim), ClaimTree::Waiting);
    }
    assert!(ledger.state.tree(PlotNumber(1), Serial(1)).is_none());
}

#[test]
fn a_tree_does_not_come_back_to_a_voided_claim() {
    let (mut ledger, planting, claims, _) = Ledger::with_assigned(10, 1);
    let loss = ledger.admit("planter", lost(planting, 1, Some(1)));
    ledger.admit("platform", void(claims[0]));
    ledger.admit("planter", void(loss));
    assert_eq!(ledger.claim_tree(claims[0]), ClaimTree::Voided);
    assert!(ledger.state.tree(PlotNumber(1), Serial(1)).is_none());
    let others = ledger.oak_claims(1);
    ledger.admit("platform", assign(1, 1, &others));
}

#[test]
fn a_loss_by_count_names_nobody_and_shows_as_shortfall() {
    let (mut ledger, planting, claims, _) = Ledger::with_assigned(5, 4);
    let loss = ledger.admit("planter", lost(planting, 3, None));
    for (serial, claim) in (1..).zip(&claims) {
        assert_eq!(ledger.claim_tree(*claim), tied(serial));
    }
    let plot = ledger.state.plot(PlotNumber(1)).unwrap();
    assert_eq!(
        (plot.standing(), plot.assigned, plot.shortfall()),
        (2, 4, 2)
    );
    ledger.admit("planter", void(loss));
    let plot = ledger.state.plot(PlotNumber(1)).unwrap();
    assert_eq!(
        (plot.standing(), plot.assigned, plot.shortfall()),
        (5, 4, 0)
    );
}

#[test]
fn a_void_of_a_loss_that_leaves_no_room_is_refused() {
    let (mut ledger, planting) = Ledger::with_oaks(PLOT_HOLDS);
    let loss = ledger.admit("planter", lost(planting, 10, None));
    let said = ledger.planting(PLOT_HOLDS + 1, 1);
    let replanted = ledger.admit("planter", said);
    let advice = ledger.refuse("planter", void(loss), Code::PlotFull);
    assert!(advice.contains(&format!("holds {PLOT_HOLDS}")), "{advice}");
    ledger.admit("planter", void(replanted));
    ledger.admit("planter", void(loss));
}

#[test]
fn a_void_of_a_claim_frees_its_tree_and_returns_its_points() {
    let (mut ledger, _, claims, _) = Ledger::with_assigned(5, 2);
    ledger.admit("platform", void(claims[0]));
    assert_eq!(ledger.claim_tree(claims[0]), ClaimTree::Voided);
    assert_eq!(ledger.balance(ANN), i64::try_from(OAK_PRICE).unwrap());
    let totals = ledger.state.totals();
    assert_eq!((totals.claimed, totals.claims), (u128::from(OAK_PRICE), 1));
    assert_eq!((totals.assigned, totals.waiting), (1, 0));
    let next = ledger.admit("platform", claim(ANN));
    ledger.admit("platform", assign(1, 1, &[next]));
    // A waiting one too.
    let waiting = ledger.oak_claims(1);
    ledger.admit("platform", void(waiting[0]));
    assert_eq!(ledger.claim_tree(waiting[0]), ClaimTree::Voided);
}

#[test]
fn a_void_of_an_assignment_makes_its_claims_wait() {
    let (mut ledger, _, claims, assignment) = Ledger::with_assigned(5, 3);
    let others = ledger.oak_claims(1);
    ledger.admit("platform", assign(1, 4, &others));
    ledger.admit("platform", void(claims[0]));
    ledger.admit("platform", void(assignment));
    assert_eq!(ledger.claim_tree(claims[0]), ClaimTree::Voided);
    assert_eq!(ledger.claim_tree(claims[1]), ClaimTree::Waiting);
    assert_eq!(ledger.claim_tree(others[0]), tied(4));
    assert_eq!(ledger.state.totals().assigned, 1);
}

#[test]
fn a_void_of_an_assignment_leaves_what_others_tied_since() {
    let (mut ledger, _, claims, first) = Ledger::with_assigned(5, 2);
    ledger.admit("platform", void(claims[0]));
    let others = ledger.oak_claims(1);
    ledger.admit("platform", assign(1, 1, &others));
    ledger.admit("platform", void(first));
    assert_eq!(ledger.claim_tree(others[0]), tied(1));
    assert_eq!(ledger.claim_tree(claims[1]), ClaimTree::Waiting);
}

#[test]
fn a_void_of_a_planting_with_an_assigned_tree_is_refused() {
    let (mut ledger, planting, claims, _) = Ledger::with_assigned(5, 1);
    let advice = ledger.refuse("planter", void(planting), Code::VoidBlocked);
    assert!(advice.contains("assignments"), "{advice}");
    ledger.admit("platform", void(claims[0]));
    ledger.admit("planter", void(planting));
    let totals = ledger.state.totals();
    assert_eq!((totals.planted_recorded, totals.planted_voided), (5, 5));
    assert_eq!((totals.planted(), totals.lost, totals.standing), (0, 0, 0));
}

#[test]
fn a_planting_whose_assigned_tree_was_lost_can_be_voided() {
    let (mut ledger, planting, claims, _) = Ledger::with_assigned(5, 1);
    let loss = ledger.admit("planter", lost(planting, 1, Some(1)));
    ledger.admit("planter", void(planting));
    // Its trees were never there: none is lost, and no loss is taken back.
    let totals = ledger.state.totals();
    assert_eq!((totals.planted(), totals.lost, totals.standing), (0, 0, 0));
    ledger.refuse("planter", void(loss), Code::TargetVoided);
    ledger.refuse("planter", lost(planting, 1, None), Code::TargetVoided);
    let said = ledger.planting(6, 1);
    ledger.admit("planter", said);
    ledger.admit("platform", assign(1, 6, &claims));
}

#[test]
fn a_void_of_a_survey_takes_it_back() {
    let mut ledger = Ledger::with_plot();
    let said = ledger.survey();
    let surveyed = ledger.admit("surveyor", said);
    ledger.admit("surveyor-b", void(surveyed));
    assert_eq!(ledger.state.surveys(PlotNumber(1)).count(), 0);
}

#[test]
fn a_second_void_is_refused() {
    let (mut ledger, planting) = Ledger::with_oaks(10);
    ledger.admit("platform", award(ANN, 1000));
    let given = ledger.admit("platform", gift(ANN, BEN, 10));
    let claimed = ledger.admit("platform", claim(ANN));
    let assigned = ledger.admit("platform", assign(1, 1, &[claimed]));
    let loss = ledger.admit("planter", lost(planting, 1, Some(9)));
    let said = ledger.survey();
    let surveyed = ledger.admit("surveyor", said);
    for (who, target) in [
        ("platform", given),
        ("platform", assigned),
        ("platform", claimed),
        ("planter", loss),
        ("planter", planting),
        ("surveyor", surveyed),
    ] {
        ledger.admit(who, void(target));
        ledger.refuse(who, void(target), Code::TargetVoided);
        ledger.refuse("g1+g2", void(target), Code::TargetVoided);
    }
}

#[test]
fn what_is_not_voided_ever() {
    let mut ledger = Ledger::with_plot();
    let awarded = ledger.admit("platform", award(ANN, 1000));
    let reversed = ledger.admit("platform", reverse(awarded, 5));
    let given = ledger.admit("platform", gift(ANN, BEN, 10));
    let voided = ledger.admit("platform", void(given));
    // An award, a reversal, a void.
    for target in [awarded, reversed, voided] {
        let advice = ledger.refuse("platform", void(target), Code::TargetRefused);
        assert!(advice.contains("transfers, plantings, surveys"), "{advice}");
        ledger.refuse("g1+g2", void(target), Code::TargetRefused);
    }
    let stated = Index(ledger.entries.iter().position(is_plot).unwrap() as u64);
    ledger.refuse("planter", void(stated), Code::TargetRefused);
    // Nothing that governors said, by anybody.
    ledger.admit("g1+g2", revoke("platform2"));
    ledger.admit("g1+g2+log2", log_key("log2"));
    ledger.admit("g1+g2+g4", governors(&["g1", "g2", "g4"], 2));
    for index in 0..ledger.state.entries() {
        let entry = &ledger.entries[usize::try_from(index).unwrap()];
        let by = entry.signed.record().issuer;
        if by == public("g1") {
            ledger.refuse("g1+g2", void(Index(index)), Code::TargetRefused);
        }
    }
    ledger.admit("platform", reverse(awarded, 5));
}

fn is_plot(entry: &SignedEntry) -> bool {
    matches!(entry.signed.record().statement, Statement::Plot(_))
}

#[test]
fn each_remedy_is_refused_on_what_it_does_not_fit() {
    let (mut ledger, planting) = Ledger::with_oaks(10);
    let awarded = ledger.admit("platform", award(ANN, 1000));
    let given = ledger.admit("platform", gift(ANN, BEN, 10));
    let claimed = ledger.admit("platform", claim(ANN));
    let assigned = ledger.admit("platform", assign(1, 1, &[claimed]));
    let said = ledger.survey();
    let surveyed = ledger.admit("surveyor", said);
    let loss = ledger.admit("planter", lost(planting, 1, None));
    let stated = Index(ledger.entries.iter().position(is_plot).unwrap() as u64);
    let governed = Index(0);
    for target in [
        planting, given, claimed, assigned, surveyed, loss, stated, governed,
    ] {
        let advice = ledger.refuse("g1+g2", reverse(target, 1), Code::TargetRefused);
        assert!(advice.contains("awards"), "{advice}");
    }
    for target in [
        awarded, given, claimed, assigned, surveyed, loss, stated, governed,
    ] {
        let advice = ledger.refuse("g1+g2", lost(target, 1, None), Code::TargetRefused);
        assert!(advice.contains("plantings"), "{advice}");
    }
    ledger.admit("g1+g2", reverse(awarded, 1));
    ledger.admit("g1+g2", lost(planting, 1, None));
}

#[test]
fn who_corrects_is_of_the_same_holder_and_role() {
    let (mut ledger, planting) = Ledger::with_oaks(10);
    ledger.admit(
        "g1+g2+city-planter",
        grant("city-planter", Role::Planter, "cityride"),
    );
    let awarded = ledger.admit("platform", award(ANN, 1000));
    let given = ledger.admit("platform", gift(ANN, BEN, 10));
    let said = ledger.survey();
    let surveyed = ledger.admit("surveyor", said);
    // Another holder of the role; the same holder in another role; any other role.
    let cases: [(Correction, &str, &[&str]); 5] = [
        (
            reverse(awarded, 1),
            "platform-b",
            &["platform2", "city-planter", "surveyor"],
        ),
        (
            void(given),
            "platform-b",
            &["platform2", "city-planter", "surveyor"],
        ),
        (
            lost(planting, 1, None),
            "planter-b",
            &["planter2", "platform", "city-planter"],
        ),
        (
            void(planting),
            "planter-b",
            &["planter2", "platform", "surveyor"],
        ),
        (
            void(surveyed),
            "surveyor-b",
            &["surveyor2", "planter", "platform"],
        ),
    ];
    for (said, right, wrong) in cases {
        for who in wrong {
            let advice = ledger.refuse(who, said.clone(), Code::HolderRefused);
            assert!(advice.contains("same holder and role"), "{advice}");
        }
        ledger.admit(right, said);
    }
}

#[test]
fn a_surveyor_only_says_lost() {
    let (mut ledger, planting) = Ledger::with_oaks(10);
    let awarded = ledger.admit("platform", award(ANN, 1000));
    let claimed = ledger.admit("platform", claim(ANN));
    for said in [reverse(awarded, 1), void(claimed), void(planting)] {
        ledger.refuse("surveyor", said, Code::HolderRefused);
    }
    let loss = ledger.admit("surveyor", lost(planting, 2, Some(1)));
    ledger.admit("surveyor2", lost(planting, 1, None));
    // That loss is the surveyor's own saying, then: its house takes it back, the planter doesn't.
    ledger.refuse("planter", void(loss), Code::HolderRefused);
    ledger.refuse("surveyor2", void(loss), Code::HolderRefused);
    ledger.admit("surveyor-b", void(loss));
}

#[test]
fn governors_correct_anything_with_their_quorum() {
    let (mut ledger, planting) = Ledger::with_oaks(10);
    let awarded = ledger.admit("platform", award(ANN, 1000));
    let given = ledger.admit("platform", gift(ANN, BEN, 10));
    let claimed = ledger.admit("platform", claim(ANN));
    let assigned = ledger.admit("platform", assign(1, 1, &[claimed]));
    let said = ledger.survey();
    let surveyed = ledger.admit("surveyor", said);
    let loss = ledger.admit("planter", lost(planting, 1, Some(5)));
    for said in [
        reverse(awarded, 1),
        void(given),
        void(assigned),
        void(claimed),
        void(surveyed),
        void(loss),
        lost(planting, 1, None),
        void(planting),
    ] {
        let advice = ledger.refuse("g1", said.clone(), Code::QuorumShort);
        assert!(advice.contains("have 1 more"), "{advice}");
        ledger.refuse("g1+g2+platform", said.clone(), Code::EndorserRefused);
        ledger.admit("g3+g2", said);
    }
    // And nobody who governed before.
    ledger.admit("g1+g2", governors(&["g1", "g2"], 2));
    ledger.refuse("g3+g1+g2", reverse(awarded, 1), Code::RoleRefused);
    ledger.refuse("g1+g3", reverse(awarded, 1), Code::EndorserRefused);
    ledger.admit("g1+g2", reverse(awarded, 1));
}

#[test]
fn what_a_revoked_key_said_is_corrected_by_its_house() {
    let mut ledger = Ledger::new();
    let awarded = ledger.admit("platform", award(ANN, 5));
    ledger.admit("g1+g2", revoke("platform"));
    ledger.refuse("platform", reverse(awarded, 5), Code::KeyRevoked);
    ledger.admit("platform-b", reverse(awarded, 5));
}

// ---------------------------------------------------------------------------------------------
// Rule 9, over a ledger where everything happened

#[test]
fn the_totals_reconcile_and_show_a_sum_that_does_not() {
    let (mut ledger, planting, claims, assignment) = Ledger::with_assigned(20, 3);
    let awarded = ledger.admit("platform", award(BEN, 70));
    ledger.admit("platform", spend(BEN, 5, TransferReason::Expired));
    ledger.admit("platform", spend(BEN, 6, TransferReason::SpentElsewhere));
    ledger.admit("platform", reverse(awarded, 65));
    ledger.admit("planter", lost(planting, 4, Some(1)));
    ledger.admit("planter", lost(planting, 2, None));
    ledger.admit("platform", void(claims[2]));
    ledger.admit("platform", void(assignment));
    let said = ledger.planting(21, 7);
    let second = ledger.admit("planter", said);
    ledger.admit("planter", void(second));
    // `admit` checked rule 9 after each; here are the numbers themselves.
    let totals = ledger.state.totals().clone();
    assert_eq!((totals.awarded, totals.reversed), (370, 65));
    assert_eq!(
        (totals.expired, totals.spent_elsewhere, totals.claimed),
        (5, 6, 200)
    );
    assert_eq!((totals.balances, totals.accounts_negative), (94, 1));
    assert_eq!((totals.planted_recorded, totals.planted_voided), (27, 7));
    assert_eq!((totals.lost, totals.standing), (6, 14));
    assert_eq!((totals.claims, totals.assigned, totals.waiting), (2, 0, 2));
    let mut wrong = totals.clone();
    wrong.awarded += 1;
    assert!(wrong.check().is_err());
    let mut wrong = totals.clone();
    wrong.lost += 1;
    assert!(wrong.check().is_err());
    let mut wrong = totals;
    wrong.assigned += 1;
    assert!(wrong.check().is_err());
}

// ---------------------------------------------------------------------------------------------
// Policies and attestations

#[test]
fn a_policy_stands_on_the_one_before() {
    let mut ledger = Ledger::new();
    let last = |ledger: &Ledger| {
        let entry = ledger.entries.last().unwrap();
        entry.lineage.indexes()[2..].to_vec()
    };
    ledger.refuse("g1", policy("quorum none\n"), Code::QuorumShort);
    ledger.refuse("auditor+g1+g2", policy("quorum none\n"), Code::RoleRefused);
    let first = ledger.admit("g1+g2", policy("quorum none\n"));
    assert_eq!(last(&ledger), [None]);
    assert_eq!(ledger.state.globals().policy_at, Some(first));
    let second = ledger.admit("g2+g3", policy("# The same.\nquorum none\n"));
    assert_eq!(last(&ledger), [Some(first)]);
    assert_eq!(ledger.state.globals().policy_at, Some(second));
}

#[test]
fn an_attestation_is_of_entries_that_there_are_and_of_days_that_were() {
    let mut ledger = Ledger::new();
    let size = ledger.state.entries();
    let advice = ledger.refuse("auditor", attestation(size + 1), Code::SizeBeyond);
    assert!(advice.contains(&size.to_string()), "{advice}");
    let turned = Attestation {
        period_from: TODAY,
        period_until: Day(TODAY.0 - 1),
        ..attestation(size)
    };
    ledger.refuse("auditor", turned, Code::DayRefused);
    let tomorrow = Attestation {
        period_until: Day(TODAY.0 + 1),
        ..attestation(size)
    };
    ledger.refuse("auditor", tomorrow, Code::DayRefused);
    for who in ["platform", "planter", "surveyor", "g1", "log"] {
        ledger.refuse(who, attestation(size), Code::RoleRefused);
    }
    ledger.refuse("auditor+g1+g2", attestation(size), Code::EndorserRefused);
    let one_day = Attestation {
        period_from: TODAY,
        ..attestation(size)
    };
    let said = ledger.admit("auditor", one_day);
    assert_eq!(ledger.entries[said.0 as usize].lineage.indexes().len(), 2);
}

#[test]
fn an_attestation_is_voided_by_its_auditor_or_the_governors() {
    let mut ledger = Ledger::new();
    let said = ledger.admit("auditor", attestation(1));
    for who in ["auditor2", "platform", "surveyor"] {
        ledger.refuse(who, void(said), Code::HolderRefused);
    }
    let reversed = ledger.record("auditor", reverse(said, 1));
    ledger.refuse_record("auditor", &reversed, Code::TargetRefused);
    let voided = ledger.admit("auditor", void(said));
    let lineage = &ledger.entries[voided.0 as usize].lineage;
    assert_eq!(lineage.indexes()[2..], [Some(said)]);
    ledger.refuse("auditor", void(said), Code::TargetVoided);
    ledger.refuse("auditor", void(voided), Code::TargetRefused);
    let other = ledger.admit("auditor2", attestation(2));
    ledger.admit("g1+g2", void(other));
}

// ---------------------------------------------------------------------------------------------
// ML-DSA keys

#[test]
fn a_statement_with_an_ml_dsa_key_is_refused_until_its_signature_is_verified() {
    let mut ledger = Ledger::new();
    let named = |name: &str| LogKey {
        mldsa_key: MldsaKey::from_bytes(&[7; 1312]),
        ..log_key(name)
    };
    let offer = |ledger: &mut Ledger, who: &str, said: LogKey| {
        let record = ledger.record(who, said);
        let bytes = record.encode().unwrap();
        let input = ledger.context.input(&bytes);
        let mut names = who.split('+');
        let signature = key(names.next().unwrap()).sign(&input);
        let mut endorsements: Vec<Endorsement> = names
            .map(|name| Endorsement {
                key: public(name),
                signature: key(name).sign(&input),
            })
            .collect();
        endorsements.sort_by_key(|endorsement| endorsement.key);
        // Without the signature of the key that it names it is no record.
        let none = SignedRecord::new(bytes.clone(), signature, endorsements.clone());
        none.unwrap_err();
        let mldsa = MldsaSignature::from_bytes(&[8; 2420]);
        let signed = SignedRecord::with_mldsa(bytes, signature, endorsements, mldsa).unwrap();
        ledger.offer(&signed).unwrap_err()
    };
    let refusal = offer(&mut ledger, "g1+g2+log2", named("log2"));
    assert_eq!(refusal.code, Code::MldsaUnsupported);
    assert!(refusal.advice.contains("leave the ML-DSA key out"));
    // What breaks a rule too is told as that.
    let refusal = offer(&mut ledger, "g1+log2", named("log2"));
    assert_eq!(refusal.code, Code::QuorumShort);
    ledger.admit("g1+g2+log2", log_key("log2"));
}
