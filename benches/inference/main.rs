//! What sharing is worth to the model in the process: the same keys asked in three ways.
//!
//! ```text
//! cargo bench --no-default-features --features embedded --bench inference [-- --best 1] [--rounds 9] [--quick] [--model FILE]
//! ```
//!
//! - `naive`: each prompt computed whole, one at a time;
//! - `shared`: one at a time, in no order: the instruction, which all prompts begin with, is computed once;
//! - `grouped`: in the order of keys, so that neighbours share the first cluster too, and several in one pass.
//!
//! All three choose among the same names in the same way. Exits with 1 where a bound is broken; without `--bench`, which
//! cargo adds, a few keys are asked and no bound is.

mod args;
#[path = "../stats.rs"]
mod stats;
mod ways;
mod world;

use std::process::ExitCode;

use args::Args;
use stats::Estimate;
use ways::{Told, Ways};

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// grouped : naive, in keys per second.
const MIN_RATIO: f64 = 2.5;
/// Of the answers, grouped and naive.
const MIN_EQUAL: f64 = 0.995;

fn main() -> Outcome<ExitCode> {
    let args = Args::from_command_line()?;
    let ways = Ways::load(&args)?;
    let rounds: Vec<[Told; 3]> = (0..args.rounds).map(|round| ways.round(round, &args)).collect::<Outcome<_>>()?;
    for (way, name) in ["naive", "shared", "grouped"].into_iter().enumerate() {
        let told = Told::sum(rounds.iter().map(|round| &round[way]));
        let (computed, spared) = (told.per_key(told.usage.prompt), told.per_key(told.usage.shared));
        let answer = told.per_key(told.usage.answer);
        let rate = Estimate::of(rounds.iter().map(|round| round[way].rate()));
        println!(
            "{name:8} {rate} keys/s; tokens a key: {computed:.1} computed, {spared:.1} shared, {answer:.1} of the answer"
        );
    }
    let ratio = |way: usize| Estimate::of(rounds.iter().map(|round| round[way].rate() / round[0].rate()));
    println!("shared : naive   {}", ratio(1));
    println!("grouped : naive  {} (bar: {MIN_RATIO})", ratio(2));
    let equal = |way: usize| {
        let pairs = rounds.iter().flat_map(|round| round[0].answers.iter().zip(&round[way].answers));
        let (equal, all) =
            pairs.fold((0, 0), |(equal, all), (one, other)| (equal + usize::from(one == other), all + 1));
        println!("equal first answers, naive and {}: {equal} of {all}", ["naive", "shared", "grouped"][way]);
        equal as f64 / all as f64
    };
    equal(1);
    let kept = equal(2) >= MIN_EQUAL && ratio(2).median >= MIN_RATIO;
    Ok(if kept || !args.bounded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
