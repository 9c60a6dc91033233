//! What held-out users tell of a tuned model: by which prompts it is asked, and what its answers come to.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use segue::evaluation::{Collapse, ExactMatch, Report};
use segue::finetune::{Asking, Config, Examination, FinetuneError, Manifest, measure};
use segue::inference::prompt::Template;
use segue::inference::{self, Answer, BudgetConfig, Candidate, Decoding, Model, ModelError, Question, Usage};
use segue::retrieval::{self, Similarity};

use super::{HELD_OUT, World, few, one_after_the_other, read};

type Says = Arc<dyn Fn(&str) -> Option<&'static str> + Send + Sync>;

/// Says what it is told to of each prompt, and remembers them; an answer of `None` is an error.
struct Scripted {
    says: Says,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Model for Scripted {
    fn id(&self) -> &str {
        "scripted"
    }

    fn ask(&self, questions: BoxStream<'static, Question>) -> BoxStream<'static, Result<Answer, ModelError>> {
        let (says, asked) = (Arc::clone(&self.says), Arc::clone(&self.asked));
        let answer = move |Question { id, messages, decoding }: Question| {
            assert!(matches!(decoding, Decoding::Free { samples: 1, temperature: 0.0, .. }), "{decoding:?}");
            let prompt = messages.last().unwrap().content.clone();
            let said = says(&prompt);
            asked.lock().unwrap().push(prompt);
            let text = said.ok_or_else(|| ModelError { question: Some(id), problem: "it broke".into() })?.to_owned();
            Ok(Answer { id, candidates: vec![Candidate { text, probability: None }], usage: Usage::default() })
        };
        questions.map(answer).boxed()
    }
}

/// What came of asking, with all that was told of it, and the prompts.
fn asked(
    world: &World,
    manifest: &Manifest,
    inference: &inference::Config,
    says: impl Fn(&str) -> Option<&'static str> + Send + Sync + 'static,
) -> (Result<Report, FinetuneError>, Vec<Asking>, Vec<String>) {
    let model = Arc::new(Scripted { says: Arc::new(says), asked: Arc::default() });
    let asked = Arc::clone(&model.asked);
    let by = Examination { manifest, inference, answers: &world.dir.path().join("answers.redb") };
    let (taxonomy, mut told) = (world.taxonomy(), Vec::new());
    let mut tell = |asking| told.push(asking);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let report = runtime.block_on(async { measure(&by, model, &world.log().await?, &taxonomy, &mut tell).await });
    let asked = asked.lock().unwrap().clone();
    (report, told, asked)
}

fn measured(
    world: &World,
    manifest: &Manifest,
    says: impl Fn(&str) -> Option<&'static str> + Send + Sync + 'static,
) -> (Result<Report, FinetuneError>, Vec<String>) {
    let (report, _, asked) = asked(world, manifest, &inference::Config::default(), says);
    (report, asked)
}

/// A day of recent behaviour, so that no two users of the test are shown the same.
fn world(similarity: Similarity) -> World {
    let window = Duration::from_secs(24 * 3600);
    let retrieval = retrieval::Config { window, similarity, ..retrieval::Config::default() };
    World { retrieval, ..World::new(&one_after_the_other()) }
}

fn config() -> Config {
    Config { validation: 0.2, ..few() }
}

#[test]
fn prompts_are_those_of_the_samples_and_show_nothing_of_their_own_time_or_later() {
    for similarity in [Similarity::Frequency, Similarity::Trend] {
        let world = world(similarity);
        let manifest = world.curate_to_stay(&config(), None).unwrap();
        let (_, asked) = measured(&world, &manifest, |_| Some("cluster 0"));
        // Whole keys are those of the test's samples: everyone's last step is to what they had never met.
        let lines = read(&world.dir.path().join("samples/test.jsonl"));
        let samples: BTreeSet<String> = lines.into_iter().map(|line| line.prompt).collect();
        let whole: BTreeSet<String> = asked.iter().filter(|prompt| prompt.contains("Cluster 2: ")).cloned().collect();
        assert_eq!((&whole, whole.len()), (&samples, HELD_OUT.len()), "{similarity:?}");
        let short: Vec<_> = asked.iter().filter(|prompt| !whole.contains(*prompt)).collect();
        assert_eq!(short, ["Cluster 1: cluster 0"], "what all have in common is asked once, without a context");
    }
}

#[test]
fn answers_come_to_exact_match_recall_and_collapse() {
    let world = world(Similarity::Frequency);
    let manifest = world.curate_to_stay(&config(), None).unwrap();
    // User 21 alone takes up the cluster 23; what is neither a cluster nor an answer counts against the model.
    let (report, _) = measured(&world, &manifest, |prompt| match prompt {
        "Cluster 1: cluster 0" => Some("cluster 23"),
        known if known.contains("took up: cluster 18") => Some(" cluster 23\n"),
        known if known.contains("took up: cluster 27") => Some("cluster 23, I guess"),
        _ => None,
    });
    let report = report.unwrap();
    assert_eq!(report.exact_match, Some(ExactMatch { asked: 4, matched: 2 }));
    let recall = report.recall.unwrap();
    assert_eq!((recall.users, recall.positions, recall.hits), (3, 6, 2), "{recall:?}");
    let Collapse { keys, distinct, own, .. } = report.collapse.unwrap();
    assert_eq!((keys, distinct, own), (2, 1, 0));
}

#[test]
fn it_says_beforehand_what_it_takes_keeps_to_the_budget_and_asks_nothing_twice() {
    let world = world(Similarity::Frequency);
    let manifest = world.curate_to_stay(&config(), None).unwrap();
    let budget = BudgetConfig { max_questions: Some(2), ..BudgetConfig::default() };
    let capped = inference::Config { budget, ..inference::Config::default() };
    // In the order in which a hash draws users, the budget does for the first one, and no longer.
    let (report, told, first) = asked(&world, &manifest, &capped, |_| Some("cluster 0"));
    assert!(told[0].total == 2 && told[0].message.contains("2 questions to ask about 4 keys"), "{told:?}");
    assert!(told[0].message.contains("2 over the budget") && told.last().unwrap().done == 2, "{told:?}");
    let report = report.unwrap();
    assert_eq!((first.len(), report.exact_match), (2, Some(ExactMatch { asked: 2, matched: 2 })));
    let recall = report.recall.unwrap();
    assert_eq!((recall.users, recall.positions), (1, 2), "the others were not asked about: {recall:?}");

    let (report, told, second) = asked(&world, &manifest, &inference::Config::default(), |_| Some("cluster 0"));
    assert!(told[0].message.contains("2 questions to ask about 4 keys (2 known)"), "{told:?}");
    assert!(second.len() == 2 && second.iter().all(|prompt| !first.contains(prompt)), "{second:?}");
    assert_eq!(report.unwrap().recall.unwrap().users, 3);
}

#[test]
fn without_a_held_out_user_nothing_is_measured() {
    let world = world(Similarity::Frequency);
    let mut manifest = world.curate_to_stay(&config(), None).unwrap();
    manifest.held_out.share = 0.0;
    let (report, asked) = measured(&world, &manifest, |_| Some("cluster 0"));
    assert_eq!((report.unwrap(), asked.len()), (Report::default(), 0));
}

#[test]
fn another_template_than_the_samples_is_refused() {
    let world = world(Similarity::Frequency);
    let mut manifest = world.curate_to_stay(&config(), None).unwrap();
    manifest.config.prompt = Template::Base;
    let (refused, asked) = measured(&world, &manifest, |_| Some("cluster 0"));
    assert!(refused.unwrap_err().to_string().contains("curate them again") && asked.is_empty());
}
