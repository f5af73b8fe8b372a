//! Bytes that are not what they should be: encodings, tiles, receipts.

use arborlog::ledger::Code;
use arborlog::merkle::{Level, TileId};
use arborlog::receipt::Receipt;
use arborlog::record::*;

use crate::attack::{Apart, Attack, LOG, No, OPERATOR, PLANTER, PLATFORM, Yes};
use crate::detectors::Shown;
use crate::forge::{ENTRY_HEAD_BYTES, Files, Forge, OTHER_ORIGIN, entry_head, path, vkey_of};
use crate::statements::*;

pub fn attacks() -> Vec<Attack> {
    [
        entries(),
        records(),
        formats(),
        mldsa(),
        tiles(),
        answers(),
        receipts(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// An entry whose bytes are not the encoding of one.
fn encoded(
    name: &'static str,
    liar: &'static str,
    words: &'static str,
    lie: impl Fn(&mut Forge) -> Index + Send + Sync + 'static,
) -> Attack {
    Attack::next(name, liar, lie)
        .receipt(Yes(words))
        .audits(words)
        .second(Yes("not_canonical"))
}

/// An honest award, whose entry's bytes are then changed.
fn changed(name: &'static str, words: &'static str, lie: fn(&mut Vec<u8>)) -> Attack {
    encoded(name, LOG, words, move |it| {
        let index = it.admit("platform", award(ANN, 100));
        lie(&mut it.entries[index.0 as usize]);
        index
    })
}

/// A signed record from its parts, whatever they are.
fn raw(record: &[u8], signature: &[u8], endorsements: &[Endorsement]) -> Vec<u8> {
    let mut bytes = (record.len() as u64).to_be_bytes().to_vec();
    bytes.extend(record);
    bytes.extend(signature);
    bytes.extend((endorsements.len() as u64).to_be_bytes());
    for endorsement in endorsements {
        bytes.extend(endorsement.key.as_bytes());
        bytes.extend(endorsement.signature.as_bytes());
    }
    bytes
}

/// A log key with an ML-DSA key beside it, signed by these, as no log here admits it.
fn with_mldsa(forge: &Forge, who: &str) -> SignedRecord {
    let named = LogKey {
        mldsa_key: MldsaKey::from_bytes(&[7; 1312]),
        ..log_key("log2")
    };
    let bytes = forge.record(who, named).encode().unwrap();
    let input = forge.context.input(&bytes);
    let mut names = who.split('+');
    let signature = key(names.next().unwrap()).sign(&input);
    let mut endorsements: Vec<Endorsement> = names
        .map(|name| Endorsement {
            key: public(name),
            signature: key(name).sign(&input),
        })
        .collect();
    endorsements.sort_by_key(|endorsement| endorsement.key);
    let mldsa = MldsaSignature::from_bytes(&[8; 2420]);
    SignedRecord::with_mldsa(bytes, signature, endorsements, mldsa).unwrap()
}

fn mldsa() -> Vec<Attack> {
    let words = "can't verify";
    vec![
        Attack::next(
            "No lie: a log key with an ML-DSA key beside it",
            LOG,
            |it| {
                let signed = with_mldsa(it, "g1+g2+log2");
                it.force_signed(signed)
            },
        )
        .receipt(Yes(words))
        .audits(words)
        .second(Yes("mldsa_unsupported"))
        .unproven(),
        Attack::rule(
            "A log key with an ML-DSA key beside it, named by one governor",
            "operator: the log's; one governor: its own",
            Code::QuorumShort,
            |it| {
                let signed = with_mldsa(it, "g1+log2");
                it.force_signed(signed)
            },
        )
        .receipt(Yes("1 governors signed, 2 are needed")),
        Attack::next(
            "A log key with an ML-DSA key whose signature is left out",
            LOG,
            |it| {
                let signed = with_mldsa(it, "g1+g2+log2");
                let index = it.force_signed(signed);
                let entry = &mut it.entries[index.0 as usize];
                entry.truncate(entry.len() - 2420);
                index
            },
        )
        .receipt(Yes("cut short"))
        .audits("cut short")
        .second(Yes("not_canonical")),
    ]
}

/// Puts these bytes in the place of an entry's signed record.
fn put(forge: &mut Forge, index: Index, signed: &[u8]) {
    let entry = forge.entry(index);
    let mut bytes = entry_head(1, entry.admitted_at, entry.lineage.indexes());
    bytes.extend(signed);
    forge.entries[index.0 as usize] = bytes;
}

/// A record whose issuer signed bytes that are no record.
fn said(
    name: &'static str,
    liar: &'static str,
    words: &'static str,
    (who, honest): (&'static str, fn(&Forge) -> Statement),
    lie: fn(&mut Vec<u8>),
) -> Attack {
    encoded(name, liar, words, move |it| {
        let index = it.admit(who, honest(it));
        let mut record = it.entry(index).signed.bytes().to_vec();
        lie(&mut record);
        let issuer = who.split('+').next().unwrap();
        let signature = key(issuer).sign(&it.context.input(&record));
        put(it, index, &raw(&record, signature.as_bytes(), &[]));
        index
    })
}

/// A grant whose endorsements are then changed.
fn endorsed(
    name: &'static str,
    liar: &'static str,
    words: &'static str,
    who: &'static str,
    lie: fn(&Forge, &SignedRecord, &mut Vec<Endorsement>),
) -> Attack {
    encoded(name, liar, words, move |it| {
        let new = grant("new", Role::Platform, "newride");
        let signed = it.sign(who, &it.record(who, new));
        let mut endorsements = signed.endorsements().to_vec();
        lie(it, &signed, &mut endorsements);
        let bytes = raw(signed.bytes(), signed.signature().as_bytes(), &endorsements);
        let index = it.force_signed(signed);
        put(it, index, &bytes);
        index
    })
}

fn entries() -> Vec<Attack> {
    let one = "operator: the log's; one governor, a new platform: their own";
    vec![
        changed("An entry with bytes after its end", "left over", |entry| {
            entry.push(0);
        }),
        changed("An entry that is cut", "cut short", |entry| {
            entry.pop();
        }),
        changed("An entry of another version", "of version 4", |entry| {
            entry[1] = 4;
        }),
        changed("A lineage longer than any", "too many indexes", |entry| {
            entry[ENTRY_HEAD_BYTES - 1] = 6;
            entry.splice(ENTRY_HEAD_BYTES + 16..ENTRY_HEAD_BYTES + 16, [0xff; 24]);
        }),
        endorsed(
            "Endorsements in another order",
            LOG,
            "ascending",
            "g1+g2+new",
            |_, _, all| {
                all.reverse();
            },
        ),
        endorsed(
            "A governor who endorses twice, to make k",
            one,
            "ascending",
            "g1+g2+new",
            |_, _, all| {
                all.retain(|endorsement| endorsement.key == public("new"));
                all.push(all[0]);
            },
        ),
        endorsed(
            "A governor who endorses its own record, to make k",
            one,
            "endorse itself",
            "g1+new",
            |_, signed, all| {
                let issuer = Endorsement {
                    key: signed.record().issuer,
                    signature: *signed.signature(),
                };
                all.push(issuer);
                all.sort_by_key(|endorsement| endorsement.key);
            },
        ),
    ]
}

/// Where a record's statement begins.
const STATEMENT: usize = 32 + 8 + 32 + 4;
/// Where a genesis names its format: behind the number of its kind.
const FORMAT: std::ops::Range<usize> = STATEMENT + 4..STATEMENT + 8;

/// The honest ledger with another genesis at its beginning, and a receipt in it.
fn begun(forge: &mut Forge, lie: fn(&mut Vec<u8>)) -> Shown {
    let signed = forge.entry(Index(0)).signed;
    let mut record = signed.bytes().to_vec();
    let genesis = forge.genesis_id();
    lie(&mut record);
    let signature = key("g1").sign(&forge.context.input(&record));
    let bytes = raw(&record, signature.as_bytes(), signed.endorsements());
    let honest = forge.clone();
    put(forge, Index(0), &bytes);
    let shown = Shown {
        genesis,
        ..Shown::log(&honest, None, forge.files())
    };
    shown.with(&forge.receipt(forge.at("award")))
}

/// Whoever is shown a log of another version of the format accuses nobody.
fn other_format(name: &'static str, words: &'static str, lie: fn(&mut Vec<u8>)) -> Attack {
    Attack::new(name, LOG, move || begun(&mut Forge::honest(), lie))
        .receipt(Yes(words))
        .audit(Yes(words))
        .incremental(Apart)
        .mirror(Yes(words))
        .second(Yes("other_format"))
        .unproven()
}

fn formats() -> Vec<Attack> {
    vec![
        other_format(
            "No lie: a log of the time before versions were named",
            "of version 0 of the format",
            |record| {
                record.drain(FORMAT);
            },
        ),
        other_format(
            "No lie: a log of a later version of the format",
            "of version 2 of the format",
            |record| record[FORMAT].copy_from_slice(&[0, 0, 0, 2]),
        ),
        Attack::receipt_only(
            "A receipt whose genesis was changed to look like another version",
            OPERATOR,
            || {
                let honest = Forge::honest();
                let mut receipt = honest.receipt(honest.at("award"));
                let genesis = &mut receipt.authority.last_mut().unwrap().entry;
                // Behind the entry's head and lineage, and the length of the record.
                let record = ENTRY_HEAD_BYTES + 16 + 8;
                genesis[record + FORMAT.end - 1] = 2;
                Shown::receipt(&honest, &receipt)
            },
        )
        .receipt(Yes("not proven to be in the log")),
        Attack::next(
            "A genesis of another version amid the log",
            "operator: the log's; one governor: its own",
            |it| {
                let signed = it.entry(Index(0)).signed;
                let mut record = signed.bytes().to_vec();
                record[FORMAT].copy_from_slice(&[0, 0, 0, 2]);
                let signature = key("g1").sign(&it.context.input(&record));
                let index = it.force_signed(signed);
                put(it, index, &raw(&record, signature.as_bytes(), &[]));
                index
            },
        )
        .receipt(Yes("of version 2 of the format"))
        .audits("of version 2 of the format")
        .second(Yes("not_canonical")),
    ]
}

fn records() -> Vec<Attack> {
    let awards: (&str, fn(&Forge) -> Statement) = ("platform", |_| award(ANN, 100).says());
    let gives: (&str, fn(&Forge) -> Statement) = ("platform", |_| gift(ANN, BEN, 1).says());
    let reverses: (&str, fn(&Forge) -> Statement) =
        ("platform", |it| reverse(it.at("award"), 1).says());
    vec![
        said(
            "A record with bytes after its end",
            PLATFORM,
            "left over",
            awards,
            |record| {
                record.push(0);
            },
        ),
        said(
            "A record of an unknown kind",
            PLATFORM,
            "no kind has the number 17",
            awards,
            |record| {
                record[STATEMENT + 3] = 17;
            },
        ),
        said(
            "An option that is neither there nor not",
            PLATFORM,
            "malformed",
            gives,
            |record| {
                record[STATEMENT + 4 + 32] = 2;
            },
        ),
        said(
            "A gift that expires",
            PLATFORM,
            "go to no account",
            gives,
            |record| {
                *record.last_mut().unwrap() = 3;
            },
        ),
        said(
            "A text that runs backwards for its reader",
            PLATFORM,
            "",
            reverses,
            |record| {
                replace(record, b"mis", "\u{202e}".as_bytes());
            },
        ),
        said(
            "A text that is not UTF-8",
            PLATFORM,
            "",
            reverses,
            |record| {
                replace(record, b"mis", b"\xffis");
            },
        ),
        said(
            "A policy that no reader of policies reads",
            "operator: the log's; one governor: its own",
            "no line before it defines all",
            ("g1+g2", |_| policy("quorum none\n").says()),
            |record| replace(record, b"none", b"all\n"),
        ),
        said(
            "A planting of no trees",
            PLANTER,
            "malformed",
            ("planter", |_| planting(1, 36, 1, 77).says()),
            |record| {
                record[STATEMENT + 4 + 4 + 2 + 4 + 3] = 0;
            },
        ),
        said(
            "A day after the year 9999",
            "operator: the log's; surveyor: its own",
            "after the year 9999",
            ("surveyor", |_| {
                let next_due = Some(Day(2_932_896));
                Survey {
                    next_due,
                    ..survey(1, 77)
                }
                .says()
            }),
            |record| {
                *record.last_mut().unwrap() += 1;
            },
        ),
    ]
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    let at = bytes.windows(from.len()).position(|it| it == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
}

/// The size of the newest smaller tree in which all proofs of a receipt are as long.
fn older(forge: &Forge, receipt: &Receipt) -> u64 {
    let lengths = |it: &Receipt| {
        let links = it.authority.iter().map(|link| link.path.len());
        links.chain([it.path.len()]).collect::<Vec<_>>()
    };
    let mut sizes = (receipt.index.0 + 1..forge.size()).rev();
    let like = |size: &u64| {
        let then = forge.receipt_in(receipt.index, &forge.checkpoint(*size));
        lengths(&then) == lengths(receipt)
    };
    sizes.find(like).unwrap()
}

/// Where the long ledger was, and where it is when the tiles lie.
const SIZE: usize = 520;

/// Right entries and a right checkpoint, but tiles that are not theirs.
fn tile_lie(name: &'static str, words: &'static str, lie: fn(&mut Files)) -> Attack {
    Attack::new(name, OPERATOR, move || {
        let mut forge = Forge::long();
        let before = forge.files();
        forge.grow(SIZE);
        let mut now = forge.files();
        lie(&mut now);
        Shown::log(&forge, Some(before), now)
    })
    .receipt(Apart)
    .audit(Yes(words))
    .rewritten(words)
    .second(Yes(""))
}

fn full(level: Level, number: u64) -> String {
    TileId::full(level, number).to_string()
}

fn edge(level: Level, number: u64) -> String {
    path(level, number, SIZE as u64)
}

fn tiles() -> Vec<Attack> {
    const ENTRIES: Level = Level::Entries;
    const LEAVES: Level = Level::Hashes(0);
    const ABOVE: Level = Level::Hashes(1);
    vec![
        tile_lie(
            "A bundle that is cut",
            "is cut inside its entry 255",
            |files| {
                files.get_mut(&full(ENTRIES, 1)).unwrap().pop();
            },
        )
        .unproven(),
        tile_lie(
            "A bundle with bytes after its end",
            "256 belong there",
            |files| {
                files.get_mut(&full(ENTRIES, 1)).unwrap().extend([0, 0]);
            },
        )
        .unproven(),
        tile_lie("A bundle that is compressed", "", |files| {
            let bundle = files.get_mut(&full(ENTRIES, 1)).unwrap();
            *bundle = zstd::encode_all(bundle.as_slice(), 0).unwrap();
        })
        .unproven(),
        tile_lie(
            "A bundle in another's place",
            "not the one that the tree holds",
            |files| {
                let other = files[&full(ENTRIES, 0)].clone();
                files.insert(full(ENTRIES, 1), other);
            },
        ),
        tile_lie(
            "Two bundles swapped",
            "not the one that the tree holds",
            |files| {
                let one = files[&full(ENTRIES, 0)].clone();
                let other = files.insert(full(ENTRIES, 1), one).unwrap();
                files.insert(full(ENTRIES, 0), other);
            },
        ),
        tile_lie(
            "A partial bundle instead of the full one",
            "it is not there",
            |files| {
                let bundle = files.remove(&full(ENTRIES, 1)).unwrap();
                files.insert(format!("{}.p/255", full(ENTRIES, 1)), bundle);
            },
        )
        .unproven(),
        tile_lie(
            "The last bundle with an entry more",
            "8 belong there",
            |files| {
                let more = files[&full(ENTRIES, 0)].clone();
                let first = 2 + usize::from(u16::from_be_bytes([more[0], more[1]]));
                let last = files.get_mut(&edge(ENTRIES, 2)).unwrap();
                last.extend(&more[..first]);
            },
        )
        .unproven(),
        tile_lie(
            "A hash changed, its bundle right",
            "not those of the tree",
            |files| {
                files.get_mut(&full(LEAVES, 1)).unwrap()[77] ^= 1;
            },
        ),
        tile_lie("A hash changed above", "lead to the root", |files| {
            files.get_mut(&edge(ABOVE, 0)).unwrap()[33] ^= 1;
        }),
        tile_lie("A hash changed at the edge", "lead to the root", |files| {
            files.get_mut(&edge(LEAVES, 2)).unwrap()[33] ^= 1;
        }),
        tile_lie("A tile of hashes that is cut", "belong there", |files| {
            files.get_mut(&full(LEAVES, 1)).unwrap().pop();
        })
        .unproven(),
        tile_lie(
            "A tile of hashes that is missing",
            "it is not there",
            |files| {
                files.remove(&full(LEAVES, 1)).unwrap();
            },
        )
        .unproven(),
        tile_lie(
            "Two tiles of hashes swapped",
            "not those of the tree",
            |files| {
                let one = files[&full(LEAVES, 0)].clone();
                let other = files.insert(full(LEAVES, 1), one).unwrap();
                files.insert(full(LEAVES, 0), other);
            },
        ),
        tile_lie(
            "An old hash changed, which the new ones do not need",
            "not those of the tree",
            |files| {
                files.get_mut(&full(LEAVES, 0)).unwrap()[77] ^= 1;
            },
        )
        .incremental(No)
        .mirror(No),
    ]
}

/// The long ledger, then more reversed of an award than it gave; and its first bundle with an
/// award that was larger.
fn excused() -> (Forge, Index, Files, Vec<u8>) {
    let mut forge = Forge::long();
    let before = forge.files();
    let award = forge.at("award");
    let index = forge.force("platform", reverse(award, 971));
    forge.grow(SIZE);
    let mut other = forge.clone();
    let entry = &mut other.entries[award.0 as usize];
    replace(entry, &1000_u64.to_be_bytes(), &2000_u64.to_be_bytes());
    let lie = other.files()[&full(Level::Entries, 0)].clone();
    (forge, index, before, lie)
}

fn answers() -> Vec<Attack> {
    let bundle = full(Level::Entries, 0);
    let again = bundle.clone();
    vec![
        Attack::new(
            "An old award changed in its bundle, so that a reversal seems right",
            PLATFORM,
            move || {
                let (forge, index, before, lie) = excused();
                let mut now = forge.files();
                now.insert(bundle.clone(), lie);
                Shown::log(&forge, Some(before), now).with(&forge.receipt(index))
            },
        )
        .audits("not the one that the tree holds")
        .second(Yes("")),
        Attack::new(
            "A bundle that is another when a reversal asks for it again",
            PLATFORM,
            move || {
                let (forge, _, before, lie) = excused();
                Shown {
                    second_answer: Some((again.clone(), lie)),
                    ..Shown::log(&forge, Some(before), forge.files())
                }
            },
        )
        .receipt(Apart)
        .second(Apart)
        .audit(Yes("not the one that the tree holds"))
        .incremental(Yes("reversal_excess")),
    ]
}

/// A receipt of the honest ledger's assignment, changed.
fn receipt_lie(name: &'static str, words: &'static str, lie: fn(&Forge, &mut Receipt)) -> Attack {
    Attack::receipt_only(name, OPERATOR, move || {
        let forge = Forge::honest();
        let mut receipt = forge.receipt(forge.at("assignment"));
        lie(&forge, &mut receipt);
        Shown::receipt(&forge, &receipt)
    })
    .receipt(Yes(words))
}

/// The same, changed as text.
fn text_lie(name: &'static str, words: &'static str, lie: fn(&str) -> String) -> Attack {
    Attack::receipt_only(name, OPERATOR, move || {
        let forge = Forge::honest();
        let mut shown = Shown::receipt(&forge, &forge.receipt(forge.at("assignment")));
        shown.receipt = shown.receipt.map(|text| lie(&text));
        shown
    })
    .receipt(Yes(words))
}

fn receipts() -> Vec<Attack> {
    vec![
        Attack::receipt_only("A receipt of another log", OPERATOR, || {
            let forge = Forge::honest();
            Shown {
                log: vkey_of(OTHER_ORIGIN, "log"),
                ..Shown::receipt(&forge, &forge.receipt(forge.at("award")))
            }
        })
        .receipt(Yes("not of other.example/ledger"))
        .unproven(),
        Attack::receipt_only("A receipt that leads to another genesis", OPERATOR, || {
            let forge = Forge::honest();
            Shown {
                genesis: RecordId::from_bytes([7; 32]),
                ..Shown::receipt(&forge, &forge.receipt(forge.at("award")))
            }
        })
        .receipt(Yes("leads to genesis")),
        receipt_lie(
            "A receipt moved to another index",
            "not proven to be in the log",
            |_, it| {
                it.index.0 += 1;
            },
        ),
        receipt_lie(
            "A receipt with another entry",
            "not proven to be in the log",
            |forge, it| {
                it.entry = forge.entries[forge.at("award").0 as usize].clone();
            },
        ),
        receipt_lie(
            "A receipt with a changed entry",
            "not proven to be in the log",
            |_, it| {
                it.entry[9] ^= 1;
            },
        ),
        receipt_lie(
            "A receipt with the proof of an older tree",
            "not proven to be in the log",
            |forge, it| {
                let older = forge.checkpoint(older(forge, it));
                it.path = forge.receipt_in(it.index, &older).path;
            },
        ),
        receipt_lie(
            "A receipt with the checkpoint of an older tree",
            "not proven to be in the log",
            |forge, it| {
                it.checkpoint = forge.checkpoint(older(forge, it)).to_string();
            },
        ),
        receipt_lie(
            "A receipt whose tree is too small for its entry",
            "is not in a tree",
            |forge, it| {
                it.checkpoint = forge.checkpoint(it.index.0).to_string();
            },
        )
        .unproven(),
        receipt_lie(
            "A receipt with another key's grant",
            "lineage does not name",
            |forge, it| {
                it.authority[0].index.0 += 2;
                let other = forge.receipt(it.authority[0].index);
                it.authority[0].path = other.path.iter().map(|hash| *hash.as_bytes()).collect();
                it.authority[0].entry = other.entry;
            },
        ),
        receipt_lie(
            "A receipt with another key's grant at the right index",
            "not proven to be in the log",
            |forge, it| {
                let other = Index(it.authority[0].index.0 + 2);
                it.authority[0].entry = forge.receipt(other).entry;
            },
        ),
        receipt_lie(
            "A receipt without the grant",
            "lineage does not name",
            |_, it| {
                it.authority.remove(0);
            },
        ),
        receipt_lie(
            "A receipt with a link behind the genesis",
            "lineage does not name",
            |_, it| it.authority.push(it.authority[0].clone()),
        ),
        receipt_lie(
            "A receipt without the genesis",
            "does not end at the genesis",
            |_, it| {
                it.authority.pop();
            },
        ),
        text_lie(
            "A receipt with its index written otherwise",
            "not written plainly",
            |text| text.replace("index ", "index 0"),
        )
        .unproven(),
        text_lie(
            "A receipt with a hash in another base64",
            "no hash",
            |text| {
                let hash = text.lines().nth(3).unwrap();
                // Its last digit has two bits that belong to no byte.
                let other = char::from(hash.as_bytes()[42] + 1);
                text.replacen(hash, &format!("{}{other}=", &hash[..42]), 1)
            },
        )
        .unproven(),
        text_lie("A receipt of another version", "first line", |text| {
            text.replace("tlog-proof@v1", "tlog-proof@v2")
        })
        .unproven(),
        text_lie(
            "A receipt with a line more in its proof",
            "not proven to be in the log",
            |text| {
                let hash = text.lines().nth(3).unwrap();
                text.replacen("\n\n", &format!("\n{hash}\n\n"), 1)
            },
        )
        .unproven(),
    ]
}
