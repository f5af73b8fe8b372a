//! The tables of an export: their files, and what their rows and columns mean.

/// A table: its file, what a row is, and its columns with what they mean.
pub(super) struct Kind {
    pub file: &'static str,
    pub row: &'static str,
    pub columns: &'static [(&'static str, &'static str)],
}

const INDEX: (&str, &str) = ("index", "the entry's place in the log, from 0");
const EVIDENCE: (&str, &str) = ("evidence", "SHA-256 of the evidence file, hexadecimal");

/// Places of the tables in [`KINDS`].
#[derive(Clone, Copy)]
pub(super) enum Of {
    Entries,
    Governance,
    Methods,
    Activities,
    Species,
    Awards,
    Transfers,
    Claims,
    Assignments,
    Plots,
    Plantings,
    Surveys,
    Corrections,
}

pub(super) const KINDS: [Kind; 13] = [
    Kind {
        file: "entries.csv",
        row: "an entry",
        columns: &[
            INDEX,
            ("kind", "what it says: the other tables hold it"),
            ("id", "the record's id, hexadecimal"),
            ("issuer", "the key that signed it, hexadecimal"),
            ("seq", "its place in the issuer's chain, from 0"),
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
        ],
    },
    Kind {
        file: "governance.csv",
        row: "a key that a genesis, governors', key grant, key revoke or log key entry names",
        columns: &[
            INDEX,
            ("key", "the key, hexadecimal"),
            ("event", "governs, granted, revoked, or signs_checkpoints"),
            ("quorum", "how many governors must sign, with governs"),
            ("role", "the role granted: platform, planter or surveyor"),
            ("holder", "who holds it: the short name"),
            ("display_name", "who holds it, for people"),
            ("expires_on", "the last day on which it may sign"),
            ("reason", "why it was revoked"),
            (
                "compromised_since",
                "the day since which what it signed is in doubt",
            ),
        ],
    },
    Kind {
        file: "methods.csv",
        row: "a version of a method",
        columns: &[
            INDEX,
            ("method", "its number"),
            ("version", "its version, from 1"),
            ("effective_from", "the first day that it speaks of"),
            ("baseline", "what the savings are measured against"),
            ("sources", "where the factors come from"),
            ("jurisdiction", "where they apply"),
            ("document", "SHA-256 of the document that describes it all"),
        ],
    },
    Kind {
        file: "activities.csv",
        row: "an activity in a version of a method",
        columns: &[
            INDEX,
            ("method", "the method's number"),
            ("version", "its version"),
            ("activity", "the activity's code in this version"),
            ("name", "its name"),
            ("unit", "what one of it is"),
            ("factor_ug", "micrograms of CO2e for one unit"),
            ("cap_g", "the most points for one award"),
        ],
    },
    Kind {
        file: "species.csv",
        row: "a species in a version of a method",
        columns: &[
            INDEX,
            ("method", "the method's number"),
            ("version", "its version"),
            ("species", "the species' code, the same in the whole ledger"),
            ("name", "its name"),
            ("price_g", "what the promise of one tree costs, in points"),
        ],
    },
    Kind {
        file: "awards.csv",
        row: "an award",
        columns: &[
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
    },
    Kind {
        file: "transfers.csv",
        row: "a transfer",
        columns: &[
            INDEX,
            ("from", "the account that gives"),
            ("to", "the account that takes; empty when points leave"),
            ("points_g", "how many"),
            (
                "reason",
                "gift, collected, pooled, expired or spent_elsewhere",
            ),
        ],
    },
    Kind {
        file: "claims.csv",
        row: "a claim; its index is the certificate's number",
        columns: &[
            INDEX,
            ("account", "whose"),
            ("method", "the method's number"),
            ("version", "its version"),
            ("species", "the species' code"),
            ("points_g", "its price"),
        ],
    },
    Kind {
        file: "assignments.csv",
        row: "a tree that an assignment ties to a claim",
        columns: &[
            INDEX,
            ("plot", "the plot's number"),
            ("serial", "the tree's place in the books of the plot"),
            ("claim", "the claim's index"),
        ],
    },
    Kind {
        file: "plots.csv",
        row: "a statement of a plot; the last one of a number counts",
        columns: &[
            INDEX,
            ("plot", "its number"),
            ("name", "its name"),
            ("latitude", "of its middle, degrees north"),
            ("longitude", "of its middle, degrees east"),
            ("radius_m", "radius of a circle that holds it, in metres"),
            ("outline", "SHA-256 of its outline (a GeoJSON file)"),
            ("area_m2", "its area in square metres"),
            ("trees_per_ha_max", "the most trees on a hectare"),
            ("carbon_rights", "none_issued, issued or unknown"),
            ("registry", "where credits were issued"),
            ("project", "as which project there"),
            ("funded_by", "who pays"),
        ],
    },
    Kind {
        file: "plantings.csv",
        row: "a planting",
        columns: &[
            INDEX,
            ("plot", "the plot's number"),
            ("species", "the species' code"),
            ("first_serial", "the first tree's place in the books"),
            ("count", "how many trees"),
            ("planted_on", "when"),
            EVIDENCE,
        ],
    },
    Kind {
        file: "surveys.csv",
        row: "a survey",
        columns: &[
            INDEX,
            ("plot", "the plot's number"),
            (
                "planting",
                "the index of the one planting that was surveyed; empty: the whole plot",
            ),
            ("surveyed_on", "when"),
            ("basis", "census, random_sample or remote_sensing"),
            ("sampled", "trees looked for"),
            ("alive", "found alive"),
            ("dead", "found dead"),
            EVIDENCE,
            ("paid_by", "who paid for the survey"),
            ("next_due", "when the next one is due"),
        ],
    },
    Kind {
        file: "corrections.csv",
        row: "a correction",
        columns: &[
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
    },
];
