//! `segue finetune status` and `segue finetune cancel`: what runs, or ran.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chrono::DateTime;

use crate::cli::{Common, output, runtime};
use crate::finetune::jobs::{self, Note, line};
use crate::finetune::{Pulse, Standing};

/// Events that are shown.
const LAST: usize = 5;

/// Arguments of both.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The run's directory
    #[arg(long, value_name = "DIR", default_value = "tuned")]
    dir: PathBuf,
}

pub(super) fn run(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    let config = common.start()?;
    let mut standing = Standing::read(&args.dir)?;
    // As it is now, where it can be asked for; what is noted will do.
    let under_way = |note: &&mut Note| note.job.as_ref().map_or(note.ordered, |job| !job.status.is_over());
    if let Some(note) = standing.job.as_mut().filter(under_way) {
        match runtime()?.block_on(jobs::look(&args.dir, &config.inference.openai)) {
            Ok(job) => note.job = Some(job),
            Err(error) => output::note(format_args!("the job as it was last seen: {error}")),
        }
    }
    if common.json {
        output::json(&standing)?;
    } else {
        tell(&standing)?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn cancel(common: &Common, args: Args) -> anyhow::Result<ExitCode> {
    let config = common.start()?;
    let job = runtime()?.block_on(jobs::cancel(&args.dir, &config.inference.openai))?;
    if common.json {
        output::json(&job)?;
    } else {
        output::line(format_args!("{} is {}", job.id, job.status))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(standing: &Standing) -> anyhow::Result<()> {
    if let Some(note) = &standing.job {
        tell_job(note)?;
    }
    tell_adapter(standing)?;
    if standing.running {
        output::line("a process is at work on it")?;
    } else if standing.training.is_some() {
        output::line("it has ended: `segue models list` shows what came of it")?;
    } else {
        output::line("nobody is at work on it: `segue finetune run` goes on")?;
    }
    Ok(())
}

fn tell_job(note: &Note) -> anyhow::Result<()> {
    let Note { url, base, tokens, cost, job, events, curve, .. } = note;
    match job {
        None => output::line(format_args!("no job of {base} at {url} is known to be made yet"))?,
        Some(job) => {
            let model = job.fine_tuned_model.as_ref().map_or(String::new(), |model| format!(": {model}"));
            output::line(format_args!("job {} of {base} at {url} is {}{model}", job.id, job.status))?;
            let why = job.error.as_ref().and_then(|error| error.message.as_ref());
            why.map_or(Ok(()), |why| output::line(format_args!("  {why}")))?;
        }
    }
    let trained = job.as_ref().and_then(|job| job.trained_tokens);
    match trained {
        Some(trained) => output::line(format_args!("  {trained} tokens trained"))?,
        None => output::line(format_args!("  about {tokens} tokens to train, for about {cost:.2}"))?,
    }
    if let Some(step) = curve.last() {
        let (loss, steps) = (step.train_loss.unwrap_or(f64::NAN), step.total_steps.unwrap_or(step.step));
        output::line(format_args!("  step {}/{steps}: loss {loss:.3}", step.step))?;
    }
    for event in events.iter().skip(events.len().saturating_sub(LAST)) {
        let at = DateTime::from_timestamp(event.created_at, 0).unwrap_or_default();
        output::line(format_args!("  {}  {}", at.format("%F %T"), line(event)))?;
    }
    Ok(())
}

fn tell_adapter(standing: &Standing) -> anyhow::Result<()> {
    if let Some(Pulse { step, steps, loss, tokens_per_second, left_seconds, .. }) = standing.progress {
        let left = humantime::format_duration(Duration::from_secs(left_seconds));
        let left = if standing.running { format!(", at most {left} left") } else { String::new() };
        output::line(format_args!("step {step}/{steps}: loss {loss:.3}, {tokens_per_second:.0} tokens/s{left}"))?;
    }
    #[cfg(feature = "embedded")]
    if let Some(checkpoint) = &standing.checkpoint {
        output::line(format_args!("the last checkpoint is of step {}", checkpoint.step))?;
        for point in &checkpoint.curve {
            let train = point.train.map_or("     ".into(), |loss| format!("{loss:.3}"));
            output::line(format_args!(
                "  step {:>5}: {train}, on validation samples {:.3}",
                point.step, point.validation
            ))?;
        }
    }
    Ok(())
}
