//! What the live swap counts.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// Tables swapped in.
pub(super) const SWAPS: &str = "segue_swaps_total";
/// From the first byte copied to the pointer's change.
pub(super) const SWAP_SECONDS: &str = "segue_swap_seconds";
/// Versions that were found and not taken.
pub(super) const REFUSED: &str = "segue_swap_refused_total";
/// Tables held in memory, retired ones included until they are gone: more than the versions in use is a leak.
pub(super) const LIVE_TABLES: &str = "segue_live_tables";
/// Its value is the version.
pub(super) const LIVE_VERSION: &str = "segue_live_version";

/// Tells the process's recorder what the names mean.
pub fn describe_metrics() {
    describe_counter!(SWAPS, "Tables swapped in");
    describe_histogram!(SWAP_SECONDS, "Seconds from a new version's first byte copied to its answering");
    describe_counter!(REFUSED, "Versions found and refused; the one before stayed live");
    describe_gauge!(LIVE_TABLES, "Tables held in memory, retired ones included until they are gone");
    describe_gauge!(LIVE_VERSION, "The version that a channel answers from, as the value");
}
