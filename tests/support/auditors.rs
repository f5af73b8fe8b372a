//! An auditor's folder and its process, as tests start them, and logs that are made for them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use arborlog::note::{Checkpoint, Cosignature, VerifierKey};
use serde_json::Value;
use sha2::Digest as _;
use tempfile::TempDir;

use crate::forge::{self, Forge};
use crate::support::{arborlog, run, run_ok};

/// An auditor's folder, beside which there may be logs.
pub struct Auditor {
    pub temp: TempDir,
    pub vkey: VerifierKey,
    pub notes_vkey: VerifierKey,
    pub hash: String,
}

impl Auditor {
    /// Audits one log, at a URL or in a folder.
    pub fn of(log: &VerifierKey, place: &str) -> Self {
        Self::with_key(log, place, "ed25519")
    }

    pub fn with_key(log: &VerifierKey, place: &str, kind: &str) -> Self {
        Self::named("auditor.example/a1", log, place, kind)
    }

    pub fn named(name: &str, log: &VerifierKey, place: &str, kind: &str) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let dir = temp.path().join("auditor");
        let made = run_ok(&[
            "auditor",
            dir.to_str().unwrap(),
            "--init",
            name,
            "--key",
            kind,
        ]);
        let mut keys = made.lines().map(|key| key.parse().unwrap());
        let auditor = Self {
            temp,
            vkey: keys.next().unwrap(),
            notes_vkey: keys.next().unwrap(),
            hash: hex::encode(sha2::Sha256::digest(log.name().as_str())),
        };
        auditor.audits(log, place);
        auditor
    }

    pub fn audits(&self, log: &VerifierKey, place: &str) {
        std::fs::write(
            self.dir().join("logs"),
            format!("# logs\n\n{log} {place}\n"),
        )
        .unwrap();
    }

    /// A new auditor of a log in a folder beside the auditor's.
    pub fn of_forge(it: &Forge) -> Self {
        let auditor = Self::of(&forge::vkey("log"), "/dev/null");
        auditor.audits(&forge::vkey("log"), auditor.log().to_str().unwrap());
        auditor.show(it);
        auditor
    }

    pub fn dir(&self) -> PathBuf {
        self.temp.path().join("auditor")
    }

    pub fn log(&self) -> PathBuf {
        self.temp.path().join("log")
    }

    /// The log shows this from now on.
    pub fn show(&self, it: &Forge) {
        let mut files = it.files();
        let checkpoint = files.remove("checkpoint").unwrap();
        forge::write(&files, &self.log());
        let next = self.temp.path().join("checkpoint.next");
        std::fs::write(&next, checkpoint).unwrap();
        std::fs::rename(next, self.log().join("checkpoint")).unwrap();
    }

    pub fn once(&self, more: &[&str]) -> (Option<i32>, String) {
        let dir = self.dir();
        let output = run(&[&["auditor", dir.to_str().unwrap(), "--once"], more].concat());
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), words)
    }

    pub fn file(&self, folder: &str) -> PathBuf {
        self.dir().join(folder).join(&self.hash)
    }

    /// The checkpoint that it cosigned, which must hold.
    pub fn cosigned(&self, log: &VerifierKey) -> Option<Checkpoint> {
        let note = std::fs::read(self.file("cosigned")).ok()?;
        let checkpoint = Checkpoint::open(&note, log).unwrap();
        Cosignature::verify(&checkpoint, &self.vkey).unwrap();
        Some(checkpoint)
    }

    pub fn start(&self, more: &[&str]) -> Running {
        self.start_every("1", more)
    }

    /// Asks the log every so many seconds.
    pub fn start_every(&self, every: &str, more: &[&str]) -> Running {
        let mut child = arborlog()
            .env("ARBORLOG_LOG", "error")
            .arg("auditor")
            .arg(self.dir())
            .args(["--listen", "127.0.0.1:0"])
            .args(["--every", every])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap();
        Running {
            address: address.to_owned(),
            child,
            hash: self.hash.clone(),
        }
    }
}

/// An auditor's process; killed if the test forgets it.
pub struct Running {
    pub child: Child,
    pub address: String,
    hash: String,
}

impl Running {
    pub fn say(&self, request: &[u8]) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let _ = stream.write_all(request);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, head.to_lowercase(), body.to_owned())
    }

    pub fn post(&self, body: &str) -> (u16, String, String) {
        let length = body.len();
        self.say(
            format!("POST /add-checkpoint HTTP/1.1\r\nhost: w\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}").as_bytes(),
        )
    }

    pub fn get(&self, path: &str) -> (u16, String) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: w\r\nconnection: close\r\n\r\n");
        let (status, _, body) = self.say(request.as_bytes());
        (status, body)
    }

    pub fn of_log(&self, what: &str) -> (u16, String) {
        self.get(&format!("/{}/{what}", self.hash))
    }

    pub fn status(&self) -> Value {
        let (status, text) = self.of_log("status");
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Waits until its status is so.
    pub fn until(&self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let status = self.status();
            if is(&status) {
                return status;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(90),
                "{what}: {status}"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn end(mut self, signal: &str) -> Option<i32> {
        let pid = self.child.id().to_string();
        let sent = std::process::Command::new("kill")
            .args([signal, &pid])
            .status();
        assert!(sent.unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An honest ledger that ends in a state entry.
pub fn honest() -> Forge {
    let mut it = Forge::long();
    it.cover();
    it
}

/// The same, with more awards in it and a state entry at its end.
pub fn longer(it: &Forge, more: usize) -> Forge {
    let mut it = it.clone();
    it.grow(it.entries.len() + more);
    it.cover();
    it
}
