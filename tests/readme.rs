//! Documents hold what they promise: the README's tours run as they stand, and every dependency has
//! its reason.
#![cfg(feature = "cli")]

use std::process::Command;

#[test]
fn the_readmes_commands_run() {
    let readme = include_str!("../README.md");
    let mut script = String::from("set -eu\n");
    for block in readme.split("```sh test\n").skip(1) {
        script.push_str(block.split("```").next().unwrap());
    }
    assert!(script.contains("arborlog verify"));
    let temp = tempfile::tempdir().unwrap();
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_arborlog"))
        .parent()
        .unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(temp.path())
        .env("PATH", path)
        .output()
        .unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}\n{err}");
    for said in [
        "is awarded 104 points",
        "gives 300 points for the promise of a tree",
        "has 12 points",
    ] {
        assert!(out.contains(said), "{said}: {out}");
    }
}

/// `name version` of each dependency in one section of Cargo.toml, as the document writes them.
fn dependencies(section: &str) -> Vec<String> {
    let manifest = include_str!("../Cargo.toml");
    let (_, rest) = manifest.split_once(section).unwrap();
    let lines = rest
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with('['));
    lines
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, rest)| {
            let version = rest.split('"').nth(1).unwrap();
            format!("{name} {version}")
        })
        .collect()
}

#[test]
fn every_dependency_has_its_version_and_its_reason_in_the_document() {
    let document = include_str!("../docs/dependencies.md");
    for (section, least) in [("[dependencies]", 30), ("[dev-dependencies]", 5)] {
        let found = dependencies(section);
        assert!(found.len() > least, "{section}: {found:?}");
        for dependency in found {
            let (name, _) = dependency.split_once(' ').unwrap();
            // Tokio stands in both sections; a tempfile of tests is named without a version.
            let known = document.contains(&dependency)
                || (section == "[dev-dependencies]" && document.contains(name));
            assert!(known, "docs/dependencies.md does not name {dependency}");
        }
    }
}
