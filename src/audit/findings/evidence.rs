//! Evidence that is none, and evidence that stands for two things.

use std::collections::BTreeMap;

use super::{Cases, Facts, Finding, FindingsError, Severity, many};
use crate::audit::awards::AwardRows;
use crate::audit::held::{NamedFile, PLAN};
use crate::record::{Digest, Index, PlotNumber};

/// Of entries with one digest, those that a case names.
const NAMED_MAX: usize = 10;

pub(super) fn placeholders(facts: &Facts<'_>) -> Option<Finding> {
    let mut cases = Cases::new(
        "evidence_placeholder",
        Severity::Medium,
        "The digest is of nothing: all bytes alike, or counted up, or that of an empty file or a word. No file can be \
         held against it. Ask for the file.",
    );
    let mut all = 0;
    for (kind, placeholders) in &facts.observations.placeholders {
        let span = &placeholders.entries;
        all += span.count;
        let first = placeholders.first;
        let detail = format!(
            "{}, the first with {first}",
            many(span.count, "entry", "entries")
        );
        cases.add(
            span.count.into(),
            format!("kind {kind}"),
            detail,
            span.ends(),
        );
    }
    cases.finding(|_| {
        let entries = many(all, "entry names", "entries name");
        format!("{entries} the digest of nothing")
    })
}

/// Evidence that stands for two things.
pub(super) fn shared(
    facts: &Facts<'_>,
    awards: &mut AwardRows,
) -> Result<Vec<Finding>, FindingsError> {
    Digests::new(facts).findings(awards)
}

/// All digests that stand for files, in their order.
pub(in crate::audit) fn named_digests(facts: &Facts<'_>) -> Vec<NamedFile> {
    let Digests(digests) = Digests::new(facts);
    let files = digests.into_iter();
    files
        .map(|(digest, used)| NamedFile {
            digest,
            what: used.by.words(),
            plot: used.plot,
            index: used.index,
        })
        .collect()
}

/// What a digest stands for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    Planting,
    Survey,
    Loss,
    Outline,
    Plan,
    Document,
    Award,
}

impl Use {
    fn words(self) -> &'static str {
        match self {
            Self::Planting => "planting",
            Self::Survey => "survey",
            Self::Loss => "loss",
            Self::Outline => "outline of a plot",
            Self::Plan => PLAN,
            Self::Document => "method's document",
            Self::Award => "award",
        }
    }
}

#[derive(Clone, Copy)]
struct Used {
    by: Use,
    plot: Option<PlotNumber>,
    index: Index,
}

/// All digests but awards', with what they stand for. It grows with plots, plantings, surveys and losses.
struct Digests(Vec<(Digest, Used)>);

impl Digests {
    fn new(facts: &Facts<'_>) -> Self {
        let mut digests = Vec::new();
        let mut add = |digest: Digest, by, plot, index| {
            digests.push((digest, Used { by, plot, index }));
        };
        for (digest, index) in facts.state.evidence() {
            let planted = facts.state.planting_place(*index);
            if let Some((plot, _)) = planted.filter(|_| facts.state.voided_by(*index).is_none()) {
                add(*digest, Use::Planting, Some(plot), *index);
            }
        }
        for (number, plot) in facts.state.plots() {
            if let Some(digest) = plot.plot.finer_outline {
                add(digest, Use::Outline, Some(*number), plot.stated_at);
            }
            for (index, survey) in facts.state.surveys(*number) {
                add(survey.survey.evidence, Use::Survey, Some(*number), index);
                if let Some(plan) = survey.survey.plan {
                    add(plan, Use::Plan, Some(*number), index);
                }
            }
        }
        for (index, loss) in facts.state.losses() {
            let said = facts.observations.losses.get(index);
            if let Some(digest) = said.and_then(|loss| loss.evidence) {
                add(digest, Use::Loss, Some(loss.plot), *index);
            }
        }
        for method in facts.state.methods() {
            add(
                method.method.document,
                Use::Document,
                None,
                method.stated_at,
            );
        }
        digests.sort_by_key(|(digest, used)| (*digest, used.by, used.index));
        Self(digests)
    }

    fn uses_of(&self, digest: &Digest) -> &[(Digest, Used)] {
        let from = self.0.partition_point(|(known, _)| known < digest);
        let of_it = self.0.get(from..).unwrap_or(&[]);
        let count = of_it.partition_point(|(known, _)| known == digest);
        of_it.get(..count).unwrap_or(&[])
    }

    /// What is shared among them, and with awards.
    fn findings(&self, awards: &mut AwardRows) -> Result<Vec<Finding>, FindingsError> {
        let mut kinds = Cases::new(
            "evidence_shared",
            Severity::Medium,
            "One file stands as evidence for things of different kinds: a picture of a planting can't show a ride. Ask \
             which of them it is of.",
        );
        let mut plots = Cases::new(
            "loss_evidence_shared",
            Severity::Low,
            "One file stands for losses on several plots, or for a loss on one and a survey of another. A storm may \
             reach both. Ask whether it shows both.",
        );
        for shared in self.0.chunk_by(|a, b| a.0 == b.0) {
            let [(digest, first), rest @ ..] = shared else {
                continue;
            };
            let uses = shared.iter().map(|(_, used)| used.by);
            let of = |by| uses.clone().any(|it| it == by);
            let is_other_plot = rest.iter().any(|(_, used)| used.plot != first.plot);
            // A loss rests on the survey that found it.
            let about_losses =
                of(Use::Loss) && uses.clone().all(|it| matches!(it, Use::Loss | Use::Survey));
            if about_losses {
                if is_other_plot {
                    add(&mut plots, digest, shared.iter().map(|(_, used)| used));
                }
            } else if rest.iter().any(|(_, used)| used.by != first.by) {
                add(&mut kinds, digest, shared.iter().map(|(_, used)| used));
            }
        }
        awards.each_evidence(|digest, rows| {
            let others = self.uses_of(&digest);
            if let (Some((_, other)), Some((first, _))) = (others.first(), rows.first()) {
                let award = Used {
                    by: Use::Award,
                    plot: None,
                    index: *first,
                };
                add(&mut kinds, &digest, [other, &award].into_iter());
            }
            Ok::<_, FindingsError>(())
        })?;
        let kinds = kinds.finding(|count| {
            let digests = many(count, "digest stands", "digests stand");
            format!("{digests} for things of different kinds")
        });
        let plots = plots.finding(|count| {
            let digests = many(count, "digest stands", "digests stand");
            format!("{digests} for losses on several plots")
        });
        Ok(kinds.into_iter().chain(plots).collect())
    }
}

fn add<'a>(cases: &mut Cases, digest: &Digest, used: impl Iterator<Item = &'a Used> + Clone) {
    let mut counts = BTreeMap::<Use, u64>::new();
    for it in used.clone() {
        *counts.entry(it.by).or_default() += 1;
    }
    let words: Vec<String> = counts
        .iter()
        .map(|(by, count)| match count {
            1 => by.words().to_owned(),
            _ => format!("{} ({count} times)", by.words()),
        })
        .collect();
    let mut indexes: Vec<Index> = used.map(|it| it.index).take(NAMED_MAX).collect();
    indexes.sort_unstable();
    let weight = counts.values().sum::<u64>();
    cases.add(
        weight.into(),
        format!("evidence {digest}"),
        words.join(", "),
        indexes,
    );
}
