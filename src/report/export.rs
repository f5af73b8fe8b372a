//! A ledger as tables, for researchers: every entry, one table a kind; what they make, as the state has
//! it; what the audit found; and where the plots lie.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::path::{Path, PathBuf};

use super::state_schemas::{
    ACCOUNTS, CERTIFICATES, FINDING_CASES, FINDINGS, PLOTS_NOW, REGISTRY_LINKS, TREES, VINTAGES,
};
use super::table_file::TableFile;
use super::tables::{
    ACTIVITIES, ASSIGNMENTS, ATTESTATIONS, AWARDS, CLAIMS, CORRECTIONS, ENTRIES, GOVERNANCE,
    METHODS, PLANTINGS, PLOTS, POLICIES, SEALS, SPECIES, SURVEYS, TRANSFERS,
};
use super::{geojson, geopackage, plot_shapes, state_tables};
use crate::audit::Report;
use crate::crypto::PublicKey;
use crate::durable::{FileError, at, make_folders, write_unsynced};
use crate::ledger::{HolderNumber, KeyRole, State};
use crate::note::{Checkpoint, TreeHead};
use crate::record::{
    AccountId, Attestation, Basis, CarbonRights, Correction, Index, Plot, PlotPlace, Remedy,
    Statement, Survey, TransferReason,
};
use crate::replay::Taken;

/// How tables are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TableFormat {
    /// As CSV (RFC 4180), whose cells no spreadsheet runs.
    Csv,
    /// As Apache Parquet.
    Parquet,
}

impl std::str::FromStr for TableFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "csv" => Ok(Self::Csv),
            "parquet" => Ok(Self::Parquet),
            other => Err(format!("{other} is neither csv nor parquet")),
        }
    }
}

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
    /// A table or a map can't be written.
    #[error("{0}: {1}")]
    Table(PathBuf, String),
}

/// Makes one struct of all tables: each is begun, and each is finished, in this order.
macro_rules! tables {
    ($($name:ident: $table:ident,)*) => {
        /// All tables on their way to disk.
        #[derive(Debug)]
        pub(super) struct Tables {
            $(pub(super) $name: TableFile<{ $table.columns.len() }>,)*
        }

        impl Tables {
            fn create(dir: &Path, formats: &[TableFormat]) -> Result<Self, ExportError> {
                Ok(Self {
                    $($name: TableFile::create(dir, &$table, formats)?,)*
                })
            }

            /// Finishes each; gives their sections of the README.
            fn finish(self) -> Result<String, ExportError> {
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
    plots_now: PLOTS_NOW,
    trees: TREES,
    accounts: ACCOUNTS,
    certificates: CERTIFICATES,
    vintages: VINTAGES,
    findings: FINDINGS,
    finding_cases: FINDING_CASES,
    registry_links: REGISTRY_LINKS,
}

/// Every entry of a ledger, on its way into tables.
#[derive(Debug)]
pub struct Export<'a> {
    dir: PathBuf,
    formats: Vec<TableFormat>,
    tables: Tables,
    state: &'a State,
    /// Half of the place in the state of each account that has its row: 128 bits of a hash, which no two
    /// accounts have in common. The state knows no account's name, so rows are made where one is named first.
    accounts: HashSet<[u8; 16]>,
    /// The short names of holders.
    holders: HashMap<HolderNumber, String>,
}

/// A value as text; an empty cell for none.
pub(super) fn or_empty(value: Option<impl Display>) -> String {
    value.map_or(String::new(), |value| value.to_string())
}

/// A lineage link as text; a word for none, since links are told apart by their places. Not a dash, with which a
/// formula may begin.
fn or_none(index: &Option<Index>) -> String {
    index.map_or("none".to_owned(), |index| index.to_string())
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

/// What is said of carbon credits on a plot, as JSON has it, with the registry and the project.
pub(super) fn rights(said: &CarbonRights) -> (&'static str, &str, &str) {
    match said {
        CarbonRights::NoneIssued => ("none_issued", "", ""),
        CarbonRights::Unknown => ("unknown", "", ""),
        CarbonRights::Issued { registry, id } => ("issued", registry.as_str(), id.as_str()),
    }
}

/// The short names of all holders.
fn holders(state: &State) -> HashMap<HolderNumber, String> {
    let held = state.keys().filter_map(|key| match &key.role {
        KeyRole::Issuer {
            holder,
            holder_number,
            ..
        } => Some((*holder_number, holder.to_string())),
        KeyRole::Governor | KeyRole::Log => None,
    });
    held.collect()
}

/// The name of a basis, as JSON has it.
pub(super) fn basis_name(basis: Basis) -> &'static str {
    match basis {
        Basis::Census => "census",
        Basis::RandomSample => "random_sample",
        Basis::RemoteSensing => "remote_sensing",
    }
}

/// Several values in one cell.
pub(super) fn spaced(items: impl Iterator<Item = impl Display>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    items.join(" ")
}

/// A row of values, each as text.
macro_rules! row {
    ($($field:expr),* $(,)?) => { [$(($field).to_string()),*] };
}
pub(super) use row;

impl<'a> Export<'a> {
    /// Begins the tables in an empty folder, which is made if there is none. `state` is what all entries make.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn begin(
        dir: &Path,
        formats: &[TableFormat],
        state: &'a State,
    ) -> Result<Self, ExportError> {
        make_folders(dir)?;
        if std::fs::read_dir(dir).map_err(at(dir))?.next().is_some() {
            return Err(ExportError::NotEmpty(dir.to_owned()));
        }
        Ok(Self {
            dir: dir.to_owned(),
            formats: formats.to_vec(),
            tables: Tables::create(dir, formats)?,
            state,
            accounts: HashSet::new(),
            holders: holders(state),
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
                index, "state", none, none, none, none, none, none, at, none, none, none
            ]);
        };
        // A sealed entry is no link of its issuer's chain: its seal is.
        let link = taken.checked.entry().signed();
        let link = link.map(|entry| entry.signed.record());
        let holder = self.holder(stated.issuer());
        self.tables.entries.row(row![
            index,
            stated.statement.kind(),
            or_empty(taken.checked.id()),
            stated.issuer(),
            holder,
            or_empty(link.map(|record| record.seq)),
            or_empty(link.map(|record| record.prev)),
            stated.issued_on(),
            stated.admitted_at(),
            spaced(stated.lineage().iter().map(or_none)),
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
        self.accounts_of(index, stated.statement)?;
        self.statement(index, &holder, stated.statement)
    }

    /// To whom a key was granted; empty for a governor's.
    fn holder(&self, key: &PublicKey) -> String {
        let number = self.state.holder_number(key);
        let name = number.and_then(|number| self.holders.get(&number));
        name.cloned().unwrap_or_default()
    }

    /// Adds the accounts that a statement names and none did before.
    fn accounts_of(&mut self, index: Index, statement: &Statement) -> Result<(), ExportError> {
        let [first, second] = match statement {
            Statement::Award(award) => [Some(award.account), None],
            Statement::Transfer(transfer) => [Some(transfer.from), transfer.to],
            Statement::Claim(claim) => [Some(claim.account), None],
            _ => [None, None],
        };
        let named = first.iter().chain(&second);
        named.copied().try_for_each(|id| self.account(index, id))
    }

    fn account(&mut self, index: Index, id: AccountId) -> Result<(), ExportError> {
        let place = self.state.account_place(&id);
        let Some(half) = place.as_bytes().first_chunk::<16>() else {
            return Ok(());
        };
        if !self.accounts.insert(*half) {
            return Ok(());
        }
        // Whatever entry names is in the state that all entries make.
        let Some(account) = self.state.account(&id) else {
            return Ok(());
        };
        self.tables.accounts.row(row![
            id,
            account.balance,
            or_empty(self.holders.get(&account.holder)),
            index,
            account.last_entry,
        ])
    }

    fn statement(
        &mut self,
        index: Index,
        holder: &str,
        statement: &Statement,
    ) -> Result<(), ExportError> {
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
            Statement::Plot(plot) => self.plot(index, holder, plot),
            Statement::Planting(planting) => self.tables.plantings.row(row![
                index,
                planting.plot,
                holder,
                planting.species,
                planting.first_serial,
                planting.count,
                planting.planted_from,
                planting.planted_until,
                planting.evidence,
                planting.evidence_at,
            ]),
            Statement::Survey(survey) => self.survey(index, holder, survey),
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

    fn governors<'k>(
        &mut self,
        index: Index,
        keys: impl Iterator<Item = &'k PublicKey>,
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

    fn plot(&mut self, index: Index, holder: &str, plot: &Plot) -> Result<(), ExportError> {
        let (rights, registry, project) = rights(&plot.carbon_rights);
        let circle = plot.place.circle();
        self.tables.plots.row(row![
            index,
            plot.number,
            holder,
            plot.name,
            plot.country,
            circle.latitude.degrees(),
            circle.longitude.degrees(),
            circle.radius_m,
            match &plot.place {
                PlotPlace::Circle(_) => String::new(),
                PlotPlace::Outline { .. } => plot_shapes::of(&plot.place).as_text(),
            },
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

    fn survey(&mut self, index: Index, surveyor: &str, survey: &Survey) -> Result<(), ExportError> {
        self.tables.surveys.row(row![
            index,
            survey.plot,
            surveyor,
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

    /// Adds what the entries make and what the audit found, ends the tables, and writes beside them the plots as
    /// maps, what the columns mean, and the checkpoint whose entries they hold.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn finish(
        mut self,
        head: TreeHead,
        checkpoint: &Checkpoint,
        report: &Report,
    ) -> Result<(), ExportError> {
        state_tables::write(&mut self.tables, report, self.state)?;
        geojson::write(&self.dir.join("plots.geojson"), report, self.state)?;
        geopackage::write(&self.dir.join("plots.gpkg"), report, self.state)?;
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
            "# {}: {} entries\n\n{which}, root {}, as an audit of arborlog verified it. Findings and due dates as of {}.\n\n",
            checkpoint.origin(),
            head.size,
            head.root,
            report.as_of
        );
        if self.formats.contains(&TableFormat::Csv) {
            readme.push_str(CSV_WORDS);
        }
        if self.formats.contains(&TableFormat::Parquet) {
            readme.push_str(PARQUET_WORDS);
        }
        readme.push_str(MAP_WORDS);
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

const CSV_WORDS: &str = "CSV as RFC 4180 has it, UTF-8, a header in each file. Days are UTC, as YYYY-MM-DD. A field without a value is empty. Free texts are as their issuers wrote them, but a text that a spreadsheet might run has an apostrophe in front: one that begins, spaces aside, with = + - @, a wide form of these, a tab or the end of a line; and one that begins with an apostrophe. So take one apostrophe from the front of a text that begins with one, and you have what was written. Numbers and days are never changed: -33.4 is a number.\n\n";

const PARQUET_WORDS: &str = "Parquet with a type for each column: text is STRING, a whole number INTEGER(64) (DECIMAL(38,0) where it may be larger), a number with a fraction DOUBLE, a day DATE, milliseconds TIMESTAMP (UTC). A field without a value is null. Texts are as their issuers wrote them. Columns are compressed with Zstandard.\n\n";

const MAP_WORDS: &str = "`plots.geojson` (RFC 7946) and `plots.gpkg` (OGC GeoPackage 1.4, layer `plots`) have the plots of `plots_now` with its columns. `shape` says what the geometry is: `outline`, the corners that were stated; `circle`, 64 corners of a circle in which the plot lies somewhere, so its area is not the plot's; `point`, the middle of a circle that reaches a pole or halfway round the Earth. What lies across the 180th meridian is cut there.\n";

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
