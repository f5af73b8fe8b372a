//! The README's tours run as they stand.
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
    assert!(out.contains("VERIFIED: entry 3"), "{out}");
}
