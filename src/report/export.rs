//! Every entry of a ledger as CSV tables, one a kind, for researchers.

use std::fmt::Display;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::tables::{
    ACTIVITIES, ASSIGNMENTS, ATTESTATIONS, AWARDS, CLAIMS, CORRECTIONS, ENTRIES, GOVERNANCE,
    METHODS, PLANTINGS, PLOTS, POLICIES, SEALS, SPECIES, SURVEYS, TRANSFERS, TableSchema,
};
use crate::crypto::PublicKey;
use crate::durable::{FileError, at, create_unsynced, make_folders, write_unsynced};
use crate::note::{Checkpoint, TreeHead};
use crate::record::{
    Attestation, Basis, CarbonRights, Correction, GeoPoint, Index, Plot, PlotPlace, Remedy,
    Statement, Survey, TransferReason,
};
use crate::replay::Taken;

/// Why tables can't be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// There is something in the folder already.
    #[error("{0} is not empty: name a new folder for the tables")]
    NotEmpty(PathBuf),
    /// A file or folder can't be read or written.
    #[error(transparent)]
    Io(#[from] FileError),
    /// A row can't be written.
    #[error("{0}: {1}")]
    Csv(PathBuf, String),
}

/// A table on its way to disk.
#[derive(Debug)]
struct TableFile<const COLUMNS: usize> {
    schema: &'static TableSchema<COLUMNS>,
    path: PathBuf,
    writer: csv::Writer<File>,
}

impl<const COLUMNS: usize> TableFile<COLUMNS> {
    /// Begins the file with the names of its columns.
    fn create(dir: &Path, schema: &'static TableSchema<COLUMNS>) -> Result<Self, ExportError> {
        let path = dir.join(schema.file);
        let wrong = |error: csv::Error| ExportError::Csv(path.clone(), error.to_string());
        let mut writer = csv::Writer::from_writer(create_unsynced(&path)?);
        let names = schema.columns.iter().map(|(name, _)| name);
        writer.write_record(names).map_err(wrong)?;
        Ok(Self {
            schema,
            path,
            writer,
        })
    }

    fn row(&mut self, row: [String; COLUMNS]) -> Result<(), ExportError> {
        let done = self.writer.write_record(&row);
        done.map_err(|error| ExportError::Csv(self.path.clone(), error.to_string()))
    }

    /// Hands the last rows to the system; gives the table's section of the README.
    fn finish(&mut self) -> Result<String, ExportError> {
        let flushed = self.writer.flush();
        flushed.map_err(at(&self.path))?;
        let mut section = format!(
            "\n## {}\n\nA row is {}.\n\n| column | what it is |\n| --- | --- |\n",
            self.schema.file, self.schema.row
        );
        for (name, meaning) in &self.schema.columns {
            section.push_str(&format!("| `{name}` | {meaning} |\n"));
        }
        Ok(section)
    }
}

/// Makes one struct of all tables: each is begun, and each is finished, in this order.
macro_rules! tables {
    ($($name:ident: $table:ident,)*) => {
        /// All tables on their way to disk.
        #[derive(Debug)]
        struct Tables {
            $($name: TableFile<{ $table.columns.len() }>,)*
        }

        impl Tables {
            fn create(dir: &Path) -> Result<Self, ExportError> {
                Ok(Self {
                    $($name: TableFile::create(dir, &$table)?,)*
                })
            }

            /// Finishes each; gives their sections of the README.
            fn finish(&mut self) -> Result<String, ExportError> {
                let mut sections = String::new();
                $(sections.push_str(&self.$name.finish()?);)*
                Ok(sections)
            }
        }
    };
}

tables! {
    entries: ENTRIES,
    governance: GOVERNANCE,
    methods: METHODS,
    activities: ACTIVITIES,
    species: SPECIES,
    awards: AWARDS,
    transfers: TRANSFERS,
    claims: CLAIMS,
    assignments: ASSIGNMENTS,
    plots: PLOTS,
    plantings: PLANTINGS,
    surveys: SURVEYS,
    corrections: CORRECTIONS,
    policies: POLICIES,
    attestations: ATTESTATIONS,
    seals: SEALS,
}

/// Every entry of a ledger, on its way into tables.
#[derive(Debug)]
pub struct Export {
    dir: PathBuf,
    tables: Tables,
}

/// A value as text; an empty cell for none.
fn or_empty(value: Option<impl Display>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

/// The corners of an outline as text, `37.7,-122.4` each; empty for a circle.
fn corners(place: &PlotPlace) -> String {
    let PlotPlace::Outline { points } = place else {
        return String::new();
    };
    let corner = |point: &GeoPoint| {
        let (north, east) = (point.latitude.degrees(), point.longitude.degrees());
        format!("{north},{east}")
    };
    spaced(points.iter().map(corner))
}

/// A lineage link as text; a dash for none, since links are told apart by their places.
fn or_dash(index: &Option<Index>) -> String {
    index.map_or("-".to_owned(), |index| index.to_string())
}

/// The name of a reason, as JSON has it.
fn reason_name(reason: TransferReason) -> &'static str {
    match reason {
        TransferReason::Gift => "gift",
        TransferReason::Collected => "collected",
        TransferReason::Pooled => "pooled",
        TransferReason::Expired => "expired",
        TransferReason::SpentElsewhere => "spent_elsewhere",
    }
}

/// The name of a basis, as JSON has it.
fn basis_name(basis: Basis) -> &'static str {
    match basis {
        Basis::Census => "census",
        Basis::RandomSample => "random_sample",
        Basis::RemoteSensing => "remote_sensing",
    }
}

/// Several values in one cell.
fn spaced(items: impl Iterator<Item = impl Display>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    items.join(" ")
}

/// A row of values, each as text.
macro_rules! row {
    ($($field:expr),* $(,)?) => { [$(($field).to_string()),*] };
}

impl Export {
    /// Begins the tables in an empty folder, which is made if there is none.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn begin(dir: &Path) -> Result<Self, ExportError> {
        make_folders(dir)?;
        if std::fs::read_dir(dir).map_err(at(dir))?.next().is_some() {
            return Err(ExportError::NotEmpty(dir.to_owned()));
        }
        Ok(Self {
            dir: dir.to_owned(),
            tables: Tables::create(dir)?,
        })
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn add(&mut self, taken: &Taken<'_>) -> Result<(), ExportError> {
        let index = taken.index;
        let Some(stated) = taken.stated() else {
            // The log's own: nobody signs it, and it has no chain.
            let none = "";
            let at = taken.admitted_at();
            return self.tables.entries.row(row![
                index, "state", none, none, none, none, none, at, none, none, none
            ]);
        };
        // A sealed entry is no link of its issuer's chain: its seal is.
        let link = taken.checked.entry().signed();
        let link = link.map(|entry| entry.signed.record());
        self.tables.entries.row(row![
            index,
            stated.statement.kind(),
            or_empty(taken.checked.id()),
            stated.issuer(),
            or_empty(link.map(|record| record.seq)),
            or_empty(link.map(|record| record.prev)),
            stated.issued_on(),
            stated.admitted_at(),
            spaced(stated.lineage().iter().map(or_dash)),
            spaced(
                stated
                    .signed
                    .signed
                    .endorsements()
                    .iter()
                    .map(|endorsement| endorsement.key)
            ),
            or_empty(stated.seal),
        ])?;
        self.statement(index, stated.statement)
    }

    fn statement(&mut self, index: Index, statement: &Statement) -> Result<(), ExportError> {
        match statement {
            Statement::Award(award) => self.tables.awards.row(row![
                index,
                award.account,
                award.method,
                award.version,
                award.activity,
                award.quantity,
                award.points,
                award.occurred_on,
                award.evidence,
            ]),
            Statement::Transfer(transfer) => self.tables.transfers.row(row![
                index,
                transfer.from,
                or_empty(transfer.to),
                transfer.points,
                reason_name(transfer.reason)
            ]),
            Statement::Claim(claim) => self.tables.claims.row(row![
                index,
                claim.account,
                claim.method,
                claim.version,
                claim.species,
                claim.points
            ]),
            Statement::Assignment(assignment) => {
                for (place, claim) in
                    (u64::from(assignment.first_serial.0)..).zip(assignment.claims.iter())
                {
                    self.tables
                        .assignments
                        .row(row![index, assignment.plot, place, claim])?;
                }
                Ok(())
            }
            Statement::Plot(plot) => self.plot(index, plot),
            Statement::Planting(planting) => self.tables.plantings.row(row![
                index,
                planting.plot,
                planting.species,
                planting.first_serial,
                planting.count,
                planting.planted_from,
                planting.planted_until,
                planting.evidence,
                planting.evidence_at,
            ]),
            Statement::Survey(survey) => self.survey(index, survey),
            Statement::Correction(correction) => self.correction(index, correction),
            Statement::Policy(said) => {
                let policy = &said.policy;
                let quorum = policy.quorum();
                self.tables
                    .policies
                    .row(row![index, policy.as_str(), quorum])
            }
            Statement::Attestation(attestation) => self.attestation(index, attestation),
            Statement::Seal(seal) => self.tables.seals.row(row![index, seal.count, seal.root]),
            Statement::Method(method) => {
                self.tables.methods.row(row![
                    index,
                    method.id,
                    method.version,
                    method.effective_from,
                    method.baseline,
                    method.sources,
                    method.jurisdiction,
                    method.document,
                ])?;
                for activity in method.activities.iter() {
                    self.tables.activities.row(row![
                        index,
                        method.id,
                        method.version,
                        activity.code,
                        activity.name,
                        activity.unit,
                        activity.factor,
                        activity.cap,
                    ])?;
                }
                for species in method.species.iter() {
                    self.tables.species.row(row![
                        index,
                        method.id,
                        method.version,
                        species.code,
                        species.name,
                        species.price
                    ])?;
                }
                Ok(())
            }
            Statement::Genesis(genesis) => {
                self.governors(index, genesis.governors.iter(), genesis.quorum)?;
                self.log_key(index, &genesis.log_key)
            }
            Statement::Governors(set) => self.governors(index, set.governors.iter(), set.quorum),
            Statement::LogKey(next) => self.log_key(index, &next.key),
            Statement::KeyGrant(grant) => self.tables.governance.row(row![
                index,
                grant.key,
                "granted",
                "",
                grant.role,
                grant.holder,
                grant.display_name,
                or_empty(grant.expires_on),
                "",
                "",
            ]),
            Statement::KeyRevoke(revoke) => self.tables.governance.row(row![
                index,
                revoke.key,
                "revoked",
                "",
                "",
                "",
                "",
                "",
                revoke.reason,
                or_empty(revoke.compromised_since),
            ]),
        }
    }

    fn governors<'a>(
        &mut self,
        index: Index,
        keys: impl Iterator<Item = &'a PublicKey>,
        quorum: u8,
    ) -> Result<(), ExportError> {
        for key in keys {
            let row = row![index, key, "governs", quorum, "", "", "", "", "", ""];
            self.tables.governance.row(row)?;
        }
        Ok(())
    }

    fn log_key(&mut self, index: Index, key: &PublicKey) -> Result<(), ExportError> {
        let row = row![index, key, "signs_checkpoints", "", "", "", "", "", "", ""];
        self.tables.governance.row(row)
    }

    fn plot(&mut self, index: Index, plot: &Plot) -> Result<(), ExportError> {
        let (rights, registry, project) = match &plot.carbon_rights {
            CarbonRights::NoneIssued => ("none_issued", String::new(), String::new()),
            CarbonRights::Unknown => ("unknown", String::new(), String::new()),
            CarbonRights::Issued { registry, id } => {
                ("issued", registry.to_string(), id.to_string())
            }
        };
        let circle = plot.place.circle();
        self.tables.plots.row(row![
            index,
            plot.number,
            plot.name,
            plot.country,
            circle.latitude.degrees(),
            circle.longitude.degrees(),
            circle.radius_m,
            corners(&plot.place),
            or_empty(plot.finer_outline),
            plot.area_m2,
            plot.trees_per_ha_max,
            rights,
            registry,
            project,
            plot.funded_by,
            spaced(plot.platforms.iter()),
        ])
    }

    fn survey(&mut self, index: Index, survey: &Survey) -> Result<(), ExportError> {
        self.tables.surveys.row(row![
            index,
            survey.plot,
            or_empty(survey.planting),
            survey.surveyed_on,
            survey.as_of,
            basis_name(survey.basis),
            survey.protocol,
            or_empty(survey.plan),
            survey.looked_for(),
            survey.alive,
            survey.dead,
            survey.not_found,
            survey.dead_known,
            survey.revived,
            survey.evidence,
            survey.evidence_at,
            survey.paid_by,
            or_empty(survey.next_due),
        ])
    }

    fn attestation(&mut self, index: Index, said: &Attestation) -> Result<(), ExportError> {
        self.tables.attestations.row(row![
            index,
            said.size,
            said.tree_root,
            said.state_root,
            said.period_from,
            said.period_until,
            said.level.words(),
            said.opinion.words(),
            said.findings,
            said.report,
            said.report_at,
            said.words,
        ])
    }

    fn correction(&mut self, index: Index, correction: &Correction) -> Result<(), ExportError> {
        let none = String::new;
        let row = match &correction.remedy {
            Remedy::Reverse { points } => {
                row![
                    index,
                    correction.target,
                    "reverse",
                    correction.reason,
                    points,
                    none(),
                    none(),
                    none(),
                    none()
                ]
            }
            Remedy::Lost {
                count,
                first_serial,
                lost_on,
                evidence,
            } => row![
                index,
                correction.target,
                "lost",
                correction.reason,
                none(),
                count,
                or_empty(*first_serial),
                lost_on,
                or_empty(*evidence),
            ],
            Remedy::Void => {
                row![
                    index,
                    correction.target,
                    "void",
                    correction.reason,
                    none(),
                    none(),
                    none(),
                    none(),
                    none()
                ]
            }
        };
        self.tables.corrections.row(row)
    }

    /// Ends the tables, and writes beside them what their columns mean and the checkpoint whose
    /// entries they hold.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn finish(mut self, head: TreeHead, checkpoint: &Checkpoint) -> Result<(), ExportError> {
        let sections = self.tables.finish()?;
        let all = checkpoint.head().size;
        let which = match head.size == all {
            true => "Every entry up to the checkpoint in `checkpoint`".to_owned(),
            false => format!(
                "The first {} of the {all} entries of the checkpoint in `checkpoint`",
                head.size
            ),
        };
        let mut readme = format!(
            "# {}: {} entries\n\n{which}, root {}, as an audit of arborlog verified it. CSV as RFC 4180 has it, UTF-8, a header in each file. Days are UTC, as YYYY-MM-DD. A field without a value is empty. Free texts are as their issuers wrote them: a spreadsheet may take one that begins with = for a formula.\n",
            checkpoint.origin(),
            head.size,
            head.root
        );
        readme.push_str(&sections);
        for (name, text) in [
            ("README.md", readme),
            ("checkpoint", checkpoint.to_string()),
        ] {
            write_unsynced(&self.dir.join(name), text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_json() {
        for reason in [
            TransferReason::Gift,
            TransferReason::Collected,
            TransferReason::Pooled,
            TransferReason::Expired,
            TransferReason::SpentElsewhere,
        ] {
            assert_eq!(serde_json::json!(reason), reason_name(reason));
        }
        for basis in [Basis::Census, Basis::RandomSample, Basis::RemoteSensing] {
            assert_eq!(serde_json::json!(basis), basis_name(basis));
        }
    }
}
