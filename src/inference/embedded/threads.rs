//! How many threads candle computes with, which it takes from the environment alone.

use std::io;
use std::num::NonZeroUsize;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::thread::available_parallelism;

use super::config::Config;

/// Into how many parts a product is cut. Where nothing says it, candle counts the cores anew for each product.
const PRODUCTS: &str = "RAYON_NUM_THREADS";
/// Threads for all else. They spin between two pieces of work, on cores that the products need.
const OTHERS: &str = "CANDLE_NUM_THREADS";

impl Config {
    /// Puts into the environment what candle asks it for. No running process can do that safely, so this one starts anew
    /// in place, with the same id, arguments and pipes: call it before any file is opened. Returns at once where the
    /// environment says all of it.
    pub fn say_threads(&self) -> io::Result<()> {
        let products = self.threads.or_else(|| available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
        let said = [(PRODUCTS, products), (OTHERS, NonZeroUsize::MIN)];
        let missing: Vec<_> = said.into_iter().filter(|(name, _)| std::env::var_os(name).is_none()).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let mut anew = Command::new(std::env::current_exe()?);
        anew.args(std::env::args_os().skip(1));
        anew.envs(missing.into_iter().map(|(name, threads)| (name, threads.to_string())));
        Err(anew.exec())
    }
}
