//! What witnesses and auditors cosigned: the newest checkpoint with the lines that it has, who is how far behind,
//! and the checkpoint of each hour.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::App;
use super::static_log::note_answer;
use crate::answer::Problem;
use crate::answer::extract::{Path, Query, parse_path, parse_query};
use crate::cosign::{CosignerStatus, Stands, now_s, read_hour};
use crate::log::{Published, ReadError};
use crate::policy::Level;

/// The most hours of one answer.
const HOURS_MAX: usize = 100;

/// The checkpoint of the newest commit, with what cosignatures it has so far.
#[utoipa::path(get, path = "/v1/checkpoint", responses(
    (status = 200, description = "A signed note (c2sp.org/tlog-checkpoint)", body = String, content_type = "text/plain; charset=utf-8"),
    (status = 304, description = "Unchanged since the ETag sent in If-None-Match"),
))]
pub(super) async fn newest(State(app): State<Arc<App>>, headers: HeaderMap) -> Response {
    let published = app.log.published();
    note_answer(&headers, with_lines(&app, &published))
}

/// The note of a checkpoint, with the lines that came for it.
pub(super) fn with_lines(app: &App, published: &Published) -> String {
    let head = published.head.tree;
    let cosigned = app.cosigned.board.latest_of(head.size);
    let cosigned = cosigned.filter(|cosigned| cosigned.head() == head);
    cosigned.map_or_else(
        || published.checkpoint.clone(),
        |cosigned| cosigned.note().to_owned(),
    )
}

/// The cosigners of the policy in force.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct CosignersBody {
    /// Entries of the newest checkpoint.
    size: u64,
    /// Entries of the checkpoint at `/checkpoint`; null before one met the quorum.
    stands: Option<u64>,
    /// The name of the policy's quorum; null while no policy is in force.
    quorum: Option<String>,
    /// Entries of the newest checkpoint that is `cosigned`, `witnessed`, `audited`; null for none.
    #[schema(value_type = Object)]
    levels: Value,
    /// Each witness and auditor, in the policy's order.
    cosigners: Vec<CosignerBody>,
}

/// A witness or auditor.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct CosignerBody {
    /// What the policy calls it.
    name: String,
    /// The name of its key.
    key: String,
    /// `witness` or `auditor`.
    role: &'static str,
    /// Entries of the newest checkpoint with its line; null for none.
    cosigned_size: Option<u64>,
    /// When it cosigned that, in seconds since 1970 UTC, by its clock.
    cosigned_at_s: Option<u64>,
    /// Entries of the newest checkpoint that it took, of an auditor also without a line so far.
    accepted_size: u64,
    /// Entries that it is behind the newest checkpoint.
    lag_entries: u64,
    /// Seconds since its newest line; null if no line came.
    lag_s: Option<u64>,
    /// What the last question to it came to; null before the first.
    last: Option<&'static str>,
    /// Why, in words; they may change.
    why: String,
}

/// How far each cosigner is, as answers and metrics say it.
pub(super) struct Lag {
    pub entries: u64,
    pub seconds: Option<u64>,
}

impl Lag {
    pub(super) fn of(status: &CosignerStatus, size: u64) -> Self {
        Self {
            entries: size.saturating_sub(status.cosigned.unwrap_or(0)),
            seconds: status
                .cosigned_at_s
                .map(|at_s| now_s().saturating_sub(at_s)),
        }
    }
}

/// Who cosigns this log's checkpoints, and how far behind each one is.
#[utoipa::path(get, path = "/v1/cosigners", responses(
    (status = 200, description = "The witnesses and auditors of the policy in force", body = CosignersBody),
))]
pub(super) async fn cosigners(State(app): State<Arc<App>>) -> Json<CosignersBody> {
    let size = app.log.published().head.tree.size;
    let stands = match app.cosigned.board.stands() {
        Stands::Newest => Some(size),
        Stands::Cosigned(checkpoint) => Some(checkpoint.head().size),
        Stands::Before { size, .. } => Some(size),
        Stands::Nothing { .. } => None,
    };
    let mut levels = serde_json::Map::new();
    for level in Level::ALL {
        let newest = app.cosigned.board.newest_with(level);
        levels.insert(
            level.name().to_owned(),
            json!(newest.map(|newest| newest.head().size)),
        );
    }
    let cosigners = app.cosigned.board.cosigners().into_iter();
    let cosigners = cosigners.map(|status| {
        let lag = Lag::of(&status, size);
        let (last, why) = status.last.unzip();
        CosignerBody {
            key: status.vkey.name().to_string(),
            name: status.name,
            role: status.role.name(),
            cosigned_size: status.cosigned,
            cosigned_at_s: status.cosigned_at_s,
            accepted_size: status.accepted,
            lag_entries: lag.entries,
            lag_s: lag.seconds,
            last: last.map(|last| last.name()),
            why: why.unwrap_or_default(),
        }
    });
    Json(CosignersBody {
        size,
        stands,
        quorum: app.cosigned.board.quorum(),
        levels: Value::Object(levels),
        cosigners: cosigners.collect(),
    })
}

/// The policy by which this log's checkpoints stand: its witnesses, auditors, groups and quorum. Without `--policy` it is the
/// one that the governors stated, which a state proof proves; an operator's own is proven by nothing.
#[utoipa::path(get, path = "/v1/policy", responses(
    (status = 200, description = "Lines of a policy (c2sp.org/tlog-policy), without logs and addresses; `quorum none` alone while no policy is in force", body = String, content_type = "text/plain; charset=utf-8"),
))]
pub(super) async fn policy(State(app): State<Arc<App>>) -> String {
    let policy = app.cosigned.board.policy();
    policy.map_or_else(
        || "quorum none\n".to_owned(),
        |policy| policy.cosigner_lines(),
    )
}

/// Where the list of hours begins.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HoursQuery {
    after: Option<String>,
}

/// Hours of which a checkpoint that met the quorum is kept for ever.
#[derive(Serialize, utoipa::ToSchema)]
pub(super) struct HoursBody {
    /// Hours since 1970-01-01T00 UTC.
    hours: Vec<u64>,
    /// The path of the next page, or null.
    next: Option<String>,
}

/// The hours of which a checkpoint that met the quorum is kept for ever.
#[utoipa::path(get, path = "/v1/checkpoints", params(
    ("after" = Option<u64>, Query, description = "An hour, as the list writes it"),
), responses(
    (status = 200, description = "At most 100", body = HoursBody),
))]
pub(super) async fn hours(
    State(app): State<Arc<App>>,
    Query(query): Query<HoursQuery>,
) -> Result<Json<HoursBody>, Problem> {
    let after = query.after.as_deref();
    let after = after.map(|text| parse_query(text, "after")).transpose()?;
    let mut hours = app.cosigned.board.hours_after(after, HOURS_MAX + 1);
    let has_more = hours.len() > HOURS_MAX;
    hours.truncate(HOURS_MAX);
    let last = hours.last().filter(|_| has_more);
    let next = last.map(|last| format!("/v1/checkpoints?after={last}"));
    Ok(Json(HoursBody { hours, next }))
}

/// The first checkpoint of an hour that met the quorum, with its cosignatures.
#[utoipa::path(get, path = "/v1/checkpoints/{hour}", params(("hour" = u64, Path, description = "Hours since 1970-01-01T00 UTC")), responses(
    (status = 200, description = "A signed note", body = String, content_type = "text/plain; charset=utf-8"),
    (status = 404, body = Problem, description = "None is kept of this hour"),
))]
pub(super) async fn hour(
    State(app): State<Arc<App>>,
    Path(hour): Path<String>,
) -> Result<Response, Problem> {
    let hour: u64 = parse_path(&hour, "the hour")?;
    let none = || Problem::not_found("no checkpoint is kept of this hour");
    let is_kept = app
        .cosigned
        .board
        .hours_after(hour.checked_sub(1), 1)
        .first()
        .is_some_and(|first| *first == hour);
    let Some(dir) = app.cosigned.kept_in.clone().filter(|_| is_kept) else {
        return Err(none());
    };
    let note = read_note(dir, hour).await?;
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response())
}

async fn read_note(dir: PathBuf, hour: u64) -> Result<String, Problem> {
    let read = tokio::task::spawn_blocking(move || read_hour(&dir, hour)).await;
    let read = read.map_err(|_| Problem::contradiction("reading a checkpoint broke off"))?;
    Ok(read.map_err(ReadError::from)?)
}
