//! What an auditor was handed beside the ledger: folders of files, and plans.

use std::path::PathBuf;

use clap::Args;

use super::sample::{Drawer, read_plan};
use super::{Failure, progress};
use arborlog::audit::{Inspection, PlanShown, Report, StaticLog, threads_default};
use arborlog::evidence::{self, Files};
use arborlog::note::VerifierKey;
use arborlog::outcome::Outcome;
use arborlog::record::Day;

/// Plans that an evidence folder may have.
const PLANS_MAX: usize = 100;
/// The longest plan that is looked for in an evidence folder.
const PLAN_BYTES_MAX: usize = 64 << 20;

/// Files of the programme that are held against its ledger.
#[derive(Args)]
pub struct HandedArgs {
    /// Hold the files below this folder against the digests that the ledger names, of plantings, surveys, losses, plans and
    /// documents. A file is found by its digest, not by its name; symbolic links are not followed. Several times for several.
    #[arg(long, value_name = "DIR")]
    evidence: Vec<PathBuf>,
    /// The same for the outlines of plots: GeoJSON, whose area and place are held against what the plot states.
    #[arg(long, value_name = "DIR")]
    outlines: Vec<PathBuf>,
    /// Say how much was done of this plan (arborlog sample), which is drawn again first. Plans in the folder of --evidence
    /// are found by the digests that surveys name. Several times for several.
    #[arg(long, value_name = "FILE")]
    plan: Vec<PathBuf>,
}

impl HandedArgs {
    /// Holds all of it against the ledger, and adds it to the report.
    pub fn hold(
        &self,
        inspection: &Inspection,
        report: &mut Report,
        (place, source, log): (&str, &dyn StaticLog, VerifierKey),
        as_of: Day,
    ) -> Result<(), Failure> {
        let folders: Vec<PathBuf> = self
            .evidence
            .iter()
            .chain(&self.outlines)
            .cloned()
            .collect();
        let mut files = Files::default();
        let named = inspection.named_files(as_of)?;
        if !folders.is_empty() {
            let bar = progress::bar("reading files, bytes", 0);
            let held = evidence::hold(&folders, &named, |bytes| bar.inc(bytes));
            bar.finish_and_clear();
            let (held, read) = held?;
            files = read;
            report.say_evidence(&held);
        }
        let drawer = Drawer {
            place,
            source,
            log,
            policy: None,
            threads: threads_default(),
        };
        let mut shown: Vec<PlanShown> = Vec::new();
        for file in &self.plan {
            shown.push(drawer.check(file)?);
        }
        let mut plans: Vec<_> = named.digests.iter().filter(|it| it.is_plan()).collect();
        plans.dedup_by_key(|it| it.digest);
        for digest in plans.into_iter().map(|it| it.digest).take(PLANS_MAX) {
            let is_known = shown.iter().any(|it| it.digest == digest);
            let Some(found) = files.of(&digest).filter(|_| !is_known) else {
                continue;
            };
            // A plan may be of any form: what is not one of ours is held against its digest alone.
            let Ok(bytes) = found.read(&digest, PLAN_BYTES_MAX) else {
                continue;
            };
            if let Ok(plan) = read_plan(&bytes) {
                shown.push(drawer.check_read(digest, &bytes, plan)?);
            }
        }
        if !shown.is_empty() {
            let (rows, findings) = inspection.plans_done(&shown, as_of)?;
            report.say_plans(rows, findings);
        }
        Ok(())
    }
}

/// What was held, in lines for people.
pub fn lines(report: &Report) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(row) = &report.evidence {
        lines.push(format!(
            "{} files ({} bytes) were held against {} digests: {} have their file, {} lack it, {} files have another digest than their name; {} files belong to no record, {} could not be read, {} symbolic links were not followed",
            row.files, row.files_bytes, row.digests, row.held, row.missing, row.differing, row.files_of_no_record,
            row.files_unread, row.links_not_followed
        ));
        if !row.outlines.is_empty() {
            let of = |outcome| {
                row.outlines
                    .iter()
                    .filter(|it| it.outcome == outcome)
                    .count()
            };
            lines.push(format!(
                "of {} outlines {} hold, {} contradict their plots, {} are not there, {} are no GeoJSON of polygons",
                row.outlines.len(),
                of(Outcome::Holds),
                of(Outcome::False),
                of(Outcome::Unchecked),
                of(Outcome::NotThatKind)
            ));
        }
        lines.push(match &row.pictures {
            Some(pictures) => format!(
                "{} pictures were compared with each other, {} pairs are nearly the same; {} show too little, {} could not be read",
                pictures.compared, pictures.alike, pictures.plain, pictures.unread
            ),
            None => "pictures were not compared with each other: this program was built without that".to_owned(),
        });
    }
    for row in &report.plans {
        let mut line = format!(
            "plan {} of {}: {}, {} of {} plots were visited, {} of {} trees looked for, by {} surveys ({} of other plots)",
            row.digest,
            row.day,
            match row.outcome {
                Outcome::Holds => "it is what the log gives",
                _ => row.words.as_str(),
            },
            row.plots_done,
            row.plots,
            row.trees_looked_for,
            row.trees,
            row.surveys,
            row.surveys_elsewhere
        );
        if let Some(share) = row.alive_share {
            let percent = |share| arborlog::audit::percent(share, 1);
            line.push_str(&format!("; {} of the trees live", percent(share.estimate)));
            if let Some(ends) = share.interval {
                line.push_str(&format!(
                    " ({} to {})",
                    percent(ends.low),
                    percent(ends.high)
                ));
            }
        }
        lines.push(line);
    }
    lines
}
