//! Four outcomes of `audit`, `mirror`, `monitor` and `fsck`, by their exit codes, against web servers
//! that give a page in the place of a tile, that are down, that break off, that lag, and that lie.
#![cfg(feature = "cli")]

#[allow(dead_code)]
#[path = "attacks/forge.rs"]
mod forge;
#[allow(dead_code)]
#[path = "attacks/statements.rs"]
mod statements;
mod support;

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use forge::{Files, Forge};
use serde_json::Value;
use support::{run, run_ok};

/// What a server answers to one path instead of its file.
#[derive(Clone)]
enum Instead {
    /// This status with this body.
    Answer(&'static str, Vec<u8>),
    /// The head of an answer that is longer than what follows, then nothing.
    Cut(Vec<u8>),
}

/// What a web server has: files by path, and what it answers instead.
#[derive(Clone, Default)]
struct Site {
    files: Files,
    instead: BTreeMap<String, Instead>,
}

impl Site {
    fn of(files: Files) -> Self {
        Self {
            files,
            instead: BTreeMap::new(),
        }
    }

    fn with(mut self, path: &str, instead: Instead) -> Self {
        assert!(self.files.contains_key(path), "{path}");
        self.instead.insert(path.to_owned(), instead);
        self
    }

    fn page(self, path: &str) -> Self {
        let page = b"<!doctype html><title>Log in to the network</title>".to_vec();
        self.with(path, Instead::Answer("200 OK", page))
    }

    fn answer(&self, path: &str) -> Instead {
        match (self.instead.get(path), self.files.get(path)) {
            (Some(instead), _) => instead.clone(),
            (None, Some(bytes)) => Instead::Answer("200 OK", bytes.clone()),
            (None, None) => Instead::Answer("404 Not Found", b"no such file".to_vec()),
        }
    }
}

/// A web server on loopback, whose files may change. Its threads end with the test.
struct Web {
    url: String,
    site: Arc<Mutex<Site>>,
}

impl Web {
    fn serve(site: Site) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let site = Arc::new(Mutex::new(site));
        let shared = Arc::clone(&site);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let site = Arc::clone(&shared);
                // A client that hangs up early is none of the server's business.
                std::thread::spawn(move || drop(answer(stream, &site)));
            }
        });
        Self { url, site }
    }

    fn now(&self, site: Site) {
        *self.site.lock().unwrap() = site;
    }
}

/// One request, then the connection is closed.
fn answer(stream: TcpStream, site: &Mutex<Site>) -> std::io::Result<()> {
    let mut request = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    request.read_line(&mut line)?;
    let path = line
        .split(' ')
        .nth(1)
        .unwrap_or("/")
        .trim_start_matches('/');
    let answer = site.lock().unwrap().answer(path);
    while line.trim_end() != "" {
        line.clear();
        if request.read_line(&mut line)? == 0 {
            break;
        }
    }
    let (status, body, length) = match answer {
        Instead::Answer(status, body) => (status, body.clone(), body.len()),
        Instead::Cut(body) => ("200 OK", body.clone(), body.len() + 100),
    };
    let mut stream = stream;
    let kind = if body.starts_with(b"<") {
        "text/html"
    } else {
        "application/octet-stream"
    };
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    )?;
    stream.write_all(&body)?;
    stream.flush()
}

const BUNDLE: &str = "tile/entries/000";
const LEAVES: &str = "tile/0/000";
const EDGE: &str = "tile/0/001.p/44";

/// One command's exit code, its JSON answer if it gives one, and its words.
fn outcome(args: &[&str]) -> (i32, Value, String) {
    let output = run(args);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    let answer = String::from_utf8_lossy(&output.stdout);
    let answer = serde_json::from_str(answer.trim()).unwrap_or(Value::Null);
    (output.status.code().unwrap_or(-1), answer, words)
}

/// All four commands on what a site has, begun anew.
fn by_all(what: &str, site: Site, expected: i32, words: &str) {
    let web = Web::serve(site);
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name).to_str().unwrap().to_owned();
    let vkey = forge::vkey("log").to_string();
    let (copy, state) = (path("copy"), path("state"));
    let url = web.url.as_str();
    for command in [
        &["audit", url, "--log", &vkey, "--json"][..],
        &["mirror", url, &copy, "--log", &vkey, "--json"],
        &["monitor", url, "--log", &vkey, "--state", &state, "--once"],
        &["fsck", url, "--log", &vkey, "--json"],
    ] {
        let (code, answer, told) = outcome(command);
        assert_eq!(code, expected, "{what}: {command:?}: {told}");
        assert!(told.contains(words), "{what}: {command:?}: {told}");
        if command.contains(&"--json") {
            let name = ["holds", "false", "", "unchecked", "not_that_kind"][expected as usize];
            assert_eq!(answer["outcome"], name, "{what}: {command:?}");
        }
        if expected == 3 || expected == 4 {
            assert_eq!(answer.get("whole"), None, "{what}: {command:?}");
        }
    }
}

fn honest() -> Site {
    Site::of(Forge::long().files())
}

/// The honest log with a file changed.
fn changed(path: &str, change: impl FnOnce(&mut Vec<u8>)) -> Site {
    let mut site = honest();
    change(site.files.get_mut(path).unwrap());
    site
}

#[test]
fn a_log_that_is_whole_holds() {
    let web = Web::serve(honest());
    let vkey = forge::vkey("log").to_string();
    let (code, answer, words) = outcome(&["audit", &web.url, "--log", &vkey, "--json"]);
    assert_eq!(
        (code, &answer["outcome"]),
        (0, &Value::from("holds")),
        "{words}"
    );
    assert_eq!(answer["whole"], true);
}

#[test]
fn what_is_not_there_or_is_something_else_is_no_lie() {
    by_all(
        "a page for a tile",
        honest().page(LEAVES),
        3,
        "<!doctype html>",
    );
    by_all(
        "a page for the edge",
        honest().page(EDGE),
        3,
        "<!doctype html>",
    );
    by_all(
        "a page for a bundle",
        honest().page(BUNDLE),
        3,
        "<!doctype html>",
    );
    by_all(
        "a page for the checkpoint",
        honest().page("checkpoint"),
        3,
        "<!doctype html>",
    );
    by_all("no checkpoint", Site::default(), 4, "no log's address");
    let mut site = honest();
    site.files.remove(LEAVES);
    by_all("no tile", site, 3, "the checkpoint promises it");
    by_all(
        "half a tile",
        changed(LEAVES, |tile| tile.truncate(4096)),
        3,
        "no such tile",
    );
    by_all(
        "half a bundle",
        changed(BUNDLE, |bundle| bundle.truncate(9000)),
        3,
        "no such tile",
    );
    by_all("an empty bundle", changed(BUNDLE, Vec::clear), 3, "nothing");
    by_all(
        "a bundle with junk behind it",
        changed(BUNDLE, |bundle| bundle.extend(b"junk")),
        3,
        "no such tile",
    );
    let crlf = |note: &mut Vec<u8>| {
        *note = String::from_utf8(note.clone())
            .unwrap()
            .replace('\n', "\r\n")
            .into_bytes();
    };
    by_all(
        "a checkpoint with CRLF",
        changed("checkpoint", crlf),
        3,
        "CRLF line ends",
    );
    by_all(
        "half a checkpoint",
        changed("checkpoint", |note| note.truncate(90)),
        3,
        "its end is missing",
    );
    let forge = Forge::long();
    let mut site = honest();
    let stranger = forge.checkpoint_by(forge.size(), &["stranger"]).to_string();
    site.files
        .insert("checkpoint".to_owned(), stranger.into_bytes());
    by_all("a stranger's checkpoint", site, 3, "not signed by");
}

/// What was named is not there, or can't be asked: not that what is there is no log.
#[test]
fn a_place_that_is_missing_could_not_be_checked() {
    let vkey = forge::vkey("log").to_string();
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    let missing = missing.to_str().unwrap();
    let state = dir.path().join("state");
    let state = state.to_str().unwrap();
    let unknown = "http://nowhere.invalid";
    for args in [
        vec!["audit", missing, "--log", &vkey],
        vec!["mirror", missing, state, "--log", &vkey],
        vec!["monitor", missing, "--log", &vkey, "--state", state],
        vec!["--cacert", missing, "audit", unknown, "--log", &vkey],
        // A monitor asks again as long as that may help; here nothing but another address would.
        vec!["monitor", unknown, "--log", &vkey, "--state", state],
    ] {
        let done = run(&args);
        let words = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(3), "{args:?}: {words}");
    }
}

/// Nothing in a log of another version of the format is called false or damaged.
#[test]
fn what_is_of_another_version_is_refused_by_its_version() {
    let mut forge = Forge::long();
    // Behind the entry's head, two indexes, and the record's length: the genesis' format.
    let format = forge::ENTRY_HEAD_BYTES + 16 + 8 + 76 + 4;
    forge.entries[0][format..format + 4].copy_from_slice(&[0, 0, 0, 2]);
    let site = Site::of(forge.files());
    by_all(
        "a log of another format",
        site,
        3,
        "version 2 of the format",
    );

    let ledger = support::Ledger::init();
    let dir = ledger.dir.to_str().unwrap();
    std::fs::write(ledger.dir.join("VERSION"), "arborlog store 2\n").unwrap();
    for command in [
        &["fsck", dir][..],
        &["serve", dir, "--listen", "127.0.0.1:0"],
    ] {
        let (code, _, told) = outcome(command);
        assert_eq!(code, 3, "{command:?}: {told}");
        let said = ["\"arborlog store 2\"", "use the arborlog that wrote it"];
        assert!(said.iter().all(|said| told.contains(said)), "{told}");
    }

    let temp = tempfile::tempdir().unwrap();
    let state = temp.path().join("state");
    std::fs::write(&state, "arborlog audit 2\n and so on").unwrap();
    let vkey = forge::vkey("log").to_string();
    let web = Web::serve(honest());
    let state = state.to_str().unwrap();
    let audit = ["audit", &web.url, "--log", &vkey, "--state", state];
    let (code, _, told) = outcome(&audit);
    assert_eq!(code, 3, "{told}");
    let said = ["another version of arborlog", "begin with a whole audit"];
    assert!(said.iter().all(|said| told.contains(said)), "{told}");
}

/// These are asked for again for half a minute, so they are asked side by side.
#[test]
fn a_server_that_is_down_or_breaks_off_is_no_lie() {
    let leaves = honest().files[LEAVES].clone();
    let busy = Instead::Answer("503 Service Unavailable", b"busy".to_vec());
    let sites = [
        ("busy", honest().with(LEAVES, busy.clone()), "503"),
        (
            "busy from the start",
            honest().with("checkpoint", busy),
            "503",
        ),
        (
            "an answer that breaks off",
            honest().with(LEAVES, Instead::Cut(leaves)),
            "",
        ),
    ];
    let vkey = forge::vkey("log").to_string();
    let vkey = vkey.as_str();
    std::thread::scope(|scope| {
        for (what, site, words) in sites {
            let web = Web::serve(site);
            for command in ["audit", "mirror", "monitor", "fsck"] {
                let url = web.url.clone();
                scope.spawn(move || {
                    let temp = tempfile::tempdir().unwrap();
                    let place = temp.path().join("place").to_str().unwrap().to_owned();
                    let more = match command {
                        "mirror" => vec![place.as_str()],
                        "monitor" => vec!["--state", &place, "--once"],
                        _ => Vec::new(),
                    };
                    let args = [&[command, &url, "--log", vkey][..], &more].concat();
                    let (code, _, told) = outcome(&args);
                    assert_eq!(code, 3, "{what}: {command}: {told}");
                    assert!(told.contains(words), "{what}: {command}: {told}");
                });
            }
        }
    });
}

#[test]
fn what_was_signed_and_is_contradicted_is_false() {
    by_all(
        "a changed hash",
        changed(LEAVES, |tile| tile[40] ^= 1),
        1,
        LEAVES,
    );
    by_all(
        "a changed entry",
        changed(BUNDLE, |bundle| bundle[300] ^= 1),
        1,
        BUNDLE,
    );
    // A line by the key that was given, over other words.
    let root = |note: &mut Vec<u8>| {
        let text = String::from_utf8(note.clone()).unwrap();
        *note = text.replacen("\n300\n", "\n299\n", 1).into_bytes();
    };
    by_all("a false line", changed("checkpoint", root), 1, "is false");
}

#[test]
fn a_site_that_lags_is_no_lie_and_one_that_forked_is_and_leaves_evidence() {
    let forge = Forge::long();
    let web = Web::serve(Site::of(forge.files()));
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name).to_str().unwrap().to_owned();
    let (copy, state, watched) = (path("copy"), path("state"), path("watched"));
    let vkey = forge::vkey("log").to_string();
    let url = web.url.as_str();
    let commands = [
        vec!["audit", url, "--log", &vkey, "--state", &state],
        vec!["mirror", url, &copy, "--log", &vkey],
        vec![
            "monitor",
            url,
            "--log",
            &vkey,
            "--state",
            &watched,
            "--once",
            "--on-finding",
            "/bin/true",
        ],
    ];
    for command in &commands {
        run_ok(command);
    }
    let all = |what: &str, site: Site, expected: i32| {
        web.now(site);
        for command in &commands {
            let (code, _, told) = outcome(command);
            assert_eq!(code, expected, "{what}: {command:?}: {told}");
        }
    };
    let older = forge.files_at(270);
    let mut lags = forge.files();
    lags.extend(older.clone());
    all("an older checkpoint beside all tiles", Site::of(lags), 3);
    all("a copy that lags", Site::of(older), 3);
    all(
        "a copy of less than a tile",
        Site::of(forge.files_at(60)),
        3,
    );
    all("the same as ever", Site::of(forge.files()), 0);
    let evidence = ["state.evidence", "copy.evidence", "watched.evidence"];
    assert!(
        evidence
            .iter()
            .all(|place| !Path::new(&path(place)).exists())
    );

    let mut other = Forge::honest();
    other.goes_on();
    other.grow(400);
    all("another story", Site::of(other.files()), 1);
    for place in evidence {
        assert_eq!(
            std::fs::read_dir(path(place)).unwrap().count(),
            2,
            "{place}"
        );
    }
    // And nothing of it was taken in.
    all("the same as ever", Site::of(forge.files()), 0);
}
