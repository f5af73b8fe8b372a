//! Policies of any text, and what they say of a checkpoint that some of eight cosigners signed: our verdict is that
//! of a naive reading, and one more signature never takes a level away.
//!
//! The first byte says who signed. In the text `$0` to `$7` stand for the cosigners' verifier keys (the last two are of
//! ML-DSA-44), `$l` and `$m` for the log's.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use arborlog::crypto::{MldsaSigningKey, SigningKey};
use arborlog::merkle::Hash;
use arborlog::note::{
    Checkpoint, KeyName, SignatureType, TreeHead, UnverifiedCheckpoint, VerifierKey, cosign,
    cosign_mldsa,
};
use arborlog::policy::{Level, POLICY_BYTES_MAX, POLICY_FILE_BYTES_MAX, Policy, PolicyText};
use libfuzzer_sys::fuzz_target;

/// Longer text takes time and finds nothing else.
const TEXT_BYTES_MAX: usize = 4096;

struct Known {
    /// What stands for a key, and the key.
    keys: Vec<(String, VerifierKey)>,
    /// The checkpoint's text and log lines, then each cosigner's line.
    note: String,
    lines: Vec<String>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let origin: KeyName = "example.org/log".parse().unwrap();
    let (log, log_mldsa) = (
        SigningKey::from_seed(&[100; 32]),
        MldsaSigningKey::from_seed(&[101; 32]),
    );
    let head = TreeHead {
        size: 9,
        root: Hash::from_bytes([7; 32]),
    };
    let mut checkpoint = Checkpoint::sign(&origin, head, &log);
    checkpoint
        .also_sign_mldsa(&log_mldsa, 1_700_000_000)
        .unwrap();
    let mut keys = vec![
        (
            "$l".to_owned(),
            VerifierKey::new(origin.clone(), SignatureType::Ed25519, log.public()),
        ),
        (
            "$m".to_owned(),
            VerifierKey::mldsa(origin, log_mldsa.public()),
        ),
    ];
    let note = checkpoint.to_string();
    let mut lines = Vec::new();
    for number in 0..8_u8 {
        let name: KeyName = format!("c{number}.example").parse().unwrap();
        let mut cosigned = checkpoint.clone();
        let vkey = if number < 6 {
            let key = SigningKey::from_seed(&[number; 32]);
            cosign(&mut cosigned, &name, &key, 1_700_000_000);
            VerifierKey::new(name, SignatureType::CosignatureV1, key.public())
        } else {
            let key = MldsaSigningKey::from_seed(&[number; 32]);
            cosign_mldsa(&mut cosigned, &name, &key, 1_700_000_000).unwrap();
            VerifierKey::mldsa(name, key.public())
        };
        let line = cosigned.to_string();
        lines.push(line.strip_prefix(&note).unwrap().to_owned());
        keys.push((format!("${number}"), vkey));
    }
    Known { keys, note, lines }
});

/// The quorum, by recursion over the words of the text, which was read before.
struct Naive<'a> {
    groups: BTreeMap<&'a str, (usize, Vec<&'a str>)>,
    keys: BTreeMap<&'a str, &'a str>,
    quorum: &'a str,
}

impl<'a> Naive<'a> {
    fn read(text: &'a str) -> Self {
        let mut naive = Self {
            groups: BTreeMap::new(),
            keys: BTreeMap::new(),
            quorum: "",
        };
        for line in text.lines() {
            let words: Vec<&str> = line
                .split([' ', '\t'])
                .filter(|word| !word.is_empty())
                .collect();
            match words.as_slice() {
                ["witness", name, key, ..] => drop(naive.keys.insert(name, key)),
                ["group", name, needed, members @ ..] => {
                    let needed = match *needed {
                        "all" => members.len(),
                        "any" => 1,
                        number => number.parse().unwrap(),
                    };
                    naive.groups.insert(name, (needed, members.to_vec()));
                }
                ["quorum", name] => naive.quorum = name,
                _ => {}
            }
        }
        naive
    }

    fn holds(&self, name: &str, present: &BTreeSet<&str>) -> bool {
        match self.groups.get(name) {
            Some((needed, members)) => {
                members
                    .iter()
                    .filter(|member| self.holds(member, present))
                    .count()
                    >= *needed
            }
            None => name == "none" || present.contains(name),
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((signed, text)) = bytes.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    if text.len() > TEXT_BYTES_MAX {
        return;
    }
    let mut text = text.to_owned();
    for (short, vkey) in &KNOWN.keys {
        text = text.replace(short.as_str(), &vkey.to_string());
    }
    let read = text.parse::<Policy>();
    assert!(read.is_err() || text.len() <= POLICY_FILE_BYTES_MAX);
    // A record's is the same with less room.
    match text.parse::<PolicyText>() {
        Ok(same) => assert_eq!(Some(same.policy()), read.as_ref().ok()),
        Err(_) => assert!(read.is_err() || text.len() > POLICY_BYTES_MAX),
    }
    let Ok(policy) = read else {
        return;
    };
    // White space, comments and empty lines mean nothing.
    let plain: String = text
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            words.join(" ") + "\n"
        })
        .filter(|line| line != "\n" && !line.starts_with('#'))
        .collect();
    assert_eq!(plain.parse::<Policy>().as_ref(), Ok(&policy));

    let naive = Naive::read(&text);
    let judge = |signed: u8| {
        let lines = KNOWN.lines.iter().enumerate();
        let lines = lines.filter(|(number, _)| signed >> number & 1 == 1);
        let note: String = lines.map(|(_, line)| line.as_str()).collect();
        let note = format!("{}{note}", KNOWN.note);
        let claimed = UnverifiedCheckpoint::parse(note.as_bytes()).unwrap();
        policy.judge(&claimed).map(|(_, standing)| standing)
    };
    let ours = judge(*signed);
    let opened = policy.logs().iter().any(|log| {
        let own = KNOWN.keys.iter().take(2);
        own.map(|(_, vkey)| vkey).any(|vkey| *vkey == log.vkey)
    });
    // Nobody but the two keys signed as a log, and their lines hold.
    assert_eq!(ours.is_ok(), opened);
    let Ok(standing) = ours else {
        return;
    };
    let own = KNOWN.keys.iter().skip(2).enumerate();
    let own = own.filter(|(number, _)| signed >> number & 1 == 1);
    let mut own: BTreeSet<String> = own.map(|(_, (_, vkey))| vkey.to_string()).collect();
    // A log's line by ML-DSA is of the type that cosigners have too: who lists the log as one finds it there.
    own.extend(
        KNOWN
            .keys
            .iter()
            .skip(1)
            .take(1)
            .map(|(_, vkey)| vkey.to_string()),
    );
    let present = naive.keys.iter().filter(|(_, key)| own.contains(**key));
    let present: BTreeSet<&str> = present.map(|(name, _)| *name).collect();
    let met = naive.holds(naive.quorum, &present);
    assert_eq!(standing.reaches(Level::Cosigned), met);
    assert_eq!(standing.quorum().is_ok(), met);
    assert_eq!(standing.missing().is_empty(), met);
    // With all that are missing it would hold.
    let missing = standing.missing().iter().map(String::as_str);
    let all: BTreeSet<&str> = present.iter().copied().chain(missing).collect();
    assert!(naive.holds(naive.quorum, &all));
    let more = judge(signed | signed.rotate_left(1)).unwrap();
    for level in standing.levels() {
        assert!(more.reaches(*level));
    }
});
