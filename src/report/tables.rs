//! The tables of an export: their files, and what their rows and columns mean.

/// A table of an export. How many columns it has is part of its type: a row of another length does
/// not compile.
#[derive(Debug)]
pub(super) struct TableSchema<const COLUMNS: usize> {
    /// The name of its file.
    pub file: &'static str,
    /// What one row is.
    pub row: &'static str,
    /// Each column's name, and what it means.
    pub columns: [(&'static str, &'static str); COLUMNS],
}

const INDEX: (&str, &str) = ("index", "the entry's place in the log, from 0");
const EVIDENCE: (&str, &str) = ("evidence", "SHA-256 of the evidence file, hexadecimal");
const EVIDENCE_AT: (&str, &str) = (
    "evidence_at",
    "the address at which the evidence file can be read; empty if none is given",
);

pub(super) const ENTRIES: TableSchema<11> = TableSchema {
    file: "entries.csv",
    row: "an entry",
    columns: [
        INDEX,
        (
            "kind",
            "what it says: the other tables hold it; state for the log's own word on what entries make",
        ),
        (
            "id",
            "the record's id, hexadecimal; empty for a sealed entry, whose seal has one",
        ),
        ("issuer", "the key that signed it, or its seal, hexadecimal"),
        (
            "seq",
            "its place in the issuer's chain, from 0; empty for a sealed entry",
        ),
        ("prev", "the id of the issuer's record before"),
        ("issued_on", "the day on which the issuer signed it"),
        (
            "admitted_at_ms",
            "when its batch came in: milliseconds since 1970-01-01 UTC, by the operator's clock",
        ),
        (
            "lineage",
            "the earlier entries that it stands on, separated by spaces; - where there is none",
        ),
        (
            "endorsers",
            "keys that signed it beside the issuer, separated by spaces",
        ),
        (
            "seal",
            "the entry of the seal that signs it; empty for an entry with a signature of its own",
        ),
    ],
};

pub(super) const GOVERNANCE: TableSchema<10> = TableSchema {
    file: "governance.csv",
    row: "a key that a genesis, governors', key grant, key revoke or log key entry names",
    columns: [
        INDEX,
        ("key", "the key, hexadecimal"),
        ("event", "governs, granted, revoked, or signs_checkpoints"),
        ("quorum", "how many governors must sign, with governs"),
        (
            "role",
            "the role granted: platform, planter, surveyor or auditor",
        ),
        ("holder", "who holds it: the short name"),
        ("display_name", "who holds it, for people"),
        ("expires_on", "the last day on which it may sign"),
        ("reason", "why it was revoked"),
        (
            "compromised_since",
            "the day since which what it signed is in doubt",
        ),
    ],
};

pub(super) const METHODS: TableSchema<8> = TableSchema {
    file: "methods.csv",
    row: "a version of a method",
    columns: [
        INDEX,
        ("method", "its number"),
        ("version", "its version, from 1"),
        ("effective_from", "the first day that it speaks of"),
        ("baseline", "what the savings are measured against"),
        ("sources", "where the factors come from"),
        ("jurisdiction", "where they apply"),
        ("document", "SHA-256 of the document that describes it all"),
    ],
};

pub(super) const ACTIVITIES: TableSchema<8> = TableSchema {
    file: "activities.csv",
    row: "an activity in a version of a method",
    columns: [
        INDEX,
        ("method", "the method's number"),
        ("version", "its version"),
        ("activity", "the activity's code in this version"),
        ("name", "its name"),
        ("unit", "what one of it is"),
        ("factor_ug", "micrograms of CO2e for one unit"),
        ("cap_g", "the most points for one award"),
    ],
};

pub(super) const SPECIES: TableSchema<6> = TableSchema {
    file: "species.csv",
    row: "a species in a version of a method",
    columns: [
        INDEX,
        ("method", "the method's number"),
        ("version", "its version"),
        ("species", "the species' code, the same in the whole ledger"),
        ("name", "its name"),
        ("price_g", "what the promise of one tree costs, in points"),
    ],
};

pub(super) const AWARDS: TableSchema<9> = TableSchema {
    file: "awards.csv",
    row: "an award",
    columns: [
        INDEX,
        ("account", "the account's pseudonym, hexadecimal"),
        ("method", "the method's number"),
        ("version", "its version"),
        ("activity", "the activity's code there"),
        (
            "quantity_thousandths",
            "how much was done, in thousandths of the unit",
        ),
        (
            "points_g",
            "points: grams of CO2e under the programme's method",
        ),
        ("occurred_on", "the day on which it was done"),
        (
            "evidence",
            "HMAC of the source event under a key of the platform's",
        ),
    ],
};

pub(super) const TRANSFERS: TableSchema<5> = TableSchema {
    file: "transfers.csv",
    row: "a transfer",
    columns: [
        INDEX,
        ("from", "the account that gives"),
        ("to", "the account that takes; empty when points leave"),
        ("points_g", "how many"),
        (
            "reason",
            "gift, collected, pooled, expired or spent_elsewhere",
        ),
    ],
};

pub(super) const CLAIMS: TableSchema<6> = TableSchema {
    file: "claims.csv",
    row: "a claim; its index is the certificate's number",
    columns: [
        INDEX,
        ("account", "whose"),
        ("method", "the method's number"),
        ("version", "its version"),
        ("species", "the species' code"),
        ("points_g", "its price"),
    ],
};

pub(super) const ASSIGNMENTS: TableSchema<4> = TableSchema {
    file: "assignments.csv",
    row: "a tree that an assignment ties to a claim",
    columns: [
        INDEX,
        ("plot", "the plot's number"),
        ("serial", "the tree's place in the books of the plot"),
        ("claim", "the claim's index"),
    ],
};

pub(super) const PLOTS: TableSchema<16> = TableSchema {
    file: "plots.csv",
    row: "a statement of a plot; the last one of a number counts",
    columns: [
        INDEX,
        ("plot", "its number"),
        ("name", "its name"),
        ("country", "its country (ISO 3166-1)"),
        ("latitude", "of its middle, degrees north"),
        ("longitude", "of its middle, degrees east"),
        ("radius_m", "radius of a circle that holds it, in metres"),
        (
            "corners",
            "latitude,longitude of each corner of its outline, separated by spaces; empty for a circle",
        ),
        (
            "finer_outline",
            "SHA-256 of a finer outline that is kept elsewhere (a GeoJSON file)",
        ),
        ("area_m2", "its area in square metres"),
        ("trees_per_ha_max", "the most trees on a hectare"),
        ("carbon_rights", "none_issued, issued or unknown"),
        ("registry", "where credits were issued"),
        ("project", "as which project there"),
        ("funded_by", "who pays"),
        (
            "for",
            "the holders whose platforms may promise its trees, separated by spaces; empty: any",
        ),
    ],
};

pub(super) const PLANTINGS: TableSchema<9> = TableSchema {
    file: "plantings.csv",
    row: "a planting",
    columns: [
        INDEX,
        ("plot", "the plot's number"),
        ("species", "the species' code"),
        ("first_serial", "the first tree's place in the books"),
        ("count", "how many trees"),
        (
            "planted_from",
            "the first day on which they may have been planted",
        ),
        ("planted_until", "the last one"),
        EVIDENCE,
        EVIDENCE_AT,
    ],
};

pub(super) const SURVEYS: TableSchema<18> = TableSchema {
    file: "surveys.csv",
    row: "a survey",
    columns: [
        INDEX,
        ("plot", "the plot's number"),
        (
            "planting",
            "the index of the one planting that was surveyed; empty: the whole plot",
        ),
        ("surveyed_on", "when"),
        (
            "as_of",
            "the entry after which the books were looked at: these trees stood there",
        ),
        ("basis", "census, random_sample or remote_sensing"),
        ("protocol", "the protocol that was followed"),
        ("plan", "SHA-256 of the sampling plan; empty: none"),
        (
            "looked_for",
            "trees looked for: those alive, dead and not found",
        ),
        ("alive", "found alive"),
        ("dead", "found dead"),
        ("not_found", "not found"),
        ("dead_known", "beside these: found dead, and booked as lost"),
        (
            "revived",
            "beside these: found alive, though booked as lost",
        ),
        EVIDENCE,
        EVIDENCE_AT,
        ("paid_by", "who paid for the survey"),
        ("next_due", "when the next one is due"),
    ],
};

pub(super) const SEALS: TableSchema<3> = TableSchema {
    file: "seals.csv",
    row: "a seal",
    columns: [
        INDEX,
        (
            "count",
            "how many entries directly before it the seal signs",
        ),
        ("root", "the tree hash of their statements, hexadecimal"),
    ],
};

pub(super) const POLICIES: TableSchema<3> = TableSchema {
    file: "policies.csv",
    row: "a policy of witnesses",
    columns: [
        INDEX,
        ("policy", "the policy, as c2sp.org/tlog-policy reads it"),
        (
            "quorum",
            "the witness or group that must have seen a checkpoint, or none",
        ),
    ],
};

pub(super) const ATTESTATIONS: TableSchema<12> = TableSchema {
    file: "attestations.csv",
    row: "an auditor's attestation",
    columns: [
        INDEX,
        ("size", "how many entries were audited, from the first on"),
        ("tree_root", "the root of the tree over them, hexadecimal"),
        (
            "state_root",
            "the root of the state after them, hexadecimal",
        ),
        (
            "period_from",
            "the first day of the period that it speaks of",
        ),
        ("period_until", "the last day of it"),
        ("level", "limited or reasonable"),
        ("opinion", "unmodified, qualified, adverse or disclaimed"),
        ("findings", "SHA-256 of the findings, hexadecimal"),
        ("report", "SHA-256 of the report, hexadecimal"),
        ("report_at", "where the report can be read"),
        ("words", "the opinion in words"),
    ],
};

pub(super) const CORRECTIONS: TableSchema<9> = TableSchema {
    file: "corrections.csv",
    row: "a correction",
    columns: [
        INDEX,
        ("target", "the entry that it corrects"),
        ("remedy", "reverse, lost or void"),
        ("reason", "why"),
        ("points_g", "points reversed"),
        ("count", "trees lost"),
        (
            "first_serial",
            "the first lost tree's place, if it is known which",
        ),
        ("lost_on", "when they were lost"),
        EVIDENCE,
    ],
};
