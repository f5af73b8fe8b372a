//! Which checkpoint a file rests on: the newest, the newest that witnesses saw, or the newest that auditors
//! replayed (`?level=`).

use serde::Deserialize;

use super::App;
use super::cosigned::with_lines;
use crate::answer::{Problem, ProblemCode};
use crate::policy::Level;
use crate::record::Index;

/// The level that a file is asked for at.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LevelQuery {
    pub level: Option<String>,
}

/// The checkpoint that a file rests on.
pub(super) struct AtLevel {
    /// The level that was asked for; `None` for the newest, whoever cosigned it.
    pub level: Option<Level>,
    /// The number of its entries.
    pub size: u64,
    /// The note, with the cosignatures that it has.
    pub checkpoint: String,
}

impl AtLevel {
    /// The newest checkpoint with the level that a query names, or the newest if it names none.
    pub(super) fn named(app: &App, level: Option<&str>) -> Result<Self, Problem> {
        let level = match level {
            None | Some("newest") => None,
            Some("witnessed") => Some(Level::Witnessed),
            Some("audited") => Some(Level::Audited),
            Some(_) => {
                return Err(Problem::new(
                    ProblemCode::QueryMalformed,
                    "there is no such level",
                    "level=newest, witnessed or audited",
                ));
            }
        };
        let Some(level) = level else {
            let published = app.log.published();
            return Ok(Self {
                level: None,
                size: published.head.tree.size,
                checkpoint: with_lines(app, &published),
            });
        };
        let newest = app.cosigned.board.newest_with(level);
        let newest = newest.ok_or_else(|| unreached(level, None))?;
        Ok(Self {
            level: Some(level),
            size: newest.head().size,
            checkpoint: newest.note().to_owned(),
        })
    }

    /// That an entry which the log has is not covered at this level yet.
    pub(super) fn too_new(&self, index: Index) -> Option<Problem> {
        let level = self.level?;
        (index.0 >= self.size).then(|| unreached(level, Some(self.size)))
    }
}

fn unreached(level: Level, size: Option<u64>) -> Problem {
    let detail = match size {
        Some(size) => format!("the newest checkpoint that is {level} has {size} entries"),
        None => format!("no checkpoint is {level} yet"),
    };
    let advice = "ask again later, or for level=newest; GET /v1/cosigners says how far each witness and auditor is";
    Problem::new(ProblemCode::LevelUnreached, &detail, advice).at_size(size)
}
