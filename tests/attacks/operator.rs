//! An operator who lies about what was admitted, when, and in which order.

use arborlog::merkle::{Level, root_of};
use arborlog::note::{Checkpoint, KeyName, SignatureType, TreeHead, VerifierKey, cosign};
use arborlog::record::*;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::attack::{Apart, Attack, LOG, No, OPERATOR, PLATFORM, Yes};
use crate::detectors::Shown;
use crate::forge::{Forge, ORIGIN, OTHER_ORIGIN, path, vkey, vkey_of};
use crate::statements::*;

const WITNESS: &str = "witness.example/w";

pub fn attacks() -> Vec<Attack> {
    [
        history(),
        views(),
        time(),
        lineage(),
        checkpoints(),
        log_keys(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A history told otherwise: `lie` makes other records of the honest ones. The receipt is of an
/// entry that somebody got before.
fn rewritten(
    name: &'static str,
    liar: &'static str,
    held: &'static str,
    lie: fn(&Forge) -> Vec<SignedRecord>,
) -> Attack {
    Attack::new(name, liar, move || {
        let honest = Forge::honest();
        let mut forge = Forge::retold(lie(&honest));
        forge.grow(honest.entries.len() + 2);
        Shown::log(&honest, Some(honest.files()), forge.files())
            .with(&honest.receipt(honest.at(held)))
    })
    .rewritten("entries of the log are others")
}

fn history() -> Vec<Attack> {
    vec![
        Attack::new(
            "An old entry changed in its bundle, and nothing else",
            OPERATOR,
            || {
                let mut forge = Forge::long();
                let before = forge.files();
                forge.grow(330);
                let (mut now, mut receipt) = (forge.files(), forge.receipt(forge.at("award")));
                change(&mut forge, "award");
                let bundle = path(Level::Entries, 0, forge.size());
                now.insert(bundle.clone(), forge.files()[&bundle].clone());
                receipt.entry = forge.entries[receipt.index.0 as usize].clone();
                Shown::log(&forge, Some(before), now).with(&receipt)
            },
        )
        .receipt(Yes("not proven to be in the log"))
        .audit(Yes("not the one that the tree holds"))
        .second(Yes("")),
        Attack::new(
            "An old entry changed, all hashes and the checkpoint made anew",
            LOG,
            || {
                let mut forge = Forge::long();
                let before = forge.files();
                forge.grow(330);
                change(&mut forge, "award");
                let receipt = forge.receipt(forge.at("award"));
                Shown::log(&forge, Some(before), forge.files()).with(&receipt)
            },
        )
        .receipt(Yes("signature does not verify"))
        .audit(Yes("signature does not verify"))
        .rewritten("entries of the log are others")
        .second(Yes("signature_invalid")),
        rewritten(
            "An entry dropped from its issuer's chain",
            LOG,
            "award of Ben",
            |honest| {
                let mut records = honest.signed();
                records.remove(honest.at("award of Ben").0 as usize);
                records
            },
        )
        .audit(Yes("sequence_gap"))
        .second(Yes("sequence_gap")),
        rewritten("An issuer's last entry dropped", LOG, "survey", |honest| {
            let mut records = honest.signed();
            records.remove(honest.at("survey").0 as usize);
            records
        }),
        rewritten(
            "Two entries of one issuer swapped",
            LOG,
            "award",
            |honest| {
                let mut records = honest.signed();
                records.swap(
                    honest.at("award").0 as usize,
                    honest.at("award of Ben").0 as usize,
                );
                records
            },
        )
        .audit(Yes("sequence_gap"))
        .second(Yes("sequence_gap")),
        rewritten("Entries of two issuers swapped", LOG, "survey", |honest| {
            let mut records = honest.signed();
            let survey = honest.at("survey").0 as usize;
            records.swap(survey, survey + 1);
            records
        }),
        rewritten(
            "An entry put into the past",
            "operator: the log's; surveyor: its own",
            "survey",
            |honest| {
                let mut records = honest.signed();
                let late = honest.sign("surveyor2", &honest.record("surveyor2", survey(1, 77)));
                records.insert(honest.at("survey").0 as usize, late);
                records
            },
        ),
        rewritten(
            "The last day told anew, every record signed again",
            PLATFORM,
            "survey",
            |honest| {
                let mut other = Forge::retold(honest.signed().into_iter().take(20));
                other.grow(honest.entries.len());
                other.signed()
            },
        ),
        rewritten(
            "Another ledger under the same name",
            "operator and everybody: all",
            "award",
            |honest| {
                let mut other = Forge::empty();
                let programme = Genesis {
                    programme: "another programme".parse().unwrap(),
                    ..genesis(ORIGIN, &["g1", "g2", "g3"], 2)
                };
                other.admit("g1+g2+g3+log", programme);
                other.admit(
                    "g1+g2+platform2",
                    grant("platform2", Role::Platform, "otherride"),
                );
                other.admit("g1+g2", method(1));
                other.grow(honest.entries.len());
                other.signed()
            },
        )
        .audit(Yes("the ledger begins with genesis"))
        .second(Yes("genesis")),
        Attack::next("A record entered twice", LOG, |it| {
            let twice = it.entry(it.at("award")).signed;
            it.force_signed(twice)
        })
        .audits("sequence_used")
        .second(Yes("sequence_used")),
        Attack::next("A record that was signed for another ledger", LOG, |it| {
            let record = it.record("platform", award(ANN, 100));
            let other = SigningContext::new(&OTHER_ORIGIN.parse().unwrap());
            let (signed, _) = draft(&record, &other, &key("platform")).unwrap();
            it.force_signed(signed)
        })
        .receipt(Yes("signature does not verify"))
        .audits("signature does not verify")
        .second(Yes("signature_invalid")),
        Attack::new("The log rolled back to an older tree", LOG, || {
            let forge = Forge::honest();
            let now = forge.files_at(forge.size() - 3);
            Shown::log(&forge, Some(forge.files()), now).with(&forge.receipt(forge.at("survey")))
        })
        .rewritten("a copy that lags")
        .unproven(),
        Attack::new("A record never admitted", OPERATOR, || {
            let mut forge = Forge::honest();
            let before = forge.files();
            forge.goes_on();
            Shown {
                receipt: None,
                ..Shown::log(&forge, Some(before), forge.files())
            }
        })
        .receipt(Apart)
        .would("its issuer, who was given no index and no receipt"),
    ]
}

/// Changes the last byte of an entry's evidence, where it stands.
fn change(forge: &mut Forge, name: &str) {
    let index = forge.at(name).0 as usize;
    let entry = &mut forge.entries[index];
    let signatures = 64 + 8;
    let last = entry.len() - signatures - 1;
    entry[last] ^= 1;
}

/// Two views of the honest ledger that differ in their last entry.
fn two_views() -> (Forge, Forge) {
    let (mut one, mut other) = (Forge::honest(), Forge::honest());
    one.admit("platform", award(ANN, 1));
    other.admit("platform", award(EVE, 1));
    (one, other)
}

fn witness() -> (KeyName, VerifierKey) {
    let name: KeyName = WITNESS.parse().unwrap();
    let kind = SignatureType::CosignatureV1;
    (
        name.clone(),
        VerifierKey::new(name, kind, public("witness")),
    )
}

fn cosigned(forge: &Forge) -> Checkpoint {
    let mut checkpoint = forge.checkpoint(forge.size());
    cosign(
        &mut checkpoint,
        &witness().0,
        &key("witness"),
        1_788_480_000,
    );
    checkpoint
}

fn views() -> Vec<Attack> {
    let last = |forge: &Forge| Index(forge.size() - 1);
    vec![
        Attack::new("Two trees of one size signed", PLATFORM, move || {
            let (one, other) = two_views();
            Shown::log(&one, Some(one.files()), other.files()).with(&one.receipt(last(&one)))
        })
        .rewritten("two different trees"),
        Attack::new(
            "Two views, each always shown to the same people",
            PLATFORM,
            move || {
                let (_, mut other) = two_views();
                let before = other.files();
                other.goes_on();
                let receipt = other.receipt(last(&other));
                Shown::log(&other, Some(before), other.files()).with(&receipt)
            },
        )
        .would("two readers who compare checkpoints, or a witness who is asked for"),
        Attack::receipt_only(
            "A receipt in a view that the witness never saw",
            PLATFORM,
            move || {
                let (_, other) = two_views();
                Shown {
                    witness: Some(witness().1),
                    ..Shown::receipt(&other, &other.receipt(last(&other)))
                }
            },
        )
        .receipt(Yes("not signed by witness.example/w"))
        .unproven(),
        Attack::receipt_only(
            "A receipt in one view with the cosignature of the other",
            PLATFORM,
            move || {
                let (one, other) = two_views();
                let seen = cosigned(&one).to_string();
                let line = seen.lines().find(|line| line.contains(WITNESS)).unwrap();
                let mut receipt = other.receipt(last(&other));
                receipt.checkpoint.push_str(&format!("{line}\n"));
                Shown {
                    witness: Some(witness().1),
                    ..Shown::receipt(&other, &receipt)
                }
            },
        )
        .receipt(Yes("the signature by witness.example/w is false")),
    ]
}

fn time() -> Vec<Attack> {
    vec![
        Attack::next("An admission before that of the entry before", LOG, |it| {
            it.now.0 -= 5_000;
            let index = it.admit("platform", award(ANN, 100));
            it.now.0 += 5_000;
            index
        })
        .audits("before the entry before it")
        .second(Yes("")),
        Attack::next(
            "An admission backdated, but not before that of the entry before",
            LOG,
            |it| it.admit("platform", award(ANN, 100)),
        )
        .would("a witness's cosignature, which says when the log was still without it"),
    ]
}

/// An honest award with another lineage.
fn lineage_lie(name: &'static str, lie: fn(&Forge, &mut Vec<Option<Index>>)) -> Attack {
    Attack::next(name, LOG, move |it| {
        let signed = it.sign("platform", &it.record("platform", award(ANN, 100)));
        let mut lineage = it.judge(&signed).unwrap().indexes().to_vec();
        lie(it, &mut lineage);
        it.take(signed, Lineage::new(lineage))
    })
    .audits("its lineage is")
    .second(Yes("lineage"))
}

fn lineage() -> Vec<Attack> {
    vec![
        lineage_lie(
            "A lineage that hides the account's last entry",
            |it, all| {
                all[2] = Some(it.at("award"));
            },
        ),
        lineage_lie(
            "A lineage that hides its issuer's last record",
            |it, all| {
                all[0] = Some(it.at("award"));
            },
        ),
        lineage_lie("A lineage that says the account is new", |_, all| {
            all[2] = None;
        }),
        lineage_lie("A lineage with one index more", |it, all| {
            all.push(Some(it.at("oaks")));
        }),
        lineage_lie(
            "A lineage that names another platform's grant",
            |it, all| {
                let stranger = it.entry(it.at("award")).lineage.authority().unwrap();
                all[1] = Some(Index(stranger.0 + 2));
            },
        )
        .receipt(Yes("the grant is of another key")),
        lineage_lie("A lineage that names no grant", |_, all| all[1] = None)
            .receipt(Yes("does not end at the genesis")),
    ]
}

/// A note of any text, signed under any name.
fn note(text: &str, name: &VerifierKey, signer: &str) -> String {
    let mut bytes = name.id().to_be_bytes().to_vec();
    bytes.extend(key(signer).sign(text.as_bytes()).as_bytes());
    format!("{text}\n— {} {}\n", name.name(), STANDARD.encode(bytes))
}

fn head_text(head: TreeHead) -> String {
    format!("{ORIGIN}\n{}\n{}\n", head.size, head.root)
}

/// The honest ledger went on, and its checkpoint is another.
fn checkpoint_lie(
    name: &'static str,
    liar: &'static str,
    words: &'static str,
    lie: fn(&Forge) -> String,
) -> Attack {
    Attack::new(name, liar, move || {
        let mut forge = Forge::honest();
        let before = forge.files();
        forge.goes_on();
        let mut now = forge.files();
        let checkpoint = lie(&forge);
        let mut receipt = forge.receipt(forge.at("award"));
        now.insert("checkpoint".to_owned(), checkpoint.clone().into_bytes());
        receipt.checkpoint = checkpoint;
        Shown::log(&forge, Some(before), now).with(&receipt)
    })
    .receipt(Yes(words))
    .audit(Yes(words))
    .rewritten(words)
    .second(Yes(""))
}

fn checkpoints() -> Vec<Attack> {
    vec![
        checkpoint_lie(
            "A checkpoint of more entries than there are",
            LOG,
            "it is not there",
            |it| {
                let head = TreeHead {
                    size: it.size() + 5,
                    ..it.head(it.size())
                };
                note(&head_text(head), &vkey("log"), "log")
            },
        )
        // The size is in no hash: a proof that is as long in the larger tree holds there too.
        .receipt(No)
        .second(Yes("tile_missing"))
        .unproven(),
        checkpoint_lie("A checkpoint over a root of no tree", LOG, "", |it| {
            let head = TreeHead {
                root: root_of([]),
                ..it.head(it.size())
            };
            note(&head_text(head), &vkey("log"), "log")
        }),
        checkpoint_lie(
            "A checkpoint signed by another key of the log's name",
            OPERATOR,
            "not signed by",
            |it| {
                note(
                    &head_text(it.head(it.size())),
                    &vkey("stranger"),
                    "stranger",
                )
            },
        )
        .unproven(),
        checkpoint_lie(
            "A checkpoint with a line in the key's name that it did not sign",
            OPERATOR,
            "is false",
            |it| note(&head_text(it.head(it.size())), &vkey("log"), "stranger"),
        ),
        checkpoint_lie(
            "A checkpoint with a true line and a false one of the key's name",
            OPERATOR,
            "is false",
            |it| {
                let text = head_text(it.head(it.size()));
                let lie = note(&text, &vkey("log"), "stranger");
                format!(
                    "{}{}",
                    note(&text, &vkey("log"), "log"),
                    lie.lines().last().unwrap()
                ) + "\n"
            },
        ),
        checkpoint_lie(
            "A checkpoint of another log",
            LOG,
            "not of attacked.example/ledger",
            |it| {
                let text = head_text(it.head(it.size())).replace(ORIGIN, OTHER_ORIGIN);
                note(&text, &vkey_of(OTHER_ORIGIN, "log"), "log")
            },
        )
        .unproven(),
        checkpoint_lie(
            "A checkpoint with another line that nobody can audit",
            LOG,
            "extension",
            |it| {
                let text = head_text(it.head(it.size())) + "and more\n";
                note(&text, &vkey("log"), "log")
            },
        )
        .unproven(),
        checkpoint_lie(
            "A checkpoint whose size is written otherwise",
            LOG,
            "no checkpoint",
            |it| {
                let head = it.head(it.size());
                let text = format!("{ORIGIN}\n0{}\n{}\n", head.size, head.root);
                note(&text, &vkey("log"), "log")
            },
        )
        .unproven(),
        Attack::new("A checkpoint of no entries", LOG, || {
            let forge = Forge::honest();
            let empty = TreeHead {
                size: 0,
                root: root_of([]),
            };
            let checkpoint = note(&head_text(empty), &vkey("log"), "log");
            let now = [("checkpoint".to_owned(), checkpoint.into_bytes())].into();
            Shown::log(&forge, Some(forge.files()), now)
        })
        .receipt(Apart)
        .audit(Yes(""))
        .rewritten("of no entries")
        .second(Yes(""))
        .unproven(),
    ]
}

/// The governors named another log key.
fn rotated() -> (Forge, u64) {
    let mut forge = Forge::honest();
    let before = forge.size();
    forge.admit("g1+g2+log2", log_key("log2"));
    forge.goes_on();
    (forge, before)
}

fn log_keys() -> Vec<Attack> {
    vec![
        Attack::new(
            "Another ledger on the true genesis, with a log key of the governors' own",
            "k governors: their own",
            || {
                let honest = Forge::honest();
                let mut it = Forge::retold(honest.signed().into_iter().take(1));
                it.admit("g1+g2+log2", log_key("log2"));
                it.admit(
                    "g1+g2+platform",
                    grant("platform", Role::Platform, "cityride"),
                );
                it.admit("g1+g2", method(1));
                it.admit("platform", award(ANN, 5000));
                it.grow_as("platform", honest.entries.len() + 3);
                let mut now = it.files();
                let checkpoint = it.checkpoint_by(it.size(), &["log2"]).to_string();
                now.insert("checkpoint".to_owned(), checkpoint.into_bytes());
                Shown::log(&it, Some(honest.files()), now)
            },
        )
        .receipt(Apart)
        .audits("not signed by")
        .mirror(Yes("not signed by"))
        .second(Yes("unsigned"))
        .unproven(),
        Attack::new(
            "A checkpoint signed by a log key that another replaced",
            "thief: the old log key",
            || {
                let (forge, before) = rotated();
                let checkpoint = forge.checkpoint_by(forge.size(), &["log"]);
                let mut now = forge.files();
                now.insert("checkpoint".to_owned(), checkpoint.to_string().into_bytes());
                let receipt = forge.receipt_in(forge.at("award"), &checkpoint);
                Shown::log(&forge, Some(forge.files_at(before)), now).with(&receipt)
            },
        )
        .audits("which was replaced")
        .second(Yes("")),
        Attack::new(
            "A checkpoint signed by a log key before it was in force",
            "operator: the next log key",
            || {
                let (forge, before) = rotated();
                let checkpoint = forge.checkpoint_by(before, &["log2"]);
                let mut now = forge.files_at(before);
                now.insert("checkpoint".to_owned(), checkpoint.to_string().into_bytes());
                Shown {
                    log: vkey("log2"),
                    ..Shown::log(&forge, None, now)
                        .with(&forge.receipt_in(forge.at("award"), &checkpoint))
                }
            },
        )
        .audit(Yes("not one of this ledger's log keys"))
        .incremental(Apart)
        .second(Yes("")),
    ]
}
