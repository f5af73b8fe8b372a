//! One attack: what is shown, and who is expected to notice.

use arborlog::ledger::Code;
use arborlog::record::Index;

use crate::detectors::{Shown, Verdict};
use crate::forge::Forge;

/// Who has which keys.
pub const OPERATOR: &str = "operator: none";
pub const LOG: &str = "operator: the log's";
pub const PLATFORM: &str = "operator: the log's; platform: its own";
pub const PLANTER: &str = "operator: the log's; planter: its own";
pub const SURVEYOR: &str = "operator: the log's; surveyor: its own";
pub const GOVERNOR: &str = "operator: the log's; one governor: its own";
pub const GOVERNORS: &str = "operator: the log's; k governors: their own";

/// Whether a detector notices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seen {
    /// It does, and its reason has these words.
    Yes(&'static str),
    /// It refuses what it is shown as unproven, with these words, and accuses nobody.
    Unproven(&'static str),
    /// It does not.
    No,
    /// It has nothing to look at.
    Apart,
}

pub use Seen::{Apart, No, Unproven, Yes};

impl Seen {
    pub fn cell(self) -> &'static str {
        match self {
            Yes(_) => "yes",
            Unproven(_) => "unproven",
            No => "no",
            Apart => "–",
        }
    }

    pub fn is(self, verdict: &Verdict) -> bool {
        match (self, verdict) {
            (Yes(words), Verdict::Detected(why)) | (Unproven(words), Verdict::Unproven(why)) => {
                why.contains(words)
            }
            (No, Verdict::Unnoticed) | (Apart, Verdict::NotConcerned) => true,
            _ => false,
        }
    }
}

/// An attack.
pub struct Attack {
    /// What is false.
    pub name: &'static str,
    /// Who lies, with which keys.
    pub liar: &'static str,
    pub receipt: Seen,
    pub audit: Seen,
    pub incremental: Seen,
    pub mirror: Seen,
    pub second: Seen,
    /// What would notice, if none of these does.
    pub would: Option<&'static str>,
    pub build: Box<dyn Fn() -> Shown + Send + Sync>,
}

impl Attack {
    /// An attack that nobody notices, until said otherwise.
    pub fn new(
        name: &'static str,
        liar: &'static str,
        build: impl Fn() -> Shown + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            liar,
            receipt: No,
            audit: No,
            incremental: No,
            mirror: No,
            second: No,
            would: None,
            build: Box::new(build),
        }
    }

    /// A lie in the next entry of an honest ledger, which then goes on. The receipt is that
    /// entry's.
    pub fn next(
        name: &'static str,
        liar: &'static str,
        lie: impl Fn(&mut Forge) -> Index + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, liar, move || {
            let mut forge = Forge::honest();
            let before = forge.files();
            let index = lie(&mut forge);
            forge.goes_on();
            Shown::log(&forge, Some(before), forge.files()).with(&forge.receipt(index))
        })
    }

    /// A next entry that breaks a rule: audits name the rule.
    pub fn rule(
        name: &'static str,
        liar: &'static str,
        code: Code,
        lie: impl Fn(&mut Forge) -> Index + Send + Sync + 'static,
    ) -> Self {
        let code = code.name();
        Self::next(name, liar, lie).audits(code).second(Yes(code))
    }

    /// What is wrong with a receipt alone.
    pub fn receipt_only(
        name: &'static str,
        liar: &'static str,
        build: impl Fn() -> Shown + Send + Sync + 'static,
    ) -> Self {
        Self {
            audit: Apart,
            incremental: Apart,
            mirror: Apart,
            second: Yes(""),
            ..Self::new(name, liar, build)
        }
    }

    pub fn receipt(self, receipt: Seen) -> Self {
        Self { receipt, ..self }
    }

    /// Both audits notice, with these words.
    pub fn audits(self, words: &'static str) -> Self {
        self.audit(Yes(words)).incremental(Yes(words))
    }

    pub fn audit(self, audit: Seen) -> Self {
        Self { audit, ..self }
    }

    pub fn incremental(self, incremental: Seen) -> Self {
        Self {
            incremental,
            ..self
        }
    }

    pub fn mirror(self, mirror: Seen) -> Self {
        Self { mirror, ..self }
    }

    /// Whoever saw the log before notices, with these words.
    pub fn rewritten(self, words: &'static str) -> Self {
        self.incremental(Yes(words)).mirror(Yes(words))
    }

    pub fn second(self, second: Seen) -> Self {
        Self { second, ..self }
    }

    /// Those who notice accuse nobody: what is shown proves nothing.
    pub fn unproven(self) -> Self {
        let unproven = |seen| match seen {
            Yes(words) => Unproven(words),
            other => other,
        };
        Self {
            receipt: unproven(self.receipt),
            audit: unproven(self.audit),
            incremental: unproven(self.incremental),
            mirror: unproven(self.mirror),
            second: unproven(self.second),
            ..self
        }
    }

    pub fn would(self, what: &'static str) -> Self {
        Self {
            would: Some(what),
            ..self
        }
    }
}
