//! Servers under load: this one beside a plain tonic service and Redis, each on one core, asked from another.
//!
//! ```text
//! cargo bench --bench load [-- [--quick] [--pairs 9] [--window 2s] [--limit 1] [--each] [--list] [FILTER...]]
//! ```
//!
//! Every row is a ratio of two servers, or of two ways to ask one, measured in turns: the median and its interval.
//! `benches/README.md` says what the rows mean. Without `--bench`, which cargo adds, it is a smoke test: small tables,
//! short windows, and no word about speed.

mod args;
mod generator;
mod pairs;
mod rows;
mod servers;
#[path = "../stats.rs"]
mod stats;
mod world;

use std::error::Error;
use std::process::ExitCode;

use args::Args;
use servers::{House, child};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let Some((role, rest)) = words.split_first()
        && let Some(outcome) = child::play(role, rest)
    {
        return outcome.map(|()| ExitCode::SUCCESS);
    }
    let args = Args::new(words)?;
    let rows: Vec<_> = rows::all().into_iter().filter(|row| args.wants(&row.name())).collect();
    if args.list {
        rows.iter().for_each(|row| println!("{}", row.name()));
        return Ok(ExitCode::SUCCESS);
    }
    let mut house = House::new(&args)?;
    pairs::print_head(&args);
    for row in rows {
        match house.lacks(&row) {
            Some(why) => println!("{:38} skipped: {why}", row.name()),
            None => pairs::measure(&mut house, &args, row)?.print(),
        }
    }
    Ok(ExitCode::SUCCESS)
}
