//! San Francisco's street trees as plots, plantings and corrections.
//!
//! A tree goes in with the first planting date that the city's register gave it. Trees that share
//! cell, species and date are one planting. A date that was altered later is a void and a new
//! planting; a removal is a loss, and a return of the tree a void of that loss.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;

use sha2::{Digest as _, Sha256};

use crate::import::csv_table::{CsvRow, CsvTable, CsvTableError, SetAside};
use crate::import::serials::{self, SerialsExhausted};
use crate::import::species::SpeciesList;
use crate::record::{
    CarbonRights, Day, Digest, Latitude, Longitude, Planting, Plot, PlotNumber, Serial,
    SpeciesCode, Statement,
};

/// Cells of 0.01° are the plots: some 1.11 km by 0.88 km.
const CELLS_PER_DEGREE: f64 = 100.0;
/// From the middle of a cell to its corner, rounded up.
const CELL_RADIUS_M: u32 = 720;
const CELL_AREA_M2: u64 = 979_000;
/// The plot of trees whose place is not published.
const UNLOCATED: PlotNumber = PlotNumber(1);
const CITY_RADIUS_M: u32 = 9_000;
const CITY_AREA_M2: u64 = 121_000_000;
/// Far denser than street trees are, and still a bound.
const TREES_PER_HA_MAX: u32 = 400;
/// Coordinates outside of these are placeholders, such as latitude 47.27.
const CITY_LAT: std::ops::Range<f64> = 37.60..37.90;
const CITY_LONG: std::ops::Range<f64> = -122.60..-122.30;

/// The columns that a table of added trees must have.
pub const ADDED_COLUMNS: [&str; 8] = [
    "TreeID",
    "commit",
    "committed_at",
    "readded",
    "qSpecies",
    "PlantDate",
    "Latitude",
    "Longitude",
];
/// The columns that a table of events must have.
pub const EVENT_COLUMNS: [&str; 7] = [
    "commit",
    "committed_at",
    "op",
    "TreeID",
    "field",
    "old",
    "new",
];

type AddedTable = CsvTable<{ ADDED_COLUMNS.len() }>;
type EventTable = CsvTable<{ EVENT_COLUMNS.len() }>;

/// By what trees are judged.
pub struct TreesConfig<'a> {
    /// Nothing was planted after this day.
    pub today: Day,
    /// The species that the method has.
    pub species: &'a SpeciesList,
}

/// What the register says of a tree.
#[derive(Clone, Debug)]
struct RegisteredTree {
    file: String,
    row: usize,
    digest: [u8; 32],
    species: String,
    /// Latitude and longitude, if they are published; else why they can't be right.
    location: Result<Option<(f64, f64)>, String>,
    /// The planting dates that the register gave the tree, oldest first.
    dates: Vec<PlantingDate>,
    removed: Option<Day>,
    returned: bool,
    commit: String,
}

/// A planting date as the register gave it.
#[derive(Clone, Debug)]
struct PlantingDate {
    text: String,
    /// The day on which the register gave it.
    published: Day,
    /// The commit of the register's history that gave it.
    commit: String,
}

/// The city's register of trees, read and ready to be planned.
#[derive(Default)]
pub struct TreeRegister {
    trees: BTreeMap<u64, RegisteredTree>,
    /// Rows that do not go in.
    pub set_aside: Vec<SetAside>,
    last_day: Option<Day>,
}

/// A planting with what happens to it later.
#[derive(Clone, Debug)]
pub struct PlannedPlanting {
    /// The statement.
    pub planting: Planting,
    /// What is put right later.
    pub correction: Option<TreeCorrection>,
}

/// What is put right about a planting.
#[derive(Clone, Debug)]
pub enum TreeCorrection {
    /// The trees were removed from the register, and may have come back.
    Lost {
        /// The day of their removal.
        on: Day,
        /// Whether they came back.
        returned: bool,
    },
    /// The date was altered: this planting is voided, and that one takes its place.
    Redated(Box<Planting>),
}

/// What goes in.
#[derive(Default)]
pub struct TreePlan {
    /// The plots.
    pub plots: Vec<Plot>,
    /// The plantings.
    pub plantings: Vec<PlannedPlanting>,
    /// The newest day that the register speaks of.
    pub last_day: Option<Day>,
}

/// Reads the register's history.
///
/// # Errors
/// [`CsvTableError`]; a row that is wrong is no error but set aside.
pub fn read_trees(
    mut added: AddedTable,
    events: Option<EventTable>,
) -> Result<TreeRegister, CsvTableError> {
    let mut register = TreeRegister::default();
    while let Some(row) = added.next_row()? {
        register.add(added.file(), &row);
    }
    let Some(mut events) = events else {
        return Ok(register);
    };
    // Trees that were in the register before the history begins.
    let mut older: BTreeMap<u64, RegisteredTree> = BTreeMap::new();
    while let Some(row) = events.next_row()? {
        let [commit, committed_at, _op, id, field, old, new] = &row.fields;
        let mut set_aside = |reason, detail| {
            register.set_aside.push(SetAside {
                file: events.file().to_owned(),
                row: row.number,
                id: format!("tree {id}"),
                reason,
                detail,
                other_row: None,
            });
        };
        let Ok(id) = id.parse::<u64>() else {
            set_aside("id_missing", format!("TreeID {id:?}"));
            continue;
        };
        let Some(day) = day_of(committed_at) else {
            set_aside("date_malformed", format!("committed_at {committed_at:?}"));
            continue;
        };
        register.last_day = register.last_day.max(Some(day));
        if field == "Latitude"
            && let Some(why) = placeholder(old).or_else(|| placeholder(new))
        {
            set_aside("place_wrong", why);
            continue;
        }
        let tree = match register.trees.get_mut(&id) {
            Some(tree) => tree,
            None => older.entry(id).or_insert_with(|| RegisteredTree {
                file: events.file().to_owned(),
                row: row.number,
                digest: row.digest,
                species: String::new(),
                location: Ok(None),
                dates: Vec::new(),
                removed: None,
                returned: false,
                commit: commit.clone(),
            }),
        };
        tree.take(&row, day);
    }
    // Of the older trees, only those whose planting date the history tells.
    older.retain(|_, tree| !tree.dates.is_empty());
    register.trees.extend(older);
    Ok(register)
}

impl RegisteredTree {
    /// Takes an event of the register's history.
    fn take(&mut self, row: &CsvRow<{ EVENT_COLUMNS.len() }>, day: Day) {
        let [commit, _committed_at, op, _id, field, old, new] = &row.fields;
        match (op.as_str(), field.as_str()) {
            ("change", "PlantDate") if !new.is_empty() => self.dates.push(PlantingDate {
                text: new.clone(),
                published: day,
                commit: commit.clone(),
            }),
            ("change", "qSpecies") if self.species.is_empty() => self.species.clone_from(new),
            ("remove", "qSpecies") => {
                self.removed = Some(day);
                if self.species.is_empty() {
                    self.species.clone_from(old);
                }
            }
            // A removal has a row for each field, of which one is enough; and no statement tells
            // of caretakers, nor of a place or species that was altered later.
            _ => {}
        }
    }
}

impl TreeRegister {
    fn add(&mut self, file: &str, row: &CsvRow<{ ADDED_COLUMNS.len() }>) {
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
        let mut set_aside = |reason, detail, other_row| {
            self.set_aside.push(SetAside {
                file: file.to_owned(),
                row: row.number,
                id: format!("tree {id}"),
                reason,
                detail,
                other_row,
            });
        };
        let Ok(number) = id.parse::<u64>() else {
            return set_aside("id_missing", format!("TreeID {id:?}"), None);
        };
        let Some(published) = day_of(committed_at) else {
            let detail = format!("committed_at {committed_at:?}");
            return set_aside("date_malformed", detail, None);
        };
        if let Some(tree) = self.trees.get_mut(&number) {
            let rows = format!("rows {} and {}", tree.row, row.number);
            if tree.digest == row.digest {
                let detail = format!("{rows} are the same in every field");
                return set_aside("duplicate", detail, Some(tree.row));
            }
            let how = if readded == "1" {
                tree.returned = true;
                "came back to the register"
            } else {
                "stands twice"
            };
            let detail = format!("{rows} are one tree, which {how}");
            return set_aside("tree_repeated", detail, Some(tree.row));
        }
        let mut dates = Vec::new();
        if !plant_date.is_empty() {
            dates.push(PlantingDate {
                text: plant_date.clone(),
                published,
                commit: commit.clone(),
            });
        }
        let tree = RegisteredTree {
            file: file.to_owned(),
            row: row.number,
            digest: row.digest,
            species: species.clone(),
            location: location_of(lat, long),
            dates,
            removed: None,
            returned: false,
            commit: commit.clone(),
        };
        self.last_day = self.last_day.max(Some(published));
        self.trees.insert(number, tree);
    }

    /// Number of trees read.
    pub fn len(&self) -> usize {
        self.trees.len()
    }

    /// Whether none was read.
    pub fn is_empty(&self) -> bool {
        self.trees.is_empty()
    }
}

/// `37.79, -122.40`; none where both are missing; an error where they lie outside of the city.
fn location_of(lat: &str, long: &str) -> Result<Option<(f64, f64)>, String> {
    match (lat.parse::<f64>(), long.parse::<f64>()) {
        (Ok(lat), Ok(long)) if CITY_LAT.contains(&lat) && CITY_LONG.contains(&long) => {
            Ok(Some((lat, long)))
        }
        (Err(_), Err(_)) if lat.is_empty() && long.is_empty() => Ok(None),
        _ => Err(format!(
            "latitude {lat}, longitude {long} lie outside of the city"
        )),
    }
}

/// What is wrong with a latitude that is there and not in the city.
fn placeholder(lat: &str) -> Option<String> {
    let degrees: f64 = lat.parse().ok()?;
    (!CITY_LAT.contains(&degrees))
        .then(|| format!("latitude {lat} lies outside of the city: a placeholder"))
}

/// The UTC day of an RFC 3339 time, whatever its offset.
fn day_of(time: &str) -> Option<Day> {
    let day: Day = time.get(..10)?.parse().ok()?;
    let number = |range| {
        time.get(range)
            .and_then(|digits: &str| digits.parse::<i64>().ok())
    };
    let minutes = number(11..13)? * 60 + number(14..16)?;
    let offset = match time.get(19..)? {
        "Z" => 0,
        _ => {
            let sign = if time.get(19..20)? == "-" { -1 } else { 1 };
            sign * (number(20..22)? * 60 + number(23..25)?)
        }
    };
    let utc = i64::from(day.0) * 1440 + minutes - offset;
    u32::try_from(utc.div_euclid(1440)).ok().map(Day)
}

/// `04/27/2018 12:00:00 AM`.
fn us_day(text: &str) -> Option<Day> {
    let mut parts = text.split(' ').next()?.split('/');
    let mut part = || parts.next()?.parse::<u32>().ok();
    let (month, day, year) = (part()?, part()?, part()?);
    Day::from_ymd(year.into(), month, day)
}

/// A tree that goes in.
struct PlantableTree<'a> {
    id: u64,
    registered: &'a RegisteredTree,
    plot: PlotNumber,
    species: SpeciesCode,
    planted_on: Day,
    /// The day to which the planting date was altered last, and the commit that did it.
    redated: Option<(Day, String)>,
}

/// Plans plots, plantings and corrections. `first_serials` gives the first free serial of a plot
/// that the ledger has already.
///
/// # Errors
/// [`SerialsExhausted`]; a tree that does not go in is no error but set aside.
pub fn plan_trees(
    register: &mut TreeRegister,
    config: &TreesConfig<'_>,
    first_serials: &HashMap<PlotNumber, Serial>,
) -> Result<TreePlan, SerialsExhausted> {
    let mut set_aside = Vec::new();
    let mut groups: BTreeMap<GroupKey, Vec<PlantableTree<'_>>> = BTreeMap::new();
    let mut plots: BTreeMap<PlotNumber, Plot> = BTreeMap::new();
    for (id, registered) in &register.trees {
        match plantable(*id, registered, config) {
            Ok((tree, plot)) => {
                plots.entry(tree.plot).or_insert(plot);
                groups.entry(group_key(&tree)).or_default().push(tree);
            }
            Err((reason, detail)) => set_aside.push(SetAside {
                file: registered.file.clone(),
                row: registered.row,
                id: format!("tree {id}"),
                reason,
                detail,
                other_row: None,
            }),
        }
    }
    let mut free_serials = first_serials.clone();
    let mut plan = TreePlan {
        last_day: register.last_day,
        ..TreePlan::default()
    };
    for group in groups.values() {
        plan.plantings
            .extend(planting_of(group, &mut free_serials)?);
    }
    // New plantings of altered dates take the serials after all others.
    for planned in &mut plan.plantings {
        if let Some(TreeCorrection::Redated(planting)) = &mut planned.correction {
            planting.first_serial = take_serials(&mut free_serials, planting.plot, planting.count)?;
        }
    }
    plan.plots = plots
        .into_iter()
        .filter(|(number, _)| !first_serials.contains_key(number))
        .map(|(_, plot)| plot)
        .collect();
    register.set_aside.extend(set_aside);
    Ok(plan)
}

/// The first of `count` serials of a plot, which are then taken.
fn take_serials(
    free: &mut HashMap<PlotNumber, Serial>,
    plot: PlotNumber,
    count: NonZeroU32,
) -> Result<Serial, SerialsExhausted> {
    let next = free.entry(plot).or_insert(Serial(0));
    let first = *next;
    *next = serials::after(plot, first, count)?;
    Ok(first)
}

/// Trees of one plot, species, day and fate make a planting; one whose date was altered is alone.
type GroupKey = (PlotNumber, SpeciesCode, Day, Option<Day>, bool, Option<u64>);

fn group_key(tree: &PlantableTree<'_>) -> GroupKey {
    let alone = tree.redated.is_some().then_some(tree.id);
    (
        tree.plot,
        tree.species,
        tree.planted_on,
        tree.registered.removed,
        tree.registered.returned,
        alone,
    )
}

/// The tree as it goes in, and its plot; or a stable name for what is wrong with it, and words.
fn plantable<'a>(
    id: u64,
    tree: &'a RegisteredTree,
    config: &TreesConfig<'_>,
) -> Result<(PlantableTree<'a>, Plot), (&'static str, String)> {
    let location = tree.location.clone().map_err(|why| ("place_wrong", why))?;
    let Some(date) = tree.dates.first() else {
        return Err(("no_date", "the register gives no planting date".to_owned()));
    };
    let planted_on = us_day(&date.text).ok_or_else(|| {
        let detail = format!("planting date {:?}, before 1970 or none", date.text);
        ("date_malformed", detail)
    })?;
    if planted_on > date.published {
        let published = date.published;
        let why = format!("planted on {planted_on}, after it was published on {published}");
        return Err(("date_after_publication", why));
    }
    if planted_on > config.today {
        let why = format!("planted on {planted_on}, which is yet to come");
        return Err(("date_future", why));
    }
    let species = config.species.code_of(&tree.species).ok_or_else(|| {
        let detail = format!(
            "species {:?} is a placeholder, or not in the method",
            tree.species
        );
        ("species_unknown", detail)
    })?;
    let redated = tree
        .dates
        .iter()
        .skip(1)
        .filter_map(|date| Some((us_day(&date.text)?, date)))
        .rfind(|(day, date)| *day <= date.published && *day != planted_on)
        .map(|(day, date)| (day, date.commit.clone()));
    let plot =
        plot_at(location).ok_or_else(|| ("place_wrong", "no plot can be made there".to_owned()))?;
    Ok((
        PlantableTree {
            id,
            registered: tree,
            plot: plot.number,
            species,
            planted_on,
            redated,
        },
        plot,
    ))
}

/// The planting of a group's trees; none of a group without trees.
fn planting_of(
    group: &[PlantableTree<'_>],
    free_serials: &mut HashMap<PlotNumber, Serial>,
) -> Result<Option<PlannedPlanting>, SerialsExhausted> {
    let Some(first) = group.first() else {
        return Ok(None);
    };
    let count = u32::try_from(group.len()).ok().and_then(NonZeroU32::new);
    let count = count.ok_or(SerialsExhausted(first.plot))?;
    let planting = Planting {
        plot: first.plot,
        species: first.species,
        first_serial: take_serials(free_serials, first.plot, count)?,
        count,
        planted_on: first.planted_on,
        evidence: evidence(
            group
                .iter()
                .map(|tree| (tree.id, tree.registered.commit.as_str())),
            first.planted_on,
        ),
    };
    let correction = match (&first.redated, first.registered.removed) {
        (Some((date, commit)), _) => Some(TreeCorrection::Redated(Box::new(Planting {
            planted_on: *date,
            evidence: evidence([(first.id, commit.as_str())].into_iter(), *date),
            ..planting.clone()
        }))),
        (None, Some(on)) => Some(TreeCorrection::Lost {
            on,
            returned: first.registered.returned,
        }),
        (None, None) => None,
    };
    Ok(Some(PlannedPlanting {
        planting,
        correction,
    }))
}

/// SHA-256 of a file that lists the trees, the register's commits that tell of them, and the day.
fn evidence<'a>(trees: impl Iterator<Item = (u64, &'a str)>, day: Day) -> Digest {
    let mut file = format!("planted_on {day}\n");
    for (id, commit) in trees {
        file.push_str(&format!("{id} {commit}\n"));
    }
    Digest::from_bytes(Sha256::digest(file).into())
}

fn plot_at(location: Option<(f64, f64)>) -> Option<Plot> {
    let Some((lat, long)) = location else {
        return plot(
            UNLOCATED,
            "San Francisco, place not published".to_owned(),
            (37.76, -122.44),
            CITY_RADIUS_M,
            CITY_AREA_M2,
        );
    };
    let south = (lat * CELLS_PER_DEGREE).floor();
    let west = (long * CELLS_PER_DEGREE).floor();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "both are whole, and no location outside of the city is read"
    )]
    let number = (south + 9_000.0) as u32 * 36_000 + (west + 18_000.0) as u32;
    let middle = |edge: f64| (edge + 0.5) / CELLS_PER_DEGREE;
    plot(
        PlotNumber(number),
        format!(
            "San Francisco {:.2} N {:.2} W",
            south / CELLS_PER_DEGREE,
            -west / CELLS_PER_DEGREE
        ),
        (middle(south), middle(west)),
        CELL_RADIUS_M,
        CELL_AREA_M2,
    )
}

fn plot(
    number: PlotNumber,
    name: String,
    (lat, long): (f64, f64),
    radius_m: u32,
    area_m2: u64,
) -> Option<Plot> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "180 degrees at most, which are below 2^31"
    )]
    let e7 = |degrees: f64| (degrees * 1e7).round() as i32;
    let outline = format!("cell {number} around {lat:.3} {long:.3}\n");
    Some(Plot {
        number,
        name: name.parse().ok()?,
        latitude: Latitude::try_from(e7(lat)).ok()?,
        longitude: Longitude::try_from(e7(long)).ok()?,
        radius_m,
        outline: Digest::from_bytes(Sha256::digest(outline).into()),
        area_m2,
        trees_per_ha_max: TREES_PER_HA_MAX,
        carbon_rights: CarbonRights::Unknown,
        funded_by: "City and County of San Francisco, and owners"
            .parse()
            .ok()?,
    })
}

impl TreePlan {
    /// The plots and then the plantings, as statements.
    pub fn statements(&self) -> Vec<Statement> {
        let plots = self.plots.iter().cloned().map(Statement::Plot);
        let plantings = self
            .plantings
            .iter()
            .map(|planned| Statement::Planting(planned.planting.clone()));
        plots.chain(plantings).collect()
    }
}
