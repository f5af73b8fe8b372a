//! Intake of sealed batches: one seal, and the statements that it signs.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::{Extension, Json};
use serde::Serialize;

use super::App;
use super::append::{DECODE_INLINE_BYTES, media_type, take_body, too_many, wrong_media_type};
use super::metrics::Intake;
use super::request_log::Appended;
use crate::answer::{Client, Problem, ProblemCode};
use crate::ledger::{Code, Refusal};
use crate::record::{BatchError, Index, SEALED_BATCH, UnreadBatch};

/// A sealed batch that is in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct AppendedBatchBody {
    /// The index of the first statement's entry; the others follow on it.
    #[schema(value_type = u64)]
    first_index: Index,
    /// The number of statements.
    count: usize,
    /// The index of the seal, behind them.
    #[schema(value_type = u64)]
    seal_index: Index,
    /// Whether it was in before this request.
    already_in: bool,
    /// A checkpoint that covers it.
    checkpoint: String,
}

/// Append a sealed batch.
///
/// The seal's signed record behind its length as a big-endian u32, then each statement behind its
/// own. All of it is admitted or nothing: a refusal names every statement that is refused, each
/// judged as if the refused ones before it were absent. Whatever the answer, it was durable and
/// published before it was given. Sending the same again is safe.
#[utoipa::path(post, path = "/v1/batches",
    request_body(
        content((Vec<u8> = "application/vnd.arborlog.batch")),
        description = "The batch"
    ),
    responses(
        (status = 200, description = "All of it is in", body = AppendedBatchBody),
        (status = 400, description = "Bytes or the signature are wrong", body = Problem),
        (status = 403, description = "The key or its role may not say this", body = Problem),
        (status = 408, description = "The body did not arrive in time", body = Problem),
        (status = 409, description = "The issuer's chain or sequence is broken", body = Problem),
        (status = 413, description = "Too large", body = Problem),
        (status = 415, description = "Not a sealed batch's media type, or encoded", body = Problem),
        (status = 422, description = "A rule is broken", body = Problem),
        (status = 503, description = "Come again after Retry-After seconds", body = Problem),
    ))]
pub(super) async fn batches(
    State(app): State<Arc<App>>,
    Client(net): Client,
    request: Request,
) -> Result<(Extension<Appended>, Json<AppendedBatchBody>), Problem> {
    let kind = media_type(request.headers());
    if kind != SEALED_BATCH {
        let advice = "send application/vnd.arborlog.batch, or records to /v1/records";
        return Err(wrong_media_type(&kind, advice));
    }
    let (bytes, sender) = take_body(&app, net, request).await?;
    let batch = if bytes.len() <= DECODE_INLINE_BYTES {
        UnreadBatch::read(bytes.to_vec())
    } else {
        let _place = app.decoders.take(net, 1).await;
        // The memory is taken for as long as it is used, though the client may be gone.
        let memory = sender.memory.clone();
        let read = tokio::task::spawn_blocking(move || {
            let read = UnreadBatch::read(bytes.to_vec());
            drop((bytes, memory));
            read
        });
        read.await
            .map_err(|_| Problem::unavailable(ProblemCode::Stopping, "the server is stopping"))?
    };
    let batch = batch.map_err(|error| malformed(&error))?;
    let count = batch.len();
    if count > app.limits.batch_records {
        return Err(too_many(app.limits.batch_records));
    }
    let appended = app
        .log
        .append_batch_from(&sender, batch)
        .await
        .inspect_err(|error| app.metrics.not_all_in(error, count))?;
    let new = if appended.already_in { 0 } else { count };
    app.metrics.took_in(Intake::Admitted, new);
    app.metrics.took_in(Intake::AlreadyIn, count - new);
    let body = AppendedBatchBody {
        first_index: appended.first_index,
        count,
        seal_index: appended.seal_index,
        already_in: appended.already_in,
        checkpoint: appended.published.checkpoint.clone(),
    };
    Ok((Extension(Appended(new)), Json(body)))
}

fn malformed(error: &BatchError) -> Problem {
    let advice = "docs/http.md tells how a sealed batch is sent";
    let code = Code::of_batch_error(error);
    Problem::of_code(&Refusal::new(code, error.to_string(), advice))
}
