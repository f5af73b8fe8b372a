//! Policies, held against a naive model; checkpoints judged by them; and ML-DSA-44 held against fips204.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "support/dice.rs"]
mod dice;

use std::collections::{BTreeMap, BTreeSet};

use arborlog::crypto::{MldsaKey, MldsaSignature, MldsaSigningKey, SigningKey};
use arborlog::merkle::Hash;
use arborlog::note::{
    Checkpoint, CheckpointError, Cosignature, KeyName, NoteError, SignatureType, TreeHead,
    UnverifiedCheckpoint, VerifierKey, cosign, cosign_mldsa,
};
use arborlog::policy::{Level, POLICY_FILE_BYTES_MAX, Policy, PolicyText};
use arborlog::receipt::{Receipt, ReceiptError, Trust};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dice::Dice;
use fips204::ml_dsa_44;
use fips204::traits::{KeyGen as _, SerDes as _, Signer as _, Verifier as _};
use serde_json::{Value, json};

const ORIGIN: &str = "example.org/log";

fn name(text: &str) -> KeyName {
    text.parse().unwrap()
}

fn log_key() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

fn log_vkey() -> VerifierKey {
    VerifierKey::new(name(ORIGIN), SignatureType::Ed25519, log_key().public())
}

fn checkpoint() -> Checkpoint {
    let head = TreeHead {
        size: 9,
        root: Hash::from_bytes([7; 32]),
    };
    Checkpoint::sign(&name(ORIGIN), head, &log_key())
}

fn key_of(cosigner: &str) -> SigningKey {
    use sha2::Digest as _;
    SigningKey::from_seed(&sha2::Sha256::digest(cosigner).into())
}

fn mldsa_key_of(cosigner: &str) -> MldsaSigningKey {
    use sha2::Digest as _;
    MldsaSigningKey::from_seed(&sha2::Sha256::digest(cosigner).into())
}

/// The verifier key's name of a cosigner that the policy calls so.
fn key_name(cosigner: &str) -> KeyName {
    name(&format!("{cosigner}.example/key"))
}

fn vkey_of(cosigner: &str) -> VerifierKey {
    let kind = SignatureType::CosignatureV1;
    VerifierKey::new(key_name(cosigner), kind, key_of(cosigner).public())
}

fn mldsa_vkey_of(cosigner: &str) -> VerifierKey {
    VerifierKey::mldsa(key_name(cosigner), mldsa_key_of(cosigner).public())
}

fn read_again(checkpoint: &Checkpoint) -> UnverifiedCheckpoint {
    UnverifiedCheckpoint::parse(checkpoint.to_string().as_bytes()).unwrap()
}

/// What a policy says, with names in the place of keys.
struct Model {
    cosigners: Vec<String>,
    groups: BTreeMap<String, (usize, Vec<String>)>,
    quorum: String,
    text: String,
}

impl Model {
    fn random(dice: &mut Dice) -> Self {
        let count = 1 + dice.below(8);
        let cosigners: Vec<String> = (0..count)
            .map(|number| match dice.one_in(3) {
                true => format!("audit-{number}"),
                false => format!("w{number}"),
            })
            .collect();
        let mut lines: Vec<String> = cosigners
            .iter()
            .map(|name| format!("witness {name} {}", vkey_of(name)))
            .collect();
        let mut free = cosigners.clone();
        let mut all = cosigners.clone();
        let mut groups = BTreeMap::new();
        for number in 0..dice.below(5) {
            let members = 1 + dice.below(4);
            let mut taken = Vec::new();
            for _ in 0..members {
                if !free.is_empty() {
                    taken.push(free.remove(dice.below(free.len() as u64) as usize));
                }
            }
            if taken.is_empty() {
                break;
            }
            let needed = 1 + dice.below(taken.len() as u64) as usize;
            let threshold = match needed {
                1 if dice.one_in(2) => "any".to_owned(),
                all if all == taken.len() && dice.one_in(2) => "all".to_owned(),
                other => other.to_string(),
            };
            let name = format!("g{number}");
            lines.push(format!("group\t{name} {threshold}  {}", taken.join(" ")));
            groups.insert(name.clone(), (needed, taken));
            free.push(name.clone());
            all.push(name);
        }
        let quorum = match dice.one_in(8) {
            true => "none".to_owned(),
            false if dice.one_in(2) => all.last().unwrap().clone(),
            false => dice.pick(&all).clone(),
        };
        lines.push(format!("quorum {quorum}"));
        lines.push(format!("  log {} https://example.org/", log_vkey()));
        Self {
            text: lines.join("\n") + "\n",
            cosigners,
            groups,
            quorum,
        }
    }

    /// As the standard says it, by recursion.
    fn holds(&self, name: &str, present: &BTreeSet<&str>) -> bool {
        match self.groups.get(name) {
            None => name == "none" || present.contains(name),
            Some((needed, members)) => {
                let held = members.iter().filter(|member| self.holds(member, present));
                held.count() >= *needed
            }
        }
    }

    fn missing<'a>(&'a self, name: &'a str, present: &BTreeSet<&str>) -> BTreeSet<&'a str> {
        if self.holds(name, present) {
            return BTreeSet::new();
        }
        match self.groups.get(name) {
            None => BTreeSet::from([name]),
            Some((_, members)) => {
                let of_each = members.iter().map(|member| self.missing(member, present));
                of_each.flatten().collect()
            }
        }
    }
}

#[test]
fn random_policies_are_judged_as_by_a_naive_model() {
    let mut reached = BTreeMap::new();
    for seed in 0..400 {
        let mut dice = Dice::new(seed);
        let model = Model::random(&mut dice);
        let policy: Policy = model.text.parse().unwrap();
        for _ in 0..4 {
            let signed: BTreeSet<&str> = model
                .cosigners
                .iter()
                .map(String::as_str)
                .filter(|_| dice.one_in(2))
                .collect();
            let mut checkpoint = checkpoint();
            for cosigner in &signed {
                let at_s = 1_700_000_000 + dice.below(1000);
                cosign(
                    &mut checkpoint,
                    &key_name(cosigner),
                    &key_of(cosigner),
                    at_s,
                );
            }
            let (_, standing) = policy.judge(&read_again(&checkpoint)).unwrap();
            let context = format!("seed {seed}: {signed:?}\n{}", model.text);

            let found: BTreeSet<&str> = standing
                .signers()
                .iter()
                .map(|signer| signer.name.as_str())
                .collect();
            assert_eq!(found, signed, "{context}");
            let auditors = |name: &&str| name.starts_with("audit-");
            let all = || model.cosigners.iter().map(String::as_str);
            let with = |others: BTreeSet<&'_ str>| {
                let present = signed.union(&others).copied().collect();
                model.holds(&model.quorum, &present)
            };
            let expected = [
                (
                    Level::Witnessed,
                    signed.iter().any(|name| !auditors(name))
                        && with(all().filter(auditors).collect()),
                ),
                (
                    Level::Audited,
                    signed.iter().any(auditors)
                        && with(all().filter(|name| !auditors(name)).collect()),
                ),
                (Level::Cosigned, with(BTreeSet::new())),
            ];
            for (level, expected) in expected {
                assert_eq!(standing.reaches(level), expected, "{level}, {context}");
                *reached.entry((level.name(), expected)).or_insert(0) += 1;
            }
            assert_eq!(
                standing.quorum().is_ok(),
                standing.reaches(Level::Cosigned),
                "{context}"
            );
            let missing = model.missing(&model.quorum, &signed);
            let expected: Vec<&str> = all().filter(|name| missing.contains(name)).collect();
            assert_eq!(standing.missing(), expected, "{context}");
            if let Err(error) = standing.quorum() {
                let words = error.to_string();
                assert!(missing.iter().all(|name| words.contains(name)), "{words}");
            }
        }
    }
    // Each level was reached and missed often: else this would say little.
    assert_eq!(reached.len(), 6, "{reached:?}");
    assert!(reached.values().all(|times| *times > 50), "{reached:?}");
}

#[test]
fn groups_may_nest_as_deep_as_there_may_be_groups() {
    let nested = |depth: usize| {
        let mut text = format!(
            "log {}\nwitness w {}\ngroup g0 any w\n",
            log_vkey(),
            vkey_of("w")
        );
        for group in 1..depth {
            text.push_str(&format!("group g{group} all g{}\n", group - 1));
        }
        format!("{text}quorum g{}\n", depth - 1).parse::<Policy>()
    };
    let policy = nested(64).unwrap();
    let (_, standing) = policy.judge(&read_again(&checkpoint())).unwrap();
    assert_eq!(standing.missing(), ["w"]);
    let mut signed = checkpoint();
    cosign(&mut signed, &key_name("w"), &key_of("w"), 5);
    let (_, standing) = policy.judge(&read_again(&signed)).unwrap();
    assert!(standing.reaches(Level::Cosigned));
    let error = nested(65).unwrap_err();
    assert!(error.what.contains("64 groups"), "{error}");
}

#[test]
fn a_policy_has_bounds() {
    let lines = |what: &str, count: usize| -> String {
        let line = |number| {
            let vkey = vkey_of(&format!("{what}{number}"));
            match what {
                "log" => format!(
                    "log {}\n",
                    VerifierKey::new(
                        vkey.name().clone(),
                        SignatureType::Ed25519,
                        *vkey.key().unwrap()
                    )
                ),
                what => format!("witness {what}{number} {vkey}\n"),
            }
        };
        (0..count).map(line).collect()
    };
    for what in ["log", "w"] {
        let read = |count| format!("{}quorum none\n", lines(what, count)).parse::<Policy>();
        assert!(read(64).is_ok(), "{what}");
        assert_eq!(read(65).unwrap_err().line, 65, "{what}");
    }
    let named = |length: usize| {
        let name = "é".repeat(length / 2);
        format!("witness {name} {}\nquorum {name}\n", vkey_of("w")).parse::<Policy>()
    };
    assert!(named(200).is_ok());
    assert!(named(202).unwrap_err().what.contains("200 bytes"));
    let long = |length: usize| {
        let end = "quorum none\n";
        format!("{}\n{end}", "#".repeat(length - 1 - end.len())).parse::<Policy>()
    };
    assert!(long(POLICY_FILE_BYTES_MAX).is_ok());
    assert!(long(POLICY_FILE_BYTES_MAX + 1).is_err());
}

#[test]
fn what_the_standard_asks_readers_to_take_is_taken_with_the_longest_keys() {
    let mut text = String::new();
    for number in 0..32 {
        let of = format!("log{number}");
        let vkey = VerifierKey::mldsa(key_name(&of), mldsa_key_of(&of).public());
        text.push_str(&format!("log {vkey} https://log{number}.example/\n"));
    }
    for number in 0..32 {
        let of = format!("w{number}");
        text.push_str(&format!("witness {of} {}\n", mldsa_vkey_of(&of)));
        text.push_str(&format!("group g{number} any {of}\n"));
    }
    text.push_str("quorum g31\n");
    let policy: Policy = text.parse().unwrap();
    assert_eq!((policy.logs().len(), policy.cosigners().len()), (32, 32));
    // A record has less room.
    let error = text.parse::<PolicyText>().unwrap_err();
    assert!(error.what.contains("24,576"), "{error}");
}

fn policy(lines: &str) -> Policy {
    format!("log {}\n{lines}", log_vkey()).parse().unwrap()
}

#[test]
fn a_line_that_names_a_key_of_the_policy_must_hold() {
    let policy = policy(&format!(
        "witness w1 {}\nwitness w2 {}\nquorum w1\n",
        vkey_of("w1"),
        mldsa_vkey_of("w2")
    ));
    let judge = |checkpoint: &Checkpoint| policy.judge(&read_again(checkpoint));
    let mut both = checkpoint();
    cosign(&mut both, &key_name("w1"), &key_of("w1"), 5);
    cosign_mldsa(&mut both, &key_name("w2"), &mldsa_key_of("w2"), 6).unwrap();
    let (_, standing) = judge(&both).unwrap();
    let times: Vec<_> = standing.signers().iter().map(|it| it.signed_at_s).collect();
    assert_eq!(times, [Some(5), Some(6)]);
    assert!(standing.reaches(Level::Witnessed) && !standing.reaches(Level::Audited));

    // Any byte of the line that the quorum does not even need: false.
    let note = both.to_string();
    let (rest, line) = note.trim_end().rsplit_once(' ').unwrap();
    let bytes = STANDARD.decode(line).unwrap();
    for place in [4, 11, 12, 500, bytes.len() - 1] {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        let changed = format!("{rest} {}\n", STANDARD.encode(changed));
        let claimed = UnverifiedCheckpoint::parse(changed.as_bytes()).unwrap();
        let error = policy.judge(&claimed).unwrap_err();
        assert_eq!(error.code(), "signature_invalid", "{place}");
    }
    // Cut, or longer.
    for bytes in [&bytes[..bytes.len() - 1], &[&bytes[..], &[0]].concat()] {
        let changed = format!("{rest} {}\n", STANDARD.encode(bytes));
        let claimed = UnverifiedCheckpoint::parse(changed.as_bytes()).unwrap();
        let error = policy.judge(&claimed).unwrap_err();
        assert_eq!(error.code(), "signature_invalid");
    }
    // Under another name the id is another: a stranger's line, which says nothing.
    let mut other = checkpoint();
    cosign_mldsa(&mut other, &key_name("w3"), &mldsa_key_of("w2"), 6).unwrap();
    let (_, standing) = judge(&other).unwrap();
    assert_eq!(standing.signers(), []);
    assert_eq!(standing.missing(), ["w1"]);
}

#[test]
fn a_checkpoint_is_opened_by_any_log_of_the_policy_and_by_no_other() {
    let plain = checkpoint();
    let mldsa = mldsa_key_of("log");
    let second = VerifierKey::mldsa(name(ORIGIN), mldsa.public());
    let other = VerifierKey::new(
        name("example.org/other"),
        SignatureType::Ed25519,
        key_of("other").public(),
    );
    let read = |lines: &str| format!("{lines}quorum none\n").parse::<Policy>().unwrap();
    let code =
        |policy: &Policy, checkpoint: &Checkpoint| match policy.judge(&read_again(checkpoint)) {
            Ok(_) => "holds",
            Err(error) => error.code(),
        };
    let both = read(&format!("log {}\nlog {second}\nlog {other}\n", log_vkey()));
    assert_eq!(code(&both, &plain), "holds");
    assert_eq!(code(&read(&format!("log {other}\n")), &plain), "other_log");
    assert_eq!(code(&read(""), &plain), "other_log");
    let by_mldsa = read(&format!("log {second}\n"));
    assert_eq!(code(&by_mldsa, &plain), "unsigned");
    let mut signed = plain.clone();
    // A log need not say when it signs.
    signed.also_sign_mldsa(&mldsa, 0).unwrap();
    assert_eq!(code(&by_mldsa, &signed), "holds");
    assert_eq!(code(&both, &signed), "holds");
    // The other line is false: so is the note.
    let mut lied = plain.clone();
    let forger = MldsaSigningKey::from_seed(&[3; 32]);
    lied.also_sign_mldsa(&forger, 0).unwrap();
    let note = lied.to_string();
    let (rest, line) = note.trim_end().rsplit_once(' ').unwrap();
    let mut bytes = STANDARD.decode(line).unwrap();
    bytes[..4].copy_from_slice(&second.id().to_be_bytes());
    let lied = format!("{rest} {}\n", STANDARD.encode(bytes));
    let lied = UnverifiedCheckpoint::parse(lied.as_bytes()).unwrap();
    assert_eq!(both.judge(&lied).unwrap_err().code(), "signature_invalid");
}

#[test]
fn a_witness_must_say_when_and_an_auditor_need_not() {
    let lines = |name: &str| {
        policy(&format!(
            "witness {name} {}\nquorum {name}\n",
            mldsa_vkey_of(name)
        ))
    };
    for (name, counts) in [("w", false), ("audit-w", true)] {
        let mut timeless = checkpoint();
        cosign_mldsa(&mut timeless, &key_name(name), &mldsa_key_of(name), 0).unwrap();
        let (_, standing) = lines(name).judge(&read_again(&timeless)).unwrap();
        assert_eq!(standing.quorum().is_ok(), counts, "{name}");
        let times: Vec<_> = standing.signers().iter().map(|it| it.signed_at_s).collect();
        assert_eq!(times, vec![None; usize::from(counts)]);
    }
    let mut timeless = checkpoint();
    cosign_mldsa(&mut timeless, &key_name("w"), &mldsa_key_of("w"), 0).unwrap();
    let missing = Err(NoteError::NotSignedBy("w.example/key".to_owned()));
    assert_eq!(Cosignature::verify(&timeless, &mldsa_vkey_of("w")), missing);
    // No time behind 2^63 is signed, and none holds.
    let late = cosign_mldsa(&mut timeless, &key_name("w"), &mldsa_key_of("w"), 1 << 63);
    assert!(late.is_err());
}

#[test]
fn types_of_keys_are_held_apart() {
    let (log, witness, mldsa) = (log_vkey(), vkey_of("w"), mldsa_vkey_of("w"));
    for vkey in [&log, &witness, &mldsa] {
        assert_eq!(vkey.to_string().parse::<VerifierKey>().unwrap(), *vkey);
    }
    let refused = |lines: String| lines.parse::<Policy>().unwrap_err().what;
    let what = refused(format!("log {witness}\nquorum none\n"));
    assert!(what.contains("0x01 or 0x06"), "{what}");
    let what = refused(format!("witness w {log}\nquorum w\n"));
    assert!(what.contains("0x04 or 0x06"), "{what}");
    // As a log's key, a witness's opens nothing; as a witness's, a log's is missing.
    assert!(matches!(
        read_again(&checkpoint()).verify(&VerifierKey::new(
            name(ORIGIN),
            SignatureType::CosignatureV1,
            log_key().public()
        )),
        Err(CheckpointError::Note(NoteError::NotSignedBy(_)))
    ));
    assert!(matches!(
        Cosignature::verify(&checkpoint(), &log),
        Err(NoteError::NotSignedBy(_))
    ));
    let (name, id, key) = {
        let text = mldsa.to_string();
        let parts: Vec<String> = text.splitn(3, '+').map(str::to_owned).collect();
        (parts[0].clone(), parts[1].clone(), parts[2].clone())
    };
    let short = STANDARD.encode(&STANDARD.decode(&key).unwrap()[..1312]);
    let error = format!("{name}+{id}+{short}").parse::<VerifierKey>();
    assert!(error.unwrap_err().to_string().contains("1312"));
}

/// The message of type 0x06, written by hand from the standard.
fn mldsa_message(signer: &str, at_s: u64, origin: &str, head: TreeHead) -> Vec<u8> {
    let mut message = vec![];
    message.extend_from_slice(b"subtree/v1\n\0");
    message.push(signer.len() as u8);
    message.extend_from_slice(signer.as_bytes());
    message.extend_from_slice(&at_s.to_be_bytes());
    message.push(origin.len() as u8);
    message.extend_from_slice(origin.as_bytes());
    message.extend_from_slice(&[0; 8]);
    message.extend_from_slice(&head.size.to_be_bytes());
    message.extend_from_slice(head.root.as_bytes());
    message
}

#[test]
fn mldsa_keys_and_signatures_are_those_of_fips204() {
    let mut dice = Dice::new(44);
    for round in 0..20_u8 {
        let seed: [u8; 32] = std::array::from_fn(|_| dice.roll() as u8);
        let ours = MldsaSigningKey::from_seed(&seed);
        let (their_public, their_key) = ml_dsa_44::KG::keygen_from_seed(&seed);
        let public = their_public.clone().into_bytes();
        assert_eq!(ours.public().as_bytes(), public.as_slice());

        let length = dice.below(300) as usize;
        let message: Vec<u8> = (0..length).map(|_| dice.roll() as u8).collect();
        let signature = ours.sign(&message).unwrap();
        let bytes = <[u8; 2420]>::try_from(signature.as_bytes()).unwrap();
        assert!(their_public.verify(&message, &bytes, &[]));
        // With no randomness both make the same bytes.
        let theirs = their_key
            .try_sign_with_seed(&[0; 32], &message, &[])
            .unwrap();
        assert_eq!(theirs, bytes, "round {round}");
        // A signature with randomness is another, and holds.
        let hedged = their_key
            .try_sign_with_seed(&[round + 1; 32], &message, &[])
            .unwrap();
        assert_ne!(hedged, bytes);
        let hedged = MldsaSignature::from_bytes(&hedged).unwrap();
        ours.public().verify(&message, &hedged).unwrap();
        // With a context it is of another message.
        let other = their_key
            .try_sign_with_seed(&[0; 32], &message, b"x")
            .unwrap();
        let other = MldsaSignature::from_bytes(&other).unwrap();
        assert!(ours.public().verify(&message, &other).is_err());
        // Of a changed signature, key or message both say the same: it does not hold.
        for _ in 0..20 {
            let (mut changed, mut key, mut said) = (bytes, public, message.clone());
            let bit = 1 << dice.below(8);
            match dice.below(3) {
                0 => changed[dice.below(2420) as usize] ^= bit,
                1 => key[dice.below(1312) as usize] ^= bit,
                _ => said.push(bit),
            }
            let theirs = ml_dsa_44::PublicKey::try_from_bytes(key).unwrap();
            let theirs = theirs.verify(&said, &changed, &[]);
            let key = MldsaKey::from_bytes(&key).unwrap();
            let ours = key.verify(&said, &MldsaSignature::from_bytes(&changed).unwrap());
            assert_eq!((theirs, ours.is_ok()), (false, false));
        }
    }
}

#[test]
fn mldsa_lines_sign_the_message_of_the_standard() {
    let mut checkpoint = checkpoint();
    let (seed, at_s) = ([9; 32], 1_700_000_123);
    let key = MldsaSigningKey::from_seed(&seed);
    cosign_mldsa(&mut checkpoint, &name("w.example/mldsa"), &key, at_s).unwrap();
    let note = checkpoint.to_string();
    let line = note.lines().last().unwrap();
    let bytes = STANDARD.decode(line.rsplit_once(' ').unwrap().1).unwrap();
    assert_eq!(bytes.len(), 4 + 8 + 2420);
    let vkey = VerifierKey::mldsa(name("w.example/mldsa"), key.public());
    assert_eq!(bytes[..4], vkey.id().to_be_bytes());
    assert_eq!(bytes[4..12], at_s.to_be_bytes());
    let signature = <[u8; 2420]>::try_from(&bytes[12..]).unwrap();
    let (public, their_key) = ml_dsa_44::KG::keygen_from_seed(&seed);
    let message = mldsa_message("w.example/mldsa", at_s, ORIGIN, checkpoint.head());
    assert!(public.verify(&message, &signature, &[]));

    // One that fips204 signs by the message above is read here.
    let theirs = mldsa_message("w.example/mldsa", 77, ORIGIN, checkpoint.head());
    let theirs = their_key
        .try_sign_with_seed(&[5; 32], &theirs, &[])
        .unwrap();
    let line = [&vkey.id().to_be_bytes()[..], &77_u64.to_be_bytes(), &theirs].concat();
    let head = note.split_once("\n— w.example").unwrap().0;
    let note = format!("{head}\n— w.example/mldsa {}\n", STANDARD.encode(line));
    let opened = Checkpoint::open(note.as_bytes(), &log_vkey()).unwrap();
    assert_eq!(Cosignature::verify(&opened, &vkey).unwrap().seen_at_s, 77);
    // A verifier that has no such key passes the line over.
    assert!(matches!(
        Cosignature::verify(&opened, &vkey_of("w")),
        Err(NoteError::NotSignedBy(_))
    ));
}

#[test]
fn mldsa_keys_are_kept_in_files_of_their_owner() {
    use std::os::unix::fs::PermissionsExt as _;

    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("key.pem");
    let key = mldsa_key_of("kept");
    key.write_new(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let read = MldsaSigningKey::read(&path).unwrap();
    assert_eq!(read.public(), key.public());
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.lines().all(|line| line.len() <= 64), "{text}");
    assert!(!format!("{key:?}").contains(&text[30..60]));
    assert!(
        key.write_new(&path)
            .unwrap_err()
            .to_string()
            .contains("exists already")
    );
    // Each kind of key is told from the other.
    let words = SigningKey::read(&path).unwrap_err().to_string();
    assert!(words.contains("ML-DSA-44"), "{words}");
    let plain = temp.path().join("plain.pem");
    log_key().write_new(&plain).unwrap();
    let words = MldsaSigningKey::read(&plain).unwrap_err().to_string();
    assert!(words.contains("Ed25519"), "{words}");
    // Cut at each place: no key, and no panic.
    let cut = temp.path().join("cut.pem");
    for end in 0..text.len() - 1 {
        std::fs::write(&cut, &text[..end]).unwrap();
        std::fs::set_permissions(&cut, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(MldsaSigningKey::read(&cut).is_err(), "{end}");
    }
    // Readable by others.
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert!(MldsaSigningKey::read(&path).is_err());
}

// ---- Golden files, which every verifier reads alike ----

fn golden(path: &str) -> Value {
    let path = format!("{}/tests/golden/{path}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// A policy with the verifier keys in the places of their names.
fn with_keys(text: &str, keys: &Value) -> String {
    let mut text = text.to_owned();
    for (name, key) in keys.as_object().unwrap() {
        text = text.replace(&format!("{{{name}}}"), key["vkey"].as_str().unwrap());
    }
    text
}

fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn golden_policies_are_read_or_refused_at_their_line() {
    let keys = &golden("policy/cases.json")["keys"];
    let forms = golden("policy/forms.json");
    let forms = forms["forms"].as_array().unwrap();
    assert!(forms.len() > 80);
    for form in forms {
        let text = match form["hex"].as_str() {
            Some(hex) => hex::decode(hex).unwrap(),
            None => {
                let fill = "x".repeat(form["fill"].as_u64().unwrap_or(0) as usize);
                let text = form["policy"].as_str().unwrap().replace("{fill}", &fill);
                with_keys(&text, keys).into_bytes()
            }
        };
        let read = String::from_utf8(text)
            .ok()
            .map(|text| text.parse::<Policy>());
        let valid = matches!(read, Some(Ok(_)));
        assert_eq!(valid, form["valid"].as_bool().unwrap(), "{}", form["name"]);
        if let (Some(Err(error)), Some(line)) = (read, form["line"].as_u64()) {
            assert_eq!(error.line as u64, line, "{}: {error}", form["name"]);
        }
    }
}

#[test]
fn golden_checkpoints_come_to_what_their_cases_say() {
    let golden = golden("policy/cases.json");
    let keys = &golden["keys"];
    let vkey = |name: &str| {
        let text = keys[name]["vkey"].as_str().unwrap();
        text.parse::<VerifierKey>().unwrap()
    };
    let award = include_str!("golden/receipts/award.tlog-proof");
    let (proof, _) = award.split_once("\n\n").unwrap();
    let cases = golden["cases"].as_array().unwrap();
    let two = self::golden("policy/two_checkpoints.json");
    let two = two["cases"].as_array().unwrap();
    assert!(cases.len() > 80 && two.len() > 30);
    for case in cases.iter().chain(two) {
        let name = case["name"].as_str().unwrap();
        let file = match case["receipt"].as_str() {
            Some(whole) => whole.to_owned(),
            None => {
                let text = case["text"].as_str().unwrap_or("golden");
                let mut note = golden["texts"][text].as_str().unwrap().to_owned() + "\n";
                for line in texts(&case["lines"]) {
                    note.push_str(golden["lines"][line].as_str().unwrap());
                }
                format!("{proof}\n\n{note}")
            }
        };
        let policy: Policy = with_keys(case["policy"].as_str().unwrap(), keys)
            .parse()
            .unwrap();
        let log = case["log"].as_str().map(vkey);
        let witnesses: Vec<VerifierKey> = texts(&case["witnesses"]).into_iter().map(vkey).collect();
        let trust = Trust {
            log: log.as_ref(),
            policy: Some(&policy),
            witnesses: &witnesses,
        };
        let receipt = Receipt::read(file.as_bytes());
        let verified = receipt.and_then(|receipt| receipt.verify_by(&trust, None));
        let outcome = case["outcome"].as_str().unwrap();
        let verified = match verified {
            Ok(verified) => verified,
            Err(error) => {
                assert_eq!(error.outcome().name(), outcome, "{name}: {error}");
                assert_eq!(Some(error.code()), case["code"].as_str(), "{name}: {error}");
                if let ReceiptError::Quorum(quorum) = &error {
                    assert_eq!(quorum.missing, texts(&case["missing"]), "{name}");
                    for missing in &quorum.missing {
                        assert!(
                            error.to_string().contains(&format!("{missing} (")),
                            "{error}"
                        );
                    }
                    let levels = quorum.levels.iter().map(|level| level.name());
                    let levels: Vec<&str> = levels.collect();
                    assert_eq!(levels, texts(&case["levels"]), "{name}");
                }
                continue;
            }
        };
        assert_eq!("holds", outcome, "{name}");
        let reached = verified.levels();
        let levels: Vec<&str> = reached.iter().map(|(level, _)| level.name()).collect();
        if !case["levels"].is_null() {
            assert_eq!(levels, texts(&case["levels"]), "{name}");
        }
        for (level, said) in [
            (Level::Witnessed, "seen_to"),
            (Level::Audited, "replayed_to"),
        ] {
            if let Some(said) = case.get(said) {
                let size = reached.iter().find(|(of, _)| *of == level);
                let size = size.map(|(_, size)| size.to_string());
                assert_eq!(size.as_deref(), said.as_str(), "{name}");
            }
        }
        let standing = verified.standing.unwrap();
        let by = |times: Vec<(&str, Option<u64>)>| -> Value {
            let times = times.into_iter();
            times
                .map(|(name, at_s)| json!([name, at_s.map(|at_s| at_s.to_string())]))
                .collect()
        };
        match &verified.second {
            None if case["by"].is_null() => {}
            None => {
                let signers = standing.signers().iter();
                let signers = signers.map(|signer| (signer.name.as_str(), signer.signed_at_s));
                assert_eq!(by(signers.collect()), case["by"], "{name}");
            }
            Some(_) if case["by"].is_null() => {}
            Some(second) => {
                let both = [
                    (verified.head.size, &standing),
                    (second.head.size, second.standing.as_ref().unwrap()),
                ];
                let signers = both.into_iter().flat_map(|(size, standing)| {
                    standing.signers().iter().map(move |signer| {
                        let at_s = signer.signed_at_s.map(|at_s| at_s.to_string());
                        json!([signer.name, at_s, size.to_string()])
                    })
                });
                assert_eq!(signers.collect::<Value>(), case["by"], "{name}");
            }
        }
        if !case["seen"].is_null() {
            let seen = texts(&case["witnesses"]).into_iter();
            let times = verified.cosignatures.iter();
            let seen = seen.zip(times.map(|seen| Some(seen.seen_at_s)));
            assert_eq!(by(seen.collect()), case["seen"], "{name}");
        }
    }
}

#[test]
fn golden_mldsa_keys_messages_and_signatures_are_made_again() {
    let golden = golden("mldsa/cases.json");
    for (name, key) in golden["keys"].as_object().unwrap() {
        let seed = hex::decode(key["seed"].as_str().unwrap()).unwrap();
        let made = MldsaSigningKey::from_seed(&seed.try_into().unwrap()).public();
        let vkey: VerifierKey = key["vkey"].as_str().unwrap().parse().unwrap();
        assert_eq!(made.as_bytes(), vkey.key_bytes(), "{name}");
    }
    for signed in golden["signed"].as_array().unwrap() {
        let key = &golden["keys"][signed["key"].as_str().unwrap()];
        let seed = hex::decode(key["seed"].as_str().unwrap()).unwrap();
        let secret = MldsaSigningKey::from_seed(&seed.try_into().unwrap());
        let vkey: VerifierKey = key["vkey"].as_str().unwrap().parse().unwrap();
        let message = hex::decode(signed["message"].as_str().unwrap()).unwrap();
        let expected = STANDARD
            .decode(signed["signature"].as_str().unwrap())
            .unwrap();
        assert_eq!(secret.sign(&message).unwrap().as_bytes(), expected);
        // And the whole line, from the parts.
        let number = |field: &str| signed[field].as_str().unwrap().parse::<u64>().unwrap();
        let root = hex::decode(signed["root"].as_str().unwrap()).unwrap();
        let head = TreeHead {
            size: number("size"),
            root: Hash::from_bytes(root.try_into().unwrap()),
        };
        let origin = name(signed["origin"].as_str().unwrap());
        let mut checkpoint = Checkpoint::sign(&origin, head, &log_key());
        cosign_mldsa(&mut checkpoint, vkey.name(), &secret, number("seconds")).unwrap();
        let line = [
            &vkey.id().to_be_bytes()[..],
            &number("seconds").to_be_bytes(),
            &expected,
        ];
        let line = STANDARD.encode(line.concat());
        assert!(checkpoint.to_string().ends_with(&format!(" {line}\n")));
    }
    // A log that Torchwood signs with ML-DSA-44 alone.
    let foreign = self::golden("mldsa/foreign.json");
    let vkey: VerifierKey = foreign["vkey"].as_str().unwrap().parse().unwrap();
    let note = foreign["note"].as_str().unwrap();
    let opened = Checkpoint::open(note.as_bytes(), &vkey).unwrap();
    assert_eq!(opened.origin(), vkey.name());
    let other = note.replacen("\n1\n", "\n2\n", 1);
    let error = Checkpoint::open(other.as_bytes(), &vkey).unwrap_err();
    assert_eq!(error.code(), "signature_invalid");
}
