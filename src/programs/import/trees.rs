//! Street trees: plots and plantings, what became of them, and a census of the register.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;

use super::report::{ImportSummary, Report};
use super::{StatementSender, file_failure, hold_imports, register_failure};
use crate::cli::Failure;
use arborlog::client::{IssuerKey, LineOutcome, Submitter, today};
use arborlog::import::{
    ADDED_COLUMNS, Answers, CsvTable, DateOrder, EVENT_COLUMNS, MissingTrees, NOT_SENT, PlotCensus,
    RecognizeError, RowOutcome, SetAside, SpeciesList, TreeBooks, TreeRegister, TreesConfig,
    account, census, missing_trees, plan_trees, read_trees, recognize,
};
use arborlog::record::{Basis, Day, Digest, PlotNumber, Statement, Survey, WebAddress};

/// A tree takes no more rounds than this: planted, voided, planted again, lost, returned. More are
/// only needed where something contradicts itself.
const ROUNDS_MAX: usize = 16;

/// The files of a register, and what somebody says of them.
pub struct TreeFiles {
    /// The trees that were added.
    pub added: CsvTable<{ ADDED_COLUMNS.len() }>,
    /// What happened to trees.
    pub events: Option<CsvTable<{ EVENT_COLUMNS.len() }>>,
    /// In which order they write day and month.
    pub dates: Option<DateOrder>,
    /// How many rows the table of added trees has in its source.
    pub rows: Option<u64>,
    /// The same of the events.
    pub event_rows: Option<u64>,
    /// Somebody says that the files are the whole register, though nobody counted its rows.
    pub whole: bool,
}

/// Trees as plots and plantings, then what happened to them later: in rounds, each of which says
/// what is still lacking in the books.
pub fn import_trees(
    sender: &StatementSender,
    files: TreeFiles,
    species: &SpeciesList,
    planter: &IssuerKey,
    surveyor: Option<&IssuerKey>,
) -> Result<(ImportSummary, TreeBooks), Failure> {
    let mut report = Report::new("trees", sender.work(), sender.options.json)?;
    match send_trees(sender, files, species, planter, surveyor, &mut report) {
        Ok((books, admitted, refused)) => Ok((report.finish(admitted, refused)?, books)),
        Err(failure) => Err(report.stopped(failure)),
    }
}

/// Gives the books, and how many records were admitted and refused.
fn send_trees(
    sender: &StatementSender,
    files: TreeFiles,
    species: &SpeciesList,
    planter: &IssuerKey,
    surveyor: Option<&IssuerKey>,
    report: &mut Report,
) -> Result<(TreeBooks, u64, u64), Failure> {
    if surveyor.is_some()
        && (files.events.is_none() || files.rows.is_none() || files.event_rows.is_none())
    {
        return Err(Failure::usage(
            "a survey is a census of the whole register, and no file tells whether it is whole. Nothing was sent. Give the history with --events, and the number of rows that each file has in its source, without the header, with --rows and --event-rows; or leave out --surveyor-key",
        ));
    }
    let (rows, event_rows) = (files.rows, files.event_rows);
    let mut tell = |row: SetAside| report.tell(&row.into());
    let mut register =
        read_trees(files.added, files.events, files.dates, &mut tell).map_err(file_failure)?;
    register
        .check_rows(rows, event_rows)
        .map_err(file_failure)?;
    let config = TreesConfig {
        today: today(),
        species,
    };
    let _held = hold_imports(planter)?;
    let mut imported = Imported::default();
    report.read(register.read());
    let whole = files.whole || (rows.is_some() && (event_rows.is_some() || !register.has_events()));
    let (books, missing) = plant(
        sender,
        &mut register,
        &config,
        whole,
        planter,
        &mut imported,
    )?;
    if missing.count > 0 {
        report.note(
            "known_trees_missing",
            missing.count.into(),
            "trees that are in are not in the files: nothing was said of them",
        );
    }
    let others = books.taken_by_others();
    for (name, count, words) in [
        (
            "trees_voided_by_others",
            others.planting_voided,
            "trees that are in are of plantings that others voided: they are not planted again",
        ),
        (
            "trees_lost_by_others",
            others.lost,
            "trees that are in are lost by entries of others, or by entries that name no tree",
        ),
        (
            "losses_voided_by_others",
            others.loss_voided,
            "trees stand again, for others voided the entry by which they were lost",
        ),
    ] {
        if count > 0 {
            report.note(name, count.into(), words);
        }
    }
    if let Some(surveyor) = surveyor
        && imported.stopped.is_none()
    {
        let surveyed = surveys(&register, &config, &books, &missing)
            .and_then(|surveys| survey(sender, surveys, surveyor, &mut imported));
        // No line depends on it: they are told all the same.
        if let Err(failure) = surveyed {
            imported.stopped = Some(failure);
        }
    }
    let told = account(&register, &books, &config, &imported.answers, &mut |fate| {
        // What was being sent when the import broke off may be in.
        let is_known = !matches!(fate.outcome, RowOutcome::SetAside(NOT_SENT, _));
        if is_known || !imported.broke_off {
            report.tell(&fate);
        }
        Ok::<_, Infallible>(())
    });
    match told {
        Ok(()) => {}
        Err(never) => match never {},
    }
    match imported.stopped {
        Some(failure) => Err(failure),
        None => Ok((books, imported.admitted, imported.refused)),
    }
}

/// What was sent.
#[derive(Default)]
struct Imported {
    answers: Answers,
    admitted: u64,
    refused: u64,
    /// Why the rest was not sent.
    stopped: Option<Failure>,
    /// It broke off in the middle of a round: what tells of a line may have been sent.
    broke_off: bool,
}

fn plant(
    sender: &StatementSender,
    register: &mut TreeRegister,
    config: &TreesConfig<'_>,
    whole: bool,
    planter: &IssuerKey,
    imported: &mut Imported,
) -> Result<(TreeBooks, MissingTrees), Failure> {
    let opened = sender.open_phase("trees", planter)?;
    let file = planter.beside_head(".trees");
    let mut books = TreeBooks::open(&file).map_err(register_failure)?;
    let signers = books.signers().to_vec();
    sender.check_follows_no_key(&opened, &file, signers.is_empty())?;
    sender.statements_of(&opened, planter, &signers, &mut |index, statement| {
        books.take(index, statement);
    })?;
    match recognize(&*register, &mut books, config) {
        Err(RecognizeError::Unknown(_)) if sender.options.not_imported => books.leave_unknown()?,
        Err(RecognizeError::Unknown(unknown)) => return Err(Failure::check(unknown)),
        recognized => recognized?,
    }
    // Later imports are held against the trees that are in. At the first, nothing tells.
    if books.knows_no_tree() && register.has_events() && !register.is_empty() && !whole {
        return Err(Failure::usage(first_import(register)));
    }
    let missing = missing_trees(register, &books);
    // The rows of added trees say the same whatever is beside them. What events tell of a tree
    // without a row, and a census, do not.
    if register.has_events()
        && missing.is_part()
        && sender
            .options
            .missing
            .is_none_or(|most| missing.count > most)
    {
        let MissingTrees { count, known, .. } = missing;
        return Err(Failure::usage(format!(
            "{count} of {known} trees that are in are missing in the files, tree {} the first: they are a part of the register. Nothing was sent. Give the whole register; or, if its source has these trees no more, run the same command with --accept-missing {count}",
            missing.first.unwrap_or_default()
        )));
    }
    for plot in books.plots() {
        for planting in sender.plantings(plot)? {
            books.take_ledger(planting, &mut |plot, serial| sender.lost_at(plot, serial))?;
        }
    }
    register.drop_unknown(&books);
    books.add_signer(&planter.key().public())?;
    // What is in by now is told even if the rounds break off.
    if let Err(failure) = plant_in_rounds(
        sender, register, config, planter, opened, &mut books, imported,
    ) {
        imported.stopped = Some(failure);
        imported.broke_off = true;
    }
    Ok((books, missing))
}

/// Says what is lacking in the books, until nothing is.
fn plant_in_rounds(
    sender: &StatementSender,
    register: &TreeRegister,
    config: &TreesConfig<'_>,
    planter: &IssuerKey,
    opened: Submitter<'_>,
    books: &mut TreeBooks,
    imported: &mut Imported,
) -> Result<(), Failure> {
    let mut opened = Some(opened);
    for _ in 0..ROUNDS_MAX {
        let round = plan_trees(register, books, config);
        if round.is_empty() {
            break;
        }
        let mut serials = HashMap::new();
        for plot in round.plots() {
            serials.insert(plot, sender.serials(plot)?);
        }
        // A crash here leaves trees of plantings that were not sent: they count once the log has
        // a planting of that evidence.
        books.note(round.plantings())?;
        let planned = round.statements(&serials)?;
        let statements = planned.iter().map(|one| one.statement.clone());
        let submitter = match opened.take() {
            Some(submitter) => submitter,
            None => sender.open_phase("trees", planter)?,
        };
        let sent = sender.send("trees", submitter, statements)?;
        imported.admitted += sent.admitted();
        imported.refused = sent.refused();
        imported.stopped = sent.stopped;
        let mut progress = false;
        for (planned, outcome) in planned.iter().zip(&sent.outcomes) {
            match outcome {
                LineOutcome::Admitted(index) | LineOutcome::AlreadyIn(index) => {
                    progress = true;
                    books.take(*index, &planned.statement);
                    if matches!(outcome, LineOutcome::Admitted(_)) {
                        imported.answers.admitted.insert(*index);
                    }
                }
                LineOutcome::Refused { code, detail } => {
                    let answers = &mut imported.answers;
                    answers.refused(&planned.statement, &planned.trees, code, detail);
                }
                LineOutcome::SetAside(why)
                | LineOutcome::Repeated(why)
                | LineOutcome::EvidenceRepeated(why) => {
                    let answers = &mut imported.answers;
                    answers.refused(&planned.statement, &planned.trees, "unsignable", why);
                }
                LineOutcome::NotSent => {}
            }
        }
        if !progress || imported.stopped.is_some() {
            break;
        }
    }
    // Where nothing was lacking: a recovery, and what an earlier run signed, are settled all the same.
    if let Some(submitter) = opened {
        imported.stopped = sender.send("trees", submitter, std::iter::empty())?.stopped;
    }
    Ok(())
}

/// Why a first import stops of whose files nobody said that they are whole.
fn first_import(register: &TreeRegister) -> String {
    let (rows, event_rows) = register.rows();
    format!(
        "this is the first import of the register, so nothing tells whether its files are whole: {rows} rows of added trees and {event_rows} of events would be taken for all of it. Trees that events tell of and whose rows are missing would be planted as if their places were never published. Nothing was sent. Give the numbers of rows that the source names, with --rows and --event-rows; or, if the files are whole and nobody counted them, run the same command with --whole"
    )
}

/// Number of plots that are surveyed: those with the most trees.
const SURVEYS: usize = 12;

/// A census of the register, on its newest day: which of the trees it still lists. Nobody looked
/// at a tree, and the survey says so. A survey that is in is not made again.
fn survey(
    sender: &StatementSender,
    mut surveys: Vec<Survey>,
    surveyor: &IssuerKey,
    imported: &mut Imported,
) -> Result<(), Failure> {
    let submitter = sender.open_phase("surveys", surveyor)?;
    let mut known: HashSet<Digest> = HashSet::new();
    sender.statements_of(&submitter, surveyor, &[], &mut |_, statement| {
        if let Statement::Survey(survey) = statement {
            known.insert(survey.evidence);
        }
    })?;
    surveys.retain(|survey| !known.contains(&survey.evidence));
    let statements = surveys.into_iter().map(Statement::Survey);
    let sent = sender.send("surveys", submitter, statements)?;
    imported.admitted += sent.admitted();
    imported.refused += sent.refused();
    imported.stopped = sent.stopped;
    Ok(())
}

/// The surveys of the plots with the most trees: of those alone whose trees the files all have.
fn surveys(
    register: &TreeRegister,
    config: &TreesConfig<'_>,
    books: &TreeBooks,
    missing: &MissingTrees,
) -> Result<Vec<Survey>, Failure> {
    let (Some(day), Some(as_of)) = (register.last_day(), books.newest()) else {
        return Ok(Vec::new());
    };
    let mut plots = census(register, books, config);
    plots.retain(|plot, _| !missing.plots.contains(plot));
    let mut plots: Vec<_> = plots.into_iter().collect();
    plots.sort_by_key(|(number, census)| (std::cmp::Reverse(census.listed()), *number));
    plots
        .into_iter()
        .take(SURVEYS)
        .map(|(plot, census)| {
            Ok(Survey {
                plot,
                planting: None,
                surveyed_on: day,
                as_of,
                basis: Basis::Census,
                protocol: "rows of the city's register, no visits"
                    .parse()
                    .map_err(Failure::usage)?,
                plan: None,
                alive: census.alive,
                dead: census.dead,
                not_found: census.unclear,
                dead_known: census.dead_known,
                revived: census.revived,
                evidence: survey_evidence(plot, day, &census),
                evidence_at: WebAddress::default(),
                paid_by: "City and County of San Francisco (its register, not a visit)"
                    .parse()
                    .map_err(Failure::usage)?,
                next_due: Day::from_ymd(day.ymd().0 + 1, 12, 31),
            })
        })
        .collect()
}

/// SHA-256 of a file that says what the register lists.
fn survey_evidence(plot: PlotNumber, day: Day, census: &PlotCensus) -> Digest {
    use sha2::Digest as _;
    let (listed, removed) = (census.listed(), census.removed());
    let unclear = match census.unclear {
        0 => String::new(),
        count => format!(", {count} unclear"),
    };
    let file = format!(
        "register census of plot {plot} on {day}: {listed} listed, {removed} removed{unclear}\n"
    );
    Digest::from_bytes(sha2::Sha256::digest(file).into())
}
