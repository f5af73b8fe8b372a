//! The tables of what the entries make together: the state after the last of them, and what an audit found.

use super::tables::{Column, TableSchema, day, number, real, signed, sum, text};

const STATED_AT: Column = number("stated_at", "the entry that states it as it is now");
const SPECIES_NAME: Column = text(
    "species_name",
    "the species' name, as the last method that names it has it",
);

pub(super) const PLOTS_NOW: TableSchema<27> = TableSchema {
    name: "plots_now",
    row: "a plot, as it is after the last entry",
    columns: [
        number("plot", "its number"),
        text("name", "its name"),
        text("holder", "who holds it: the short name"),
        text("country", "its country (ISO 3166-1)"),
        STATED_AT,
        text(
            "shape",
            "outline, circle or point: what it is on the maps beside this table",
        ),
        real("latitude", "of the middle of its circle, degrees north"),
        real("longitude", "of the middle of its circle, degrees east"),
        number("radius_m", "radius of a circle that holds it, in metres"),
        number("area_m2", "its area in square metres"),
        number("planted_trees", "trees of unvoided plantings"),
        number("lost_trees", "trees of these that are lost"),
        number("standing_trees", "trees that stand in the books"),
        number("capacity_trees", "the most trees that may stand"),
        number("assigned_claims", "certificates that name a tree here"),
        number(
            "shortfall_claims",
            "certificates beyond the trees that stand",
        ),
        text("carbon_rights", "none_issued, issued or unknown"),
        text("registry", "where credits were issued"),
        text("project", "as which project there"),
        text("funded_by", "who pays"),
        day(
            "first_planted_by",
            "the last day on which its first trees may have been planted",
        ),
        number("surveys", "how many surveys of it were not voided"),
        number("latest_survey", "the entry of the latest of them"),
        day("latest_surveyed_on", "its day"),
        real(
            "latest_alive_share",
            "the share of the trees standing in the books that it found alive, from 0 to 1",
        ),
        real(
            "latest_alive_share_low",
            "the lower end of its 95 % interval; empty where nothing was drawn at random",
        ),
        real("latest_alive_share_high", "the upper end"),
    ],
};

pub(super) const TREES: TableSchema<13> = TableSchema {
    name: "trees",
    row: "a run of trees of one planting, with serials one after another, of which the books say the same",
    columns: [
        number("plot", "the plot's number"),
        number("planting", "the planting's entry"),
        number("species", "the species' code"),
        SPECIES_NAME,
        number("first_serial", "the first tree's place in the books"),
        number("last_serial", "the last tree's"),
        number("trees", "how many they are"),
        day(
            "planted_from",
            "the first day on which they may have been planted",
        ),
        day("planted_until", "the last one"),
        text(
            "state",
            "standing; lost; or voided, if the planting was: then they never were",
        ),
        number("lost_at", "the correction that states their loss"),
        number(
            "planting_lost_trees",
            "trees lost of the whole planting, with those of which no correction says which they are",
        ),
        number(
            "planting_lost_unnamed_trees",
            "those of which no correction says which they are: some of the trees that this table has as standing",
        ),
    ],
};

pub(super) const ACCOUNTS: TableSchema<5> = TableSchema {
    name: "accounts",
    row: "an account, in the order of the entries that named them first",
    columns: [
        text("account", "its pseudonym, hexadecimal"),
        signed(
            "balance_g",
            "points that it holds, in grams; below 0 after a reversal of points that were spent",
        ),
        text(
            "holder",
            "whose keys award to it and spend from it: the short name",
        ),
        number("first_entry", "the first entry that names it"),
        number("last_entry", "the last entry about it"),
    ],
};

pub(super) const CERTIFICATES: TableSchema<10> = TableSchema {
    name: "certificates",
    row: "a certificate: a claim of a tree, by its entry",
    columns: [
        number("certificate", "the claim's entry, which is its number"),
        text("account", "whose, a pseudonym, hexadecimal"),
        number("species", "the species' code"),
        SPECIES_NAME,
        number("points_g", "what was paid, in grams"),
        text(
            "state",
            "tied to a tree; waiting for one, also after its tree was lost; or voided",
        ),
        number("plot", "the tree's plot"),
        number("serial", "the tree's place in the books of the plot"),
        number("planting", "the entry of its planting"),
        number("assigned_at", "the assignment that ties it"),
    ],
};

pub(super) const VINTAGES: TableSchema<8> = TableSchema {
    name: "vintages",
    row: "a month for whose events points were awarded, or in which trees were planted",
    columns: [
        text("month", "the month, such as 2026-11"),
        number("awards", "awards for events of the month"),
        sum("awarded_grams", "the points of those awards"),
        sum(
            "reversed_grams",
            "of these points, those that were reversed, whenever that was",
        ),
        sum("standing_grams", "of these points, those that were not"),
        number(
            "planted_trees",
            "trees of unvoided plantings, by the last day on which they may have been planted",
        ),
        number(
            "lost_trees",
            "of these trees, those that are lost, whenever that was",
        ),
        number(
            "standing_trees",
            "of these trees, those that stand in the books",
        ),
    ],
};

pub(super) const FINDINGS: TableSchema<7> = TableSchema {
    name: "findings",
    row: "a finding, the gravest first",
    columns: [
        text("code", "its name for machines (docs/audit.md)"),
        text("severity", "high, medium or low"),
        number("cases", "how many cases there are"),
        sum("weight", "the sum of the cases' weights"),
        text(
            "weight_unit",
            "what the weight counts: trees, m2, grams and others; none where it is 0",
        ),
        text("title", "what was found, in a sentence"),
        text("why", "why it matters, and what to ask"),
    ],
};

pub(super) const FINDING_CASES: TableSchema<5> = TableSchema {
    name: "finding_cases",
    row: "a case of a finding: at most the hundred gravest of each",
    columns: [
        text("code", "the finding's name for machines"),
        number("case", "its place among them, from 1"),
        text("subject", "what it is about: a plot, an account, a key"),
        text("detail", "what is the matter"),
        text("entries", "entries to look up, separated by spaces"),
    ],
};

pub(super) const REGISTRY_LINKS: TableSchema<14> = TableSchema {
    name: "registry_links",
    row: "a plot on which credits were issued, as its statement in force says; columns that are named as in the Climate Action Data Trust's data model (registryOfOrigin, projectId, originProjectId: github.com/Chia-Network/cadt, src/models/projects/projects.modeltypes.cjs) and in CarbonPlan's OffsetsDB (registry, project_id: github.com/carbonplan/offsets-db-data, offsets_db_data/models.py) can be joined with them as they are",
    columns: [
        number("plot", "the plot's number"),
        text("plot_name", "its name"),
        text("country", "its country (ISO 3166-1)"),
        text("holder", "who holds it: the short name"),
        STATED_AT,
        number("planted_trees", "trees of unvoided plantings"),
        number("standing_trees", "trees that stand in the books"),
        text("stated_registry", "the registry, as it was stated"),
        text("stated_project", "the project, as it was stated"),
        text(
            "registryOfOrigin",
            "the registry by its name in the Climate Action Data Trust's pick list `registries` (src/models/governance/governance.stub.js); as it was stated, if the list lacks it",
        ),
        text("projectId", "the project's id as that registry writes it"),
        text(
            "originProjectId",
            "the same: no statement tells of a project that moved to another registry",
        ),
        text(
            "registry",
            "the registry by its name in OffsetsDB (RegistryType); empty if it has none",
        ),
        text(
            "project_id",
            "the project's id in OffsetsDB, with the registry's prefix (offsets_db_data/registry.py); empty if what was stated is no id of that registry",
        ),
    ],
};
