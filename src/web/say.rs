//! What an entry says, in one sentence of the reader's language: the sentences of the browser's card, with the names that
//! the ledger has.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::names::issuer_name;
use super::texts::{Language, Parts};
use crate::answer::Problem;
use crate::crypto::PublicKey;
use crate::figures::decimal;
use crate::ledger::State;
use crate::record::{Day, Remedy, SpeciesCode, Statement};

/// Digits of a key in a sentence.
const SHORT: usize = 12;

/// The sentences of each language, by its tag's first part.
type Sentences = BTreeMap<String, BTreeMap<String, String>>;

static SENTENCES: LazyLock<Sentences> = LazyLock::new(|| read(include_str!("card/sentences.mjs")));

/// Reads the script that has the sentences: behind its `=` it is JSON. It is a part of the program, and a test reads it.
#[allow(clippy::panic)]
fn read(script: &str) -> Sentences {
    let json = script
        .split_once("= {")
        .map(|(_, rest)| format!("{{{rest}"));
    let json = json
        .as_deref()
        .map(|json| json.trim_end().trim_end_matches(';'));
    serde_json::from_str(json.unwrap_or_default())
        .unwrap_or_else(|error| panic!("the file of sentences: {error}"))
}

/// The names that a statement refers to.
#[derive(Clone, Debug, Default)]
pub(super) struct SaidNames {
    /// Who signed it; `None` for a governor.
    by: Option<String>,
    /// An award's activity and its unit.
    activity: Option<(String, String)>,
    species: Option<String>,
}

impl SaidNames {
    /// The names of a statement that a key signed, in a bounded number of steps.
    pub(super) fn of(state: &State, said: &Statement, issuer: &PublicKey) -> Result<Self, Problem> {
        let species = |code: SpeciesCode| state.species_name(code).map(str::to_owned);
        let activity = match said {
            Statement::Award(award) => state
                .activity(award.method, award.version, award.activity)
                .map(|activity| (activity.name.to_string(), activity.unit.to_string())),
            _ => None,
        };
        Ok(Self {
            by: issuer_name(state, issuer)?,
            activity,
            species: match said {
                Statement::Planting(planting) => species(planting.species),
                Statement::Claim(claim) => species(claim.species),
                _ => None,
            },
        })
    }
}

/// The sentence of a state entry over so many entries.
pub(super) fn state_sentence(language: Language, size: u64) -> String {
    Teller::of(language).say("state", &[("size", language.number(size.into()))])
}

/// What a statement says.
pub(super) fn sentence(language: Language, said: &Statement, names: &SaidNames) -> String {
    Teller::of(language).sentence(said, names)
}

/// A text in which right-to-left letters don't turn around what stands beside them.
pub(super) fn isolated(text: &str) -> String {
    let is_rtl =
        |c: char| matches!(u32::from(c), 0x590..=0x8ff | 0xfb1d..=0xfdff | 0xfe70..=0xfeff);
    if text.chars().any(is_rtl) {
        format!("\u{2068}{text}\u{2069}")
    } else {
        text.to_owned()
    }
}

struct Teller {
    language: Language,
    words: Option<&'static BTreeMap<String, String>>,
}

impl Teller {
    fn of(language: Language) -> Self {
        let tag = language.tag().split('-').next().unwrap_or_default();
        Self {
            language,
            words: SENTENCES.get(tag),
        }
    }

    /// A word or sentence; its name, if there is none, which a test sees.
    fn word(&self, name: &str) -> String {
        let word = self.words.and_then(|words| words.get(name));
        word.cloned().unwrap_or_else(|| name.to_owned())
    }

    fn say(&self, name: &str, parts: Parts<'_>) -> String {
        self.language.say(&self.word(name), parts)
    }

    fn n(&self, number: impl Into<u128>) -> String {
        self.language.number(number.into())
    }

    fn day(&self, day: Day) -> String {
        self.language.day(day)
    }

    fn span(&self, from: Day, until: Day) -> String {
        if from == until {
            return self.say("on_day", &[("day", self.day(from))]);
        }
        self.say(
            "between",
            &[("from", self.day(from)), ("until", self.day(until))],
        )
    }

    #[expect(clippy::too_many_lines, reason = "a line for each kind")]
    fn sentence(&self, said: &Statement, names: &SaidNames) -> String {
        let by = names
            .by
            .as_deref()
            .map_or_else(|| self.word("governor"), isolated);
        let by = || ("by", by.clone());
        let short = |key: &PublicKey| format!("{key:.SHORT$}…", key = key.to_string());
        let species = |code: SpeciesCode| {
            let known = names.species.as_deref().map(isolated);
            ("species", known.unwrap_or_else(|| code.to_string()))
        };
        match said {
            Statement::Genesis(s) => {
                self.say("genesis", &[("programme", isolated(s.programme.as_str()))])
            }
            Statement::Governors(s) => self.say(
                "governors",
                &[
                    ("count", self.n(s.governors.len() as u128)),
                    ("quorum", self.n(s.quorum)),
                ],
            ),
            Statement::KeyGrant(s) => self.say(
                "key_grant",
                &[
                    ("name", isolated(s.display_name.as_str())),
                    ("role", self.word(&format!("role_{}", s.role))),
                ],
            ),
            Statement::KeyRevoke(s) => self.say(
                "key_revoke",
                &[
                    ("key", short(&s.key)),
                    ("reason", isolated(s.reason.as_str())),
                ],
            ),
            Statement::LogKey(s) => self.say("log_key", &[("key", short(&s.key))]),
            Statement::Method(s) => self.say(
                "method",
                &[
                    ("id", s.id.to_string()),
                    ("version", s.version.to_string()),
                    ("day", self.day(s.effective_from)),
                ],
            ),
            Statement::Award(s) => {
                let (activity, unit) = names
                    .activity
                    .clone()
                    .unwrap_or_else(|| (format!("{}.{}", s.method, s.activity), String::new()));
                let what = self.say(
                    "what",
                    &[
                        ("quantity", self.language.decimal(decimal(s.quantity.0, 3))),
                        ("unit", isolated(&unit)),
                        ("activity", isolated(&activity)),
                    ],
                );
                self.say(
                    "award",
                    &[
                        by(),
                        ("points", self.n(s.points.0)),
                        ("what", what),
                        ("day", self.day(s.occurred_on)),
                    ],
                )
            }
            Statement::Transfer(s) => self.say(
                &format!("transfer_{}", s.reason.words().replace(' ', "_")),
                &[by(), ("points", self.n(s.points.0))],
            ),
            Statement::Plot(s) => self.say(
                "plot",
                &[
                    by(),
                    ("number", s.number.to_string()),
                    ("name", isolated(s.name.as_str())),
                    ("country", s.country.to_string()),
                ],
            ),
            Statement::Planting(s) => self.say(
                "planting",
                &[
                    by(),
                    ("count", self.n(s.count.get())),
                    species(s.species),
                    ("plot", s.plot.to_string()),
                    ("span", self.span(s.planted_from, s.planted_until)),
                ],
            ),
            Statement::Survey(s) => self.say(
                "survey",
                &[
                    by(),
                    ("plot", s.plot.to_string()),
                    ("day", self.day(s.surveyed_on)),
                    (
                        "basis",
                        self.word(&format!("basis_{}", s.basis.words().replace(' ', "_"))),
                    ),
                    ("alive", self.n(s.alive)),
                    ("looked_for", self.n(s.looked_for())),
                ],
            ),
            Statement::Claim(s) => self.say(
                "claim",
                &[by(), ("points", self.n(s.points.0)), species(s.species)],
            ),
            Statement::Assignment(s) => self.say(
                "assignment",
                &[
                    by(),
                    ("plot", s.plot.to_string()),
                    ("serial", s.first_serial.to_string()),
                    ("count", self.n(s.claims.len() as u128)),
                ],
            ),
            Statement::Correction(s) => {
                let target = ("target", s.target.to_string());
                let reason = ("reason", isolated(s.reason.as_str()));
                match &s.remedy {
                    Remedy::Reverse { points } => self.say(
                        "correction_reverse",
                        &[by(), ("points", self.n(points.0)), target, reason],
                    ),
                    Remedy::Lost { count, lost_on, .. } => self.say(
                        "correction_lost",
                        &[
                            by(),
                            target,
                            ("day", self.day(*lost_on)),
                            ("count", self.n(count.get())),
                            reason,
                        ],
                    ),
                    Remedy::Void => self.say("correction_void", &[by(), target, reason]),
                }
            }
            Statement::Policy(_) => self.say("policy", &[]),
            Statement::Attestation(s) => self.say(
                "attestation",
                &[
                    by(),
                    ("size", self.n(s.size)),
                    ("level", self.word(&format!("level_{}", s.level.words()))),
                    (
                        "opinion",
                        self.word(&format!("opinion_{}", s.opinion.words())),
                    ),
                ],
            ),
            Statement::Seal(s) => self.say("seal", &[by(), ("count", self.n(s.count))]),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn every_golden_statement_is_a_whole_sentence_in_every_language() {
        let english = &SENTENCES["en"];
        for language in Language::ALL {
            let tag = language.tag().split('-').next().unwrap();
            assert!(SENTENCES[tag].keys().eq(english.keys()), "{tag}");
        }
        for file in std::fs::read_dir("tests/golden/statements").unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let said: Statement = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
            for language in Language::ALL {
                let sentence = sentence(language, &said, &SaidNames::default());
                let whole = !sentence.contains(['{', '}', '_']) && sentence.chars().count() > 10;
                assert!(whole, "{}: {sentence}", path.display());
            }
        }
    }

    #[test]
    fn a_noun_agrees_with_its_number() {
        let path = "tests/golden/statements/award.json";
        let text = std::fs::read_to_string(path).unwrap();
        let mut said: Statement = serde_json::from_str(&text).unwrap();
        for (points, english, french) in [
            (0, " gave 0 points for ", " a attribué 0 point pour "),
            (1, " gave 1 point for ", " a attribué 1 point pour "),
            (2, " gave 2 points for ", " a attribué 2 points pour "),
            (
                1_001,
                " gave 1,001 points ",
                " a attribué 1\u{202f}001 points ",
            ),
        ] {
            let Statement::Award(award) = &mut said else {
                panic!("an award")
            };
            award.points.0 = points;
            for (language, words) in [(Language::English, english), (Language::French, french)] {
                let told = sentence(language, &said, &SaidNames::default());
                assert!(told.contains(words), "{told}");
            }
        }
    }

    #[test]
    fn an_award_reads_as_people_say_it() {
        let path = "tests/golden/statements/award.json";
        let said: Statement = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let names = SaidNames {
            by: Some("مبادرة".to_owned()),
            activity: Some(("Bicycle trip".to_owned(), "km".to_owned())),
            species: None,
        };
        let told = |language| sentence(language, &said, &names);
        let english = told(Language::English);
        assert!(
            english.starts_with("\u{2068}مبادرة\u{2069} gave "),
            "{english}"
        );
        assert!(english.contains(" km (Bicycle trip) on "), "{english}");
        assert!(told(Language::French).contains(" points pour "));
        assert!(told(Language::Chinese).ends_with(" 积分"));
    }
}
