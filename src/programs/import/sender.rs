//! Statements on their way to a server. Journals stand beside the key that signs, as all does that
//! tells what an import sent: the work folder has only reports, and may be lost.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::cli::submit::{failure, read_other_keys};
use crate::cli::{Failure, connect, progress};
use arborlog::client::{
    IssuerKey, Line, LineOutcome, LogFault, OnRefusal, Options, Remote, RemoteError, SubmitError,
    Submitter,
};
use arborlog::crypto::PublicKey;
use arborlog::durable::make_folders;
use arborlog::import::{LedgerPlanting, PlotSerials};
use arborlog::record::{Grams, Index, Method, Origin, PlotNumber, Serial, Statement};

/// What an import does beside the usual.
#[derive(Clone, Copy, Default)]
pub struct SendOptions {
    /// Make journals and heads anew from the log.
    pub recover: bool,
    /// What is in and can't be recognised was not sent by an import.
    pub not_imported: bool,
    /// Keys of so many accounts were deleted from the file of pseudonyms on purpose.
    pub forgotten: Option<usize>,
    /// What the register of trips noted of so many that are in is lost.
    pub trips_lost: Option<u64>,
    /// So many trees that are in may be missing in the files.
    pub missing: Option<u64>,
    /// Send again what was refused before.
    pub retry_refused: bool,
    /// Keep what became of each line, to be printed.
    pub json: bool,
}

/// Sends statements, each phase with a journal of its own beside the key.
pub struct StatementSender {
    remote: Remote,
    origin: Origin,
    work: PathBuf,
    pub options: SendOptions,
    /// Entries of the log that was proven: what the server tells of fewer is old.
    proven_size: Cell<u64>,
}

/// What the server says of the ledger, and how many entries that rests on.
#[derive(Deserialize)]
struct Looked<T> {
    as_of_size: u64,
    #[serde(flatten)]
    found: T,
}

/// What became of statements, in their order.
pub struct Sent {
    pub outcomes: Vec<LineOutcome>,
    /// Why those behind one of them were not sent.
    pub stopped: Option<Failure>,
}

impl Sent {
    /// The entry of the statement at a position, if it is in.
    pub fn index(&self, position: usize) -> Option<Index> {
        match self.outcomes.get(position)? {
            LineOutcome::Admitted(index) | LineOutcome::AlreadyIn(index) => Some(*index),
            _ => None,
        }
    }

    /// Number of statements that were admitted now.
    pub fn admitted(&self) -> u64 {
        self.count(|outcome| matches!(outcome, LineOutcome::Admitted(_)))
    }

    /// Number of statements that are not in.
    pub fn refused(&self) -> u64 {
        self.count(|outcome| {
            !matches!(
                outcome,
                LineOutcome::Admitted(_) | LineOutcome::AlreadyIn(_)
            )
        })
    }

    fn count(&self, is_one: impl Fn(&LineOutcome) -> bool) -> u64 {
        self.outcomes
            .iter()
            .filter(|outcome| is_one(outcome))
            .count() as u64
    }
}

impl StatementSender {
    /// A sender to a ledger's servers, at these addresses.
    pub fn open(servers: &[String], work: &Path, options: SendOptions) -> Result<Self, Failure> {
        make_folders(work)?;
        let remote = connect::to_any(servers);
        let origin = remote.origin()?;
        Ok(Self {
            remote,
            origin,
            work: work.to_owned(),
            options,
            proven_size: Cell::new(0),
        })
    }

    /// Asks what the ledger's state has at a path.
    fn look<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let Looked { as_of_size, found } = self.remote.json(path.trim_start_matches('/'))?;
        self.check_size(path, as_of_size)?;
        Ok(found)
    }

    /// Checks that the server speaks of all that is proven to be in its log: an older answer does not
    /// know what was corrected since.
    fn check_size(&self, path: &str, as_of_size: u64) -> Result<(), Failure> {
        let proven = self.proven_size.get();
        if as_of_size >= proven {
            return Ok(());
        }
        Err(anyhow::anyhow!(
            "{}/{}: the answer is of {as_of_size} entries, and the log has {proven}: something between keeps old answers; what is under /v1 must not be cached",
            self.remote.base(),
            path.trim_start_matches('/')
        )
        .into())
    }

    fn proven(&self, size: u64) {
        self.proven_size.set(self.proven_size.get().max(size));
    }

    /// The server.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// The folder for reports.
    pub fn work(&self) -> &Path {
        &self.work
    }

    /// Opens the journal of a phase: while it is open, nothing else signs with the key.
    pub fn open_phase<'a>(
        &'a self,
        phase: &str,
        key: &'a IssuerKey,
    ) -> Result<Submitter<'a>, Failure> {
        let journal = key.beside_head(&format!(".{phase}.journal"));
        let options = Options {
            retry_refused: self.options.retry_refused,
            ..Options::default()
        };
        let (remote, origin) = (&self.remote, &self.origin);
        let mut opened = if self.options.recover {
            Submitter::recover(remote, origin, key, &journal, options, &mut |_, _| {})
        } else {
            Submitter::open(remote, origin, key, &journal, options)
        }
        .map_err(failure)?;
        read_other_keys(&mut opened)?;
        self.proven(opened.proven_size());
        Ok(opened)
    }

    /// Checks that the file beside a key is not missing which the key that it follows has there: that nobody
    /// of the holder said anything, where the file `is_new`.
    pub fn check_follows_no_key(
        &self,
        opened: &Submitter<'_>,
        file: &Path,
        is_new: bool,
    ) -> Result<(), Failure> {
        let statements = opened.other_keys_statements().map_err(failure)?;
        if !is_new || statements == 0 || self.options.not_imported {
            return Ok(());
        }
        Err(Failure::check(anyhow::anyhow!(
            "this is the first import with this key, and other keys of the same holder signed {statements} statements: without the files beside the key that imported them, what is in can't be recognised and would count twice. Nothing was sent. If this key follows another, copy the file of that one to {}. If none of these statements was sent by import, run the same command with --not-imported",
            file.display()
        )))
    }

    /// Sends a phase's statements, those that are not in yet.
    pub fn send(
        &self,
        phase: &str,
        submitter: Submitter<'_>,
        statements: impl Iterator<Item = Statement>,
    ) -> Result<Sent, Failure> {
        let bar = progress::bar(phase, statements.size_hint().0 as u64);
        let lines = (1..).zip(statements).map(|(number, statement)| {
            Ok(Line {
                number,
                statement: Ok(statement),
            })
        });
        let mut outcomes = Vec::new();
        let mut tell = |_, outcome| {
            outcomes.push(outcome);
            Ok(())
        };
        let mut progress = |done| bar.set_position(done);
        let summary = submitter
            .run(lines, OnRefusal::Skip, &mut tell, &mut progress)
            .map_err(failure)?;
        self.proven(summary.head.size);
        let mut stopped = summary.stopped.as_ref().map(|stopped| {
            let problem = &stopped.problem;
            let what = anyhow::anyhow!(
                "{phase}: statement {}: {} ({}); {}",
                stopped.line,
                problem.detail,
                problem.code,
                problem.advice
            );
            what.into()
        });
        if summary.may_come_in > 0 && stopped.is_none() {
            stopped = Some(Failure::not_all_in(format!(
                "{phase}: {} statements were signed and sent by an earlier import that got no answer, and the files do not ask for them any more: that request may still be on its way, and nothing is in its place in the key's chain, so it can come in at any time. To have them in, import the files of before again. To keep them out for ever, send anything else with the same key, by import or submit: it takes that place. Until then each import tells this",
                summary.may_come_in
            )));
        }
        if summary.in_twice.count > 0 && stopped.is_none() {
            let entries: Vec<String> = summary
                .in_twice
                .first
                .iter()
                .take(10)
                .map(|(ours, theirs)| format!("{ours} and {theirs}"))
                .collect();
            stopped = Some(Failure::not_all_in(format!(
                "{phase}: {} events are in twice: another key of the holder signed an award of the same event at the same time (entries {}). Take one of each two back with a correction; an audit finds them all",
                summary.in_twice.count,
                entries.join(", ")
            )));
        }
        let line = format!(
            "{phase}: {} statements admitted, {} already in, {} refused{}",
            summary.admitted,
            summary.already_in,
            summary.refused,
            match summary.set_aside + summary.not_sent {
                0 => String::new(),
                count => format!(", {count} not sent"),
            }
        );
        progress::done(&bar, &line);
        Ok(Sent { outcomes, stopped })
    }

    /// Tells the statements of a key in the log, and of those that it replaced.
    pub fn statements_of(
        &self,
        submitter: &Submitter<'_>,
        key: &IssuerKey,
        before: &[PublicKey],
        tell: &mut dyn FnMut(Index, &Statement),
    ) -> Result<(), Failure> {
        let public = key.key().public();
        for key in before.iter().filter(|key| **key != public) {
            match submitter.statements_of(key, tell) {
                // A key of another ledger has said nothing in this one.
                Err(SubmitError::Log {
                    fault: LogFault::NotGranted(_),
                    ..
                }) => {}
                told => told.map_err(failure)?,
            }
        }
        submitter.statements_of(&public, tell).map_err(failure)
    }

    /// The versions of a method in the ledger.
    pub fn methods(&self) -> Result<Vec<Method>, Failure> {
        #[derive(Deserialize)]
        struct ListedMethod {
            method: Method,
        }
        #[derive(Deserialize)]
        struct MethodList {
            methods: Vec<ListedMethod>,
            /// The path of the next page.
            #[serde(default)]
            next: Option<String>,
        }
        let mut methods = Vec::new();
        let mut page = Some("/v1/methods".to_owned());
        while let Some(path) = page {
            let list: MethodList = self.look(&path)?;
            methods.extend(list.methods.into_iter().map(|listed| listed.method));
            page = list.next;
        }
        Ok(methods)
    }

    /// The awards from one entry to another of which points were taken back, by whomever, each with the
    /// points: the server's word.
    pub fn reversals(&self, first: Index, last: Index) -> Result<Vec<(Index, Grams)>, Failure> {
        #[derive(Deserialize)]
        struct ListedReversal {
            award: Index,
            points: Grams,
        }
        #[derive(Deserialize)]
        struct ReversalList {
            reversals: Vec<ListedReversal>,
            /// The path of the next page.
            next: Option<String>,
        }
        let mut reversals = Vec::new();
        // Entry 0 is the genesis: the first award that there can be is behind it.
        let after = first.0.saturating_sub(1);
        let mut page = Some(format!("/v1/reversals?after={after}"));
        while let Some(path) = page {
            let list: ReversalList = self.look(&path)?;
            page = list.next;
            for ListedReversal { award, points } in list.reversals {
                if award > last {
                    return Ok(reversals);
                }
                reversals.push((award, points));
            }
        }
        Ok(reversals)
    }

    /// What the ledger has of a plot's plantings now.
    pub fn plantings(&self, plot: PlotNumber) -> Result<Vec<LedgerPlanting>, Failure> {
        #[derive(Deserialize)]
        struct ListedPlanting {
            index: Index,
            voided: bool,
            lost: u64,
        }
        #[derive(Deserialize)]
        struct PlotAnswer {
            plantings: Vec<ListedPlanting>,
            /// The path of the next page.
            plantings_next: Option<String>,
        }
        let mut plantings = Vec::new();
        let mut page = Some(format!("/v1/plots/{plot}"));
        while let Some(path) = page {
            let answer: PlotAnswer = self.look(&path)?;
            plantings.extend(answer.plantings.iter().map(|listed| LedgerPlanting {
                index: listed.index,
                voided: listed.voided,
                lost: listed.lost,
            }));
            page = answer.plantings_next;
        }
        Ok(plantings)
    }

    /// The entry by which a tree is lost, if it is.
    pub fn lost_at(&self, plot: PlotNumber, serial: Serial) -> Result<Option<Index>, Failure> {
        #[derive(Deserialize)]
        struct TreeAnswer {
            lost_at: Option<Index>,
        }
        let tree: TreeAnswer = self.look(&format!("v1/trees/{plot}/{serial}"))?;
        Ok(tree.lost_at)
    }

    /// Which serials of a plot are free.
    pub fn serials(&self, plot: PlotNumber) -> Result<PlotSerials, Failure> {
        #[derive(Deserialize)]
        struct PlotAnswer {
            next_serial: Option<Serial>,
        }
        let path = format!("v1/plots/{plot}");
        match self.remote.json::<Looked<PlotAnswer>>(&path) {
            Ok(plot) => {
                self.check_size(&path, plot.as_of_size)?;
                let next = plot.found.next_serial;
                Ok(next.map_or(PlotSerials::Exhausted, PlotSerials::From))
            }
            Err(RemoteError::Problem { problem, .. }) if problem.code == "not_found" => {
                Ok(PlotSerials::NoPlot)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What a line came to whose statement came to this.
pub fn row_outcome(outcome: &LineOutcome) -> arborlog::import::RowOutcome {
    use arborlog::import::RowOutcome;
    match outcome {
        LineOutcome::Admitted(index) => RowOutcome::Admitted(*index),
        LineOutcome::AlreadyIn(index) => RowOutcome::AlreadyIn(*index),
        LineOutcome::Refused { code, detail } => RowOutcome::Refused {
            code: code.clone(),
            detail: detail.clone(),
        },
        LineOutcome::SetAside(why) => RowOutcome::SetAside("unsignable", why.clone()),
        LineOutcome::Repeated(why) => RowOutcome::SetAside("line_repeated", why.clone()),
        LineOutcome::EvidenceRepeated(why) => {
            RowOutcome::SetAside("evidence_repeated", why.clone())
        }
        LineOutcome::NotSent => RowOutcome::SetAside(
            "not_sent",
            "a statement before it was refused; run the same command again".to_owned(),
        ),
    }
}
