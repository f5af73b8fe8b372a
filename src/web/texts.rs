//! The texts of pages: a file for each language, which must have every text and no other.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::figures::grouped;
use crate::record::{Basis, Day, Kind, TimeMs};

/// The months of the year, in the words of `Intl.DateTimeFormat`, which scripts use.
const ENGLISH_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const FRENCH_MONTHS: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];

/// Makes the texts a type: a server does not start with a language that lacks one.
macro_rules! texts {
    ($($key:ident)*) => {
        /// The texts of one language.
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(super) struct Texts {
            $(pub $key: String,)*
            /// The texts that scripts show.
            pub words: BTreeMap<String, String>,
        }
    };
}

texts! {
    language skip nav_home nav_method nav_receipt nav_check languages proves points_note
    serial_note as_of search search_hint search_button found found_nothing totals
    total_awarded total_claimed trees_planted trees_claimed trees_waiting trees_standing
    trees_alive of_looked_for never_surveyed chart_title chart_points chart_trees
    chart_note map_title map_note plots newest newest_live entry tree certificate
    plot account record issuer kind when species planting planted between planted_by claim
    claimed_for assigned assigned_here unclaimed lost life survey surveys
    surveyed_on surveyed_by paid_by basis basis_census basis_random_sample
    basis_remote_sensing looked_for alive dead not_found shortfall area density capacity holder funded_by
    carbon_rights rights_none_issued rights_issued rights_unknown place plantings serials
    count balance statement points why older linkable share_note print qr method version
    effective_from activity unit factor cap price baseline sources jurisdiction document
    before after rests_on decoded raw leaf signed_on panel panel_intro panel_no_script
    command c_entry h_entry c_signature h_signature h_signature_sealed h_signature_state h_signature_each
    taken_back voided_by c_role h_role c_authority h_authority
    c_inclusion h_inclusion c_checkpoint h_checkpoint c_witnesses h_witnesses c_story
    h_story c_consistency h_consistency receipt_intro receipt_file receipt_text
    receipt_check receipt_save receipt_get certificate_get not_proven check_intro check_key check_genesis
    check_compare check_audit check_mirror check_receipt check_python check_watch error
    k_genesis k_governors k_key_grant k_key_revoke k_log_key k_method k_award k_transfer
    k_plot k_planting k_survey k_claim k_assignment k_correction k_policy k_attestation k_seal k_state sealed_by navigation home_title
    plots_never_surveyed plots_short accounts one_planting next_due ledger
    country trees_for any_platform finer_outline density_now survival void day seq survey_one life_note survey_other
    survey_older check_get no_cross halted error_not_found error_busy operator contact source
    found_none surveyed_trees chart_table year added in_all state_tree state_waits state_before state_had state_voided
    state_void_planting state_lost state_unclaimed paper_title size root share_fold
    badge_waits one_tree one_tree_planted planted_before share link_copied live_pause live_again
    scan_picture scan_camera check_any check_any_note pins pins_note embed_no_script embed_open
    end_awarded end_net end_planted end_standing chart_note_gross metres kilometres map_land map_one
    map_table map_short survival_title survival_note governance governance_intro governance_file governance_read governance_sign
    gallery gallery_none gallery_note feed feed_note
}

/// A language that pages are in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Language {
    English,
    Chinese,
    French,
}

static ENGLISH: LazyLock<Texts> = LazyLock::new(|| read(include_str!("texts/en.json")));
static CHINESE: LazyLock<Texts> = LazyLock::new(|| read(include_str!("texts/zh.json")));
static FRENCH: LazyLock<Texts> = LazyLock::new(|| read(include_str!("texts/fr.json")));

/// Reads the texts of a language. They are a part of the program, and a test reads them all.
#[allow(clippy::panic)]
fn read(json: &str) -> Texts {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("a file of texts: {error}"))
}

impl Language {
    /// All languages, in the order in which pages offer them.
    pub(super) const ALL: [Self; 3] = [Self::English, Self::Chinese, Self::French];

    /// Its tag (RFC 5646).
    pub(super) fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Chinese => "zh-Hans",
            Self::French => "fr",
        }
    }

    /// Reads the texts of all languages: a server that has them once has them for every reader.
    pub(super) fn read_all() {
        for language in Self::ALL {
            language.texts();
        }
    }

    /// Its texts.
    pub(super) fn texts(self) -> &'static Texts {
        match self {
            Self::English => &ENGLISH,
            Self::Chinese => &CHINESE,
            Self::French => &FRENCH,
        }
    }

    /// A text with its parts in their places, as scripts fill it (`card/saying.mjs`): `{points}` is a part, and of
    /// `{points|# point|# points}` it is the first text that stands beside a number in the singular, with the part for `#`.
    pub(super) fn say(self, text: &str, parts: Parts<'_>) -> String {
        let mut said = String::with_capacity(text.len() * 2);
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            said.push_str(before);
            let (place, behind) = behind.split_once('}').unwrap_or((behind, ""));
            let (name, choice) = place
                .split_once('|')
                .map_or((place, None), |(name, forms)| (name, forms.split_once('|')));
            let part = parts.iter().find(|(known, _)| *known == name);
            let part = part.map_or(name, |(_, part)| part);
            match choice {
                Some((one, _)) if self.is_singular(part) => said.push_str(&one.replace('#', part)),
                Some((_, many)) => said.push_str(&many.replace('#', part)),
                None => said.push_str(part),
            }
            rest = behind;
        }
        said.push_str(rest);
        said
    }

    /// Whether a noun beside this number, as it is written, is in the singular.
    fn is_singular(self, number: &str) -> bool {
        match self {
            Self::English => number == "1",
            Self::French => matches!(number, "0" | "1"),
            Self::Chinese => false,
        }
    }

    /// A whole number with its thousands apart.
    pub(super) fn number(self, number: u128) -> String {
        self.decimal(grouped(number))
    }

    /// A number as the language writes it, from English.
    pub(super) fn decimal(self, english: String) -> String {
        match self {
            Self::English | Self::Chinese => english,
            Self::French => english.replace(',', "\u{202f}").replace('.', ","),
        }
    }

    /// A day as the language writes it, the month in letters where there are letters.
    pub(super) fn day(self, day: Day) -> String {
        let (year, month, day) = day.ymd();
        let at = usize::try_from(month).unwrap_or_default().saturating_sub(1);
        let named = |months: [&'static str; 12]| months.get(at).copied().unwrap_or_default();
        match self {
            Self::English => format!("{day} {} {year}", named(ENGLISH_MONTHS)),
            Self::French => format!("{day} {} {year}", named(FRENCH_MONTHS)),
            Self::Chinese => format!("{year}年{month}月{day}日"),
        }
    }

    /// A month from 1 to 12 of a year, as the language writes it.
    pub(super) fn month(self, year: u32, month: u32) -> String {
        let at = usize::try_from(month).unwrap_or_default().saturating_sub(1);
        let named = |months: [&'static str; 12]| months.get(at).copied().unwrap_or_default();
        match self {
            Self::English => format!("{} {year}", named(ENGLISH_MONTHS)),
            Self::French => format!("{} {year}", named(FRENCH_MONTHS)),
            Self::Chinese => format!("{year}年{month}月"),
        }
    }

    /// A span of days; the day, if it is one.
    pub(super) fn span(self, from: Day, until: Day) -> String {
        if from == until {
            return self.day(from);
        }
        fill(
            &fill(&self.texts().between, self.day(from)),
            self.day(until),
        )
    }

    /// A time in UTC as the language writes it, to the second.
    pub(super) fn time(self, at: TimeMs) -> String {
        let utc = at.to_utc();
        let clock = utc.split_once(' ').map_or("", |(_, clock)| clock);
        match self {
            Self::Chinese => format!("{}{clock}", self.day(Day::of(at))),
            Self::English | Self::French => format!("{}, {clock}", self.day(Day::of(at))),
        }
    }

    /// The language of a tag, by its first part.
    pub(super) fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.split('-').next().unwrap_or("").trim();
        match primary.to_ascii_lowercase().as_str() {
            "en" => Some(Self::English),
            "zh" => Some(Self::Chinese),
            "fr" => Some(Self::French),
            _ => None,
        }
    }

    /// The language that a reader prefers (RFC 9110, 12.5.4); English if none of ours is asked for. A range
    /// whose weight is malformed is passed over.
    pub(super) fn accepted(header: &str) -> Self {
        let ranked = header.split(',').filter_map(|range| {
            let (tag, rest) = range.split_once(';').unwrap_or((range, ""));
            let quality = rest
                .trim()
                .strip_prefix("q=")
                .map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
            Some((quality, Self::of_tag(tag)?))
        });
        let best = ranked.filter(|(quality, _)| *quality > 0.0);
        // Of equal weights, the first.
        best.reduce(|best, next| if next.0 > best.0 { next } else { best })
            .map_or(Self::English, |(_, language)| language)
    }
}

impl Texts {
    /// What the scripts of panels say, by its name there.
    pub(super) fn panel_words(&self) -> serde_json::Value {
        let own = [
            ("c_witnesses", &self.c_witnesses),
            ("c_story", &self.c_story),
            ("c_consistency", &self.c_consistency),
            ("h_witnesses", &self.h_witnesses),
            ("h_story", &self.h_story),
            ("h_consistency", &self.h_consistency),
            ("h_signature_one", &self.h_signature),
            ("h_signature_sealed", &self.h_signature_sealed),
            ("h_signature_state", &self.h_signature_state),
            ("panel", &self.panel),
        ];
        let own = own.map(|(name, text)| (name.to_owned(), text.clone()));
        let words = self.words.clone().into_iter().chain(own);
        words
            .map(|(name, text)| (name, text.into()))
            .collect::<serde_json::Map<_, _>>()
            .into()
    }

    /// What a kind of statement is called.
    pub(super) fn kind(&self, kind: &Kind) -> &str {
        match kind {
            Kind::Genesis => &self.k_genesis,
            Kind::Governors => &self.k_governors,
            Kind::KeyGrant => &self.k_key_grant,
            Kind::KeyRevoke => &self.k_key_revoke,
            Kind::LogKey => &self.k_log_key,
            Kind::Method => &self.k_method,
            Kind::Award => &self.k_award,
            Kind::Transfer => &self.k_transfer,
            Kind::Plot => &self.k_plot,
            Kind::Planting => &self.k_planting,
            Kind::Survey => &self.k_survey,
            Kind::Claim => &self.k_claim,
            Kind::Assignment => &self.k_assignment,
            Kind::Correction => &self.k_correction,
            Kind::Policy => &self.k_policy,
            Kind::Attestation => &self.k_attestation,
            Kind::Seal => &self.k_seal,
        }
    }

    /// What the basis of a survey is called.
    pub(super) fn basis_of(&self, basis: &Basis) -> &str {
        match basis {
            Basis::Census => &self.basis_census,
            Basis::RandomSample => &self.basis_random_sample,
            Basis::RemoteSensing => &self.basis_remote_sensing,
        }
    }
}

/// Parts of a text, each by the name of its place.
pub(super) type Parts<'p> = &'p [(&'p str, String)];

/// A text with a value in the place that it has for one.
pub(super) fn fill(text: &str, value: impl std::fmt::Display) -> String {
    text.replacen("{}", &value.to_string(), 1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_every_text() {
        for language in Language::ALL {
            assert!(!language.texts().proves.is_empty());
            assert_eq!(Language::of_tag(language.tag()), Some(language));
        }
        // The same places for values, and the same words for scripts.
        for language in Language::ALL {
            let keys =
                |language: Language| language.texts().words.keys().cloned().collect::<Vec<_>>();
            assert_eq!(keys(language), keys(Language::English));
            let t = language.texts();
            assert_eq!(t.found_nothing.matches("{}").count(), 1);
            for (text, names) in [
                (&t.as_of, vec!["size"]),
                (&t.halted, vec!["size"]),
                (&t.of_looked_for, vec!["looked_for"]),
                (&t.surveyed_trees, vec!["surveyed", "standing"]),
            ] {
                for number in ["0", "1", "2"] {
                    let parts: Vec<_> = names.iter().map(|name| (*name, number.into())).collect();
                    let said = language.say(text, &parts);
                    assert!(
                        said.contains(number) && !said.contains(['{', '#', '|']),
                        "{said}"
                    );
                    assert!(names.iter().all(|name| text.contains(name)), "{text}");
                }
            }
            for two in [&t.between, &t.state_had] {
                assert_eq!(two.matches("{}").count(), 2, "{two}");
            }
            for one in [&t.state_waits, &t.state_before, &t.state_lost] {
                assert_eq!(one.matches("{}").count(), 1, "{one}");
            }
        }
    }

    #[test]
    fn the_language_that_a_reader_likes_best_is_taken() {
        for (header, language) in [
            ("", Language::English),
            ("fr-CA, en;q=0.9", Language::French),
            ("de, zh-CN;q=0.8, en;q=0.5", Language::Chinese),
            ("en;q=0.2, fr;q=0.7", Language::French),
            ("fr;q=0, zh;q=x", Language::English),
        ] {
            assert_eq!(Language::accepted(header), language, "{header}");
        }
    }
}
