//! Checking without trust: whole ledgers, by replaying every entry ([`crate::replay`]). A single
//! entry's proof is a [`crate::receipt`].
//!
//! Builds without tokio, axum or sled, so that an auditor can embed it.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = format!("{}/tests/golden/log/257", env!("CARGO_MANIFEST_DIR"));
//! use std::path::Path;
//!
//! use arborlog::audit::{AuditError, Auditor, Folder, threads_default};
//!
//! let vkey = "example.org/ledger+211f1e13+AW56HN0psLeP0Tr0xVmP7/TvKpcWbjym8uT7/M2AUFvx";
//! let log = Folder::new(Path::new(&folder));
//! let mut auditor = Auditor::new(vkey.parse()?)?;
//! let claimed = auditor.fetch_checkpoint(&log)?;
//! let checked = auditor.advance(&log, &claimed, threads_default(), |taken, _| {
//!     let kind = taken.stated().map(|stated| stated.statement.kind());
//!     println!("{}: {kind:?}", taken.index);
//!     Ok::<_, AuditError>(())
//! }, |_| Ok(()))?;
//! assert_eq!(checked, 0..257);
//! println!("{} points awarded", auditor.state().totals().awarded);
//! # Ok(())
//! # }
//! ```

mod announced;
mod atlas;
mod attested;
mod auditor;
mod awards;
mod chance;
mod cosigned_times;
mod coverage;
mod draw;
mod estimate;
mod facts;
mod findings;
mod gathered;
mod ground;
mod held;
mod inspection;
mod looked;
mod mirror;
mod neighbours;
mod nothings;
mod observe;
mod plan;
mod planned;
mod report;
mod restated;
mod saved;
mod source;
mod survival;
mod tiles;
mod until;
mod whole;

pub use announced::{NoSamplingDay, SamplingDay, Strata, VISIT_TREES_MAX, VISITS_MAX};
pub use attested::{Agreement, Compared, ObservedAttestation};
pub use auditor::{AuditError, Auditor, Claimed, Contradiction, Verified};
pub use awards::{AwardRow, AwardRows, AwardRowsError, AwardRowsLengths, AwardRowsLock, SentRow};
pub use cosigned_times::{ASKING_MS_MAX, CosignedTimes, SeenCheckpoint};
pub use coverage::{Coverage, Gap, UNCOVERED_MS_MAX};
pub use estimate::{CLUSTERS_MIN, Cluster, Interval, Sample, Share, percent};
pub use facts::{Facts, Inconsistent};
pub use findings::{Finding, FindingsError, ITEMS_MAX, Item, Severity, findings};
pub use ground::polygon_area_m2;
pub use held::{
    EvidenceHeld, EvidenceRow, KindHeld, NamedFile, NamedFiles, OutlineRow, PictureCounts,
    StatedOutline,
};
pub use inspection::{Inspection, InspectionError};
pub use looked::Looked;
pub use mirror::{Mirror, MirrorError};
pub use observe::{
    ActivitySums, GRANT_DAYS_MAX, IssuerSums, LATENESS_DAYS, LateGrant, MonthSums, Observations,
    ObservedLoss, ObservedPlaceholders, Pause, Span,
};
pub use plan::{
    Announcements, FramePlot, OtherAnnouncement, PLAN_FORMAT, Plan, PlanError, PlannedPlot, Seed,
    StratumRow, draw, end_of, frame,
};
pub use planned::{PlanRow, PlanShown};
pub use report::{
    ActivityRow, CheckpointRow, Engagement, IssuerRow, KindRow, LogRow, MethodRow, MonthRow,
    NOT_STATED, PlotRow, REPORT_FORMAT, Report, SpeciesRow, SurveyRow, VintageRow,
};
pub use restated::{Change, Restated, RestatedPlots};
pub use saved::{SavedAudit, SavedAuditError};
pub use source::{Folder, SourceError, StaticLog, TileSource, tile_bytes_max};
pub use survival::{AgeClass, Cohort, Scope, Survival};
pub use tiles::{ProvenBundle, TileFault, Tiles};
pub use until::{Beginning, NoUntil, Until, UntilError, UntilRow};
pub use whole::{WholeError, check_whole, each_entry, extend, origin_of, threads_default};
