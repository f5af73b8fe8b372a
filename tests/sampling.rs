//! What an auditor asks beside the ledger: plans of plots and trees to visit (`arborlog sample`), how much of them was
//! done, and files held against digests (`audit --evidence`). As processes, on folders that a forge made.
#![cfg(feature = "cli")]

#[allow(dead_code)]
#[path = "attacks/forge.rs"]
mod forge;
#[allow(dead_code)]
#[path = "support/programmes.rs"]
mod programmes;
#[allow(dead_code)]
#[path = "attacks/statements.rs"]
mod statements;
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;

use arborlog::audit::{FramePlot, draw};
use arborlog::crypto::SigningKey;
use arborlog::note::{Checkpoint, KeyName, SignatureType, VerifierKey, cosign};
use arborlog::record::*;
use forge::{DAY_MS, Forge};
use programmes::file;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use statements::{TODAY, lost, void};
use support::{run, run_ok};

/// The sampling day.
const DAY: Day = Day(TODAY.0 + 5);
const DAY_S: u64 = 86_400;

fn sha256(bytes: impl AsRef<[u8]>) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

fn witness(name: &str) -> (KeyName, SigningKey) {
    let key = SigningKey::from_seed(&sha256(name));
    (format!("{name}.example/key").parse().unwrap(), key)
}

fn witness_vkey(name: &str) -> VerifierKey {
    let (name, key) = witness(name);
    VerifierKey::new(name, SignatureType::CosignatureV1, key.public())
}

/// Two of three witnesses, and what is announced.
fn policy(lines: &str) -> Policy {
    let witnesses: String = ["w1", "w2", "w3"]
        .map(|name| format!("witness {name} {}\n", witness_vkey(name)))
        .concat();
    statements::policy(&format!(
        "{lines}log {}\n{witnesses}group g 2 w1 w2 w3\nquorum g\n",
        forge::vkey("log")
    ))
}

struct World {
    temp: tempfile::TempDir,
    it: Forge,
    /// Entries of the checkpoint that gives the seed.
    size: u64,
}

/// Plots 1 to 12: of several holders and countries, of 5 to 60 trees each; plot 13 has none, plot 14 only a voided
/// planting.
impl World {
    fn new(announced: &str) -> Self {
        let mut it = programmes::begun(&[
            ("platform", Role::Platform, "cityride"),
            ("planter", Role::Planter, "green-hands"),
            ("planter2", Role::Planter, "otherland"),
            ("surveyor", Role::Surveyor, "eyes"),
        ]);
        let method = Method {
            document: file("method"),
            ..statements::method(1)
        };
        it.admit("g1+g2", method);
        for number in 1..=14_u32 {
            let who = if number.is_multiple_of(3) {
                "planter2"
            } else {
                "planter"
            };
            let plot = Plot {
                country: if number > 8 { "MX" } else { "US" }.parse().unwrap(),
                place: PlotPlace::Circle(Circle {
                    latitude: (300_000_000 + 1_000_000 * number as i32)
                        .try_into()
                        .unwrap(),
                    longitude: (-1_100_000_000).try_into().unwrap(),
                    radius_m: 100,
                }),
                finer_outline: (number <= 4).then(|| outline_digest(number)),
                ..statements::plot(number)
            };
            it.admit(who, plot);
            let planting = |first, count| Planting {
                planted_from: Day(TODAY.0 - 400),
                planted_until: Day(TODAY.0 - 400),
                evidence: file(format!("planting {number}/{first}")),
                ..statements::planting(number, first, count, 0)
            };
            match number {
                13 => {}
                14 => {
                    let mistake = it.admit(who, planting(1, 50));
                    it.admit(who, void(mistake));
                }
                _ => {
                    let first = it.admit(who, planting(1, 5 * number));
                    if number == 2 {
                        // Serials 3 and 4 are lost, and one more of which nobody knows which.
                        it.admit("surveyor", lost(first, 2, Some(3)));
                        it.admit("surveyor", lost(first, 1, None));
                        it.admit(who, planting(5 * number + 1, 7));
                    }
                }
            }
        }
        it.admit("g1+g2", policy(announced));
        it.cover();
        it.now.0 += 6 * DAY_MS;
        it.admit("platform", statements::award(statements::ANN, 100));
        let size = it.size();
        it.cover();
        let world = Self {
            temp: tempfile::tempdir().unwrap(),
            it,
            size,
        };
        world.write();
        world
    }

    fn write(&self) {
        let log = self.path("log");
        let _ = std::fs::remove_dir_all(&log);
        forge::write(&self.it.files(), &log);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    /// The seed's checkpoint with cosignatures, so many seconds after the day.
    fn cosigned(&self, name: &str, by: &[&str], after_s: i64) -> PathBuf {
        let mut checkpoint: Checkpoint = self.it.checkpoint(self.size);
        let end_s = (u64::from(DAY.0) + 1) * DAY_S;
        for witness_name in by {
            let (name, key) = witness(witness_name);
            cosign(
                &mut checkpoint,
                &name,
                &key,
                end_s.checked_add_signed(after_s).unwrap(),
            );
        }
        let path = self.path(name);
        std::fs::write(&path, checkpoint.to_string()).unwrap();
        path
    }

    fn run(&self, command: &str, more: &[&str]) -> Output {
        let (log, vkey) = (self.path("log"), forge::vkey("log").to_string());
        let log = log.to_str().unwrap();
        run(&[&[command, log, "--log", &vkey], more].concat())
    }

    /// The bytes of the plan by a checkpoint.
    fn sample(&self, checkpoint: &Path) -> Vec<u8> {
        let out = self.path("plan.json");
        let day = DAY.to_string();
        let (checkpoint, file) = (checkpoint.to_str().unwrap(), out.to_str().unwrap());
        let done = self.run(
            "sample",
            &["--day", &day, "--checkpoint", checkpoint, "--out", file],
        );
        assert_eq!(done.status.code(), Some(0), "{}", told(&done));
        std::fs::read(&out).unwrap()
    }

    fn check(&self, plan: impl AsRef<[u8]>) -> (Option<i32>, String) {
        let file = self.path("checked.json");
        std::fs::write(&file, plan).unwrap();
        let done = self.run("sample", &["--check", file.to_str().unwrap()]);
        (done.status.code(), told(&done))
    }

    fn audit(&self, more: &[&str]) -> Value {
        let report = self.path("report");
        let done = self.run(
            "audit",
            &[&["--json", "--report", report.to_str().unwrap()], more].concat(),
        );
        assert_eq!(done.status.code(), Some(0), "{}", told(&done));
        json(&std::fs::read(report.join("report.json")).unwrap())
    }

    fn survey(&mut self, plot: u32, plan: Digest, alive: u32, dead: u32) -> Index {
        let as_of = Index(self.it.size() - 1);
        let survey = Survey {
            surveyed_on: Day::of(self.it.now),
            as_of,
            basis: Basis::RandomSample,
            plan: Some(plan),
            alive,
            dead,
            evidence: file(format!("survey {plot} {}", self.it.size())),
            paid_by: "a paper".parse().unwrap(),
            ..statements::survey(plot, 0)
        };
        self.it.admit("surveyor", survey)
    }
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn told(output: &Output) -> String {
    let both = [output.stdout.as_slice(), &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn finding<'a>(report: &'a Value, code: &str) -> Option<&'a Value> {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().find(|it| it["code"] == code)
}

fn announced() -> String {
    format!("# sampling {DAY} plots=6 trees=4 strata=country\n")
}

/// Plans as docs/audit.md writes them, drawn by other code: points on a line, numbers by hand.
mod model {
    use super::*;

    fn bits(seed: &[u8], purpose: &str, number: u64, counter: u64) -> u64 {
        let bytes = [
            seed,
            purpose.as_bytes(),
            &number.to_be_bytes(),
            &counter.to_be_bytes(),
        ]
        .concat();
        u64::from_be_bytes(sha256(bytes)[..8].try_into().unwrap())
    }

    fn below(seed: &[u8], purpose: &str, number: u64, counter: &mut u64, most: u64) -> u64 {
        loop {
            let bits = u128::from(bits(seed, purpose, number, *counter));
            *counter += 1;
            let usable = (1_u128 << 64) / u128::from(most) * u128::from(most);
            if bits < usable {
                return (bits % u128::from(most)) as u64;
            }
        }
    }

    /// The serials to look for, by plot, of plots with these strata and serials.
    pub fn plan(
        seed: &[u8],
        frame: &[(u32, &str, Vec<u32>)],
        visits: u64,
        of_visit: u64,
    ) -> BTreeMap<u32, (u32, Vec<u32>)> {
        let mut order: Vec<_> = frame.iter().filter(|it| !it.2.is_empty()).collect();
        order
            .sort_by_key(|(plot, stratum, _)| (*stratum, bits(seed, "order", u64::from(*plot), 0)));
        // Each tree of each plot a place on the line.
        let line: Vec<u32> = order.iter().flat_map(|it| vec![it.0; it.2.len()]).collect();
        let all = line.len() as u64;
        let start = below(seed, "start", 0, &mut 0, all);
        let mut hits = BTreeMap::<u32, u32>::new();
        for visit in 0..visits {
            let point = (start + visit * all) / visits;
            *hits.entry(line[point as usize]).or_default() += 1;
        }
        let drawn = hits.into_iter().map(|(plot, hits)| {
            let serials = &frame.iter().find(|it| it.0 == plot).unwrap().2;
            let (trees, mut counter) = (serials.len() as u64, 0);
            let wanted = (u64::from(hits) * of_visit).min(trees);
            let mut places: Vec<u64> = Vec::new();
            for last in trees - wanted..trees {
                let one = below(seed, "trees", u64::from(plot), &mut counter, last + 1);
                places.push(if places.contains(&one) { last } else { one });
            }
            places.sort_unstable();
            let serials = places.iter().map(|place| serials[*place as usize]);
            (plot, (hits, serials.collect()))
        });
        drawn.collect()
    }
}

#[test]
fn a_plan_is_drawn_as_the_documents_say() {
    let world = World::new(&announced());
    let note = world.cosigned("note", &["w1", "w2", "w3"], 60);
    let bytes = world.sample(&note);
    let plan = json(&bytes);
    // The first two of the three lines make up the quorum.
    let text = std::fs::read_to_string(&note).unwrap();
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("— w"))
        .collect();
    let seed = sha256(format!("{}\n{}\n", lines[0], lines[1]));
    assert_eq!(plan["seed"], hex::encode(seed));
    assert_eq!(plan["cosigned_by"], serde_json::json!(["w1", "w2"]));
    assert_eq!(plan["cosigned_at_s"], (u64::from(DAY.0) + 1) * DAY_S + 60);

    let frame: Vec<(u32, &str, Vec<u32>)> = (1..=12)
        .map(|plot| {
            let country = if plot > 8 { "MX" } else { "US" };
            let serials: Vec<u32> = match plot {
                2 => (1..=17).filter(|serial| ![3, 4].contains(serial)).collect(),
                _ => (1..=5 * plot).collect(),
            };
            (plot, country, serials)
        })
        .collect();
    let all: usize = frame.iter().map(|it| it.2.len()).sum();
    let model = model::plan(&seed, &frame, 6, 4);
    let mut drawn = BTreeMap::new();
    for visit in plan["visits"].as_array().unwrap() {
        let plot = visit["plot"].as_u64().unwrap() as u32;
        let serials = visit["serials"].as_array().unwrap();
        let serials: Vec<u32> = serials
            .iter()
            .map(|it| it.as_u64().unwrap() as u32)
            .collect();
        let trees = frame[plot as usize - 1].2.len();
        assert_eq!(visit["trees"], trees);
        let expected = 6.0 * trees as f64 / all as f64;
        let close = |name: &str, value: f64| {
            let found = visit[name].as_f64().unwrap();
            assert!(
                (found - value).abs() < 1e-12,
                "{name} of plot {plot}: {found}, {value}"
            );
        };
        close("plot_probability", expected.min(1.0));
        close("tree_probability", 6.0 * 4.0 / all as f64);
        drawn.insert(plot, (visit["hits"].as_u64().unwrap() as u32, serials));
    }
    assert_eq!(drawn, model);
    let strata = plan["strata"].as_array().unwrap();
    let sum = |name: &str| {
        strata
            .iter()
            .map(|it| it[name].as_u64().unwrap())
            .sum::<u64>()
    };
    assert_eq!(
        (sum("plots"), sum("trees"), sum("visits")),
        (12, all as u64, 6)
    );
    // Of 6 visits the trees of Mexico, 210 of 397, get 3 or 4.
    assert!(
        [3, 4].contains(&strata[0]["visits"].as_u64().unwrap()),
        "{strata:?}"
    );

    // Whoever draws gets the same, whoever cosigned beside the two, and whatever the log has taken in since.
    assert_eq!(world.check(&bytes).0, Some(0), "{}", world.check(&bytes).1);
    let two = world.cosigned("two", &["w1", "w2"], 60);
    assert_eq!(json(&world.sample(&two))["visits"], plan["visits"]);
    let mut later = world;
    later.it.now.0 += DAY_MS;
    let size = later.it.size() as usize + 300;
    later.it.grow_as("platform", size);
    later.write();
    assert_eq!(later.sample(&note), bytes);
    assert_eq!(later.check(&bytes).0, Some(0));
}

/// Over many seeds, each plot and each tree is drawn as often as the plan says that it is likely to be.
#[test]
fn probabilities_are_what_the_plan_says() {
    // A plot that is always drawn, one smaller than a visit, some between; in two strata.
    let sizes = [400_u32, 3, 40, 80, 10, 60, 7];
    let frame: Vec<FramePlot> = (1..)
        .zip(sizes)
        .map(|(number, trees)| FramePlot {
            plot: PlotNumber(number),
            stratum: if number % 2 == 0 { "a" } else { "b" }.to_owned(),
            serials: vec![1..=1, 3..=trees + 1],
        })
        .collect();
    let announced = "# sampling 2026-01-01 plots=4 trees=5".parse().unwrap();
    const SEEDS: u64 = 4_000;
    let mut plots = BTreeMap::<u32, (f64, f64, u64)>::new();
    for number in 0..SEEDS {
        let seed = sha256(number.to_be_bytes());
        let visits = draw(&frame, &announced, &seed).unwrap();
        assert_eq!(visits, draw(&frame, &announced, &seed).unwrap());
        assert_eq!(visits.iter().map(|it| it.hits).sum::<u32>(), 4);
        for visit in visits {
            assert!(!visit.serials.contains(&2), "its loss names it");
            let sums = plots.entry(visit.plot.0).or_insert((
                visit.plot_probability,
                visit.tree_probability,
                0,
            ));
            sums.2 += 1;
        }
    }
    for (plot, (probability, of_tree, drawn)) in plots {
        let share = drawn as f64 / SEEDS as f64;
        let error = (probability * (1.0 - probability) / SEEDS as f64).sqrt();
        assert!(
            (share - probability).abs() <= 4.0 * error,
            "plot {plot}: {share}, {probability}"
        );
        let expected = 4.0 * 5.0 / 600.0;
        match sizes[plot as usize - 1] {
            // Fewer trees than a visit looks for: each is looked for when the plot is.
            3 => assert!((of_tree - probability).abs() < 1e-12),
            _ => assert!((of_tree - expected).abs() < 1e-12, "plot {plot}: {of_tree}"),
        }
    }
}

#[test]
fn a_plan_that_somebody_changed_is_false() {
    let world = World::new(&announced());
    let bytes = world.sample(&world.cosigned("note", &["w1", "w3"], 60));
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut plan = json(&bytes);
        change(&mut plan);
        world.check(serde_json::to_vec_pretty(&plan).unwrap())
    };
    for (change, words) in [
        (
            &(|plan: &mut Value| plan["visits"][0]["plot"] = 13.into()) as &dyn Fn(&mut Value),
            "visits",
        ),
        (&|plan| plan["visits"][0]["serials"][0] = 2.into(), "visits"),
        (&|plan| plan["seed"] = "00".repeat(32).into(), "seed"),
        (&|plan| plan["announced"]["plots"] = 7.into(), "announced"),
        (&|plan| plan["cosigned_at_s"] = 1.into(), "cosigned_at_s"),
        (
            &|plan| plan["origin"] = "other.example/ledger".into(),
            "another log",
        ),
        (&|_| (), "its bytes are others"),
    ] {
        let (code, told) = changed(change);
        assert_eq!(code, Some(1), "{told}");
        assert!(told.contains(words), "{told}");
    }
    // Another announcement's plan, or lines that were taken out of the checkpoint.
    let (code, told) = changed(&|plan| plan["announced"]["day"] = "2026-01-01".into());
    assert_eq!(code, Some(1), "{told}");
    for no_plan in [&b"{}"[..], b"", b"plots 1 and 2"] {
        assert_eq!(world.check(no_plan).0, Some(4));
    }
}

#[test]
fn what_gives_no_plan() {
    let day = DAY.to_string();
    let failed = |world: &World, note: &Path| {
        let (note, out) = (note.to_str().unwrap(), world.path("plan.json"));
        let out = out.to_str().unwrap();
        let done = world.run(
            "sample",
            &["--day", &day, "--checkpoint", note, "--out", out],
        );
        assert!(!Path::new(out).exists());
        (done.status.code(), told(&done))
    };
    let world = World::new(&announced());
    for (by, after_s, words) in [
        (&["w1"][..], 60, "quorum"),
        (&["w1", "w2"], -1, "was not cosigned after"),
        (&["w1", "w1", "w2"], 60, "several lines"),
    ] {
        let note = world.cosigned("note", by, after_s);
        let (code, told) = failed(&world, &note);
        assert_eq!(code, Some(3), "{told}");
        assert!(told.contains(words), "{told}");
    }
    // A mirror keeps no cosigned checkpoints.
    let done = world.run("sample", &["--day", &day, "--out", "/dev/null"]);
    assert_eq!(done.status.code(), Some(2), "{}", told(&done));
    // Announced when the day was over.
    let mut late = World::new("# no day yet\n");
    late.it.admit("g1+g2", policy(&announced()));
    late.size = late.it.size();
    late.write();
    let (code, told) = failed(&late, &late.cosigned("note", &["w1", "w2"], 60));
    assert_eq!(code, Some(3), "{told}");
    assert!(told.contains("no policy in the log announces"), "{told}");
}

#[test]
fn an_audit_says_how_much_of_a_plan_was_done() {
    let other = format!("# sampling {DAY} plots=9 trees=4 strata=none\n");
    let mut world = World::new(&(announced() + &other));
    let bytes = world.sample(&world.cosigned("note", &["w1", "w2"], 3 * 3600));
    let (plan, digest) = (json(&bytes), Digest::from_bytes(sha256(&bytes)));
    let file = world.path("plan.json");
    let visits = plan["visits"].as_array().unwrap().clone();
    let planned = |visit: &Value| visit["serials"].as_array().unwrap().len() as u32;
    let plot = |visit: &Value| visit["plot"].as_u64().unwrap() as u32;
    // All but the last, of which one tree is left out; a quarter is dead. And a plot that was not drawn.
    let (last, first) = visits.split_last().unwrap();
    for visit in first {
        world.survey(plot(visit), digest, planned(visit) - 1, 1);
    }
    world.survey(plot(last), digest, planned(last) - 1, 0);
    let drawn: Vec<u32> = visits.iter().map(plot).collect();
    let undrawn = (1..=12).find(|it| !drawn.contains(it)).unwrap();
    let elsewhere = world.survey(undrawn, digest, 5, 0);
    world.it.cover();
    world.write();
    let args = ["--plan", file.to_str().unwrap(), "--as-of", "2027-09-01"];
    let report = world.audit(&args);
    let row = &report["plans"][0];
    assert_eq!(row["digest"], digest.to_string());
    assert_eq!(row["outcome"], "holds");
    assert_eq!(row["plots_done"], visits.len() - 1);
    assert_eq!(
        row["trees"].as_u64().unwrap() - 1,
        row["trees_looked_for"].as_u64().unwrap()
    );
    assert_eq!(
        (&row["surveys"], &row["surveys_elsewhere"]),
        (&(visits.len() + 1).into(), &1.into())
    );
    assert_eq!(row["alive_share"], Value::Null, "not all was done");
    assert_eq!(finding(&report, "plan_visits_missing").unwrap()["cases"], 1);
    let found = finding(&report, "plan_surveys_elsewhere").unwrap();
    assert_eq!(found["items"][0]["indexes"], serde_json::json!([elsewhere]));
    assert!(finding(&report, "plan_seed_late").is_some());
    assert_eq!(finding(&report, "plan_of_several").unwrap()["cases"], 1);
    assert!(finding(&report, "plan_differs").is_none());
    // Found by its digest, whatever its name, among files of evidence; and early on nothing is missing yet.
    let folder = world.path("files");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("one of many"), &bytes).unwrap();
    let report = world.audit(&[
        "--evidence",
        folder.to_str().unwrap(),
        "--as-of",
        "2026-12-01",
    ]);
    assert_eq!(report["plans"][0]["digest"], digest.to_string());
    assert!(finding(&report, "plan_visits_missing").is_none());

    // The last tree is looked for too: the whole plan is done, and its estimate speaks of all trees.
    world.survey(plot(last), digest, 0, 1);
    world.write();
    let report = world.audit(&args);
    let row = &report["plans"][0];
    assert_eq!(row["plots_done"], visits.len());
    let share = row["alive_share"]["estimate"].as_f64().unwrap();
    let hits = |visit: &Value| visit["hits"].as_f64().unwrap();
    let alive = visits
        .iter()
        .map(|it| hits(it) * f64::from(planned(it) - 1) / f64::from(planned(it)));
    assert!((share - alive.sum::<f64>() / 6.0).abs() < 1e-12);

    // A plan that was made up, with the survey that names it.
    let mut made_up = plan;
    made_up["visits"][0]["plot"] = undrawn.into();
    let made_up = serde_json::to_vec_pretty(&made_up).unwrap();
    std::fs::write(&file, &made_up).unwrap();
    let report = world.audit(&args);
    assert_eq!(report["plans"][0]["outcome"], "false");
    assert_eq!(
        finding(&report, "plan_differs").unwrap()["severity"],
        "high"
    );
}

/// A square of some 100 m around the middle of a plot; of plot 2 one of 50 m, of plot 3 one far away, of plot 4 no outline.
fn outline(plot: u32) -> String {
    let (north, east) = (
        30.0 + 0.1 * f64::from(plot),
        -110.0 + if plot == 3 { 1.0 } else { 0.0 },
    );
    let half = if plot == 2 { 0.00025 } else { 0.0005 };
    let (south, top) = (north - half, north + half);
    let (west, right) = (east - half * 1.1, east + half * 1.1);
    match plot {
        4 => "<kml/>".to_owned(),
        _ => format!(
            r#"{{"type": "Feature", "properties": {{}}, "geometry": {{"type": "Polygon", "coordinates": [[[{west}, {south}], [{right}, {south}], [{right}, {top}], [{west}, {top}], [{west}, {south}]]]}}}}"#
        ),
    }
}

fn outline_digest(plot: u32) -> Digest {
    Digest::from_bytes(sha256(outline(plot)))
}

#[test]
fn files_are_held_against_digests_and_outlines_against_areas() {
    let world = World::new(&announced());
    let (files, outlines) = (world.path("files"), world.path("outlines"));
    std::fs::create_dir_all(files.join("deep/er")).unwrap();
    std::fs::create_dir(&outlines).unwrap();
    let write = |path: PathBuf, text: &str| std::fs::write(path, text).unwrap();
    // Found by its digest; one of them twice, which is one digest.
    write(files.join("holiday.jpg"), "a file: planting 1/1");
    write(files.join("deep/er/copy.jpg"), "a file: planting 1/1");
    write(files.join("deep/method"), "a file: method");
    // A name that is the digest, and another content.
    write(
        files.join(format!("{}.jpg", file("planting 5/1"))),
        "a file: planting 5/1, mended",
    );
    write(files.join("unknown"), "of no record");
    // Neither is read through a link, nor a pipe.
    write(world.path("outside"), "a file: planting 6/1");
    std::os::unix::fs::symlink(world.path("outside"), files.join("link")).unwrap();
    std::os::unix::fs::symlink(&files, files.join("deep/round")).unwrap();
    assert!(
        std::process::Command::new("mkfifo")
            .arg(files.join("pipe"))
            .status()
            .unwrap()
            .success()
    );
    for plot in 1..=4 {
        write(outlines.join(format!("{plot}.geojson")), &outline(plot));
    }
    let (files, outlines) = (files.to_str().unwrap(), outlines.to_str().unwrap());
    // The same folder twice is read once.
    let report = world.audit(&[
        "--evidence",
        files,
        "--evidence",
        files,
        "--outlines",
        outlines,
    ]);
    let row = &report["evidence"];
    assert_eq!(
        (&row["files"], &row["files_unread"]),
        (&9.into(), &2.into()),
        "{row}"
    );
    assert_eq!(row["links_not_followed"], 4);
    // 13 plantings (one of them of plot 2 is the second), a method's document, four outlines.
    assert_eq!(
        (&row["digests"], &row["held"]),
        (&18.into(), &6.into()),
        "{row}"
    );
    assert_eq!(
        (&row["missing"], &row["differing"]),
        (&11.into(), &1.into())
    );
    assert_eq!(row["files_of_no_record"], 2);
    assert_eq!(
        row["kinds"]["planting"],
        serde_json::json!({"digests": 13, "held": 1})
    );
    let outcomes: Vec<&Value> = row["outlines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["outcome"])
        .collect();
    assert_eq!(
        outcomes,
        ["holds", "false", "false", "not_that_kind"],
        "{row}"
    );
    let area = row["outlines"][0]["outline_area_m2"].as_f64().unwrap();
    // 110.85 m by 106.0 m: a degree is 110,852 m and 96,200 m there.
    assert!((area / 11_740.0 - 1.0).abs() < 5e-3, "{area}");
    let subjects = |code: &str| {
        let found =
            finding(&report, code).unwrap_or_else(|| panic!("{code}: {}", report["findings"]));
        let items = found["items"].as_array().unwrap();
        let subjects = items
            .iter()
            .map(|it| it["subject"].as_str().unwrap().to_owned());
        (
            found["severity"].as_str().unwrap().to_owned(),
            subjects.collect::<Vec<_>>(),
        )
    };
    let (severity, differs) = subjects("evidence_differs");
    assert_eq!((severity.as_str(), differs.len()), ("high", 1));
    assert!(differs[0].starts_with("planting on plot 5"), "{differs:?}");
    assert_eq!(subjects("evidence_missing").1.len(), 11);
    assert_eq!(
        subjects("outline_differs"),
        ("high".into(), vec!["plot 2".into(), "plot 3".into()])
    );
    assert_eq!(
        subjects("outline_not_geojson"),
        ("low".into(), vec!["plot 4".into()])
    );
    // Without files, nothing is said of them.
    let report = world.audit(&[]);
    assert_eq!(report["evidence"], Value::Null);
    assert!(finding(&report, "evidence_missing").is_none());
    // A folder that is not there could not be checked.
    let done = world.run("audit", &["--evidence", "/nowhere/at/all"]);
    assert_eq!(done.status.code(), Some(3), "{}", told(&done));
}

/// Pictures that are made here: trees as dark ellipses on a slope.
#[cfg(feature = "pictures")]
mod pictures {
    use super::*;
    use image::codecs::jpeg::JpegEncoder;
    use image::imageops::FilterType;
    use image::{ImageFormat, Rgb, RgbImage};

    fn scene(number: u32) -> RgbImage {
        let tree = |place: u32| {
            let bytes = sha256(format!("tree {number} {place}"));
            let part = |at: usize| f64::from(bytes[at]) / 255.0;
            (
                part(0) * 640.0,
                part(1) * 480.0,
                20.0 + 60.0 * part(2),
                part(3) * 255.0,
            )
        };
        let trees: Vec<_> = (0..40).map(tree).collect();
        RgbImage::from_fn(640, 480, |x, y| {
            let (x, y) = (f64::from(x), f64::from(y));
            let over = trees.iter().rev().find(|(east, north, wide, _)| {
                ((x - east) / wide).powi(2) + ((y - north) / wide * 0.7).powi(2) < 1.0
            });
            let grey = over.map_or(x * 0.2 + y * 0.1, |it| it.3) as u8;
            Rgb([grey, grey.saturating_add(20), grey / 2])
        })
    }

    fn jpeg(picture: &RgbImage, quality: u8) -> Vec<u8> {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, quality)
            .encode_image(picture)
            .unwrap();
        bytes
    }

    fn png(picture: &RgbImage) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    /// A PNG whose head says that it is 60,000 pixels wide and high: 10 GB, in a hundred bytes.
    fn bomb() -> Vec<u8> {
        let mut bytes = png(&RgbImage::new(1, 1));
        bytes[16..20].copy_from_slice(&60_000_u32.to_be_bytes());
        bytes[20..24].copy_from_slice(&60_000_u32.to_be_bytes());
        // The checksum of the head.
        let mut crc = u32::MAX;
        for byte in &bytes[12..29] {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1));
            }
        }
        bytes[29..33].copy_from_slice(&(!crc).to_be_bytes());
        bytes
    }

    #[test]
    fn photographs_that_were_saved_again_are_a_hint() {
        let mut world = World::new(&announced());
        let first = scene(0);
        let small = image::imageops::resize(&first, 320, 240, FilterType::Triangle);
        let mut pictures = vec![
            jpeg(&first, 90),
            jpeg(&small, 50),
            png(&first),
            bomb(),
            png(&RgbImage::new(90, 90)),
        ];
        pictures.extend((1..=20).map(|number| jpeg(&scene(number), 80)));
        let folder = world.path("files");
        std::fs::create_dir(&folder).unwrap();
        let mut indexes = Vec::new();
        for (next, (number, bytes)) in (56..).zip(pictures.iter().enumerate()) {
            std::fs::write(folder.join(number.to_string()), bytes).unwrap();
            let planting = Planting {
                evidence: Digest::from_bytes(sha256(bytes)),
                planted_from: TODAY,
                planted_until: TODAY,
                ..statements::planting(11, next, 1, 0)
            };
            indexes.push(world.it.admit("planter", planting));
        }
        world.write();
        let report = world.audit(&["--evidence", folder.to_str().unwrap()]);
        let row = &report["evidence"]["pictures"];
        let expected = serde_json::json!({"compared": 23, "plain": 1, "unread": 1, "alike": 3});
        assert_eq!(*row, expected, "{}", report["findings"]);
        let found = finding(&report, "photographs_alike").unwrap();
        assert_eq!(found["severity"], "low");
        let items = found["items"].as_array().unwrap();
        let pairs = items
            .iter()
            .flat_map(|it| it["indexes"].as_array().unwrap());
        let pairs: std::collections::BTreeSet<u64> = pairs.map(|it| it.as_u64().unwrap()).collect();
        assert_eq!(pairs, indexes[..3].iter().map(|it| it.0).collect());
    }
}

#[test]
fn the_words_of_an_audit_say_it_too() {
    let world = World::new(&announced());
    let bytes = world.sample(&world.cosigned("note", &["w1", "w2"], 60));
    let (log, vkey) = (world.path("log"), forge::vkey("log").to_string());
    let plan = world.path("plan.json");
    let words = run_ok(&[
        "audit",
        log.to_str().unwrap(),
        "--log",
        &vkey,
        "--plan",
        plan.to_str().unwrap(),
    ]);
    let digest = Digest::from_bytes(sha256(bytes));
    let line = words
        .lines()
        .find(|line| line.starts_with("plan "))
        .unwrap();
    assert!(
        line.starts_with(&format!(
            "plan {digest} of {DAY}: it is what the log gives, 0 of "
        )),
        "{line}"
    );
}
