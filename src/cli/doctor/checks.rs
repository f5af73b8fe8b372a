//! What is looked at, one after the other.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::Finding;
use crate::cli::trust::read_policy;
use crate::cli::{Failure, connect};
use arborlog::client::{Health, RemoteError};
use arborlog::http::certificate_ends_at;
use arborlog::log::has_store;
use arborlog::outcome::Outcome;

/// A server or witness is given so long to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// Free space under which a disk may be full before anybody looks.
const FREE_BYTES_MIN: u64 = 1 << 30;
/// Free space, of a hundred parts of the disk, likewise.
const FREE_PERCENT_MIN: u64 = 5;
/// Descriptors that the connections of a server as it comes need, with its own.
const DESCRIPTORS_MIN: u64 = 8_192;
/// A certificate that ends sooner is renewed.
const CERTIFICATE_DAYS_MIN: u64 = 14;
/// A clock that is further from a witness's is wrong, or that one is.
const CLOCK_S_MAX: u64 = 60;

/// The descriptors that a process may have.
pub fn limits() -> Finding {
    use rustix::process::{Resource, getrlimit};
    const WHAT: &str = "descriptors";
    let limit = getrlimit(Resource::Nofile).maximum;
    match limit {
        Some(limit) if limit < DESCRIPTORS_MIN => Finding::wrong(
            WHAT,
            format!("at most {limit}"),
            "give the service LimitNOFILE=65536 (systemd), or ulimit -Hn 65536, or fewer --connections",
        ),
        Some(limit) => Finding::well(WHAT, format!("at most {limit}")),
        None => Finding::well(WHAT, "no limit".to_owned()),
    }
}

/// A ledger's directory: whether it is one, the space on its disk, and who reads its keys.
pub fn directory(dir: &Path) -> Result<Vec<Finding>, Failure> {
    const WHAT: &str = "directory";
    let keys = dir.join("keys");
    if !has_store(dir)? && !keys.is_dir() {
        return Ok(vec![Finding {
            outcome: Outcome::NotThatKind,
            ..Finding::wrong(
                WHAT,
                format!("{} is no ledger's", dir.display()),
                "name the directory that arborlog init made",
            )
        }]);
    }
    Ok(vec![
        Finding::well(WHAT, dir.display().to_string()),
        disk(dir),
        secret(&keys),
    ])
}

fn disk(dir: &Path) -> Finding {
    const WHAT: &str = "disk";
    let space = match rustix::fs::statvfs(dir) {
        Ok(space) => space,
        Err(error) => {
            let advice = "see that the directory can be read";
            return Finding::unchecked(WHAT, format!("{}: {error}", dir.display()), advice);
        }
    };
    let free = space.f_bavail.saturating_mul(space.f_frsize);
    let whole = space.f_blocks.saturating_mul(space.f_frsize).max(1);
    let percent = free.saturating_mul(100) / whole;
    let found = format!("{} MiB free, {percent} % of it", free >> 20);
    match free < FREE_BYTES_MIN || percent < FREE_PERCENT_MIN {
        true => Finding::wrong(
            WHAT,
            found,
            "make room, or move the directory to a larger disk: a log whose disk is full admits nothing",
        ),
        false => Finding::well(WHAT, found),
    }
}

/// Whether others can read a key file.
fn secret(keys: &Path) -> Finding {
    const WHAT: &str = "keys";
    let files = match std::fs::read_dir(keys) {
        Ok(files) => files,
        Err(error) => {
            let advice = "run this as the user of the server";
            return Finding::unchecked(WHAT, format!("{}: {error}", keys.display()), advice);
        }
    };
    let mut count = 0;
    for file in files.flatten() {
        let is_key = file
            .path()
            .extension()
            .is_some_and(|ending| ending == "pem");
        let Ok(metadata) = file.metadata() else {
            continue;
        };
        count += usize::from(is_key);
        if let Some(mode) = arborlog::durable::open_to_others(&metadata).filter(|_| is_key) {
            let found = format!(
                "{} can be read by others (mode {mode:o})",
                file.path().display()
            );
            return Finding::wrong(
                WHAT,
                found,
                "chmod 600 the file; if others may have read it, put another key in its place",
            );
        }
    }
    Finding::well(WHAT, format!("{count} files that nobody else reads"))
}

/// The public address: its certificate and proxy, and whether records are admitted through them.
pub fn server(url: &str) -> Result<Vec<Finding>, Failure> {
    let remote = connect::quickly(url);
    remote.check_address().map_err(Failure::usage)?;
    let serves = match remote.serves(ANSWERS_WITHIN) {
        Ok(Health::Well) => Finding::well("server", format!("{url} serves")),
        Ok(Health::Unwell(why)) => Finding::wrong(
            "server",
            format!("{url}: {why}"),
            "see its log, and docs/operations.md",
        ),
        Err(RemoteError::Unusable { .. }) => Finding::unchecked(
            "server",
            format!("{url} has no /healthz"),
            "with --admin-listen it is there alone: ask that address too",
        ),
        Err(error @ RemoteError::Away { .. }) => Finding::unchecked(
            "server",
            error.to_string(),
            "see that the server runs, that the proxy leads to it, and that the certificate is of this name and trusted (--cacert)",
        ),
        Err(error) => Finding::wrong(
            "server",
            error.to_string(),
            "a proxy answers in the place of the server, or leads elsewhere: docs/proxy.md",
        ),
    };
    let mut found = vec![serves];
    if let Ok(health) = remote.admits(ANSWERS_WITHIN) {
        found.push(match health {
            Health::Well => Finding::well("intake", "records are admitted".to_owned()),
            Health::Unwell(why) => Finding::wrong(
                "intake",
                why,
                "docs/operations.md, \"When it stops admitting\", says what each of these means",
            ),
        });
    }
    Ok(found)
}

/// When a certificate's file ends.
pub fn certificate(path: &Path) -> Finding {
    const WHAT: &str = "certificate";
    let ends = match certificate_ends_at(path) {
        Ok(Some(ends)) => ends,
        Ok(None) => {
            let found = format!("{}: its end can't be read", path.display());
            return Finding::unchecked(
                WHAT,
                found,
                "look at it by: openssl x509 -noout -enddate -in FILE",
            );
        }
        Err(error) => {
            let advice =
                "name the file of the certificate, in PEM, and run this as the user of the server";
            return Finding::unchecked(WHAT, error.to_string(), advice);
        }
    };
    let left = ends.saturating_sub(now_s()) / 86_400;
    let found = format!("{} ends in {left} days", path.display());
    match left < CERTIFICATE_DAYS_MIN {
        true => Finding::wrong(
            WHAT,
            found,
            "renew it, then send the server SIGHUP: it reads the file again",
        ),
        false => Finding::well(WHAT, found),
    }
}

/// Whether each witness and auditor of a policy answers, and what its clock says of this one.
pub fn witnesses(policy: &Path) -> Result<Vec<Finding>, Failure> {
    let policy = read_policy(policy)?;
    let mut found = Vec::new();
    for cosigner in policy.cosigners() {
        let Some(url) = &cosigner.url else {
            continue;
        };
        let asked = now_s();
        match connect::quickly(url).time_of_day(ANSWERS_WITHIN) {
            Ok(date) => {
                found.push(Finding::well("witness", format!("{} answers at {url}", cosigner.name)));
                let date = date.and_then(|date| httpdate::parse_http_date(&date).ok());
                found.extend(date.map(|date| clock(&cosigner.name, date, asked)));
            }
            Err(error) => found.push(Finding::wrong(
                "witness",
                format!("{}: {error}", cosigner.name),
                "see that its address is right, and that this machine may reach it: without a quorum no new checkpoint stands",
            )),
        }
    }
    Ok(found)
}

fn clock(witness: &str, date: SystemTime, asked_s: u64) -> Finding {
    const WHAT: &str = "clock";
    let apart = date
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(u64::MAX, |since| since.as_secs().abs_diff(asked_s));
    let found = format!("{apart} s from that of {witness}");
    match apart > CLOCK_S_MAX {
        true => Finding::wrong(
            WHAT,
            found,
            "set this machine's clock by NTP; if it is right, tell the witness's operator",
        ),
        false => Finding::well(WHAT, found),
    }
}

fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}
