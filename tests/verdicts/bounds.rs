//! The bounds of `docs/format.md`, 13.5: they are the constants of all three verifiers, and a file at a bound or
//! beyond it gets one verdict.

use std::collections::BTreeMap;
use std::process::Command;

use arborlog::ledger::{STATE_LAG_MAX, domains};
use arborlog::receipt::BOUNDS;
use arborlog::record::SEALED_BYTES_MAX;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::items::Liar;
use crate::verifiers::{Verdict, Verifiers};
use crate::{AWARD, assert_all, plain, unchecked};

const FORMAT: &str = include_str!("../../docs/format.md");

/// The rows of a table of bounds that follows a heading or a sentence: each name with its number.
fn rows(behind: &str) -> BTreeMap<String, u64> {
    let text = FORMAT.split_once(behind).unwrap().1;
    let lines = text.lines().skip_while(|line| !line.starts_with('|'));
    let lines = lines.take_while(|line| line.starts_with('|')).skip(2);
    let cells = lines.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
    let row = |cells: Vec<&str>| {
        let name = cells[1].trim_matches('`').to_owned();
        (name, cells[2].parse().unwrap())
    };
    cells.map(row).collect()
}

fn printed(mut command: Command) -> BTreeMap<String, u64> {
    let output = command.output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |(name, number): (&String, &Value)| (name.clone(), number.as_u64().unwrap());
    said.as_object().unwrap().iter().map(of).collect()
}

fn by_python(table: &str) -> BTreeMap<String, u64> {
    let mut python = Command::new("python3");
    let docs = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/verifier");
    let program = format!("import json, arborlog_verify as v; print(json.dumps(v.{table}))");
    python.args(["-B", "-c", &program]).env("PYTHONPATH", docs);
    printed(python)
}

#[test]
fn the_table_of_bounds_is_that_of_all_three_verifiers() {
    let written = rows("### 13.5 Bounds");
    let ours = BOUNDS
        .iter()
        .map(|(name, number)| ((*name).to_owned(), *number));
    assert_eq!(ours.collect::<BTreeMap<_, _>>(), written);
    assert_eq!(by_python("BOUNDS"), written);
    let mut node = Command::new("node");
    let bounds = concat!(env!("CARGO_MANIFEST_DIR"), "/src/web/verifier/bounds.mjs");
    // The time of a cosignature is beyond what a number of JavaScript holds: its digits are JSON all the same.
    let program = format!(
        "const {{ BOUNDS }} = await import('file://{bounds}');\n\
         const pairs = Object.entries(BOUNDS).map(([name, number]) => `\"${{name}}\":${{number}}`);\n\
         console.log(`{{${{pairs}}}}`);"
    );
    node.args(["--input-type=module", "-e", &program]);
    assert_eq!(printed(node), written);
    let audits = rows("Who audits a whole ledger applies two more");
    let ours = [
        ("sealed_bytes", SEALED_BYTES_MAX as u64),
        ("state_lag", STATE_LAG_MAX),
    ];
    let ours = ours.map(|(name, number)| (name.to_owned(), number));
    assert_eq!(BTreeMap::from(ours), audits);
    assert_eq!(by_python("AUDIT_BOUNDS"), audits);
}

fn u64s(number: usize) -> Vec<u8> {
    (number as u64).to_be_bytes().to_vec()
}

fn byte_string(bytes: &[u8]) -> Vec<u8> {
    [u64s(bytes.len()), bytes.to_vec()].concat()
}

fn list(items: Vec<Vec<u8>>) -> Vec<u8> {
    [u64s(items.len()), items.concat()].concat()
}

fn hashes(number: usize) -> Vec<u8> {
    list(vec![vec![7; 32]; number])
}

fn link(entry: &[u8], path: usize) -> Vec<u8> {
    [u64s(0), byte_string(entry), hashes(path)].concat()
}

/// An entry of a form that has just so many bytes. It need not decode.
fn entry(form: u8, bytes: usize) -> Vec<u8> {
    let mut entry = vec![0; bytes];
    entry[1] = form;
    entry
}

/// The award's file with other bytes on its extra line.
fn file(extra: &[u8]) -> String {
    let (_, rest) = AWARD.split_once("\nindex ").unwrap();
    let extra = STANDARD.encode(extra);
    format!("c2sp.org/tlog-proof@v1\nextra {extra}\nindex {rest}")
}

fn signed(entry_bytes: usize, links: Vec<Vec<u8>>) -> String {
    file(&[byte_string(&entry(1, entry_bytes)), list(links)].concat())
}

fn sealed(seal_bytes: usize, path: usize, siblings: usize) -> String {
    let seal = [link(&entry(1, seal_bytes), path), hashes(siblings)].concat();
    file(&[byte_string(&entry(2, 100)), seal, list(Vec::new())].concat())
}

fn about_state(items: Vec<Vec<u8>>, shown: Vec<Vec<u8>>, hash_count: usize) -> String {
    let hashes = match shown.is_empty() {
        true => Vec::new(),
        false => hashes(hash_count),
    };
    let state = byte_string(&entry(3, 182));
    file(&[state, list(Vec::new()), list(items), list(shown), hashes].concat())
}

fn item(key_bytes: usize) -> Vec<u8> {
    [byte_string(&vec![0; key_bytes]), vec![0], byte_string(&[1])].concat()
}

fn shown(index: usize, entry: &[u8], siblings: usize) -> Vec<u8> {
    [u64s(index), byte_string(entry), hashes(siblings)].concat()
}

/// Files whose every part is read, and none of which proves anything: what is read gets as far as the first proof,
/// which has not the number of hashes that it needs.
#[test]
fn a_file_is_read_up_to_each_bound_and_no_further() {
    let mut verifiers = Verifiers::start();
    let (head, note) = AWARD.split_once("\n\n").unwrap();
    let base: Vec<&str> = head.lines().take(3).collect();
    let lines = |number: usize| {
        let hash = STANDARD.encode([7; 32]);
        let path = vec![hash.as_str(); number].join("\n");
        format!("{}\n{path}\n\n{note}", base.join("\n"))
    };
    let signatures = |number: usize| {
        let lines = note.lines().filter(|line| line.starts_with('—')).count();
        let name = "— example.org/other AAAAAAAA\n";
        format!("{head}\n\n{note}{}", name.repeat(number - lines))
    };
    let note_of = |bytes: usize| {
        let empty = "— a AAAAAAAA\n";
        let line = bytes - note.len() - empty.len();
        // A line's base64 is a multiple of four; the name takes what is left.
        let name = 1 + line % 4;
        let (name, base64) = ("a".repeat(name), "A".repeat(8 + line - line % 4));
        format!("{head}\n\n{note}— {name} {base64}\n")
    };
    // What every file but those of signatures comes to while it is read: the award's path has six hashes, and its
    // index needs six, so that the links, or the shown entries, are the first that do not fit.
    let (read, cut) = (
        unchecked("proof_incomplete"),
        unchecked("receipt_malformed"),
    );
    let not_included = Verdict::False;
    let links = |number, entry_bytes, path| vec![link(&entry(1, entry_bytes), path); number];
    let full = 2 << 20;
    // An extra line of this many bytes, all of it the key of its one item.
    let long = |bytes: usize| {
        let fixed = 8 + 182 + 8 + 8 + 8 + 1 + 8 + 1 + 8;
        about_state(vec![item(bytes - fixed)], Vec::new(), 0)
    };
    // 512 entries, all of one length but the last, which fill an extra line of just these bytes.
    let many = |bytes: usize| {
        let fixed = 8 + 182 + 8 + 8 + 8 + 8 + 512 * 24;
        let each = (bytes - fixed) / 512;
        let rest = (bytes - fixed) % 512;
        let length = |place| if place == 511 { each + rest } else { each };
        let shown = (0..512).map(|place| shown(place, &entry(1, length(place)), 0));
        about_state(Vec::new(), shown.collect(), 0)
    };
    let one = |bytes, siblings| {
        let entry = entry(if siblings > 0 { 2 } else { 1 }, bytes);
        about_state(Vec::new(), vec![shown(1, &entry, siblings)], 3)
    };
    let few = |number: usize| {
        let shown = (0..number).map(|place| shown(place, &entry(1, 100), 0));
        about_state(Vec::new(), shown.collect(), 3)
    };
    let items = |number| about_state(vec![item(1); number], Vec::new(), 0);
    let cases = vec![
        ("65 lines of hashes", lines(65), read.clone()),
        ("66 lines of hashes", lines(66), cut.clone()),
        (
            "an entry of 32,768 bytes",
            signed(32_768, links(1, 10, 2)),
            read.clone(),
        ),
        (
            "an entry of 32,769 bytes",
            signed(32_769, links(1, 10, 2)),
            cut.clone(),
        ),
        (
            "a link of 32,768 bytes",
            signed(100, links(1, 32_768, 2)),
            read.clone(),
        ),
        (
            "a link of 32,769 bytes",
            signed(100, links(1, 32_769, 2)),
            cut.clone(),
        ),
        (
            "a link of 65 hashes",
            signed(100, links(1, 10, 65)),
            read.clone(),
        ),
        (
            "a link of 66 hashes",
            signed(100, links(1, 10, 66)),
            cut.clone(),
        ),
        ("64 links", signed(100, links(64, 10, 2)), read.clone()),
        ("65 links", signed(100, links(65, 10, 2)), cut.clone()),
        (
            "60 long links",
            signed(100, links(60, 32_768, 65)),
            read.clone(),
        ),
        ("a seal of 32,768 bytes", sealed(32_768, 2, 0), read.clone()),
        ("a seal of 32,769 bytes", sealed(32_769, 2, 0), cut.clone()),
        ("a seal of 65 hashes", sealed(100, 65, 0), read.clone()),
        ("a seal of 66 hashes", sealed(100, 66, 0), cut.clone()),
        ("14 siblings", sealed(100, 2, 14), read.clone()),
        ("15 siblings", sealed(100, 2, 15), cut.clone()),
        ("64 items", items(64), not_included.clone()),
        ("65 items", items(65), cut.clone()),
        ("512 entries", few(512), read.clone()),
        ("513 entries", few(513), cut.clone()),
        (
            "a shown entry of 32,768 bytes",
            one(32_768, 0),
            read.clone(),
        ),
        ("a shown entry of 32,769 bytes", one(32_769, 0), cut.clone()),
        ("14 siblings of a shown entry", one(100, 14), read.clone()),
        ("15 siblings of a shown entry", one(100, 15), cut.clone()),
        ("an extra line of 2 MiB", long(full), not_included.clone()),
        ("an extra line of a byte more", long(full + 1), cut.clone()),
        ("512 entries in 2 MiB", many(full), read.clone()),
        ("512 entries in a byte more", many(full + 1), cut.clone()),
        (
            "64 signatures",
            signatures(64),
            Verdict::Holds(String::new()),
        ),
        ("65 signatures", signatures(65), unchecked("note_malformed")),
        (
            "a note of 262,144 bytes",
            note_of(262_144),
            Verdict::Holds(String::new()),
        ),
        (
            "a note of 262,145 bytes",
            note_of(262_145),
            unchecked("note_malformed"),
        ),
    ];
    let asked = cases.into_iter().map(|(what, receipt, expected)| {
        let found = verifiers.ask(what, &plain(receipt));
        (what, found, expected)
    });
    assert_all(asked.collect());
}

/// The fields of a loss that displaced this many claims; each takes 20 bytes, and more in memory.
fn loss_fields(displaced: usize) -> Vec<u8> {
    let mut fields = [u64s(7), vec![0, 0, 0, 1], vec![0, 0, 0, 1]].concat();
    fields.extend(1_u32.to_be_bytes());
    fields.push(1);
    fields.extend(u64s(displaced));
    fields.resize(fields.len() + 20 * displaced, 0);
    fields
}

/// A log may put any item into its state. One that has a million bytes is read by all verifiers or by none.
#[test]
fn an_items_fields_are_read_up_to_their_bound_and_no_further() {
    let mut verifiers = Verifiers::start();
    let liar = Liar::new();
    let fixed = loss_fields(0).len();
    let most = ((1 << 20) - fixed) / 20;
    for (displaced, holds) in [(43_691, true), (most, true), (most + 1, false)] {
        let fields = loss_fields(displaced);
        let question = liar.digested(domains::LOSSES, u64s(7), [1, 0], 7, fields);
        let verdict = verifiers.ask("a long item", &question);
        assert_eq!(
            matches!(verdict, Verdict::Holds(_)),
            holds,
            "{displaced}: {verdict:?}"
        );
    }
}
