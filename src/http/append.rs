//! Intake: batches of signed records, binary or JSON.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::App;
use super::body::{Received, receive, too_large};
use super::body_bytes::BodyBytes;
use super::connection::Connection;
use super::metrics::Intake;
use super::request_log::Appended;
use crate::answer::{Client, Problem, ProblemCode};
use crate::crypto::{PublicKey, Signature};
use crate::ledger::{Code, Refusal};
use crate::log::Sender;
use crate::record::{CodecError, Endorsement, Frames, Index, MldsaSignature, SignedRecord};
use crate::shares::ClientNet;

/// Bodies from this size on are decoded on a worker thread.
pub(super) const DECODE_INLINE_BYTES: usize = 64 << 10;

/// Records that are in.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct AppendedBody {
    /// The first one's index.
    #[schema(value_type = Option<u64>)]
    first_index: Option<Index>,
    /// All indexes, in the order the records were sent; not always contiguous.
    #[schema(value_type = Vec<u64>)]
    indexes: Vec<Index>,
    /// Which records of the batch, from 0, were in before this request: it appended the others.
    already_in: Vec<usize>,
    /// A checkpoint that covers them.
    checkpoint: String,
}

/// A signed record as JSON carries it.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
struct JsonRecord {
    /// The record's bytes, base64.
    record: String,
    /// The issuer's signature, base64.
    signature: String,
    /// Others' signatures, ascending by key.
    #[serde(default)]
    endorsements: Vec<JsonEndorsement>,
    /// The signature of the ML-DSA-44 key that the statement names, base64, if it names one.
    #[serde(default)]
    mldsa_signature: Option<String>,
}

/// Another's signature.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct JsonEndorsement {
    /// Whose key, 64 hexadecimal digits.
    #[schema(value_type = String)]
    key: PublicKey,
    /// The signature, base64.
    signature: String,
}

/// Append a batch of one issuer's signed records.
///
/// Binary: each record behind its length as a big-endian u32. JSON: an array. The batch is
/// admitted in order up to its first bad record. Whatever the answer, it was durable and
/// published before it was given. Sending the same again is safe.
#[utoipa::path(post, path = "/v1/records",
    request_body(
        content(
            (Vec<u8> = "application/octet-stream"),
            (Vec<JsonRecord> = "application/json"),
        ),
        description = "The batch"
    ),
    responses(
        (status = 200, description = "All are in", body = AppendedBody),
        (status = 400, description = "Bytes or a signature are wrong", body = Problem),
        (status = 403, description = "The key or its role may not say this", body = Problem),
        (status = 408, description = "The body did not arrive in time", body = Problem),
        (status = 409, description = "The issuer's chain or sequence is broken", body = Problem),
        (status = 413, description = "Too large", body = Problem),
        (status = 415, description = "Neither binary nor JSON, or encoded", body = Problem),
        (status = 422, description = "A rule is broken", body = Problem),
        (status = 503, description = "Come again after Retry-After seconds", body = Problem),
    ))]
pub(super) async fn records(
    State(app): State<Arc<App>>,
    Client(net): Client,
    request: Request,
) -> Result<(Extension<Appended>, Json<AppendedBody>), Problem> {
    let json = is_json(request.headers())?;
    let (bytes, sender) = take_body(&app, net, request).await?;
    let records_max = app.limits.batch_records;
    let Decoded { records, trailing } = if bytes.len() <= DECODE_INLINE_BYTES {
        decode(&bytes, json, records_max)?
    } else {
        let _place = app.decoders.take(net, 1).await;
        // The memory is taken for as long as it is used, though the client may be gone.
        let memory = sender.memory.clone();
        tokio::task::spawn_blocking(move || {
            let decoded = decode(&bytes, json, records_max);
            drop((bytes, memory));
            decoded
        })
        .await
        .map_err(|_| Problem::unavailable(ProblemCode::Stopping, "the server is stopping"))??
    };
    let sent = records.len();
    // What is behind a record that does not decode was not counted by anybody.
    let sent_in_all = sent + usize::from(trailing.is_some());
    let appended = app
        .log
        .append_from(&sender, records, trailing)
        .await
        .inspect_err(|error| app.metrics.not_all_in(error, sent_in_all))?;
    let new = sent - appended.already_in.len().min(sent);
    app.metrics.took_in(Intake::Admitted, new);
    app.metrics.took_in(Intake::AlreadyIn, sent - new);
    let body = AppendedBody {
        first_index: appended.indexes.first().copied(),
        indexes: appended.indexes,
        already_in: appended.already_in,
        checkpoint: appended.published.checkpoint.clone(),
    };
    Ok((Extension(Appended(new)), Json(body)))
}

/// The whole body of a request, and who sent it.
pub(super) async fn take_body(
    app: &App,
    net: ClientNet,
    request: Request,
) -> Result<(BodyBytes, Sender), Problem> {
    let connection = request.extensions().get::<Arc<Connection>>().cloned();
    if let Some(connection) = &connection {
        connection.body_is_read(false);
    }
    if let Some(coding) = content_coding(request.headers()) {
        let detail = format!("Content-Encoding is {coding:?}, and a body is not encoded");
        let advice = "send the bytes as they are, without Content-Encoding";
        return Err(Problem::new(ProblemCode::MediaType, &detail, advice));
    }
    let bytes_max = app.limits.body_bytes;
    // hyper refuses a length that is no number.
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > bytes_max) {
        return Err(too_large(bytes_max));
    }
    let body = request.into_body();
    let received = receive(body, &app.limits, &app.memory, net, connection.as_ref());
    let Received { bytes, memory } = received.await?;
    if let Some(connection) = &connection {
        connection.body_is_read(true);
    }
    Ok((bytes, Sender { net, memory }))
}

/// The media type that a request says its body has, in lower case and without parameters.
pub(super) fn media_type(headers: &HeaderMap) -> String {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("");
    let kind = kind.split(';').next().unwrap_or("");
    kind.trim().to_ascii_lowercase()
}

/// What a request says that its body is encoded with, if it says so: no body is decoded, since a small one could
/// become a very large one. `identity` is the name of no coding.
fn content_coding(headers: &HeaderMap) -> Option<String> {
    let fields = headers.get_all(CONTENT_ENCODING).iter();
    let fields = fields.map(|value| String::from_utf8_lossy(value.as_bytes()));
    let mut named = fields.flat_map(|field| {
        let codings = field.split(',').map(str::trim).map(str::to_ascii_lowercase);
        codings.collect::<Vec<_>>()
    });
    named.find(|coding| !coding.is_empty() && coding != "identity")
}

fn is_json(headers: &HeaderMap) -> Result<bool, Problem> {
    match media_type(headers).as_str() {
        "application/json" => Ok(true),
        "application/octet-stream" => Ok(false),
        other => {
            let advice = "send application/octet-stream or application/json";
            Err(wrong_media_type(other, advice))
        }
    }
}

pub(super) fn wrong_media_type(found: &str, advice: &str) -> Problem {
    let detail = format!("Content-Type is {found:?}");
    Problem::new(ProblemCode::MediaType, &detail, advice)
}

pub(super) fn too_many(records_max: usize) -> Problem {
    Problem::new(
        ProblemCode::BatchTooLarge,
        &format!("a batch has at most {records_max} records"),
        "send smaller batches",
    )
}

/// The records of a body.
struct Decoded {
    /// Those before the first that does not decode.
    records: Vec<SignedRecord>,
    /// The refusal for the first that does not decode.
    trailing: Option<Refusal>,
}

impl Decoded {
    fn all(records: Vec<SignedRecord>) -> Self {
        Self {
            records,
            trailing: None,
        }
    }

    fn up_to(records: Vec<SignedRecord>, error: &CodecError) -> Self {
        Self {
            records,
            trailing: Some(not_canonical(error)),
        }
    }
}

/// Decodes a body, up to the first record that does not decode.
fn decode(body: &[u8], json: bool, records_max: usize) -> Result<Decoded, Problem> {
    if json {
        decode_json(body, records_max)
    } else {
        decode_binary(body, records_max)
    }
}

fn decode_binary(body: &[u8], records_max: usize) -> Result<Decoded, Problem> {
    let mut records = Vec::new();
    for frame in Frames::of(body) {
        if records.len() == records_max {
            return Err(too_many(records_max));
        }
        let record =
            frame.and_then(|frame| SignedRecord::decode(body.get(frame).unwrap_or_default()));
        match record {
            Ok(record) => records.push(record),
            Err(error) => return Ok(Decoded::up_to(records, &error)),
        }
    }
    Ok(Decoded::all(records))
}

fn decode_json(body: &[u8], records_max: usize) -> Result<Decoded, Problem> {
    let batch: Vec<JsonRecord> = serde_json::from_slice(body).map_err(|error| {
        Problem::new(
            ProblemCode::JsonMalformed,
            &error.to_string(),
            "send [{\"record\": base64, \"signature\": base64, \"endorsements\": [{\"key\": hex, \"signature\": base64}]}]",
        )
    })?;
    if batch.len() > records_max {
        return Err(too_many(records_max));
    }
    let mut records = Vec::with_capacity(batch.len());
    for record in batch {
        match decode_json_record(&record) {
            Ok(record) => records.push(record),
            Err(error) => return Ok(Decoded::up_to(records, &error)),
        }
    }
    Ok(Decoded::all(records))
}

fn decode_json_record(json: &JsonRecord) -> Result<SignedRecord, CodecError> {
    let no_base64 = |what: &str| CodecError::Malformed(format!("{what} is not in base64"));
    let signature = |text: &str| {
        let bytes = STANDARD
            .decode(text)
            .map_err(|_| no_base64("a signature"))?;
        let bytes = <[u8; 64]>::try_from(bytes)
            .map_err(|_| CodecError::Malformed("a signature has 64 bytes".to_owned()))?;
        Ok::<_, CodecError>(Signature::from_bytes(bytes))
    };
    let record = STANDARD
        .decode(&json.record)
        .map_err(|_| no_base64("the record"))?;
    let endorsements = json
        .endorsements
        .iter()
        .map(|endorsement| {
            Ok(Endorsement {
                key: endorsement.key,
                signature: signature(&endorsement.signature)?,
            })
        })
        .collect::<Result<Vec<_>, CodecError>>()?;
    let mldsa_signature = json.mldsa_signature.as_deref().map(|text| {
        let bytes = STANDARD.decode(text).ok();
        let signature = bytes.and_then(|bytes| MldsaSignature::from_bytes(&bytes));
        let wrong = "an ML-DSA-44 signature is the base64 of 2,420 bytes";
        signature.ok_or_else(|| CodecError::Malformed(wrong.to_owned()))
    });
    SignedRecord::with_mldsa(
        record,
        signature(&json.signature)?,
        endorsements,
        mldsa_signature.transpose()?,
    )
}

fn not_canonical(error: &CodecError) -> Refusal {
    Refusal::new(
        Code::NotCanonical,
        error.to_string(),
        "docs/format.md tells the one encoding",
    )
}
