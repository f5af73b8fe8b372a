//! What became of each line: counted, kept in the work folder, and told.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::sender::row_outcome;
use crate::cli::{Done, Failure, say};
use arborlog::client::LineOutcome;
use arborlog::durable::replace_with;
use arborlog::import::{LineFate, RowOutcome, STATION_REPEATED, SpelledStation};
use arborlog::record::{Grams, Index};

/// The note of trips whose station stands at several places.
pub const TRIPS_AT_REPEATED_STATIONS: &str = "trips_at_repeated_stations";

/// Lines of files, by what became of them: read = admitted + already in + refused + set aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    pub read: u64,
    pub admitted: u64,
    pub already_in: u64,
    pub refused: u64,
    pub set_aside: u64,
}

impl LineCounts {
    /// How many lines are accounted for.
    fn told(&self) -> u64 {
        self.admitted + self.already_in + self.refused + self.set_aside
    }
}

/// Tells what became of the lines of an import that stopped.
fn stopped(what: &str, lines: &LineCounts, failure: Failure) -> Failure {
    let LineCounts {
        read,
        admitted,
        already_in,
        refused,
        set_aside,
    } = *lines;
    // Before all lines are read, nothing is sent, and how many there are is not known.
    if read == 0 {
        return failure;
    }
    let not_known = read.saturating_sub(lines.told());
    let finds_out = match not_known {
        0 => "",
        _ => {
            ": what tells of these was not sent, or was not proven to be in. The next run finds out"
        }
    };
    errln!(
        "{what}: stopped. {read} lines read: {admitted} admitted, {already_in} already in, {refused} refused, {set_aside} set aside, {not_known} not known{finds_out}"
    );
    [
        ("read", read),
        ("admitted", admitted),
        ("already_in", already_in),
        ("refused", refused),
        ("set_aside", set_aside),
        ("not_known", not_known),
    ]
    .into_iter()
    .fold(failure, |failure, (name, count)| {
        failure.knowing(name, count)
    })
}

/// What an import came to.
#[derive(Default)]
pub struct ImportSummary {
    pub lines: LineCounts,
    /// Lines set aside, by reason.
    reasons: BTreeMap<String, u64>,
    /// Records that were sent now and are in.
    pub records_admitted: u64,
    /// Records that the ledger's rules refused.
    pub records_refused: u64,
    /// A table beside the main one, such as that of stations: its name and lines.
    beside: Option<Beside>,
    notes: Vec<Note>,
    /// All lines in a file without a name, if they are to be told.
    told: Option<ToldLines>,
    set_aside: Option<PathBuf>,
    /// Stations that trips name in another spelling than the file of stations.
    spelled: Vec<SpelledStation>,
    /// Reversals of this run, as objects.
    reversals: Vec<Value>,
    /// Where they are kept.
    reversals_file: Option<PathBuf>,
}

/// A trip whose award is taken back, since it overlaps another of the same bicycle.
pub struct ReversedTrip {
    /// The entry of its award.
    pub award: Index,
    /// Its line, if the file has it.
    pub line: Option<u64>,
    /// The award of the trip that stands.
    pub standing: Index,
    /// The line of that one, if the file has it.
    pub standing_line: Option<u64>,
    /// The points that are taken back.
    pub points: Grams,
}

/// What an import can't know, or did not say, and how often.
struct Note {
    name: &'static str,
    count: u128,
    words: &'static str,
}

struct Beside {
    what: &'static str,
    read: u64,
    used: u64,
    set_aside: Vec<Value>,
}

/// Takes what becomes of each line, in any order.
pub struct Report {
    what: &'static str,
    work: PathBuf,
    lines: LineCounts,
    reasons: BTreeMap<String, u64>,
    beside: Option<Beside>,
    notes: Vec<Note>,
    /// Lines that did not go in, as NDJSON.
    not_in: BufWriter<File>,
    told: Option<ToldLines>,
    failed: Option<io::Error>,
    spelled: Vec<SpelledStation>,
    reversals: Vec<Value>,
}

/// Lines as JSON objects, in the order in which they were told.
struct ToldLines {
    spool: BufWriter<File>,
    end: u64,
    files: Vec<String>,
    /// The place in `files`, the line, and where its object begins.
    places: Vec<(u32, u64, u64)>,
}

impl Report {
    /// A report on a kind of lines; its files are in the work folder.
    pub fn new(what: &'static str, work: &Path, json: bool) -> Result<Self, Failure> {
        let told = json
            .then(|| {
                Ok::<_, io::Error>(ToldLines {
                    spool: BufWriter::new(tempfile::tempfile_in(work)?),
                    end: 0,
                    files: Vec::new(),
                    places: Vec::new(),
                })
            })
            .transpose()?;
        Ok(Self {
            what,
            work: work.to_owned(),
            lines: LineCounts::default(),
            reasons: BTreeMap::new(),
            beside: None,
            notes: Vec::new(),
            not_in: BufWriter::new(tempfile::tempfile_in(work)?),
            told,
            failed: None,
            spelled: Vec::new(),
            reversals: Vec::new(),
        })
    }

    /// Takes how many lines were read, once all were: [`Self::finish`] accounts for each.
    pub fn read(&mut self, lines: u64) {
        self.lines.read = lines;
    }

    /// Notes under which other spellings trips name stations.
    pub fn spelled(&mut self, stations: Vec<SpelledStation>) {
        self.spelled = stations;
    }

    /// Takes what became of the reversal of a trip's award.
    pub fn reversed(&mut self, trip: &ReversedTrip, outcome: &LineOutcome) {
        let mut object = json!({
            "award": trip.award, "line": trip.line, "points": trip.points,
            "standing": trip.standing, "standing_line": trip.standing_line,
        });
        let fields = match row_outcome(outcome) {
            RowOutcome::Admitted(index) => json!({"outcome": "admitted", "index": index}),
            RowOutcome::AlreadyIn(index) => json!({"outcome": "already_in", "index": index}),
            RowOutcome::Refused { code, detail } => {
                json!({"outcome": "refused", "code": code, "detail": detail})
            }
            RowOutcome::SetAside(reason, detail) => {
                json!({"outcome": "set_aside", "reason": reason, "detail": detail})
            }
        };
        if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
            object.extend(fields);
        }
        self.reversals.push(object);
    }

    /// How an import ends that could not be done to its end: with what became of each line, as far as
    /// that is known. The others may be in or not.
    pub fn stopped(self, failure: Failure) -> Failure {
        stopped(self.what, &self.lines, failure)
    }

    /// Takes a line. An error of the files is kept for [`Self::finish`].
    pub fn tell(&mut self, fate: &LineFate) {
        let object = self.object(fate);
        match &fate.outcome {
            RowOutcome::Admitted(_) => self.lines.admitted += 1,
            RowOutcome::AlreadyIn(_) => self.lines.already_in += 1,
            RowOutcome::Refused { .. } => self.lines.refused += 1,
            RowOutcome::SetAside(reason, _) => {
                self.lines.set_aside += 1;
                *self.reasons.entry((*reason).to_owned()).or_default() += 1;
            }
        }
        if let Some(told) = &mut self.told
            && let Err(error) = told.add(fate, &object)
        {
            self.failed.get_or_insert(error);
        }
    }

    /// Takes a line of a table beside the main one that was set aside.
    pub fn tell_beside(&mut self, what: &'static str, fate: &LineFate) {
        let object = self.object(fate);
        let beside = self.beside.get_or_insert_with(|| Beside::new(what));
        beside.set_aside.push(object);
    }

    /// Sets how many lines of the table beside were read, and how many were of use.
    pub fn read_beside(&mut self, what: &'static str, read: u64, used: u64) {
        let beside = self.beside.get_or_insert_with(|| Beside::new(what));
        (beside.read, beside.used) = (read, used);
    }

    /// Notes what an import can't know, or did not say, with a stable name.
    pub fn note(&mut self, name: &'static str, count: u128, words: &'static str) {
        self.notes.push(Note { name, count, words });
    }

    fn object(&mut self, fate: &LineFate) -> Value {
        let LineFate {
            file,
            line,
            id,
            outcome,
        } = fate;
        let mut object = json!({"file": file, "line": line});
        let fields = match outcome {
            RowOutcome::Admitted(index) => json!({"outcome": "admitted", "index": index}),
            RowOutcome::AlreadyIn(index) => json!({"outcome": "already_in", "index": index}),
            RowOutcome::Refused { code, detail } => {
                json!({"outcome": "refused", "id": id, "code": code, "detail": detail})
            }
            RowOutcome::SetAside(reason, detail) => {
                json!({"outcome": "set_aside", "id": id, "reason": reason, "detail": detail})
            }
        };
        if let (Some(object), Value::Object(fields)) = (object.as_object_mut(), fields) {
            object.extend(fields);
        }
        let is_in = matches!(outcome, RowOutcome::Admitted(_) | RowOutcome::AlreadyIn(_));
        if !is_in && let Err(error) = writeln!(self.not_in, "{object}") {
            self.failed.get_or_insert(error);
        }
        object
    }

    /// Checks that each line that was read is accounted for, and keeps those that did not go in.
    pub fn finish(
        mut self,
        records_admitted: u64,
        records_refused: u64,
    ) -> Result<ImportSummary, Failure> {
        let (read, told) = (self.lines.read, self.lines.told());
        if told != read {
            let fault = anyhow::anyhow!(
                "of {read} lines that were read, {told} are accounted for: this is a fault of arborlog. What was sent is in"
            );
            return Err(self.stopped(fault.into()));
        }
        let path = self.work.join(format!("{}.set-aside.ndjson", self.what));
        // All is sent: a full disk costs the file, never the sums.
        if let Err(failure) = self.keep_not_in(&path) {
            let what = format!(
                "the list of the lines that are not in can't be kept; the sums hold. Give {} room, or name another folder with --work, and run the same command again",
                path.display()
            );
            return Err(stopped(self.what, &self.lines, failure.saying(what)));
        }
        let reversals_file = match self.reversals.is_empty() {
            true => None,
            false => Some(self.work.join(format!("{}.reversed.ndjson", self.what))),
        };
        if let Some(path) = &reversals_file {
            let kept = replace_with(path, |file| {
                self.reversals
                    .iter()
                    .try_for_each(|object| writeln!(file, "{object}"))
            });
            if let Err(error) = kept {
                let what = format!(
                    "the list of the awards that were reversed can't be kept; the sums hold. Give {} room, or name another folder with --work, and run the same command again",
                    path.display()
                );
                return Err(stopped(
                    self.what,
                    &self.lines,
                    Failure::from(error).saying(what),
                ));
            }
        }
        if read == 0 {
            errln!(
                "warning: the files of {} have no line but the header, so nothing was sent. If they should have lines, look at what writes them",
                self.what
            );
        }
        let LineCounts {
            admitted,
            already_in,
            refused,
            set_aside,
            ..
        } = self.lines;
        let beside = self.beside.as_ref().map_or_else(String::new, |beside| {
            let (read, set_aside) = (beside.read, beside.set_aside.len());
            format!("; of {read} {} {set_aside} set aside", beside.what)
        });
        errln!(
            "{}: {read} lines read: {admitted} admitted, {already_in} already in, {refused} refused, {set_aside} set aside{beside}",
            self.what
        );
        Ok(ImportSummary {
            lines: self.lines,
            reasons: self.reasons,
            records_admitted,
            records_refused,
            beside: self.beside,
            notes: self.notes,
            told: self.told,
            set_aside: Some(path),
            spelled: self.spelled,
            reversals: self.reversals,
            reversals_file,
        })
    }

    fn keep_not_in(&mut self, path: &Path) -> Result<(), Failure> {
        if let Some(error) = self.failed.take() {
            return Err(error.into());
        }
        self.not_in.flush()?;
        let not_in = self.not_in.get_mut();
        not_in.rewind()?;
        replace_with(path, |file| io::copy(not_in, file).map(drop))?;
        Ok(())
    }
}

impl Beside {
    fn new(what: &'static str) -> Self {
        Self {
            what,
            read: 0,
            used: 0,
            set_aside: Vec::new(),
        }
    }
}

impl ToldLines {
    fn add(&mut self, fate: &LineFate, object: &Value) -> io::Result<()> {
        let place = match self.files.iter().position(|file| *file == fate.file) {
            Some(place) => place,
            None => {
                self.files.push(fate.file.clone());
                self.files.len() - 1
            }
        };
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        self.places.push((place, fate.line, self.end));
        let text = format!("{object}\n");
        self.end += text.len() as u64;
        self.spool.write_all(text.as_bytes())
    }

    /// Prints them in the order of files and lines, each on a line of text.
    fn print(self) -> io::Result<()> {
        let spool = self.spool.into_inner();
        let mut spool = BufReader::new(spool.map_err(io::IntoInnerError::into_error)?);
        let mut places = self.places;
        places.sort_unstable();
        let (mut at, mut text) = (None, String::new());
        for (number, (.., begin)) in places.iter().enumerate() {
            if at != Some(*begin) {
                spool.seek(SeekFrom::Start(*begin))?;
            }
            text.clear();
            let read = spool.read_line(&mut text)?;
            at = Some(begin + read as u64);
            let comma = if number + 1 < places.len() { "," } else { "" };
            outln!("{}{comma}", text.trim_end());
        }
        Ok(())
    }
}

impl ImportSummary {
    /// Whether every line is in, and every record that follows from them. A station that repeats
    /// another one counts where a trip is of it.
    pub fn all_in(&self) -> bool {
        let mut notes = self.notes.iter();
        let repeated_used = notes.any(|note| note.name == TRIPS_AT_REPEATED_STATIONS);
        let unused = |line: &Value| line["reason"] == STATION_REPEATED && !repeated_used;
        let beside = self.beside.as_ref();
        self.lines.refused + self.lines.set_aside + self.records_refused == 0
            && beside.is_none_or(|beside| beside.set_aside.iter().all(unused))
    }

    /// Prints what the import came to; an error if not all went in.
    pub fn print(self, json: bool) -> Done {
        let all_in = self.all_in();
        let not_in = self.set_aside.clone();
        if json {
            self.print_json()?;
        } else {
            self.print_words();
        }
        if all_in {
            return Ok(());
        }
        let place = not_in.map_or_else(String::new, |path| format!(": see {}", path.display()));
        Err(Failure::not_all_in(format!("not all lines are in{place}")))
    }

    fn print_words(&self) {
        let LineCounts {
            read,
            admitted,
            already_in,
            refused,
            set_aside,
        } = self.lines;
        say(
            false,
            format!(
                "{read} lines read: {admitted} admitted, {already_in} already in, {refused} refused, {set_aside} set aside"
            ),
        );
        if let Some(beside) = &self.beside {
            outln!(
                "{} {}: {} used, {} set aside",
                beside.read,
                beside.what,
                beside.used,
                beside.set_aside.len()
            );
        }
        outln!(
            "{} records admitted, {} refused",
            self.records_admitted,
            self.records_refused
        );
        for spelled in &self.spelled {
            let SpelledStation {
                station,
                listed,
                given,
                trips,
            } = spelled;
            outln!(
                "{trips:>8} trips name station {station} {given:?}, and the file of stations {listed:?}: taken for one station"
            );
        }
        if let Some(path) = &self.reversals_file {
            outln!(
                "{:>8} awards of trips that overlap another are taken back: {} names their lines",
                self.reversals.len(),
                path.display()
            );
        }
        for Note { count, words, .. } in &self.notes {
            outln!("{count:>8} {words}");
        }
        for (reason, rows) in &self.reasons {
            outln!("{rows:>8} lines set aside: {reason}");
        }
    }

    fn print_json(self) -> Result<(), Failure> {
        let mut sums = json!({
            "read": self.lines.read,
            "admitted": self.lines.admitted,
            "already_in": self.lines.already_in,
            "refused": self.lines.refused,
            "set_aside": self.lines.set_aside,
            "reasons": self.reasons,
            "records": {"admitted": self.records_admitted, "refused": self.records_refused},
            "set_aside_file": self.set_aside,
        });
        if let (Some(sums), false) = (sums.as_object_mut(), self.reversals.is_empty()) {
            sums.insert("reversals".to_owned(), self.reversals.into());
        }
        if let (Some(sums), false) = (sums.as_object_mut(), self.notes.is_empty()) {
            let notes = self.notes.iter();
            // A sum beyond 64 bits is no number of JSON readers.
            let value =
                |count: u128| u64::try_from(count).map_or(count.to_string().into(), Value::from);
            let notes = notes.map(|note| (note.name.to_owned(), value(note.count)));
            sums.insert("notes".to_owned(), Value::Object(notes.collect()));
        }
        if let (Some(sums), Some(beside)) = (sums.as_object_mut(), self.beside) {
            let object = json!({
                "read": beside.read,
                "used": beside.used,
                "set_aside": beside.set_aside.len(),
                "lines": beside.set_aside,
                "spelled": self.spelled,
            });
            sums.insert(beside.what.to_owned(), object);
        }
        let sums = sums.to_string();
        // The lines are the object's last member.
        outln!("{},\"lines\":[", sums.strip_suffix('}').unwrap_or(&sums));
        if let Some(told) = self.told {
            told.print()?;
        }
        outln!("]}}");
        Ok(())
    }
}
