//! Which checkpoint a file rests on: the newest, the newest that witnesses saw, that auditors replayed, or that has the
//! whole quorum, or the best of these that covers what is asked for (`?level=`). Where no one checkpoint has the whole
//! quorum, a file has two.

use std::sync::Arc;

use serde::Deserialize;

use super::App;
use super::cosigned::with_lines;
use crate::answer::{Problem, ProblemCode};
use crate::cosign::CosignedCheckpoint;
use crate::policy::Level;
use crate::receipt::{Receipt, SecondCheckpoint};
use crate::record::Index;

/// The level that a file is asked for at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LevelQuery {
    pub level: Option<String>,
}

/// The checkpoint that a file rests on.
pub(super) struct AtLevel {
    /// The level that it has; `None` for the newest, whoever cosigned it.
    pub level: Option<Level>,
    /// The number of its entries.
    pub size: u64,
    /// The note, with the cosignatures that it has.
    pub checkpoint: String,
    /// A larger one whose cosigners make up for what it lacks.
    pub second: Option<Arc<CosignedCheckpoint>>,
}

/// The checkpoints that a file may rest on, the one that is wanted most first: there is one at least.
pub(super) struct Levels {
    /// The level that was asked for; `None` where the newest will do.
    asked: Option<Level>,
    checkpoints: Vec<AtLevel>,
}

impl Levels {
    /// Those with the level that a query names: the newest if it names none.
    pub(super) fn named(app: &App, name: Option<&str>) -> Result<Self, Problem> {
        let (asked, checkpoints) = match name {
            None | Some("newest") => (None, vec![newest(app)]),
            Some("witnessed") => (Some(Level::Witnessed), with(app, Level::Witnessed)),
            Some("audited") => (Some(Level::Audited), with(app, Level::Audited)),
            Some("cosigned") => (Some(Level::Cosigned), with(app, Level::Cosigned)),
            Some("best") => {
                let levels = [Level::Cosigned, Level::Audited, Level::Witnessed];
                let levels = levels.into_iter().flat_map(|level| with(app, level));
                (None, levels.chain([newest(app)]).collect())
            }
            Some(_) => {
                return Err(Problem::new(
                    ProblemCode::QueryMalformed,
                    "there is no such level",
                    "level=newest, witnessed, audited, cosigned or best",
                ));
            }
        };
        match asked {
            Some(level) if checkpoints.is_empty() => Err(unreached(level, None)),
            asked => Ok(Self { asked, checkpoints }),
        }
    }

    /// The first that an entry is in.
    pub(super) fn covering(self, index: u64) -> Result<AtLevel, Problem> {
        let largest = self.checkpoints.iter().map(|at| at.size).max();
        let mut checkpoints = self.checkpoints.into_iter();
        match (checkpoints.find(|at| index < at.size), self.asked) {
            (Some(at), _) => Ok(at),
            (None, Some(level)) => Err(unreached(level, largest)),
            (None, None) => Err(Problem::not_found(&format!(
                "the log has {} entries",
                largest.unwrap_or(0)
            ))),
        }
    }

    /// All of them.
    pub(super) fn into_checkpoints(self) -> Vec<AtLevel> {
        self.checkpoints
    }
}

impl AtLevel {
    /// That an entry which the log has is not covered at this level yet.
    pub(super) fn too_new(&self, index: Index) -> Option<Problem> {
        let level = self.level?;
        (index.0 >= self.size).then(|| unreached(level, Some(self.size)))
    }

    /// Puts the second checkpoint into a receipt in this one, if there is one.
    pub(super) async fn add_second(&self, app: &App, receipt: &mut Receipt) -> Result<(), Problem> {
        let Some(second) = &self.second else {
            return Ok(());
        };
        let larger = second.head().size;
        let hashes = app.log.reader().consistency(self.size, larger).await?;
        receipt.second = Some(SecondCheckpoint {
            checkpoint: second.note().as_bytes().to_vec(),
            consistency: hashes.iter().map(|hash| *hash.as_bytes()).collect(),
        });
        Ok(())
    }
}

/// The newest checkpoint, with what cosignatures it has.
pub(super) fn newest(app: &App) -> AtLevel {
    let published = app.log.published();
    AtLevel {
        level: None,
        size: published.head.tree.size,
        checkpoint: with_lines(app, &published),
        second: None,
    }
}

/// The newest with a level. Of the whole quorum, behind it the newest two that have it together.
fn with(app: &App, level: Level) -> Vec<AtLevel> {
    let at = |first: &CosignedCheckpoint, second| AtLevel {
        level: Some(level),
        size: first.head().size,
        checkpoint: first.note().to_owned(),
        second,
    };
    let single = app.cosigned.board.newest_with(level);
    let both = match level {
        Level::Cosigned => app.cosigned.board.newest_two(),
        Level::Witnessed | Level::Audited => None,
    };
    let single = single.map(|newest| at(&newest, None));
    let both = both.map(|[first, second]| at(&first, Some(second)));
    single.into_iter().chain(both).collect()
}

fn unreached(level: Level, size: Option<u64>) -> Problem {
    let detail = match size {
        Some(size) => format!("the newest checkpoint that is {level} has {size} entries"),
        None => format!("no checkpoint is {level} yet"),
    };
    let advice = "ask again later, or for level=newest; GET /v1/cosigners says how far each witness and auditor is";
    Problem::new(ProblemCode::LevelUnreached, &detail, advice).at_size(size)
}
