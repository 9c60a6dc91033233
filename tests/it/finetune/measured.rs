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

use super::{HELD_OUT, USERS, World, few, one_after_the_other, read};

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
    let report = report.map(|measured| measured.report);
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
        // Of a history of one cluster it learns nothing, and it is not asked what follows that.
        let lines = read(&world.dir.path().join("samples/test.jsonl"));
        let samples: BTreeSet<String> = lines.into_iter().map(|line| line.prompt).collect();
        assert_eq!((asked.len(), asked.into_iter().collect()), (HELD_OUT.len(), samples), "{similarity:?}");
    }
}

#[test]
fn answers_come_to_exact_match_recall_and_collapse() {
    let world = world(Similarity::Frequency);
    let manifest = world.curate_to_stay(&config(), None).unwrap();
    // User 21 alone takes up the cluster 23; what is no cluster counts against the model.
    let (report, _) = measured(&world, &manifest, |prompt| match prompt {
        known if known.contains("took up: cluster 18") => Some(" cluster 23\n"),
        known if known.contains("took up: cluster 27") => Some("cluster 23, I guess"),
        _ => Some("none"),
    });
    let report = report.unwrap();
    assert_eq!(report.exact_match, Some(ExactMatch { asked: 3, matched: 1 }));
    let recall = report.recall.unwrap();
    assert_eq!((recall.users, recall.positions, recall.hits), (3, 3, 1), "{recall:?}");
    let Collapse { keys, distinct, own, .. } = report.collapse.unwrap();
    assert_eq!((keys, distinct, own), (1, 1, 0));
}

#[test]
fn questions_that_fail_do_not_count_against_the_model_and_are_asked_again() {
    let world = world(Similarity::Frequency);
    let manifest = world.curate_to_stay(&config(), None).unwrap();
    let broken = |prompt: &str| (!prompt.contains("took up: cluster 18")).then_some("cluster 0");
    let (report, asked) = measured(&world, &manifest, broken);
    let error = report.unwrap_err().to_string();
    assert!(error.contains("1 of 3 questions") && error.contains("Run again"), "{error}");
    let (report, again) = measured(&world, &manifest, |_| Some("cluster 0"));
    assert_eq!((asked.len(), again.len(), report.unwrap().exact_match.unwrap().asked), (3, 1, 3));
}

#[test]
fn it_says_beforehand_what_it_takes_keeps_to_the_budget_and_asks_nothing_twice() {
    let world = world(Similarity::Frequency);
    let manifest = world.curate_to_stay(&config(), None).unwrap();
    let budget = BudgetConfig { max_questions: Some(1), ..BudgetConfig::default() };
    let capped = inference::Config { budget, ..inference::Config::default() };
    // In the order in which a hash draws users, the budget does for the first one, and no longer.
    let (report, told, first) = asked(&world, &manifest, &capped, |_| Some("cluster 0"));
    assert!(told[0].total == 1 && told[0].message.contains("1 questions to ask about 3 keys"), "{told:?}");
    assert!(told[0].message.contains("2 over the budget") && told.last().unwrap().done == 1, "{told:?}");
    let report = report.unwrap();
    assert_eq!((first.len(), report.exact_match), (1, Some(ExactMatch { asked: 1, matched: 1 })));
    let recall = report.recall.unwrap();
    assert_eq!((recall.users, recall.positions), (1, 1), "the others were not asked about: {recall:?}");

    let (report, told, second) = asked(&world, &manifest, &inference::Config::default(), |_| Some("cluster 0"));
    assert!(told[0].message.contains("2 questions to ask about 3 keys (1 known)"), "{told:?}");
    assert!(second.len() == 2 && second.iter().all(|prompt| !first.contains(prompt)), "{second:?}");
    assert_eq!(report.unwrap().recall.unwrap().users, 3);
}

#[test]
fn who_never_met_a_whole_key_takes_nobodys_place() {
    let mut rows = one_after_the_other();
    rows.extend((USERS..10 * USERS).flat_map(|user| [(user, 0, user), (user, 1, user + 1)]));
    let world = World::new(&rows);
    let config = Config { watched: HELD_OUT.len(), ..config() };
    let manifest = world.curate_to_stay(&config, None).unwrap();
    let (report, asked) = measured(&world, &manifest, |_| Some("cluster 0"));
    let recall = report.unwrap().recall.unwrap();
    assert_eq!((recall.users, recall.positions), (3, 3), "{recall:?}");
    assert!(asked.iter().all(|prompt| prompt.starts_with("Cluster 1: cluster 0\nCluster 2: cluster 1")), "{asked:?}");
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
