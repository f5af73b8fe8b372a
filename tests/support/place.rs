//! A platform's files beside a server, `submit` over them, and proxies between both.

#![allow(dead_code)]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Output;
use std::sync::{Arc, Mutex};

use arborlog::crypto::SigningKey;
use arborlog::record::*;
use serde_json::Value;

use crate::support::entries::{entries, said};
use crate::support::{Ledger, Server, arborlog, award, copy_dir, run_ok};

/// A ledger with a server, and one platform's files.
pub struct Place {
    pub ledger: Ledger,
    pub server: Server,
}

impl Place {
    pub fn new() -> Self {
        Self::with(&[])
    }

    pub fn with(args: &[&str]) -> Self {
        let ledger = Ledger::init();
        let server = Server::start_with(&ledger.dir, args);
        ledger.set_up(&server.remote());
        Self { ledger, server }
    }

    pub fn path(&self, name: &str) -> String {
        self.ledger.path(name)
    }

    /// Writes an input of awards: each is for the account of its number, of an event of its own.
    pub fn write(&self, name: &str, awards: impl IntoIterator<Item = u64>) {
        let lines = awards.into_iter().map(|n| line(&award(n, n)));
        std::fs::write(self.path(name), lines.collect::<String>()).unwrap();
    }

    pub fn submit_to(&self, url: &str, name: &str, more: &[&str]) -> Output {
        let input = match name {
            "-" => "-".to_owned(),
            name => self.path(name),
        };
        let mut command = arborlog();
        command.args(["submit", &input, "--to", url]);
        if !more.contains(&"--key") {
            command.args(["--key", &self.path("platform.pem")]);
        }
        command.args(more).output().unwrap()
    }

    pub fn submit(&self, name: &str, more: &[&str]) -> Told {
        let output = self.submit_to(&self.server.url, name, more);
        Told {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// All awards in the ledger, by account: none of a test's accounts has two, unless it says so.
    pub fn points(&self, account: u64) -> u64 {
        let Statement::Award(award) = award(account, account) else {
            panic!();
        };
        let path = format!("v1/accounts/{}", award.account);
        let found = self.server.remote().json::<Value>(&path);
        found.map_or(0, |found| {
            let balance = &found["balance"];
            let text = balance.as_str().map(str::to_owned);
            text.unwrap_or_else(|| balance.to_string()).parse().unwrap()
        })
    }

    /// How often each of these was awarded.
    pub fn times(&self, accounts: impl IntoIterator<Item = u64>) -> Vec<u64> {
        accounts.into_iter().map(|n| self.points(n) / 104).collect()
    }

    pub fn once(&self, accounts: impl IntoIterator<Item = u64>) {
        let times = self.times(accounts);
        assert!(times.iter().all(|times| *times == 1), "{times:?}");
    }

    /// Number of entries, without seals.
    pub fn entries(&self) -> u64 {
        said(&self.server.remote())
    }

    /// All entries.
    pub fn log(&self) -> Vec<Entry> {
        entries(&self.server.remote())
    }

    /// Another key of the platform.
    pub fn grant(&self, name: &str) -> SigningKey {
        run_ok(&["keygen", &self.path(name)]);
        let key = SigningKey::read(Path::new(&self.path(name))).unwrap();
        self.ledger
            .grant(&self.server.remote(), &key, Role::Platform, "app");
        key
    }

    /// Stops the server, puts another copy of the ledger in its place, and starts it again.
    pub fn put_back(&mut self, copy: &Path) {
        self.stop();
        std::fs::remove_dir_all(&self.ledger.dir).unwrap();
        copy_dir(copy, &self.ledger.dir);
        self.start();
    }

    pub fn stop(&mut self) {
        self.server.signal("-TERM");
        self.server.child.wait().unwrap();
    }

    pub fn start(&mut self) {
        self.server = Server::start(&self.ledger.dir);
    }
}

pub struct Told {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Told {
    /// Ended so, with these words.
    pub fn ends(&self, code: i32, words: &[&str]) -> &Self {
        let all = format!("{}{}", self.out, self.err);
        assert_eq!(self.code, code, "{all}");
        for word in words {
            assert!(all.contains(word), "{word:?} is not in: {all}");
        }
        self
    }

    pub fn json(&self) -> Value {
        let told: Value = serde_json::from_str(&self.out).unwrap();
        let sum = |names: &[&str]| -> u64 {
            let numbers = names.iter().map(|name| told[name].as_u64().unwrap());
            numbers.sum()
        };
        let parts = ["admitted", "already_in", "refused", "set_aside", "not_sent"];
        assert_eq!(sum(&["read"]), sum(&parts), "{told}");
        assert_eq!(
            sum(&["read"]),
            told["lines"].as_array().unwrap().len() as u64
        );
        for name in parts {
            let lines = told["lines"].as_array().unwrap().iter();
            let count = lines.filter(|line| line["outcome"] == name).count() as u64;
            assert_eq!(told[name], count, "{name}: {told}");
        }
        told
    }

    /// Line, outcome, and index or code.
    pub fn lines(&self) -> Vec<(u64, String, Value)> {
        let told = self.json();
        let lines = told["lines"].as_array().unwrap().iter();
        lines
            .map(|line| {
                let what = match &line["index"] {
                    Value::Null => line["code"].clone(),
                    index => index.clone(),
                };
                let outcome = line["outcome"].as_str().unwrap().to_owned();
                (line["line"].as_u64().unwrap(), outcome, what)
            })
            .collect()
    }
}

pub fn line(statement: &Statement) -> String {
    format!("{}\n", serde_json::to_string(statement).unwrap())
}

/// Four points of an account expire: a statement that can be meant again.
pub fn expiry(account: u64) -> String {
    let Statement::Award(award) = award(account, account) else {
        panic!();
    };
    format!(
        "{{\"kind\":\"transfer\",\"from\":\"{}\",\"to\":null,\"points\":4,\"reason\":\"expired\"}}\n",
        award.account
    )
}

/// An award with a point too many.
pub fn wrong(n: u64) -> String {
    line(&award(n, n)).replace("\"points\":104", "\"points\":105")
}

/// A proxy that answers a GET, and to a POST with what no retry can cure, after it handed it over.
pub fn cut_off_proxy(to: &str) -> String {
    proxy(to, |hand_over| {
        hand_over();
        b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec()
    })
}

/// A proxy that answers a POST with what this gives, which may hand it over and be given the answer.
pub fn proxy(
    to: &str,
    on_post: impl Fn(&mut dyn FnMut() -> Vec<u8>) -> Vec<u8> + Send + 'static,
) -> String {
    posting_proxy(to, move |request, hand_over| {
        on_post(&mut || hand_over(request))
    })
}

/// As [`proxy`], given the request too, and what hands over this one or another.
pub fn posting_proxy(
    to: &str,
    on_post: impl Fn(&[u8], &mut dyn FnMut(&[u8]) -> Vec<u8>) -> Vec<u8> + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let to = to.strip_prefix("http://").unwrap().to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (mut client, to) = (client.unwrap(), to.clone());
            let mut request = Vec::new();
            let mut chunk = [0; 65_536];
            // The head, then as much body as it says.
            let body_begins = loop {
                let read = client.read(&mut chunk).unwrap_or(0);
                request.extend_from_slice(&chunk[..read]);
                let at = request.windows(4).position(|bytes| bytes == b"\r\n\r\n");
                match at {
                    Some(at) => break at + 4,
                    None if read == 0 => return,
                    None => {}
                }
            };
            let head = String::from_utf8_lossy(&request[..body_begins]).to_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            while request.len() < body_begins + length {
                let read = client.read(&mut chunk).unwrap();
                request.extend_from_slice(&chunk[..read]);
            }
            let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
            let (line, rest) = head.split_once("\r\n").unwrap();
            let line = line
                .replace("get ", "GET ")
                .replace("post ", "POST ")
                .replace("http/1.1", "HTTP/1.1");
            let request = [
                format!("{line}\r\n{rest}").as_bytes(),
                &request[body_begins..],
            ]
            .concat();
            let mut hand_over = |request: &[u8]| {
                let mut server = std::net::TcpStream::connect(&to).unwrap();
                server.write_all(request).unwrap();
                let mut answer = Vec::new();
                server.read_to_end(&mut answer).unwrap();
                answer
            };
            let answer = match line.starts_with("POST ") {
                true => on_post(&request, &mut hand_over),
                false => hand_over(&request),
            };
            let _ = client.write_all(&answer);
        }
    });
    url
}

/// What a proxy says when it will not be asked again: no retry can cure it.
const GO_AWAY: &[u8] =
    b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A proxy that keeps what is posted and hands nothing over, and what it was given.
pub fn keeping_proxy(to: &str) -> (String, Arc<Mutex<Vec<u8>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    let url = posting_proxy(to, move |request, _| {
        *keep.lock().unwrap() = request.to_vec();
        GO_AWAY.to_vec()
    });
    (url, kept)
}

/// Hands over what was kept now.
pub fn arrives(place: &Place, kept: &Mutex<Vec<u8>>) {
    let to = place.server.url.strip_prefix("http://").unwrap();
    let mut server = std::net::TcpStream::connect(to).unwrap();
    server.write_all(&kept.lock().unwrap()).unwrap();
    let mut answer = String::new();
    server.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
