//! `segue evaluate` on tables that a language model made: with fresh behaviour in its prompts, without, and once more.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::harness::World;
use crate::inference::endpoint::{Behaviour, Endpoint, user};

/// Twenty days, and three versions made on the sixth: v1 asked without fresh behaviour, v2 with it, v3 like v1 with another
/// seed. Where the prompt shows a successor, most prompts are answered by it; without, the seed decides now and then.
fn world() -> World {
    let world = World::simulated(20);
    let clusters = world.read("clusters.csv");
    let described = |line: &str| Some(line.split_once(',')?.1.trim_matches('"').to_owned());
    let described: Vec<String> = clusters.lines().skip(1).filter_map(described).collect();
    let answering = move |body: &Value| {
        let last = user(body).lines().last().unwrap_or_default().to_owned();
        let mut hasher = DefaultHasher::new();
        user(body).hash(&mut hasher);
        let hash = hasher.finish() as usize;
        match last.split_once("took up: ") {
            Some((_, shown)) if !hash.is_multiple_of(4) => shown.to_owned(),
            _ => {
                let seed = if hash.is_multiple_of(3) { body["seed"].as_u64().unwrap() as usize } else { 0 };
                described[(hash / 12 + seed) % described.len()].clone()
            }
        }
    };
    let endpoint = Endpoint::start(Behaviour { answering: Box::new(answering), ..Behaviour::default() });
    let config = world.read("segue.toml");
    let more = format!(
        "[retrieval]\nwindow = \"2d\"\n[inference]\nbackend = \"openai\"\nkeys = {{ observed = 1 }}\n\
         decoding = {{ temperature = 0.7 }}\n[inference.openai]\nurl = \"{}\"\nmodel = \"m\"\nkey_env = \"SEGUE_TEST_KEY\"\n\
         [evaluation]\ncollapse = {{ severity = \"warn\" }}\nfallbacks = {{ severity = \"warn\" }}\n",
        endpoint.url
    );
    world.write("segue.toml", &format!("{config}\n{more}"));
    for (channel, set) in [
        ("without", "inference.prompt.template=base"),
        ("main", "inference.prompt.template=rag"),
        ("again", "inference.prompt.template=base"),
    ] {
        let seed = format!("inference.decoding.seed={}", u8::from(channel == "again"));
        let args = ["refresh", "--to", "2026-01-07", "--channel", channel, "--set", set, "--set", &seed];
        let told = world.json(&args);
        assert_eq!(told["outcome"], "published", "{told}");
    }
    world
}

/// A fourth version, like v2 and two days later.
fn refreshed(world: &World) {
    let set = ["--set", "inference.prompt.template=rag"];
    let told = world.json(&[&["refresh", "--to", "2026-01-09"][..], &set].concat());
    assert_eq!((&told["outcome"], &told["version"]), (&json!("published"), &json!(4)), "{told}");
}

#[test]
fn what_fresh_behaviour_changes_is_told_beside_what_changes_anyway() {
    let world = world();
    let asked = ["evaluate", "overlap", "v1", "v2", "--repeat", "v3"];
    let told = world.json(&[&asked[..], &["--csv", "overlap.csv", "--picture", "overlap.svg"]].concat());
    assert_eq!(told["drawn"]["seeds"], json!([0, 1]));
    assert!((told["drawn"]["temperature"].as_f64().unwrap() - 0.7).abs() < 1e-6, "{told}");
    let differ = &told["differ_in"];
    assert_eq!(differ, &json!(["the prompt", "inference.prompt.template"]));
    let share = |of: &str| told[of].as_f64().unwrap();
    assert!(share("change") > share("noise") && share("noise") > 0.0, "{told}");
    assert!((share("net") - (share("change") - share("noise"))).abs() < 1e-9, "{told}");
    let origin = |of: &str| told["origin"][of].as_u64().unwrap();
    assert!(origin("context") > 0 && origin("new") > 0, "{told}");
    assert!(origin("context") + origin("new") <= origin("keys"), "{told}");
    assert_eq!(origin("keys"), told["overlap"]["keys"].as_u64().unwrap(), "every answer has its explanation");

    let csv = world.read("overlap.csv");
    assert!(csv.starts_with("figure,keys,value,low,high\nv1 and v2 identical,"), "{csv}");
    let value = |name: &str| {
        let line = csv.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}: {csv}"));
        line.split(',').nth(2).unwrap().parse::<f64>().unwrap()
    };
    assert!((value("change beyond noise") - share("net")).abs() < 1e-9, "{csv}");
    let of_keys = |of: &str| origin(of) as f64 / origin("keys") as f64;
    assert!((value("v2 says what its prompt showed") - of_keys("context")).abs() < 1e-9, "{csv}");
    assert!((value("v2 says what neither has") - of_keys("new")).abs() < 1e-9, "{csv}");
    let picture = world.read("overlap.svg");
    assert!(picture.contains("change beyond noise") && picture.contains("v2 says what neither has"), "{picture}");

    let ran = world.run(&asked);
    assert!(ran.stdout.contains("at temperature 0.7, with the seeds 0, 1"), "{ran:?}");
    assert!(ran.stderr.contains("compare 0/3: v1 and its repeat v3"), "{ran:?}");
    let repeat = |version| world.run(&["evaluate", "overlap", "v1", "v2", "--repeat", version]);
    repeat("v1").refused(&["v1 is no repeat of v1", "the seed 0"]);
    repeat("v2").refused(&["v2 is no repeat of v1", "the prompt, inference.prompt.template"]);
}

#[test]
fn the_page_of_evidence_says_what_a_model_adds() {
    let world = world();
    world.write("notes.md", "## Beside another program\n\nThe same.\n");
    let asked =
        ["evaluate", "evidence", "--from", "2026-01-07", "--to", "2026-01-12", "--resamples", "20", "--deals", "2"];
    let versions = ["--versions", "retrieved:2026-01-05,retrieved:week:9+3", "--notes", "notes.md"];
    refreshed(&world);
    let of_model = ["--overlap", "v1", "v2", "--repeat", "v3", "--refreshed", "v4"];
    let claims = world.json(&[&asked[..], &versions, &of_model].concat());
    let verdict = |claim: &str| {
        let found = claims.as_array().unwrap().iter().find(|of| of["claim"].as_str().unwrap().contains(claim));
        found.unwrap_or_else(|| panic!("no `{claim}` in {claims}"))
    };
    let fresh = verdict("prompts with fresh behaviour hit more than prompts without (`version:2` beside `version:1`)");
    assert_ne!(fresh["verdict"], "not measured here", "{fresh}");
    let refreshed = verdict("refreshed, hit more than those of the first day, held (`version:2+4` beside `version:2`)");
    assert_ne!(refreshed["verdict"], "not measured here", "{refreshed}");
    let rewritten = verdict("7.8 %");
    let says = rewritten["measured"].as_str().unwrap();
    assert!(says.contains("when repeated at temperature 0.7; ") && says.contains("what the prompt showed"), "{says}");
    assert_eq!(rewritten["verdict"], "holds", "{says}");
    verdict("keys that were rarely seen are worth a row of their own (`retrieved:month` beside `retrieved:week:9+3`");
    verdict("refreshed hits more than held fixed (`retrieved:2d` beside `retrieved:2026-01-05`, by week)");
    let page = world.read("docs/evidence.md");
    assert!(!page.contains("not measured here") && !page.contains("No language model was asked"), "{page}");
    assert!(page.contains("v1 was made without fresh behaviour") && page.contains("change beyond noise"), "{page}");
    assert!(page.ends_with("## Beside another program\n\nThe same.\n"), "{page}");
    for picture in ["overlap.svg", "hit-rate-of-model.svg", "hit-rate-of-model-n.svg"] {
        assert!(page.contains(&format!("](evidence/{picture})")) && world.file("docs/evidence").join(picture).exists());
    }
    let ask = |of_model: &[&str]| world.run(&[&asked[..], of_model].concat());
    ask(&["--overlap", "v2", "v1"]).refused(&["v2 was made with the template `rag`, and `base` is needed"]);
    ask(&["--overlap", "v1", "v2", "--refreshed", "v3"]).refused(&["v3 was made with the template `base`"]);
    ask(&["--overlap", "v1", "v9"]).refused(&["v9"]);
    assert_eq!(ask(&["--repeat", "v3"]).code, Some(2));
}
