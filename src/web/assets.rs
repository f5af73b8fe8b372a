//! Files that pages load: the style, the scripts, the verifier. They are part of the program.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::body::Bytes;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

use super::not_found;
use super::scripts::{Joining, joined};
use super::texts::Language;
use crate::answer::Problem;
use crate::answer::etag;
use crate::answer::extract::Path;

const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! scripts {
    ($($name:literal $path:literal)*) => {
        /// Each script that is a file here: its name and text.
        const MODULES: &[(&str, &str)] = &[$(($name, include_str!($path))),*];
    };
}

scripts! {
    "live.mjs" "pages/live.mjs"
    "evidence.mjs" "pages/evidence.mjs"
    "fork.mjs" "pages/fork.mjs"
    "pinned.mjs" "pages/pinned.mjs"
    "panel.mjs" "pages/panel.mjs"
    "proven.mjs" "pages/proven.mjs"
    "proving.mjs" "pages/proving.mjs"
    "others.mjs" "pages/others.mjs"
    "checks.mjs" "pages/checks.mjs"
    "dropped.mjs" "pages/dropped.mjs"
    "scan.mjs" "pages/scan.mjs"
    "share.mjs" "pages/share.mjs"
    "governance.mjs" "pages/governance.mjs"
    "governance_words.mjs" "pages/governance_words.mjs"
    "any/any.mjs" "any/any.mjs"
    "any/address.mjs" "any/address.mjs"
    "any/words.mjs" "any/words.mjs"
    "card/card.mjs" "card/card.mjs"
    "card/proofs.mjs" "card/proofs.mjs"
    "card/saying.mjs" "card/saying.mjs"
    "card/sentences.mjs" "card/sentences.mjs"
    "card/tell.mjs" "card/tell.mjs"
    "card/words.mjs" "card/words.mjs"
    "verifier/bounds.mjs" "verifier/bounds.mjs"
    "verifier/codec.mjs" "verifier/codec.mjs"
    "verifier/file.mjs" "verifier/file.mjs"
    "verifier/tree.mjs" "verifier/tree.mjs"
    "verifier/curve.mjs" "verifier/curve.mjs"
    "verifier/ed25519.mjs" "verifier/ed25519.mjs"
    "verifier/signature.mjs" "verifier/signature.mjs"
    "verifier/note.mjs" "verifier/note.mjs"
    "verifier/mldsa.mjs" "verifier/mldsa.mjs"
    "verifier/policy.mjs" "verifier/policy.mjs"
    "verifier/trie.mjs" "verifier/trie.mjs"
    "verifier/domains.mjs" "verifier/domains.mjs"
    "verifier/items.mjs" "verifier/items.mjs"
    "verifier/record.mjs" "verifier/record.mjs"
    "verifier/shown.mjs" "verifier/shown.mjs"
    "verifier/about.mjs" "verifier/about.mjs"
    "verifier/proposal.mjs" "verifier/proposal.mjs"
    "verifier/receipt.mjs" "verifier/receipt.mjs"
    "verifier/question.mjs" "verifier/question.mjs"
    "verifier/seen.mjs" "verifier/seen.mjs"
    "verifier/story.mjs" "verifier/story.mjs"
    // What mldsa.mjs fetches where a browser has no ML-DSA of its own.
    "verifier/vendor/noble/post-quantum/ml-dsa.js" "verifier/vendor/noble/post-quantum/ml-dsa.js"
    "verifier/vendor/noble/post-quantum/_crystals.js" "verifier/vendor/noble/post-quantum/_crystals.js"
    "verifier/vendor/noble/post-quantum/utils.js" "verifier/vendor/noble/post-quantum/utils.js"
    "verifier/vendor/noble/hashes/sha3.js" "verifier/vendor/noble/hashes/sha3.js"
    "verifier/vendor/noble/hashes/_u64.js" "verifier/vendor/noble/hashes/_u64.js"
    "verifier/vendor/noble/hashes/utils.js" "verifier/vendor/noble/hashes/utils.js"
    "verifier/vendor/noble/curves/abstract/fft.js" "verifier/vendor/noble/curves/abstract/fft.js"
    "verifier/vendor/noble/curves/abstract/modular.js" "verifier/vendor/noble/curves/abstract/modular.js"
    "verifier/vendor/noble/curves/utils.js" "verifier/vendor/noble/curves/utils.js"
    // What scan.mjs fetches where a browser reads no QR codes by itself.
    "vendor/jsqr/jsQR.js" "../../vendor/jsqr/jsQR.js"
}

/// Each script's name and text.
pub(super) static SCRIPTS: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
    let mut scripts = MODULES.to_vec();
    scripts.push(("panel_words.mjs", PANEL_WORDS.as_str()));
    scripts
});

/// Scripts that pages load with all that they import in one file each: on a slow link a file of its own for each
/// module costs more than its bytes.
const JOINED: &[&str] = &["evidence.mjs", "panel.mjs", "proven.mjs", "scan.mjs"];

/// Each other file's name, media type and bytes.
const OTHERS: &[(&str, &str, &[u8])] = &[
    (
        "style.css",
        "text/css; charset=utf-8",
        include_bytes!("pages/style.css"),
    ),
    (
        "leaf.svg",
        "image/svg+xml",
        include_bytes!("pages/leaf.svg"),
    ),
    ("icon.png", "image/png", include_bytes!("pages/icon.png")),
];

/// The worker that keeps the scripts' hashes in a reader's browser. It has a path of its own: a worker acts for the
/// pages below its path.
const WORKER: &str = include_str!("pages/worker.js");

/// A file as it is sent.
struct File {
    kind: &'static str,
    body: Bytes,
    /// SHA-256, in hexadecimal.
    digest: String,
}

impl File {
    fn of(kind: &'static str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let digest = hex::encode(Sha256::digest(&body));
        Self { kind, body, digest }
    }

    fn answer(&self, asked: &HeaderMap) -> Response {
        let etag = format!("\"{}\"", self.digest.get(..16).unwrap_or(&self.digest));
        // A browser asks each time, and is seldom sent the file: a page and its scripts are of one version.
        let headers = [
            (CONTENT_TYPE, self.kind),
            (ETAG, etag.as_str()),
            (CACHE_CONTROL, "no-cache"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ];
        if etag::is_known(asked, &etag) {
            (StatusCode::NOT_MODIFIED, headers).into_response()
        } else {
            (headers, self.body.clone()).into_response()
        }
    }
}

/// All files below `/web/`, by their names there.
static FILES: LazyLock<BTreeMap<String, File>> = LazyLock::new(|| {
    let mut files = BTreeMap::new();
    for (name, text) in SCRIPTS.iter() {
        files.insert((*name).to_owned(), File::of(SCRIPT, *text));
    }
    for name in JOINED {
        let text = joined(&SCRIPTS, name, Joining::ForSite);
        files.insert(format!("joined/{name}"), File::of(SCRIPT, text));
    }
    // For a receipt that is kept as one file.
    let whole = joined(&SCRIPTS, "dropped.mjs", Joining::Whole);
    files.insert("whole/dropped.mjs".to_owned(), File::of(SCRIPT, whole));
    for (name, kind, bytes) in OTHERS {
        files.insert((*name).to_owned(), File::of(kind, *bytes));
    }
    let sums = sums(&files);
    let sums = File::of("text/plain; charset=utf-8", sums);
    files.insert("SHA256SUMS".to_owned(), sums);
    files
});

static WORKER_FILE: LazyLock<File> = LazyLock::new(|| File::of(SCRIPT, WORKER));

/// The SHA-256 of each script, as `sha256sum` writes it, in the order of their paths.
fn sums(files: &BTreeMap<String, File>) -> String {
    let scripts = files.iter().filter(|(_, file)| file.kind == SCRIPT);
    let scripts = scripts.map(|(name, file)| (format!("web/{name}"), file));
    let worker = std::iter::once(("worker.js".to_owned(), &*WORKER_FILE));
    let mut lines = String::new();
    for (path, file) in scripts.chain(worker) {
        lines.push_str(&format!("{}  {path}\n", file.digest));
    }
    lines
}

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

/// The worker that keeps the scripts' hashes.
pub(super) async fn worker(asked: HeaderMap) -> Response {
    WORKER_FILE.answer(&asked)
}

fn served(name: &str, asked: &HeaderMap) -> Result<Response, Problem> {
    let file = FILES.get(name).ok_or_else(|| not_found("file"))?;
    Ok(file.answer(asked))
}
