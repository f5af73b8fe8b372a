//! An object store of this process that speaks what S3 speaks, as far as a log asks: conditional puts, ranges,
//! lists in order, deletes. Objects outlive its deaths. Tests use it where SeaweedFS can't be had.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::http::{Message, read_message};

const LIST_MAX: usize = 1000;
const WHEN: &str = "Mon, 01 Jan 2024 00:00:00 GMT";

/// The store, which listens at an address.
pub struct SmallS3 {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    is_dead: AtomicBool,
}

impl SmallS3 {
    /// On the network of the thread that starts it.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let world = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let shared = Arc::clone(&world);
                std::thread::spawn(move || shared.serve(client.unwrap()));
            }
        });
        Self { address, shared }
    }

    /// Breaks off whatever is under way, and answers nobody until it lives again.
    pub fn dies(&self) {
        self.shared.is_dead.store(true, Ordering::SeqCst);
    }

    pub fn lives(&self) {
        self.shared.is_dead.store(false, Ordering::SeqCst);
    }
}

impl Shared {
    fn serve(&self, client: TcpStream) {
        let mut reader = BufReader::new(client.try_clone().unwrap());
        let mut client = client;
        while let Some(request) = read_message(&mut reader) {
            let answer = self.answer(&request);
            if self.is_dead.load(Ordering::SeqCst) || client.write_all(&answer).is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: &Message) -> Vec<u8> {
        let mut words = request.first.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let name = decoded(path);
        let mut objects = self.objects.lock().unwrap();
        // What is cut off before is not done; what is done may still not be answered.
        if self.is_dead.load(Ordering::SeqCst) {
            return Vec::new();
        }
        match method {
            "PUT" => {
                if request.field("if-none-match").is_some() && objects.contains_key(&name) {
                    return error("412 Precondition Failed", "PreconditionFailed");
                }
                objects.insert(name, request.body.clone());
                answer("200 OK", "", b"")
            }
            "GET" if query.contains("list-type=2") => list(&objects, &name, query),
            "GET" | "HEAD" => {
                let Some(bytes) = objects.get(&name) else {
                    return error("404 Not Found", "NoSuchKey");
                };
                let Some(range) = request.field("range") else {
                    return answer("200 OK", "", bytes);
                };
                let (from, to) = range.trim_start_matches("bytes=").split_once('-').unwrap();
                let from: usize = from.parse().unwrap();
                let to = to.parse().map_or(bytes.len(), |to: usize| to + 1);
                let to = to.min(bytes.len());
                if from >= to {
                    return error("416 Range Not Satisfiable", "InvalidRange");
                }
                let said = format!("Content-Range: bytes {from}-{}/{}\r\n", to - 1, bytes.len());
                answer("206 Partial Content", &said, &bytes[from..to])
            }
            "DELETE" => {
                objects.remove(&name);
                answer("204 No Content", "", b"")
            }
            // Several at once.
            "POST" => {
                let body = String::from_utf8_lossy(&request.body).into_owned();
                let mut deleted = String::new();
                for part in body.split("<Key>").skip(1) {
                    let key = part.split("</Key>").next().unwrap();
                    objects.remove(&format!("{name}/{key}").replace("//", "/"));
                    write!(deleted, "<Deleted><Key>{key}</Key></Deleted>").unwrap();
                }
                let body = format!("<?xml version=\"1.0\"?><DeleteResult>{deleted}</DeleteResult>");
                answer("200 OK", "", body.as_bytes())
            }
            _ => error("405 Method Not Allowed", "MethodNotAllowed"),
        }
    }
}

fn answer(status: &str, more: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nETag: \"1\"\r\nLast-Modified: {WHEN}\r\n{more}Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn error(status: &str, code: &str) -> Vec<u8> {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
    answer(status, "", body.as_bytes())
}

fn list(objects: &BTreeMap<String, Vec<u8>>, bucket: &str, query: &str) -> Vec<u8> {
    let asked = |name: &str| {
        let mut parts = query.split('&').filter_map(|part| part.split_once('='));
        let (_, value) = parts.find(|(key, _)| *key == name)?;
        Some(decoded(value))
    };
    let bucket = format!("{}/", bucket.trim_end_matches('/'));
    let prefix = bucket.clone() + &asked("prefix").unwrap_or_default();
    let after = asked("continuation-token").or_else(|| asked("start-after"));
    let after = bucket.clone() + &after.unwrap_or_default();
    let found: Vec<_> = objects
        .range((Bound::Excluded(after), Bound::Unbounded))
        .filter(|(name, _)| name.starts_with(&prefix))
        .take(LIST_MAX + 1)
        .collect();
    let more = found.len() > LIST_MAX;
    let mut body =
        format!("<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>{more}</IsTruncated>");
    let mut last = "";
    for (name, bytes) in found.iter().take(LIST_MAX) {
        let (key, size) = (&name[bucket.len()..], bytes.len());
        last = key;
        write!(
            body,
            "<Contents><Key>{key}</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>\
             <ETag>\"1\"</ETag><Size>{size}</Size></Contents>"
        )
        .unwrap();
    }
    if more {
        write!(
            body,
            "<NextContinuationToken>{last}</NextContinuationToken>"
        )
        .unwrap();
    }
    body.push_str("</ListBucketResult>");
    answer("200 OK", "", body.as_bytes())
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, more @ ..] = rest {
        match (first, more) {
            (b'%', [high, low, more @ ..]) => {
                let pair = [*high, *low];
                let hex = std::str::from_utf8(&pair).unwrap();
                bytes.push(u8::from_str_radix(hex, 16).unwrap());
                rest = more;
            }
            _ => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}
