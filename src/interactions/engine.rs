//! The engine that counts: DataFusion with a bounded pool of memory that spills to one directory.

use std::path::PathBuf;

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use bytesize::ByteSize;

use super::config::Config;
use super::error::Error;
use super::pool::HalvedPool;

/// Spilled runs that one pass merges. Each takes a few batches of memory, whatever the size of the log.
const MERGED_AT_ONCE: usize = 16;

/// The memory and disk that a run may take, to explain what goes wrong with them.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    memory: ByteSize,
    spill: PathBuf,
}

impl Limits {
    pub(super) fn of(config: &Config) -> Self {
        Self { memory: config.memory, spill: config.spill() }
    }

    /// A context within these limits. The spill directory is tried out now rather than hours later.
    pub(super) fn session(&self, config: &Config) -> Result<SessionContext, Error> {
        let doing = "starting the engine";
        let disk = DiskManagerBuilder::default()
            .with_mode(DiskManagerMode::Directories(vec![self.spill.clone()]))
            .with_max_temp_directory_size(u64::MAX)
            .with_max_spill_merge_fan_in(MERGED_AT_ONCE);
        let memory = usize::try_from(self.memory.0).unwrap_or(usize::MAX);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(HalvedPool::shared(memory))
            .with_disk_manager_builder(disk)
            .build_arc();
        let runtime = runtime.map_err(|e| self.spill_error(doing, &e))?;
        runtime.disk_manager.create_tmp_file("a first file").map_err(|e| self.spill_error(doing, &e))?;
        Ok(SessionContext::new_with_config_rt(session_config(config, memory), runtime))
    }

    /// What the engine reports, in the words of the config.
    pub(super) fn error(&self, doing: &'static str, error: DataFusionError) -> Error {
        let message = message(&error);
        match error.find_root() {
            DataFusionError::ResourcesExhausted(_) => Error::Memory { doing, limit: self.memory, message },
            root if is_of_spilling(root) => self.spill_error(doing, &error),
            _ => Error::Engine { doing, message, source: Box::new(error) },
        }
    }

    fn spill_error(&self, doing: &'static str, error: &DataFusionError) -> Error {
        Error::Spill { doing, directory: self.spill.clone(), message: message(error) }
    }
}

fn session_config(config: &Config, memory: usize) -> SessionConfig {
    let threads = config.threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, usize::from);
    let mut session = SessionConfig::new().with_target_partitions(threads);
    let options = session.options_mut();
    // Columns are called what the log calls them, `isLike` included.
    options.sql_parser.enable_ident_normalization = false;
    // What a sort keeps aside for merging must fit the pool several times.
    let aside = options.execution.sort_spill_reservation_bytes;
    options.execution.sort_spill_reservation_bytes = aside.min(memory / (16 * threads));
    // So must the batches of all runs that are merged at once.
    session.with_batch_size((memory / (threads << 14)).clamp(128, 8192))
}

fn message(error: &DataFusionError) -> String {
    match error.find_root() {
        DataFusionError::External(inner) => inner.to_string(),
        root => root.strip_backtrace(),
    }
}

/// The log is read through errors of its own: what remains of input and output is spilling.
fn is_of_spilling(root: &DataFusionError) -> bool {
    match root {
        DataFusionError::IoError(_) => true,
        DataFusionError::ArrowError(arrow, _) => matches!(**arrow, ArrowError::IoError(..)),
        _ => false,
    }
}
