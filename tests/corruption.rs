//! Bytes that a disk lost or changed: found when they are read, never served, never judged by, and
//! mended from a mirror.
#![cfg(feature = "cli")]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arborlog::log::{Log, LogConfig};
use arborlog::merkle::{Level, TILE_HASHES, TileId};
use arborlog::note::TreeHead;
use arborlog::record::*;
use arborlog::store::{DiskStore, StoreError};
use support::dice::Dice;
use support::{Ledger, Server, award, copy_dir, files, run, run_ok};

const ENTRIES: u64 = 1_500;
const ACCOUNTS: u64 = 100;
/// Segments of the journal are small, so that most tiles are in files alone.
const SEGMENT_BYTES: u64 = 60_000;
/// So many damages; each starts, reads and mends a ledger of its own.
const DAMAGES: u64 = 60;

/// A ledger of some bundles, stopped, with a mirror beside it.
fn ledger() -> (Ledger, PathBuf) {
    let ledger = Ledger::init();
    let segments = SEGMENT_BYTES.to_string();
    let server = Server::start_with(&ledger.dir, &["--segment-bytes", &segments]);
    let remote = server.remote();
    ledger.set_up(&remote);
    for from in (0..ENTRIES).step_by(125) {
        let awards = (from..from + 125).map(|event| award(event % ACCOUNTS, event));
        let statements: Vec<Statement> = awards.collect();
        let records = ledger.sign(&remote, &ledger.platform, &statements);
        remote.append(&records).unwrap();
    }
    let mirror = ledger.temp.path().join("mirror");
    run_ok(&[
        "mirror",
        &server.url,
        mirror.to_str().unwrap(),
        "--log",
        ledger.dir.join("log.vkey").to_str().unwrap(),
    ]);
    assert_eq!(server.stop(), 0);
    (ledger, mirror)
}

/// Every full tile and the partial ones of a tree.
fn tiles(head: TreeHead) -> Vec<TileId> {
    let mut ids = Vec::new();
    for level in [Level::Entries, Level::Hashes(0), Level::Hashes(1)] {
        let below = if level == Level::Hashes(1) {
            TILE_HASHES
        } else {
            1
        };
        let items = head.size / below;
        let numbers = 0..items.div_ceil(TILE_HASHES);
        ids.extend(numbers.filter_map(|number| TileId::in_tree(level, number, head.size)));
    }
    ids
}

/// What a store gives, by the names of full tiles; one that it finds damaged is left out, and its
/// error is kept.
struct Given {
    head: TreeHead,
    tiles: BTreeMap<String, Vec<u8>>,
    errors: Vec<StoreError>,
}

fn read(dir: &Path) -> Result<Given, StoreError> {
    let store = DiskStore::open_with(dir, SEGMENT_BYTES)?;
    let head = store.head_now()?.tree;
    let (mut read, mut errors) = (BTreeMap::new(), Vec::new());
    for id in tiles(head) {
        match store.read_now(id) {
            Ok(bytes) => {
                let name = TileId::full(id.level(), id.number()).to_string();
                read.insert(name, bytes.unwrap().to_vec());
            }
            Err(error) => errors.push(error),
        }
    }
    Ok(Given {
        head,
        tiles: read,
        errors,
    })
}

/// The balances that the log's own state says.
async fn balances(dir: &Path) -> Result<Vec<String>, String> {
    let config = LogConfig {
        segment_bytes: SEGMENT_BYTES,
        ..LogConfig::of(dir)
    };
    let log = Log::open(&config)
        .await
        .map_err(|error| error.to_string())?;
    let (balances, _) = log
        .look_up(|state| {
            let accounts = (0..ACCOUNTS).filter_map(|account| match award(account, 0) {
                Statement::Award(award) => state.account(&award.account).cloned(),
                _ => None,
            });
            accounts.map(|it| format!("{:?}", it.balance)).collect()
        })
        .await
        .unwrap();
    log.close().await;
    Ok(balances)
}

/// Damages a file, and says how.
fn damage(path: &Path, dice: &mut Dice) -> String {
    let mut bytes = std::fs::read(path).unwrap();
    let at = dice.below(bytes.len().max(1) as u64) as usize;
    let how = match dice.below(5) {
        0 => {
            bytes.truncate(at);
            format!("cut at {at}")
        }
        1 => {
            let end = (at + 4096).min(bytes.len());
            bytes[at..end].fill(0);
            format!("zeroed from {at}")
        }
        2 => {
            std::fs::remove_file(path).unwrap();
            return "removed".to_owned();
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
            format!("a bit flipped at {at}")
        }
    };
    std::fs::write(path, bytes).unwrap();
    how
}

#[test]
fn damage_anywhere_is_found_never_served_and_mended_from_a_mirror() {
    let (ledger, mirror) = ledger();
    let whole = read(&ledger.dir).unwrap();
    assert!(whole.errors.is_empty());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let expected = runtime.block_on(balances(&ledger.dir)).unwrap();
    assert_eq!(expected.len() as u64, ACCOUNTS);
    let mut found = BTreeMap::new();
    for seed in 0..DAMAGES {
        let mut dice = Dice::new(seed);
        let dir = ledger.temp.path().join(format!("damaged-{seed}"));
        copy_dir(&ledger.dir, &dir);
        // Each third a tile, the journal, the saved state.
        let part = *dice.pick(&["public", "journal", "state"]);
        let path = dice.pick(&files(&dir.join(part))).clone();
        let how = format!("{}: {}", path.display(), damage(&path, &mut dice));

        // Read as it is: right bytes, or an error that names the file.
        let opened = read(&dir);
        match &opened {
            Ok(given) => {
                // Of a shorter log, the last tiles are the beginning of these.
                for (id, bytes) in &given.tiles {
                    assert!(whole.tiles[id].starts_with(bytes), "{id}: {how}");
                }
                *found.entry("tiles").or_insert(0) += given.errors.len();
                for error in &given.errors {
                    assert!(error.to_string().contains("public/tile/"), "{error}: {how}");
                }
                assert!(part == "public" || given.errors.is_empty(), "{how}");
                // The end of the journal may look cut off: then the saved state knows better.
                assert!(part == "journal" || given.head == whole.head, "{how}");
            }
            Err(error) => assert!(
                error.to_string().contains(part) || error.to_string().contains("public"),
                "{error}: {how}"
            ),
        }
        // Started: the right balances, or no start.
        match runtime.block_on(balances(&dir)) {
            Ok(balances) => assert_eq!(balances, expected, "{how}"),
            Err(error) => *found.entry(part).or_insert(0) += usize::from(!error.is_empty()),
        }
        // Mended.
        let arguments = [
            "fsck",
            dir.to_str().unwrap(),
            "--repair-from",
            mirror.to_str().unwrap(),
        ];
        let output = run(&arguments);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{how}: {words}");
        let mended = read(&dir).unwrap();
        assert_eq!(mended.head, whole.head, "{how}: {words}");
        assert!(mended.tiles == whole.tiles, "{how}: {words}");
        assert_eq!(runtime.block_on(balances(&dir)).unwrap(), expected, "{how}");
        std::fs::remove_dir_all(&dir).unwrap();
    }
    // Both were met: a start that was refused, and a tile that was.
    assert!(found["journal"] > 0 && found["tiles"] > 0, "{found:?}");
}
