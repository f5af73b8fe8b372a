//! Which files a ledger names, and what became of holding files against them: the data of `report.json`, and what there
//! is to ask about.

use std::collections::BTreeMap;

use serde::Serialize;

use super::facts::Facts;
use super::findings::{Cases, Finding, ITEMS_MAX, Severity, named_digests};
use crate::outcome::Outcome;
use crate::record::{Digest, Index, Place, PlotNumber};

/// What the plan of a survey is called.
pub(super) const PLAN: &str = "plan of a survey";

/// A file that an entry names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NamedFile {
    /// SHA-256 of the file.
    pub digest: Digest,
    /// What it is of: `planting`, `survey`, `loss` and so on.
    pub what: &'static str,
    /// The plot, if it is of one.
    pub plot: Option<PlotNumber>,
    /// The entry.
    pub index: Index,
}

impl NamedFile {
    /// Whether it is the plan of a survey.
    pub fn is_plan(&self) -> bool {
        self.what == PLAN
    }
}

/// An outline that a plot names by its digest.
#[derive(Clone, PartialEq, Debug)]
pub struct StatedOutline {
    /// The plot.
    pub plot: PlotNumber,
    /// The entry that states it.
    pub stated_at: Index,
    /// SHA-256 of the outline's file.
    pub digest: Digest,
    /// The area that the plot states, in square metres.
    pub area_m2: u64,
    /// The middle of the circle that the plot states, or that holds the outline that it states.
    pub middle: Place,
    /// The radius of that circle, in metres.
    pub radius_m: f64,
}

/// What a ledger names that files can be held against. Awards name no files.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct NamedFiles {
    /// By digest; of one that several entries name, these one after the other.
    pub digests: Vec<NamedFile>,
    /// Outlines of plots, by their numbers.
    pub outlines: Vec<StatedOutline>,
}

impl NamedFiles {
    pub(super) fn of(facts: &Facts<'_>) -> Self {
        let outlines = facts.state.plots().filter_map(|(number, plot)| {
            let circle = plot.plot.place.circle();
            Some(StatedOutline {
                plot: *number,
                stated_at: plot.stated_at,
                digest: plot.plot.finer_outline?,
                area_m2: plot.plot.area_m2,
                middle: (circle.latitude.degrees(), circle.longitude.degrees()),
                radius_m: circle.radius_m.into(),
            })
        });
        Self {
            digests: named_digests(facts),
            outlines: outlines.collect(),
        }
    }
}

/// What holding files against a ledger's digests came to.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct EvidenceRow {
    /// Digests that the ledger names, each once.
    pub digests: u64,
    /// Digests that a file has.
    pub held: u64,
    /// Digests that no file has: these could not be checked.
    pub missing: u64,
    /// Digests that are the name of a file which has another one.
    pub differing: u64,
    /// The same by what is named.
    pub kinds: BTreeMap<&'static str, KindHeld>,
    /// Files that were read.
    pub files: u64,
    /// Their bytes.
    pub files_bytes: u64,
    /// Different files that no entry names.
    pub files_of_no_record: u64,
    /// Files that could not be read.
    pub files_unread: u64,
    /// Symbolic links, which were not followed.
    pub links_not_followed: u64,
    /// Outlines, by the plots' numbers.
    pub outlines: Vec<OutlineRow>,
    /// Pictures; `None` where this program compares none.
    pub pictures: Option<PictureCounts>,
}

/// Digests of a kind of thing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct KindHeld {
    /// Digests that the ledger names.
    pub digests: u64,
    /// Of these, digests that a file has.
    pub held: u64,
}

/// An outline's file, held against what the plot states.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct OutlineRow {
    /// The plot.
    pub plot: PlotNumber,
    /// The entry that states it.
    pub stated_at: Index,
    /// Whether the plot's area is not larger than the outline's, and the outline lies in the plot's circle; `unchecked`
    /// without the file, `not_that_kind` if it is no GeoJSON of polygons.
    pub outcome: Outcome,
    /// The area that the plot states, in square metres.
    pub stated_area_m2: u64,
    /// The area of the outline, in square metres; `None` if there is none.
    pub outline_area_m2: Option<f64>,
    /// In words, if it does not hold; else empty.
    pub words: String,
}

/// Pictures among the files that entries name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct PictureCounts {
    /// Pictures that were compared with each other.
    pub compared: u64,
    /// Pictures that show too little to be compared.
    pub plain: u64,
    /// Pictures that can't be read, or are larger than is read.
    pub unread: u64,
    /// Pairs that are nearly the same.
    pub alike: u64,
}

/// The same with its cases.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct EvidenceHeld {
    /// The numbers.
    pub row: EvidenceRow,
    /// Files that could not be read, some of them, with the reason.
    pub unread: Vec<(String, String)>,
    /// Digests of files that have another one: the file, and its own.
    pub differing: Vec<(NamedFile, String, Digest)>,
    missing: Vec<NamedFile>,
    alike: Vec<(Vec<Index>, String, String)>,
}

impl EvidenceHeld {
    /// These numbers, as yet without cases.
    pub(crate) fn of(row: EvidenceRow) -> Self {
        Self {
            row,
            ..Self::default()
        }
    }

    /// Notes a digest that no file has; the first are named.
    pub(crate) fn missing(&mut self, named: &NamedFile) {
        if self.missing.len() < ITEMS_MAX {
            self.missing.push(named.clone());
        }
    }

    /// Notes two entries whose pictures are nearly the same; the first are named.
    #[cfg(feature = "pictures")]
    pub(crate) fn alike(&mut self, one: &NamedFile, other: &NamedFile, detail: String) {
        if self.alike.len() < ITEMS_MAX {
            let subject = format!(
                "{} {} and {} {}",
                one.what, one.index, other.what, other.index
            );
            let mut indexes = vec![one.index, other.index];
            indexes.sort_unstable();
            self.alike.push((indexes, subject, detail));
        }
    }

    /// What there is to ask about.
    pub fn findings(&self) -> Vec<Finding> {
        let mut differing = Cases::new(
            "evidence_differs",
            Severity::High,
            "The file that bears the digest's name has another one: it was changed since, or it is not the file that the \
             entry names. Ask for the file as it was.",
        );
        for (named, path, real) in &self.differing {
            let detail = format!("{path} has the digest {real}");
            differing.add(1, subject(named), detail, vec![named.index]);
        }
        let mut missing = Cases::new(
            "evidence_missing",
            Severity::Low,
            "No file that was handed over has this digest, so nobody looked at what the entry rests on. Ask for the files.",
        );
        for named in &self.missing {
            missing.add(
                1,
                subject(named),
                format!("{}", named.digest),
                vec![named.index],
            );
        }
        let mut outlines = Cases::new(
            "outline_differs",
            Severity::High,
            "The outline whose digest the plot names does not bear out what the plot states: it is smaller, or elsewhere. \
             More trees may stand in the books than the land holds. Ask which of the two is right.",
        );
        let mut unlike = Cases::new(
            "outline_not_geojson",
            Severity::Low,
            "The file that the plot names as its outline can't be read as one. Ask for GeoJSON of polygons (RFC 7946) with \
             that digest, or for the plot to be stated again.",
        );
        for row in &self.row.outlines {
            let cases = match row.outcome {
                Outcome::False => &mut outlines,
                Outcome::NotThatKind => &mut unlike,
                Outcome::Holds | Outcome::Unchecked => continue,
            };
            let weight = row.stated_area_m2.into();
            cases.add(
                weight,
                format!("plot {}", row.plot),
                &row.words,
                vec![row.stated_at],
            );
        }
        let mut alike = Cases::new(
            "photographs_alike",
            Severity::Low,
            "A hint, and no proof: these pictures are nearly the same and have different digests. One picture, saved twice, \
             may stand for two things; or two trees of one row look alike. Look at both.",
        );
        for (indexes, subject, detail) in &self.alike {
            alike.add(1, subject, detail, indexes.clone());
        }
        let pairs = self.row.pictures.map_or(0, |counts| counts.alike);
        let (differ, lacks) = (self.row.differing, self.row.missing);
        [
            differing.finding(|_| {
                format!("files differ from {differ} of the digests that are their names")
            }),
            missing
                .counted(lacks)
                .finding(|count| format!("of {count} digests no file was handed over")),
            outlines
                .finding(|count| format!("outlines contradict what plots state, in {count} cases")),
            unlike.finding(|count| format!("{count} files that plots name as outlines are none")),
            alike
                .counted(pairs)
                .finding(|count| format!("{count} pairs of photographs are nearly the same")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

fn subject(named: &NamedFile) -> String {
    match named.plot {
        Some(plot) => format!("{} on plot {plot}, entry {}", named.what, named.index),
        None => format!("{}, entry {}", named.what, named.index),
    }
}
