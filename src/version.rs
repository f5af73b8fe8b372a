//! Which software this is.

/// The release, as `Cargo.toml` has it.
pub const RELEASE: &str = env!("CARGO_PKG_VERSION");
/// The commit that it was built from, as 40 hexadecimal digits, with `-changed` behind them if files of the checkout
/// differed from it. `unknown` for a development build, a package, and where the build had no git; `ARBORLOG_COMMIT`
/// at the build says it then.
pub const COMMIT: &str = env!("ARBORLOG_COMMIT");
