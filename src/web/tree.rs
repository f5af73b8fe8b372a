//! A tree, and the certificate that names it: one page, with what happened and what proves it.

use std::sync::Arc;

use askama::Template;
use axum::extract::State as Extract;
use qrcode::QrCode;
use qrcode::render::svg;

use super::frame::{Frame, Visit};
use super::life::Life;
use super::names::{grantee_name, species_name};
use super::panel::Receipts;
use super::plot::SurveyFacts;
use super::say::isolated;
use super::texts::fill;
use super::{PageResult, Pages, broken, not_found, page, stated};
use crate::answer::extract::{Path, parse_path};
use crate::answer::{Problem, ProblemCode};
use crate::ledger::{ClaimTree, State};
use crate::note::TreeHead;
use crate::record::{
    Correction, Day, Index, Method, PlotNumber, Remedy, Serial, SpeciesCode, Statement, TimeMs,
};

/// The most surveys that a tree's life shows: the newest.
const SURVEYS_MAX: usize = 20;
/// The most surveys of a plot among which those of one planting are looked for: the newest.
const SURVEYS_READ_MAX: usize = 1_000;
/// The least width of a QR code, in pixels.
const QR_MIN: u32 = 180;

/// A tree as the books have it.
pub(super) struct TreeFacts {
    pub plot: PlotNumber,
    pub plot_name: String,
    /// The entry that states the plot.
    pub plot_at: Index,
    /// The last entry about the plot.
    pub plot_last: Index,
    /// How many fewer trees stand on the plot than have a claim.
    pub shortfall: u64,
    pub serial: Serial,
    pub species: SpeciesCode,
    pub species_name: String,
    /// The entry of a method that names the species.
    pub method_at: Index,
    /// The entry of its planting.
    pub planting: Index,
    /// The first day on which it may have been planted.
    pub planted_from: Day,
    /// The last one.
    pub planted_until: Day,
    /// Whether a correction voided its planting.
    pub voided: bool,
    /// The entry that says that it was lost.
    pub lost_at: Option<Index>,
    /// The claim that it is tied to, and the assignment that tied it.
    pub tied: Option<(Index, Index)>,
    /// The newest surveys that looked at its planting.
    pub surveys: Vec<Index>,
    /// The latest survey of the plot.
    pub survey: Option<SurveyFacts>,
}

impl TreeFacts {
    /// What the state has of a tree; `None` if no planting has its serial.
    fn of(state: &State, plot: PlotNumber, serial: Serial) -> Result<Option<Self>, Problem> {
        let Some((_, planting)) = state.planting_of(plot, serial) else {
            return Ok(None);
        };
        let place = state.plot(plot);
        let place = place
            .ok_or_else(|| Problem::contradiction(&format!("plot {plot} was never stated")))?;
        let lost = planting
            .lost_ranges
            .iter()
            .find(|range| range.holds(serial));
        let tied = state.tree(plot, serial);
        let all = || {
            state
                .surveys(plot)
                .rev()
                .map(|(index, survey)| SurveyFacts::of(index, survey))
        };
        let here = |survey: &SurveyFacts| {
            survey.planting.is_none_or(|index| index == planting.index)
                && survey.on >= planting.planted_from
                && survey.as_of >= planting.index
        };
        let surveys = all().take(SURVEYS_READ_MAX).filter(here).take(SURVEYS_MAX);
        Ok(Some(Self {
            plot,
            plot_name: place.plot.name.to_string(),
            plot_at: place.stated_at,
            plot_last: place.last_entry,
            shortfall: place.shortfall(),
            serial,
            species: planting.species,
            species_name: species_name(state, planting.species)?,
            method_at: method_naming(state, planting.species)?,
            planting: planting.index,
            planted_from: planting.planted_from,
            planted_until: planting.planted_until,
            voided: planting.voided,
            lost_at: lost.map(|range| range.lost_at),
            tied: tied.map(|tree| (tree.claim, tree.assigned_at)),
            surveys: surveys.map(|survey| survey.index).collect(),
            survey: all().next(),
        }))
    }

    /// Whether the plot's latest survey looked at another planting.
    fn survey_is_of_another(&self) -> bool {
        let planting = self.survey.as_ref().and_then(|survey| survey.planting);
        planting.is_some_and(|index| index != self.planting)
    }

    /// Whether the plot's latest survey was made before this tree was planted, or by books that did not
    /// have it.
    fn survey_is_older(&self) -> bool {
        self.survey
            .as_ref()
            .is_some_and(|survey| survey.on < self.planted_from || survey.as_of < self.planting)
    }

    /// The receipts that its page rests on.
    fn receipts(&self) -> Receipts {
        let mut receipts = Receipts::of("planting", self.planting);
        if let Some((claim, assignment)) = self.tied {
            receipts.add("claim", claim);
            receipts.add("assignment", assignment);
        }
        if let Some(survey) = &self.survey {
            receipts.add("survey", survey.index);
        }
        receipts.add("plot", self.plot_at);
        receipts.add("method", self.method_at);
        receipts
    }
}

/// The entry of the first method that names a species which something in the ledger is of.
fn method_naming(state: &State, code: SpeciesCode) -> Result<Index, Problem> {
    let names = |method: &Method| method.species.iter().any(|species| species.code == code);
    let method = state.methods().find(|state| names(&state.method));
    let method =
        method.ok_or_else(|| Problem::contradiction(&format!("no method names species {code}")))?;
    Ok(method.stated_at)
}

/// The most claims behind a waiting one that are counted, to tell how many wait longer.
const COUNTED_MAX: usize = 100_000;
/// The most losses, from the newest on, among which that of a claim's earlier tree is looked for.
const LOSSES_MAX: usize = 10_000;

/// Where a claim stands.
enum Standing {
    Waiting {
        /// How many claims wait longer; `None` if more are behind this one than are counted.
        before: Option<u64>,
        /// The tree that it had, and the correction that took it.
        had: Option<(PlotNumber, Serial, Index)>,
    },
    Tied,
    Voided,
}

impl Standing {
    /// How a claim that waits stands.
    fn waiting(state: &State, index: Index) -> Self {
        let behind = state.claims_behind(index).take(COUNTED_MAX + 1);
        let (mut count, mut waiting) = (0, 0);
        for (_, claim) in behind {
            count += 1;
            waiting += u64::from(claim.tree == ClaimTree::Waiting);
        }
        let others = state.totals().waiting.saturating_sub(1);
        let before = (count <= COUNTED_MAX).then(|| others.saturating_sub(waiting));
        let had = state
            .losses()
            .rev()
            .take(LOSSES_MAX)
            .find_map(|(at, loss)| {
                let mine = loss.displaced.iter().find(|(_, tree)| tree.claim == index);
                mine.map(|(serial, _)| (loss.plot, *serial, *at))
            });
        Self::Waiting { before, had }
    }
}

/// A claim as a certificate.
struct Certificate {
    index: Index,
    account: String,
    points: u64,
    species: SpeciesCode,
    species_name: String,
    /// What it stands for, as a title.
    title: String,
    /// Whether its tree was planted before the claim was made.
    planted_before: bool,
    /// How it stands, in sentences.
    standing: Vec<String>,
    when: String,
    by: String,
    url: String,
    qr: String,
    /// What a printed certificate is a witness of: the log's size and root.
    head: TreeHead,
}

#[derive(Template)]
#[template(path = "tree.html")]
struct TreePage {
    f: Frame,
    panel: Receipts,
    certificate: Option<Certificate>,
    life: Option<Life>,
    /// How the tree stands, on a page of its own.
    standing: String,
}

/// The page of a tree.
pub(super) async fn tree(
    Extract(pages): Extract<Arc<Pages>>,
    visit: Visit,
    Path((plot, serial)): Path<(String, String)>,
) -> PageResult {
    let (plot, serial) = (
        parse_path(&plot, "the plot")?,
        parse_path(&serial, "the serial")?,
    );
    let (tree, f) = pages
        .see_image(&visit, move |state| TreeFacts::of(state, plot, serial))
        .await?;
    let tree = tree.ok_or_else(|| not_found("tree"))?;
    let standing = told_of_tree(&pages, &f, &tree).await?;
    page(&TreePage {
        f,
        standing,
        panel: tree.receipts(),
        certificate: None,
        life: Some(Life::of(&pages, &visit, tree).await?),
    })
}

/// The page of a certificate.
pub(super) async fn certificate(
    Extract(pages): Extract<Arc<Pages>>,
    visit: Visit,
    Path(index): Path<String>,
) -> PageResult {
    let index: Index = parse_path(&index, "the certificate")?;
    let look = move |state: &State| {
        let claim = state.claim(index);
        let claim = claim.ok_or_else(|| not_found("certificate"))?;
        let (standing, tree) = match claim.tree {
            ClaimTree::Waiting => (Standing::waiting(state, index), None),
            ClaimTree::Voided => (Standing::Voided, None),
            ClaimTree::Tied { plot, serial } => {
                let tree = TreeFacts::of(state, plot, serial)?;
                let tree = tree.ok_or_else(|| {
                    Problem::contradiction("the tree of a claim was never planted")
                })?;
                (Standing::Tied, Some(tree))
            }
        };
        let species_name = species_name(state, claim.species)?;
        Ok((claim.clone(), standing, tree, species_name))
    };
    let ((claim, standing, tree, species_name), f) = pages.see_image(&visit, look).await?;
    let (_, entry) = pages.entry(index).await?;
    let said = stated(index, &entry)?;
    let Statement::Claim(signed) = said.statement else {
        return Err(Problem::contradiction(&format!(
            "entry {index} is no claim"
        )));
    };
    let look = |state: &State| {
        let priced_by = (signed.method, signed.version);
        let mut method = state.methods_in(priced_by..=priced_by);
        let method = method
            .next()
            .ok_or_else(|| Problem::contradiction("no method prices this claim"))?;
        Ok((method.stated_at, grantee_name(state, said.issuer())?))
    };
    let (method_at, by) = pages.look(look).await?;
    let mut receipts = Receipts::of("claim", index);
    receipts.add("method", method_at);
    if let Some(tree) = &tree {
        receipts.add_missing(&tree.receipts());
    }
    let title = match &tree {
        Some(tree) => {
            let planted = f.span(&tree.planted_from, &tree.planted_until);
            let one = fill(
                &fill(&f.t.one_tree_planted, isolated(&species_name)),
                planted,
            );
            fill(&one, isolated(&tree.plot_name))
        }
        None => fill(&f.t.one_tree, isolated(&species_name)),
    };
    let planted_before = tree
        .as_ref()
        .is_some_and(|tree| tree.planted_until < said.issued_on());
    let life = match tree {
        Some(tree) => Some(Life::of(&pages, &visit, tree).await?),
        None => None,
    };
    let standing = told(&pages, &f, &standing, entry.admitted_at()).await?;
    let url = format!("{}/certificate/{index}", f.url);
    page(&TreePage {
        f,
        panel: receipts,
        standing: String::new(),
        certificate: Some(Certificate {
            index,
            title,
            planted_before,
            account: claim.account.to_string(),
            points: claim.points.0,
            species: claim.species,
            species_name,
            standing,
            when: visit.language.time(entry.admitted_at()),
            by,
            qr: qr(&url)?,
            url,
            head: pages.log.published().head.tree,
        }),
        life,
    })
}

/// How a certificate stands, in sentences.
async fn told(
    pages: &Pages,
    f: &Frame,
    standing: &Standing,
    since: TimeMs,
) -> Result<Vec<String>, Problem> {
    let Standing::Waiting { before, had } = standing else {
        let one = match standing {
            Standing::Voided => &f.t.state_voided,
            _ => &f.t.state_tree,
        };
        return Ok(vec![one.clone()]);
    };
    let mut said = vec![fill(&f.t.state_waits, f.day(&Day::of(since)))];
    if let Some(before) = before {
        said.push(fill(&f.t.state_before, f.n(before)));
    }
    if let Some((plot, serial, at)) = had {
        let tree = fill(&f.t.state_had, format!("{plot}/{serial}"));
        said.push(fill(&tree, lost_on(pages, f, *at).await?));
    }
    Ok(said)
}

/// The day of a loss, as the page writes it.
async fn lost_on(pages: &Pages, f: &Frame, at: Index) -> Result<String, Problem> {
    let (_, entry) = pages.entry(at).await?;
    let said = stated(at, &entry)?;
    let day = match said.statement {
        Statement::Correction(Correction {
            remedy: Remedy::Lost { lost_on, .. },
            ..
        }) => *lost_on,
        _ => return Err(Problem::contradiction(&format!("entry {at} is no loss"))),
    };
    Ok(f.day(&day))
}

/// How a tree stands, in a sentence.
async fn told_of_tree(pages: &Pages, f: &Frame, tree: &TreeFacts) -> Result<String, Problem> {
    if tree.voided {
        return Ok(f.t.state_void_planting.clone());
    }
    if let Some(at) = tree.lost_at {
        return Ok(fill(&f.t.state_lost, lost_on(pages, f, at).await?));
    }
    Ok(match tree.tied {
        Some((claim, _)) => format!("{} {claim}", f.t.assigned_here),
        None => f.t.state_unclaimed.clone(),
    })
}

/// A QR code of an address, dark on white for every camera.
fn qr(url: &str) -> Result<String, Problem> {
    let code = QrCode::new(url)
        .map_err(|error| Problem::new(ProblemCode::UrlTooLong, &error.to_string(), "shorten it"))?;
    let drawn = code
        .render::<svg::Color<'_>>()
        .min_dimensions(QR_MIN, QR_MIN)
        .build();
    let element = drawn.find("<svg").and_then(|from| drawn.get(from..));
    let element = element.ok_or_else(|| broken(&"the code has no drawing"))?;
    Ok(element.to_owned())
}
