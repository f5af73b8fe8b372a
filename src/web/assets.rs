//! Files that pages load: the style, the scripts, the verifier. They are part of the program.

use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

use super::not_found;
use super::texts::Language;
use crate::answer::Problem;
use crate::answer::etag;
use crate::answer::extract::Path;

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// Each file's name, media type and text.
const ASSETS: &[(&str, &str, &str)] = &[
    (
        "style.css",
        "text/css; charset=utf-8",
        include_str!("pages/style.css"),
    ),
    ("leaf.svg", "image/svg+xml", include_str!("pages/leaf.svg")),
    ("live.mjs", SCRIPT, include_str!("pages/live.mjs")),
    ("panel.mjs", SCRIPT, include_str!("pages/panel.mjs")),
    ("checks.mjs", SCRIPT, include_str!("pages/checks.mjs")),
    ("dropped.mjs", SCRIPT, include_str!("pages/dropped.mjs")),
    ("card/card.mjs", SCRIPT, include_str!("card/card.mjs")),
    ("card/proofs.mjs", SCRIPT, include_str!("card/proofs.mjs")),
    ("card/saying.mjs", SCRIPT, include_str!("card/saying.mjs")),
    (
        "card/sentences.mjs",
        SCRIPT,
        include_str!("card/sentences.mjs"),
    ),
    ("card/tell.mjs", SCRIPT, include_str!("card/tell.mjs")),
    ("card/words.mjs", SCRIPT, include_str!("card/words.mjs")),
    ("proving.mjs", SCRIPT, include_str!("pages/proving.mjs")),
    ("proven.mjs", SCRIPT, include_str!("pages/proven.mjs")),
    ("others.mjs", SCRIPT, include_str!("pages/others.mjs")),
    ("evidence.mjs", SCRIPT, include_str!("pages/evidence.mjs")),
    ("share.mjs", SCRIPT, include_str!("pages/share.mjs")),
    (
        "governance.mjs",
        SCRIPT,
        include_str!("pages/governance.mjs"),
    ),
    (
        "governance_words.mjs",
        SCRIPT,
        include_str!("pages/governance_words.mjs"),
    ),
    (
        "verifier/proposal.mjs",
        SCRIPT,
        include_str!("verifier/proposal.mjs"),
    ),
    (
        "verifier/bounds.mjs",
        SCRIPT,
        include_str!("verifier/bounds.mjs"),
    ),
    (
        "verifier/codec.mjs",
        SCRIPT,
        include_str!("verifier/codec.mjs"),
    ),
    (
        "verifier/file.mjs",
        SCRIPT,
        include_str!("verifier/file.mjs"),
    ),
    (
        "verifier/tree.mjs",
        SCRIPT,
        include_str!("verifier/tree.mjs"),
    ),
    (
        "verifier/curve.mjs",
        SCRIPT,
        include_str!("verifier/curve.mjs"),
    ),
    // What signature.mjs fetches where a browser has no Ed25519 of its own.
    (
        "verifier/ed25519.mjs",
        SCRIPT,
        include_str!("verifier/ed25519.mjs"),
    ),
    (
        "verifier/signature.mjs",
        SCRIPT,
        include_str!("verifier/signature.mjs"),
    ),
    (
        "verifier/note.mjs",
        SCRIPT,
        include_str!("verifier/note.mjs"),
    ),
    (
        "verifier/mldsa.mjs",
        SCRIPT,
        include_str!("verifier/mldsa.mjs"),
    ),
    (
        "verifier/policy.mjs",
        SCRIPT,
        include_str!("verifier/policy.mjs"),
    ),
    (
        "verifier/trie.mjs",
        SCRIPT,
        include_str!("verifier/trie.mjs"),
    ),
    (
        "verifier/domains.mjs",
        SCRIPT,
        include_str!("verifier/domains.mjs"),
    ),
    (
        "verifier/items.mjs",
        SCRIPT,
        include_str!("verifier/items.mjs"),
    ),
    (
        "verifier/record.mjs",
        SCRIPT,
        include_str!("verifier/record.mjs"),
    ),
    (
        "verifier/shown.mjs",
        SCRIPT,
        include_str!("verifier/shown.mjs"),
    ),
    (
        "verifier/about.mjs",
        SCRIPT,
        include_str!("verifier/about.mjs"),
    ),
    (
        "verifier/receipt.mjs",
        SCRIPT,
        include_str!("verifier/receipt.mjs"),
    ),
    (
        "verifier/question.mjs",
        SCRIPT,
        include_str!("verifier/question.mjs"),
    ),
    (
        "verifier/seen.mjs",
        SCRIPT,
        include_str!("verifier/seen.mjs"),
    ),
    (
        "verifier/story.mjs",
        SCRIPT,
        include_str!("verifier/story.mjs"),
    ),
    // What mldsa.mjs fetches where a browser has no ML-DSA of its own.
    (
        "verifier/vendor/noble/post-quantum/ml-dsa.js",
        SCRIPT,
        include_str!("verifier/vendor/noble/post-quantum/ml-dsa.js"),
    ),
    (
        "verifier/vendor/noble/post-quantum/_crystals.js",
        SCRIPT,
        include_str!("verifier/vendor/noble/post-quantum/_crystals.js"),
    ),
    (
        "verifier/vendor/noble/post-quantum/utils.js",
        SCRIPT,
        include_str!("verifier/vendor/noble/post-quantum/utils.js"),
    ),
    (
        "verifier/vendor/noble/hashes/sha3.js",
        SCRIPT,
        include_str!("verifier/vendor/noble/hashes/sha3.js"),
    ),
    (
        "verifier/vendor/noble/hashes/_u64.js",
        SCRIPT,
        include_str!("verifier/vendor/noble/hashes/_u64.js"),
    ),
    (
        "verifier/vendor/noble/hashes/utils.js",
        SCRIPT,
        include_str!("verifier/vendor/noble/hashes/utils.js"),
    ),
    (
        "verifier/vendor/noble/curves/abstract/fft.js",
        SCRIPT,
        include_str!("verifier/vendor/noble/curves/abstract/fft.js"),
    ),
    (
        "verifier/vendor/noble/curves/abstract/modular.js",
        SCRIPT,
        include_str!("verifier/vendor/noble/curves/abstract/modular.js"),
    ),
    (
        "verifier/vendor/noble/curves/utils.js",
        SCRIPT,
        include_str!("verifier/vendor/noble/curves/utils.js"),
    ),
];

/// One of these files.
pub(super) async fn asset(Path(name): Path<String>, asked: HeaderMap) -> Result<Response, Problem> {
    served(&name, &asked)
}

/// The icon where browsers look for one that nothing names: beside a picture or a file that was opened by itself.
pub(super) async fn favicon(asked: HeaderMap) -> Result<Response, Problem> {
    served("leaf.svg", &asked)
}

/// The script of the panel's words, made of the texts of all languages: the page itself brings no words to what was checked.
static PANEL_WORDS: LazyLock<String> = LazyLock::new(|| {
    let words = Language::ALL.map(|language| {
        let tag = language.tag().split('-').next().unwrap_or_default();
        (tag.to_owned(), language.texts().panel_words())
    });
    let words: serde_json::Map<_, _> = words.into_iter().collect();
    format!(
        "// What a panel says, in each language.\n\nconst PANEL_WORDS = {};\n\n// The reader's language: one of those that there are words in.\n\
         export const panelWordsOf = (tag) => PANEL_WORDS[Object.keys(PANEL_WORDS).find((known) => tag.toLowerCase().startsWith(known))] ?? PANEL_WORDS.en;\n",
        serde_json::Value::from(words)
    )
});

fn served(name: &str, asked: &HeaderMap) -> Result<Response, Problem> {
    let (kind, text) = if name == "panel_words.mjs" {
        (SCRIPT, PANEL_WORDS.as_str())
    } else {
        let found = ASSETS.iter().find(|(known, ..)| *known == name);
        let (_, kind, text) = found.ok_or_else(|| not_found("file"))?;
        (*kind, *text)
    };
    let digest = hex::encode(Sha256::digest(text));
    let etag = format!("\"{}\"", digest.get(..16).unwrap_or(&digest));
    let known = etag::is_known(asked, &etag);
    // A browser asks each time, and is seldom sent the file: a page and its scripts are of one version.
    let headers = [
        (CONTENT_TYPE, kind),
        (ETAG, etag.as_str()),
        (CACHE_CONTROL, "no-cache"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok(if known {
        (StatusCode::NOT_MODIFIED, headers).into_response()
    } else {
        (headers, text).into_response()
    })
}
