//! A proxy in front of an object store, which passes everything on while it is calm, and else loses requests and
//! answers, repeats, delays, does things late, and says that they failed. It never says that something was done
//! that was not: no log survives a store that lies so.

use std::io::{BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::http::{Message, read_answer, read_message};
use crate::support::dice::Dice;

/// Number of things that happen to a request.
const FATES: u64 = 9;
/// A request that is done late is done after this at most, in milliseconds.
const LATE_MAX_MS: u64 = 12_000;
const DELAY_MAX_MS: u64 = 2_500;
const STORE_ANSWERS_WITHIN: Duration = Duration::from_secs(30);

const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\n\r\n";
const CONFLICT: &[u8] = b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n";

/// What it does.
#[derive(Default)]
pub struct BadProxy {
    /// One request in this number is spoiled; none if it is 0.
    one_in: AtomicU64,
    spoiled: AtomicU64,
    dice: Mutex<Option<Dice>>,
}

impl BadProxy {
    /// Between an address, on the network of the thread that starts it, and a store.
    pub fn start(at: SocketAddr, store: SocketAddr, seed: u64) -> Arc<Self> {
        let listener = TcpListener::bind(at).unwrap();
        let proxy = Arc::new(Self {
            dice: Mutex::new(Some(Dice::new(seed))),
            ..Self::default()
        });
        let shared = Arc::clone(&proxy);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let proxy = Arc::clone(&shared);
                std::thread::spawn(move || proxy.serve(client.unwrap(), store));
            }
        });
        proxy
    }

    /// Spoils one request in this number from now on; none if it is 0.
    pub fn spoil_one_in(&self, one_in: u64) {
        self.one_in.store(one_in, Ordering::SeqCst);
    }

    /// Number of requests that it spoiled so far.
    pub fn spoiled(&self) -> u64 {
        self.spoiled.load(Ordering::SeqCst)
    }

    fn below(&self, n: u64) -> u64 {
        self.dice.lock().unwrap().as_mut().unwrap().below(n)
    }

    fn serve(&self, client: TcpStream, store: SocketAddr) {
        let mut reader = BufReader::new(client.try_clone().unwrap());
        let mut client = client;
        while let Some(request) = read_message(&mut reader) {
            // Nothing: the connection ends without an answer.
            let Some(answer) = self.answer(&request, store) else {
                return;
            };
            if client.write_all(&answer).is_err() {
                return;
            }
        }
    }

    fn answer(&self, request: &Message, store: SocketAddr) -> Option<Vec<u8>> {
        let one_in = self.one_in.load(Ordering::SeqCst);
        if one_in == 0 || self.below(one_in) > 0 {
            return hand_over(request, store);
        }
        self.spoiled.fetch_add(1, Ordering::SeqCst);
        let pause = |most_ms| std::thread::sleep(Duration::from_millis(self.below(most_ms)));
        match self.below(FATES) {
            0 => None,
            1 => {
                hand_over(request, store);
                None
            }
            2 => {
                hand_over(request, store);
                hand_over(request, store)
            }
            3 => {
                pause(DELAY_MAX_MS);
                hand_over(request, store)
            }
            4 => {
                let answer = hand_over(request, store);
                pause(DELAY_MAX_MS);
                answer
            }
            5 => {
                // Its sender has long been told that nothing came of it.
                let (late, wait) = (request.bytes(), self.below(LATE_MAX_MS));
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(wait));
                    send(&late, store)
                });
                None
            }
            6 => {
                hand_over(request, store);
                Some(UNAVAILABLE.to_vec())
            }
            7 => Some(UNAVAILABLE.to_vec()),
            // Of a create it says that another one was under way, though nothing is there.
            _ if request.first.starts_with("PUT ") => Some(CONFLICT.to_vec()),
            _ => Some(UNAVAILABLE.to_vec()),
        }
    }
}

/// Sends a request on, and gives the answer.
fn hand_over(request: &Message, store: SocketAddr) -> Option<Vec<u8>> {
    let connection = send(&request.bytes(), store)?;
    let answer = read_answer(&mut BufReader::new(connection), request)?;
    Some(answer.bytes())
}

fn send(request: &[u8], store: SocketAddr) -> Option<TcpStream> {
    let mut connection = TcpStream::connect(store).ok()?;
    connection
        .set_read_timeout(Some(STORE_ANSWERS_WITHIN))
        .ok()?;
    connection.write_all(request).ok()?;
    Some(connection)
}
