//! What the weight of each finding counts.

/// The unit of a finding's weight; `none` where the weight is 0, since what orders the cases is no sum: time that
/// passes by itself, or a single case.
pub(super) fn weight_unit(code: &str) -> &'static str {
    match code {
        "plots_overlap"
        | "plots_may_overlap"
        | "plot_larger_than_country"
        | "plot_larger_than_outline"
        | "plot_larger_than_circle"
        | "plot_vast"
        | "outline_differs"
        | "outline_not_geojson" => "m2",
        "awards_by_old_factor"
        | "awards_split"
        | "negative_balances"
        | "factor_peak"
        | "points_collected_by_one" => "grams",
        "award_evidence_repeated" | "awards_burst" | "awards_late" => "awards",
        "awards_at_cap_daily"
        | "awards_near_cap"
        | "keys_near_expiry"
        | "method_retroactive"
        | "surveys_late" => "days",
        "clock_pauses" => "ms",
        "compromised_key_entries"
        | "evidence_placeholder"
        | "evidence_shared"
        | "loss_evidence_shared"
        | "hours_of_bursts" => "entries",
        "accounts_alike" => "accounts",
        "attestation_differs" | "attestation_uncompared" => "attestations",
        "carbon_project_of_several" | "carbon_project_shared" | "plots_same_outline" => "plots",
        "claims_at_old_price" | "price_dip" => "claims",
        "evidence_differs" | "evidence_missing" | "photographs_alike" => "files",
        "plan_differs" | "plan_of_several" => "plans",
        "plan_seed_late" => "s",
        "plan_surveys_elsewhere" => "surveys",
        "plan_visits_missing" => "visits",
        "corrections_by_issuer" => "corrections",
        "density_unbounded" => "trees_per_ha",
        "admitted_in_future"
        | "grants_late"
        | "issued_after_admission"
        | "points_outstanding"
        | "promises_late"
        | "promises_very_late"
        | "state_uncovered"
        | "survey_not_due_again"
        | "surveys_one_payer"
        | "surveys_one_payer_respelled"
        | "surveys_overdue" => "none",
        _ => "trees",
    }
}
