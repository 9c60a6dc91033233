//! What is asked for on the command line.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::keys::KeySet;
use crate::paired::Pairing;

const FULL: [KeySet; 3] = [
    KeySet::new("761 clusters, k = 2", 761, &[700]),
    KeySet::new("50 M keys, k = 2", 10_000, &[5_000]),
    KeySet::new("50 M keys, k = 3", 1_000, &[200, 250]),
];
const QUICK: [KeySet; 2] =
    [KeySet::new("2 M keys, k = 2", 2_000, &[1_000]), KeySet::new("2 M keys, k = 3", 500, &[50, 80])];
const LARGE: [KeySet; 1] = [KeySet::new("150 M keys, k = 2", 15_000, &[10_000])];
const SMALL: [KeySet; 2] = [KeySet::new("small, k = 2", 50, &[20]), KeySet::new("small, k = 3", 30, &[5, 8])];

pub(crate) struct Args {
    pub(crate) dir: PathBuf,
    pub(crate) times: bool,
    pub(crate) prepare: bool,
    pub(crate) pairing: Pairing,
    sets: &'static [KeySet],
    only: Option<String>,
    /// The peer to measure against, by a part of its name; all of them without.
    pub(crate) other: Option<String>,
}

impl Args {
    /// Without `--bench`, which cargo adds, this is a test: everything once, on small tables.
    pub(crate) fn from_command_line() -> Self {
        let benched = std::env::args().any(|word| word == "--bench");
        let (pairs, window) = if benched { (15, Duration::from_millis(25)) } else { (1, Duration::ZERO) };
        let sets: &[KeySet] = if benched { &FULL } else { &SMALL };
        let dir = PathBuf::from("target/bench-data/lookup");
        let pairing = Pairing { pairs, window };
        let mut args = Self { dir, times: false, prepare: false, pairing, sets, only: None, other: None };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            match word.as_str() {
                "--dir" => args.dir = words.next().expect("--dir needs a folder").into(),
                "--set" => args.only = words.next(),
                "--against" => args.other = words.next(),
                "--prepare" => args.prepare = true,
                "--times" => args.times = true,
                "--quick" => {
                    args.sets = &QUICK;
                    args.pairing = Pairing { pairs: 9, window: Duration::from_millis(10) };
                }
                "--large" => args.sets = &LARGE,
                "--bench" | "--test" => {}
                other => panic!("{other} is not understood: see the head of benches/lookup/main.rs"),
            }
        }
        args
    }

    pub(crate) fn sets(&self) -> impl Iterator<Item = KeySet> {
        let wanted = |set: &&KeySet| self.only.as_ref().is_none_or(|only| set.name.contains(only.as_str()));
        self.sets.iter().filter(wanted).copied()
    }
}

/// Starts the process again, once, with an allocator that asks for huge pages: the table has them, and a peer should not
/// lose for the want of them.
pub(crate) fn with_huge_pages_for_all() {
    const TUNABLES: &str = "GLIBC_TUNABLES";
    if std::env::var_os(TUNABLES).is_none() {
        let program = std::env::current_exe().unwrap();
        let error =
            Command::new(program).args(std::env::args_os().skip(1)).env(TUNABLES, "glibc.malloc.hugetlb=1").exec();
        panic!("{error}");
    }
}
