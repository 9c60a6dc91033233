//! Tuning in this process.

use std::ops::ControlFlow;
use std::time::Duration;

use super::run::{Args, Learnt, Tuned};
use super::shown::Shown;
use crate::config::Config;
use crate::finetune::{Samples, train};
use crate::inference::Vocabulary;
use crate::inference::embedded::tune::Progress;
use crate::inference::embedded::{self, Embedded};
use crate::taxonomy::Taxonomy;

pub(super) fn tune(config: &Config, args: &Args, samples: &Samples) -> anyhow::Result<Tuned> {
    let (mut shown, mut first) = (Shown::new(), None);
    let training = train(samples, &config.inference.embedded, &config.finetune.embedded, &args.dir, |progress| {
        // Steps before it were made by another process.
        show(&mut shown, progress, *first.get_or_insert(progress.step));
        ControlFlow::Continue(())
    })?;
    shown.bar.finish_and_clear();
    let bytes = std::fs::read(args.dir.join("adapter.gguf"))?;
    let (base, xxh3) = (training.base.clone(), training.how.adapter.clone());
    // Through text: losses read as they do in the file, and not widened.
    let training = serde_json::from_str(&serde_json::to_string(&training)?)?;
    Ok(Tuned { weights: Learnt::Adapter { base, xxh3, bytes }, training })
}

/// The tuned model, to be asked.
pub(super) fn model(config: &Config, args: &Args, taxonomy: &Taxonomy) -> anyhow::Result<Embedded> {
    let adapter = Some(args.dir.join("adapter.gguf"));
    let tuned = embedded::Config { adapter, ..config.inference.embedded.clone() };
    Ok(Embedded::load(&tuned, Vocabulary::new(taxonomy)?.names().to_vec())?)
}

fn show(shown: &mut Shown, progress: &Progress, first: usize) {
    let Progress { step, steps, loss, validation, tokens, elapsed, .. } = *progress;
    let seconds = elapsed.as_secs_f64().max(1e-3);
    let made = (step + 1 - first) as f64;
    let left = Duration::from_secs((seconds / made * (steps - step) as f64) as u64);
    let rate = tokens as f64 / seconds;
    let message = format!("loss {loss:.3}, {rate:.0} tokens/s, {} left", humantime::format_duration(left));
    let looked = validation.map(|loss| format!("step {step}/{steps}: validation loss {loss:.3}"));
    shown.step(step as u64, steps as u64, message, looked);
}
