//! What becomes of tuned models: judged, approved or held, asked, gone back from.

use serde_json::{Value, json};

use super::harness::World;
use super::jobs::{RUN, world};
use crate::inference::endpoint::{Behaviour, Endpoint, user};

/// Says the last description shown: a cluster's, though the user's own.
pub(super) fn obeying() -> Endpoint {
    let answering = |body: &Value| {
        let last = user(body).lines().last().unwrap_or_default().to_owned();
        last.split_once(": ").map_or(String::new(), |(_, description)| description.to_owned())
    };
    Endpoint::start(Behaviour { answering: Box::new(answering), ..Behaviour::default() })
}

#[test]
fn a_model_that_obeys_is_approved() {
    let world = world(&obeying());
    let ran = world.run(&RUN);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "approved m1\n"), "{ran:?}");
    assert!(!ran.stderr.contains("will not ask"), "{ran:?}");
}

#[test]
fn a_model_that_the_config_does_not_have_asked_is_said_to_be_so() {
    let world = world(&obeying());
    let aside = ["--set", "inference.model=config"];
    let ran = world.run(&[&RUN[..], &aside].concat());
    let says = "refreshes will not ask m1 until [inference] says model = \"registry\"\n";
    assert!(ran.code == Some(0) && ran.stderr.contains(says), "{ran:?}");
    let both = [&aside[..], &["--set", "inference.backend=retrieved"]].concat();
    let approved = world.run(&[&["models", "approve", "m1", "--why", "again"], &both[..]].concat());
    assert!(approved.stderr.contains("says model = \"registry\" and backend = \"openai\""), "{approved:?}");
    assert!(!world.run(&["models", "approve", "m1", "--why", "again"]).stderr.contains("will not ask"));
}

#[test]
fn a_model_that_too_few_held_out_users_can_tell_of_is_held() {
    let world = world(&obeying());
    let ran = world.run(&[&RUN[..], &["--set", "evaluation.recall.severity=fail"]].concat());
    assert_eq!(ran.code, Some(3), "{ran:?}");
    for said in ["held m1: recall: held-out users have ", "at least 200 are needed", "finetune.watched"] {
        assert!(ran.stdout.contains(said), "{said}: {ran:?}");
    }
    let findings = &world.json(&["models", "show", "m1"])["judgements"][0]["findings"];
    assert_eq!((findings.as_array().map(Vec::len), &findings[1]["outcome"]), (Some(3), &json!("fail")), "{findings}");
}

#[test]
fn a_model_that_says_one_thing_over_and_over_is_held() {
    // A cluster's description, word for word, whatever is asked.
    let clusters = World::simulated(1).read("clusters.csv");
    let one = clusters.lines().nth(3).and_then(|line| line.split_once(',')).unwrap().1.trim_matches('"').to_owned();
    let answering = Box::new(move |_: &Value| one.clone());
    let world = world(&Endpoint::start(Behaviour { answering, ..Behaviour::default() }));
    let strict = ["--set", "evaluation.collapse.severity=fail", "--set", "evaluation.collapse.min_keys=10"];
    let ran = world.run(&[&RUN[..], &strict].concat());
    assert_eq!(ran.code, Some(3), "{ran:?}");
    assert!(ran.stdout.starts_with("held m1: collapse: the answers collapse: "), "{ran:?}");
    assert!(ran.stdout.contains("100.0 % are cluster 3, at most 30.0 % may be"), "{ran:?}");
    let findings = &world.json(&["models", "show", "m1"])["judgements"][0]["findings"];
    assert_eq!(
        (&findings[0]["gate"], &findings[0]["outcome"]),
        (&json!("exact_match"), &json!("pass")),
        "the paper's check alone lets it through: {findings}"
    );
    world.run(&["refresh"]);
    assert_eq!(world.json(&["models", "list"])[0]["asked"], false);
}

#[test]
fn one_command_goes_back_to_the_model_before() {
    let world = world(&obeying());
    world.text(&RUN);
    world.text(&[&RUN[..], &["--dir", "second", "--set", "finetune.openai.epochs=2"]].concat());
    let asked = |version: u64| {
        assert_eq!(world.refresh(), version);
        world.json(&["versions", "show", &version.to_string()])["lineage"]["model"].clone()
    };
    assert_eq!(asked(1), "openai/ft:base:org::ftjob-1");
    let back = world.run(&["models", "rollback", "--why", "the second says worse"]);
    assert_eq!((back.code, back.stdout.as_str()), (Some(0), "m1 is approved\n"), "{back:?}");
    let models = world.json(&["models", "list"]);
    let told: Vec<_> = models.as_array().unwrap().iter().map(|model| (&model["state"], &model["asked"])).collect();
    assert_eq!(told, [(&json!("retired"), &json!(false)), (&json!("approved"), &json!(true))]);
    assert_eq!(world.json(&["models", "show", "m2"])["judgements"][1]["why"], "the second says worse");
    assert_eq!(asked(2), "openai/ft:base:org::ftjob-0");
    world.run(&["models", "rollback"]).refused(&["no approved model before"]);
}

#[test]
fn how_often_each_answer_is_drawn_is_shown_as_a_picture() {
    let world = world(&obeying());
    let text = world.text(&["finetune", "curate", "--dir", "again", "--stats"]);
    let manifest: Value = serde_json::from_str(&world.read("again/manifest.json")).unwrap();
    let labels = manifest["splits"]["train"]["labels"].as_object().unwrap();
    let mut counts: Vec<u64> = labels.values().map(|count| count.as_u64().unwrap()).collect();
    counts.sort_by_key(|&count| std::cmp::Reverse(count));
    let mut lines = text.lines().skip_while(|line| !line.starts_with("answer"));
    assert_eq!(
        lines.next().unwrap().split_whitespace().collect::<Vec<_>>(),
        ["answer", "samples", "drawn", "in", "the", "log"]
    );
    let rows: Vec<_> = lines.collect();
    assert_eq!(rows.len(), counts.len(), "{text}");
    for (row, &count) in rows.iter().zip(&counts) {
        let share = format!("{:.1} %", 100.0 * count as f64 / 24.0);
        assert!(row.contains(&format!("  {count} ")) && row.contains(&share), "{count}, {share}: {text}");
        let bar = (40.0 * count as f64 / counts[0] as f64).ceil() as usize;
        assert_eq!(row.matches('\u{2588}').count(), bar, "{text}");
    }
}

#[test]
fn a_model_is_asked_about_what_it_was_tuned_for_and_otherwise_refused_or_warned_of() {
    let endpoint = obeying();
    let world = world(&endpoint);
    assert_eq!(world.run(&RUN).code, Some(0));
    let refresh = |set: &[&str]| {
        let set = set.iter().flat_map(|set| ["--set", set]);
        world.run(&["refresh", "--allow-taxonomy-change"].into_iter().chain(set).collect::<Vec<_>>())
    };
    let same = refresh(&[]);
    assert!(same.code == Some(0) && !same.stderr.contains("was tuned"), "{same:?}");
    let prompt = refresh(&["inference.prompt.template=base"]);
    for said in ["m1 was tuned and judged with the prompt `rag` (", "is asked with the prompt `base` ("] {
        assert!(prompt.code == Some(0) && prompt.stderr.contains(said), "{said}: {prompt:?}");
    }
    let shown = refresh(&["retrieval.top=3"]);
    for said in ["with [retrieval] top 1 by frequency, instance, of 7days", "asked with top 3 by frequency"] {
        assert!(shown.code == Some(0) && shown.stderr.contains(said), "{said}: {shown:?}");
    }

    let asked = endpoint.questions().len();
    refresh(&["table.k=3"]).refused(&["m1 of the store", "histories of 2 clusters", "table.k = 3", "curate and tune"]);
    let tuned_for = world.json(&["models", "show", "m1"])["training"]["manifest"]["taxonomy_hash"].clone();
    world.write("clusters.csv", &world.read("clusters.csv").replacen("1,\"", "1,\"another, ", 1));
    let tuned_for = format!("tuned for the taxonomy {}", tuned_for.as_str().unwrap());
    refresh(&[]).refused(&["m1 of the store", &tuned_for, "clusters.csv holds ", "\"retrieved\" until then"]);
    assert_eq!(endpoint.questions().len(), asked, "nothing is asked for nothing");
}
