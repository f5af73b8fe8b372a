//! Who paid for a survey under a name that is nearly the planter's; and one payer under several names.

use std::collections::BTreeMap;

use super::{Cases, Facts, Finding, Severity, many};
use crate::ledger::{KeyRole, compared_name};
use crate::record::Index;

/// Words that tell what a company is, not which.
const LEGAL_FORMS: [&str; 36] = [
    "ltd",
    "limited",
    "inc",
    "incorporated",
    "llc",
    "llp",
    "plc",
    "corp",
    "corporation",
    "co",
    "company",
    "gmbh",
    "ag",
    "kg",
    "ug",
    "ev",
    "eg",
    "sa",
    "sas",
    "sarl",
    "srl",
    "spa",
    "bv",
    "nv",
    "ab",
    "as",
    "oy",
    "pty",
    "pte",
    "foundation",
    "stiftung",
    "trust",
    "group",
    "holding",
    "the",
    "and",
];
/// A name of at least so many characters may differ by one.
const TYPO_CHARACTERS: usize = 8;

pub(super) fn findings(facts: &Facts<'_>) -> Vec<Finding> {
    let found = [
        like_planter(facts),
        surveyor_like_planter(facts),
        one_by_many_names(facts),
    ];
    found.into_iter().flatten().collect()
}

/// A name without what is written differently each time: case, marks, look-alikes, the words' order, and
/// what tells only the form of a company.
fn core(name: &str) -> String {
    let joined: String = name.chars().filter(|c| *c != '.').collect();
    let words = joined.split(|c: char| !c.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    let telling = words
        .clone()
        .filter(|word| !LEGAL_FORMS.contains(&word.to_lowercase().as_str()));
    let mut telling: Vec<String> = telling.map(compared_name).collect();
    if telling.is_empty() {
        telling = words.map(compared_name).collect();
    }
    telling.sort();
    telling.concat()
}

/// Whether one core is the other, or what a slip of the hand makes of it.
fn is_near(one: &str, other: &str) -> bool {
    one == other || {
        let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
        let (short, long) = if one.len() <= other.len() {
            (one, other)
        } else {
            (other, one)
        };
        let alike = |a: &mut dyn Iterator<Item = &char>, b: &mut dyn Iterator<Item = &char>| {
            a.zip(b).take_while(|(a, b)| a == b).count()
        };
        let begin = alike(&mut short.iter(), &mut long.iter());
        let end = alike(&mut short.iter().rev(), &mut long.iter().rev());
        short.len() >= TYPO_CHARACTERS
            && long.len() - short.len() <= 1
            && (begin + end + 1 >= long.len() || is_swap(&short, &long))
    }
}

/// Two neighbours that changed places.
fn is_swap(one: &[char], other: &[char]) -> bool {
    let places = one
        .iter()
        .zip(other)
        .enumerate()
        .filter(|(_, (a, b))| a != b);
    let places: Vec<usize> = places.map(|(place, _)| place).collect();
    match places.as_slice() {
        [first, second] if one.len() == other.len() && first + 1 == *second => {
            one.get(*first) == other.get(*second) && one.get(*second) == other.get(*first)
        }
        _ => false,
    }
}

/// The names under which each holder's keys were stated.
pub(super) fn display_names<'a>(facts: &Facts<'a>) -> BTreeMap<&'a str, Vec<&'a str>> {
    let mut names = BTreeMap::<&str, Vec<&str>>::new();
    for key in facts.state.keys() {
        if let KeyRole::Issuer {
            holder,
            display_name,
            ..
        } = &key.role
        {
            let known = names.entry(holder.as_str()).or_default();
            known.push(display_name.as_str());
        }
    }
    names
}

fn like_planter(facts: &Facts<'_>) -> Option<Finding> {
    let names = display_names(facts);
    let mut cases = Cases::new(
        "payer_resembles_planter",
        Severity::Medium,
        "The name of who paid for the survey is nearly that of who holds or funds the plot. Ask whether they are one.",
    );
    for (number, plot) in facts.state.plots() {
        let holder = plot.holder.as_str();
        let display = names.get(holder).into_iter().flatten().copied();
        let own = [holder, plot.plot.funded_by.as_str()];
        let own: Vec<&str> = own.into_iter().chain(display).collect();
        let cores: Vec<String> = own.iter().map(|name| core(name)).collect();
        for (index, survey) in facts.state.surveys(*number) {
            let payer = survey.survey.paid_by.as_str();
            // The same letters are `survey_paid_by_planter`.
            if own.contains(&payer.trim()) {
                continue;
            }
            let payers = core(payer);
            let near = own
                .iter()
                .zip(&cores)
                .find(|(_, core)| is_near(core, &payers));
            if let Some((name, _)) = near.filter(|_| !payers.is_empty()) {
                let detail = format!("paid by {payer:?}, of a plot of {name:?}");
                cases.add_survey(*number, plot, index, detail);
            }
        }
    }
    cases.finding(|count| {
        let surveys = many(count, "survey was", "surveys were");
        format!("{surveys} paid for by a name that is nearly the planter's or the funder's")
    })
}

/// A surveyor under nearly the name of who holds or funds the plot. The rules keep one holder from planting and surveying,
/// and know holders by their slugs alone.
fn surveyor_like_planter(facts: &Facts<'_>) -> Option<Finding> {
    let names = display_names(facts);
    let named = |holder: &str| {
        let display = names.get(holder).into_iter().flatten();
        display
            .map(|name| core(name))
            .chain([core(holder)])
            .collect::<Vec<_>>()
    };
    let mut surveyors = BTreeMap::<&str, Vec<String>>::new();
    let mut cases = Cases::new(
        "surveyor_resembles_planter",
        Severity::Medium,
        "The surveyor's name is nearly that of who holds or funds the plot. Ask whether they are one.",
    );
    for (number, plot) in facts.state.plots() {
        let mut own = named(plot.holder.as_str());
        own.push(core(plot.plot.funded_by.as_str()));
        for (index, survey) in facts.state.surveys(*number) {
            let surveyor = survey.surveyor.as_str();
            let theirs = surveyors.entry(surveyor).or_insert_with(|| named(surveyor));
            let is_one = |name: &String| !name.is_empty() && own.iter().any(|it| is_near(it, name));
            if theirs.iter().any(is_one) {
                let detail = format!("surveyed by {surveyor}, held by {}", plot.holder);
                cases.add_survey(*number, plot, index, detail);
            }
        }
    }
    cases.finding(|count| {
        let surveys = many(count, "survey was", "surveys were");
        format!("{surveys} made under a name that is nearly the planter's or the funder's")
    })
}

fn one_by_many_names(facts: &Facts<'_>) -> Option<Finding> {
    let mut payers = BTreeMap::<String, BTreeMap<&str, Index>>::new();
    for (number, _) in facts.state.plots() {
        for (index, survey) in facts.state.surveys(*number) {
            let payer = survey.survey.paid_by.as_str().trim();
            let known = payers.entry(core(payer)).or_default();
            known.entry(payer).or_insert(index);
        }
    }
    let mut cases = Cases::new(
        "surveys_one_payer_respelled",
        Severity::Medium,
        "One payer, under several spellings of one name, paid for every survey. Who pays for every survey may choose \
         whom to ask again.",
    );
    if let Some((_, spellings)) = payers.first_key_value()
        && payers.len() == 1
        && spellings.len() > 1
    {
        let names: Vec<String> = spellings
            .keys()
            .take(10)
            .map(|it| format!("{it:?}"))
            .collect();
        let indexes = spellings.values().copied().take(10).collect();
        cases.add(0, names.join(", "), "one name", indexes);
    }
    cases.finding(|_| "one payer under several names paid for all surveys".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{core, is_near};

    #[test]
    fn names_of_one_and_of_two() {
        for (one, other) in [
            ("Green Hands", "greenhands"),
            ("Green Hands Ltd.", "GREEN-HANDS"),
            ("Green Hands e.V.", "The Green Hands Foundation"),
            ("Hands, Green", "Green Hands"),
            ("Green Hands", "Greem Hands"),
            ("Green Hands", "Green Hand"),
            ("Green Hands", "Green Hnads"),
            ("Gréén Hands", "Green Hаnds"),
            ("The Trust", "the trust"),
        ] {
            assert!(is_near(&core(one), &core(other)), "{one} {other}");
        }
        for (one, other) in [
            ("Green Hands", "Green Lands Agency"),
            ("City of Paris", "City of Parma"),
            ("a club", "a paper"),
            ("a club", "a clue"),
            ("Forest Watch", "Forest Bank"),
            ("森林", "森木"),
        ] {
            assert!(!is_near(&core(one), &core(other)), "{one} {other}");
        }
    }
}
