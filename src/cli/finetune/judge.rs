//! A tuned model is asked what held-out users take up next.

use std::sync::Arc;

use super::run::Args;
use crate::cli::refresh::Shown;
use crate::cli::{output, runtime};
use crate::config::Config;
use crate::finetune::{Asking, Examination, Measured, Samples, measure};
use crate::inference::{Answers, Model};
use crate::interactions::Log;
use crate::refresh::Progress;
use crate::taxonomy::Taxonomy;

/// What it says comes to. What it answered is kept in the run's directory until it is judged.
pub(super) fn figures(
    config: &Config,
    args: &Args,
    model: Arc<dyn Model>,
    samples: &Samples,
    taxonomy: &Taxonomy,
) -> anyhow::Result<Measured> {
    output::note("asking the tuned model what held-out users take up next");
    let answers = args.dir.join(Answers::FILE);
    let by = Examination { manifest: &samples.manifest, inference: &config.inference, answers: &answers };
    let mut shown = Shown::new();
    let mut tell = |Asking { done, total, message }| shown.show(&Progress { step: "ask", done, total, message });
    let figures = runtime()?.block_on(async {
        let log = Log::open(&config.interactions, taxonomy).await?;
        anyhow::Ok(measure(&by, model, &log, taxonomy, &mut tell).await?)
    })?;
    shown.bar.finish_and_clear();
    Ok(figures)
}
