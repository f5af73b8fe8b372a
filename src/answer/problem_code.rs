//! The names of what a server answers with instead of what was asked for, beside the refusals of the ledger's rules.
//! Each has one status, and all are in one list, to which `docs/http.md` is held.

use axum::http::StatusCode;

use crate::log::UnavailableCode;

macro_rules! problem_codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $status:ident;)*) => {
        /// A stable name for each reason not to answer what was asked.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum ProblemCode {
            $($(#[$doc])* $variant,)*
        }

        impl ProblemCode {
            /// Every code, by status.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name that problem documents carry.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The HTTP status.
            pub(crate) fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }
        }
    };
}

problem_codes! {
    /// A head that is none.
    HeadMalformed = "head_malformed", BAD_REQUEST;
    /// No `Host`, two, or one that names no host.
    HostMalformed = "host_malformed", BAD_REQUEST;
    /// A body's length could be read in two ways.
    LengthAmbiguous = "length_ambiguous", BAD_REQUEST;
    /// A part of the path is not what it should be.
    PathMalformed = "path_malformed", BAD_REQUEST;
    /// A parameter is unknown, missing or not what it should be.
    QueryMalformed = "query_malformed", BAD_REQUEST;
    /// The body is no JSON, or says something else.
    JsonMalformed = "json_malformed", BAD_REQUEST;
    /// The body ended before it was whole.
    BodyCut = "body_cut", BAD_REQUEST;
    /// An address is too long for the code that is drawn of it.
    UrlTooLong = "url_too_long", BAD_REQUEST;
    /// There is no such thing.
    NotFound = "not_found", NOT_FOUND;
    /// No checkpoint with the level that was asked for covers it.
    LevelUnreached = "level_unreached", NOT_FOUND;
    /// The path does not take the method.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED;
    /// The body came too slowly or too late.
    BodyLate = "body_late", REQUEST_TIMEOUT;
    /// The body is too large, or has too many records.
    BatchTooLarge = "batch_too_large", PAYLOAD_TOO_LARGE;
    /// Path and query are too long.
    TargetTooLong = "target_too_long", URI_TOO_LONG;
    /// A body of another media type, or an encoded one.
    MediaType = "media_type", UNSUPPORTED_MEDIA_TYPE;
    /// `Expect` names what the server does not know.
    ExpectationUnknown = "expectation_unknown", EXPECTATION_FAILED;
    /// Statements of a sealed batch are refused.
    BatchRefused = "batch_refused", UNPROCESSABLE_ENTITY;
    /// More statements stand between an entry and the genesis than a receipt carries.
    AuthorityTooLong = "authority_too_long", UNPROCESSABLE_ENTITY;
    /// The head is too long, or has too many fields.
    HeadTooLarge = "head_too_large", REQUEST_HEADER_FIELDS_TOO_LARGE;
    /// The store can't give what its tree must have.
    StoreDamaged = "store_damaged", INTERNAL_SERVER_ERROR;
    /// The server contradicts itself.
    Contradiction = "contradiction", INTERNAL_SERVER_ERROR;
    /// A page that the program can't make.
    PageBroken = "page_broken", INTERNAL_SERVER_ERROR;
    /// Figures that the program can't write.
    MetricsBroken = "metrics_broken", INTERNAL_SERVER_ERROR;
    /// A transfer coding that is none of HTTP/1.1's own.
    CodingUnknown = "coding_unknown", NOT_IMPLEMENTED;
    /// Bodies in flight fill the memory.
    MemoryFull = "memory_full", SERVICE_UNAVAILABLE;
    /// Answers in flight fill the memory.
    AnswersFull = "answers_full", SERVICE_UNAVAILABLE;
    /// Too many batches wait.
    QueueFull = "queue_full", SERVICE_UNAVAILABLE;
    /// Too many batches of one issuer wait.
    IssuerQueueFull = "issuer_queue_full", SERVICE_UNAVAILABLE;
    /// Others send an issuer's records.
    Contended = "contended", SERVICE_UNAVAILABLE;
    /// The request took too long.
    TimedOut = "timed_out", SERVICE_UNAVAILABLE;
    /// The log halted.
    Halted = "halted", SERVICE_UNAVAILABLE;
    /// Another server leads the log.
    NotLeading = "not_leading", SERVICE_UNAVAILABLE;
    /// The server stops.
    Stopping = "stopping", SERVICE_UNAVAILABLE;
    /// Too many streams are open.
    StreamsFull = "streams_full", SERVICE_UNAVAILABLE;
    /// Too many look for records.
    SearchesFull = "searches_full", SERVICE_UNAVAILABLE;
    /// The system lets the server read no file.
    StoreUnavailable = "store_unavailable", SERVICE_UNAVAILABLE;
    /// No state entry speaks of it yet.
    StateUnproven = "state_unproven", SERVICE_UNAVAILABLE;
    /// The index of evidence can't say yet.
    EvidenceUnindexed = "evidence_unindexed", SERVICE_UNAVAILABLE;
    /// No checkpoint has met the quorum of the log's policy yet.
    QuorumMissing = "quorum_missing", SERVICE_UNAVAILABLE;
    /// Another version of HTTP.
    VersionUnknown = "version_unknown", HTTP_VERSION_NOT_SUPPORTED;
}

impl From<UnavailableCode> for ProblemCode {
    fn from(code: UnavailableCode) -> Self {
        match code {
            UnavailableCode::Halted => Self::Halted,
            UnavailableCode::NotLeading => Self::NotLeading,
            UnavailableCode::Stopping => Self::Stopping,
            UnavailableCode::Contended => Self::Contended,
            UnavailableCode::IssuerQueueFull => Self::IssuerQueueFull,
            UnavailableCode::QueueFull => Self::QueueFull,
            UnavailableCode::EvidenceUnindexed => Self::EvidenceUnindexed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::ledger::{Code, RefusalClass};

    const PAGE: &str = include_str!("../../docs/http.md");

    /// The rows of the table with this first column, without their first cells.
    fn rows(first_column: &str) -> Vec<(&'static str, &'static str)> {
        let heading = format!("\n| {first_column} |");
        let (_, table) = PAGE.split_once(&heading).unwrap();
        let rows = table.lines().skip(2);
        let rows = rows.map_while(|line| line.strip_prefix("| ")?.split_once(" | "));
        rows.collect()
    }

    /// What stands in backticks.
    fn codes(text: &str) -> BTreeSet<&str> {
        text.split('`').skip(1).step_by(2).collect()
    }

    #[test]
    fn the_page_names_every_code_with_its_status_and_no_other() {
        let by_rule: BTreeSet<&str> = rows("about")
            .into_iter()
            .flat_map(|(_, row)| codes(row))
            .collect();
        let mut by_status: BTreeSet<(&str, &str)> = BTreeSet::new();
        for (status, row) in rows("status") {
            let (_, named) = row.split_once(" | ").unwrap();
            by_status.extend(codes(named).into_iter().map(|code| (status, code)));
        }
        let status_of = |class| match class {
            RefusalClass::Malformed => Some("400"),
            RefusalClass::Forbidden => Some("403"),
            RefusalClass::Conflict => Some("409"),
            RefusalClass::Rule => None,
        };
        let mut expected: BTreeSet<(String, &str)> = BTreeSet::new();
        let mut rules: BTreeSet<&str> = BTreeSet::new();
        for code in Code::ALL {
            match status_of(code.class()) {
                Some(status) => expected.insert((status.to_owned(), code.name())),
                None => rules.insert(code.name()),
            };
        }
        for code in ProblemCode::ALL {
            expected.insert((code.status().as_u16().to_string(), code.name()));
        }
        let expected: BTreeSet<(&str, &str)> = expected
            .iter()
            .map(|(status, code)| (status.as_str(), *code))
            .collect();
        assert_eq!(by_status, expected, "docs/http.md, the codes by status");
        assert_eq!(by_rule, rules, "docs/http.md, the rules");
    }
}
