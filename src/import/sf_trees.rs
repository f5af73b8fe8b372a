//! San Francisco's street trees as plots, plantings and corrections.
//!
//! A tree goes in with the first planting date that the city's register gave it. Trees that share
//! cell, species and date are one planting. A date that was altered later is a void and a new
//! planting; a removal is a loss, and a return of the tree a void of that loss.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;

use sha2::{Digest as _, Sha256};

use super::species::species_of;
use super::table::{Row, SetAside, Table, TableError};
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

const ADDED_COLUMNS: [&str; 8] = [
    "TreeID",
    "commit",
    "committed_at",
    "readded",
    "qSpecies",
    "PlantDate",
    "Latitude",
    "Longitude",
];
const EVENT_COLUMNS: [&str; 7] = [
    "commit",
    "committed_at",
    "op",
    "TreeID",
    "field",
    "old",
    "new",
];

/// The columns that a table of added trees must have.
pub fn added_columns() -> &'static [&'static str] {
    &ADDED_COLUMNS
}

/// The columns that a table of events must have.
pub fn event_columns() -> &'static [&'static str] {
    &EVENT_COLUMNS
}

/// By what trees are judged.
pub struct TreesConfig {
    /// Nothing was planted after this day.
    pub today: Day,
}

/// What the register says of a tree.
#[derive(Clone, Debug)]
struct Tree {
    file: String,
    row: usize,
    digest: [u8; 32],
    species: String,
    place: Result<Option<(f64, f64)>, String>,
    /// Each date that it was given, and the day and commit that did.
    dates: Vec<(String, Day, String)>,
    removed: Option<Day>,
    returned: bool,
    commit: String,
}

/// Trees that were read, ready to be planned.
#[derive(Default)]
pub struct Trees {
    trees: BTreeMap<u64, Tree>,
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
    /// The trees were removed from the register; and came back.
    Lost {
        /// When.
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
/// [`TableError`]; a bad row is no error but set aside.
pub fn read_trees(mut added: Table, events: Option<Table>) -> Result<Trees, TableError> {
    let mut read = Trees::default();
    while let Some(row) = added.next_row()? {
        read.add(added.name(), &row);
    }
    let Some(mut events) = events else {
        return Ok(read);
    };
    let mut unknown: BTreeMap<u64, Tree> = BTreeMap::new();
    while let Some(row) = events.next_row()? {
        let (Ok(id), Some(day)) = (row.field(3).parse::<u64>(), day_of(row.field(1))) else {
            continue;
        };
        read.last_day = read.last_day.max(Some(day));
        if row.field(4) == "Latitude"
            && let Some(why) = placeholder(row.field(5)).or_else(|| placeholder(row.field(6)))
        {
            read.set_aside.push(SetAside {
                file: events.name().to_owned(),
                row: row.number,
                id: format!("tree {id}"),
                reason: "place_wrong",
                detail: why,
                other_row: None,
            });
            continue;
        }
        let tree = match read.trees.get_mut(&id) {
            Some(tree) => tree,
            None => unknown.entry(id).or_insert_with(|| Tree {
                file: events.name().to_owned(),
                row: row.number,
                digest: row.digest,
                species: String::new(),
                place: Ok(None),
                dates: Vec::new(),
                removed: None,
                returned: false,
                commit: row.field(0).to_owned(),
            }),
        };
        tree.take(&row, day);
    }
    // Of trees that were there before the history begins, those whose planting date it tells.
    unknown.retain(|_, tree| !tree.dates.is_empty());
    read.trees.extend(unknown);
    Ok(read)
}

impl Tree {
    fn take(&mut self, row: &Row, day: Day) {
        let (op, field, old, new) = (row.field(2), row.field(4), row.field(5), row.field(6));
        match (op, field) {
            ("change", "PlantDate") if !new.is_empty() => {
                self.dates
                    .push((new.to_owned(), day, row.field(0).to_owned()));
            }
            ("change", "qSpecies") if self.species.is_empty() => self.species = new.to_owned(),
            ("remove", "qSpecies") => {
                self.removed = Some(day);
                if self.species.is_empty() {
                    self.species = old.to_owned();
                }
            }
            _ => {}
        }
    }
}

impl Trees {
    fn add(&mut self, file: &str, row: &Row) {
        let mut aside = |reason, detail, other_row| {
            let id = format!("tree {}", row.field(0));
            self.set_aside.push(SetAside {
                file: file.to_owned(),
                row: row.number,
                id,
                reason,
                detail,
                other_row,
            });
        };
        let Ok(id) = row.field(0).parse::<u64>() else {
            return aside("id_missing", format!("TreeID {:?}", row.field(0)), None);
        };
        let Some(published) = day_of(row.field(2)) else {
            return aside(
                "date_malformed",
                format!("committed_at {:?}", row.field(2)),
                None,
            );
        };
        if let Some(tree) = self.trees.get_mut(&id) {
            let rows = format!("rows {} and {}", tree.row, row.number);
            if tree.digest == row.digest {
                return aside(
                    "duplicate",
                    format!("{rows} are the same in every field"),
                    Some(tree.row),
                );
            }
            if row.field(3) == "1" {
                tree.returned = true;
            }
            let how = if row.field(3) == "1" {
                "came back to the register"
            } else {
                "stands twice"
            };
            return aside(
                "tree_repeated",
                format!("{rows} are one tree, which {how}"),
                Some(tree.row),
            );
        }
        let mut dates = Vec::new();
        if !row.field(5).is_empty() {
            dates.push((row.field(5).to_owned(), published, row.field(1).to_owned()));
        }
        let tree = Tree {
            file: file.to_owned(),
            row: row.number,
            digest: row.digest,
            species: row.field(4).to_owned(),
            place: place_of(row.field(6), row.field(7)),
            dates,
            removed: None,
            returned: false,
            commit: row.field(1).to_owned(),
        };
        self.last_day = self.last_day.max(Some(published));
        self.trees.insert(id, tree);
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
fn place_of(lat: &str, long: &str) -> Result<Option<(f64, f64)>, String> {
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

/// A tree that is good to go in.
struct Good<'a> {
    id: u64,
    tree: &'a Tree,
    plot: PlotNumber,
    species: SpeciesCode,
    planted_on: Day,
    redated: Option<(Day, String)>,
}

/// Plans plots, plantings and corrections. `first_serials` gives the first free serial of a plot
/// that the ledger has already.
pub fn plan_trees(
    trees: &mut Trees,
    config: &TreesConfig,
    first_serials: &HashMap<PlotNumber, Serial>,
) -> TreePlan {
    let mut set_aside = Vec::new();
    let mut groups: BTreeMap<GroupKey, Vec<Good<'_>>> = BTreeMap::new();
    let mut cells: BTreeMap<PlotNumber, Plot> = BTreeMap::new();
    for (id, tree) in &trees.trees {
        match good(*id, tree, config.today) {
            Ok((good, plot)) => {
                cells.entry(good.plot).or_insert(plot);
                groups.entry(group_key(&good)).or_default().push(good);
            }
            Err((reason, detail)) => set_aside.push(SetAside {
                file: tree.file.clone(),
                row: tree.row,
                id: format!("tree {id}"),
                reason,
                detail,
                other_row: None,
            }),
        }
    }
    let mut next: HashMap<PlotNumber, u32> = first_serials
        .iter()
        .map(|(plot, serial)| (*plot, serial.0))
        .collect();
    let mut plan = TreePlan {
        last_day: trees.last_day,
        ..TreePlan::default()
    };
    for group in groups.values() {
        plan.plantings.extend(planting_of(group, &mut next));
    }
    // New plantings of altered dates take the serials after all others.
    for planned in &mut plan.plantings {
        if let Some(TreeCorrection::Redated(planting)) = &mut planned.correction {
            let serial = next.entry(planting.plot).or_insert(0);
            planting.first_serial = Serial(*serial);
            *serial += planting.count.get();
        }
    }
    plan.plots = cells
        .into_iter()
        .filter(|(number, _)| !first_serials.contains_key(number))
        .map(|(_, plot)| plot)
        .collect();
    trees.set_aside.extend(set_aside);
    plan
}

/// Trees of one plot, species, day and fate make a planting; one whose date was altered is alone.
type GroupKey = (PlotNumber, SpeciesCode, Day, Option<Day>, bool, Option<u64>);

fn group_key(good: &Good<'_>) -> GroupKey {
    let alone = good.redated.is_some().then_some(good.id);
    (
        good.plot,
        good.species,
        good.planted_on,
        good.tree.removed,
        good.tree.returned,
        alone,
    )
}

fn good(id: u64, tree: &Tree, today: Day) -> Result<(Good<'_>, Plot), (&'static str, String)> {
    let place = tree.place.clone().map_err(|why| ("place_wrong", why))?;
    let Some((text, published, _)) = tree.dates.first() else {
        return Err(("no_date", "the register gives no planting date".to_owned()));
    };
    let planted_on = us_day(text).ok_or_else(|| {
        (
            "date_malformed",
            format!("planting date {text:?}, before 1970 or none"),
        )
    })?;
    if planted_on > *published {
        let why = format!("planted on {planted_on}, after it was published on {published}");
        return Err(("date_after_publication", why));
    }
    if planted_on > today {
        return Err((
            "date_future",
            format!("planted on {planted_on}, which is yet to come"),
        ));
    }
    let species = species_of(&tree.species).ok_or_else(|| {
        (
            "species_unknown",
            format!(
                "species {:?} is a placeholder, or not in the method",
                tree.species
            ),
        )
    })?;
    let redated = tree
        .dates
        .iter()
        .skip(1)
        .filter_map(|(text, day, commit)| Some((us_day(text)?, *day, commit)))
        .rfind(|(date, published, _)| date <= published && *date != planted_on)
        .map(|(date, _, commit)| (date, commit.clone()));
    let plot =
        plot_at(place).ok_or_else(|| ("place_wrong", "no plot can be made there".to_owned()))?;
    Ok((
        Good {
            id,
            tree,
            plot: plot.number,
            species,
            planted_on,
            redated,
        },
        plot,
    ))
}

fn planting_of(group: &[Good<'_>], next: &mut HashMap<PlotNumber, u32>) -> Option<PlannedPlanting> {
    let first = group.first()?;
    let count = NonZeroU32::new(u32::try_from(group.len()).ok()?)?;
    let serial = next.entry(first.plot).or_insert(0);
    let first_serial = Serial(*serial);
    *serial += count.get();
    let planting = Planting {
        plot: first.plot,
        species: first.species,
        first_serial,
        count,
        planted_on: first.planted_on,
        evidence: evidence(
            group.iter().map(|it| (it.id, it.tree.commit.as_str())),
            first.planted_on,
        ),
    };
    let correction = match (&first.redated, first.tree.removed) {
        (Some((date, commit)), _) => Some(TreeCorrection::Redated(Box::new(Planting {
            planted_on: *date,
            evidence: evidence([(first.id, commit.as_str())].into_iter(), *date),
            ..planting.clone()
        }))),
        (None, Some(on)) => Some(TreeCorrection::Lost {
            on,
            returned: first.tree.returned,
        }),
        (None, None) => None,
    };
    Some(PlannedPlanting {
        planting,
        correction,
    })
}

/// SHA-256 of a file that lists the trees, the register's commits that tell of them, and the day.
fn evidence<'a>(trees: impl Iterator<Item = (u64, &'a str)>, day: Day) -> Digest {
    let mut file = format!("planted_on {day}\n");
    for (id, commit) in trees {
        file.push_str(&format!("{id} {commit}\n"));
    }
    Digest::from_bytes(Sha256::digest(file).into())
}

fn plot_at(place: Option<(f64, f64)>) -> Option<Plot> {
    let Some((lat, long)) = place else {
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
            .map(|it| Statement::Planting(it.planting.clone()));
        plots.chain(plantings).collect()
    }
}
