//! `import` as people use it, with a real server: the next export of the same source, another work
//! folder, files that other programs wrote, and files that were lost. Each trip and tree is in
//! once, each line is accounted for, and the exit code says whether all are in.
#![cfg(feature = "cli")]

mod support;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use arborlog::crypto::SigningKey;
use arborlog::import::SpeciesList;
use arborlog::record::*;
use serde_json::Value;
use support::dice::Dice;
use support::entries::said;
use support::{Ledger, Server, arborlog, method, passing_on, run, run_ok};

const STATIONS: &str = "station_id,name,lat,long,dock_count\n\
    64,2nd at South Park,37.782259,-122.392738,15\n\
    66,South Van Ness at Market,37.774814,-122.418954,19\n\
    67,Market at 10th,37.776619,-122.417385,27\n";

/// A ledger with a server, whose method has kilometres and the species of street trees.
struct Place {
    ledger: Ledger,
    server: Server,
    /// The address of its object store, by which imports find the server; none of a ledger in a directory.
    store: Option<String>,
}

/// What a run of the command came to.
struct Told {
    code: i32,
    json: Value,
    err: String,
}

impl Told {
    /// How many lines it read, and what became of them; those that it does not know at last.
    fn counts(&self) -> [u64; 6] {
        let names = [
            "read",
            "admitted",
            "already_in",
            "refused",
            "set_aside",
            "not_known",
        ];
        let counts = names.map(|name| self.json[name].as_u64());
        counts.map(|count| count.unwrap_or_else(|| panic!("{}", self.err)))
    }

    fn of(output: Output) -> Self {
        let out = String::from_utf8(output.stdout).unwrap();
        Self {
            code: output.status.code().unwrap(),
            json: serde_json::from_str(&out).unwrap_or(Value::Null),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Checks the exit code and the sums.
    fn ends(&self, code: i32, sums: [u64; 5]) {
        assert_eq!((self.code, self.sums()), (code, sums), "{}", self.err);
    }

    /// Read, admitted, already in, refused, set aside.
    fn sums(&self) -> [u64; 5] {
        let sum = |name: &str| {
            let sum = self.json[name].as_u64();
            sum.unwrap_or_else(|| panic!("exit {}: {}", self.code, self.err))
        };
        let sums = ["read", "admitted", "already_in", "refused", "set_aside"].map(sum);
        assert_eq!(sums[0], sums[1..].iter().sum::<u64>(), "{}", self.json);
        let lines = self.json["lines"].as_array().unwrap();
        assert_eq!(lines.len() as u64, sums[0]);
        let mut places: Vec<_> = lines.iter().map(|line| line["line"].as_u64()).collect();
        places.dedup();
        assert_eq!(places.len(), lines.len(), "each line once: {}", self.json);
        sums
    }

    /// The lines that were set aside, each with its reason.
    fn set_aside(&self) -> BTreeMap<u64, String> {
        let lines = self.json["lines"].as_array().unwrap().iter();
        lines
            .filter(|line| line["outcome"] == "set_aside")
            .map(|line| {
                let reason = line["reason"].as_str().unwrap();
                (line["line"].as_u64().unwrap(), reason.to_owned())
            })
            .collect()
    }
}

impl Place {
    fn new() -> Self {
        Self::on(Ledger::init(), None)
    }

    fn on(ledger: Ledger, store: Option<String>) -> Self {
        let server = Server::start(&ledger.dir);
        let remote = server.remote();
        for (key, role, holder) in [
            (&ledger.platform, Role::Platform, "app"),
            (&ledger.planter, Role::Planter, "trees"),
            (&ledger.surveyor, Role::Surveyor, "eyes"),
        ] {
            ledger.grant(&remote, key, role, holder);
        }
        let method = Method {
            effective_from: "2013-01-01".parse().unwrap(),
            activities: List::try_from(vec![Activity {
                code: ActivityCode(1),
                name: "trip".parse().unwrap(),
                unit: "km".parse().unwrap(),
                factor: Micrograms(167_250_000),
                cap: Grams(5_000),
            }])
            .unwrap(),
            species: List::try_from(SpeciesList::shipped().unwrap().species().to_vec()).unwrap(),
            ..method()
        };
        ledger.govern(&remote, Statement::Method(method), None);
        let place = Self {
            ledger,
            server,
            store,
        };
        place.write("stations.csv", STATIONS);
        place
    }

    fn path(&self, name: &str) -> String {
        self.ledger.path(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = arborlog();
        command.arg("import").args(args).arg("--json");
        match &self.store {
            Some(store) => command.args(["--store", store]),
            None => command.args(["--to", &self.server.url]),
        };
        if !args.contains(&"--work") {
            command.args(["--work", &self.path("work")]);
        }
        command
    }

    /// Runs it where this journal takes little more.
    fn run_with_full(&self, journal: &str, args: &[&str]) -> Told {
        let most = std::fs::metadata(journal).unwrap().len() + 100;
        let import = self.command(args);
        let mut limited = Command::new("sh");
        limited
            .args(["-c", "trap '' XFSZ; exec \"$@\"", "sh", "prlimit"])
            .arg(format!("--fsize={most}"))
            .arg(import.get_program())
            .args(import.get_args());
        Told::of(limited.output().unwrap())
    }

    fn run(&self, args: &[&str]) -> Told {
        Told::of(self.command(args).output().unwrap())
    }

    fn trips_with(&self, file: &str, more: &[&str]) -> Told {
        let (file, stations) = (self.path(file), self.path("stations.csv"));
        let key = self.path("platform.pem");
        let mut args = vec!["bikeshare", &file];
        if !more.contains(&"--stations") {
            args.extend(["--stations", &stations]);
        }
        if !more.contains(&"--key") {
            args.extend(["--key", &key]);
        }
        args.extend(more);
        self.run(&args)
    }

    fn trips(&self, file: &str) -> Told {
        self.trips_with(file, &[])
    }

    fn trees_with(&self, file: &str, more: &[&str]) -> Told {
        let (file, key) = (self.path(file), self.path("planter.pem"));
        let mut args = vec!["sf-trees", &file, "--planter-key", &key];
        args.extend(more);
        let counted = ["--rows", "--event-rows"]
            .iter()
            .any(|flag| more.contains(flag));
        if more.contains(&"--events") && !counted {
            args.push("--whole");
        }
        self.run(&args)
    }

    fn trees(&self, file: &str) -> Told {
        self.trees_with(file, &[])
    }

    fn total(&self, name: &str) -> u64 {
        let totals: Value = self.server.remote().json("v1/totals").unwrap();
        let total = &totals[name];
        let text = total.as_str().map(str::to_owned);
        text.unwrap_or_else(|| total.to_string()).parse().unwrap()
    }

    fn entries(&self) -> u64 {
        said(&self.server.remote())
    }
}

fn trip_at(id: u64, bike: u64, clock: (u64, u64)) -> String {
    let (hour, minute) = clock;
    format!(
        "{id},600,2014-02-01T{hour:02}:{minute:02}:00Z,2nd at South Park,64,2014-02-01T{hour:02}:{:02}:00Z,South Van Ness at Market,66,{bike},Subscriber,94107",
        minute + 10
    )
}

fn trip(id: u64, bike: u64) -> String {
    trip_at(id, bike, (9, 11))
}

const TRIPS: &str = "trip_id,duration,start_date,start_station,start_terminal,end_date,end_station,end_terminal,bike_id,subscription_type,zip_code";

fn trip_file(rows: &[String]) -> String {
    format!("{TRIPS}\n{}\n", rows.join("\n"))
}

/// Points of a trip from 2nd at South Park to South Van Ness at Market.
const POINTS: u64 = 409;

#[test]
fn a_trip_counts_once_whatever_the_export_and_the_work_folder() {
    let place = Place::new();
    let before = place.entries();
    place.write(
        "week.csv",
        trip_file(&[trip(11, 701), trip(12, 702), trip(13, 703)]),
    );
    let told = place.trips("week.csv");
    told.ends(0, [3, 3, 0, 0, 0]);
    assert_eq!(place.total("awarded"), 3 * POINTS);
    for work in ["work", "other"] {
        let told = place.trips_with("week.csv", &["--work", &place.path(work)]);
        told.ends(0, [3, 0, 3, 0, 0]);
    }
    // Late rows in front, between and behind; one while its bicycle was on another trip.
    let rows = [
        trip(10, 700),
        trip(11, 701),
        trip_at(14, 701, (9, 15)),
        trip(12, 702),
        trip(13, 703),
        trip(15, 705),
    ];
    place.write("late.csv", trip_file(&rows));
    std::fs::remove_dir_all(place.path("work")).unwrap();
    let told = place.trips("late.csv");
    told.ends(0, [6, 3, 3, 0, 0]);
    // What was taken back is told by its line, and by that of the trip which stands.
    let reversed = told.json["reversals"].as_array().unwrap();
    let entry = |line: usize| &told.json["lines"][line - 2]["index"];
    assert_eq!(reversed.len(), 1);
    assert_eq!(reversed[0]["outcome"], "admitted");
    assert_eq!(reversed[0]["points"], POINTS);
    let of_reversed = (&reversed[0]["line"], &reversed[0]["award"]);
    assert_eq!(of_reversed, (&4.into(), entry(4)));
    let of_standing = (&reversed[0]["standing_line"], &reversed[0]["standing"]);
    assert_eq!(of_standing, (&3.into(), entry(3)));
    let kept = std::fs::read_to_string(place.path("work/trips.reversed.ndjson")).unwrap();
    assert_eq!(kept, format!("{}\n", reversed[0]));
    assert_eq!(place.total("awarded"), 6 * POINTS);
    assert_eq!(place.total("reversed"), POINTS);
    assert_eq!(place.entries(), before + 7);
    // An export that has nothing of what is in, but for a bicycle that was on another trip then.
    place.write(
        "more.csv",
        trip_file(&[trip_at(16, 703, (9, 5)), trip(17, 707)]),
    );
    let told = place.trips("more.csv");
    told.ends(0, [2, 2, 0, 0, 0]);
    let reversed = &told.json["reversals"][0];
    assert_eq!(
        (&reversed["line"], &reversed["standing_line"]),
        (&2.into(), &Value::Null)
    );
    assert_eq!(place.total("reversed"), 2 * POINTS);
    let told = place.trips_with("late.csv", &["--work", &place.path("third")]);
    told.ends(0, [6, 0, 6, 0, 0]);
    assert_eq!(place.entries(), before + 10);
    // A changed row of a known id.
    let changed = trip(12, 702).replace("South Van Ness at Market,66", "Market at 10th,67");
    place.write(
        "changed.csv",
        trip_file(&[trip(11, 701), changed, trip(18, 708)]),
    );
    let told = place.trips("changed.csv");
    told.ends(5, [3, 1, 1, 0, 1]);
    assert_eq!(
        told.set_aside(),
        BTreeMap::from([(3, "changed".to_owned())])
    );
    assert_eq!(place.entries(), before + 11);
    // No award's evidence was used twice, and no pseudonym was made twice.
    let vkey = std::fs::read_to_string(place.ledger.dir.join("log.vkey")).unwrap();
    let audit = run(&["audit", &place.server.url, "--log", vkey.trim(), "--json"]);
    let audit = String::from_utf8(audit.stdout).unwrap();
    assert!(audit.contains("\"findings\""), "{audit}");
    assert!(!audit.contains("award_evidence_repeated"), "{audit}");
}

/// A ledger on an object store is imported into by the address of the store: the server that leads is found there, also
/// when it is another one than before, or is only about to lead.
#[test]
fn an_import_by_the_address_of_a_store_finds_the_server_that_leads() {
    let folder = tempfile::tempdir().unwrap();
    let store = format!("file://{}", folder.path().display());
    let ledger = Ledger::init_with(&["--store", &store]);
    let mut place = Place::on(ledger, Some(store.clone()));
    let rows = [trip(1, 288), trip(2, 289), trip(3, 290)];
    place.write("1.csv", trip_file(&rows[..2]));
    place.write("2.csv", trip_file(&rows));
    place.trips("1.csv").ends(0, [2, 2, 0, 0, 0]);
    place.write("trees.csv", trees(1..4));
    place.trees("trees.csv").ends(0, [3, 3, 0, 0, 0]);

    // Nobody leads when it begins. The next server listens elsewhere.
    let (file, stations, key) = (
        place.path("2.csv"),
        place.path("stations.csv"),
        place.path("platform.pem"),
    );
    let args = ["bikeshare", &file, "--stations", &stations, "--key", &key];
    let mut import = place.command(&args);
    let before = place.server.url.clone();
    let another = |dir: &Path| Server::start_with(dir, &["--listen", "127.0.0.2:0"]);
    let first = std::mem::replace(&mut place.server, another(&place.ledger.dir));
    assert_ne!(place.server.url, before);
    assert_eq!(first.stop(), 0);
    Told::of(import.output().unwrap()).ends(0, [3, 1, 2, 0, 0]);
    assert_eq!(place.total("awarded"), 3 * POINTS);

    // One address or the other; and a store without a ledger is told.
    let server = place.server.url.clone();
    let work = place.path("work");
    let ends = |more: &[&str], code: i32, words: &str| {
        let output = run(&[&["import"], &args[..], &["--work", &work], more].concat());
        let why = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{why}");
        assert!(why.contains(words), "{why}");
    };
    ends(&["--to", &server, "--store", &store], 2, "--store");
    ends(&[], 2, "--to");
    let empty = tempfile::tempdir().unwrap();
    let empty = format!("file://{}", empty.path().display());
    ends(&["--store", &empty], 3, "no log");
}

#[test]
fn what_stands_beside_the_key_is_recovered_or_missed() {
    let place = Place::new();
    place.write("week.csv", trip_file(&[trip(11, 701), trip(12, 702)]));
    assert_eq!(place.trips("week.csv").code, 0);
    let entries = place.entries();
    let beside = |suffix: &str| place.path(&format!("platform.pem.head{suffix}"));
    // What was noted of trips is nowhere else: the rows are taken for it where somebody says so.
    std::fs::remove_file(beside(".trips")).unwrap();
    let told = place.trips("week.csv");
    assert!(
        told.code == 1 && told.err.contains("--trips-lost 2"),
        "{}",
        told.err
    );
    let told = place.trips_with("week.csv", &["--trips-lost", "1"]);
    assert_eq!(told.code, 1, "{}", told.err);
    let told = place.trips_with("week.csv", &["--trips-lost", "2"]);
    told.ends(0, [2, 0, 2, 0, 0]);
    place.trips("week.csv").ends(0, [2, 0, 2, 0, 0]);
    // A lost journal stops with what to do, and then is made anew.
    std::fs::remove_file(beside(".awards.journal")).unwrap();
    let told = place.trips("week.csv");
    assert!(
        told.code == 1 && told.err.contains("--recover"),
        "{}",
        told.err
    );
    let told = place.trips_with("week.csv", &["--recover"]);
    told.ends(0, [2, 0, 2, 0, 0]);
    // The keys of evidence are nowhere else.
    std::fs::rename(beside(".pseudonyms"), place.path("kept")).unwrap();
    let told = place.trips("week.csv");
    assert!(
        told.code == 1 && told.err.contains("backup"),
        "{}",
        told.err
    );
    std::fs::rename(place.path("kept"), beside(".pseudonyms")).unwrap();
    assert_eq!(place.trips("week.csv").sums(), [2, 0, 2, 0, 0]);
    assert_eq!(place.entries(), entries);

    // A key that follows another takes over its file, and with it what that one sent.
    run_ok(&["keygen", &place.path("next.pem")]);
    let key = SigningKey::read(Path::new(&place.path("next.pem"))).unwrap();
    let remote = place.server.remote();
    place.ledger.grant(&remote, &key, Role::Platform, "app");
    for suffix in [".pseudonyms", ".trips"] {
        let next = place.path(&format!("next.pem.head{suffix}"));
        std::fs::copy(beside(suffix), next).unwrap();
    }
    place.write(
        "next.csv",
        trip_file(&[trip(11, 701), trip(12, 702), trip(13, 703)]),
    );
    let told = place.trips_with("next.csv", &["--key", &place.path("next.pem")]);
    told.ends(0, [3, 1, 2, 0, 0]);
    // A head that is gone is made anew from the journal, and without both from the log.
    std::fs::remove_file(beside("")).unwrap();
    assert_eq!(place.trips("week.csv").sums(), [2, 0, 2, 0, 0]);
    std::fs::remove_file(beside("")).unwrap();
    std::fs::remove_file(beside(".awards.journal")).unwrap();
    let told = place.trips("week.csv");
    assert!(
        told.code == 1 && told.err.contains("--recover"),
        "{}",
        told.err
    );
    let told = place.trips_with("week.csv", &["--recover"]);
    told.ends(0, [2, 0, 2, 0, 0]);
    let told = place.trips("week.csv");
    told.ends(0, [2, 0, 2, 0, 0]);
    // Another platform's trips are its own.
    run_ok(&["keygen", &place.path("rival.pem")]);
    let key = SigningKey::read(Path::new(&place.path("rival.pem"))).unwrap();
    place.ledger.grant(&remote, &key, Role::Platform, "rival");
    let (rival, heads) = (place.path("rival.pem"), place.path("heads"));
    let told = place.trips_with("next.csv", &["--key", &rival, "--heads", &heads]);
    assert_eq!(told.sums(), [3, 3, 0, 0, 0]);
    assert!(Path::new(&heads).join("rival.pem.head.pseudonyms").exists());
}

#[test]
fn an_older_copy_of_the_pseudonyms_is_never_used() {
    let place = Place::new();
    let keys = place.path("platform.pem.head.pseudonyms");
    let register = place.path("platform.pem.head.trips");
    let stops = |words: &str| {
        let entries = place.entries();
        let before = std::fs::read(&keys).ok();
        let told = place.trips("week.csv");
        assert!(told.code == 1 && told.err.contains(words), "{}", told.err);
        assert_eq!(place.entries(), entries);
        assert_eq!(std::fs::read(&keys).ok(), before, "nothing was changed");
    };
    let put = |bytes: &[u8]| {
        std::fs::write(&keys, bytes).unwrap();
        std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    place.write("week.csv", trip_file(&[trip(11, 701)]));
    assert_eq!(place.trips("week.csv").code, 0);
    let older = std::fs::read(&keys).unwrap();
    place.write("week.csv", trip_file(&[trip(11, 701), trip(12, 702)]));
    place.trips("week.csv").ends(0, [2, 1, 1, 0, 0]);
    let newest = std::fs::read(&keys).unwrap();
    let noted = std::fs::read(&register).unwrap();
    place.write("week.csv", trip_file(&[trip(13, 702), trip(14, 703)]));
    put(&older);
    stops("lacks the keys of 1 accounts");
    // The log tells it too, where all that stands beside the key is an older copy.
    std::fs::remove_file(&register).unwrap();
    stops("lacks the keys of 1 accounts");
    std::fs::write(&register, &noted).unwrap();

    // Neither is a file without the key of evidence taken for a new one.
    put(b"");
    stops("it is empty");
    put(&newest[..40]);
    stops("it is empty, or its first line was cut off");
    std::fs::remove_file(&keys).unwrap();
    stops("is not there");
    let mut changed = newest.clone();
    changed[3] ^= 1;
    put(&changed);
    stops("line 1 ");
    // What import sent was not sent otherwise, whatever somebody says.
    put(b"");
    let told = place.trips_with("week.csv", &["--not-imported"]);
    assert_eq!(told.code, 1, "{}", told.err);
    put(&older);
    let told = place.trips_with("week.csv", &["--not-imported"]);
    assert_eq!(told.code, 1, "{}", told.err);

    // A person who is forgotten is another one from then on: once somebody says so.
    let told = place.trips_with("week.csv", &["--forgotten", "2"]);
    assert!(told.code == 1 && told.err.contains("--forgotten"));
    let told = place.trips_with("week.csv", &["--forgotten", "1"]);
    told.ends(0, [2, 2, 0, 0, 0]);
    place.trips("week.csv").ends(0, [2, 0, 2, 0, 0]);

    // Without the register, overlaps with trips that are not in the file can't be found: told.
    let newest = std::fs::read(&register).unwrap();
    std::fs::remove_file(&register).unwrap();
    place.write("week.csv", trip_file(&[trip(14, 703), trip(15, 704)]));
    let entries = place.entries();
    let told = place.trips("week.csv");
    assert!(told.code == 1 && told.err.contains("is not there"));
    // Nor is an older copy taken for the newest.
    std::fs::write(&register, &noted).unwrap();
    std::fs::set_permissions(&register, std::fs::Permissions::from_mode(0o600)).unwrap();
    let told = place.trips("week.csv");
    assert!(
        told.code == 1 && told.err.contains("is not the newest"),
        "{}",
        told.err
    );
    assert_eq!(place.entries(), entries);
    std::fs::write(&register, &newest).unwrap();
    // A row that was edited is known by it alone: a ride an hour later has the same points.
    let edited = trip_at(14, 703, (10, 11));
    place.write("edited.csv", trip_file(std::slice::from_ref(&edited)));
    let told = place.trips("edited.csv");
    told.ends(5, [1, 0, 0, 0, 1]);
    assert_eq!(told.set_aside()[&2], "changed");
    std::fs::remove_file(&register).unwrap();
    assert_eq!(place.trips("edited.csv").code, 1);
    let told = place.trips_with("week.csv", &["--trips-lost", "3"]);
    told.ends(0, [2, 1, 1, 0, 0]);
    assert_eq!(place.trips("edited.csv").code, 5);
    let told = place.trips("week.csv");
    told.ends(0, [2, 0, 2, 0, 0]);
    assert_eq!(
        told.json["notes"]["trips_without_times"], 2,
        "{}",
        told.json
    );
}

#[test]
fn a_station_at_two_places_is_told_where_a_trip_rests_on_it() {
    let place = Place::new();
    let moved = "66,South Van Ness at Market,37.784814,-122.418954,19\n";
    place.write("stations.csv", format!("{STATIONS}{moved}"));
    let elsewhere = trip(2, 502).replace("South Van Ness at Market,66", "Market at 10th,67");
    place.write("elsewhere.csv", trip_file(&[elsewhere]));
    let told = place.trips("elsewhere.csv");
    told.ends(0, [1, 1, 0, 0, 0]);
    assert_eq!(told.json["stations"]["used"], 3);
    assert_eq!(
        told.json["stations"]["lines"][0]["reason"],
        "station_repeated"
    );
    place.write("there.csv", trip_file(&[trip(1, 501)]));
    let told = place.trips("there.csv");
    told.ends(5, [1, 1, 0, 0, 0]);
    assert_eq!(told.json["notes"]["trips_at_repeated_stations"], 1);
}

#[test]
fn an_import_that_is_killed_again_and_again_sends_each_trip_once() {
    let place = Place::new();
    let before = place.entries();
    let mut dice = Dice::new(7);
    let rows: Vec<String> = (1..=6_000).map(|id| trip(id, id)).collect();
    for round in 1..=5 {
        place.write("trips.csv", trip_file(&rows[..round * 1_200]));
        let (file, stations) = (place.path("trips.csv"), place.path("stations.csv"));
        let (key, work) = (
            place.path("platform.pem"),
            place.path(&format!("work{round}")),
        );
        let args = [
            "bikeshare",
            &file,
            "--stations",
            &stations,
            "--key",
            &key,
            "--work",
            &work,
        ];
        let mut child = place
            .command(&args)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(100 + dice.below(400)));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let told = place.trips("trips.csv");
    let [read, admitted, already_in, ..] = told.sums();
    assert_eq!(
        (told.code, read, admitted + already_in),
        (0, 6_000, 6_000),
        "{}",
        told.err
    );
    assert_eq!(place.entries(), before + 6_000);
    assert_eq!(place.total("awarded"), 6_000 * POINTS);
}

const TREES: &str = "commit,committed_at,readded,TreeID,qLegalStatus,qSpecies,qAddress,SiteOrder,qSiteInfo,PlantType,qCaretaker,qCareAssistant,PlantDate,DBH,PlotSize,PermitNotes,XCoord,YCoord,Latitude,Longitude";

fn tree(id: u64, date: &str) -> String {
    format!(
        "aaaaaaaaaaaa,2019-03-12T21:58:28-07:00,0,{id},DPW,Acer rubrum :: Red Maple,240 Pacific Ave,3,s,Tree,Private,,{date},3,3x3,,1,2,37.79779,-122.40042"
    )
}

fn tree_file(rows: &[String]) -> String {
    format!("{TREES}\n{}\n", rows.join("\n"))
}

fn trees(ids: impl IntoIterator<Item = u64>) -> String {
    let rows: Vec<String> = ids
        .into_iter()
        .map(|id| tree(id, "04/27/2018 12:00:00 AM"))
        .collect();
    tree_file(&rows)
}

#[test]
fn the_next_exports_of_a_register_plant_each_tree_once() {
    let place = Place::new();
    place.write("march.csv", trees(1001..=1005));
    place.write("april.csv", trees(1001..=1006));
    place.write("may.csv", trees([1001, 1002, 1004, 1005, 1006]));
    place.write("june.csv", trees(1000..=1008));
    let told = place.trees("march.csv");
    told.ends(0, [5, 5, 0, 0, 0]);
    assert_eq!(place.trees("march.csv").sums(), [5, 0, 5, 0, 0]);
    let told = place.trees_with("april.csv", &["--work", &place.path("other")]);
    told.ends(0, [6, 1, 5, 0, 0]);
    assert_eq!(place.trees("may.csv").sums(), [5, 0, 5, 0, 0]);
    assert_eq!(place.trees("june.csv").sums(), [9, 3, 6, 0, 0]);
    assert_eq!(place.total("planted"), 9);
    // The next history: one was removed, one has another date than it was planted with.
    place.write(
        "events.csv",
        "seq,commit,committed_at,op,TreeID,field,old,new\n\
         1,bbbbbbbbbbbb,2020-03-12T21:58:28-07:00,remove,1002,qSpecies,Acer rubrum :: Red Maple,\n\
         2,bbbbbbbbbbbb,2020-03-12T21:58:28-07:00,change,1003,PlantDate,04/27/2018,04/28/2018\n\
         3,bbbbbbbbbbbb,2020-03-12T21:58:28-07:00,change,1003,DBH,1,2\n",
    );
    for run in 0..2 {
        let told = place.trees_with("june.csv", &["--events", &place.path("events.csv")]);
        assert_eq!(told.code, 5);
        let json = told.json.clone();
        assert_eq!(json["read"], 12, "{json}");
        assert_eq!(json["admitted"], 1 - run, "{json}");
        assert_eq!(json["reasons"]["date_of_several"], 1);
        assert_eq!(json["reasons"]["not_stated"], 1);
        assert_eq!((place.total("planted"), place.total("lost")), (9, 1));
    }
    // Without the register beside the key: found in the log, or not.
    let register = place.path("planter.pem.head.trees");
    std::fs::rename(&register, place.path("kept")).unwrap();
    let told = place.trees("march.csv");
    assert!(
        told.code == 1 && told.err.contains("newest copy"),
        "{}",
        told.err
    );
    std::fs::rename(place.path("kept"), &register).unwrap();
    assert_eq!(place.trees("june.csv").sums(), [9, 0, 9, 0, 0]);
    assert_eq!(place.total("planted"), 9);
}

/// A recovery that finds all in leaves nothing that stops the next import.
#[test]
fn a_recovery_that_has_nothing_to_send_is_ended_all_the_same() {
    let place = Place::new();
    place.write("march.csv", trees(1001..=1005));
    place.trees("march.csv").ends(0, [5, 5, 0, 0, 0]);
    for more in [&["--recover"][..], &[], &["--recover"], &[]] {
        place.trees_with("march.csv", more).ends(0, [5, 0, 5, 0, 0]);
    }
    assert_eq!(place.total("planted"), 5);
}

/// The old key's files know nothing of what the new one imported: its awards are known by their evidence.
#[test]
fn a_key_does_not_award_again_what_the_one_that_replaced_it_imported() {
    let place = Place::new();
    place.write("one.csv", trip_file(&[trip_at(1, 7, (8, 0))]));
    place.write(
        "two.csv",
        trip_file(&[trip_at(2, 7, (9, 0)), trip_at(3, 8, (9, 0))]),
    );
    place.trips("one.csv").ends(0, [1, 1, 0, 0, 0]);
    let new = place.path("new.pem");
    run_ok(&["keygen", &new]);
    let key = SigningKey::read(Path::new(&new)).unwrap();
    let remote = place.server.remote();
    place.ledger.grant(&remote, &key, Role::Platform, "app");
    for suffix in ["pseudonyms", "trips"] {
        let of = |key: &str| place.path(&format!("{key}.head.{suffix}"));
        std::fs::copy(of("platform.pem"), of("new.pem")).unwrap();
    }
    place
        .trips_with("two.csv", &["--key", &new])
        .ends(0, [2, 2, 0, 0, 0]);
    let awarded = place.total("awarded");
    let told = place.trips("two.csv");
    // The bicycle that both know has its award already; of the other nobody here knows the account.
    told.ends(5, [2, 0, 1, 0, 1]);
    assert!(
        told.set_aside()
            .values()
            .all(|why| why == "evidence_repeated")
    );
    assert_eq!(place.total("awarded"), awarded);
}

/// Without the files of the key that it follows, a new key would take all that is in for new.
#[test]
fn a_new_key_without_the_files_of_the_one_before_imports_nothing() {
    let place = Place::new();
    let remote = place.server.remote();
    let grant = |name: &str, role, holder| {
        let path = place.path(name);
        run_ok(&["keygen", &path]);
        let key = SigningKey::read(Path::new(&path)).unwrap();
        place.ledger.grant(&remote, &key, role, holder);
        path
    };
    place.write("one.csv", trip_file(&[trip(1, 7), trip(2, 8)]));
    place.trips("one.csv").ends(0, [2, 2, 0, 0, 0]);
    let app2 = grant("app2.pem", Role::Platform, "app");
    for _ in 0..2 {
        let told = place.trips_with("one.csv", &["--key", &app2]);
        assert_eq!(told.code, 1, "{}", told.err);
        assert!(
            told.err.contains("app2.pem.head.pseudonyms"),
            "{}",
            told.err
        );
    }
    assert_eq!(place.total("awarded"), 2 * POINTS);
    for suffix in ["pseudonyms", "trips"] {
        let of = |key: &str| place.path(&format!("{key}.head.{suffix}"));
        std::fs::copy(of("platform.pem"), of("app2.pem")).unwrap();
    }
    place
        .trips_with("one.csv", &["--key", &app2])
        .ends(0, [2, 0, 2, 0, 0]);

    place.write("march.csv", trees(1001..=1003));
    place.write("april.csv", trees(1001..=1004));
    place.trees("march.csv").ends(0, [3, 3, 0, 0, 0]);
    let planter2 = grant("planter2.pem", Role::Planter, "trees");
    let april =
        |key: &str| place.run(&["sf-trees", &place.path("april.csv"), "--planter-key", key]);
    let told = april(&planter2);
    assert_eq!(told.code, 1, "{}", told.err);
    assert!(told.err.contains("planter2.pem.head.trees"), "{}", told.err);
    assert_eq!(place.total("planted"), 3);
    std::fs::copy(
        place.path("planter.pem.head.trees"),
        place.path("planter2.pem.head.trees"),
    )
    .unwrap();
    april(&planter2).ends(0, [4, 1, 3, 0, 0]);
    assert_eq!(place.total("planted"), 4);
}

fn events(rows: &[&str]) -> String {
    let rows = (1..)
        .zip(rows)
        .map(|(seq, row)| format!("{seq},bbbbbbbbbbbb,{row}\n"));
    format!(
        "seq,commit,committed_at,op,TreeID,field,old,new\n{}",
        rows.collect::<String>()
    )
}

#[test]
fn a_part_of_a_register_is_no_census() {
    let place = Place::new();
    let rows: Vec<String> = (3001..=3030)
        .map(|id| tree(id, "04/27/2018 12:00:00 AM"))
        .collect();
    place.write("whole.csv", tree_file(&rows));
    place.write("part.csv", tree_file(&rows[..10]));
    let cut = tree_file(&rows);
    place.write("cut.csv", &cut[..cut.len() - 3]);
    let removal = "2020-03-12T21:58:28-07:00,remove,3030,qSpecies,Acer rubrum :: Red Maple,";
    place.write("events.csv", events(&[removal]));
    place.write("none.csv", events(&[]));
    let (surveyor, removals, none) = (
        place.path("surveyor.pem"),
        place.path("events.csv"),
        place.path("none.csv"),
    );
    let stops = |file: &str, more: &[&str], words: &str| {
        let entries = place.entries();
        let told = place.trees_with(file, more);
        assert!(told.code == 2 && told.err.contains(words), "{}", told.err);
        assert_eq!(place.entries(), entries);
    };
    stops("cut.csv", &[], "line break");
    stops("whole.csv", &["--surveyor-key", &surveyor], "--event-rows");
    let census = |rows, events| {
        [
            "--surveyor-key",
            &surveyor,
            "--events",
            if events == "0" { &none } else { &removals },
            "--rows",
            rows,
            "--event-rows",
            events,
        ]
    };
    stops("whole.csv", &census("31", "1"), "should have 31");
    stops("part.csv", &census("30", "1"), "should have 30");
    stops("whole.csv", &census("30", "2")[..6], "--event-rows");
    let entries = place.entries();
    let told = place.trees_with("whole.csv", &census("30", "0"));
    told.ends(0, [30, 30, 0, 0, 0]);
    assert_eq!(place.entries(), entries + 3, "plot, planting, survey");

    let more = ["--events", &removals, "--accept-missing", "19"];
    stops(
        "part.csv",
        &more[..2],
        "20 of 30 trees that are in are missing",
    );
    stops("part.csv", &more, "--accept-missing 20");
    // The rows of added trees alone say the same in any part.
    let told = place.trees("part.csv");
    told.ends(0, [10, 0, 10, 0, 0]);
    assert_eq!(told.json["notes"]["known_trees_missing"], 20);
    // What is accepted is told; no survey is made of a plot that lacks trees, and the removal of a
    // tree that only the books know is a loss.
    let mut more = census("10", "1").to_vec();
    more.extend(["--accept-missing", "20"]);
    let told = place.trees_with("part.csv", &more);
    told.ends(0, [11, 1, 10, 0, 0]);
    assert_eq!(told.json["notes"]["known_trees_missing"], 20);
    assert_eq!(place.entries(), entries + 4, "a loss");
    assert_eq!((place.total("planted"), place.total("lost")), (30, 1));
}

/// What others said of the planter's trees is in their chains: the ledger's books tell it.
#[test]
fn what_others_corrected_is_neither_planted_nor_lost_again() {
    let place = Place::new();
    let (ledger, remote) = (&place.ledger, place.server.remote());
    let mut rows: Vec<String> = (1001..=1005)
        .map(|id| tree(id, "04/27/2018 12:00:00 AM"))
        .collect();
    rows.push(tree(2001, "05/28/2018 12:00:00 AM"));
    place.write("trees.csv", tree_file(&rows));
    let removal = |id: u64| {
        format!("2020-03-12T21:58:28-07:00,remove,{id},qSpecies,Acer rubrum :: Red Maple,")
    };
    let import = |rows: &[&str]| {
        place.write("events.csv", events(rows));
        place.trees_with("trees.csv", &["--events", &place.path("events.csv")])
    };
    let told = import(&[&removal(1005)]);
    told.ends(0, [7, 7, 0, 0, 0]);
    let index =
        |told: &Told, line: usize| Index(told.json["lines"][line]["index"].as_u64().unwrap());
    // Files are told in the order of their first lines: the events' line is the last.
    let (five, lone, loss) = (index(&told, 0), index(&told, 5), index(&told, 6));
    let correct = |target, remedy, set| {
        Statement::Correction(Correction {
            target,
            reason: "seen by others".parse().unwrap(),
            remedy,
            set,
        })
    };
    let lost = |first_serial| Remedy::Lost {
        count: std::num::NonZeroU32::MIN,
        first_serial,
        lost_on: "2020-02-01".parse().unwrap(),
        evidence: None,
    };
    let surveyor_says = |remedy| {
        let said = ledger.sign(&remote, &ledger.surveyor, &[correct(five, remedy, None)]);
        remote.append(&said).unwrap()
    };
    ledger.govern(&remote, correct(loss, Remedy::Void, Some(Index(0))), None);
    ledger.govern(&remote, correct(lone, Remedy::Void, Some(Index(0))), None);
    surveyor_says(lost(Some(Serial(2))));
    let sums = || ["planted", "lost", "entries"].map(|name| place.total(name));
    let before = sums();
    let (of_1005, of_1002, of_1004) = (removal(1005), removal(1002), removal(1004));
    let altered = "2020-03-13T21:58:28-07:00,change,2001,PlantDate,05/28/2018,05/29/2018";
    let said = [&of_1005, &of_1002, altered];
    let told = import(&said);
    told.ends(5, [9, 0, 6, 0, 3]);
    assert_eq!(told.json["reasons"]["loss_voided"], 1);
    assert_eq!(told.json["reasons"]["planting_voided"], 2);
    assert_eq!(sums(), before);
    // A loss that does not say which tree may be of the one that is removed then.
    surveyor_says(lost(None));
    let before = sums();
    let told = import(&[said[0], said[1], said[2], &of_1004]);
    told.ends(5, [10, 0, 6, 0, 4]);
    assert_eq!(told.json["reasons"]["lost_unnamed"], 1);
    assert_eq!(sums(), before);
    let notes = &told.json["notes"];
    assert_eq!(notes["trees_voided_by_others"], 1);
    assert_eq!(notes["trees_lost_by_others"], 2);
    assert_eq!(notes["losses_voided_by_others"], 1);
}

/// What the governors took back of an award stands in their chain: the ledger tells it, and the trip is
/// neither awarded anew nor told as one that counts.
#[test]
fn what_governors_took_back_of_a_trip_is_told_and_never_awarded_again() {
    let place = Place::new();
    let (ledger, remote) = (&place.ledger, place.server.remote());
    // Bicycle 90 is on two trips at once: the platform itself takes one back.
    let mut rows: Vec<String> = (1..=3).map(|id| trip(id, id)).collect();
    rows.extend([trip(4, 90), trip(5, 90)]);
    place.write("trips.csv", trip_file(&rows));
    let told = place.trips("trips.csv");
    told.ends(0, [5, 5, 0, 0, 0]);
    assert_eq!(told.json["notes"], Value::Null);
    let awards: Vec<Index> = (0..5)
        .map(|line| Index(told.json["lines"][line]["index"].as_u64().unwrap()))
        .collect();
    let take_back = |award: Index, points| {
        let correction = Correction {
            target: award,
            reason: "no such ride".parse().unwrap(),
            remedy: Remedy::Reverse {
                points: Grams(points),
            },
            set: Some(Index(0)),
        };
        ledger.govern(&remote, Statement::Correction(correction), None);
    };
    take_back(awards[1], POINTS);
    take_back(awards[2], 9);
    let (entries, reversed) = (place.entries(), place.total("reversed"));
    assert_eq!(reversed, 2 * POINTS + 9);
    // The same again; with another work folder; and in another export.
    rows.rotate_left(2);
    place.write("next.csv", trip_file(&rows));
    for (file, lines) in [("trips.csv", [3, 4]), ("next.csv", [6, 2])] {
        let told = place.trips_with(file, &["--work", &place.path("other-work")]);
        told.ends(5, [5, 0, 3, 0, 2]);
        let by_others = lines.map(|line| (line, "reversed_by_others".to_owned()));
        assert_eq!(told.set_aside(), BTreeMap::from(by_others));
        assert_eq!(told.json["notes"]["trips_reversed_by_others"], 2);
        assert_eq!(told.json["notes"]["points_reversed_by_others"], POINTS + 9);
    }
    assert_eq!(place.entries(), entries, "nothing was sent");
    // Of trips that are not in the file it is told too.
    place.write("one.csv", trip_file(&[trip(1, 1)]));
    let told = place.trips("one.csv");
    told.ends(0, [1, 0, 1, 0, 0]);
    assert_eq!(told.json["notes"]["trips_reversed_by_others"], 2);
    // A late trip at the time of one that was taken back as a whole stands; at the time of one that
    // lost a part of its points it does not.
    place.write("late.csv", trip_file(&[trip(6, 2), trip(7, 3)]));
    place.trips("late.csv").ends(0, [2, 2, 0, 0, 0]);
    assert_eq!(place.total("reversed"), reversed + POINTS);
    // Pages: each award once, in their order.
    let list: Value = remote.json("v1/reversals").unwrap();
    let listed = list["reversals"].as_array().unwrap();
    assert_eq!(listed.len(), 4, "{list}");
    let last = &listed[2]["award"];
    let rest: Value = remote.json(&format!("v1/reversals?after={last}")).unwrap();
    assert_eq!(rest["reversals"].as_array().unwrap()[..], listed[3..]);
}

#[test]
fn a_date_is_never_read_in_two_ways() {
    let place = Place::new();
    let entries = place.entries();
    place.write(
        "either.csv",
        tree_file(&[tree(1, "05/04/2018"), tree(2, "06/04/2018")]),
    );
    let told = place.trees("either.csv");
    assert!(
        told.code == 2 && told.err.contains("--dates"),
        "{}",
        told.err
    );
    place.write(
        "mixed.csv",
        tree_file(&[tree(1, "27/04/2018"), tree(2, "04/27/2018 12:00:00 AM")]),
    );
    let told = place.trees("mixed.csv");
    assert!(
        told.code == 2 && told.err.contains("two orders"),
        "{}",
        told.err
    );
    assert_eq!(place.entries(), entries);
    let told = place.trees_with("mixed.csv", &["--dates", "month-first"]);
    told.ends(5, [2, 1, 0, 0, 1]);
    assert_eq!(told.set_aside()[&2], "date_malformed");
    place.write(
        "day_first.csv",
        tree_file(&[
            tree(3, "27/04/2018"),
            tree(4, "05/04/2018"),
            tree(5, "2018-04-27"),
        ]),
    );
    let told = place.trees("day_first.csv");
    told.ends(0, [3, 3, 0, 0, 0]);
    let plot = told.json["lines"][1]["index"].as_u64().unwrap();
    let entry = place
        .server
        .remote()
        .text(&format!("entry/{plot}"))
        .unwrap();
    assert!(entry.contains("2018-04-05"), "{entry}");
}

#[test]
fn lines_of_other_peoples_files_are_set_aside_one_by_one() {
    let place = Place::new();
    let mut rows: Vec<String> = (1..=8).map(|id| trip(id, 500 + id)).collect();
    let mut expected = 0;
    let mut import = |name: &str, rows: &[String], reason: &str| {
        place.write(name, trip_file(rows));
        let told = place.trips(name);
        let [read, admitted, already_in, refused, set_aside] = told.sums();
        assert_eq!(
            (told.code, read, refused, set_aside),
            (5, rows.len() as u64, 0, 1),
            "{name}"
        );
        assert_eq!(
            told.set_aside(),
            BTreeMap::from([(4, reason.to_owned())]),
            "{name}"
        );
        expected += admitted;
        assert_eq!(admitted + already_in, read - 1);
        assert_eq!(place.total("awarded"), expected * POINTS);
    };
    let good = rows[2].clone();
    rows[2] = good.replace("94107", "\"94107");
    import("stray_at_the_end.csv", &rows, "quote_unclosed");
    rows[2] = good.replace("2nd", "\"2nd");
    import("stray_between.csv", &rows, "quote_unclosed");
    rows[2] = good.replace("2nd at", "2nd \"at");
    import("stray_in_a_field.csv", &rows, "quote_stray");
    rows[2] = good.replace(",94107", "");
    import("fewer.csv", &rows, "fields_missing");
    rows[2] = format!("{good},");
    import("more.csv", &rows, "fields_too_many");
    rows[2] = TRIPS.to_owned();
    import("header_again.csv", &rows, "header_repeated");
    rows[2] = good.replace("2014-02-01T09:11", "2014-02-01 09:11");
    import("date.csv", &rows, "date_malformed");

    rows[2] = good.replace("2nd", "Caf#");
    let latin: Vec<u8> = trip_file(&rows)
        .bytes()
        .map(|byte| if byte == b'#' { 0xe9 } else { byte })
        .collect();
    place.write("latin1.csv", latin);
    let told = place.trips("latin1.csv");
    told.ends(5, [8, 0, 7, 0, 1]);
    assert_eq!(
        told.set_aside(),
        BTreeMap::from([(4, "not_utf8".to_owned())])
    );
    // All that was good is in; the row that was always bad goes in once it is right.
    rows[2] = good;
    place.write("good.csv", trip_file(&rows));
    let told = place.trips("good.csv");
    told.ends(0, [8, 1, 7, 0, 0]);
}

#[test]
fn files_of_another_kind_are_refused_by_name() {
    let place = Place::new();
    let entries = place.entries();
    let good = trip_file(&[trip(1, 501)]);
    let wide: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    place.write("utf16.csv", [&b"\xff\xfe"[..], &wide].concat());
    place.write("semicolon.csv", good.replace(',', ";"));
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/examples/data/");
    let whole = std::fs::read(format!("{data}bikeshare_trips.csv.zst")).unwrap();
    place.write("cut.csv.zst", &whole[..whole.len() / 2]);
    place.write("plain.csv.zst", &good);
    for (name, words) in [
        ("utf16.csv", "UTF-16"),
        ("semicolon.csv", "semicolons"),
        ("cut.csv.zst", "cut or damaged"),
        ("plain.csv.zst", "can't be decompressed"),
    ] {
        let told = place.trips(name);
        assert!(told.code == 4 && told.err.contains(words), "{}", told.err);
    }
    // Exchanged coordinates stop all; without them, everything would be set aside or counted wrong.
    place.write("good.csv", &good);
    let exchanged: String = STATIONS
        .lines()
        .map(
            |line| match line.split(',').collect::<Vec<_>>().as_slice() {
                [id, name, lat, long, docks] => format!("{id},{name},{long},{lat},{docks}\n"),
                other => panic!("{other:?}"),
            },
        )
        .collect();
    // Under the right names of the columns, and under exchanged names with the right order.
    let header = "station_id,name,lat,long,dock_count";
    let names = STATIONS.replace(header, "station_id,name,long,lat,dock_count");
    for text in [exchanged.replace("name,long,lat", "name,lat,long"), names] {
        place.write("swapped.csv", text);
        let told = place.trips_with("good.csv", &["--stations", &place.path("swapped.csv")]);
        assert!(
            told.code == 2 && told.err.contains("exchanged"),
            "{}",
            told.err
        );
    }
    assert_eq!(place.entries(), entries);
    // Trips are of kilometres, not of what another activity counts.
    let told = place.trips_with("good.csv", &["--activity", "9"]);
    let words = "the method has: 1 (trip, in km)";
    assert!(told.code == 2 && told.err.contains(words), "{}", told.err);
    assert_eq!(place.entries(), entries);
    let told = place.trips("good.csv");
    told.ends(0, [1, 1, 0, 0, 0]);
}

/// Of a part of a register, trees that events tell of and whose rows are missing would be planted as if
/// their places were never published. A later import is held against the trees that are in; at the first
/// one somebody has to say that the files are whole.
#[test]
fn a_first_import_takes_no_part_of_a_register_for_the_whole() {
    let place = Place::new();
    let rows = [3001, 3002].map(|id| tree(id, "04/27/2018 12:00:00 AM"));
    place.write("part.csv", tree_file(&rows[..1]));
    place.write("whole.csv", tree_file(&rows));
    // It tells a date of a tree whose row the part lacks.
    let dated = "2020-03-12T21:58:28-07:00,change,3002,PlantDate,,04/28/2018";
    let named = "2020-03-12T21:58:28-07:00,change,3002,qSpecies,,Acer rubrum :: Red Maple";
    place.write("events.csv", events(&[dated, named]));
    let (key, events) = (place.path("planter.pem"), place.path("events.csv"));
    let import = |file: &str, more: &[&str]| {
        let file = place.path(file);
        let mut args = vec![
            "sf-trees",
            &file,
            "--planter-key",
            &key,
            "--events",
            &events,
        ];
        args.extend(more);
        place.run(&args)
    };
    let entries = place.entries();
    for more in [&[][..], &["--rows", "1"], &["--event-rows", "2"]] {
        let told = import("part.csv", more);
        assert_eq!(told.code, 2, "{more:?}: {}", told.err);
        let words = "1 rows of added trees and 2 of events would be taken for all of it";
        assert!(told.err.contains(words), "{}", told.err);
    }
    assert_eq!(place.entries(), entries, "nothing was sent");
    // Rows alone say the same in any part.
    let rows_alone = place.trees("part.csv");
    rows_alone.ends(0, [1, 1, 0, 0, 0]);
    // From then on the trees that are in tell.
    let told = import("whole.csv", &[]);
    assert_eq!(told.code, 5, "{}", told.err);
    assert_eq!(place.total("planted"), 2);

    for said in [&["--whole"][..], &["--rows", "2", "--event-rows", "2"]] {
        let place = Place::new();
        place.write("whole.csv", tree_file(&rows));
        let (file, key) = (place.path("whole.csv"), place.path("planter.pem"));
        let mut args = vec![
            "sf-trees",
            &file,
            "--planter-key",
            &key,
            "--events",
            &events,
        ];
        args.extend(said);
        let told = place.run(&args);
        assert_eq!((told.code, told.sums()[0]), (5, 4), "{}", told.err);
        assert_eq!(place.total("planted"), 2);
    }
}

/// A tree that was removed and listed at one time may stand or not: a census counts it as not found,
/// neither as alive nor as dead.
#[test]
fn a_census_counts_a_tree_whose_fate_is_unclear_as_not_found() {
    let place = Place::new();
    let rows: Vec<String> = (3001..=3003)
        .map(|id| tree(id, "04/27/2018 12:00:00 AM"))
        .collect();
    place.write("trees.csv", tree_file(&rows));
    place.trees("trees.csv").ends(0, [3, 3, 0, 0, 0]);
    let listed = rows[0].split(',').nth(1).unwrap();
    let at_once = format!("{listed},remove,3001,qSpecies,Acer rubrum :: Red Maple,");
    let dead = "2020-03-12T21:58:28-07:00,remove,3002,qSpecies,Acer rubrum :: Red Maple,";
    place.write("events.csv", events(&[&at_once, dead]));
    let (surveyor, events) = (place.path("surveyor.pem"), place.path("events.csv"));
    let told = place.trees_with(
        "trees.csv",
        &[
            "--surveyor-key",
            &surveyor,
            "--events",
            &events,
            "--rows",
            "3",
            "--event-rows",
            "2",
        ],
    );
    told.ends(5, [5, 1, 3, 0, 1]);
    assert_eq!(told.json["reasons"]["fate_unclear"], 1);
    let size = place.entries();
    let entry: Value = (place.server.remote())
        .json(&format!("v1/entries/{}", size - 1))
        .unwrap();
    let survey = &entry["statement"];
    assert_eq!(survey["kind"], "survey", "{entry}");
    let counts = ["alive", "dead", "not_found", "dead_known", "revived"];
    let counts = counts.map(|name| survey[name].as_u64().unwrap());
    assert_eq!(counts, [1, 0, 1, 1, 0]);
}

/// A station that trips name in another spelling is the station of that number; a name of another one,
/// or of none, is a contradiction.
#[test]
fn another_spelling_of_a_stations_name_is_told_and_costs_no_trip() {
    let place = Place::new();
    let spelled = |id: u64, name: &str| trip(id, id).replace("South Van Ness at Market", name);
    let rows = [
        spelled(1, "South Van Ness at Markett"),
        spelled(2, "South Van Ness at Markett"),
        spelled(3, "South Van Ness at Howard"),
        spelled(4, "Market at 10th"),
    ];
    place.write("trips.csv", trip_file(&rows));
    for sums in [[4, 2, 0, 0, 2], [4, 0, 2, 0, 2]] {
        let told = place.trips("trips.csv");
        told.ends(5, sums);
        let contradicts = |line| (line, "station_contradicts".to_owned());
        assert_eq!(told.set_aside(), BTreeMap::from([4, 5].map(contradicts)));
        let spelled = serde_json::json!([{
            "station": "66",
            "listed": "South Van Ness at Market",
            "given": "South Van Ness at Markett",
            "trips": 2,
        }]);
        assert_eq!(told.json["stations"]["spelled"], spelled);
    }
    place.write("good.csv", trip_file(&rows[..2]));
    place.trips("good.csv").ends(0, [2, 0, 2, 0, 0]);
}

/// An import that can't be done to its end says how far it is known to have come.
#[test]
fn an_import_that_stops_accounts_for_its_lines_all_the_same() {
    let place = Place::new();
    let rows = [trip(1, 1), trip(2, 2), "3,too,few,fields".to_owned()];
    place.write("trips.csv", trip_file(&rows));
    // What the report is to be replaced by can't be: all is sent, and the sums say so.
    std::fs::create_dir_all(place.path("work/trips.set-aside.ndjson/in-the-way")).unwrap();
    let told = place.trips("trips.csv");
    assert_eq!(
        (told.code, told.counts()),
        (3, [3, 2, 0, 0, 1, 0]),
        "{}",
        told.err
    );
    assert_eq!(told.json["outcome"], "unchecked");
    assert!(
        told.err.contains("2 admitted") && told.err.contains("--work"),
        "{}",
        told.err
    );
    let told = place.trips_with("trips.csv", &["--work", &place.path("other")]);
    told.ends(5, [3, 0, 2, 0, 1]);
    // The journal takes no more: what becomes of the new trips is not known.
    let rows: Vec<String> = (10..40).map(|id| trip(id, id)).collect();
    place.write("week.csv", trip_file(&rows[..20]));
    place
        .trips_with("week.csv", &["--work", &place.path("other")])
        .ends(0, [20, 20, 0, 0, 0]);
    place.write("more.csv", trip_file(&rows));
    let entries = place.entries();
    let (file, stations) = (place.path("more.csv"), place.path("stations.csv"));
    let (key, work) = (place.path("platform.pem"), place.path("other"));
    let journal = place.path("platform.pem.head.awards.journal");
    let import = [
        "bikeshare",
        &file,
        "--stations",
        &stations,
        "--key",
        &key,
        "--work",
        &work,
    ];
    let told = place.run_with_full(&journal, &import);
    assert_eq!(
        (told.code, told.counts()),
        (3, [30, 0, 20, 0, 0, 10]),
        "{}",
        told.err
    );
    assert_eq!(place.entries(), entries);
    place
        .trips_with("more.csv", &["--work", &work])
        .ends(0, [30, 10, 20, 0, 0]);
    // A key that may sign no more: nothing is left unknown.
    let (remote, key) = (place.server.remote(), place.ledger.platform.public());
    let revoke = KeyRevoke {
        key,
        reason: "a laptop was lost".parse().unwrap(),
        compromised_since: None,
        set: Index(0),
    };
    place
        .ledger
        .govern(&remote, Statement::KeyRevoke(revoke), None);
    place.write("late.csv", trip_file(&[trip(1, 1), trip(50, 50)]));
    let told = place.trips_with("late.csv", &["--work", &work]);
    assert_eq!(
        (told.code, told.counts()),
        (3, [2, 0, 1, 1, 0, 0]),
        "{}",
        told.err
    );
    assert!(told.err.contains("key_revoked"), "{}", told.err);
}

/// Trees whose planting broke off are not known; all others are.
#[test]
fn an_import_of_trees_that_stops_midway_accounts_for_its_lines() {
    let place = Place::new();
    place.write("march.csv", trees(1001..=1005));
    place.trees("march.csv").ends(0, [5, 5, 0, 0, 0]);
    let mut rows: Vec<String> = (1001..=1006)
        .map(|id| tree(id, "04/27/2018 12:00:00 AM"))
        .collect();
    rows.push(tree(1007, "04/27/1018 12:00:00 AM"));
    place.write("april.csv", tree_file(&rows));
    let (file, key) = (place.path("april.csv"), place.path("planter.pem"));
    let journal = place.path("planter.pem.head.trees.journal");
    let told = place.run_with_full(&journal, &["sf-trees", &file, "--planter-key", &key]);
    assert_eq!(
        (told.code, told.counts()),
        (3, [7, 0, 5, 0, 1, 1]),
        "{}",
        told.err
    );
    place.trees("april.csv").ends(5, [7, 1, 5, 0, 1]);
    assert_eq!(place.total("planted"), 6);
}

/// A cache that answers of the ledger as it was would hide what was taken back since.
#[test]
fn an_answer_about_reversals_that_is_older_than_the_log_stops_the_import() {
    let place = Place::new();
    place.write("trips.csv", trip_file(&[trip(1, 1), trip(2, 2)]));
    place.trips("trips.csv").ends(0, [2, 2, 0, 0, 0]);
    let entries = place.entries();
    place.write("next.csv", trip_file(&[trip(1, 1), trip(2, 2), trip(3, 3)]));
    let stale = stale_proxy(&place.server.url, "/v1/reversals");
    let mut command = arborlog();
    command
        .args(["import", "bikeshare", &place.path("next.csv"), "--json"])
        .args(["--stations", &place.path("stations.csv")])
        .args(["--key", &place.path("platform.pem")])
        .args(["--work", &place.path("work"), "--to", &stale]);
    let told = Told::of(command.output().unwrap());
    assert_eq!(told.code, 3, "{}", told.err);
    for words in [
        "/v1/reversals",
        "the answer is of 1 entries",
        "must not be cached",
    ] {
        assert!(told.err.contains(words), "{words}: {}", told.err);
    }
    assert_eq!(place.entries(), entries, "nothing was sent");
    place.trips("next.csv").ends(0, [3, 1, 2, 0, 0]);
}

/// A proxy whose answers to one path say that they rest on the ledger's first entry alone.
fn stale_proxy(to: &str, path: &'static str) -> String {
    use std::io::{Read as _, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let to = to.strip_prefix("http://").unwrap().to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let (mut request, mut byte) = (Vec::new(), [0]);
            while !request.ends_with(b"\r\n\r\n") && client.read(&mut byte).unwrap_or(0) == 1 {
                request.push(byte[0]);
            }
            let request = String::from_utf8(request).unwrap();
            let is_stale = request.starts_with(&format!("GET {path}"));
            let plain = |line: &&str| !line.to_lowercase().starts_with("accept-encoding");
            let request: String = request.split_inclusive("\r\n").filter(plain).collect();
            let request = request.replacen("\r\n", "\r\nconnection: close\r\n", 1);
            let mut server = std::net::TcpStream::connect(&to).unwrap();
            server.write_all(request.as_bytes()).unwrap();
            let mut answer = Vec::new();
            server.read_to_end(&mut answer).unwrap();
            if is_stale {
                let text = String::from_utf8(answer).unwrap();
                let (before, after) = text.split_once("\"as_of_size\":").unwrap();
                let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap();
                // As long as before.
                answer =
                    format!("{before}\"as_of_size\":{:<digits$}{}", 1, &after[digits..]).into();
            }
            let _ = client.write_all(&answer);
        }
    });
    url
}

/// What changes while it is read may be a part, or of two files: nothing is sent.
#[test]
fn a_file_that_changes_while_it_is_read_is_not_imported() {
    let place = Place::new();
    let rows: Vec<String> = (1..=2).map(|id| trip(id, id)).collect();
    place.write("trips.csv", trip_file(&rows[..1]));
    let entries = place.entries();
    let (path, grown) = (place.path("trips.csv"), trip_file(&rows));
    let url = passing_on(&place.server.url, move || {
        std::fs::write(path, grown).unwrap();
    });
    let mut command = place.command(&["bikeshare", &place.path("trips.csv")]);
    command.args(["--stations", &place.path("stations.csv")]);
    command.args(["--key", &place.path("platform.pem")]);
    let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let args = args.iter().map(|arg| match arg.to_str() {
        Some(arg) if arg == place.server.url => url.as_str(),
        arg => arg.unwrap(),
    });
    let told = Told::of(arborlog().args(args).output().unwrap());
    assert_eq!(told.code, 3, "{}", told.err);
    assert!(
        told.err.contains("trips.csv") && told.err.contains("came to have"),
        "{}",
        told.err
    );
    assert_eq!(place.entries(), entries);
    place.trips("trips.csv").ends(0, [2, 2, 0, 0, 0]);
}

/// What a row says again is in as far as the first one is; what contradicts it is set aside, and the first
/// counts. Either way the next runs come to the same.
#[test]
fn a_row_that_stands_twice_is_in_and_one_that_contradicts_is_set_aside() {
    let place = Place::new();
    let day = "04/27/2018 12:00:00 AM";
    let later = tree(1001, day).replace("aaaaaaaaaaaa,2019-03-12", "bbbbbbbbbbbb,2019-03-13");
    let came_back = later.replace("-07:00,0,", "-07:00,1,");
    for (name, row) in [
        ("same.csv", tree(1001, day)),
        ("later.csv", later.clone()),
        ("came_back.csv", came_back),
    ] {
        place.write(name, tree_file(&[tree(1001, day), row, tree(1002, day)]));
        place.trees(name);
        place.trees(name).ends(0, [3, 0, 3, 0, 0]);
    }
    for (from, to) in [
        ("Acer rubrum :: Red Maple", "Pinus radiata :: Monterey Pine"),
        (day, "04/28/2018 12:00:00 AM"),
        ("37.79779", "37.75001"),
    ] {
        let other = later.replace(from, to);
        place.write("other.csv", tree_file(&[tree(1001, day), other]));
        for _ in 0..2 {
            let told = place.trees("other.csv");
            told.ends(5, [2, 0, 1, 0, 1]);
            assert_eq!(told.set_aside()[&3], "tree_repeated");
        }
    }
    assert_eq!(place.total("planted"), 2);
    // Of a tree that does not go in, neither row does.
    let wrong = tree(1003, "04/27/2048");
    place.write("wrong.csv", tree_file(&[wrong.clone(), wrong]));
    let told = place.trees("wrong.csv");
    told.ends(5, [2, 0, 0, 0, 2]);
    assert_eq!(told.set_aside()[&3], "date_after_publication");

    place.write(
        "trips.csv",
        trip_file(&[trip(1, 7), trip(2, 8), trip(1, 7)]),
    );
    place.trips("trips.csv").ends(0, [3, 3, 0, 0, 0]);
    place.trips("trips.csv").ends(0, [3, 0, 3, 0, 0]);
    assert_eq!(place.total("awarded"), 2 * POINTS);
    place.write("trips.csv", trip_file(&[trip(1, 7), trip(1, 8)]));
    let told = place.trips("trips.csv");
    told.ends(5, [2, 0, 1, 0, 1]);
    assert_eq!(told.set_aside()[&3], "trip_id_repeated");
}

/// A tree that came back is not restored where others of its loss did not: its row is not in.
#[test]
fn a_row_of_return_is_not_in_where_its_tree_stays_lost() {
    let place = Place::new();
    let day = "04/27/2018";
    let rows = [tree(1, day), tree(2, day)];
    place.write("added.csv", tree_file(&rows));
    let removal = |id: u64| {
        format!("2020-03-12T21:58:28-07:00,remove,{id},qSpecies,Acer rubrum :: Red Maple,")
    };
    place.write("events.csv", events(&[&removal(1), &removal(2)]));
    let with = ["--events", &place.path("events.csv")];
    place
        .trees_with("added.csv", &with)
        .ends(0, [4, 4, 0, 0, 0]);
    assert_eq!(place.total("lost"), 2);
    let back = |id: u64| {
        let row = tree(id, day).replace("aaaaaaaaaaaa,2019-03-12", "bbbbbbbbbbbb,2021-03-12");
        row.replace("-07:00,0,", "-07:00,1,")
    };
    place.write("one.csv", tree_file(&[&rows[..], &[back(1)]].concat()));
    for _ in 0..2 {
        let told = place.trees_with("one.csv", &with);
        told.ends(5, [5, 0, 4, 0, 1]);
        assert_eq!(told.set_aside()[&4], "loss_of_several");
        assert_eq!(place.total("lost"), 2);
    }
    place.write(
        "both.csv",
        tree_file(&[&rows[..], &[back(1), back(2)]].concat()),
    );
    place.trees_with("both.csv", &with).ends(0, [6, 0, 6, 0, 0]);
    assert_eq!(place.total("lost"), 0);
}

/// The dates that a history replaces are written as those that it gives.
#[test]
fn a_history_whose_new_dates_do_not_tell_their_order_is_read_by_those_that_it_replaces() {
    let place = Place::new();
    place.write("added.csv", tree_file(&[tree(1, "04/27/2018")]));
    place.trees("added.csv").ends(0, [1, 1, 0, 0, 0]);
    let change =
        |old: &str| format!("2020-03-12T21:58:28-07:00,change,1,PlantDate,{old},05/04/2018");
    let with = ["--events", &place.path("events.csv")];
    for old in ["", "06/04/2018"] {
        place.write("events.csv", events(&[&change(old)]));
        let told = place.trees_with("added.csv", &with);
        assert!(
            told.code == 2 && told.err.contains("--dates"),
            "{}",
            told.err
        );
    }
    place.write("events.csv", events(&[&change("04/27/2018")]));
    let told = place.trees_with("added.csv", &with);
    assert_eq!((told.code, told.json["admitted"].as_u64()), (0, Some(2)));
    let planting = told.json["lines"][0]["index"].as_u64().unwrap();
    let entry = place.server.remote().text(&format!("entry/{planting}"));
    assert!(entry.unwrap().contains("2018-05-04"));
}
