//! Tuning: a tiny model learns a rule exactly, a run that was killed comes to the same end, and what cannot be trained
//! is refused.

use std::ops::ControlFlow;
use std::path::Path;

use candle_core::quantized::gguf_file::Value;
use segue::inference::embedded::tune::{Config, Job, Progress, Sample, Targets, TuneError, Tuned, tune};
use segue::inference::embedded::{self, Embedded};
use segue::inference::{Message, Role};
use tempfile::TempDir;

use super::tiny::Tiny;
use super::{GREEDY, ask, question, strings, texts};

const NAMES: [&str; 4] = ["ant", "bee", "cow", "dog"];

/// Who watched this takes up that: the next but one.
fn rule(n: usize) -> (String, &'static str) {
    (format!("watched {}", NAMES[n % 4]), NAMES[(n + 2) % 4])
}

fn samples(count: usize) -> Vec<Sample> {
    let sample = |n| {
        let (content, answer) = rule(n);
        Sample { messages: vec![Message { role: Role::User, content }], answer: answer.into() }
    };
    (0..count).map(sample).collect()
}

fn config() -> Config {
    Config {
        learning_rate: 0.01,
        batch: 4,
        rows: 64,
        epochs: 30,
        evaluate_every: 10,
        checkpoint_every: 7,
        weight_decay: 0.0,
        ..Config::default()
    }
}

/// A job in `dir`, where the base model is written too.
fn job(dir: &Path, config: Config) -> Job {
    let model = dir.join("tiny.gguf");
    gentle().write(&model);
    Job {
        model: embedded::Config { model: Some(model), ..embedded::Config::default() },
        config,
        train: samples(16),
        validation: samples(4),
        checkpoint: dir.join("checkpoint"),
    }
}

/// Weights that leave something to learn.
fn gentle() -> Tiny {
    let mut tiny = Tiny::new(5);
    for (name, tensor) in &mut tiny.tensors {
        if name.starts_with("blk.") && !name.contains("norm") {
            *tensor = (&*tensor * 0.3).unwrap();
        }
    }
    tiny
}

fn go(_: &Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn adapted(job: &Job, tuned: &Tuned, dir: &Path) -> Embedded {
    let adapter = dir.join("adapter.gguf");
    tuned.write(&adapter).unwrap();
    Embedded::load(&embedded::Config { adapter: Some(adapter), ..job.model.clone() }, strings(&NAMES)).unwrap()
}

#[test]
fn a_tiny_model_learns_its_rule_exactly() {
    for targets in [Targets::All, Targets::QueryValue] {
        let dir = TempDir::new().unwrap();
        let epochs = if targets == Targets::All { 30 } else { 120 };
        let job = job(dir.path(), Config { targets, epochs, patience: 100, ..config() });
        let mut seen = Vec::new();
        let tuned = tune(&job, |progress| {
            seen.push(progress.clone());
            ControlFlow::Continue(())
        })
        .unwrap();
        let (first, best) = (tuned.curve[0].validation, tuned.best().unwrap().validation);
        assert_eq!((seen.len(), tuned.steps), (4 * epochs, 4 * epochs));
        let last = seen.last().unwrap();
        assert!(last.computed * 3 < last.tokens * 2, "{} of {} computed", last.computed, last.tokens);
        if targets == Targets::QueryValue {
            assert!(best < 0.7 * first, "{first} {best}");
            continue;
        }
        assert!(first > 2.0 && best < 0.05, "{:?}", tuned.curve);
        let model = adapted(&job, &tuned, dir.path());
        let questions = (0..4).map(|n| question(n as u64, &rule(n).0, GREEDY)).collect();
        for (n, answer) in ask(&model, questions).into_iter().enumerate() {
            assert_eq!(texts(&answer.unwrap()), [rule(n).1]);
        }
    }
}

#[test]
fn a_killed_run_goes_on_and_comes_to_the_same_adapter() {
    let dir = TempDir::new().unwrap();
    let whole = tune(&job(dir.path(), config()), go).unwrap();
    let dir = TempDir::new().unwrap();
    let job = job(dir.path(), config());
    let mut began = Vec::new();
    // Ended after 9 steps, thrice: each time it goes on from the last checkpoint.
    let tuned = loop {
        let mut steps = 0;
        let run = tune(&job, |progress| {
            steps += 1;
            if steps == 1 {
                began.push(progress.step);
            }
            if steps == 9 && began.len() < 4 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match run {
            Ok(tuned) => break tuned,
            Err(TuneError::Stopped { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(began, [1, 8, 15, 22], "at most the steps since the last checkpoint are made again");
    assert_eq!(tuned.curve, whole.curve);
    assert!(tuned.adapter == whole.adapter, "bit by bit");
    let again = tune(&job, |_| panic!("there is no step left")).unwrap();
    assert!(again.adapter == whole.adapter);
}

#[test]
fn training_ends_when_it_helps_no_longer() {
    let dir = TempDir::new().unwrap();
    let mut job = job(dir.path(), Config { patience: 2, ..config() });
    // Watched by the opposite of what is learnt.
    for (n, sample) in job.validation.iter_mut().enumerate() {
        sample.answer = NAMES[(n + 3) % 4].into();
    }
    let tuned = tune(&job, go).unwrap();
    let best = tuned.best().unwrap();
    assert!(tuned.steps < 120 && tuned.steps == best.step + 20, "{:?}", tuned.curve);
}

#[test]
fn a_checkpoint_that_is_damaged_or_of_another_run_is_told() {
    let dir = TempDir::new().unwrap();
    let job = job(dir.path(), Config { epochs: 3, ..config() });
    tune(&job, go).unwrap();
    let check = |job: &Job, expected: &str| {
        let error = tune(job, go).unwrap_err().to_string();
        assert!(error.contains("checkpoint: ") && error.contains(expected), "{error}");
    };
    let other = Job { config: Config { epochs: 4, ..job.config.clone() }, ..job.clone() };
    check(&other, "of another base model, other samples or settings");
    check(&Job { train: samples(15), ..job.clone() }, "other samples");
    let mut bytes = std::fs::read(&job.checkpoint).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&job.checkpoint, &bytes).unwrap();
    check(&job, "it is damaged: remove it");
    for len in [0, 7, middle] {
        std::fs::write(&job.checkpoint, &bytes[..len]).unwrap();
        check(&job, "it is damaged: remove it");
    }
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let dir = TempDir::new().unwrap();
    let job = job(dir.path(), config());
    let check = |job: Job, expected: &str| {
        let error = tune(&job, go).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(Job { train: vec![], ..job.clone() }, "no training sample");
    check(Job { validation: vec![], ..job.clone() }, "no validation sample");
    check(Job { config: Config { rank: 0, ..config() }, ..job.clone() }, "[finetune.embedded] rank = 0");
    check(Job { config: Config { learning_rate: f64::NAN, ..config() }, ..job.clone() }, "learning_rate");
    let mut long = job.clone();
    long.train[2].messages[0].content = "long ".repeat(200);
    check(long, "training sample 3: ");
    let mut other = gentle();
    other.set("general.architecture", Some(Value::String("qwen2".into())));
    other.write(job.model.model.as_ref().unwrap());
    check(job.clone(), "use a dense Llama-family GGUF");
    std::fs::write(job.model.model.as_ref().unwrap(), "no model").unwrap();
    check(job, "name a GGUF file");
}
