//! The bulk run: within its budget, never asking twice, whatever ends it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use futures::StreamExt;
use futures::stream::BoxStream;
use segue::ids::ClusterId;
use segue::inference::{
    Answer, Answers, BudgetConfig, Bulk, Candidate, Config, Decoding, DecodingConfig, Ended, Model, ModelError,
    Planned, Prompts, Purpose, Question, Run, Tally, Unconstrained, Usage,
};
use segue::retrieval::{Context, Successor};

use super::vocabulary;

type Says = dyn Fn(&Question) -> Result<&'static str, ModelError> + Send + Sync;

/// A model whose answers are known beforehand.
struct Known {
    says: Arc<Says>,
    asked: Arc<Mutex<Vec<Question>>>,
}

impl Known {
    fn new(says: impl Fn(&Question) -> Result<&'static str, ModelError> + Send + Sync + 'static) -> Self {
        Self { says: Arc::new(says), asked: Arc::default() }
    }

    fn asked(&self) -> Vec<Question> {
        self.asked.lock().unwrap().clone()
    }
}

impl Model for Known {
    fn id(&self) -> &str {
        "known"
    }

    fn ask(&self, questions: BoxStream<'static, Question>) -> BoxStream<'static, Result<Answer, ModelError>> {
        let (says, asked) = (Arc::clone(&self.says), Arc::clone(&self.asked));
        questions
            .map(move |question| {
                asked.lock().unwrap().push(question.clone());
                let text = says(&question)?.to_owned();
                let candidates = vec![Candidate { text, probability: Some(0.5) }];
                Ok(Answer { id: question.id, candidates, usage: Usage { prompt: 40, shared: 10, answer: 5 } })
            })
            .boxed()
    }
}

/// Keys (0, 1), (0, 2), ... of nine, each with the successor 9 at hand.
fn plan() -> Arc<[Planned]> {
    let successor = Successor { cluster: ClusterId(9), count: 3, change: None };
    let context = Context { successors: vec![successor], ..Context::default() };
    (1..9).map(|second| Planned { key: vec![ClusterId(0), ClusterId(second)], context: context.clone() }).collect()
}

fn bulk(model: &Arc<Known>, dir: &Path, config: &Config) -> Bulk {
    let prompts = Prompts::new(&config.prompt, vocabulary()).unwrap();
    let answers = Answers::open(&dir.join("answers.redb")).unwrap();
    Bulk::new(Arc::clone(model) as Arc<dyn Model>, prompts, answers, config.clone())
}

async fn ran(model: &Arc<Known>, dir: &Path, config: &Config) -> (Run, Bulk) {
    let mut bulk = bulk(model, dir, config);
    bulk.ask(&plan(), Purpose::Table, &mut |_| {}).await.unwrap();
    (bulk.run(&plan(), 0).unwrap(), bulk)
}

/// The second cluster of a question's history.
fn second(question: &Question) -> u32 {
    let user = &question.messages.last().unwrap().content;
    let line = user.lines().find_map(|line| line.strip_prefix("Cluster 2: keyword ")).unwrap();
    line.parse().unwrap()
}

/// Between the seeds of a key's attempts.
const APART: u64 = 1_000_003;

fn attempt(question: &Question) -> u64 {
    let Decoding::Free { seed, .. } = question.decoding else { panic!("{:?}", question.decoding) };
    seed / APART
}

#[tokio::test]
async fn an_answer_that_is_no_cluster_is_asked_again_and_then_given_up() {
    let dir = tempfile::tempdir().unwrap();
    let model = Arc::new(Known::new(|question| {
        Ok(match (second(question), attempt(question)) {
            (1, _) => "nothing that is known",
            (2, 0) => "keyword 2",
            (2, _) => " keyword 7\n",
            (3, 0 | 1) => "keyword",
            _ => "keyword 9",
        })
    }));
    let (run, bulk) = ran(&model, dir.path(), &Config::default()).await;
    let tally = Tally { planned: 8, answered: 7, asked_again: 3, fallbacks: 1, failed: 0, left_out: 0 };
    assert_eq!(run.tally, tally);
    let first = Unconstrained { answers: 8, exact: 6, own: 1 };
    assert_eq!(run.unconstrained, first, "what was said first, though a later answer was of use");
    assert_eq!(model.asked().len(), 8 + 3 + 2, "three again, two a third time");
    let again = model.asked().into_iter().filter(|question| second(question) == 1).map(|one| one.decoding);
    let free = |seed, temperature| Decoding::Free { samples: 1, temperature, seed, max_tokens: 64 };
    assert_eq!(again.collect::<Vec<_>>(), [free(0, 0.0), free(APART, 0.7), free(2 * APART, 0.7)]);
    let answers = |second| run.answers.get(&vec![ClusterId(0), ClusterId(second)]).map(|row| row[0].cluster.0);
    assert_eq!([1, 2, 3, 4].map(answers), [None, Some(7), Some(9), Some(9)]);

    let trace = bulk.trace(&plan()[2]).unwrap();
    assert_eq!((trace.said.len(), trace.ended), (3, Ended::Answered(vec![(ClusterId(9), Some(0.5))])));
    assert_eq!(bulk.trace(&plan()[0]).unwrap().ended, Ended::Fallback);
}

#[tokio::test]
async fn what_was_answered_once_is_never_asked_again() {
    let dir = tempfile::tempdir().unwrap();
    let says = |question: &Question| Ok(if second(question) == 1 { "?" } else { "keyword 9" });
    let model = Arc::new(Known::new(says));
    let (first, bulk) = ran(&model, dir.path(), &Config::default()).await;
    drop(bulk);
    let again = Arc::new(Known::new(says));
    let (second, bulk) = ran(&again, dir.path(), &Config::default()).await;
    assert_eq!((again.asked().len(), second.spent.questions), (0, 0));
    assert_eq!(Run { spent: first.spent, ..second }, first, "known answers make the same run");

    let mut changed = plan().to_vec();
    changed[3].context.successors[0].cluster = ClusterId(8);
    changed[4].context.successors[0].count = 99;
    let forecast = bulk.forecast(&changed, 0).unwrap();
    assert_eq!((forecast.keys, forecast.known, forecast.questions), (8, 7, 1), "counts are not in the prompt");
    assert!(forecast.time.is_some(), "the pace of the first run is known");
}

#[tokio::test]
async fn the_caps_hold_and_what_matters_most_is_asked_first() {
    for (budget, asked) in [
        (BudgetConfig { max_questions: Some(3), ..BudgetConfig::default() }, 3),
        (BudgetConfig { max_questions: Some(0), ..BudgetConfig::default() }, 0),
        (BudgetConfig { max_tokens: Some(1), ..BudgetConfig::default() }, 0),
        (BudgetConfig { max_cost: Some(0.0), prompt_price: 1.0, ..BudgetConfig::default() }, 0),
        (BudgetConfig { max_cost: Some(0.0), ..BudgetConfig::default() }, 8),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let model = Arc::new(Known::new(|_| Ok("keyword 9")));
        let (run, _) = ran(&model, dir.path(), &Config { budget, ..Config::default() }).await;
        let seconds: Vec<u32> = model.asked().iter().map(second).collect();
        assert_eq!(seconds, (1..=asked).collect::<Vec<_>>(), "{budget:?}");
        assert_eq!(run.tally.left_out, u64::from(8 - asked), "{budget:?}");
        assert_eq!(run.unanswered(), u64::from(8 - asked));
    }
}

#[tokio::test]
async fn questions_that_are_asked_again_count_too() {
    let dir = tempfile::tempdir().unwrap();
    let model = Arc::new(Known::new(|_| Ok("?")));
    let budget = BudgetConfig { max_questions: Some(10), ..BudgetConfig::default() };
    let (run, _) = ran(&model, dir.path(), &Config { budget, ..Config::default() }).await;
    assert_eq!((model.asked().len(), run.spent.questions), (10, 10));
    assert_eq!((run.tally.left_out, run.tally.answered), (8, 0));
}

#[tokio::test]
async fn tokens_and_money_are_counted_as_they_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let model = Arc::new(Known::new(|_| Ok("keyword 9")));
    let budget = BudgetConfig { prompt_price: 2.0, answer_price: 10.0, ..BudgetConfig::default() };
    let (run, _) = ran(&model, dir.path(), &Config { budget, ..Config::default() }).await;
    assert_eq!(run.spent.usage, Usage { prompt: 320, shared: 80, answer: 40 });
    assert!((run.spent.cost - (400.0 * 2.0 + 40.0 * 10.0) / 1e6).abs() < 1e-12, "{:?}", run.spent);
}

#[tokio::test]
async fn one_bad_key_never_stops_the_run_and_is_asked_for_again_the_next_time() {
    let dir = tempfile::tempdir().unwrap();
    let model = Arc::new(Known::new(|question| match second(question) {
        5 => Err(ModelError { question: Some(question.id), problem: "too long".into() }),
        _ => Ok("keyword 9"),
    }));
    let (run, bulk) = ran(&model, dir.path(), &Config::default()).await;
    assert_eq!((run.tally.answered, run.tally.failed, model.asked().len()), (7, 1, 8));
    assert_eq!(bulk.trace(&plan()[4]).unwrap().ended, Ended::Failed);
    drop(bulk);
    let healed = Arc::new(Known::new(|_| Ok("keyword 9")));
    let (run, _) = ran(&healed, dir.path(), &Config::default()).await;
    assert_eq!((run.tally.answered, healed.asked().len()), (8, 1));
}

#[tokio::test]
async fn a_model_that_stops_keeps_what_it_answered() {
    let dir = tempfile::tempdir().unwrap();
    let model = Arc::new(Known::new(|question| match second(question) {
        4 => Err(ModelError { question: None, problem: "out of memory: use a smaller model".into() }),
        _ => Ok("keyword 9"),
    }));
    let mut stopped = bulk(&model, dir.path(), &Config::default());
    let error = stopped.ask(&plan(), Purpose::Table, &mut |_| {}).await.unwrap_err().to_string();
    assert!(error.contains("known stopped after 3 answers, which are kept: out of memory"), "{error}");
    drop(stopped);
    let healed = Arc::new(Known::new(|_| Ok("keyword 9")));
    let (run, _) = ran(&healed, dir.path(), &Config::default()).await;
    assert_eq!((run.tally.answered, healed.asked().len()), (8, 5));
}

#[tokio::test]
async fn constrained_answers_are_judged_by_an_unconstrained_sample() {
    let dir = tempfile::tempdir().unwrap();
    let model = Arc::new(Known::new(|question| {
        Ok(match question.decoding {
            Decoding::Constrained { .. } => "keyword 9",
            Decoding::Free { .. } if second(question) == 1 => "keyword 9",
            Decoding::Free { .. } if second(question) == 2 => "keyword 2",
            Decoding::Free { .. } => "keyword nine",
        })
    }));
    let decoding = DecodingConfig { constrained: true, answers: 2, ..DecodingConfig::default() };
    let mut bulk = bulk(&model, dir.path(), &Config { decoding, ..Config::default() });
    let first: Arc<[Planned]> = plan()[..4].into();
    bulk.ask(&first, Purpose::Sample, &mut |_| {}).await.unwrap();
    bulk.ask(&plan(), Purpose::Table, &mut |_| {}).await.unwrap();
    let run = bulk.run(&plan(), 4).unwrap();
    assert_eq!((run.unconstrained, run.tally.answered), (Unconstrained { answers: 4, exact: 2, own: 1 }, 8));
    assert_eq!(model.asked().len(), 4 + 8, "a sample is asked once");
    let constrained = model
        .asked()
        .into_iter()
        .map(|question| question.decoding)
        .find(|one| matches!(one, Decoding::Constrained { .. }));
    assert_eq!(constrained, Some(Decoding::Constrained { best: 4 }), "room for the key's own two");
}
