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
use super::{PageResult, Pages, broken, not_found, page, stated};
use crate::answer::extract::{Path, parse_path};
use crate::answer::{Problem, ProblemCode};
use crate::ledger::{ClaimTree, State};
use crate::record::{Day, Index, Method, PlotNumber, Serial, SpeciesCode, Statement};

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

/// Where a claim stands, in words.
enum Standing {
    Waiting,
    Tied,
    Voided,
}

/// A claim as a certificate.
struct Certificate {
    index: Index,
    account: String,
    points: u64,
    species: SpeciesCode,
    species_name: String,
    standing: Standing,
    when: String,
    by: String,
    url: String,
    qr: String,
}

#[derive(Template)]
#[template(path = "tree.html")]
struct TreePage {
    f: Frame,
    panel: Receipts,
    certificate: Option<Certificate>,
    life: Option<Life>,
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
    page(&TreePage {
        f,
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
            ClaimTree::Waiting => (Standing::Waiting, None),
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
    let life = match tree {
        Some(tree) => Some(Life::of(&pages, &visit, tree).await?),
        None => None,
    };
    let url = format!("{}/certificate/{index}", f.url);
    page(&TreePage {
        f,
        panel: receipts,
        certificate: Some(Certificate {
            index,
            account: claim.account.to_string(),
            points: claim.points.0,
            species: claim.species,
            species_name,
            standing,
            when: visit.language.time(entry.admitted_at()),
            by,
            qr: qr(&url)?,
            url,
        }),
        life,
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
