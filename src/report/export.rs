//! Every entry of a ledger as CSV tables, one a kind, for researchers.

use std::fmt::Display;
use std::fs::File;
use std::path::{Path, PathBuf};

use super::tables::{KINDS, Of};
use crate::crypto::PublicKey;
use crate::note::Checkpoint;
use crate::record::{CarbonRights, Correction, Index, Plot, Remedy, Statement, Survey};
use crate::replay::CheckedEntry;

/// Tables that can't be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// There is something in the folder already.
    #[error("{0} is not empty: name a new folder for the tables")]
    NotEmpty(PathBuf),
    /// The file system says no.
    #[error("{0}: {1}")]
    Io(PathBuf, std::io::Error),
    /// A row can't be written.
    #[error("{0}: {1}")]
    Csv(PathBuf, csv::Error),
}

/// Tables on their way to disk.
#[derive(Debug)]
pub struct Export {
    dir: PathBuf,
    tables: Vec<(PathBuf, csv::Writer<File>)>,
}

/// Empty where there is nothing.
fn or_empty(value: Option<impl Display>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

fn or_dash(index: &Option<Index>) -> String {
    index.map_or("-".to_owned(), |index| index.to_string())
}

/// A unit variant's name, as JSON has it.
fn name_of(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

fn spaced(items: impl Iterator<Item = impl Display>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    items.join(" ")
}

macro_rules! row {
    ($($field:expr),* $(,)?) => { [$(($field).to_string()),*] };
}

impl Export {
    /// Begins tables in an empty folder, which is made if need be.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn begin(dir: &Path) -> Result<Self, ExportError> {
        let io = |error| ExportError::Io(dir.to_owned(), error);
        std::fs::create_dir_all(dir).map_err(io)?;
        if std::fs::read_dir(dir).map_err(io)?.next().is_some() {
            return Err(ExportError::NotEmpty(dir.to_owned()));
        }
        let mut tables = Vec::with_capacity(KINDS.len());
        for kind in &KINDS {
            let path = dir.join(kind.file);
            let wrong = |error| ExportError::Csv(path.clone(), error);
            let mut writer = csv::Writer::from_path(&path).map_err(wrong)?;
            let names = kind.columns.iter().map(|(name, _)| name);
            writer.write_record(names).map_err(wrong)?;
            tables.push((path, writer));
        }
        Ok(Self {
            dir: dir.to_owned(),
            tables,
        })
    }

    fn row<const N: usize>(&mut self, of: Of, row: [String; N]) -> Result<(), ExportError> {
        let Some((path, writer)) = self.tables.get_mut(of as usize) else {
            return Ok(());
        };
        let done = writer.write_record(&row);
        done.map_err(|error| ExportError::Csv(path.clone(), error))
    }

    /// Adds an entry.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn add(&mut self, index: Index, checked: &CheckedEntry) -> Result<(), ExportError> {
        let entry = checked.entry();
        let record = entry.signed.record();
        self.row(
            Of::Entries,
            row![
                index,
                record.statement.kind(),
                checked.id(),
                record.issuer,
                record.seq,
                record.prev,
                record.issued_on,
                entry.admitted_at,
                spaced(entry.lineage.indexes().iter().map(or_dash)),
                spaced(
                    entry
                        .signed
                        .endorsements()
                        .iter()
                        .map(|endorsement| endorsement.key)
                ),
            ],
        )?;
        self.statement(index, &record.statement)
    }

    fn statement(&mut self, index: Index, statement: &Statement) -> Result<(), ExportError> {
        match statement {
            Statement::Award(award) => self.row(
                Of::Awards,
                row![
                    index,
                    award.account,
                    award.method,
                    award.version,
                    award.activity,
                    award.quantity,
                    award.points,
                    award.occurred_on,
                    award.evidence,
                ],
            ),
            Statement::Transfer(transfer) => self.row(
                Of::Transfers,
                row![
                    index,
                    transfer.from,
                    or_empty(transfer.to),
                    transfer.points,
                    name_of(&transfer.reason)
                ],
            ),
            Statement::Claim(claim) => self.row(
                Of::Claims,
                row![
                    index,
                    claim.account,
                    claim.method,
                    claim.version,
                    claim.species,
                    claim.points
                ],
            ),
            Statement::Assignment(assignment) => {
                for (place, claim) in
                    (u64::from(assignment.first_serial.0)..).zip(assignment.claims.iter())
                {
                    self.row(Of::Assignments, row![index, assignment.plot, place, claim])?;
                }
                Ok(())
            }
            Statement::Plot(plot) => self.plot(index, plot),
            Statement::Planting(planting) => self.row(
                Of::Plantings,
                row![
                    index,
                    planting.plot,
                    planting.species,
                    planting.first_serial,
                    planting.count,
                    planting.planted_on,
                    planting.evidence,
                ],
            ),
            Statement::Survey(survey) => self.survey(index, survey),
            Statement::Correction(correction) => self.correction(index, correction),
            Statement::Method(method) => {
                self.row(
                    Of::Methods,
                    row![
                        index,
                        method.id,
                        method.version,
                        method.effective_from,
                        method.baseline,
                        method.sources,
                        method.jurisdiction,
                        method.document,
                    ],
                )?;
                for activity in method.activities.iter() {
                    self.row(
                        Of::Activities,
                        row![
                            index,
                            method.id,
                            method.version,
                            activity.code,
                            activity.name,
                            activity.unit,
                            activity.factor,
                            activity.cap,
                        ],
                    )?;
                }
                for species in method.species.iter() {
                    self.row(
                        Of::Species,
                        row![
                            index,
                            method.id,
                            method.version,
                            species.code,
                            species.name,
                            species.price
                        ],
                    )?;
                }
                Ok(())
            }
            Statement::Genesis(genesis) => {
                self.governors(index, genesis.governors.iter(), genesis.quorum)?;
                self.log_key(index, &genesis.log_key)
            }
            Statement::Governors(set) => self.governors(index, set.governors.iter(), set.quorum),
            Statement::LogKey(next) => self.log_key(index, &next.key),
            Statement::KeyGrant(grant) => self.row(
                Of::Governance,
                row![
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
                ],
            ),
            Statement::KeyRevoke(revoke) => self.row(
                Of::Governance,
                row![
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
                ],
            ),
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
            self.row(Of::Governance, row)?;
        }
        Ok(())
    }

    fn log_key(&mut self, index: Index, key: &PublicKey) -> Result<(), ExportError> {
        let row = row![index, key, "signs_checkpoints", "", "", "", "", "", "", ""];
        self.row(Of::Governance, row)
    }

    fn plot(&mut self, index: Index, plot: &Plot) -> Result<(), ExportError> {
        let (rights, registry, project) = match &plot.carbon_rights {
            CarbonRights::NoneIssued => ("none_issued", String::new(), String::new()),
            CarbonRights::Unknown => ("unknown", String::new(), String::new()),
            CarbonRights::Issued { registry, id } => {
                ("issued", registry.to_string(), id.to_string())
            }
        };
        self.row(
            Of::Plots,
            row![
                index,
                plot.number,
                plot.name,
                plot.latitude.degrees(),
                plot.longitude.degrees(),
                plot.radius_m,
                plot.outline,
                plot.area_m2,
                plot.trees_per_ha_max,
                rights,
                registry,
                project,
                plot.funded_by,
            ],
        )
    }

    fn survey(&mut self, index: Index, survey: &Survey) -> Result<(), ExportError> {
        self.row(
            Of::Surveys,
            row![
                index,
                survey.plot,
                or_empty(survey.planting),
                survey.surveyed_on,
                name_of(&survey.basis),
                survey.sampled,
                survey.alive,
                survey.dead,
                survey.evidence,
                survey.paid_by,
                or_empty(survey.next_due),
            ],
        )
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
        self.row(Of::Corrections, row)
    }

    /// Ends the tables, and writes beside them what their columns mean and the checkpoint whose
    /// entries they hold.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn finish(mut self, checkpoint: &Checkpoint) -> Result<(), ExportError> {
        for (path, writer) in &mut self.tables {
            writer
                .flush()
                .map_err(|error| ExportError::Io(path.clone(), error))?;
        }
        let head = checkpoint.head();
        let mut readme = format!(
            "# {}: {} entries\n\nEvery entry up to the checkpoint in `checkpoint`, root {}, as an audit of arborlog verified it. CSV as RFC 4180 has it, UTF-8, a header in each file. Days are UTC, as YYYY-MM-DD. A field without a value is empty. Free texts are as their issuers wrote them: a spreadsheet may take one that begins with = for a formula.\n",
            checkpoint.origin(),
            head.size,
            head.root
        );
        for kind in &KINDS {
            readme.push_str(&format!(
                "\n## {}\n\nA row is {}.\n\n| column | what it is |\n| --- | --- |\n",
                kind.file, kind.row
            ));
            for (name, meaning) in kind.columns {
                readme.push_str(&format!("| `{name}` | {meaning} |\n"));
            }
        }
        for (name, text) in [
            ("README.md", readme),
            ("checkpoint", checkpoint.to_string()),
        ] {
            let path = self.dir.join(name);
            std::fs::write(&path, text).map_err(|error| ExportError::Io(path, error))?;
        }
        Ok(())
    }
}
