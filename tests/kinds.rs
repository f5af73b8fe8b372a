//! Every kind of statement stands wherever the compiler does not ask for it: in the texts of the
//! pages, the browser's verifier, the second verifier, the docs and the golden files. What a new kind
//! needs is listed in `docs/architecture.md`.
#![cfg(feature = "cli")]

use std::collections::BTreeMap;

use arborlog::ledger::speakers;
use arborlog::record::{Kind, Role, Statement};
use serde_json::Value;

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The golden statements: all files of a kind begin with its name.
fn golden() -> BTreeMap<Kind, Vec<Statement>> {
    let mut golden: BTreeMap<Kind, Vec<Statement>> = BTreeMap::new();
    for file in std::fs::read_dir("tests/golden/statements").unwrap() {
        let path = file.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            let text = std::fs::read_to_string(&path).unwrap();
            let statement: Statement = serde_json::from_str(&text).unwrap();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            assert!(name.starts_with(statement.kind().name()), "{name}");
            assert!(path.with_extension("hex").exists(), "{name}.hex");
            golden.entry(statement.kind()).or_default().push(statement);
        }
    }
    golden
}

/// The words in quotes between two marks of a text.
fn quoted(text: &str, from: &str, to: &str) -> Vec<String> {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no {from}"));
    let (list, _) = rest.split_once(to).unwrap_or_else(|| panic!("no {to}"));
    let words = list.split(['\'', '"']).skip(1).step_by(2);
    words.map(str::to_owned).collect()
}

/// Lines of a text that begin with a kind's name and `mark`, at this depth: the kinds, in order.
fn listed(text: &str, depth: usize, mark: &str) -> Vec<String> {
    let mut kinds = Vec::new();
    for line in text.lines() {
        let name = line.trim_start();
        let found = Kind::ALL.iter().find(|kind| {
            line.len() - name.len() == depth && name.starts_with(&format!("{kind}{mark}"))
        });
        kinds.extend(found.map(|kind| kind.name().to_owned()));
    }
    kinds
}

fn all() -> Vec<String> {
    Kind::ALL
        .iter()
        .map(|kind| kind.name().to_owned())
        .collect()
}

/// The kinds that a role may state, or governors (`None`).
fn stated_by(role: Option<Role>) -> Vec<String> {
    let golden = golden();
    let allowed = |kind: &&Kind| {
        let speakers = speakers(&golden[*kind][0]);
        match role {
            Some(role) => speakers.include_role(role),
            None => speakers.include_governors(),
        }
    };
    let kinds = Kind::ALL.iter().filter(allowed);
    kinds.map(|kind| kind.name().to_owned()).collect()
}

#[test]
fn the_pages_name_every_kind_in_every_language() {
    for language in ["en", "fr", "zh"] {
        let path = format!("src/web/texts/{language}.json");
        let texts: BTreeMap<String, Value> = serde_json::from_str(&read(&path)).unwrap();
        for kind in Kind::ALL {
            let text = texts.get(&format!("k_{kind}")).and_then(Value::as_str);
            let named = text.is_some_and(|text| !text.trim().is_empty());
            assert!(named, "{path} has no k_{kind}");
        }
    }
}

#[test]
fn the_browser_reads_every_kind_and_knows_who_may_state_it() {
    let codec = read("src/web/verifier/codec.mjs");
    assert_eq!(listed(&codec, 2, ": table("), all(), "in their order");
    let record = read("src/web/verifier/record.mjs");
    for role in [Role::Platform, Role::Planter, Role::Surveyor, Role::Auditor] {
        let kinds = quoted(&record, &format!("\n  {role}: ["), "]");
        assert_eq!(kinds, stated_by(Some(role)), "{role}");
    }
    let receipt = read("src/web/verifier/receipt.mjs");
    let governors = quoted(&receipt, "const GOVERNORS_SAY = [", "]");
    assert_eq!(governors, stated_by(None));
}

#[test]
fn the_second_verifier_reads_every_kind_has_its_rules_and_knows_who_may_state_it() {
    let verifier = read("docs/verifier/arborlog_verify.py");
    assert_eq!(listed(&verifier, 4, "=table("), all(), "in their order");
    for kind in Kind::ALL {
        assert!(
            verifier.contains(&format!("    def {kind}(self, entry, s")),
            "{kind}"
        );
    }
    let tests = read("docs/verifier/test_arborlog_verify.py");
    for kind in Kind::ALL {
        assert!(tests.contains(&format!("\n    \"{kind}\": [")), "{kind}");
    }
    for role in [Role::Platform, Role::Planter, Role::Surveyor, Role::Auditor] {
        let kinds = quoted(&verifier, &format!("\"{role}\": ("), ")");
        assert_eq!(kinds, stated_by(Some(role)), "{role}");
    }
    let governors = quoted(&verifier, "\nGOVERNORS_SAY = (", ")");
    assert_eq!(governors, stated_by(None));
}

#[test]
fn the_format_and_the_page_of_statements_describe_every_kind() {
    let format = read("docs/format.md");
    let (_, lineages) = format.split_once("### 5.1 Lineage").unwrap();
    let (lineages, _) = lineages.split_once("### 5.2").unwrap();
    let (_, rules) = format.split_once("\n## 8 Rules").unwrap();
    let (rules, _) = rules.split_once("\n## 10 ").unwrap();
    let statements = read("docs/statements.md");
    for (number, kind) in Kind::ALL.iter().enumerate() {
        assert!(
            format.contains(&format!("\n### 6.{number} {kind}\n")),
            "{kind}"
        );
        assert!(format.contains(&format!("\n| {number} | ")), "{kind}");
        assert!(format.contains(&format!("| `{kind}` |")), "{kind}");
        let words = |text: &str| {
            let mut words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
            words.any(|word| word.eq_ignore_ascii_case(kind.name()))
        };
        let mut lineage = lineages.lines().filter(|line| line.starts_with('|'));
        assert!(lineage.any(words), "the lineage of {kind}");
        // A paragraph of rules begins with its kind, or is under a heading that names the kind.
        let paragraph = format!("**{kind}.**");
        let named = rules.lines().any(|line| {
            let line = line.to_lowercase();
            line.starts_with(&paragraph) || line.starts_with("### ") && line.contains(kind.name())
        });
        assert!(named, "the rules of {kind}");
        assert!(statements.contains(&format!("\n### {kind}\n")), "{kind}");
    }
}

#[test]
fn every_kind_has_a_golden_statement() {
    let kinds: Vec<Kind> = golden().into_keys().collect();
    assert_eq!(kinds, Kind::ALL);
}
