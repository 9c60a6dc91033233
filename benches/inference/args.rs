//! What is asked for on the command line.

use std::path::PathBuf;

use crate::Outcome;

pub(crate) struct Args {
    /// Candidates wanted of each key.
    pub(crate) best: usize,
    pub(crate) rounds: u64,
    /// Keys of one round.
    pub(crate) keys: u64,
    pub(crate) clusters: usize,
    /// Another model than the default one.
    pub(crate) model: Option<PathBuf>,
    /// Whether bounds are asked for.
    pub(crate) bounded: bool,
}

impl Args {
    pub(crate) fn from_command_line() -> Outcome<Self> {
        let mut args = Self { best: 1, rounds: 1, keys: 4, clusters: 600, model: None, bounded: false };
        if std::env::args().any(|word| word == "--bench") {
            (args.rounds, args.keys, args.bounded) = (9, 32, true);
        }
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--best" => args.best = value()?.parse()?,
                "--rounds" => args.rounds = value()?.parse()?,
                "--keys" => args.keys = value()?.parse()?,
                "--clusters" => args.clusters = value()?.parse()?,
                "--model" => args.model = Some(value()?.into()),
                "--quick" => args.rounds = 3,
                "--bench" | "--test" => {}
                other => return Err(format!("{other} is not understood: see benches/inference/main.rs").into()),
            }
        }
        Ok(args)
    }
}
