//! How a command fails: in words and an exit code for people, and as one JSON object for programs
//! that asked for one.

use anyhow::Error;
use arborlog::client::{
    HeadError, JournalError, LogFault, RemoteError, RemoteProblem, SubmitError,
};
use arborlog::crypto::{KeyFileError, SignError};
use arborlog::durable::FileError;
use arborlog::outcome::Outcome;
use serde_json::{Map, Value, json};

/// Why a command failed, and the exit code that says so.
pub struct Failure {
    code: u8,
    error: Error,
    /// A stable name and what to do, where they are known better than by the error's type.
    named: Option<(String, String)>,
    /// What is known all the same, by name: for programs alone, which read it beside the error.
    known: Map<String, Value>,
}

/// What a command ends with when it could not do what was asked.
pub const CODE_NOT_DONE: u8 = exit_code(Outcome::Unchecked);
const CODE_WRONG_USE: u8 = 2;
const CODE_NOT_ALL_IN: u8 = 5;

/// The one place where outcomes become exit codes.
pub const fn exit_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Holds => 0,
        Outcome::False => 1,
        Outcome::Unchecked => 3,
        Outcome::NotThatKind => 4,
    }
}

impl Failure {
    fn new(code: u8, error: impl Into<Error>) -> Self {
        Self {
            code,
            error: error.into(),
            named: None,
            known: Map::new(),
        }
    }

    /// The same, with what is known although the command failed.
    #[must_use]
    pub fn knowing(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.known.insert(name.to_owned(), value.into());
        self
    }

    /// A check failed: 1.
    pub fn check(error: impl Into<Error>) -> Self {
        Self::of(Outcome::False, error)
    }

    /// Whether a check found something false.
    pub fn is_false(&self) -> bool {
        self.code == exit_code(Outcome::False)
    }

    /// A check came to this outcome, for this reason.
    pub fn of(outcome: Outcome, error: impl Into<Error>) -> Self {
        Self::new(exit_code(outcome), error)
    }

    /// Not all of what was to be sent is in: 5.
    pub fn not_all_in(what: String) -> Self {
        Self::new(CODE_NOT_ALL_IN, anyhow::anyhow!(what))
    }

    /// The server refused what was sent: 5.
    pub fn refused(problem: &RemoteProblem) -> Self {
        let RemoteProblem {
            code,
            detail,
            advice,
            ..
        } = problem;
        Self {
            named: Some((code.clone(), advice.clone())),
            ..Self::not_all_in(format!("refused: {detail} ({code}); {advice}"))
        }
    }

    /// The command was used wrongly: 2.
    pub fn usage(what: impl std::fmt::Display) -> Self {
        Self::new(CODE_WRONG_USE, anyhow::anyhow!("{what}"))
    }

    /// The same with other words.
    #[must_use]
    pub fn saying(mut self, what: String) -> Self {
        self.error = self.error.context(what);
        self
    }

    /// Its exit code.
    pub fn code(&self) -> u8 {
        self.code
    }

    /// What to do.
    pub fn advice(&self) -> String {
        self.name_and_advice().1
    }

    fn name_and_advice(&self) -> (String, String) {
        if let Some(named) = &self.named {
            return named.clone();
        }
        let found = self.error.chain().find_map(named);
        let (code, advice) = found.unwrap_or_else(|| default_of(self.code));
        (code.to_owned(), advice.to_owned())
    }

    /// The same as one JSON object: the outcome, the exit code, a stable name, what is wrong, and
    /// what to do.
    pub fn as_json(&self) -> Value {
        let (code, advice) = self.name_and_advice();
        let mut object = json!({
            "outcome": outcome_of(self.code),
            "exit": self.code,
            "code": code,
            "error": self.to_string(),
            "advice": advice,
        });
        if let Some(fields) = object.as_object_mut() {
            fields.extend(self.known.clone());
        }
        // What could not be checked is neither whole nor not.
        if self.code == exit_code(Outcome::False)
            && let Some(fields) = object.as_object_mut()
        {
            fields.insert("whole".to_owned(), false.into());
        }
        object
    }
}

/// The error with all that caused it.
impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#}", self.error)
    }
}

/// Any other error: what was asked could not be done, 3; or an address that can't be one of a server,
/// wherever that shows: 2.
impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        let error = error.into();
        let code = match error.downcast_ref::<RemoteError>() {
            Some(RemoteError::Address { .. }) => CODE_WRONG_USE,
            _ => CODE_NOT_DONE,
        };
        Self::new(code, error)
    }
}

fn outcome_of(code: u8) -> &'static str {
    let outcomes = [Outcome::False, Outcome::Unchecked, Outcome::NotThatKind];
    let outcome = outcomes
        .into_iter()
        .find(|outcome| exit_code(*outcome) == code);
    match outcome {
        Some(outcome) => outcome.name(),
        None if code == CODE_NOT_ALL_IN => "not_all_in",
        None => "wrong_use",
    }
}

/// A stable name, and what to do.
type Named = (&'static str, &'static str);

const CORRECT_THE_COMMAND: &str = "correct the command as the error says; --help describes it";
const PUT_BACK_OR_RECOVER: &str =
    "put the newest copy back as the error says, or run the same command with --recover";
const TELL_THE_OPERATOR: &str =
    "tell the operator, and keep what the error names; nothing was sent or reported";
const AGAIN_WHEN_IT_ANSWERS: &str =
    "see that the server runs and can be reached, then run the same command again";
const AGAIN_WHEN_FREE: &str =
    "wait for the other process, or stop it; then run the same command again";
const MEND_THE_FILE: &str = "mend what the error says of the file (path, permissions, space), then run the same command again";

const NOT_SIGNED: Named = (
    "not_signed",
    "see that the ssh-agent runs, is unlocked and has the key (ssh-add -l), then run the same command again",
);

fn default_of(code: u8) -> Named {
    match code {
        CODE_WRONG_USE => ("wrong_use", CORRECT_THE_COMMAND),
        CODE_NOT_ALL_IN => (
            "not_all_in",
            "see what did not go in, and why; correct that and run the same command again",
        ),
        code if code == exit_code(Outcome::False) => (
            "false",
            "rely on nothing of it before the error is explained, and keep what the error names",
        ),
        code if code == exit_code(Outcome::NotThatKind) => (
            "not_that_kind",
            "name what the command is for; the error says what was found instead",
        ),
        _ => (
            "not_done",
            "mend what the error names, then run the same command again",
        ),
    }
}

/// What an error of a known type is called.
fn named(error: &(dyn std::error::Error + 'static)) -> Option<Named> {
    if let Some(error) = error.downcast_ref::<SubmitError>() {
        return of_submit(error);
    }
    if let Some(error) = error.downcast_ref::<RemoteError>() {
        return Some(of_remote(error));
    }
    if let Some(error) = error.downcast_ref::<KeyFileError>() {
        return match error {
            KeyFileError::Io(_) => Some(("file_failed", MEND_THE_FILE)),
            KeyFileError::Agent(..) => Some(NOT_SIGNED),
            _ => Some((
                "key_unusable",
                "name another key file, or mend it as the error says",
            )),
        };
    }
    if error.is::<SignError>() {
        return Some(NOT_SIGNED);
    }
    let is_file = error.is::<FileError>() || error.is::<std::io::Error>();
    is_file.then_some(("file_failed", MEND_THE_FILE))
}

fn of_submit(error: &SubmitError) -> Option<Named> {
    Some(match error {
        SubmitError::Journal(error) => of_journal(error),
        SubmitError::Head(error) => of_head(error),
        SubmitError::Log { fault, .. } => of_fault(fault),
        SubmitError::Remote(error) => of_remote(error),
        SubmitError::JournalLost { .. } => ("journal_lost", PUT_BACK_OR_RECOVER),
        SubmitError::JournalReplaced { .. } => ("journal_replaced", PUT_BACK_OR_RECOVER),
        SubmitError::JournalCopied { .. } => (
            "journal_copied",
            "remove the copy, and run the same command again",
        ),
        SubmitError::RecoveryUnfinished(_) => (
            "recovery_unfinished",
            "run the command that sends the named journal's input with --recover again",
        ),
        SubmitError::RecordsLost(_) => ("records_lost", TELL_THE_OPERATOR),
        SubmitError::UnknownRecords { .. } => (
            "records_unknown",
            "make sure that nobody else signs with this key, then run the same command with --recover",
        ),
        SubmitError::Ambiguous { .. } => (
            "line_ambiguous",
            "if the record was this line: --recover; if the line is a further one: --sign-anew",
        ),
        SubmitError::StraysDamaged(_) => ("strays_damaged", "run the same command with --recover"),
        SubmitError::NoOldKey { .. } => ("no_old_key", CORRECT_THE_COMMAND),
        SubmitError::NoOtherJournal { .. } => ("no_other_journal", CORRECT_THE_COMMAND),
        SubmitError::OldKeyLater { .. } => (
            "old_key_later",
            "wait for the day, or run the same command with --sign-anew if nobody can send those records any more",
        ),
        SubmitError::OldKeyTooLarge { .. } => (
            "old_key_too_large",
            "raise the limit of a body, at the server or a proxy before it, or run the same command with --sign-anew if nobody can send that batch any more",
        ),
        SubmitError::ChainRefused { .. } => ("chain_refused", TELL_THE_OPERATOR),
        SubmitError::TooLarge { .. } => (
            "body_too_large",
            "raise the limit of a body, at the server or a proxy before it, to 32 KiB at least",
        ),
        SubmitError::File(_) | SubmitError::Input(_) | SubmitError::Outcomes(_) => {
            ("file_failed", MEND_THE_FILE)
        }
    })
}

fn of_journal(error: &JournalError) -> Named {
    match error {
        JournalError::NotAJournal(_) => (
            "not_a_journal",
            "name another file with --journal, or move the one that is there away",
        ),
        JournalError::Version(_) => (
            "journal_of_another_release",
            "run the same command with --recover",
        ),
        JournalError::OtherLedger { .. } => ("journal_of_another_ledger", CORRECT_THE_COMMAND),
        JournalError::Damaged { .. } => ("journal_damaged", PUT_BACK_OR_RECOVER),
        JournalError::Older { .. } => ("journal_older", PUT_BACK_OR_RECOVER),
        JournalError::Gone { .. } => ("journal_gone", PUT_BACK_OR_RECOVER),
        JournalError::Unreadable(_) => (
            "journal_unreadable",
            "run the same command with the release that signed its records",
        ),
        JournalError::Locked(_) => ("journal_locked", AGAIN_WHEN_FREE),
        JournalError::Io(_) => ("file_failed", MEND_THE_FILE),
    }
}

fn of_head(error: &HeadError) -> Named {
    match error {
        HeadError::Locked(_) => ("key_locked", AGAIN_WHEN_FREE),
        HeadError::Damaged(_) => ("head_damaged", PUT_BACK_OR_RECOVER),
        HeadError::Other { .. } => ("head_of_another", CORRECT_THE_COMMAND),
        HeadError::TooManyJournals { .. } => (
            "journals_too_many",
            "send this input with the journal of an older one, by --journal",
        ),
        HeadError::Unwritable(_) | HeadError::Io(_) => ("file_failed", MEND_THE_FILE),
    }
}

fn of_fault(fault: &LogFault) -> Named {
    match fault {
        LogFault::Remote(error) => of_remote(error),
        LogFault::NotGranted(_) => (
            "key_not_granted",
            "ask the governors for a key grant, or name the key that has one",
        ),
        LogFault::Unchecked(_) => ("log_unchecked", AGAIN_WHEN_IT_ANSWERS),
        LogFault::Contradiction { .. } => ("log_contradicts_itself", TELL_THE_OPERATOR),
        LogFault::Wrong(_) => ("log_wrong", TELL_THE_OPERATOR),
        LogFault::Checkpoint(_) => (
            "checkpoint_wrong",
            "compare the server and the key of --log with what the programme published",
        ),
    }
}

fn of_remote(error: &RemoteError) -> Named {
    match error {
        RemoteError::Away { .. } => ("server_away", AGAIN_WHEN_IT_ANSWERS),
        RemoteError::Address { .. } => ("address_wrong", CORRECT_THE_COMMAND),
        RemoteError::Unusable { .. } => (
            "server_unusable",
            "correct the address, or trust the server's authority, as the error says",
        ),
        RemoteError::Problem { .. } => (
            "server_refused",
            "do as the error says, then run the same command again",
        ),
        RemoteError::Answer { .. } => (
            "answer_unexpected",
            "see that the address is that of an arborlog server, and of nothing before it",
        ),
    }
}
