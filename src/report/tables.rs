//! The tables of an export: their files, and what their rows and columns mean.

/// A table of an export. How many columns it has is part of its type: a row of another length does
/// not compile.
#[derive(Debug)]
pub(super) struct TableSchema<const COLUMNS: usize> {
    /// Its name, which is that of its files without their endings.
    pub name: &'static str,
    /// What one row is.
    pub row: &'static str,
    /// Its columns, in order.
    pub columns: [Column; COLUMNS],
}

/// A column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// Its name, with the unit.
    pub name: &'static str,
    /// What its cells hold.
    pub holds: Holds,
    /// What it means.
    pub meaning: &'static str,
}

/// What the cells of a column hold, beside nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Holds {
    /// Words, codes, hashes, several values with spaces between.
    Text,
    /// A whole number from 0 to 2^64 - 1.
    Number,
    /// A whole number that may be below 0, of 64 bits.
    Signed,
    /// A whole number from 0 on, of up to 38 digits.
    Sum,
    /// A number with a fraction.
    Real,
    /// A day, as YYYY-MM-DD.
    Day,
    /// A time in milliseconds since 1970-01-01 UTC.
    Time,
}

impl Holds {
    /// What it is called in a README.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number | Self::Signed | Self::Sum => "whole number",
            Self::Real => "number",
            Self::Day => "day",
            Self::Time => "milliseconds",
        }
    }
}

const fn column(name: &'static str, holds: Holds, meaning: &'static str) -> Column {
    Column {
        name,
        holds,
        meaning,
    }
}

pub(super) const fn text(name: &'static str, meaning: &'static str) -> Column {
    column(name, Holds::Text, meaning)
}

pub(super) const fn number(name: &'static str, meaning: &'static str) -> Column {
    column(name, Holds::Number, meaning)
}

pub(super) const fn signed(name: &'static str, meaning: &'static str) -> Column {
    column(name, Holds::Signed, meaning)
}

pub(super) const fn sum(name: &'static str, meaning: &'static str) -> Column {
    column(name, Holds::Sum, meaning)
}

pub(super) const fn real(name: &'static str, meaning: &'static str) -> Column {
    column(name, Holds::Real, meaning)
}

pub(super) const fn day(name: &'static str, meaning: &'static str) -> Column {
    column(name, Holds::Day, meaning)
}

const fn time(name: &'static str, meaning: &'static str) -> Column {
    column(name, Holds::Time, meaning)
}

const INDEX: Column = number("index", "the entry's place in the log, from 0");
const HOLDER: Column = text(
    "holder",
    "to whom the key was granted that signed it: the short name; empty for a governor's",
);
const EVIDENCE: Column = text("evidence", "SHA-256 of the evidence file, hexadecimal");
const EVIDENCE_AT: Column = text(
    "evidence_at",
    "the address at which the evidence file can be read; empty if none is given",
);

pub(super) const ENTRIES: TableSchema<12> = TableSchema {
    name: "entries",
    row: "an entry",
    columns: [
        INDEX,
        text(
            "kind",
            "what it says: the other tables hold it; state for the log's own word on what entries make",
        ),
        text(
            "id",
            "the record's id, hexadecimal; empty for a sealed entry, whose seal has one",
        ),
        text("issuer", "the key that signed it, or its seal, hexadecimal"),
        HOLDER,
        number(
            "seq",
            "its place in the issuer's chain, from 0; empty for a sealed entry",
        ),
        text("prev", "the id of the issuer's record before"),
        day("issued_on", "the day on which the issuer signed it"),
        time(
            "admitted_at_ms",
            "when its batch came in: milliseconds since 1970-01-01 UTC, by the operator's clock",
        ),
        text(
            "lineage",
            "the earlier entries that it stands on, in the order that the format has for the kind, separated by spaces; none where there is none",
        ),
        text(
            "endorsers",
            "keys that signed it beside the issuer, separated by spaces",
        ),
        number(
            "seal",
            "the entry of the seal that signs it; empty for an entry with a signature of its own",
        ),
    ],
};

pub(super) const GOVERNANCE: TableSchema<10> = TableSchema {
    name: "governance",
    row: "a key that a genesis, governors', key grant, key revoke or log key entry names",
    columns: [
        INDEX,
        text("key", "the key, hexadecimal"),
        text("event", "governs, granted, revoked, or signs_checkpoints"),
        number("quorum", "how many governors must sign, with governs"),
        text(
            "role",
            "the role granted: platform, planter, surveyor or auditor",
        ),
        text("holder", "who holds it: the short name"),
        text("display_name", "who holds it, for people"),
        day("expires_on", "the last day on which it may sign"),
        text("reason", "why it was revoked"),
        day(
            "compromised_since",
            "the day since which what it signed is in doubt",
        ),
    ],
};

pub(super) const METHODS: TableSchema<8> = TableSchema {
    name: "methods",
    row: "a version of a method",
    columns: [
        INDEX,
        number("method", "its number"),
        number("version", "its version, from 1"),
        day("effective_from", "the first day that it speaks of"),
        text("baseline", "what the savings are measured against"),
        text("sources", "where the factors come from"),
        text("jurisdiction", "where they apply"),
        text("document", "SHA-256 of the document that describes it all"),
    ],
};

pub(super) const ACTIVITIES: TableSchema<8> = TableSchema {
    name: "activities",
    row: "an activity in a version of a method",
    columns: [
        INDEX,
        number("method", "the method's number"),
        number("version", "its version"),
        number("activity", "the activity's code in this version"),
        text("name", "its name"),
        text("unit", "what one of it is"),
        number("factor_ug", "micrograms of CO2e for one unit"),
        number("cap_g", "the most points for one award"),
    ],
};

pub(super) const SPECIES: TableSchema<6> = TableSchema {
    name: "species",
    row: "a species in a version of a method",
    columns: [
        INDEX,
        number("method", "the method's number"),
        number("version", "its version"),
        number("species", "the species' code, the same in the whole ledger"),
        text("name", "its name"),
        number("price_g", "what the promise of one tree costs, in points"),
    ],
};

pub(super) const AWARDS: TableSchema<9> = TableSchema {
    name: "awards",
    row: "an award",
    columns: [
        INDEX,
        text("account", "the account's pseudonym, hexadecimal"),
        number("method", "the method's number"),
        number("version", "its version"),
        number("activity", "the activity's code there"),
        number(
            "quantity_thousandths",
            "how much was done, in thousandths of the unit",
        ),
        number(
            "points_g",
            "points: grams of CO2e under the programme's method",
        ),
        day("occurred_on", "the day on which it was done"),
        text(
            "evidence",
            "HMAC of the source event under a key of the platform's",
        ),
    ],
};

pub(super) const TRANSFERS: TableSchema<5> = TableSchema {
    name: "transfers",
    row: "a transfer",
    columns: [
        INDEX,
        text("from", "the account that gives"),
        text("to", "the account that takes; empty when points leave"),
        number("points_g", "how many"),
        text(
            "reason",
            "gift, collected, pooled, expired or spent_elsewhere",
        ),
    ],
};

pub(super) const CLAIMS: TableSchema<6> = TableSchema {
    name: "claims",
    row: "a claim; its index is the certificate's number",
    columns: [
        INDEX,
        text("account", "whose"),
        number("method", "the method's number"),
        number("version", "its version"),
        number("species", "the species' code"),
        number("points_g", "its price"),
    ],
};

pub(super) const ASSIGNMENTS: TableSchema<4> = TableSchema {
    name: "assignments",
    row: "a tree that an assignment ties to a claim",
    columns: [
        INDEX,
        number("plot", "the plot's number"),
        number("serial", "the tree's place in the books of the plot"),
        number("claim", "the claim's index"),
    ],
};

pub(super) const PLOTS: TableSchema<17> = TableSchema {
    name: "plots",
    row: "a statement of a plot; the last one of a number counts",
    columns: [
        INDEX,
        number("plot", "its number"),
        HOLDER,
        text("name", "its name"),
        text("country", "its country (ISO 3166-1)"),
        real("latitude", "of its middle, degrees north"),
        real("longitude", "of its middle, degrees east"),
        number("radius_m", "radius of a circle that holds it, in metres"),
        text(
            "corners",
            "latitude,longitude of each corner of its outline, separated by spaces; empty for a circle",
        ),
        text(
            "finer_outline",
            "SHA-256 of a finer outline that is kept elsewhere (a GeoJSON file)",
        ),
        number("area_m2", "its area in square metres"),
        number("trees_per_ha_max", "the most trees on a hectare"),
        text("carbon_rights", "none_issued, issued or unknown"),
        text("registry", "where credits were issued"),
        text("project", "as which project there"),
        text("funded_by", "who pays"),
        text(
            "for",
            "the holders whose platforms may promise its trees, separated by spaces; empty: any",
        ),
    ],
};

pub(super) const PLANTINGS: TableSchema<10> = TableSchema {
    name: "plantings",
    row: "a planting",
    columns: [
        INDEX,
        number("plot", "the plot's number"),
        HOLDER,
        number("species", "the species' code"),
        number("first_serial", "the first tree's place in the books"),
        number("count", "how many trees"),
        day(
            "planted_from",
            "the first day on which they may have been planted",
        ),
        day("planted_until", "the last one"),
        EVIDENCE,
        EVIDENCE_AT,
    ],
};

pub(super) const SURVEYS: TableSchema<19> = TableSchema {
    name: "surveys",
    row: "a survey",
    columns: [
        INDEX,
        number("plot", "the plot's number"),
        text(
            "surveyor",
            "who surveyed: to whom the key was granted that signed it, the short name",
        ),
        number(
            "planting",
            "the index of the one planting that was surveyed; empty: the whole plot",
        ),
        day("surveyed_on", "when"),
        number(
            "as_of",
            "the entry after which the books were looked at: these trees stood there",
        ),
        text("basis", "census, random_sample or remote_sensing"),
        text("protocol", "the protocol that was followed"),
        text("plan", "SHA-256 of the sampling plan; empty: none"),
        number(
            "looked_for",
            "trees looked for: those alive, dead and not found",
        ),
        number("alive", "found alive"),
        number("dead", "found dead"),
        number("not_found", "not found"),
        number("dead_known", "beside these: found dead, and booked as lost"),
        number(
            "revived",
            "beside these: found alive, though booked as lost",
        ),
        EVIDENCE,
        EVIDENCE_AT,
        text("paid_by", "who paid for the survey"),
        day("next_due", "when the next one is due"),
    ],
};

pub(super) const SEALS: TableSchema<3> = TableSchema {
    name: "seals",
    row: "a seal",
    columns: [
        INDEX,
        number(
            "count",
            "how many entries directly before it the seal signs",
        ),
        text("root", "the tree hash of their statements, hexadecimal"),
    ],
};

pub(super) const POLICIES: TableSchema<3> = TableSchema {
    name: "policies",
    row: "a policy of witnesses",
    columns: [
        INDEX,
        text("policy", "the policy, as c2sp.org/tlog-policy reads it"),
        text(
            "quorum",
            "the witness or group that must have seen a checkpoint, or none",
        ),
    ],
};

pub(super) const ATTESTATIONS: TableSchema<12> = TableSchema {
    name: "attestations",
    row: "an auditor's attestation",
    columns: [
        INDEX,
        number("size", "how many entries were audited, from the first on"),
        text("tree_root", "the root of the tree over them, hexadecimal"),
        text(
            "state_root",
            "the root of the state after them, hexadecimal",
        ),
        day(
            "period_from",
            "the first day of the period that it speaks of",
        ),
        day("period_until", "the last day of it"),
        text("level", "limited or reasonable"),
        text("opinion", "unmodified, qualified, adverse or disclaimed"),
        text("findings", "SHA-256 of the findings, hexadecimal"),
        text("report", "SHA-256 of the report, hexadecimal"),
        text("report_at", "where the report can be read"),
        text("words", "the opinion in words"),
    ],
};

pub(super) const CORRECTIONS: TableSchema<9> = TableSchema {
    name: "corrections",
    row: "a correction",
    columns: [
        INDEX,
        number("target", "the entry that it corrects"),
        text("remedy", "reverse, lost or void"),
        text("reason", "why"),
        number("points_g", "points reversed"),
        number("count", "trees lost"),
        number(
            "first_serial",
            "the first lost tree's place, if it is known which",
        ),
        day("lost_on", "when they were lost"),
        EVIDENCE,
    ],
};
