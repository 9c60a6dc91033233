//! Tuning by an endpoint's job.

use tokio::signal::unix::{SignalKind, signal};

use super::run::{Args, Learnt, Tuned};
use super::shown::Shown;
use crate::cli::{output, runtime};
use crate::config::Config;
use crate::finetune::jobs::{Ordering, Told, order};
use crate::finetune::{Samples, Standing};
use crate::inference::Vocabulary;
use crate::inference::openai::{self, Chat, JobStep};
use crate::taxonomy::Taxonomy;

/// `None` where whoever watched left before the end.
pub(super) fn tune(config: &Config, args: &Args, samples: &Samples) -> anyhow::Result<Option<Tuned>> {
    let by = Ordering {
        samples,
        files: &args.samples,
        endpoint: &config.inference.openai,
        config: &config.finetune.openai,
        seed: config.finetune.seed,
        dir: &args.dir,
    };
    let mut shown = Shown::new();
    let mut tell = |told: Told<'_>| match told {
        Told::Says(line) => shown.says(line),
        Told::Step(step) => show(&mut shown, step),
    };
    let training = runtime()?.block_on(async {
        // Listened for from here on, not from the first poll.
        let mut interrupted = signal(SignalKind::interrupt())?;
        tokio::select! {
            training = order(&by, &mut tell) => Ok(Some(training?)),
            _ = interrupted.recv() => anyhow::Ok(None),
        }
    })?;
    shown.bar.finish_and_clear();
    let Some(training) = training else {
        left(args)?;
        return Ok(None);
    };
    let (tokens, cost) = (training.how.trained_tokens, training.how.cost);
    let tokens = tokens.map_or("tokens that are not told".into(), |tokens| format!("{tokens} tokens"));
    output::note(format_args!("{} was trained with {tokens}, for {cost:.2}", training.how.model));
    let weights = Learnt::Remote(training.how.model.clone());
    Ok(Some(Tuned { weights, training: serde_json::to_value(&training)? }))
}

/// What becomes of the job that nobody watches any more.
fn left(args: &Args) -> anyhow::Result<()> {
    let job = Standing::read(&args.dir)?.job.and_then(|note| note.job);
    match job {
        Some(job) => output::note(format_args!(
            "the job {} goes on, and is paid for: `segue finetune run` follows it again, `segue finetune cancel` ends it",
            job.id
        )),
        None => output::note("interrupted: `segue finetune run` goes on where it was"),
    }
    Ok(())
}

/// The tuned model, to be asked.
pub(super) fn model(config: &Config, model: &str, taxonomy: &Taxonomy) -> anyhow::Result<Chat> {
    let tuned = openai::Config { model: model.to_owned(), ..config.inference.openai.clone() };
    Chat::new(&tuned, &Vocabulary::new(taxonomy)?).map_err(anyhow::Error::msg)
}

fn show(shown: &mut Shown, JobStep { step, total_steps, train_loss, valid_loss }: JobStep) {
    let steps = total_steps.unwrap_or(0).max(step);
    let message = train_loss.map_or(String::new(), |loss| format!("loss {loss:.3}"));
    let looked = valid_loss.map(|loss| format!("step {step}/{steps}: validation loss {loss:.3}"));
    shown.step(step, steps, message, looked);
}
