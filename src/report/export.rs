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
                spaced(entry.signed.endorsements().iter().map(|it| it.key)),
            ],
        )?;
        self.statement(index, &record.statement)
    }

    fn statement(&mut self, index: Index, statement: &Statement) -> Result<(), ExportError> {
        match statement {
            Statement::Award(it) => self.row(
                Of::Awards,
                row![
                    index,
                    it.account,
                    it.method,
                    it.version,
                    it.activity,
                    it.quantity,
                    it.points,
                    it.occurred_on,
                    it.evidence,
                ],
            ),
            Statement::Transfer(it) => self.row(
                Of::Transfers,
                row![
                    index,
                    it.from,
                    or_empty(it.to),
                    it.points,
                    name_of(&it.reason)
                ],
            ),
            Statement::Claim(it) => self.row(
                Of::Claims,
                row![
                    index, it.account, it.method, it.version, it.species, it.points
                ],
            ),
            Statement::Assignment(it) => {
                for (place, claim) in (u64::from(it.first_serial.0)..).zip(it.claims.iter()) {
                    self.row(Of::Assignments, row![index, it.plot, place, claim])?;
                }
                Ok(())
            }
            Statement::Plot(it) => self.plot(index, it),
            Statement::Planting(it) => self.row(
                Of::Plantings,
                row![
                    index,
                    it.plot,
                    it.species,
                    it.first_serial,
                    it.count,
                    it.planted_on,
                    it.evidence,
                ],
            ),
            Statement::Survey(it) => self.survey(index, it),
            Statement::Correction(it) => self.correction(index, it),
            Statement::Method(it) => {
                self.row(
                    Of::Methods,
                    row![
                        index,
                        it.id,
                        it.version,
                        it.effective_from,
                        it.baseline,
                        it.sources,
                        it.jurisdiction,
                        it.document,
                    ],
                )?;
                for of in it.activities.iter() {
                    self.row(
                        Of::Activities,
                        row![
                            index, it.id, it.version, of.code, of.name, of.unit, of.factor, of.cap,
                        ],
                    )?;
                }
                for of in it.species.iter() {
                    self.row(
                        Of::Species,
                        row![index, it.id, it.version, of.code, of.name, of.price],
                    )?;
                }
                Ok(())
            }
            Statement::Genesis(it) => {
                self.governors(index, it.governors.iter(), it.quorum)?;
                self.log_key(index, &it.log_key)
            }
            Statement::Governors(it) => self.governors(index, it.governors.iter(), it.quorum),
            Statement::LogKey(it) => self.log_key(index, &it.key),
            Statement::KeyGrant(it) => self.row(
                Of::Governance,
                row![
                    index,
                    it.key,
                    "granted",
                    "",
                    it.role,
                    it.holder,
                    it.display_name,
                    or_empty(it.expires_on),
                    "",
                    "",
                ],
            ),
            Statement::KeyRevoke(it) => self.row(
                Of::Governance,
                row![
                    index,
                    it.key,
                    "revoked",
                    "",
                    "",
                    "",
                    "",
                    "",
                    it.reason,
                    or_empty(it.compromised_since),
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

    fn plot(&mut self, index: Index, it: &Plot) -> Result<(), ExportError> {
        let (rights, registry, project) = match &it.carbon_rights {
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
                it.number,
                it.name,
                it.latitude.degrees(),
                it.longitude.degrees(),
                it.radius_m,
                it.outline,
                it.area_m2,
                it.trees_per_ha_max,
                rights,
                registry,
                project,
                it.funded_by,
            ],
        )
    }

    fn survey(&mut self, index: Index, it: &Survey) -> Result<(), ExportError> {
        self.row(
            Of::Surveys,
            row![
                index,
                it.plot,
                or_empty(it.planting),
                it.surveyed_on,
                name_of(&it.basis),
                it.sampled,
                it.alive,
                it.dead,
                it.evidence,
                it.paid_by,
                or_empty(it.next_due),
            ],
        )
    }

    fn correction(&mut self, index: Index, it: &Correction) -> Result<(), ExportError> {
        let none = String::new;
        let row = match &it.remedy {
            Remedy::Reverse { points } => {
                row![
                    index,
                    it.target,
                    "reverse",
                    it.reason,
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
                it.target,
                "lost",
                it.reason,
                none(),
                count,
                or_empty(*first_serial),
                lost_on,
                or_empty(*evidence),
            ],
            Remedy::Void => {
                row![
                    index,
                    it.target,
                    "void",
                    it.reason,
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
