//! The city's register of trees, read: the trees that were added to it, and what happened to
//! trees in it.

use std::collections::BTreeMap;

use super::books::TreeBooks;
use super::cells::CITY;
use super::{AddedTable, EVENT_COLUMNS, EventTable, TreesError};
use crate::import::area::{Place, PlaceCounts};
use crate::import::csv_table::{CsvLine, CsvRow, CsvTable, SetAside};
use crate::import::dates::{DateEvidence, DateOrder, UtcTime, read_day, utc_time};
use crate::import::sf_trees::ADDED_COLUMNS;
use crate::record::Day;

/// The city's register of trees, read and ready to be planned.
pub struct TreeRegister {
    pub(super) trees: BTreeMap<u64, RegisteredTree>,
    /// Rows of added trees that say again what an earlier row of the tree says: line and tree.
    pub(super) repeats: Vec<(u64, u64)>,
    /// Lines of the events that a statement may tell of.
    pub(super) events: Vec<EventLine>,
    added_file: String,
    events_file: Option<String>,
    added_rows: u64,
    event_rows: u64,
    last_day: Option<Day>,
}

/// What the register says of a tree.
#[derive(Clone, Debug)]
pub(super) struct RegisteredTree {
    /// Its line in the table of added trees; none of a tree that only events tell of.
    pub added: Option<u64>,
    digest: [u8; 32],
    /// The planting date of that line, as it stands there.
    listed_date: String,
    pub species: String,
    /// Latitude and longitude, if they are published; else why they can't be right.
    pub location: Result<Option<(f64, f64)>, String>,
    /// The planting dates that the register gave the tree, oldest first.
    pub dates: Vec<PlantingDate>,
    /// Whether its first row says that it came back: then the table lacks an earlier one.
    pub first_is_return: bool,
    /// When its first row was written.
    pub listed: Option<UtcTime>,
    /// Its rows that say that it came back, in the order of their times.
    pub returns: Vec<ReturnRow>,
    /// When it was removed, each time once, in their order.
    pub removals: Vec<UtcTime>,
    pub commit: String,
    /// When the newest line of it so far was written, in the table of added trees.
    last_added: Option<UtcTime>,
    /// The same, in the events.
    last_event: Option<UtcTime>,
}

/// A row that says that a tree came back.
#[derive(Clone, Debug)]
pub(super) struct ReturnRow {
    pub line: u64,
    pub time: UtcTime,
    pub species: String,
    pub location: Result<Option<(f64, f64)>, String>,
    /// None where the row gives none.
    pub date: Option<PlantingDate>,
}

/// A planting date as the register gave it.
#[derive(Clone, Debug)]
pub(super) struct PlantingDate {
    pub text: String,
    /// The day that it names, once the order of the file's dates is decided.
    pub day: Option<Day>,
    /// The day on which the register gave it.
    pub published: Day,
    /// The commit of the register's history that gave it.
    pub commit: String,
    /// The line of the events that gave it; none of a date in the table of added trees.
    pub event: Option<u64>,
}

/// A line of the events that a statement may tell of.
#[derive(Clone, Copy, Debug)]
pub(super) struct EventLine {
    pub line: u64,
    pub tree: u64,
    pub about: EventAbout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventAbout {
    /// A planting date was given or altered.
    Date,
    /// The species of a tree whose species was not known yet.
    Species,
    /// The tree was removed at this time. A removal has a line for each field.
    Removal(UtcTime),
}

/// Reads the register's history. `dates` says in which order it writes day and month; without it,
/// each file has to tell.
///
/// # Errors
/// [`TreesError`]; a line that is wrong, or that no statement tells of, is no error but set aside.
pub fn read_trees(
    mut added: AddedTable,
    events: Option<EventTable>,
    dates: Option<DateOrder>,
    set_aside: &mut dyn FnMut(SetAside),
) -> Result<TreeRegister, TreesError> {
    let mut register = TreeRegister {
        trees: BTreeMap::new(),
        repeats: Vec::new(),
        events: Vec::new(),
        added_file: added.file().to_owned(),
        events_file: None,
        added_rows: 0,
        event_rows: 0,
        last_day: None,
    };
    let (mut places, mut added_dates) = (PlaceCounts::default(), DateEvidence::default());
    while let Some(line) = added.next_line()? {
        register.added_rows += 1;
        match line {
            CsvLine::Row(row) => {
                let [.., plant_date, _, _] = &row.fields;
                added_dates.see(row.line, plant_date);
                register.add(&row, &mut places, set_aside)?;
            }
            CsvLine::SetAside(row) => set_aside(row),
        }
    }
    check_whole(&added)?;
    places.check_exchanged(added.file())?;
    let order = added_dates.decide(added.file(), dates)?;
    register.read_dates(false, order);
    if let Some(mut events) = events {
        let mut event_dates = DateEvidence::default();
        register.events_file = Some(events.file().to_owned());
        register.read_events(&mut events, &mut event_dates, set_aside)?;
        check_whole(&events)?;
        let order = event_dates.decide(events.file(), dates)?;
        register.read_dates(true, order);
    }
    Ok(register)
}

impl TreeRegister {
    /// Number of trees that the files speak of.
    pub fn len(&self) -> usize {
        self.trees.len()
    }

    /// Whether none was read.
    pub fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }

    /// Number of lines that were read of both files, without empty ones.
    pub fn read(&self) -> u64 {
        self.added_rows + self.event_rows
    }

    /// How many rows the table of added trees has, and how many that of events, without their headers.
    pub fn rows(&self) -> (u64, u64) {
        (self.added_rows, self.event_rows)
    }

    /// Checks that the files have as many rows as somebody says that they have in their source.
    ///
    /// # Errors
    /// [`TreesError::Rows`].
    pub fn check_rows(&self, added: Option<u64>, events: Option<u64>) -> Result<(), TreesError> {
        let counts = [
            (self.added_file(), added, self.added_rows),
            (self.events_file(), events, self.event_rows),
        ];
        for (file, expected, found) in counts {
            if let Some(expected) = expected
                && expected != found
            {
                let file = file.to_owned();
                return Err(TreesError::Rows {
                    file,
                    expected,
                    found,
                });
            }
        }
        Ok(())
    }

    /// Drops trees that neither the table of added trees nor a date of the events tells of, and
    /// that are not in these books: nothing can be said of them.
    pub fn drop_unknown(&mut self, books: &TreeBooks) {
        let booked = books.by_id();
        self.trees.retain(|id, tree| {
            tree.added.is_some() || !tree.dates.is_empty() || booked.standing.contains_key(id)
        });
    }

    /// The newest day that the register speaks of.
    pub fn last_day(&self) -> Option<Day> {
        self.last_day
    }

    /// The file of the trees that were added.
    pub(super) fn added_file(&self) -> &str {
        &self.added_file
    }

    /// The file of events.
    pub(super) fn events_file(&self) -> &str {
        self.events_file.as_deref().unwrap_or_default()
    }

    /// Whether the history of events was read.
    pub fn has_events(&self) -> bool {
        self.events_file.is_some()
    }

    fn add(
        &mut self,
        row: &CsvRow<{ ADDED_COLUMNS.len() }>,
        places: &mut PlaceCounts,
        set_aside: &mut dyn FnMut(SetAside),
    ) -> Result<(), TreesError> {
        let [
            id,
            commit,
            committed_at,
            readded,
            species,
            plant_date,
            lat,
            long,
        ] = &row.fields;
        let mut set_aside = |reason, detail, other_line| {
            set_aside(SetAside {
                file: self.added_file.clone(),
                line: row.line,
                id: format!("tree {id}"),
                reason,
                detail,
                other_line,
            });
        };
        let location = match (lat.is_empty(), long.is_empty()) {
            (true, true) => Ok(None),
            _ => {
                let place = CITY.place(lat, long);
                places.see(row.line, place);
                let why = match place {
                    Place::Inside(lat, long) => Ok(Some((lat, long))),
                    Place::Exchanged => Err("look exchanged"),
                    Place::Outside => Err("lie outside of the city"),
                };
                why.map_err(|why| format!("latitude {lat} and longitude {long} {why}"))
            }
        };
        let Some(number) = tree_number(id) else {
            set_aside("id_missing", format!("TreeID {id:?}"), None);
            return Ok(());
        };
        let Some(published) = utc_time(committed_at) else {
            let detail = format!("committed_at {committed_at:?}");
            set_aside("date_malformed", detail, None);
            return Ok(());
        };
        let date = (!plant_date.is_empty()).then(|| PlantingDate {
            text: plant_date.clone(),
            day: None,
            published: published.day,
            commit: commit.clone(),
            event: None,
        });
        if let Some(tree) = self.trees.get_mut(&number) {
            let first = tree.added.unwrap_or_default();
            let lines = format!("lines {first} and {}", row.line);
            if tree.digest == row.digest {
                self.repeats.push((row.line, number));
                return Ok(());
            }
            if !in_order(&mut tree.last_added, published) {
                return Err(TreesError::Unordered {
                    file: self.added_file.clone(),
                    line: row.line,
                    tree: number,
                });
            }
            if readded == "1" {
                tree.returns.push(ReturnRow {
                    line: row.line,
                    time: published,
                    species: species.clone(),
                    location,
                    date,
                });
                return Ok(());
            }
            if tree.is_said_by(species, plant_date, &location) {
                self.repeats.push((row.line, number));
                return Ok(());
            }
            let detail = format!(
                "{lines} are one tree, and give it another species, planting date or place: the first counts"
            );
            set_aside("tree_repeated", detail, Some(first));
            return Ok(());
        }
        let tree = RegisteredTree {
            added: Some(row.line),
            digest: row.digest,
            listed_date: plant_date.clone(),
            species: species.clone(),
            location,
            dates: date.into_iter().collect(),
            first_is_return: readded == "1",
            listed: Some(published),
            returns: Vec::new(),
            removals: Vec::new(),
            commit: commit.clone(),
            last_added: Some(published),
            last_event: None,
        };
        self.last_day = self.last_day.max(Some(published.day));
        self.trees.insert(number, tree);
        Ok(())
    }

    fn read_events(
        &mut self,
        table: &mut EventTable,
        dates: &mut DateEvidence,
        set_aside: &mut dyn FnMut(SetAside),
    ) -> Result<(), TreesError> {
        // Trees that were in the register before the history begins, or whose row is missing.
        let mut older: BTreeMap<u64, RegisteredTree> = BTreeMap::new();
        while let Some(line) = table.next_line()? {
            self.event_rows += 1;
            let row = match line {
                CsvLine::Row(row) => row,
                CsvLine::SetAside(row) => {
                    set_aside(row);
                    continue;
                }
            };
            let [commit, committed_at, _op, id, field, old, new] = &row.fields;
            let mut set_aside = |reason, detail| {
                set_aside(SetAside {
                    file: table.file().to_owned(),
                    line: row.line,
                    id: format!("tree {id}"),
                    reason,
                    detail,
                    other_line: None,
                });
            };
            let Some(id) = tree_number(id) else {
                set_aside("id_missing", format!("TreeID {id:?}"));
                continue;
            };
            let Some(time) = utc_time(committed_at) else {
                set_aside("date_malformed", format!("committed_at {committed_at:?}"));
                continue;
            };
            self.last_day = self.last_day.max(Some(time.day));
            if field == "Latitude"
                && let Some(why) = placeholder(old).or_else(|| placeholder(new))
            {
                set_aside("place_wrong", why);
                continue;
            }
            let tree = match self.trees.get_mut(&id) {
                Some(tree) => tree,
                None => older.entry(id).or_insert_with(|| RegisteredTree {
                    added: None,
                    digest: row.digest,
                    listed_date: String::new(),
                    species: String::new(),
                    location: Ok(None),
                    dates: Vec::new(),
                    first_is_return: false,
                    listed: None,
                    returns: Vec::new(),
                    removals: Vec::new(),
                    commit: commit.clone(),
                    last_added: None,
                    last_event: None,
                }),
            };
            if !in_order(&mut tree.last_event, time) {
                return Err(TreesError::Unordered {
                    file: table.file().to_owned(),
                    line: row.line,
                    tree: id,
                });
            }
            if field == "PlantDate" {
                dates.see_replaced(old);
            }
            match tree.take(&row, time) {
                Ok(about) => {
                    if about == EventAbout::Date {
                        dates.see(row.line, new);
                    }
                    self.events.push(EventLine {
                        line: row.line,
                        tree: id,
                        about,
                    });
                }
                Err(why) => set_aside("not_stated", why),
            }
        }
        // Of those whose planting date the history does not tell, a removal can be said if they are
        // in the books.
        older.retain(|_, tree| !tree.dates.is_empty() || !tree.removals.is_empty());
        self.trees.extend(older);
        Ok(())
    }

    /// Reads the dates of one of the files in the order that was decided.
    fn read_dates(&mut self, of_events: bool, order: DateOrder) {
        let dates = self.trees.values_mut().flat_map(|tree| {
            let of_returns = tree.returns.iter_mut().filter_map(|row| row.date.as_mut());
            tree.dates.iter_mut().chain(of_returns)
        });
        for date in dates.filter(|date| date.event.is_some() == of_events) {
            date.day = read_day(&date.text, order);
        }
    }
}

/// Checks that a table was not cut: to be asked once all its lines were read.
fn check_whole<const N: usize>(table: &CsvTable<N>) -> Result<(), TreesError> {
    match table.cut_line() {
        None => Ok(()),
        Some(line) => Err(TreesError::Cut {
            file: table.file().to_owned(),
            line,
        }),
    }
}

/// Whether a line is no earlier than those before it; then it is the newest.
fn in_order(newest: &mut Option<UtcTime>, time: UtcTime) -> bool {
    let in_order = newest.is_none_or(|newest| newest <= time);
    *newest = (*newest).max(Some(time));
    in_order
}

impl RegisteredTree {
    /// Whether a further row of the table of added trees says of it what its first row said, whenever and
    /// by which commit it was written.
    fn is_said_by(
        &self,
        species: &str,
        plant_date: &str,
        location: &Result<Option<(f64, f64)>, String>,
    ) -> bool {
        self.species == species && self.listed_date == plant_date && self.location == *location
    }

    /// Takes an event of the register's history; gives what it is about, or why no statement
    /// tells of it.
    fn take(
        &mut self,
        row: &CsvRow<{ EVENT_COLUMNS.len() }>,
        time: UtcTime,
    ) -> Result<EventAbout, String> {
        let [commit, _committed_at, op, _id, field, old, new] = &row.fields;
        match (op.as_str(), field.as_str()) {
            ("change", "PlantDate") if !new.is_empty() => {
                self.dates.push(PlantingDate {
                    text: new.clone(),
                    day: None,
                    published: time.day,
                    commit: commit.clone(),
                    event: Some(row.line),
                });
                Ok(EventAbout::Date)
            }
            ("change", "PlantDate") => Err("no statement takes a planting date back".to_owned()),
            ("change", "qSpecies") if self.species.is_empty() => {
                self.species.clone_from(new);
                Ok(EventAbout::Species)
            }
            ("remove", field) => {
                if self.removals.last() != Some(&time) {
                    self.removals.push(time);
                }
                if field == "qSpecies" && self.species.is_empty() {
                    self.species.clone_from(old);
                }
                Ok(EventAbout::Removal(time))
            }
            ("add", _) => Err("the table of added trees tells of it".to_owned()),
            (_, field) => Err(format!("no statement tells of a change of {field}")),
        }
    }
}

/// A tree's id, of digits alone.
fn tree_number(id: &str) -> Option<u64> {
    let only_digits = id.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| id.parse().ok()).flatten()
}

/// What is wrong with a latitude that is there and not in the city.
fn placeholder(lat: &str) -> Option<String> {
    let degrees: f64 = lat.parse().ok()?;
    (!(CITY.south..=CITY.north).contains(&degrees))
        .then(|| format!("latitude {lat} lies outside of the city: a placeholder"))
}
