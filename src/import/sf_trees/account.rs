//! What became of each line of the register.

use std::collections::{HashMap, HashSet};

use super::TreesConfig;
use super::books::TreeBooks;
use super::history::{Fate, History, Of};
use super::judge::{Fault, Judge, Judgement, NextStep, TreeInBooks, check_date};
use super::register::{EventAbout, EventLine, RegisteredTree, ReturnRow, TreeRegister};
use crate::import::outcome::{LineFate, RowOutcome};
use crate::record::{Index, Statement};

/// What an import was told of its statements.
#[derive(Default)]
pub struct Answers {
    /// Entries that this import made.
    pub admitted: HashSet<Index>,
    plantings_refused: HashMap<u64, (String, String)>,
    corrections_refused: HashMap<u64, (String, String)>,
}

impl Answers {
    /// Takes the refusal of a statement of these trees: its code and words.
    pub fn refused(&mut self, statement: &Statement, trees: &[u64], code: &str, detail: &str) {
        let refused = match statement {
            Statement::Planting(_) => &mut self.plantings_refused,
            _ => &mut self.corrections_refused,
        };
        for id in trees {
            refused.insert(*id, (code.to_owned(), detail.to_owned()));
        }
    }

    fn of_entry(&self, index: Index) -> RowOutcome {
        if self.admitted.contains(&index) {
            RowOutcome::Admitted(index)
        } else {
            RowOutcome::AlreadyIn(index)
        }
    }
}

/// Tells what became of each line that was not set aside when it was read.
pub fn account<E>(
    register: &TreeRegister,
    books: &TreeBooks,
    config: &TreesConfig<'_>,
    answers: &Answers,
    tell: &mut dyn FnMut(LineFate) -> Result<(), E>,
) -> Result<(), E> {
    let judge = Judge::new(register, books, config);
    for (id, tree) in &register.trees {
        let judgement = judge.judge(*id, tree);
        if let Some(line) = tree.added {
            tell(LineFate {
                file: register.added_file().to_owned(),
                line,
                id: format!("tree {id}"),
                outcome: outcome_of_tree(*id, &judgement, answers),
            })?;
        }
        let history = judge.history(tree);
        for row in &tree.returns {
            tell(LineFate {
                file: register.added_file().to_owned(),
                line: row.line,
                id: format!("tree {id}"),
                outcome: outcome_of_return(*id, tree, row, &history, &judgement, answers),
            })?;
        }
    }
    // What says the same again is in as far as the tree is.
    for (line, id) in &register.repeats {
        if let Some(tree) = register.trees.get(id) {
            tell(LineFate {
                file: register.added_file().to_owned(),
                line: *line,
                id: format!("tree {id}"),
                outcome: outcome_of_tree(*id, &judge.judge(*id, tree), answers),
            })?;
        }
    }
    for event in &register.events {
        let outcome = match register.trees.get(&event.tree) {
            Some(tree) => {
                let judgement = judge.judge(event.tree, tree);
                outcome_of_event(event, tree, &judgement, config, answers)
            }
            None => RowOutcome::SetAside(
                "no_date",
                "the register gives no planting date of this tree".to_owned(),
            ),
        };
        tell(LineFate {
            file: register.events_file().to_owned(),
            line: event.line,
            id: format!("tree {}", event.tree),
            outcome,
        })?;
    }
    Ok(())
}

fn outcome_of_tree(id: u64, judgement: &Judgement<'_>, answers: &Answers) -> RowOutcome {
    match judgement {
        Judgement::SetAside(fault) => set_aside(fault),
        Judgement::In(now) => answers.of_entry(now.tree.index),
        Judgement::Plant(..) => match answers.plantings_refused.get(&id) {
            Some((code, detail)) => RowOutcome::Refused {
                code: code.clone(),
                detail: detail.clone(),
            },
            None => not_sent(),
        },
    }
}

/// A tree is planted once: a row that says that it came back is of no planting. It is in where the tree
/// stands in the books, or is lost by a later removal.
fn outcome_of_return(
    id: u64,
    tree: &RegisteredTree,
    row: &ReturnRow,
    history: &History,
    judgement: &Judgement<'_>,
    answers: &Answers,
) -> RowOutcome {
    let lines = format!("lines {} and {}", tree.added.unwrap_or_default(), row.line);
    match history.of_return(row) {
        Of::Tree | Of::Earlier => match judgement {
            Judgement::In(now) if matches!(now.next, Some(NextStep::Restore(_))) => {
                correction_refused(id, answers)
            }
            Judgement::In(now) if history.came_back() && now.is_lost => RowOutcome::SetAside(
                "loss_of_several",
                format!(
                    "{lines} are one tree, which came back to the register, and the entry that lost it lost others too, which did not: a loss is voided as a whole"
                ),
            ),
            _ => outcome_of_tree(id, judgement, answers),
        },
        Of::Later => RowOutcome::SetAside(
            "other_tree",
            format!(
                "{lines} have one number and are two trees: planting date, species or place differ"
            ),
        ),
        Of::Unclear => {
            let why = match &history.fate {
                Fate::Unclear(why) => why.clone(),
                _ => String::new(),
            };
            RowOutcome::SetAside("fate_unclear", why)
        }
    }
}

fn outcome_of_event(
    event: &EventLine,
    tree: &RegisteredTree,
    judgement: &Judgement<'_>,
    config: &TreesConfig<'_>,
    answers: &Answers,
) -> RowOutcome {
    let of_tree = || outcome_of_tree(event.tree, judgement, answers);
    let Judgement::In(now) = judgement else {
        return of_tree();
    };
    match event.about {
        EventAbout::Species => of_tree(),
        EventAbout::Date => outcome_of_date(event, tree, now, config, answers),
        EventAbout::Removal(time) => match (now.history.of_removal(time), now.loss) {
            (Of::Unclear, _) => RowOutcome::SetAside(
                "fate_unclear",
                "it was removed and listed at the same time".to_owned(),
            ),
            (Of::Later, _) => RowOutcome::SetAside(
                "other_tree",
                "another tree had the number then: the register gave it other facts".to_owned(),
            ),
            (Of::Earlier, None) => RowOutcome::SetAside(
                "removed_before_listed",
                "it was removed before the first row of the tree was written: an earlier tree, or one whose row is missing".to_owned(),
            ),
            (Of::Earlier | Of::Tree, Some(loss)) => answers.of_entry(loss),
            (Of::Tree, None) => match &now.removal_fault {
                Some(fault) => set_aside(fault),
                None => correction_refused(event.tree, answers),
            },
        },
    }
}

fn outcome_of_date(
    event: &EventLine,
    tree: &RegisteredTree,
    now: &TreeInBooks<'_>,
    config: &TreesConfig<'_>,
    answers: &Answers,
) -> RowOutcome {
    let mut dates = tree.dates.iter();
    let Some(date) = dates.find(|date| date.event == Some(event.line)) else {
        return not_sent();
    };
    match check_date(date, config.today) {
        Err(fault) => set_aside(&fault),
        Ok(day) if day == now.tree.planted_on() => answers.of_entry(now.tree.index),
        Ok(_) => match &now.date_fault {
            Some(fault) => set_aside(fault),
            None if now.next.is_some() => correction_refused(event.tree, answers),
            None => RowOutcome::SetAside(
                "date_superseded",
                "the register gave the tree another date later".to_owned(),
            ),
        },
    }
}

fn correction_refused(tree: u64, answers: &Answers) -> RowOutcome {
    match answers.corrections_refused.get(&tree) {
        Some((code, detail)) => RowOutcome::Refused {
            code: code.clone(),
            detail: detail.clone(),
        },
        None => not_sent(),
    }
}

fn set_aside((reason, detail): &Fault) -> RowOutcome {
    RowOutcome::SetAside(reason, detail.clone())
}

/// Why a line is set aside of which nothing tells that was sent.
pub const NOT_SENT: &str = "not_sent";

/// The import ended before it came to what would tell of the line.
fn not_sent() -> RowOutcome {
    RowOutcome::SetAside(
        NOT_SENT,
        "what tells of it was not sent; run the same command again".to_owned(),
    )
}
