//! Tells the compiler which commit this software is built from: `ARBORLOG_COMMIT` if it is set, as where an image is
//! built without the repository; of a release build in a checkout its newest commit; else `unknown`.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=ARBORLOG_COMMIT");
    let given = std::env::var("ARBORLOG_COMMIT").ok();
    let given = given.filter(|it| !it.is_empty() && it.chars().all(|c| c.is_ascii_alphanumeric()));
    let commit = given.or_else(of_checkout);
    let commit = commit.as_deref().unwrap_or("unknown");
    println!("cargo::rustc-env=ARBORLOG_COMMIT={commit}");
}

/// The newest commit of the checkout that has this file, with `-changed` if files differ from it.
fn of_checkout() -> Option<String> {
    // Development builds would be compiled anew after each commit.
    if std::env::var("PROFILE").ok()? != "release" {
        return None;
    }
    let root = std::env::var_os("CARGO_MANIFEST_DIR")?;
    let root = Path::new(&root);
    // A package that was unpacked within another repository is not of that one.
    if !root.join(".git").exists() {
        return None;
    }
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(root)
            .args(arguments)
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    // It has a line more after each commit and each change of branch.
    let moved = root.join(git(&["rev-parse", "--git-path", "logs/HEAD"])?);
    let watched = ["src", "Cargo.toml", "Cargo.lock"].map(|name| root.join(name));
    for path in watched.iter().chain([&moved]).filter(|path| path.exists()) {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    let head = git(&["rev-parse", "HEAD"])?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changes.is_empty() {
        head
    } else {
        format!("{head}-changed")
    })
}
