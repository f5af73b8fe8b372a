//! What a benchmark measured, for machines and for people.

use serde::Serialize;

use arborlog::charts::bars;

/// What was measured. Rates are a second.
#[derive(Serialize)]
pub struct Measured {
    pub cores: usize,
    pub issuers: usize,
    pub batch: usize,
    pub records: usize,
    pub requests: usize,
    pub seconds: f64,
    pub records_per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    /// Requests that were answered 503 and sent again.
    pub full: usize,
    pub server_cpu_us_per_record: f64,
    pub client_cpu_us_per_record: f64,
    /// The most memory that the server held under load, and what it held after it.
    pub rss_bytes: u64,
    pub rss_after_bytes: u64,
    pub entries: u64,
    pub accounts: usize,
    pub entry_bytes: u64,
    pub disk_bytes: u64,
    pub state_bytes: u64,
    /// What it handed to write calls under load, answers included.
    pub written_bytes: u64,
    pub proofs_per_second: f64,
    pub proofs_p99_ms: f64,
    pub tiles_per_second: f64,
    pub bundles_per_second: f64,
    /// Entries that audits beside the load checked, if any ran.
    pub audited_beside_per_second: Option<f64>,
    /// From kill -9 to the first answer.
    pub restart_seconds: f64,
    pub rss_restarted_bytes: u64,
    pub audit_per_second: f64,
    pub verify_only_per_second: f64,
    pub strict_only_per_second: f64,
    pub raw_append_per_second: f64,
    pub empty_handler_per_second: f64,
    pub empty_handler_p99_ms: f64,
}

impl Measured {
    /// The rates, as bars.
    pub fn chart(&self) -> anyhow::Result<String> {
        let rows = [
            ("records appended", self.records_per_second),
            ("their signatures, keys known", self.verify_only_per_second),
            ("their signatures, strict", self.strict_only_per_second),
            ("their bytes, synced", self.raw_append_per_second),
            ("entries audited", self.audit_per_second),
            ("inclusion proofs", self.proofs_per_second),
            ("tiles", self.tiles_per_second),
            ("bundles", self.bundles_per_second),
            ("an empty handler", self.empty_handler_per_second),
        ];
        Ok(bars("A second, in one run", &rows)?)
    }

    /// In words.
    pub fn print(&self) {
        let row = |name: &str, value: f64, unit: &str| outln!("  {name:40} {value:>12.1} {unit}");
        let ratio = |part: f64, whole: f64| part / whole.max(1e-9);
        outln!(
            "{} records in {:.1} s: {} issuers, {} records a request, {} cores",
            self.records,
            self.seconds,
            self.issuers,
            self.batch,
            self.cores
        );
        row("records a second, durable", self.records_per_second, "");
        row("a request takes, p50", self.p50_ms, "ms");
        row("p99", self.p99_ms, "ms");
        row("p99.9", self.p999_ms, "ms");
        row(
            "server's processor time a record",
            self.server_cpu_us_per_record,
            "µs",
        );
        row("client's", self.client_cpu_us_per_record, "µs");
        row("server's memory at most", self.rss_bytes as f64 / 1e6, "MB");
        row("after the load", self.rss_after_bytes as f64 / 1e6, "MB");
        row("accounts", self.accounts as f64, "");
        let entry_bytes = self.entry_bytes as f64;
        row(
            "bytes of an entry",
            ratio(entry_bytes, self.entries as f64),
            "",
        );
        row(
            "disk ÷ entries' bytes, state apart",
            ratio(self.disk_bytes as f64, entry_bytes),
            "",
        );
        row(
            "bytes to write calls ÷ entries' bytes",
            ratio(self.written_bytes as f64, entry_bytes),
            "",
        );
        if let Some(audited) = self.audited_beside_per_second {
            row("entries a second audited beside", audited, "");
        }
        outln!("Then:");
        row("inclusion proofs a second", self.proofs_per_second, "");
        row("p99", self.proofs_p99_ms, "ms");
        row("tiles a second", self.tiles_per_second, "");
        row("bundles a second", self.bundles_per_second, "");
        row("start after kill -9", self.restart_seconds, "s");
        row("memory then", self.rss_restarted_bytes as f64 / 1e6, "MB");
        row("entries a second audited", self.audit_per_second, "");
        outln!("Yardsticks of the same run, a second:");
        row(
            "signatures alone, keys known",
            self.verify_only_per_second,
            "",
        );
        row("signatures alone, strict", self.strict_only_per_second, "");
        row(
            "the same bytes appended and synced",
            self.raw_append_per_second,
            "",
        );
        row(
            "requests to an empty handler",
            self.empty_handler_per_second,
            "",
        );
        row("p99", self.empty_handler_p99_ms, "ms");
        let percent = |part, whole| ratio(part, whole) * 100.0;
        outln!(
            "Records ÷ their signatures alone: {:.0} %; proofs ÷ empty handler: {:.0} %",
            percent(self.records_per_second, self.verify_only_per_second),
            percent(self.proofs_per_second, self.empty_handler_per_second)
        );
    }
}
