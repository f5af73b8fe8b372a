//! Files about the state, from a real server: a certificate with all that it rests on, histories, what corrected
//! an entry. Whatever is changed in one, it no longer holds.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod support;

use std::time::{Duration, Instant};

use arborlog::client::{BatchAnswer, Remote, today};
use arborlog::crypto::SigningKey;
use arborlog::merkle::{Hash, joint_ranges, root_of};
use arborlog::note::VerifierKey;
use arborlog::outcome::Outcome;
use arborlog::receipt::{Receipt, ReceiptError, VerifiedReceipt};
use arborlog::record::*;
use serde_json::{Value, json};
use support::{Ledger, Server, award, run, run_ok};

const OFTEN: [&str; 2] = ["--state-every-ms", "4"];

fn account(n: u64) -> AccountId {
    match award(n, 0) {
        Statement::Award(award) => award.account,
        _ => panic!("award makes awards"),
    }
}

fn sha(text: &str) -> String {
    arborlog::merkle::leaf_hash(text.as_bytes())
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn statement(value: Value) -> Statement {
    serde_json::from_value(value).unwrap()
}

fn plot(number: u32) -> Statement {
    statement(json!({
        "kind": "plot", "number": number, "name": format!("Hill {number}"), "country": "US",
        "place": {"circle": {"latitude": 377_599_000, "longitude": -1_224_148_000 + i64::from(number), "radius_m": 180}},
        "finer_outline": null, "area_m2": 62_500, "trees_per_ha_max": 400,
        "carbon_rights": "none_issued", "funded_by": "Friends", "for": [], "set": null,
    }))
}

fn planting(plot: u32, first: u32, count: u32) -> Statement {
    statement(json!({
        "kind": "planting", "plot": plot, "species": 1, "first_serial": first, "count": count,
        "planted_from": "2026-03-14", "planted_until": "2026-03-20",
        "evidence": sha(&format!("{plot} {first}")), "evidence_at": "",
    }))
}

fn survey(plot: u32, day: &str, alive: u32, as_of: Index) -> Statement {
    statement(json!({
        "kind": "survey", "plot": plot, "planting": null, "surveyed_on": day,
        "as_of": as_of, "basis": "census", "protocol": "Every tree.", "plan": null,
        "alive": alive, "dead": 0, "not_found": 0, "dead_known": 0, "revived": 0,
        "evidence": sha(&format!("survey of {plot} on {day}")), "evidence_at": "", "paid_by": "City",
        "next_due": null,
    }))
}

fn claim(n: u64) -> Statement {
    statement(json!({
        "kind": "claim", "account": account(n), "method": 1, "version": 1, "species": 1, "points": 100,
    }))
}

fn assignment(plot: u32, first: u32, claims: &[Index]) -> Statement {
    statement(json!({
        "kind": "assignment", "plot": plot, "first_serial": first, "claims": claims,
    }))
}

fn transfer(from: u64, to: u64, points: u64) -> Statement {
    statement(json!({
        "kind": "transfer", "from": account(from), "to": account(to), "points": points, "reason": "gift",
    }))
}

fn correction(target: Index, remedy: Value) -> Statement {
    statement(json!({
        "kind": "correction", "target": target, "reason": "It was so.", "remedy": remedy, "set": null,
    }))
}

/// A ledger of certificates in each standing, with its server.
struct Story {
    ledger: Ledger,
    server: Server,
    vkey: VerifierKey,
    /// Certificates: with a tree (claimed alone; claimed in a sealed batch), that waits, that was voided.
    alone: Index,
    sealed: Index,
    waiting: Index,
    voided: Index,
    /// A certificate on plot 2, which nobody surveyed.
    unsurveyed: Index,
    awards: Vec<Index>,
    reversal: Index,
    transfer: Index,
    older_survey: Index,
    latest_survey: Index,
    planting: Index,
    loss: Index,
    loss_void: Index,
}

/// Appends a key's statements one by one; gives the index of the last.
fn say(ledger: &Ledger, remote: &Remote, key: &SigningKey, said: Statement) -> Index {
    let records = ledger.sign(remote, key, &[said]);
    match remote.append(&records).unwrap() {
        BatchAnswer::Admitted(indexes) => indexes[0],
        BatchAnswer::Refused { problem, .. } => panic!("{problem:?}"),
    }
}

/// Appends statements in one sealed batch; gives the index of the first.
fn seal(ledger: &Ledger, remote: &Remote, key: &SigningKey, said: &[Statement]) -> Index {
    let head = remote.issuer(&key.public()).unwrap();
    let statements = said.iter().cloned().map(SealedStatement::new);
    let place = SealPlace {
        seq: head.next_seq,
        prev: head.prev,
        issued_on: today(),
    };
    let statements = statements.collect::<Result<_, _>>().unwrap();
    let (batch, _) = SealedBatch::seal(statements, place, &ledger.context(), key).unwrap();
    let url = format!("{}/v1/batches", remote.base());
    let kind = "application/vnd.arborlog.batch";
    let (status, answer) = support::post(&url, kind, &batch.body().unwrap());
    assert_eq!(status, 200, "{answer}");
    Index(answer["first_index"].as_u64().unwrap())
}

fn at(first: Index, place: u64) -> Index {
    Index(first.0 + place)
}

impl Story {
    fn new() -> Self {
        let ledger = Ledger::init();
        let server = Server::start_with(&ledger.dir, &OFTEN);
        let remote = server.remote();
        ledger.set_up(&remote);
        let (platform, planter, surveyor) = (&ledger.platform, &ledger.planter, &ledger.surveyor);
        let paid: Vec<_> = (0..12).map(|n| award(n % 4, n)).collect();
        let first = seal(&ledger, &remote, platform, &paid);
        let mut awards: Vec<_> = (0..12).map(|place| at(first, place)).collect();
        awards.push(say(&ledger, &remote, platform, award(1, 99)));
        for number in [1, 2] {
            say(&ledger, &remote, planter, plot(number));
        }
        let first = seal(
            &ledger,
            &remote,
            planter,
            &[planting(1, 1, 5), planting(1, 6, 5), planting(2, 1, 3)],
        );
        let planting = at(first, 1);
        let alone = say(&ledger, &remote, platform, claim(1));
        let first = seal(
            &ledger,
            &remote,
            platform,
            &[claim(0), claim(2), claim(3), claim(1)],
        );
        let (sealed, waiting) = (first, at(first, 1));
        let (voided, unsurveyed) = (at(first, 2), at(first, 3));
        say(&ledger, &remote, platform, assignment(1, 7, &[alone]));
        seal(
            &ledger,
            &remote,
            platform,
            &[assignment(1, 1, &[sealed]), assignment(2, 1, &[unsurveyed])],
        );
        say(
            &ledger,
            &remote,
            platform,
            correction(voided, json!("void")),
        );
        let reverse = json!({"reverse": {"points": 4}});
        let reversal = say(&ledger, &remote, platform, correction(awards[1], reverse));
        let transfer = say(&ledger, &remote, platform, transfer(1, 2, 5));
        let older_survey = say(
            &ledger,
            &remote,
            surveyor,
            survey(1, "2026-05-01", 10, planting),
        );
        let first = seal(
            &ledger,
            &remote,
            surveyor,
            &[
                survey(1, "2026-06-01", 9, planting),
                survey(1, "2026-04-01", 10, planting),
            ],
        );
        let lost = json!({"lost": {"count": 1, "first_serial": 9, "lost_on": "2026-06-01", "evidence": null}});
        let loss = say(&ledger, &remote, planter, correction(planting, lost));
        let loss_void = say(&ledger, &remote, planter, correction(loss, json!("void")));
        let vkey = std::fs::read_to_string(ledger.dir.join("log.vkey")).unwrap();
        let story = Self {
            vkey: vkey.trim().parse().unwrap(),
            alone,
            sealed,
            waiting,
            voided,
            unsurveyed,
            awards,
            reversal,
            transfer,
            older_survey,
            latest_survey: first,
            planting,
            loss,
            loss_void,
            ledger,
            server,
        };
        story.covered(loss_void);
        story
    }

    /// Waits until a state entry speaks of an entry.
    fn covered(&self, index: Index) {
        let until = Instant::now() + Duration::from_secs(20);
        let speaks_of = |receipt: &Receipt| match Entry::decode(&receipt.entry).unwrap() {
            Entry::State(state) => state.size,
            _ => panic!("no state entry"),
        };
        while speaks_of(&self.fetch("v1/proofs/state?domain=totals")) <= index.0 {
            assert!(Instant::now() < until, "entry {index} is not covered");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn fetch(&self, path: &str) -> Receipt {
        let text = self.server.remote().text(path);
        Receipt::read(text.unwrap().as_bytes()).unwrap()
    }

    fn certificate(&self, index: Index) -> Receipt {
        self.fetch(&format!("v1/proofs/certificate/{index}"))
    }

    fn verify(&self, receipt: &Receipt) -> Result<VerifiedReceipt, ReceiptError> {
        receipt.verify(&self.vkey, None, &[])
    }

    /// That a file holds, and what it says.
    fn says(&self, receipt: &Receipt) -> String {
        let verified = self.verify(receipt).unwrap();
        // One encoding: what was read is written again just so.
        let text = receipt.to_text().unwrap();
        assert_eq!(Receipt::read(text.as_bytes()).unwrap(), *receipt);
        verified.file.unwrap().sentences().join("\n")
    }

    /// That a changed file does not hold, by its outcome and code.
    fn lie(&self, what: &str, receipt: &Receipt) -> (Outcome, &'static str) {
        match self.verify(receipt) {
            Ok(_) => panic!("{what}: it holds"),
            Err(error) => (error.outcome(), error.code()),
        }
    }

    /// The same file with some of its entries alone, and the hashes for them.
    fn rejoined(&self, receipt: &Receipt, keep: impl Fn(Index) -> bool) -> Receipt {
        let remote = self.server.remote();
        let size = self.verify(receipt).unwrap().head.size;
        let leaf = |index: u64| -> Hash {
            let said: Value = remote.json(&format!("v1/entries/{index}")).unwrap();
            said["leaf_hash"].as_str().unwrap().parse().unwrap()
        };
        let leaves: Vec<Hash> = (0..size).map(leaf).collect();
        let mut made = receipt.clone();
        made.entries.retain(|entry| keep(entry.index));
        let indexes: Vec<u64> = made.entries.iter().map(|entry| entry.index.0).collect();
        let ranges = joint_ranges(&indexes, size).unwrap();
        let root = |(from, to): (u64, u64)| {
            let part = leaves[from as usize..to as usize].iter().copied();
            *root_of(part).as_bytes()
        };
        made.hashes = ranges.into_iter().map(root).collect();
        made
    }

    fn balance(&self, n: u64) -> i128 {
        let path = format!("v1/accounts/{}", account(n));
        let said: Value = self.server.remote().json(&path).unwrap();
        said["balance"].as_str().unwrap().parse().unwrap()
    }
}

#[test]
fn a_certificate_is_proven_in_one_file_in_each_standing() {
    let story = Story::new();
    let said = story.says(&story.certificate(story.alone));
    for part in [
        "a tree of Haloxylon ammodendron".to_owned(),
        "its tree is 1/7".to_owned(),
        "planted between 2026-03-14 and 2026-03-20".to_owned(),
        "none of them is lost".to_owned(),
        "plot 1 is \"Hill 1\" in US, held by trees".to_owned(),
        format!("of 2026-06-01, by eyes, entry {}", story.latest_survey),
        "the programme is \"a test\"".to_owned(),
        "app (app), as platform, issued entries".to_owned(),
        "the key is not revoked".to_owned(),
    ] {
        assert!(said.contains(&part), "{part}: {said}");
    }
    let said = story.says(&story.certificate(story.sealed));
    assert!(said.contains("its tree is 1/1"), "{said}");
    let said = story.says(&story.certificate(story.waiting));
    assert!(said.contains("waits for its tree"), "{said}");
    let said = story.says(&story.certificate(story.voided));
    assert!(said.contains("was voided by entry"), "{said}");
    let said = story.says(&story.certificate(story.unsurveyed));
    assert!(said.contains("plot 2 has no survey that counts"), "{said}");
    for index in [story.alone, story.sealed] {
        let text = story.certificate(index).to_text().unwrap();
        assert!(text.len() <= 12 << 10, "{} bytes", text.len());
        println!("certificate {index}: {} bytes", text.len());
    }

    // By the commands, offline, in words and as JSON.
    let file = story.ledger.path("certificate.tlog-proof");
    let (url, vkey) = (story.server.url.clone(), story.vkey.to_string());
    let number = story.alone.to_string();
    run_ok(&["prove", "--from", &url, "-o", &file, "certificate", &number]);
    let said = run_ok(&["verify", &file, "--log", &vkey]);
    for part in [
        "its tree is 1/7",
        "auditors vouch for it",
        "how the first",
        "admitted on",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let genesis = story
        .verify(&story.certificate(story.alone))
        .unwrap()
        .genesis;
    let genesis = genesis.unwrap().to_string();
    let said = run_ok(&[
        "verify",
        &file,
        "--log",
        &vkey,
        "--genesis",
        &genesis,
        "--json",
    ]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["file"]["says"]["standing"], "tree");
    assert_eq!(
        said["file"]["says"]["tree"]["latest_survey"],
        json!(story.latest_survey)
    );
    let other = run(&[
        "verify",
        &file,
        "--log",
        &vkey,
        "--genesis",
        &"ab".repeat(32),
    ]);
    assert_eq!(other.status.code(), Some(1));

    for (path, code) in [
        (
            format!("v1/proofs/certificate/{}", story.planting),
            "not_found",
        ),
        ("v1/proofs/certificate/99999999".to_owned(), "not_found"),
        ("v1/proofs/certificate/07".to_owned(), "path_malformed"),
    ] {
        let error = story.server.remote().text(&path).unwrap_err().to_string();
        assert!(error.contains(code), "{path}: {error}");
    }
}

/// Each part is dropped, doubled, exchanged and changed; none of these files holds.
#[test]
fn nothing_of_a_certificate_can_be_changed_or_left_out() {
    let story = Story::new();
    let honest = story.certificate(story.sealed);
    story.says(&honest);
    let entries = honest.entries.len();
    assert!(entries >= 8, "five entries and their seals: {entries}");
    for place in 0..entries {
        let index = honest.entries[place].index;
        let mut wrong = honest.clone();
        wrong.entries.remove(place);
        let (outcome, _) = story.lie(&format!("without entry {index}"), &wrong);
        assert_ne!(outcome, Outcome::NotThatKind);
        for byte in 0..honest.entries[place].entry.len() {
            let mut wrong = honest.clone();
            wrong.entries[place].entry[byte] ^= 1;
            let what = format!("byte {byte} of entry {index}");
            let found = story.lie(&what, &wrong);
            // The first two tell the form, and what else the file may have of the entry.
            if byte >= 2 {
                assert_eq!(found, (Outcome::False, "not_included"));
            }
        }
        for sibling in 0..honest.entries[place].siblings.len() {
            let mut wrong = honest.clone();
            wrong.entries[place].siblings[sibling][0] ^= 1;
            let found = story.lie(&format!("sibling {sibling} of entry {index}"), &wrong);
            assert_eq!(found, (Outcome::False, "seal_mismatch"));
            let mut wrong = honest.clone();
            wrong.entries[place].siblings.remove(sibling);
            let found = story.lie(&format!("no sibling {sibling} of entry {index}"), &wrong);
            assert_eq!(found, (Outcome::Unchecked, "proof_incomplete"));
        }
        let mut wrong = honest.clone();
        wrong.entries[place].index.0 += 1;
        story.lie(&format!("entry {index} elsewhere"), &wrong);
        for other in 0..place {
            let mut wrong = honest.clone();
            let swapped = wrong.entries[other].entry.clone();
            wrong.entries[other].entry = wrong.entries[place].entry.clone();
            wrong.entries[place].entry = swapped;
            story.lie(&format!("entries {other} and {place} exchanged"), &wrong);
        }
    }
    for place in 0..honest.hashes.len() {
        let mut wrong = honest.clone();
        wrong.hashes[place][31] ^= 1;
        let found = story.lie(&format!("hash {place}"), &wrong);
        assert_eq!(found, (Outcome::False, "not_included"));
        let mut wrong = honest.clone();
        wrong.hashes.remove(place);
        let found = story.lie(&format!("without hash {place}"), &wrong);
        assert_eq!(found, (Outcome::Unchecked, "proof_incomplete"));
    }
    for place in 0..honest.items.len() {
        let mut wrong = honest.clone();
        wrong.items.remove(place);
        let found = story.lie(&format!("without item {place}"), &wrong);
        assert_eq!(found, (Outcome::Unchecked, "state_file_unfit"));
        let mut wrong = honest.clone();
        wrong.items.insert(place, honest.items[place].clone());
        let found = story.lie(&format!("item {place} twice"), &wrong);
        assert_eq!(found, (Outcome::Unchecked, "state_file_unfit"));
        if place > 0 {
            let mut wrong = honest.clone();
            wrong.items.swap(place - 1, place);
            let found = story.lie(&format!("items {place} and that before exchanged"), &wrong);
            assert_eq!(found, (Outcome::Unchecked, "state_file_unfit"));
        }
        for byte in 0..honest.items[place].proof.len() {
            let mut wrong = honest.clone();
            wrong.items[place].proof[byte] ^= 1;
            story.lie(&format!("byte {byte} of the proof of item {place}"), &wrong);
        }
        for byte in 0..honest.items[place].key.len() {
            let mut wrong = honest.clone();
            wrong.items[place].key[byte] ^= 1;
            story.lie(&format!("byte {byte} of the key of item {place}"), &wrong);
        }
        let fields = honest.items[place].fields.as_ref().map_or(0, Vec::len);
        for byte in 0..fields {
            let mut wrong = honest.clone();
            wrong.items[place].fields.as_mut().unwrap()[byte] ^= 1;
            let found = story.lie(
                &format!("byte {byte} of the fields of item {place}"),
                &wrong,
            );
            assert_eq!(found, (Outcome::False, "state_item_wrong"));
        }
    }
    let mut wrong = honest.clone();
    wrong.entries.clear();
    wrong.hashes.clear();
    // Its items alone still stand, and are about nothing.
    assert!(story.verify(&wrong).unwrap().file.is_none());
    // Any changed character of the file.
    let text = honest.to_text().unwrap();
    let body = text.find("\n\n").unwrap();
    for at in (0..body).step_by(29) {
        let mut changed = text.as_bytes().to_vec();
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        let held = Receipt::read(&changed).and_then(|receipt| story.verify(&receipt));
        assert!(held.is_err(), "another character at {at}");
    }
}

/// Makes a receipt of the same log's parts, as somebody would who has them all.
fn assembled(from: &Receipt, entries: &[&Receipt]) -> Receipt {
    let mut made = from.clone();
    let all = entries
        .iter()
        .flat_map(|receipt| receipt.entries.iter().cloned());
    made.entries.extend(all);
    made.entries.sort_by_key(|entry| entry.index);
    made.entries.dedup_by_key(|entry| entry.index);
    made
}

/// Files whose parts are each proven, and that do not belong together.
#[test]
fn true_parts_that_do_not_belong_together_do_not_hold() {
    let story = Story::new();
    let (alone, sealed) = (
        story.certificate(story.alone),
        story.certificate(story.sealed),
    );
    let unsurveyed = story.certificate(story.unsurveyed);
    assert_eq!(alone.checkpoint, sealed.checkpoint);
    // The latest survey is the item before the keys: that of another plot, as a single leaf, an older one.
    let place = |receipt: &Receipt| {
        let items = receipt.items.iter();
        items.clone().position(|item| item.proof[0] == 16).unwrap()
    };
    let mut wrong = alone.clone();
    wrong.items[place(&alone)] = unsurveyed.items[place(&unsurveyed)].clone();
    assert_eq!(
        story.lie("another plot's survey", &wrong),
        (Outcome::Unchecked, "state_file_unfit")
    );
    let older = story.fetch(&format!(
        "v1/proofs/state?domain=survey&key=1/{}/{}",
        "2026-05-01".parse::<Day>().unwrap().0,
        story.older_survey
    ));
    assert!(older.items[0].fields.is_some());
    let mut wrong = alone.clone();
    wrong.items[place(&alone)] = older.items[0].clone();
    assert_eq!(
        story.lie("an older survey", &wrong),
        (Outcome::Unchecked, "state_file_unfit")
    );
    // An older survey as the low end: its own proof holds, and the latest one is between.
    let latest = &alone.items[place(&alone)];
    let mut wrong = alone.clone();
    let older_leaf = &older.items[0];
    let trie_at = 1 + 24 + 4 * 32;
    let (head, tail) = older_leaf.proof.split_at(trie_at);
    let low = alone_low_bytes(&latest.proof);
    wrong.items[place(&alone)].proof =
        [&[16], head, tail, &latest.proof[2 + 24 + 4 * 32 + low..]].concat();
    wrong.items[place(&alone)].key = [older_leaf.key.as_slice(), &latest.key[16..]].concat();
    wrong.items[place(&alone)].fields = older_leaf.fields.clone();
    assert_eq!(
        story.lie("an older survey as the latest", &wrong),
        (Outcome::False, "state_item_wrong")
    );
    // The same surgery with the right one is what the server made.
    let right = story.fetch(&format!(
        "v1/proofs/state?domain=survey&key=1/{}/{}",
        "2026-06-01".parse::<Day>().unwrap().0,
        story.latest_survey
    ));
    let (head, tail) = right.items[0].proof.split_at(trie_at);
    let remade = [&[16], head, tail, &latest.proof[2 + 24 + 4 * 32 + low..]].concat();
    assert_eq!(remade, latest.proof);
    // Items of another certificate, each in its place.
    for place in 0..alone.items.len().min(sealed.items.len()) {
        if alone.items[place] == sealed.items[place] {
            continue;
        }
        let mut wrong = alone.clone();
        wrong.items[place] = sealed.items[place].clone();
        story.lie(&format!("item {place} of another certificate"), &wrong);
    }
    // More entries than it needs, all of the same tree: there are not the hashes for them.
    let more = assembled(&alone, &[&sealed]);
    assert_eq!(
        story.lie("another certificate's entries beside its own", &more),
        (Outcome::Unchecked, "proof_incomplete")
    );
    // Another certificate's entries alone, with their hashes.
    let mut wrong = alone.clone();
    wrong.entries.clone_from(&sealed.entries);
    wrong.hashes.clone_from(&sealed.hashes);
    assert_eq!(
        story.lie("another certificate's entries", &wrong),
        (Outcome::Unchecked, "state_file_unfit")
    );
    // The state of before: another state entry's receipt with the same items.
    let old = story.certificate(story.alone);
    say(
        &story.ledger,
        &story.server.remote(),
        &story.ledger.platform,
        award(7, 777),
    );
    let until = Instant::now() + Duration::from_secs(20);
    let new = loop {
        let new = story.certificate(story.alone);
        if new.index != old.index {
            break new;
        }
        assert!(Instant::now() < until);
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut wrong = new;
    wrong.items = old.items;
    assert_eq!(
        story.lie("items of an older state", &wrong),
        (Outcome::False, "state_item_wrong")
    );
}

/// Length of the first of the two proofs of neighbours.
fn alone_low_bytes(proof: &[u8]) -> usize {
    let trie = &proof[2 + 24 + 4 * 32..];
    let depth = usize::from(u16::from_be_bytes([trie[0], trie[1]]));
    let bits = depth.div_ceil(8);
    let empty: u32 = trie[2..2 + bits].iter().map(|byte| byte.count_ones()).sum();
    let end_at = 2 + bits + 56 * (depth - empty as usize);
    let leaf_at = end_at + 1 + if trie[end_at] == 2 { 32 } else { 0 };
    match trie[end_at] {
        0 => end_at + 1,
        _ => leaf_at + 16 + 1 + usize::from(trie[leaf_at + 16]),
    }
}

#[test]
fn histories_are_complete_add_up_and_say_where_they_end() {
    let story = Story::new();
    let path = format!("v1/proofs/account-history/{}", account(1));
    let whole = story.fetch(&path);
    let said = story.says(&whole);
    // Awards, two claims, a reversal, a transfer.
    assert!(
        said.contains("the account's complete history: 8 entries"),
        "{said}"
    );
    assert!(
        said.contains(&format!("has {} points", story.balance(1))),
        "{said}"
    );
    assert!(
        said.contains(&format!("entry {}, correction: -4 points", story.reversal)),
        "{said}"
    );
    assert!(
        said.contains(&format!("entry {}, transfer: -5 points", story.transfer)),
        "{said}"
    );
    assert!(said.contains("its entries add up to that balance"));
    // The one that got the points, and one whose claim was voided.
    for n in [2, 3] {
        let said = story.says(&story.fetch(&format!("v1/proofs/account-history/{}", account(n))));
        assert!(
            said.contains(&format!("has {} points", story.balance(n))),
            "{said}"
        );
        assert!(said.contains("complete history"), "{said}");
    }
    // From an older entry on.
    let later = story.fetch(&format!("{path}?from={}", story.alone));
    let said = story.says(&later);
    assert!(said.contains("newer entries, up to"), "{said}");
    assert!(!said.contains("complete history"), "{said}");
    // Each entry dropped: what holds then is a part, and says so.
    for place in 0..whole.entries.len() {
        let mut wrong = whole.clone();
        wrong.entries.remove(place);
        assert!(story.verify(&wrong).is_err(), "without the hashes for it");
    }
    // A hole in the middle, with the hashes that prove the others.
    let indexes: Vec<Index> = whole.entries.iter().map(|entry| entry.index).collect();
    let holes = story.rejoined(&whole, |index| index != story.alone);
    assert!(indexes.contains(&story.alone));
    assert_eq!(
        story.lie("a hole in the history", &holes),
        (Outcome::Unchecked, "state_file_unfit")
    );
    // Without its beginning it is a part that says so.
    let cut = story.rejoined(&whole, |index| {
        index >= story.alone || index == story.awards[1] || index == at(story.awards[11], 1)
    });
    let said = story.says(&cut);
    assert!(said.contains("it is complete back to entry"), "{said}");
    assert!(!said.contains("complete history"), "{said}");

    // A plot's, with a loss, its void, and what these name.
    let path = "v1/proofs/plot-history/1";
    let whole = story.fetch(path);
    let said = story.says(&whole);
    assert!(
        said.contains("the plot's complete history: 10 entries"),
        "{said}"
    );
    assert!(
        said.contains(&format!("entry {}, correction", story.loss_void)),
        "{said}"
    );
    let part = story.fetch(&format!("{path}?from={}", story.loss));
    let said = story.says(&part);
    assert!(
        said.contains(&format!("newer entries, up to {}", story.loss_void)),
        "{said}"
    );

    for (path, code) in [
        (
            format!("v1/proofs/account-history/{}", "ab".repeat(32)),
            "not_found",
        ),
        (
            format!(
                "v1/proofs/account-history/{}?from={}",
                account(1),
                story.awards[2]
            ),
            "not_found",
        ),
        (
            format!("v1/proofs/account-history/{}?from=99999", account(1)),
            "not_found",
        ),
        ("v1/proofs/account-history/12".to_owned(), "path_malformed"),
        ("v1/proofs/plot-history/9".to_owned(), "not_found"),
        (
            format!("v1/proofs/plot-history/1?from={}", story.alone),
            "not_found",
        ),
        (
            "v1/proofs/plot-history/1?from=01".to_owned(),
            "query_malformed",
        ),
    ] {
        let error = story.server.remote().text(&path).unwrap_err().to_string();
        assert!(error.contains(code), "{path}: {error}");
    }
}

#[test]
fn a_long_history_comes_page_by_page() {
    let ledger = Ledger::init();
    let server = Server::start_with(&ledger.dir, &OFTEN);
    let remote = server.remote();
    ledger.set_up(&remote);
    let paid: Vec<_> = (0..150).map(|n| award(n % 2, n)).collect();
    seal(&ledger, &remote, &ledger.platform, &paid);
    let last = say(&ledger, &remote, &ledger.platform, award(1, 999));
    let vkey = std::fs::read_to_string(ledger.dir.join("log.vkey")).unwrap();
    let file = ledger.path("page.tlog-proof");
    let id = account(1).to_string();
    let until = Instant::now() + Duration::from_secs(20);
    let mut pages = Vec::new();
    let mut next = None::<u64>;
    loop {
        let mut args = vec![
            "prove",
            "--from",
            &server.url,
            "-o",
            &file,
            "account-history",
            &id,
        ];
        let from = next.map(|index| index.to_string());
        args.extend(from.iter().flat_map(|index| ["--begin-at", index]));
        let found = run(&args);
        if !found.status.success() {
            assert!(Instant::now() < until, "{found:?}");
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        let said = run_ok(&["verify", &file, "--log", vkey.trim(), "--json"]);
        let said: Value = serde_json::from_str(&said).unwrap();
        let page = said["file"]["says"].clone();
        if pages.is_empty() && page["entries"][0] != json!(last) {
            continue;
        }
        assert_eq!(page["complete"], json!(false));
        next = page["next"].as_u64();
        pages.push(page);
        if next.is_none() {
            break;
        }
    }
    let counts: Vec<usize> = pages
        .iter()
        .map(|page| page["entries"].as_array().unwrap().len())
        .collect();
    assert_eq!(counts, [64, 12]);
    println!(
        "a page of 64 awards in one batch: {} bytes",
        std::fs::metadata(&file).unwrap().len()
    );
    assert_eq!(
        run(&[
            "prove",
            "--from",
            &server.url,
            "--begin-at",
            "3",
            "account",
            &id
        ])
        .status
        .code(),
        Some(2)
    );
    assert_eq!(server.stop(), 0);
}

#[test]
fn what_corrected_an_entry_is_proven() {
    let story = Story::new();
    let about = |index: Index| story.fetch(&format!("v1/proofs/state?domain=entry&key={index}"));
    let says = |index: Index| story.says(&about(index));
    let said = says(story.awards[1]);
    assert!(said.contains("4 points of the award of entry"), "{said}");
    assert!(says(story.awards[2]).contains("nothing was taken back of the award"));
    assert!(says(story.voided).contains("was voided by entry"));
    assert!(says(story.waiting).contains("nothing voided the claim"));
    assert!(says(story.transfer).contains("nothing voided the transfer"));
    assert!(says(story.latest_survey).contains("nothing voided the survey"));
    assert!(says(story.planting).contains("nothing voided the planting"));
    let said = says(story.loss);
    assert!(
        said.contains(&format!("was voided by entry {}", story.loss_void)),
        "{said}"
    );
    // The item of another entry, and another kind's.
    for (one, other) in [
        (story.awards[1], story.awards[2]),
        (story.waiting, story.voided),
        (story.waiting, story.awards[2]),
        (story.planting, story.waiting),
    ] {
        let mut wrong = about(one);
        wrong.items[0] = about(other).items[0].clone();
        let found = story.lie(&format!("{other}'s corrections for {one}"), &wrong);
        assert_eq!(found, (Outcome::Unchecked, "state_file_unfit"));
    }
    let file = story.ledger.path("entry.tlog-proof");
    let index = story.awards[1].to_string();
    run_ok(&[
        "prove",
        "--from",
        &story.server.url,
        "-o",
        &file,
        "entry",
        &index,
    ]);
    let said = run_ok(&["verify", &file, "--log", &story.vkey.to_string(), "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(said["file"]["says"]["reversed"], json!(4));
    for (key, code) in [
        ("0".to_owned(), "not_found"),
        (story.loss_void.to_string(), "not_found"),
        ("9999999".to_owned(), "not_found"),
        ("x".to_owned(), "query_malformed"),
    ] {
        let path = format!("v1/proofs/state?domain=entry&key={key}");
        let error = story.server.remote().text(&path).unwrap_err().to_string();
        assert!(error.contains(code), "{path}: {error}");
    }
    // The latest survey alone, and that there is none.
    let latest = story.fetch("v1/proofs/state?domain=survey&key=1/latest");
    let held = story.verify(&latest).unwrap();
    let said = held.items[0].to_string();
    assert!(
        said.contains(&format!(
            "the survey of entry {} counts; and none behind it",
            story.latest_survey
        )),
        "{said}"
    );
    // That nothing is behind a place where no survey is says nothing of surveys before it.
    let absent = story.fetch("v1/proofs/state?domain=survey&key=1/2932896/0");
    let (head, tail) = absent.items[0].proof.split_at(1 + 24 + 4 * 32);
    let low = alone_low_bytes(&latest.items[0].proof);
    let mut less = latest.clone();
    less.items[0].proof = [
        &[16],
        head,
        tail,
        &latest.items[0].proof[2 + 24 + 4 * 32 + low..],
    ]
    .concat();
    less.items[0].key = [absent.items[0].key.as_slice(), &latest.items[0].key[16..]].concat();
    less.items[0].fields = None;
    let held = story.verify(&less).unwrap();
    let asked = "survey/1/latest".parse().unwrap();
    assert!(held.check_about(&asked).is_err(), "{:?}", held.answers());
    assert!(story.verify(&latest).unwrap().check_about(&asked).is_ok());
    let none = story.fetch("v1/proofs/state?domain=survey&key=2/latest");
    let said = story.verify(&none).unwrap().items[0].to_string();
    assert!(
        said.contains("there is no 2/0/0; and none behind it"),
        "{said}"
    );
}

/// What is in the log and no state entry speaks of yet is not proven yet; what no state entry will ever tell is not
/// there. A log that is quiet makes no other state entry, so a client must not be told to come again for ever.
#[test]
fn what_is_not_proven_yet_is_told_from_what_never_will_be() {
    let ledger = Ledger::init();
    let server = Server::start_with(&ledger.dir, &OFTEN);
    ledger.set_up(&server.remote());
    assert_eq!(server.stop(), 0);
    let server = Server::start_with(&ledger.dir, &["--state-every-ms", "3600000"]);
    let remote = server.remote();
    let code = |path: &str| {
        let (status, body) = support::curl(&format!("{}/{path}", server.url));
        let problem: Value = serde_json::from_str(&body).unwrap_or_default();
        let code = problem["code"].as_str().unwrap_or_default().to_owned();
        (status, code)
    };
    // The first state entry after the start comes for this one, and then none for an hour.
    say(&ledger, &remote, &ledger.platform, award(1, 1));
    let until = Instant::now() + Duration::from_secs(20);
    let totals = "v1/proofs/state?domain=totals";
    let state_at = loop {
        if let Ok(text) = remote.text(totals) {
            break Receipt::read(text.as_bytes()).unwrap().index;
        }
        assert!(Instant::now() < until, "no state entry came");
        std::thread::sleep(Duration::from_millis(5));
    };
    let unproven = (503, "state_unproven".to_owned());
    let not_found = (404, "not_found".to_owned());
    let history = format!("v1/proofs/account-history/{}", account(1));
    for path in [
        format!("v1/proofs/state?domain=entry&key={state_at}"),
        format!("v1/proofs/certificate/{state_at}"),
        format!("{history}?from={state_at}"),
    ] {
        assert_eq!(code(&path), not_found, "{path}");
    }
    let newer = say(&ledger, &remote, &ledger.platform, award(1, 2));
    let elsewhere = say(&ledger, &remote, &ledger.platform, award(2, 3));
    assert_eq!(code(&format!("{history}?from={newer}")), unproven);
    assert_eq!(
        code(&format!("v1/proofs/state?domain=entry&key={newer}")),
        unproven
    );
    for path in [
        format!("{history}?from={elsewhere}"),
        format!("{history}?from={}", elsewhere.0 + 1),
        format!("v1/proofs/certificate/{newer}"),
    ] {
        assert_eq!(code(&path), not_found, "{path}");
    }
    let with_key = (400, "query_malformed".to_owned());
    assert_eq!(code(&format!("{totals}&key=x")), with_key);
    assert_eq!(code(&format!("{totals}&key=")), with_key);
    assert_eq!(server.stop(), 0);
}

/// A file that was cut to its items is a true file about less: who asks says what it must be about.
#[test]
fn a_file_is_held_to_the_question_that_was_asked() {
    let story = Story::new();
    let vkey = story.vkey.to_string();
    let file = story.ledger.path("asked.tlog-proof");
    let verify = |more: &[&str]| {
        let args = [&["verify", file.as_str(), "--log", vkey.as_str()], more].concat();
        let ended = run(&args);
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        let error = String::from_utf8_lossy(&ended.stderr).into_owned();
        (ended.status.code().unwrap(), said, error)
    };
    let certificate = format!("certificate/{}", story.alone);
    let asked = [
        certificate.clone(),
        format!("account-history/{}", account(1)),
        "plot-history/1".to_owned(),
        format!("entry/{}", story.awards[1]),
        format!("account/{}", account(1)),
        "tree/1/7".to_owned(),
        "survey/1/latest".to_owned(),
        "totals".to_owned(),
    ];
    for (place, about) in asked.iter().enumerate() {
        run_ok(&["prove", "--from", &story.server.url, "-o", &file, about]);
        assert_eq!(verify(&["--about", about]).0, 0, "{about}");
        for (other_place, other) in asked.iter().enumerate() {
            let (exit, _, error) = verify(&["--about", other]);
            // Every file about the state has the totals, and some have others' items too.
            let false_to_it = exit == 1 && error.contains("does not answer what was asked");
            let more = other == "totals"
                || other.starts_with("account/")
                || other == "tree/1/7"
                || other == "survey/1/latest";
            assert!(
                place == other_place || false_to_it || more,
                "{about} for {other}: {error}"
            );
        }
    }
    run_ok(&[
        "prove",
        "--from",
        &story.server.url,
        "-o",
        &file,
        &certificate,
    ]);
    let whole = verify(&[]).1;
    assert!(
        whole.contains(&format!("Answers       {certificate}\n")),
        "{whole}"
    );
    assert!(!whole.contains("Lacks"), "{whole}");
    // Cut to its items, and to the first of them.
    let text = std::fs::read_to_string(&file).unwrap();
    let mut cut = Receipt::read(text.as_bytes()).unwrap();
    cut.entries.clear();
    cut.hashes.clear();
    for (items, lacks) in [
        (cut.items.len(), "the claim as it was stated"),
        (1, "that no other certificate has its tree"),
    ] {
        cut.items.truncate(items);
        std::fs::write(&file, cut.to_text().unwrap()).unwrap();
        let (exit, said, _) = verify(&[]);
        assert_eq!(exit, 0, "it holds, and says less");
        assert!(said.contains(&format!("claims/{}", story.alone)), "{said}");
        assert!(said.contains("it is not a certificate's file"), "{said}");
        assert!(said.contains(lacks), "{said}");
        let (exit, said, _) = verify(&["--about", &certificate, "--json"]);
        let said: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((exit, &said["code"]), (1, &json!("about_other")), "{said}");
        let python = |more: &[&str]| {
            let verifier = concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/docs/verifier/arborlog_verify.py"
            );
            let output = std::process::Command::new("python3")
                .args([verifier, "receipt", &file, "--log", &vkey, "--json"])
                .args(more)
                .output()
                .unwrap();
            let said: Value = serde_json::from_slice(&output.stdout).unwrap();
            (output.status.code(), said)
        };
        let (exit, said) = python(&["--about", &certificate]);
        assert_eq!(
            (exit, &said["code"]),
            (Some(1), &json!("about_other")),
            "{said}"
        );
        // Both say the same of what it lacks.
        let ours: Value = serde_json::from_str(&verify(&["--json"]).1).unwrap();
        assert_ne!(ours["missing"], json!([]));
        assert_eq!(python(&[]).1["missing"], ours["missing"]);
    }
    // The receipt of a sealed entry has the id of its seal, by that name.
    let index = story.sealed.to_string();
    run_ok(&["receipt", "--from", &story.server.url, "-o", &file, &index]);
    let (exit, said, _) = verify(&["--about", &format!("receipt/{index}"), "--json"]);
    let said: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((exit, &said["id"]), (0, &Value::Null));
    assert_eq!(said["seal_id"].as_str().map(str::len), Some(64));
    assert_eq!(verify(&["--about", "receipt/0"]).0, 1);
    assert_eq!(verify(&["--about", "nothing/0"]).0, 2);
}
