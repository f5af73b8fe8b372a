//! Statements on their way to a server, with what was sent and what was set aside in a work folder.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::cli::submit::failure;
use crate::cli::{Failure, connect, progress};
use arborlog::client::{
    IssuerKey, LineOutcome, OnRefusal, Options, Remote, RemoteError, Submitter,
};
use arborlog::durable::{make_folders, replace};
use arborlog::import::SetAside;
use arborlog::record::{Index, Method, Origin, PlotNumber, Serial, Statement};

/// Sends statements, each phase with a journal of its own in the work folder.
pub struct StatementSender {
    remote: Remote,
    origin: Origin,
    work: PathBuf,
}

/// What became of statements, in their order.
pub struct Sent {
    pub indexes: Vec<Option<Index>>,
    pub refused: usize,
}

impl Sent {
    /// The entry of the statement at a position, if it was admitted.
    pub fn index(&self, position: usize) -> Option<Index> {
        self.indexes.get(position).copied().flatten()
    }

    /// Number of statements that were admitted.
    pub fn admitted(&self) -> usize {
        self.indexes.iter().flatten().count()
    }
}

impl StatementSender {
    /// A sender to the server at `url`.
    pub fn open(url: &str, work: &Path) -> Result<Self, Failure> {
        make_folders(work)?;
        let remote = connect::to(url);
        let origin = remote.origin()?;
        Ok(Self {
            remote,
            origin,
            work: work.to_owned(),
        })
    }

    /// The server.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// A file of the work folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.work.join(name)
    }

    /// Sends a phase's statements, those that are not in yet.
    pub fn send(
        &self,
        phase: &str,
        key: &IssuerKey,
        statements: &[Statement],
    ) -> Result<Sent, Failure> {
        let journal = self.work.join(format!("{phase}.journal"));
        let options = Options::default();
        let submitter =
            Submitter::open(&self.remote, &self.origin, key, &journal, options).map_err(failure)?;
        let bar = progress::bar(phase, statements.len() as u64);
        let (outcomes, summary) = submitter
            .run_statements(statements, OnRefusal::Skip, &mut |done| {
                bar.set_position(done)
            })
            .map_err(failure)?;
        if let Some(stopped) = &summary.stopped {
            let problem = &stopped.problem;
            return Err(anyhow::anyhow!(
                "{phase}: statement {}: {} ({}); {}",
                stopped.line,
                problem.detail,
                problem.code,
                problem.advice
            )
            .into());
        }
        let line = format!(
            "{phase}: {} in, {} refused",
            summary.admitted + summary.already_in,
            summary.refused
        );
        progress::done(&bar, &line);
        let mut refusals = String::new();
        for (number, outcome) in (1..).zip(&outcomes) {
            if let LineOutcome::Refused { code, detail } = outcome {
                let refusal = serde_json::json!({
                    "statement": number, "code": code, "detail": detail,
                });
                refusals.push_str(&format!("{refusal}\n"));
            }
        }
        if !refusals.is_empty() {
            let path = self.work.join(format!("{phase}.refused.ndjson"));
            replace(&path, refusals.as_bytes())?;
        }
        let indexes = outcomes
            .iter()
            .map(|outcome| match outcome {
                LineOutcome::Admitted(index) | LineOutcome::AlreadyIn(index) => Some(*index),
                _ => None,
            })
            .collect();
        Ok(Sent {
            indexes,
            refused: usize::try_from(summary.refused)?,
        })
    }

    pub fn set_aside(&self, what: &str, rows: &[SetAside]) -> Result<(), Failure> {
        let mut lines = String::new();
        for row in rows {
            lines.push_str(&serde_json::to_string(row)?);
            lines.push('\n');
        }
        let path = self.work.join(format!("{what}.set-aside.ndjson"));
        replace(&path, lines.as_bytes())?;
        errln!("{what}: {} rows set aside", rows.len());
        Ok(())
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
        }
        let list: MethodList = self.remote.json("v1/methods")?;
        let listed = list.methods.into_iter();
        Ok(listed.map(|listed| listed.method).collect())
    }

    /// The first free serial of a plot; none if the ledger has no such plot.
    pub fn next_serial(&self, plot: PlotNumber) -> Result<Option<Serial>, Failure> {
        #[derive(Deserialize)]
        struct PlotAnswer {
            next_serial: Option<Serial>,
        }
        match self.remote.json::<PlotAnswer>(&format!("v1/plots/{plot}")) {
            Ok(plot) => Ok(plot.next_serial),
            Err(RemoteError::Problem { problem, .. }) if problem.status == 404 => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}
