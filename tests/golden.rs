//! The frozen format: every byte of `docs/format.md`, recomputed and compared with
//! `tests/golden/`.
//!
//! One ledger of 60 entries says every kind of statement and every correction; awards follow it
//! up to 257 entries. From it come the examples, the receipts, and the logs at five sizes.
//! `ARBORLOG_BLESS=1 cargo test --features client --test golden` writes the files, and the
//! examples in `docs/format.md`, instead. Do that only together with a new version of the format.

#![cfg(feature = "client")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use arborlog::audit::{Folder, check_whole};
use arborlog::crypto::{PublicKey, Signature, SigningKey, VerifyingKey};
use arborlog::ledger::items::place_of;
use arborlog::ledger::trie::Domain;
use arborlog::ledger::{Candidate, Code, RefusalClass, State, domains};
use arborlog::merkle::{
    Bundle, Frontier, Hash, HashTile, Level, TILE_HASHES, TileId, inclusion_ranges, leaf_hash,
    root_of, verify_inclusion,
};
use arborlog::note::{
    Checkpoint, Cosignature, KeyName, SignatureType, TreeHead, VerifierKey, cosign,
};
use arborlog::receipt::{AuthorityLink, Receipt, StateItem};
use arborlog::record::{
    Day, Endorsement, Entry, Index, Lineage, MldsaSignature, Origin, Record, RecordId, Seal,
    SealedEntry, SealedStatement, Seq, SignedEntry, SignedRecord, SigningContext, StateEntry,
    StateTotals, Statement, TimeMs, draft,
};
use arborlog::replay::{Replay, Signatures};
use curve25519_dalek::constants::{ED25519_BASEPOINT_POINT, EIGHT_TORSION};
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

const ORIGIN: &str = "example.org/ledger";
/// Entries that tell the story; awards follow.
const STORY: u64 = 55;
/// Sizes at which the log is stored as files.
const SIZES: [u64; 5] = [1, STORY, 255, 256, 257];
const SIZE_MAX: u64 = 257;
/// The entries that state sets of governors: the genesis, and the one that replaces it.
const FIRST_SET: u64 = 0;
const SECOND_SET: u64 = 43;
/// When the witness says that it saw the checkpoint.
const SEEN_AT_S: u64 = 1_794_000_000;

// Keys: the seed of key n is 32 bytes of n.
const ADA: u8 = 1;
const BEN: u8 = 2;
const CLEO: u8 = 3;
const DAN: u8 = 4;
const LOG: u8 = 5;
const LOG_NEXT: u8 = 6;
const PLATFORM: u8 = 7;
const PLATFORM_NEXT: u8 = 8;
const PLANTER: u8 = 9;
const PLANTER_NEXT: u8 = 10;
const SURVEYOR: u8 = 11;
const WITNESS: u8 = 12;
const AUDITOR: u8 = 13;
const KEY_NAMES: [(u8, &str); 13] = [
    (ADA, "governor ada"),
    (BEN, "governor ben"),
    (CLEO, "governor cleo"),
    (DAN, "governor dan"),
    (LOG, "log"),
    (LOG_NEXT, "next log"),
    (PLATFORM, "platform"),
    (PLATFORM_NEXT, "next platform"),
    (PLANTER, "planter"),
    (PLANTER_NEXT, "next planter"),
    (SURVEYOR, "surveyor"),
    (WITNESS, "witness"),
    (AUDITOR, "auditor"),
];

fn key(n: u8) -> SigningKey {
    SigningKey::from_seed(&[n; 32])
}

fn public(n: u8) -> String {
    key(n).public().to_string()
}

fn origin() -> Origin {
    ORIGIN.parse().unwrap()
}

fn context() -> SigningContext {
    SigningContext::new(&origin())
}

fn vkey(n: u8) -> VerifierKey {
    VerifierKey::new(
        ORIGIN.parse().unwrap(),
        SignatureType::Ed25519,
        key(n).public(),
    )
}

fn witness_name() -> KeyName {
    "witness.example.net/w1".parse().unwrap()
}

fn witness_vkey() -> VerifierKey {
    VerifierKey::new(
        witness_name(),
        SignatureType::CosignatureV1,
        key(WITNESS).public(),
    )
}

/// SHA-256 of some words, in hexadecimal: accounts, evidence, documents.
fn sha(words: &str) -> String {
    hex::encode(Sha256::digest(words))
}

// ---------------------------------------------------------------------------------------------
// Files

fn bless() -> bool {
    std::env::var_os("ARBORLOG_BLESS").is_some_and(|value| value == "1")
}

fn root_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn golden_dir() -> PathBuf {
    root_dir().join("tests/golden")
}

/// Compares a file with what it should hold, or writes it.
fn golden(name: &str, expected: impl AsRef<[u8]>) {
    let (path, expected) = (golden_dir().join(name), expected.as_ref());
    if bless() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, expected).unwrap();
        return;
    }
    let found = std::fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; see the top of tests/golden.rs",
            path.display()
        )
    });
    assert!(
        found == expected,
        "{} is not what the code makes; the format changes only with its version",
        path.display()
    );
}

/// JSON as the files have it: a statement's fields in the order of their bytes, others by name.
fn pretty(value: &Value) -> String {
    let mut order = Vec::new();
    if let Some((_, fields)) = STATEMENTS.iter().find(|(kind, _)| value["kind"] == *kind) {
        names_of(fields, &mut order);
    }
    let mut text = String::new();
    render(value, &order, 0, &mut text);
    text + "\n"
}

fn names_of(fields: &[(&'static str, T)], names: &mut Vec<&'static str>) {
    for (name, as_a) in fields {
        names.push(name);
        match as_a {
            T::List(T::Struct(inner)) => names_of(inner, names),
            T::Enum(variants) => variants
                .iter()
                .for_each(|(_, inner)| names_of(inner, names)),
            _ => (),
        }
    }
}

fn render(value: &Value, order: &[&str], depth: usize, text: &mut String) {
    let (indent, outdent) = ("  ".repeat(depth + 1), "  ".repeat(depth));
    let (open, close, items) = match value {
        Value::Object(fields) => {
            let rank = |name: &str| order.iter().position(|known| *known == name);
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| (rank(name), name.as_str()));
            let items: Vec<_> = fields.into_iter().map(|(k, v)| (Some(k), v)).collect();
            ('{', '}', items)
        }
        Value::Array(items) => ('[', ']', items.iter().map(|item| (None, item)).collect()),
        scalar => return text.push_str(&scalar.to_string()),
    };
    text.push(open);
    for (at, (name, item)) in items.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        write!(text, "{comma}\n{indent}").unwrap();
        if let Some(name) = name {
            write!(text, "{}: ", json!(name)).unwrap();
        }
        render(item, order, depth + 1, text);
    }
    write!(text, "\n{outdent}{close}").unwrap();
}

// ---------------------------------------------------------------------------------------------
// The ledger

/// An entry of the golden ledger; those with a name are examples.
struct Said {
    name: &'static str,
    json: Value,
    signed: SignedRecord,
    id: RecordId,
    bytes: Vec<u8>,
}

struct Ledger {
    replay: Replay,
    said: Vec<Said>,
    today: Day,
}

impl Ledger {
    fn new() -> Self {
        let replay = Replay::new(&origin(), Signatures::Verify);
        Self {
            replay,
            said: Vec::new(),
            today: day("2026-11-02"),
        }
    }

    /// SignedEntry i is admitted i seconds after nine o'clock of its day.
    fn now(&self) -> TimeMs {
        TimeMs((u64::from(self.today.0) * 86_400 + 9 * 3600 + self.said.len() as u64) * 1000)
    }

    fn say(&mut self, name: &'static str, issuer: u8, endorsers: &[u8], json: Value) -> u64 {
        let issued_on = self.today;
        self.say_on(name, issuer, endorsers, issued_on, json)
    }

    /// Has a statement signed and takes it in.
    fn say_on(
        &mut self,
        name: &'static str,
        issuer: u8,
        endorsers: &[u8],
        issued_on: Day,
        json: Value,
    ) -> u64 {
        let statement: Statement = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(
            serde_json::to_value(&statement).unwrap(),
            json,
            "JSON goes there and back"
        );
        let issuer = key(issuer);
        let head = self
            .replay
            .state()
            .key(&issuer.public())
            .map(|key| key.next());
        let (seq, prev) = head.unwrap_or((Seq(0), RecordId::NONE));
        let record = Record {
            issuer: issuer.public(),
            seq,
            prev,
            issued_on,
            statement,
        };
        let (mut signed, id) = draft(&record, &context(), &issuer).unwrap();
        for endorser in endorsers {
            signed = signed.endorse(&context(), &key(*endorser)).unwrap();
        }
        let target = match &record.statement {
            Statement::Correction(it) => {
                Some(SignedEntry::decode(&self.bytes(it.target.0)).unwrap())
            }
            _ => None,
        };
        let admitted_at = self.now();
        let candidate = Candidate::signed(
            &signed,
            id,
            admitted_at,
            target.as_ref().map(|target| (&target.signed).into()),
        );
        let index = self.said.len() as u64;
        let lineage = self
            .replay
            .state()
            .judge(&candidate)
            .unwrap_or_else(|refusal| {
                panic!("entry {index}, {json}: {refusal}: {}", refusal.advice)
            });
        let bytes = SignedEntry {
            admitted_at,
            lineage,
            signed: signed.clone(),
        }
        .encode()
        .unwrap();
        let said = &self.said;
        self.replay
            .take(&bytes, |i| Some(said[i.0 as usize].bytes.clone()))
            .unwrap();
        self.replay.state().totals().check().unwrap();
        self.said.push(Said {
            name,
            json,
            signed,
            id,
            bytes,
        });
        index
    }

    /// Why a statement would be refused now.
    fn refusal(&self, issuer: u8, json: Value) -> Option<Code> {
        let issuer = key(issuer);
        let (seq, prev) = self.replay.state().key(&issuer.public()).unwrap().next();
        let (issued_on, statement) = (self.today, serde_json::from_value(json).unwrap());
        let record = Record {
            issuer: issuer.public(),
            seq,
            prev,
            issued_on,
            statement,
        };
        let (signed, id) = draft(&record, &context(), &issuer).unwrap();
        let candidate = Candidate::signed(&signed, id, self.now(), None);
        self.replay
            .state()
            .judge(&candidate)
            .err()
            .map(|refusal| refusal.code)
    }

    fn bytes(&self, index: u64) -> Vec<u8> {
        self.said[index as usize].bytes.clone()
    }

    fn entries(&self) -> Vec<Vec<u8>> {
        self.said.iter().map(|said| said.bytes.clone()).collect()
    }

    fn named(&self, name: &str) -> (u64, &Said) {
        let at = self.said.iter().position(|said| said.name == name).unwrap();
        (at as u64, &self.said[at])
    }
}

fn day(text: &str) -> Day {
    text.parse().unwrap()
}

/// The factor of activity 1 in version 1: 167.25 g for a kilometre.
const CYCLING: u64 = 167_250_000;
const CYCLING_V2: u64 = 164_000_000;

fn award(account: &str, version: u32, quantity: u64, occurred_on: &str, event: &str) -> Value {
    let factor = if version == 1 { CYCLING } else { CYCLING_V2 };
    let points = u128::from(quantity) * u128::from(factor) / 1_000_000_000;
    json!({
        "kind": "award", "account": sha(account), "method": 1, "version": version,
        "activity": 1, "quantity": quantity, "points": points as u64,
        "occurred_on": occurred_on, "evidence": sha(event),
    })
}

fn transfer(from: &str, to: Option<&str>, points: u64, reason: &str) -> Value {
    json!({
        "kind": "transfer", "from": sha(from), "to": to.map(sha), "points": points,
        "reason": reason,
    })
}

fn claim(account: &str, version: u32, species: u16, points: u64) -> Value {
    json!({
        "kind": "claim", "account": sha(account), "method": 1, "version": version,
        "species": species, "points": points,
    })
}

fn planting(plot: u32, species: u16, first: u32, count: u32, evidence: &str) -> Value {
    json!({
        "kind": "planting", "plot": plot, "species": species, "first_serial": first,
        "count": count, "planted_from": "2026-03-14", "planted_until": "2026-03-14",
        "evidence": sha(evidence), "evidence_at": "",
    })
}

fn correction(target: u64, reason: &str, remedy: Value) -> Value {
    json!({
        "kind": "correction", "target": target, "reason": reason, "remedy": remedy, "set": null,
    })
}

fn lost(count: u32, first: Option<u32>, evidence: Option<&str>) -> Value {
    json!({"lost": {
        "count": count, "first_serial": first, "lost_on": "2026-11-05",
        "evidence": evidence.map(sha),
    }})
}

fn grant(n: u8, role: &str, holder: &str, display_name: &str, expires_on: Option<&str>) -> Value {
    json!({
        "kind": "key_grant", "key": public(n), "role": role, "holder": holder,
        "display_name": display_name, "expires_on": expires_on, "set": FIRST_SET,
    })
}

fn plot(number: u32, name: &str, rights: Value) -> Value {
    json!({
        "kind": "plot", "number": number, "name": name,
        "country": "US",
        "place": {"circle": {
            "latitude": 377_599_000, "longitude": -1_224_148_000 + i64::from(number),
            "radius_m": 180,
        }},
        "finer_outline": null, "area_m2": 62_500, "trees_per_ha_max": 400,
        "carbon_rights": rights, "funded_by": "Friends of the Golden Hill", "for": [], "set": null,
    })
}

/// Plot 1, of which the corners are known, and whose trees are for two platforms.
fn golden_hill(rights: Value) -> Value {
    let mut hill = plot(1, "Golden Hill, north slope", rights);
    let corner = |(north, east): (i32, i32)| json!({"latitude": north, "longitude": east});
    let corners = [
        (377_598_000, -1_224_150_000),
        (377_598_000, -1_224_120_000),
        (377_620_000, -1_224_120_000),
        (377_618_000, -1_224_150_001),
    ];
    hill["place"] = json!({"outline": {"points": corners.map(corner)}});
    hill["finer_outline"] = json!(sha("Golden Hill, north slope"));
    hill["for"] = json!(["bike-club", "tree-club"]);
    hill
}

fn method(version: u32, effective_from: &str, factor: u64) -> Value {
    json!({
        "kind": "method", "id": 1, "version": version, "effective_from": effective_from,
        "activities": [
            {"code": 1, "name": "Cycling instead of driving", "unit": "km", "factor": factor,
             "cap": 50_000},
            {"code": 2, "name": "Bill paid online", "unit": "bill", "factor": 2_500_000_000_u64,
             "cap": 100},
        ],
        "species": [
            {"code": 1, "name": "Quercus agrifolia (coast live oak)", "price": 2000},
            {"code": 2, "name": "Prunus cerasifera (cherry plum)", "price": 900},
        ],
        "baseline": "An average car that was not driven.",
        "sources": "UK DESNZ 2025, average car, unknown fuel.",
        "jurisdiction": "California, as an example",
        "document": sha(&format!("method 1 version {version}")), "set": FIRST_SET,
    })
}

fn survey(plot: u32, planting: Option<u64>, basis: &str, n: [u32; 3], due: Option<&str>) -> Value {
    json!({
        "kind": "survey", "plot": plot, "planting": planting, "surveyed_on": "2026-11-04",
        "as_of": 24, "basis": basis, "protocol": "Every tree by its tag.", "plan": null,
        "alive": n[0], "dead": n[1], "not_found": n[2], "dead_known": 0, "revived": 0,
        "evidence": sha(&format!("survey of {plot}, {basis}")),
        "evidence_at": "", "paid_by": "City of Example",
        "next_due": due,
    })
}

/// The golden ledger: every kind, every correction, then awards.
fn ledger() -> Ledger {
    let mut it = Ledger::new();
    begin(&mut it);
    trade_and_plant(&mut it);
    put_right(&mut it);
    change_hands(&mut it);
    assert_eq!(it.said.len() as u64, STORY);
    vouch(&mut it);
    for n in it.said.len() as u64..SIZE_MAX {
        let quantity = 1_000 + n * 137 % 9_000;
        let (account, event) = (format!("account {}", n % 16), format!("trip {n}"));
        it.say(
            "",
            PLATFORM_NEXT,
            &[],
            award(&account, 2, quantity, "2026-11-10", &event),
        );
    }
    it
}

fn begin(it: &mut Ledger) {
    let genesis = json!({
        "kind": "genesis", "format": 1, "origin": ORIGIN, "programme": "Golden Hill: an example programme",
        "governors": [public(ADA), public(BEN), public(CLEO)], "quorum": 2,
        "log_key": public(LOG), "mldsa_key": null,
    });
    it.say("genesis", ADA, &[BEN, CLEO, LOG], genesis);
    let platform = grant(PLATFORM, "platform", "bike-club", "The Bike Club", None);
    it.say("key_grant", ADA, &[CLEO, PLATFORM], platform);
    let planter = grant(
        PLANTER,
        "planter",
        "grove-trust",
        "Grove Trust",
        Some("2027-12-31"),
    );
    it.say("key_grant_expiring", BEN, &[ADA, PLANTER], planter);
    let surveyor = grant(
        SURVEYOR,
        "surveyor",
        "clear-view",
        "Clear View Surveys",
        None,
    );
    it.say("", CLEO, &[ADA, BEN, SURVEYOR], surveyor);
    it.say("method", ADA, &[BEN], method(1, "2026-01-01", CYCLING));
}

/// Entries 5 to 27.
fn trade_and_plant(it: &mut Ledger) {
    let issued = json!({"issued": {"registry": "Example Registry", "id": "EX-0042"}});
    it.say("plot", PLANTER, &[], golden_hill(issued));
    it.say(
        "plot_unknown",
        PLANTER,
        &[],
        plot(2, "Río Seco", json!("unknown")),
    );
    it.say("", PLANTER, &[], plot(3, "Südhang", json!("none_issued")));
    let oaks = it.say(
        "planting",
        PLANTER,
        &[],
        planting(1, 1, 1, 10, "photographs 1"),
    );
    // Nobody wrote down the day, and the photographs are on the web.
    let mut spring = planting(1, 2, 11, 5, "photographs 2");
    spring["planted_until"] = json!("2026-05-31");
    spring["evidence_at"] = json!("https://example.org/photographs/2");
    it.say("planting_span", PLANTER, &[], spring);
    it.say("", PLANTER, &[], planting(2, 1, 1, 4, "photographs 3"));
    it.today = day("2026-11-03");
    // Signed on another day than it is admitted.
    let ann = award("ann", 1, 40_000, "2026-11-02", "ride 1");
    it.say_on("award", PLATFORM, &[], day("2026-11-02"), ann);
    it.say(
        "",
        PLATFORM,
        &[],
        award("bob", 1, 12_345, "2026-11-02", "ride 2"),
    );
    it.say(
        "",
        PLATFORM,
        &[],
        award("cat", 1, 31_500, "2026-11-02", "ride 3"),
    );
    it.say(
        "transfer",
        PLATFORM,
        &[],
        transfer("ann", Some("bob"), 500, "gift"),
    );
    it.say(
        "",
        PLATFORM,
        &[],
        transfer("bob", Some("cat"), 64, "collected"),
    );
    it.say(
        "",
        PLATFORM,
        &[],
        transfer("cat", Some("ann"), 332, "pooled"),
    );
    it.say(
        "transfer_expired",
        PLATFORM,
        &[],
        transfer("cat", None, 100, "expired"),
    );
    it.say(
        "",
        PLATFORM,
        &[],
        transfer("cat", None, 50, "spent_elsewhere"),
    );
    it.today = day("2026-11-04");
    let first = it.say("claim", PLATFORM, &[], claim("ann", 1, 1, 2000));
    let second = it.say("", PLATFORM, &[], claim("ann", 1, 1, 2000));
    let plum = it.say("", PLATFORM, &[], claim("bob", 1, 2, 900));
    it.say("", PLATFORM, &[], claim("cat", 1, 1, 2000));
    let assign = |first: u32, claims: &[u64]| json!({"kind": "assignment", "plot": 1, "first_serial": first, "claims": claims});
    it.say("assignment", PLATFORM, &[], assign(1, &[first, second]));
    it.say("", PLATFORM, &[], assign(11, &[plum]));
    it.say(
        "survey",
        SURVEYOR,
        &[],
        survey(1, None, "census", [13, 1, 1], Some("2027-11-01")),
    );
    let mut part = survey(1, Some(oaks), "random_sample", [4, 0, 1], None);
    part["as_of"] = json!(25);
    part["plan"] = json!(sha("which trees to visit"));
    part["revived"] = json!(1);
    part["dead_known"] = json!(2);
    part["evidence_at"] = json!("http://example.org/surveys/2");
    it.say("survey_planting", SURVEYOR, &[], part);
    it.say(
        "",
        SURVEYOR,
        &[],
        survey(2, None, "remote_sensing", [2, 2, 0], None),
    );
}

/// Entries 28 to 42: every correction.
fn put_right(it: &mut Ledger) {
    it.today = day("2026-11-06");
    let void = || json!("void");
    let reverse = |points: u64| json!({"reverse": {"points": points}});
    let (oaks, plums, faraway) = (8, 9, 10);
    let (ride, gift, expired, spent) = (12, 14, 17, 18);
    let (first, plum, assigned_plum, part) = (19, 21, 24, 26);
    it.say(
        "correction_reverse",
        PLATFORM,
        &[],
        correction(ride, "The ride was recorded twice.", reverse(64)),
    );
    let fire = lost(2, Some(2), Some("photographs of the fire"));
    let fire = it.say(
        "correction_lost",
        PLANTER,
        &[],
        correction(oaks, "Fire on the slope.", fire),
    );
    let dry = correction(
        oaks,
        "Three dead trees seen from the path.",
        lost(3, None, None),
    );
    let dry = it.say("correction_lost_count", SURVEYOR, &[], dry);
    it.say(
        "correction_void",
        PLANTER,
        &[],
        correction(fire, "The fire was on the next plot.", void()),
    );
    it.say(
        "",
        PLATFORM,
        &[],
        correction(gift, "Sent to the wrong account.", void()),
    );
    it.say(
        "",
        PLATFORM,
        &[],
        correction(expired, "They had not expired.", void()),
    );
    it.say(
        "",
        PLATFORM,
        &[],
        correction(spent, "The shop returned them.", void()),
    );
    it.say(
        "",
        SURVEYOR,
        &[],
        correction(part, "The sample was not random.", void()),
    );
    it.say(
        "",
        PLATFORM,
        &[],
        correction(assigned_plum, "The wrong row of trees.", void()),
    );
    it.say(
        "",
        PLATFORM,
        &[],
        correction(plum, "The claim was not wanted.", void()),
    );
    it.say(
        "",
        PLATFORM,
        &[],
        correction(first, "The claim was not wanted.", void()),
    );
    it.say(
        "",
        PLANTER,
        &[],
        correction(faraway, "Frost.", lost(1, Some(4), None)),
    );
    // The loss before goes with the planting that it was of.
    it.say(
        "",
        PLANTER,
        &[],
        correction(faraway, "Never planted.", void()),
    );
    it.say(
        "",
        SURVEYOR,
        &[],
        correction(dry, "They came back after the rain.", void()),
    );
    it.say(
        "",
        PLANTER,
        &[],
        correction(plums, "Felled for the path.", lost(1, Some(15), None)),
    );
}

/// Entries 43 to 54: governors, keys, methods and plots change.
fn change_hands(it: &mut Ledger) {
    it.today = day("2026-11-09");
    let set = json!({
        "kind": "governors", "governors": [public(ADA), public(BEN), public(DAN)], "quorum": 2,
        "set": FIRST_SET,
    });
    let second = it.say("governors", BEN, &[CLEO, DAN], set);
    assert_eq!(second, SECOND_SET);
    let mut platform = grant(
        PLATFORM_NEXT,
        "platform",
        "bike-club",
        "The Bike Club",
        None,
    );
    platform["set"] = SECOND_SET.into();
    it.say("", DAN, &[ADA, PLATFORM_NEXT], platform);
    let revoke = json!({
        "kind": "key_revoke", "key": public(PLATFORM), "reason": "A laptop was stolen.",
        "compromised_since": "2026-11-08", "set": SECOND_SET,
    });
    it.say("key_revoke", ADA, &[DAN], revoke);
    let next = json!({
        "kind": "log_key", "key": public(LOG_NEXT), "mldsa_key": null, "set": SECOND_SET,
    });
    it.say("log_key", BEN, &[ADA, LOG_NEXT], next);
    let mut planter = grant(
        PLANTER_NEXT,
        "planter",
        "orchard-coop",
        "Orchard Co-op",
        None,
    );
    planter["set"] = SECOND_SET.into();
    it.say("", ADA, &[BEN, PLANTER_NEXT], planter);
    let mut handed = golden_hill(json!("unknown"));
    handed["set"] = SECOND_SET.into();
    it.say("plot_handed_over", PLANTER_NEXT, &[ADA, DAN], handed);
    it.say(
        "",
        PLANTER_NEXT,
        &[],
        planting(1, 1, 16, 6, "photographs 4"),
    );
    let mut next = method(2, "2026-11-10", CYCLING_V2);
    next["set"] = SECOND_SET.into();
    it.say("", ADA, &[BEN, DAN], next);
    // Governors may correct anything; this balance goes below zero.
    let all = json!({"reverse": {"points": 5268}});
    let mut all = correction(13, "The bicycle was a van.", all);
    all["set"] = SECOND_SET.into();
    it.say("correction_by_governors", ADA, &[BEN], all);
    it.today = day("2026-11-10");
    it.say(
        "",
        PLATFORM_NEXT,
        &[],
        award("ann", 2, 20_000, "2026-11-10", "ride 4"),
    );
    let oak = it.say("", PLATFORM_NEXT, &[], claim("ann", 2, 1, 2000));
    let assigned = json!({"kind": "assignment", "plot": 1, "first_serial": 16, "claims": [oak]});
    it.say("", PLATFORM_NEXT, &[], assigned);
}

/// Any bytes, of the length of an ML-DSA-44 key or signature.
fn mldsa_bytes(what: &str, length: usize) -> Vec<u8> {
    let part = |n: u8| Sha256::digest([what.as_bytes(), &[n]].concat());
    (0..=255).flat_map(part).take(length).collect()
}

/// A verifier key with an ML-DSA-44 key.
fn mldsa_vkey(name: &str) -> String {
    let key = mldsa_bytes("golden ML-DSA key ", 1312);
    let material = [&[6], key.as_slice()].concat();
    let hash = Sha256::digest([name.as_bytes(), b"\n", &material].concat());
    format!("{name}+{}+{}", hex::encode(&hash[..4]), base64(&material))
}

fn policy(text: &str) -> Value {
    json!({"kind": "policy", "policy": text, "set": SECOND_SET})
}

/// Entries 55 to 59: which witnesses count, and what an auditor says.
fn vouch(it: &mut Ledger) {
    let mut auditor = grant(
        AUDITOR,
        "auditor",
        "true-north",
        "True North Assurance",
        None,
    );
    auditor["set"] = SECOND_SET.into();
    it.say("key_grant_auditor", ADA, &[BEN, AUDITOR], auditor);
    let plain = format!(
        "# Golden Hill\nlog {}\nwitness w1 {} https://witness.example.net/w1/\nquorum w1\n",
        vkey(LOG_NEXT),
        witness_vkey(),
    );
    it.say("policy", BEN, &[DAN], policy(&plain));
    let groups = format!(
        "log {}\n\nwitness w1 {}\nwitness\taudit-true-north {}\n\
         group seen 1 w1\n group both all  seen audit-true-north\nquorum both \n",
        vkey(LOG_NEXT),
        witness_vkey(),
        mldsa_vkey("true-north.example/audit"),
    );
    it.say("policy_groups", ADA, &[DAN], policy(&groups));
    let attestation = json!({
        "kind": "attestation", "size": STORY, "tree_root": sha("a tree's root"),
        "state_root": sha("a state's root"), "period_from": "2026-11-02",
        "period_until": "2026-11-09", "level": "limited", "opinion": "qualified",
        "findings": sha("findings"), "report": sha("report"),
        "report_at": "https://true-north.example/golden-hill.pdf",
        "words": "One award was reversed only after we asked for its evidence.",
    });
    let said = it.say("attestation", AUDITOR, &[], attestation);
    let void = correction(said, "The report named another period.", json!("void"));
    it.say("correction_void_attestation", AUDITOR, &[], void);
}

fn shared() -> &'static Ledger {
    static LEDGER: std::sync::OnceLock<Ledger> = std::sync::OnceLock::new();
    LEDGER.get_or_init(ledger)
}

/// The keys that sign a checkpoint of this size: from the log key's entry on, the next one, and
/// the first beside it.
fn checkpoint(it: &Ledger, size: u64) -> Checkpoint {
    let leaves = it.said[..size as usize]
        .iter()
        .map(|said| leaf_hash(&said.bytes));
    let head = TreeHead {
        size,
        root: root_of(leaves),
    };
    let (log_key, _) = it.named("log_key");
    let name: KeyName = ORIGIN.parse().unwrap();
    if size <= log_key {
        return Checkpoint::sign(&name, head, &key(LOG));
    }
    let mut checkpoint = Checkpoint::sign(&name, head, &key(LOG_NEXT));
    checkpoint.also_sign(&key(LOG));
    checkpoint
}

fn inclusion(it: &Ledger, index: u64, size: u64) -> Vec<Hash> {
    let leaves: Vec<Hash> = it.said.iter().map(|said| leaf_hash(&said.bytes)).collect();
    inclusion_ranges(index, size)
        .unwrap()
        .into_iter()
        .map(|(from, to)| root_of(leaves[from as usize..to as usize].iter().copied()))
        .collect()
}

fn receipt(it: &Ledger, index: u64, checkpoint: &Checkpoint) -> Receipt {
    let size = checkpoint.head().size;
    let mut authority = Vec::new();
    let mut behind = SignedEntry::decode(&it.bytes(index))
        .unwrap()
        .lineage
        .authority();
    while let Some(link) = behind {
        let entry = it.bytes(link.0);
        behind = SignedEntry::decode(&entry).unwrap().lineage.authority();
        let path = inclusion(it, link.0, size)
            .iter()
            .map(|hash| *hash.as_bytes())
            .collect();
        authority.push(AuthorityLink {
            index: link,
            entry,
            path,
        });
    }
    Receipt {
        items: Vec::new(),
        entries: Vec::new(),
        hashes: Vec::new(),
        index: Index(index),
        entry: it.bytes(index),
        seal: None,
        authority,
        path: inclusion(it, index, size),
        checkpoint: checkpoint.to_string(),
        second: None,
    }
}

// ---------------------------------------------------------------------------------------------
// A second encoder, from docs/format.md alone: JSON in, bytes with a note on each field out

/// The type of a field, as the tables of `docs/format.md` name it.
enum T {
    U8,
    U16,
    U32,
    U64,
    I32,
    Day,
    Bytes32,
    Text,
    /// Text of several lines.
    Lines,
    Option(&'static T),
    List(&'static T),
    Struct(&'static [(&'static str, T)]),
    Enum(&'static [(&'static str, &'static [(&'static str, T)])]),
}

const ROLE: T = T::Enum(&[
    ("platform", &[]),
    ("planter", &[]),
    ("surveyor", &[]),
    ("auditor", &[]),
]);
const OPINION: T = T::Enum(&[
    ("unmodified", &[]),
    ("qualified", &[]),
    ("adverse", &[]),
    ("disclaimed", &[]),
]);
const ACTIVITY: T = T::Struct(&[
    ("code", T::U16),
    ("name", T::Text),
    ("unit", T::Text),
    ("factor", T::U64),
    ("cap", T::U64),
]);
const SPECIES: T = T::Struct(&[("code", T::U16), ("name", T::Text), ("price", T::U64)]);
const REASON: T = T::Enum(&[
    ("gift", &[]),
    ("collected", &[]),
    ("pooled", &[]),
    ("expired", &[]),
    ("spent_elsewhere", &[]),
]);
const RIGHTS: T = T::Enum(&[
    ("none_issued", &[]),
    ("issued", &[("registry", T::Text), ("id", T::Text)]),
    ("unknown", &[]),
]);
const PLACE: T = T::Enum(&[
    (
        "circle",
        &[
            ("latitude", T::I32),
            ("longitude", T::I32),
            ("radius_m", T::U32),
        ],
    ),
    (
        "outline",
        &[(
            "points",
            T::List(&T::Struct(&[("latitude", T::I32), ("longitude", T::I32)])),
        )],
    ),
]);
const BASIS: T = T::Enum(&[
    ("census", &[]),
    ("random_sample", &[]),
    ("remote_sensing", &[]),
]);
const REMEDY: T = T::Enum(&[
    ("reverse", &[("points", T::U64)]),
    (
        "lost",
        &[
            ("count", T::U32),
            ("first_serial", T::Option(&T::U32)),
            ("lost_on", T::Day),
            ("evidence", T::Option(&T::Bytes32)),
        ],
    ),
    ("void", &[]),
]);
const STATEMENTS: [(&str, &[(&str, T)]); 16] = [
    (
        "genesis",
        &[
            ("format", T::U32),
            ("origin", T::Text),
            ("programme", T::Text),
            ("governors", T::List(&T::Bytes32)),
            ("quorum", T::U8),
            ("log_key", T::Bytes32),
            ("mldsa_key", T::Option(&T::Bytes32)),
        ],
    ),
    (
        "governors",
        &[
            ("governors", T::List(&T::Bytes32)),
            ("quorum", T::U8),
            ("set", T::U64),
        ],
    ),
    (
        "key_grant",
        &[
            ("key", T::Bytes32),
            ("role", ROLE),
            ("holder", T::Text),
            ("display_name", T::Text),
            ("expires_on", T::Option(&T::Day)),
            ("set", T::U64),
        ],
    ),
    (
        "key_revoke",
        &[
            ("key", T::Bytes32),
            ("reason", T::Text),
            ("compromised_since", T::Option(&T::Day)),
            ("set", T::U64),
        ],
    ),
    (
        "log_key",
        &[
            ("key", T::Bytes32),
            ("mldsa_key", T::Option(&T::Bytes32)),
            ("set", T::U64),
        ],
    ),
    (
        "method",
        &[
            ("id", T::U32),
            ("version", T::U32),
            ("effective_from", T::Day),
            ("activities", T::List(&ACTIVITY)),
            ("species", T::List(&SPECIES)),
            ("baseline", T::Text),
            ("sources", T::Text),
            ("jurisdiction", T::Text),
            ("document", T::Bytes32),
            ("set", T::U64),
        ],
    ),
    (
        "award",
        &[
            ("account", T::Bytes32),
            ("method", T::U32),
            ("version", T::U32),
            ("activity", T::U16),
            ("quantity", T::U64),
            ("points", T::U64),
            ("occurred_on", T::Day),
            ("evidence", T::Bytes32),
        ],
    ),
    (
        "transfer",
        &[
            ("from", T::Bytes32),
            ("to", T::Option(&T::Bytes32)),
            ("points", T::U64),
            ("reason", REASON),
        ],
    ),
    (
        "plot",
        &[
            ("number", T::U32),
            ("name", T::Text),
            ("country", T::Text),
            ("place", PLACE),
            ("finer_outline", T::Option(&T::Bytes32)),
            ("area_m2", T::U64),
            ("trees_per_ha_max", T::U32),
            ("carbon_rights", RIGHTS),
            ("funded_by", T::Text),
            ("for", T::List(&T::Text)),
            ("set", T::Option(&T::U64)),
        ],
    ),
    (
        "planting",
        &[
            ("plot", T::U32),
            ("species", T::U16),
            ("first_serial", T::U32),
            ("count", T::U32),
            ("planted_from", T::Day),
            ("planted_until", T::Day),
            ("evidence", T::Bytes32),
            ("evidence_at", T::Text),
        ],
    ),
    (
        "survey",
        &[
            ("plot", T::U32),
            ("planting", T::Option(&T::U64)),
            ("surveyed_on", T::Day),
            ("as_of", T::U64),
            ("basis", BASIS),
            ("protocol", T::Text),
            ("plan", T::Option(&T::Bytes32)),
            ("alive", T::U32),
            ("dead", T::U32),
            ("not_found", T::U32),
            ("dead_known", T::U32),
            ("revived", T::U32),
            ("evidence", T::Bytes32),
            ("evidence_at", T::Text),
            ("paid_by", T::Text),
            ("next_due", T::Option(&T::Day)),
        ],
    ),
    (
        "claim",
        &[
            ("account", T::Bytes32),
            ("method", T::U32),
            ("version", T::U32),
            ("species", T::U16),
            ("points", T::U64),
        ],
    ),
    (
        "assignment",
        &[
            ("plot", T::U32),
            ("first_serial", T::U32),
            ("claims", T::List(&T::U64)),
        ],
    ),
    (
        "correction",
        &[
            ("target", T::U64),
            ("reason", T::Text),
            ("remedy", REMEDY),
            ("set", T::Option(&T::U64)),
        ],
    ),
    ("policy", &[("policy", T::Lines), ("set", T::U64)]),
    (
        "attestation",
        &[
            ("size", T::U64),
            ("tree_root", T::Bytes32),
            ("state_root", T::Bytes32),
            ("period_from", T::Day),
            ("period_until", T::Day),
            ("level", T::Enum(&[("limited", &[]), ("reasonable", &[])])),
            ("opinion", OPINION),
            ("findings", T::Bytes32),
            ("report", T::Bytes32),
            ("report_at", T::Text),
            ("words", T::Text),
        ],
    ),
];

/// A field's bytes, and what they say.
struct Field {
    bytes: Vec<u8>,
    note: String,
    /// Number of variants, if this is the tag of an enum or an option.
    variants: Option<u32>,
}

#[derive(Default)]
struct Writer {
    fields: Vec<Field>,
}

impl Writer {
    fn put(&mut self, bytes: impl AsRef<[u8]>, note: impl Into<String>) {
        let bytes = bytes.as_ref().to_vec();
        self.fields.push(Field {
            bytes,
            note: note.into(),
            variants: None,
        });
    }

    fn tag(&mut self, bytes: impl AsRef<[u8]>, note: impl Into<String>, variants: usize) {
        self.put(bytes, note);
        self.fields.last_mut().unwrap().variants = Some(variants as u32);
    }

    fn length(&mut self, name: &str, length: usize, of: &str) {
        self.put(
            (length as u64).to_be_bytes(),
            format!("{name}: {length} {of}"),
        );
    }

    fn value(&mut self, name: &str, as_a: &T, value: &Value) {
        let number = || value.as_u64().unwrap();
        let note = format!("{name}: {value}");
        match as_a {
            T::U8 => self.put([u8::try_from(number()).unwrap()], note),
            T::U16 => self.put(u16::try_from(number()).unwrap().to_be_bytes(), note),
            T::U32 => self.put(u32::try_from(number()).unwrap().to_be_bytes(), note),
            T::U64 => self.put(number().to_be_bytes(), note),
            T::I32 => {
                let number = i32::try_from(value.as_i64().unwrap()).unwrap();
                self.put(number.to_be_bytes(), note);
            }
            T::Day => {
                let text = value.as_str().unwrap();
                self.put(
                    day(text).0.to_be_bytes(),
                    format!("{name}: {}, {text}", day(text).0),
                );
            }
            T::Bytes32 => self.put(hex::decode(value.as_str().unwrap()).unwrap(), name),
            T::Text => {
                let text = value.as_str().unwrap();
                self.length(name, text.len(), "bytes follow");
                self.put(text, note);
            }
            T::Lines => {
                let text = value.as_str().unwrap();
                self.length(name, text.len(), "bytes follow");
                self.put(text, name);
            }
            T::Option(inner) => {
                if value.is_null() {
                    self.tag([0], format!("{name}: none"), 2);
                } else {
                    self.tag([1], format!("{name}: there is one"), 2);
                    self.value(name, inner, value);
                }
            }
            T::List(inner) => {
                let items = value.as_array().unwrap();
                self.length(name, items.len(), "follow");
                for (at, item) in items.iter().enumerate() {
                    self.value(&format!("{name}[{at}]"), inner, item);
                }
            }
            T::Struct(fields) => self.all(&format!("{name}."), fields, value),
            T::Enum(variants) => {
                let (chosen, inner) = match value {
                    Value::String(chosen) => (chosen, &Value::Null),
                    other => other.as_object().unwrap().iter().next().unwrap(),
                };
                let at = variants
                    .iter()
                    .position(|(known, _)| known == chosen)
                    .unwrap();
                let note = format!("{name}: {at}, {chosen}");
                self.tag((at as u32).to_be_bytes(), note, variants.len());
                self.all(&format!("{name}."), variants[at].1, inner);
            }
        }
    }

    fn all(&mut self, prefix: &str, fields: &[(&str, T)], value: &Value) {
        for (name, as_a) in fields {
            self.value(&format!("{prefix}{name}"), as_a, &value[*name]);
        }
    }

    fn record(said: &Said) -> Self {
        let record = said.signed.record();
        let mut it = Self::default();
        it.put(record.issuer.as_bytes(), "issuer");
        it.put(record.seq.0.to_be_bytes(), format!("seq: {}", record.seq));
        it.put(record.prev.as_bytes(), "prev");
        let issued_on = record.issued_on;
        it.put(
            issued_on.0.to_be_bytes(),
            format!("issued_on: {}, {issued_on}", issued_on.0),
        );
        let kind = said.json["kind"].as_str().unwrap();
        let tag = STATEMENTS
            .iter()
            .position(|(known, _)| *known == kind)
            .unwrap();
        it.tag(
            (tag as u32).to_be_bytes(),
            format!("statement: {tag}, {kind}"),
            STATEMENTS.len(),
        );
        it.all("", STATEMENTS[tag].1, &said.json);
        it
    }

    fn signed(&mut self, said: &Said) {
        self.length("record", said.signed.bytes().len(), "bytes follow");
        self.put(said.signed.bytes(), "the record");
        self.put(
            said.signed.signature().as_bytes(),
            "the issuer's signature: R, then s",
        );
        let endorsements = said.signed.endorsements();
        self.length("endorsements", endorsements.len(), "follow");
        for (at, endorsement) in endorsements.iter().enumerate() {
            self.put(
                endorsement.key.as_bytes(),
                format!("endorsements[{at}].key"),
            );
            let note = format!("endorsements[{at}].signature");
            self.put(endorsement.signature.as_bytes(), note);
        }
        if let Some(signature) = said.signed.mldsa_signature() {
            self.put(signature.as_bytes(), "the ML-DSA signature");
        }
    }

    fn entry(said: &Said) -> Self {
        let entry = SignedEntry::decode(&said.bytes).unwrap();
        let mut it = Self::default();
        it.put([0, 1], "version: 1");
        let admitted_at = entry.admitted_at;
        it.put(
            admitted_at.0.to_be_bytes(),
            format!("admitted_at: {admitted_at} ms"),
        );
        let indexes = entry.lineage.indexes();
        it.length("lineage", indexes.len(), "follow");
        for (at, index) in indexes.iter().enumerate() {
            let note = index.map_or("none".to_owned(), |index| index.to_string());
            let index = index.map_or(u64::MAX, |index| index.0);
            it.put(index.to_be_bytes(), format!("lineage[{at}]: {note}"));
        }
        it.signed(said);
        it
    }

    fn bytes(&self) -> Vec<u8> {
        self.fields
            .iter()
            .flat_map(|field| field.bytes.clone())
            .collect()
    }

    /// Lines of at most 32 bytes with what they are.
    fn lines(&self) -> String {
        let mut text = String::new();
        for field in &self.fields {
            let mut note = field.note.as_str();
            for part in field.bytes.chunks(32) {
                let line = format!("{:<64}  {note}", hex::encode(part));
                writeln!(text, "{}", line.trim_end()).unwrap();
                note = "";
            }
        }
        text
    }
}

// ---------------------------------------------------------------------------------------------
// Examples

fn examples() -> impl Iterator<Item = &'static Said> {
    let said = shared().said.iter().chain(with_mldsa());
    said.filter(|said| !said.name.is_empty())
}

/// A genesis and a log key with an ML-DSA key, which no ledger admits yet. Their lineage is that of the
/// golden ones; the signature by the ML-DSA key is any bytes.
fn with_mldsa() -> &'static [Said] {
    static SAID: std::sync::OnceLock<Vec<Said>> = std::sync::OnceLock::new();
    SAID.get_or_init(|| {
        let signers: [(_, _, u8, &[u8]); 2] = [
            ("genesis", "genesis_mldsa", ADA, &[BEN, CLEO, LOG]),
            ("log_key", "log_key_mldsa", BEN, &[ADA, LOG_NEXT]),
        ];
        let make = |(like, name, issuer, endorsers): (&str, &'static str, u8, &[u8])| {
            let (_, honest) = shared().named(like);
            let mut json = honest.json.clone();
            json["mldsa_key"] = hex::encode(mldsa_bytes("golden ML-DSA key ", 1312)).into();
            let statement: Statement = serde_json::from_value(json.clone()).unwrap();
            assert_eq!(serde_json::to_value(&statement).unwrap(), json);
            let record = Record {
                statement,
                ..honest.signed.record().clone()
            };
            let bytes = record.encode().unwrap();
            let input = context().input(&bytes);
            let mut endorsements: Vec<Endorsement> = endorsers
                .iter()
                .map(|n| Endorsement {
                    key: key(*n).public(),
                    signature: key(*n).sign(&input),
                })
                .collect();
            endorsements.sort_by_key(|endorsement| endorsement.key);
            let id = context().id(&bytes);
            let mldsa = MldsaSignature::from_bytes(&mldsa_bytes("golden ML-DSA signature ", 2420));
            let signature = key(issuer).sign(&input);
            let signed = SignedRecord::with_mldsa(bytes, signature, endorsements, mldsa).unwrap();
            let like = SignedEntry::decode(&honest.bytes).unwrap();
            let bytes = SignedEntry {
                signed: signed.clone(),
                ..like
            }
            .encode()
            .unwrap();
            Said {
                name,
                json,
                signed,
                id,
                bytes,
            }
        };
        signers.into_iter().map(make).collect()
    })
}

/// A seal over the golden award and claim, and the entries of its batch and of a state, by their form alone: they are
/// in no ledger. The batch's entries follow one another from index 100 on.
#[test]
fn a_seal_is_as_frozen() {
    let it = shared();
    let batch = ["award", "claim"].map(|name| {
        let statement = it.named(name).1.signed.record().statement.clone();
        SealedStatement::new(statement).unwrap()
    });
    let root = root_of(batch.iter().map(|said| leaf_hash(said.bytes())));
    let statement = Statement::Seal(Seal {
        count: 2,
        root: arborlog::record::Digest::from_bytes(*root.as_bytes()),
    });
    golden(
        "statements/seal.json",
        pretty(&serde_json::to_value(&statement).unwrap()),
    );
    let (_, award) = it.named("award");
    let record = Record {
        seq: Seq(award.signed.record().seq.0 + 1),
        prev: award.id,
        statement,
        ..award.signed.record().clone()
    };
    let (signed, id) = draft(&record, &context(), &key(PLATFORM)).unwrap();
    let entry = SignedEntry {
        signed: signed.clone(),
        admitted_at: TimeMs(1_794_306_600_000),
        lineage: Lineage::new(vec![Some(Index(99)), Some(Index(1))]),
    };
    let bytes = entry.encode().unwrap();
    let text = format!(
        "record {}\nid {id}\nsigned_record {}\nentry {}\nleaf_hash {}\n",
        hex::encode(signed.bytes()),
        hex::encode(signed.encode().unwrap()),
        hex::encode(&bytes),
        hex::encode(leaf_hash(&bytes).as_bytes()),
    );
    golden("statements/seal.hex", text);

    let sealed = [2, 1].into_iter().zip(batch).map(|(ahead, said)| {
        let entry = SealedEntry::new(ahead, said, vec![Some(Index(99))]).unwrap();
        let bytes = entry.encode().unwrap();
        assert_eq!(Entry::decode(&bytes).unwrap(), Entry::Sealed(entry));
        hex::encode(bytes)
    });
    let sealed: Vec<_> = sealed.collect();
    let state = StateEntry {
        admitted_at: TimeMs(1_794_306_600_000),
        size: 102,
        before: Some(Index(7)),
        rules_version: arborlog::ledger::RULES_VERSION,
        root: [0x5a; 32],
        totals: StateTotals {
            awarded: 9,
            balances: -3,
            owed: 4,
            accounts_negative: 1,
            ..StateTotals::default()
        },
    };
    let bytes = state.encode().unwrap();
    assert_eq!(Entry::decode(&bytes).unwrap(), Entry::State(state));
    let forms = json!({ "sealed": sealed, "state": hex::encode(bytes) });
    golden("forms.json", pretty(&forms));
}

#[test]
fn examples_are_as_frozen() {
    for said in examples() {
        let name = said.name;
        golden(&format!("statements/{name}.json"), pretty(&said.json));
        let signed = said.signed.encode().unwrap();
        let text = format!(
            "record {}\nid {}\nsigned_record {}\nentry {}\nleaf_hash {}\n",
            hex::encode(said.signed.bytes()),
            said.id,
            hex::encode(&signed),
            hex::encode(&said.bytes),
            hex::encode(leaf_hash(&said.bytes).as_bytes()),
        );
        golden(&format!("statements/{name}.hex"), text);
        assert_eq!(SignedRecord::decode(&signed).unwrap(), said.signed);
        assert_eq!(
            Record::decode(said.signed.bytes()).unwrap(),
            *said.signed.record()
        );
        assert_eq!(
            SignedEntry::decode(&said.bytes).unwrap().encode().unwrap(),
            said.bytes
        );
    }
    let kinds = shared()
        .said
        .iter()
        .map(|said| said.json["kind"].to_string());
    assert_eq!(
        kinds.collect::<std::collections::BTreeSet<_>>().len(),
        STATEMENTS.len()
    );
}

/// Ids, signing inputs and leaf hashes by hand.
#[test]
fn ids_and_hashes_are_as_specified() {
    for said in &shared().said {
        let input = [
            b"arborlog/record/v1\nexample.org/ledger\n",
            said.signed.bytes(),
        ]
        .concat();
        assert_eq!(context().input(said.signed.bytes()), input);
        assert_eq!(said.id.to_string(), hex::encode(Sha256::digest(&input)));
        let leaf = [b"\0", said.bytes.as_slice()].concat();
        assert_eq!(
            leaf_hash(&said.bytes).as_bytes()[..],
            Sha256::digest(leaf)[..]
        );
    }
}

#[test]
fn second_encoder_agrees() {
    for said in shared().said.iter().chain(with_mldsa()) {
        assert_eq!(
            Writer::record(said).bytes(),
            said.signed.bytes(),
            "{}",
            said.json
        );
        let mut signed = Writer::default();
        signed.signed(said);
        assert_eq!(signed.bytes(), said.signed.encode().unwrap());
        assert_eq!(Writer::entry(said).bytes(), said.bytes);
    }
}

// ---------------------------------------------------------------------------------------------
// docs/format.md

/// Text between two marks of the document.
fn block(name: &str, content: &str) -> String {
    format!("<!-- golden {name} -->\n{content}<!-- end golden {name} -->")
}

fn json_fence(value: &Value) -> String {
    format!("```json\n{}```\n", pretty(value))
}

/// Statements that `docs/format.md` works through.
const WORKED: [&str; 19] = [
    "genesis",
    "governors",
    "key_grant",
    "key_revoke",
    "log_key",
    "method",
    "award",
    "transfer",
    "plot",
    "planting",
    "survey",
    "claim",
    "assignment",
    "correction_reverse",
    "correction_lost",
    "correction_void",
    "correction_by_governors",
    "policy",
    "attestation",
];

fn doc_blocks() -> Vec<(String, String)> {
    let it = shared();
    let mut blocks = Vec::new();
    for name in WORKED {
        let (index, said) = it.named(name);
        let length = said.signed.bytes().len();
        let content = format!(
            "{}\nThe record, {length} bytes (entry {index} of the golden ledger); its id is\n`{}`.\n\n```text\n{}```\n",
            json_fence(&said.json),
            said.id,
            Writer::record(said).lines(),
        );
        blocks.push((name.to_owned(), content));
    }
    let (index, said) = it.named("key_grant");
    let leaf = leaf_hash(&said.bytes);
    let content = format!(
        "Entry {index} of the golden ledger, {} bytes; its leaf hash is `{leaf}` in base64.\n\n```text\n{}```\n",
        said.bytes.len(),
        Writer::entry(said).lines()
    );
    blocks.push(("entry".to_owned(), content));
    let (index, _) = it.named("award");
    let text = receipt(it, index, &checkpoint(it, STORY))
        .to_text()
        .unwrap();
    blocks.push(("receipt".to_owned(), format!("```text\n{text}```\n")));
    let vkeys = format!("```text\n{}\n{}\n```\n", vkey(LOG), vkey(LOG_NEXT));
    blocks.push(("vkeys".to_owned(), vkeys));
    let cosigned = format!("```text\n{}```\n", cosigned(it));
    blocks.push(("cosigned".to_owned(), cosigned));
    blocks.push(("totals".to_owned(), json_fence(&totals(it, STORY))));
    blocks
}

#[test]
fn format_document_has_the_golden_examples() {
    let path = root_dir().join("docs/format.md");
    let mut text = std::fs::read_to_string(&path).unwrap();
    for (name, content) in doc_blocks() {
        let whole = block(&name, &content);
        if bless() {
            let from = text.find(&format!("<!-- golden {name} -->"));
            let end = format!("<!-- end golden {name} -->");
            let (from, to) = (from.unwrap(), text.find(&end).unwrap() + end.len());
            text.replace_range(from..to, &whole);
        }
        assert!(
            text.contains(&whole),
            "docs/format.md: the example {name} is not the golden one"
        );
    }
    if bless() {
        std::fs::write(&path, &text).unwrap();
    }
    // The hexadecimal columns joined are the golden records.
    for name in WORKED {
        let from = text.find(&format!("<!-- golden {name} -->")).unwrap();
        let part = &text[from..text.find(&format!("<!-- end golden {name} -->")).unwrap()];
        let fence = part
            .split("```text\n")
            .nth(1)
            .unwrap()
            .split("```")
            .next()
            .unwrap();
        let joined: String = fence
            .lines()
            .map(|line| line.split(' ').next().unwrap())
            .collect();
        let file = golden_dir().join(format!("statements/{name}.hex"));
        let frozen = std::fs::read_to_string(file).unwrap();
        assert_eq!(
            frozen.lines().next().unwrap(),
            format!("record {joined}"),
            "{name}"
        );
    }
}

#[test]
fn format_document_tables_every_code() {
    let text = std::fs::read_to_string(root_dir().join("docs/format.md")).unwrap();
    for code in Code::ALL {
        let status = match code.class() {
            RefusalClass::Malformed => 400,
            RefusalClass::Forbidden => 403,
            RefusalClass::Conflict => 409,
            RefusalClass::Rule => 422,
        };
        let row = format!("\n| `{code}` | {status} |");
        assert_eq!(
            text.matches(&row).count(),
            1,
            "docs/format.md must have one row {row:?}"
        );
    }
}

// ---------------------------------------------------------------------------------------------
// Strictness

fn refuses_cuts_and_additions<T>(what: &str, bytes: &[u8], decode: impl Fn(&[u8]) -> Option<T>) {
    assert!(decode(bytes).is_some(), "{what}");
    for length in 0..bytes.len() {
        assert!(
            decode(&bytes[..length]).is_none(),
            "{what} cut to {length} bytes"
        );
    }
    for more in [0, 1, 255] {
        assert!(
            decode(&[bytes, &[more]].concat()).is_none(),
            "{what} with {more} after it"
        );
    }
}

#[test]
fn cut_or_longer_bytes_are_refused() {
    for said in examples() {
        let (record, signed) = (said.signed.bytes(), said.signed.encode().unwrap());
        refuses_cuts_and_additions(said.name, record, |bytes| Record::decode(bytes).ok());
        refuses_cuts_and_additions(said.name, &signed, |bytes| SignedRecord::decode(bytes).ok());
        refuses_cuts_and_additions(said.name, &said.bytes, |bytes| {
            SignedEntry::decode(bytes).ok()
        });
    }
}

#[test]
fn flipped_tags_are_refused() {
    let mut tried = 0;
    for said in examples() {
        let mut at = 0;
        for field in Writer::record(said).fields {
            if let Some(variants) = field.variants {
                let last = at + field.bytes.len() - 1;
                let refused = |bytes: &[u8]| Record::decode(bytes).is_err();
                // No tag that has no variant, in any byte of it.
                let mut bytes = said.signed.bytes().to_vec();
                for beyond in variants..=255 {
                    bytes[last] = beyond as u8;
                    assert!(refused(&bytes), "{}: {} as {beyond}", said.name, field.note);
                }
                for place in at..last {
                    let mut bytes = said.signed.bytes().to_vec();
                    bytes[place] = 1;
                    assert!(refused(&bytes), "{}: {} at {place}", said.name, field.note);
                }
                // An option's other tag: what follows is then too long or too short.
                if field.bytes.len() == 1 {
                    let mut bytes = said.signed.bytes().to_vec();
                    bytes[last] ^= 1;
                    assert!(refused(&bytes), "{}: {} flipped", said.name, field.note);
                    tried += 1;
                }
            }
            at += field.bytes.len();
        }
    }
    assert!(tried >= 8, "only {tried} options were flipped");
}

/// Each bit of each example: what still decodes is canonical, is another record, and is not what
/// was signed.
#[test]
fn flipped_bits_are_refused_or_say_something_else() {
    for said in examples() {
        for bit in 0..said.signed.bytes().len() * 8 {
            let mut bytes = said.signed.bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            if let Ok(record) = Record::decode(&bytes) {
                assert_eq!(record.encode().unwrap(), bytes);
                assert_ne!(record, *said.signed.record());
                assert_ne!(context().id(&bytes), said.id);
            }
        }
        let known = VerifyingKey::new(&said.signed.record().issuer).unwrap();
        for byte in (0..said.signed.bytes().len()).step_by(7) {
            let mut bytes = said.signed.bytes().to_vec();
            bytes[byte] ^= 1;
            assert!(
                known
                    .verify(&context().input(&bytes), said.signed.signature())
                    .is_err()
            );
        }
    }
}

// ---------------------------------------------------------------------------------------------
// What must be refused

fn change(bytes: &[u8], at: usize, to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to);
    bytes
}

/// Where a field's bytes begin.
fn place(said: &Said, note: &str) -> usize {
    let mut at = 0;
    for field in Writer::record(said).fields {
        if field.note.starts_with(note) {
            return at;
        }
        at += field.bytes.len();
    }
    panic!("{} has no {note}", said.name)
}

/// The record's bytes with other JSON, whether the library would allow it or not.
fn forged(name: &str, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let (_, said) = shared().named(name);
    let mut json = said.json.clone();
    change(&mut json);
    let said = Said {
        name: "",
        json,
        signed: said.signed.clone(),
        id: said.id,
        bytes: Vec::new(),
    };
    Writer::record(&said).bytes()
}

/// Bytes that are no record, and why.
fn rejected_records() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let it = shared();
    let (_, award) = it.named("award");
    let (_, survey) = it.named("survey");
    let (_, genesis) = it.named("genesis");
    let record = award.signed.bytes();
    let tag = place(award, "statement");
    let varint = [&record[..32], &[0], &record[40..]].concat();
    let (genesis_bytes, format) = (genesis.signed.bytes(), place(genesis, "format:"));
    let name = place(genesis, "programme:");
    // 0xC1 0x81 is an overlong "A".
    let overlong = change(genesis.signed.bytes(), name + 8, &[0xc1, 0x81]);
    vec![
        (
            "trailing_byte",
            "a byte is left over after the end",
            [record, &[0]].concat(),
        ),
        (
            "cut",
            "the last byte is missing",
            record[..record.len() - 1].to_vec(),
        ),
        (
            "little_endian_tag",
            "the tag 6 is little-endian",
            change(record, tag, &[6, 0, 0, 0]),
        ),
        ("varint_seq", "seq is one byte, a varint, not eight", varint),
        (
            "unknown_kind",
            "no statement has the tag 16",
            change(record, tag, &[0, 0, 0, 16]),
        ),
        (
            "option_tag_2",
            "an option's tag is 0 or 1",
            change(survey.signed.bytes(), place(survey, "planting"), &[2]),
        ),
        (
            "length_beyond_end",
            "a text's length reaches past the end, and would need 2^64 - 1 bytes",
            change(genesis.signed.bytes(), name, &[255; 8]),
        ),
        (
            "overlong_utf8",
            "the text is no UTF-8: an overlong form",
            overlong,
        ),
        (
            "control_character",
            "the text has the control character U+000A",
            forged("genesis", |it| it["programme"] = json!("two\nlines")),
        ),
        (
            "bidi_override",
            "the text has the bidirectional override U+202E",
            forged("genesis", |it| it["programme"] = json!("abc\u{202e}def")),
        ),
        (
            "invisible_character",
            "the text has the zero width space U+200B, which can't be seen",
            forged("genesis", |it| it["programme"] = json!("abc\u{200b}def")),
        ),
        (
            "text_too_long",
            "a display name has at most 100 bytes, and this has 101",
            forged("key_grant", |it| {
                it["display_name"] = json!("x".repeat(101))
            }),
        ),
        (
            "genesis_without_format",
            "a genesis begins with the format's version, and this is one of before there was any",
            [&genesis_bytes[..format], &genesis_bytes[format + 4..]].concat(),
        ),
        (
            "genesis_of_format_2",
            "this format is version 1",
            forged("genesis", |it| it["format"] = json!(2)),
        ),
        (
            "origin_with_space",
            "an origin has no spaces",
            forged("genesis", |it| {
                it["origin"] = json!("example.org/my ledger")
            }),
        ),
        (
            "holder_not_a_slug",
            "a holder has only a-z, 0-9 and -, and begins and ends with a letter or digit",
            forged("key_grant", |it| it["holder"] = json!("-bike-club")),
        ),
        (
            "no_governors",
            "a set of governors has 1 to 16 keys, and this has none",
            forged("governors", |it| it["governors"] = json!([])),
        ),
        (
            "seventeen_governors",
            "a set of governors has 1 to 16 keys, and this has 17",
            forged("governors", |it| {
                it["governors"] = vec![json!(public(ADA)); 17].into()
            }),
        ),
        (
            "no_claims",
            "an assignment has 1 to 1,024 claims, and this has none",
            forged("assignment", |it| it["claims"] = json!([])),
        ),
        (
            "gift_to_nobody",
            "a transfer with the reason gift names a receiver",
            forged("transfer", |it| it["to"] = Value::Null),
        ),
        (
            "expired_to_somebody",
            "a transfer with the reason expired names no receiver",
            forged("transfer", |it| it["reason"] = json!("expired")),
        ),
        (
            "latitude_beyond_the_pole",
            "a latitude lies within 900,000,000 ten-millionths of a degree",
            forged("plot", |it| {
                it["place"]["outline"]["points"][0]["latitude"] = json!(900_000_001)
            }),
        ),
        (
            "longitude_beyond_the_line",
            "a longitude lies within 1,800,000,000 ten-millionths of a degree",
            forged("plot_unknown", |it| {
                it["place"]["circle"]["longitude"] = json!(-1_800_000_001)
            }),
        ),
        (
            "country_in_small_letters",
            "a country is two letters A to Z",
            forged("plot", |it| it["country"] = json!("us")),
        ),
        (
            "country_of_three_letters",
            "a country is two letters A to Z",
            forged("plot", |it| it["country"] = json!("USA")),
        ),
        (
            "outline_of_two",
            "an outline has 3 points at least",
            forged("plot", |it| {
                it["place"]["outline"]["points"]
                    .as_array_mut()
                    .unwrap()
                    .truncate(2);
            }),
        ),
        (
            "outline_of_501",
            "an outline has 500 points at the most",
            forged("plot", |it| {
                let points = (0..501).map(|n| json!({"latitude": n, "longitude": n % 2}));
                it["place"]["outline"]["points"] = points.collect();
            }),
        ),
        (
            "outline_point_twice",
            "a point of an outline is not the one before it",
            forged("plot", |it| {
                let points = &mut it["place"]["outline"]["points"];
                points[2] = points[1].clone();
            }),
        ),
        (
            "outline_closed",
            "the last point of an outline is not the first",
            forged("plot", |it| {
                let points = &mut it["place"]["outline"]["points"];
                points[3] = points[0].clone();
            }),
        ),
        (
            "plot_for_nobody_new",
            "the platforms of a plot stand in strictly ascending order",
            forged("plot", |it| it["for"] = json!(["bike-club", "bike-club"])),
        ),
        (
            "plot_for_descending",
            "the platforms of a plot stand in strictly ascending order",
            forged("plot", |it| it["for"] = json!(["tree-club", "bike-club"])),
        ),
        (
            "plot_for_17",
            "a plot names 16 platforms at the most",
            forged("plot", |it| {
                it["for"] = (10..27).map(|n| json!(format!("club-{n}"))).collect();
            }),
        ),
        (
            "planting_of_none",
            "a planting has 1 tree at least",
            forged("planting", |it| it["count"] = json!(0)),
        ),
        (
            "evidence_at_elsewhere",
            "where evidence can be read is empty, or begins with https:// or http://",
            forged("planting", |it| {
                it["evidence_at"] = json!("ftp://example.org/photographs")
            }),
        ),
        (
            "evidence_at_too_long",
            "where evidence can be read has at most 300 bytes",
            forged("planting", |it| {
                it["evidence_at"] = json!(format!("https://example.org/{}", "p".repeat(281)))
            }),
        ),
        (
            "loss_of_none",
            "a loss has 1 tree at least",
            forged("correction_lost", |it| {
                it["remedy"]["lost"]["count"] = json!(0)
            }),
        ),
    ]
}

/// Policies that c2sp.org/tlog-policy does not read, and why.
fn rejected_policies() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let (log, witness) = (vkey(LOG).to_string(), witness_vkey().to_string());
    let auditor = mldsa_vkey("true-north.example/audit");
    let two = format!("witness a {witness}\nwitness b {auditor}\n");
    let (name, rest) = auditor.split_once('+').unwrap();
    let cut = base64(&[6; 1312]);
    let cases = [
        ("policy_empty", "there is no quorum line", String::new()),
        (
            "policy_without_quorum",
            "there is no quorum line",
            two.clone(),
        ),
        (
            "policy_two_quorums",
            "there are two quorum lines",
            format!("{two}quorum a\nquorum b\n"),
        ),
        (
            "policy_without_newline",
            "the last line does not end",
            "quorum none".to_owned(),
        ),
        (
            "policy_crlf",
            "U+000D is refused",
            "quorum none\r\n".to_owned(),
        ),
        (
            "policy_bidi",
            "U+202E is refused, in a comment too",
            "# \u{202e}\nquorum none\n".to_owned(),
        ),
        (
            "policy_unknown_line",
            "no line begins with the word",
            "threshold 2\nquorum none\n".to_owned(),
        ),
        (
            "policy_upper_case",
            "words of lines are in lower case",
            "Quorum none\n".to_owned(),
        ),
        (
            "policy_quorum_of_two",
            "a quorum line has one name",
            format!("{two}quorum a b\n"),
        ),
        (
            "policy_quorum_unknown",
            "no line defines the name",
            format!("{two}quorum c\n"),
        ),
        (
            "policy_quorum_before",
            "the name is defined after it",
            format!("quorum a\n{two}"),
        ),
        (
            "policy_member_after",
            "the member is defined after the group",
            format!("group g any a\n{two}quorum g\n"),
        ),
        (
            "policy_member_of_itself",
            "a group is no member of itself",
            format!("{two}group g any a g\nquorum g\n"),
        ),
        (
            "policy_member_none",
            "none is no member",
            format!("{two}group g any none\nquorum g\n"),
        ),
        (
            "policy_member_twice",
            "a name is a member of one group, once",
            format!("{two}group g any a a\nquorum g\n"),
        ),
        (
            "policy_member_of_two",
            "a name is a member of one group, once",
            format!("{two}group g any a\ngroup h any a b\nquorum h\n"),
        ),
        (
            "policy_group_empty",
            "a group has a member at least",
            format!("{two}group g all\nquorum none\n"),
        ),
        (
            "policy_threshold_zero",
            "a threshold is 1 at least",
            format!("{two}group g 0 a b\nquorum g\n"),
        ),
        (
            "policy_threshold_above",
            "a threshold is at most the number of members",
            format!("{two}group g 3 a b\nquorum g\n"),
        ),
        (
            "policy_threshold_not_plain",
            "a threshold is a plain decimal",
            format!("{two}group g 01 a b\nquorum g\n"),
        ),
        (
            "policy_name_twice",
            "witnesses and groups share one space of names",
            format!("{two}group a any b\nquorum a\n"),
        ),
        (
            "policy_name_none",
            "none is nobody's name",
            format!("witness none {witness}\nquorum none\n"),
        ),
        (
            "policy_witness_twice",
            "a witness's key stands once",
            format!("witness a {witness}\nwitness b {witness}\nquorum a\n"),
        ),
        (
            "policy_log_twice",
            "a log's key stands once",
            format!("log {log}\nlog {log} https://example.org/\nquorum none\n"),
        ),
        (
            "policy_log_as_witness",
            "a witness's key is of type 0x04 or 0x06",
            format!("witness a {log}\nquorum a\n"),
        ),
        (
            "policy_witness_as_log",
            "a log's key is of type 0x01 or 0x06",
            format!("log {witness}\nquorum none\n"),
        ),
        (
            "policy_key_id_wrong",
            "the id does not belong to the key",
            format!("witness a {name}+00000000+{}\nquorum a\n", &rest[9..]),
        ),
        (
            "policy_key_too_short",
            "an ML-DSA-44 key has 1,312 bytes, and this has 1,311",
            format!("witness a {name}+{}+{cut}\nquorum a\n", &rest[..8]),
        ),
        (
            "policy_key_small_order",
            "the Ed25519 key is no good key",
            {
                let key = PublicKey::from_bytes([0; 32]);
                let kind = SignatureType::CosignatureV1;
                let vkey = VerifierKey::new(witness_name(), kind, key);
                format!("witness a {vkey}\nquorum a\n")
            },
        ),
        (
            "policy_too_long",
            "a policy has at most 24,576 bytes, and this has one more",
            format!("#{}\nquorum none\n", "x".repeat(24_576 - 13)),
        ),
    ];
    cases
        .into_iter()
        .map(|(name, reason, text)| {
            let record = forged("policy", |it| it["policy"] = json!(text));
            (name, reason, record)
        })
        .collect()
}

/// The longest policy is read, and thirteen witnesses with ML-DSA keys fit.
#[test]
fn long_policies_are_read() {
    let whole = format!("#{}\nquorum none\n", "x".repeat(24_576 - 14));
    assert_eq!(whole.len(), 24_576);
    let mut witnesses = String::new();
    for n in 0..13 {
        let key: Vec<u8> = [6].into_iter().chain([n as u8; 1312]).collect();
        let name = format!("audit-{n}.example");
        let hash = Sha256::digest([name.as_bytes(), b"\n", &key].concat());
        let id = hex::encode(&hash[..4]);
        witnesses += &format!("witness w{n} {name}+{id}+{}\n", base64(&key));
    }
    witnesses +=
        "group all-of-them all w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 w10 w11 w12\nquorum all-of-them\n";
    for text in [whole, witnesses] {
        let record = forged("policy", |it| it["policy"] = json!(text));
        Record::decode(&record).unwrap();
    }
}

fn with_endorsements(said: &Said, endorsements: &[Endorsement]) -> Vec<u8> {
    let mut bytes = (said.signed.bytes().len() as u64).to_be_bytes().to_vec();
    bytes.extend_from_slice(said.signed.bytes());
    bytes.extend_from_slice(said.signed.signature().as_bytes());
    bytes.extend_from_slice(&(endorsements.len() as u64).to_be_bytes());
    for endorsement in endorsements {
        bytes.extend_from_slice(endorsement.key.as_bytes());
        bytes.extend_from_slice(endorsement.signature.as_bytes());
    }
    bytes
}

fn rejected_signed_records() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let (_, grant) = shared().named("key_grant");
    let both = grant.signed.endorsements();
    let turned = [both[1], both[0]];
    let own = Endorsement {
        key: grant.signed.record().issuer,
        signature: *grant.signed.signature(),
    };
    let many: Vec<Endorsement> = (1..=33)
        .map(|n| Endorsement {
            key: PublicKey::from_bytes([n; 32]),
            signature: own.signature,
        })
        .collect();
    let [genesis, log_key] = with_mldsa() else {
        panic!("two statements name an ML-DSA key")
    };
    let without = genesis.signed.encode().unwrap();
    let without = without[..without.len() - 2420].to_vec();
    let short = log_key.signed.encode().unwrap();
    let short = short[..short.len() - 1].to_vec();
    let unasked = [
        grant.signed.encode().unwrap(),
        mldsa_bytes("golden ML-DSA signature ", 2420),
    ];
    let encoded = grant.signed.encode().unwrap();
    let longer = change(&encoded, 7, &[encoded[7] + 1]);
    vec![
        (
            "endorsements_descending",
            "endorsements ascend by key",
            with_endorsements(grant, &turned),
        ),
        (
            "endorsement_twice",
            "one endorsement a key",
            with_endorsements(grant, &[both[0], both[0]]),
        ),
        (
            "endorsement_by_issuer",
            "the issuer is no endorser",
            with_endorsements(grant, &[own]),
        ),
        (
            "endorsements_33",
            "at most 32 endorsements",
            with_endorsements(grant, &many),
        ),
        (
            "mldsa_signature_missing",
            "the statement names an ML-DSA key, and no signature by it stands behind",
            without,
        ),
        (
            "mldsa_signature_cut",
            "an ML-DSA signature has 2,420 bytes, and this has 2,419",
            short,
        ),
        (
            "mldsa_signature_unasked",
            "a signature stands behind, and the statement names no ML-DSA key",
            unasked.concat(),
        ),
        (
            "record_length_wrong",
            "the record's length is one too large",
            longer,
        ),
    ]
}

fn rejected_entries() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let (_, award) = shared().named("award");
    let bytes = &award.bytes;
    // After version and time: the number of indexes, then three of them.
    let (before, after) = (&bytes[..10], &bytes[18 + 3 * 8..]);
    let six = [before, &6_u64.to_be_bytes(), &[255; 48], after].concat();
    vec![
        (
            "entry_version_2",
            "this format is version 1",
            change(bytes, 0, &[0, 2]),
        ),
        ("entry_lineage_6", "a lineage has at most 5 indexes", six),
        (
            "entry_trailing_byte",
            "a byte is left over after the end",
            [bytes, &[0][..]].concat(),
        ),
    ]
}

/// s + L, little-endian: the same signature with another s.
fn malleated(signature: &Signature) -> Signature {
    const L: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut bytes = *signature.as_bytes();
    let mut carry = 0;
    for (byte, more) in bytes[32..].iter_mut().zip(L) {
        let sum = u16::from(*byte) + u16::from(more) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    Signature::from_bytes(bytes)
}

/// A signature with this R, and s made for it: the group equation holds when cleared of the
/// cofactor.
fn crafted(n: u8, r: [u8; 32], nonce: Scalar, message: &[u8]) -> Signature {
    let hash = Sha512::digest([n; 32]);
    let secret = Scalar::from_bytes_mod_order(clamp_integer(hash[..32].try_into().unwrap()));
    let input = [r.as_slice(), key(n).public().as_bytes(), message].concat();
    let k = Scalar::from_bytes_mod_order_wide(&Sha512::digest(input).into());
    let s = nonce + k * secret;
    Signature::from_bytes([r, s.to_bytes()].concat().try_into().unwrap())
}

/// Encodings of the eight points of small order: first the canonical ones.
const SMALL_ORDER: [&str; 14] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

fn rejected_signatures() -> Vec<(String, String, Value)> {
    let message = b"arborlog";
    let honest = key(ADA).sign(message);
    let nonce = Scalar::from(2026_u64);
    let torsioned = (ED25519_BASEPOINT_POINT * nonce + EIGHT_TORSION[1])
        .compress()
        .to_bytes();
    let mut all = vec![
        (
            "s_plus_l".to_owned(),
            "s is not below L".to_owned(),
            malleated(&honest),
        ),
        (
            "r_with_torsion".to_owned(),
            "R has a torsion component; a check with the cofactor would accept it".to_owned(),
            crafted(ADA, torsioned, nonce, message),
        ),
    ];
    for (at, r) in SMALL_ORDER.iter().enumerate() {
        let r = hex::decode(r).unwrap().try_into().unwrap();
        let reason = "R is an encoding of a point of small order, and s fits it".to_owned();
        all.push((
            format!("r_small_order_{at:02}"),
            reason,
            crafted(ADA, r, Scalar::ZERO, message),
        ));
    }
    all.into_iter()
        .map(|(name, reason, signature)| {
            let json = json!({
                "what": "signature", "reason": reason, "key": public(ADA),
                "message": hex::encode(message), "signature": hex::encode(signature.as_bytes()),
            });
            (name, String::new(), json)
        })
        .collect()
}

fn rejected_keys() -> Vec<(String, &'static str, String)> {
    let point = curve25519_dalek::edwards::CompressedEdwardsY(*key(ADA).public().as_bytes());
    let torsioned = (point.decompress().unwrap() + EIGHT_TORSION[1]).compress();
    let mut all = vec![
        (
            "key_with_torsion".to_owned(),
            "it has a torsion component",
            hex::encode(torsioned.0),
        ),
        (
            "key_not_on_curve".to_owned(),
            "y = 2 is of no point on the curve",
            format!("02{}", "00".repeat(31)),
        ),
        (
            "key_not_canonical".to_owned(),
            "y = p + 3 is not below p",
            format!("f0{}7f", "ff".repeat(30)),
        ),
    ];
    for (at, key) in SMALL_ORDER.iter().enumerate() {
        all.push((
            format!("key_small_order_{at:02}"),
            "a point of small order",
            (*key).to_owned(),
        ));
    }
    all
}

fn rejected_texts() -> Vec<(&'static str, &'static str, &'static str, String)> {
    let it = shared();
    let good = checkpoint(it, 1).to_string();
    let signature = good.lines().last().unwrap();
    let text = |lines: &str| {
        let signature = hex::encode(key(LOG).sign(lines.as_bytes()).as_bytes());
        let id = format!("{:08x}", vkey(LOG).id());
        let line = hex::decode(id + &signature).unwrap();
        format!("{lines}\n— {ORIGIN} {}\n", base64(&line))
    };
    let root = root_of([leaf_hash(&it.bytes(0))]);
    let (award, _) = it.named("award");
    let receipt = receipt(it, award, &checkpoint(it, STORY))
        .to_text()
        .unwrap();
    let index = format!("\nindex {award}\n");
    let next = vkey(LOG_NEXT).to_string();
    vec![
        (
            "checkpoint_extension",
            "checkpoint",
            "a line follows the root",
            text(&format!("{ORIGIN}\n1\n{root}\nmore\n")),
        ),
        (
            "checkpoint_size_not_plain",
            "checkpoint",
            "the size has a leading zero",
            text(&format!("{ORIGIN}\n01\n{root}\n")),
        ),
        (
            "checkpoint_other_origin",
            "checkpoint",
            "it is of another log",
            text(&format!("example.org/other\n1\n{root}\n")),
        ),
        (
            "checkpoint_false_signature",
            "checkpoint",
            "its size is not the one that was signed",
            good.replacen("\n1\n", "\n2\n", 1),
        ),
        (
            "checkpoint_unsigned",
            "checkpoint",
            "no line is by the log's key",
            good.replace(signature, &signature.replace(ORIGIN, "example.org/else")),
        ),
        (
            "vkey_other_id",
            "vkey",
            "the id does not belong to the key",
            next.replacen(&format!("{:08x}", vkey(LOG_NEXT).id()), "00000000", 1),
        ),
        (
            "receipt_index_not_plain",
            "receipt",
            "the index has a leading zero",
            receipt.replacen(&index, &format!("\nindex 0{award}\n"), 1),
        ),
        (
            "receipt_other_index",
            "receipt",
            "the entry is at another index",
            receipt.replacen(&index, &format!("\nindex {}\n", award + 1), 1),
        ),
        (
            "receipt_without_entry",
            "receipt",
            "there is no extra line",
            receipt
                .lines()
                .filter(|line| !line.starts_with("extra "))
                .fold(String::new(), |text, line| text + line + "\n"),
        ),
    ]
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// All that must be refused, by file name.
fn rejected() -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let bytes = [
        ("record", rejected_records()),
        ("record", rejected_policies()),
        ("signed_record", rejected_signed_records()),
        ("entry", rejected_entries()),
    ];
    for (what, cases) in bytes {
        for (name, reason, bytes) in cases {
            let case = json!({"what": what, "reason": reason, "hex": hex::encode(bytes)});
            assert!(all.insert(name.to_owned(), case).is_none());
        }
    }
    all.extend(
        rejected_signatures()
            .into_iter()
            .map(|(name, _, case)| (name, case)),
    );
    for (name, reason, key) in rejected_keys() {
        all.insert(name, json!({"what": "key", "reason": reason, "hex": key}));
    }
    for (name, what, reason, text) in rejected_texts() {
        let case = json!({"what": what, "reason": reason, "text": text});
        all.insert(name.to_owned(), case);
    }
    all
}

/// Whether the library takes what a file holds.
fn accepts(case: &Value) -> bool {
    let bytes = |name: &str| hex::decode(case[name].as_str().unwrap()).unwrap();
    let bytes32 = |name: &str| PublicKey::from_bytes(bytes(name).try_into().unwrap());
    let text = || case["text"].as_str().unwrap();
    match case["what"].as_str().unwrap() {
        "record" => Record::decode(&bytes("hex")).is_ok(),
        "signed_record" => SignedRecord::decode(&bytes("hex")).is_ok(),
        "entry" => SignedEntry::decode(&bytes("hex")).is_ok(),
        "key" => VerifyingKey::new(&bytes32("hex")).is_ok(),
        "signature" => {
            let signature = Signature::from_bytes(bytes("signature").try_into().unwrap());
            let key = VerifyingKey::new(&bytes32("key")).unwrap();
            key.verify(&bytes("message"), &signature).is_ok()
        }
        "checkpoint" => Checkpoint::open(text().as_bytes(), &vkey(LOG)).is_ok(),
        "vkey" => text().parse::<VerifierKey>().is_ok(),
        "receipt" => {
            let parsed = text().parse::<Receipt>();
            parsed.is_ok_and(|it| it.verify(&vkey(LOG), None, &[]).is_ok())
        }
        other => panic!("nobody reads a {other}"),
    }
}

#[test]
fn what_is_not_canonical_is_refused() {
    let all = rejected();
    for (name, case) in &all {
        golden(&format!("rejected/{name}.json"), pretty(case));
    }
    let mut found = 0;
    for file in std::fs::read_dir(golden_dir().join("rejected")).unwrap() {
        let path = file.unwrap().path();
        let case: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert!(!accepts(&case), "{}: {}", path.display(), case["reason"]);
        found += 1;
    }
    assert_eq!(
        found,
        all.len(),
        "a file in tests/golden/rejected is not made by the test"
    );
}

/// The forgeries above differ from good bytes by what they say that they do.
#[test]
fn unforged_bytes_are_accepted() {
    let (_, award) = shared().named("award");
    let (_, grant) = shared().named("key_grant");
    assert_eq!(forged("award", |_| ()), award.signed.bytes());
    assert_eq!(
        with_endorsements(grant, grant.signed.endorsements()),
        grant.signed.encode().unwrap()
    );
    let message = b"arborlog";
    let nonce = Scalar::from(2026_u64);
    let r = (ED25519_BASEPOINT_POINT * nonce).compress().to_bytes();
    let ada = VerifyingKey::new(&key(ADA).public()).unwrap();
    ada.verify(message, &crafted(ADA, r, nonce, message))
        .unwrap();
}

// ---------------------------------------------------------------------------------------------
// Notes, receipts, logs

fn cosigned(it: &Ledger) -> String {
    let mut checkpoint = checkpoint(it, STORY);
    cosign(&mut checkpoint, &witness_name(), &key(WITNESS), SEEN_AT_S);
    checkpoint.to_string()
}

#[test]
fn keys_and_notes_are_as_frozen() {
    let keys: Vec<Value> = KEY_NAMES
        .iter()
        .map(|(n, name)| {
            json!({"name": name, "seed": hex::encode([*n; 32]), "public_key": public(*n)})
        })
        .collect();
    golden("keys.json", pretty(&json!(keys)));
    golden("note/log.vkey", format!("{}\n", vkey(LOG)));
    golden("note/log_next.vkey", format!("{}\n", vkey(LOG_NEXT)));
    golden("note/witness.vkey", format!("{}\n", witness_vkey()));
    let text = cosigned(shared());
    golden("note/cosigned_checkpoint", &text);
    for n in [LOG, LOG_NEXT] {
        let opened = Checkpoint::open(text.as_bytes(), &vkey(n)).unwrap();
        assert_eq!(opened.to_string(), text);
        let seen = Cosignature::verify(&opened, &witness_vkey()).unwrap();
        assert_eq!(seen.seen_at_s, SEEN_AT_S);
    }
    for n in [LOG, LOG_NEXT] {
        assert_eq!(vkey(n).to_string().parse::<VerifierKey>().unwrap(), vkey(n));
    }
}

#[test]
fn receipts_are_as_frozen_and_hold() {
    let it = shared();
    let genesis = it.said[0].id;
    let mut whole = checkpoint(it, SIZE_MAX);
    cosign(&mut whole, &witness_name(), &key(WITNESS), SEEN_AT_S);
    let at = |name: &str| it.named(name).0;
    let cases = [
        ("award", at("award"), checkpoint(it, STORY), LOG_NEXT, false),
        ("genesis", 0, checkpoint(it, 1), LOG, false),
        (
            "governors",
            at("governors"),
            checkpoint(it, STORY),
            LOG,
            false,
        ),
        (
            "plot_handed_over",
            at("plot_handed_over"),
            checkpoint(it, STORY),
            LOG_NEXT,
            false,
        ),
        ("last_award_cosigned", SIZE_MAX - 1, whole, LOG_NEXT, true),
    ];
    for (name, index, checkpoint, log, seen) in cases {
        let made = receipt(it, index, &checkpoint);
        let text = made.to_text().unwrap();
        golden(&format!("receipts/{name}.tlog-proof"), &text);
        let read: Receipt = text.parse().unwrap();
        assert_eq!(read, made);
        let witnesses = if seen {
            vec![witness_vkey()]
        } else {
            Vec::new()
        };
        let verified = read.verify(&vkey(log), Some(&genesis), &witnesses).unwrap();
        assert_eq!(verified.index, Index(index));
        assert_eq!(verified.id, Some(it.said[index as usize].id));
        assert_eq!(verified.genesis, Some(genesis));
        assert!(read.verify(&vkey(log), Some(&RecordId::NONE), &[]).is_err());
        assert!(read.verify(&vkey(ADA), Some(&genesis), &[]).is_err());
        if !seen {
            assert!(
                read.verify(&vkey(log), Some(&genesis), &[witness_vkey()])
                    .is_err()
            );
        }
        refuses_changes(&text, log, &genesis);
    }
}

/// Keys of items after the story, one of each sort, and of items that are not there: domain, key.
fn item_keys(it: &Ledger) -> Vec<(Domain, Vec<u8>)> {
    let genesis = it.said[0].id;
    let leaves = std::fs::read(golden_dir().join("ledger/leaves.json")).unwrap();
    let leaves: Value = serde_json::from_slice(&leaves).unwrap();
    let mut keys = Vec::new();
    for (domain, name) in domains::NAMES {
        // Where a path is no hash, its first bytes are the key.
        let width = match domain {
            domains::ONCE => 1,
            domains::SPECIES => 2,
            domains::PLOTS | domains::MONTHS => 4,
            domains::SURVEYS => 16,
            domains::EVIDENCE => 32,
            domains::ACCOUNTS | domains::KEYS | domains::HOLDERS => continue,
            _ => 8,
        };
        let there = leaves[name].as_array().unwrap();
        let paths = there.iter().map(|leaf| leaf["path"].as_str().unwrap());
        let paths = paths.map(|path| hex::decode(path).unwrap()[..width].to_vec());
        let few = if domain == domains::ONCE { 4 } else { 2 };
        keys.extend(paths.take(few).map(|key| (domain, key)));
        if domain != domains::ONCE {
            keys.push((domain, vec![0x77; width]));
        }
    }
    for owner in ["ann", "cat"] {
        let account = hex::decode(sha(owner)).unwrap();
        keys.push((
            domains::ACCOUNTS,
            [genesis.as_bytes().as_slice(), &account].concat(),
        ));
    }
    keys.push((
        domains::ACCOUNTS,
        [genesis.as_bytes().as_slice(), &[7; 32]].concat(),
    ));
    for n in [ADA, LOG, PLATFORM, PLATFORM_NEXT, WITNESS] {
        keys.push((domains::KEYS, key(n).public().as_bytes().to_vec()));
    }
    for name in ["\0bike-club", "\u{1}blkeclub", "\0nobody", "\u{1}nobody"] {
        keys.push((domains::HOLDERS, name.as_bytes().to_vec()));
    }
    keys
}

/// The receipt of a state entry behind the story, with items of each sort.
#[test]
fn a_receipt_of_items_is_as_frozen_and_holds() {
    let it = shared();
    let mut replay = Replay::new(&origin(), Signatures::Trust);
    for entry in &it.entries()[..STORY as usize] {
        replay.take(entry, |index| Some(it.bytes(index.0))).unwrap();
    }
    let (state, roots) = (replay.state(), replay.state().roots().unwrap());
    let image = state.image_for_proofs();
    let admitted_at = state.globals().last_admitted_at;
    let entry = state.next_state_entry(admitted_at, STORY, &roots, state.totals());
    let entry = entry.unwrap().encode().unwrap();
    let mut entries = it.entries()[..STORY as usize].to_vec();
    entries.push(entry.clone());
    let leaves = entries.iter().map(|entry| leaf_hash(entry));
    let head = TreeHead {
        size: STORY + 1,
        root: root_of(leaves.clone()),
    };
    let leaves: Vec<Hash> = leaves.collect();
    let path = inclusion_ranges(STORY, STORY + 1).unwrap().into_iter();
    let path = path.map(|(from, to)| root_of(leaves[from as usize..to as usize].iter().copied()));
    let mut checkpoint = Checkpoint::sign(&ORIGIN.parse().unwrap(), head, &key(LOG_NEXT));
    checkpoint.also_sign(&key(LOG));
    let items = item_keys(it).into_iter().map(|(domain, key)| {
        let place = place_of(domain, &key).unwrap();
        StateItem {
            fields: image.fields(domain, &key),
            proof: image.prove(&roots, domain, &place).unwrap().encode(),
            key,
        }
    });
    let made = Receipt {
        entries: Vec::new(),
        hashes: Vec::new(),
        items: items.collect(),
        index: Index(STORY),
        entry,
        seal: None,
        authority: Vec::new(),
        path: path.collect(),
        checkpoint: checkpoint.to_string(),
        second: None,
    };
    let text = made.to_text().unwrap();
    golden("receipts/state_items.tlog-proof", &text);
    let read: Receipt = text.parse().unwrap();
    assert_eq!(read, made);
    let genesis = it.said[0].id;
    let verified = read.verify(&vkey(LOG), Some(&genesis), &[]).unwrap();
    let mut words = String::new();
    for item in &verified.items {
        writeln!(words, "{item}").unwrap();
    }
    golden("ledger/item_words.txt", words);
    let found = verified.items.iter().filter(|item| item.found.is_some());
    assert!(found.count() > 25);
    assert!(read.verify(&vkey(LOG), Some(&RecordId::NONE), &[]).is_err());

    // No bit of an item can be another: of its key, its fields, its proof.
    let state = StateEntry::decode(&read.entry).unwrap();
    for item in &read.items {
        let verify = |item: &StateItem| item.verify(read.index, &state);
        for at in 0..8 * item.key.len() {
            let mut changed = item.clone();
            changed.key[at / 8] ^= 1 << (at % 8);
            // The same proof shows of other places too that nothing is there.
            let shown = verify(&changed).is_ok_and(|proven| proven.found.is_some());
            assert!(!shown, "{item:?} {at}");
        }
        for at in 0..8 * item.proof.len() {
            let mut changed = item.clone();
            changed.proof[at / 8] ^= 1 << (at % 8);
            assert!(verify(&changed).is_err(), "{item:?} {at}");
        }
        for at in 0..8 * item.fields.as_ref().map_or(0, Vec::len) {
            let mut changed = item.clone();
            changed.fields.as_mut().unwrap()[at / 8] ^= 1 << (at % 8);
            assert!(verify(&changed).is_err(), "{item:?} {at}");
        }
        let mut changed = item.clone();
        changed.fields = item.fields.is_none().then(Vec::new);
        assert!(verify(&changed).is_err(), "{item:?}");
    }
}

/// Any changed character makes a receipt worthless, but for the lines of other signers.
fn refuses_changes(text: &str, log: u8, genesis: &RecordId) {
    let ours = checkpoint_line(text, log);
    for at in (0..text.len()).step_by(41) {
        if !text.is_char_boundary(at) {
            continue;
        }
        let line = text[..at].matches('\n').count();
        let is_signature = text
            .lines()
            .nth(line)
            .is_some_and(|line| line.starts_with('—'));
        if is_signature && line != ours {
            continue;
        }
        let mut changed = text.as_bytes().to_vec();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let Ok(changed) = String::from_utf8(changed) else {
            continue;
        };
        let holds = changed
            .parse::<Receipt>()
            .is_ok_and(|receipt| receipt.verify(&vkey(log), Some(genesis), &[]).is_ok());
        assert!(!holds, "a receipt holds with another character at {at}");
    }
}

/// The number of the line on which a log's key signed.
fn checkpoint_line(text: &str, log: u8) -> usize {
    let id = &base64(&vkey(log).id().to_be_bytes())[..5];
    let line = format!("— {ORIGIN} {id}");
    text.lines().position(|it| it.starts_with(&line)).unwrap()
}

/// All tiles and bundles of a tree, in order: bundles, then each level from the leaves up.
fn tiles(entries: &[Vec<u8>]) -> Vec<(TileId, Vec<u8>)> {
    let size = entries.len() as u64;
    let mut all = Vec::new();
    for (number, chunk) in entries.chunks(TILE_HASHES as usize).enumerate() {
        let mut bytes = Vec::new();
        chunk
            .iter()
            .for_each(|entry| Bundle::append(&mut bytes, entry).unwrap());
        all.push((
            TileId::in_tree(Level::Entries, number as u64, size).unwrap(),
            bytes,
        ));
    }
    let mut row: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
    for level in 0.. {
        let mut next = Vec::new();
        for (number, chunk) in row.chunks(TILE_HASHES as usize).enumerate() {
            let id = TileId::in_tree(Level::Hashes(level), number as u64, size).unwrap();
            let bytes: Vec<u8> = chunk.iter().flat_map(|hash| *hash.as_bytes()).collect();
            let tile = HashTile::parse(&id, &bytes).unwrap();
            if id.is_full() {
                next.push(tile.root().unwrap());
            }
            all.push((id, bytes));
        }
        if next.is_empty() {
            break;
        }
        row = next;
    }
    all
}

#[test]
fn logs_are_as_frozen_and_whole() {
    let it = shared();
    for size in SIZES {
        let dir = format!("log/{size}");
        let entries = &it.entries()[..size as usize];
        let mut names = vec!["checkpoint".to_owned()];
        for (id, bytes) in tiles(entries) {
            golden(&format!("{dir}/{id}"), bytes);
            names.push(id.to_string());
        }
        golden(
            &format!("{dir}/checkpoint"),
            checkpoint(it, size).to_string(),
        );
        let path = golden_dir().join(&dir);
        let mut found = Vec::new();
        files_under(&path, &path, &mut found);
        names.sort();
        found.sort();
        assert_eq!(found, names, "files of the log at {size}");
        let signed_by = if size <= it.named("log_key").0 {
            LOG
        } else {
            LOG_NEXT
        };
        let text = std::fs::read(path.join("checkpoint")).unwrap();
        let head = Checkpoint::open(&text, &vkey(signed_by)).unwrap().head();
        assert_eq!(head.size, size);
        check_whole(&Folder::new(&path), &origin(), head, |_| ()).unwrap();
    }
}

fn files_under(root: &Path, dir: &Path, found: &mut Vec<String>) {
    for file in std::fs::read_dir(dir).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            files_under(root, &path, found);
        } else {
            found.push(
                path.strip_prefix(root)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned(),
            );
        }
    }
}

/// Takes in the entries of a log's first bundle, as they are in the files.
fn replay(size: u64) -> Replay {
    let id = TileId::in_tree(Level::Entries, 0, size).unwrap();
    let bytes = std::fs::read(golden_dir().join(format!("log/{size}/{id}"))).unwrap();
    let bundle = Bundle::parse(&bytes, id.width()).unwrap();
    let entries = bundle.entries();
    let mut replay = Replay::new(&origin(), Signatures::Verify);
    for entry in entries {
        replay
            .take(entry, |index| Some(entries[index.0 as usize].to_vec()))
            .unwrap();
        replay.state().totals().check().unwrap();
    }
    replay
}

fn totals(it: &Ledger, size: u64) -> Value {
    let mut replay = Replay::new(&origin(), Signatures::Trust);
    for entry in &it.entries()[..size as usize] {
        replay.take(entry, |index| Some(it.bytes(index.0))).unwrap();
    }
    serde_json::to_value(replay.state().totals()).unwrap()
}

#[test]
fn ledger_is_as_frozen() {
    let it = shared();
    if bless() {
        // The files are another test's to write, and it may not have come to it yet.
        return golden("ledger/totals.json", pretty(&totals(it, STORY)));
    }
    let replay = replay(STORY);
    golden(
        "ledger/totals.json",
        pretty(&serde_json::to_value(replay.state().totals()).unwrap()),
    );
    let text = std::fs::read(golden_dir().join(format!("log/{STORY}/checkpoint"))).unwrap();
    assert_eq!(
        Checkpoint::open(&text, &vkey(LOG)).unwrap().head(),
        replay.head().tree
    );
    check_books(replay.state());
}

/// The state root after each entry of the story, and each domain's root after the last.
#[test]
fn state_roots_are_as_frozen() {
    use arborlog::ledger::domains::NAMES;
    let it = shared();
    let mut replay = Replay::new(&origin(), Signatures::Trust);
    let mut text = String::new();
    let mut roots = replay.state().roots().unwrap();
    for (index, entry) in it.entries()[..STORY as usize].iter().enumerate() {
        replay.take(entry, |index| Some(it.bytes(index.0))).unwrap();
        roots = replay.state().roots().unwrap();
        // An image's are the same, made on their own.
        let image = replay.state().clone().image();
        assert_eq!(image.roots().unwrap(), roots);
        let root = hex::encode(roots.state_root().as_bytes());
        writeln!(text, "{} {root}", index + 1).unwrap();
    }
    golden("ledger/state_roots.txt", text);
    let domains: serde_json::Map<String, Value> = NAMES
        .iter()
        .zip(&roots.0)
        .map(|((_, name), root)| {
            let said = json!({
                "hash": hex::encode(root.hash.as_bytes()),
                "a": root.a, "b": root.b, "n": root.n,
            });
            ((*name).to_owned(), said)
        })
        .collect();
    golden("ledger/domains.json", pretty(&Value::Object(domains)));
}

/// The totals of the story, reckoned by hand from the statements in this file.
fn check_books(state: &State) {
    let it = state.totals();
    let (ann, bob, cat, ann_again) = (6690, 2064, 5268, 3280);
    assert_eq!(it.awarded, ann + bob + cat + ann_again);
    assert_eq!(it.reversed, 64 + 5268);
    // Both transfers out were voided.
    assert_eq!((it.expired, it.spent_elsewhere), (0, 0));
    // Ann's second and last claim, and Cat's.
    assert_eq!((it.claimed, it.claims), (3 * 2000, 3));
    assert_eq!(it.balances, 11_970 - 6000);
    assert_eq!(it.accounts_negative, 1);
    assert_eq!(
        (it.planted_recorded, it.planted_voided, it.planted()),
        (25, 4, 21)
    );
    assert_eq!((it.lost, it.standing), (1, 20));
    // The second claim has its tree back after the fire was voided; the last has a new one.
    assert_eq!((it.assigned, it.waiting), (2, 1));
}

/// A line for each entry of the story: what it is, who said it, what it stands on.
#[test]
fn lineage_is_as_frozen() {
    let it = shared();
    let names: BTreeMap<String, &str> = KEY_NAMES
        .iter()
        .map(|(n, name)| (public(*n), *name))
        .collect();
    let mut text = "# index, kind, issuer, seq, lineage; a dash is none\n".to_owned();
    for (index, said) in it.said[..STORY as usize].iter().enumerate() {
        let record = said.signed.record();
        let entry = SignedEntry::decode(&said.bytes).unwrap();
        let lineage: Vec<String> = entry
            .lineage
            .indexes()
            .iter()
            .map(|index| index.map_or("-".to_owned(), |index| index.to_string()))
            .collect();
        let (kind, issuer) = (record.statement.kind(), names[&record.issuer.to_string()]);
        writeln!(
            text,
            "{index}, {kind}, {issuer}, {}, {}",
            record.seq,
            lineage.join(" ")
        )
        .unwrap();
    }
    golden("ledger/lineage.txt", text);
}

// ---------------------------------------------------------------------------------------------
// Large trees

/// Leaf `i` of the generator: the first i mod 33 bytes of SHA-256("arborlog golden" ‖ i), with i
/// as eight big-endian bytes.
fn generated(i: u64) -> Vec<u8> {
    let seed = [b"arborlog golden".as_slice(), &i.to_be_bytes()].concat();
    Sha256::digest(seed)[..(i % 33) as usize].to_vec()
}

#[test]
fn large_trees_are_as_frozen() {
    let mut sizes = serde_json::Map::new();
    for size in [65_536_u64, 70_000] {
        let entries: Vec<Vec<u8>> = (0..size).map(generated).collect();
        let (mut bundles, mut hashes) = (Sha256::new(), Sha256::new());
        let mut count = [0_u64; 2];
        for (id, bytes) in tiles(&entries) {
            let is_bundle = id.level() == Level::Entries;
            if is_bundle { &mut bundles } else { &mut hashes }.update(bytes);
            count[usize::from(is_bundle)] += 1;
        }
        let mut tree = Frontier::default();
        entries.iter().for_each(|entry| tree.push(leaf_hash(entry)));
        let root = tree.root();
        let last = leaf_hash(entries.last().unwrap());
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let path: Vec<Hash> = inclusion_ranges(size - 1, size)
            .unwrap()
            .into_iter()
            .map(|(from, to)| root_of(leaves[from as usize..to as usize].iter().copied()))
            .collect();
        verify_inclusion(last, size - 1, size, &path, &root).unwrap();
        let golden = json!({
            "root": root.to_string(),
            "hash_tiles": count[0],
            "hash_tiles_sha256": hex::encode(hashes.finalize()),
            "bundles": count[1],
            "bundles_sha256": hex::encode(bundles.finalize()),
        });
        sizes.insert(size.to_string(), golden);
    }
    golden("large.json", pretty(&Value::Object(sizes)));
}

// ---------------------------------------------------------------------------------------------
// Faults that the format's reader has now

/// A list's limit is its bytes, not what its items take in memory, which differs by platform.
#[test]
fn lists_are_limited_by_their_bytes_alone() {
    let record = forged("method", |it| {
        let activity = |n| json!({"code": n, "name": "a", "unit": "u", "factor": 1, "cap": 1});
        let species = |n| json!({"code": n, "name": "s", "price": 1});
        it["activities"] = (0..128).map(activity).collect();
        it["species"] = (0..400).map(species).collect();
    });
    assert!(record.len() < 25_600);
    Record::decode(&record).unwrap();
}

/// A planting that begins inside another and ends after it.
#[test]
fn plantings_never_overlap() {
    let it = ledger();
    // Serials 16 to 21 are entry 49's.
    let statement = planting(1, 1, 19, 6, "photographs 5");
    let refused = it.refusal(PLANTER_NEXT, statement);
    assert_eq!(refused, Some(Code::SerialNotNext));
}
