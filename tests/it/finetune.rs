//! What a model is tuned with: whose samples go where, what they show, and what is refused.

mod measured;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use segue::finetune::{Chat, Config, FinetuneError, Labels, Manifest, Samples, Settings, curate};
use segue::ids::ClusterId;
use segue::inference::prompt::{self, Template};
use segue::interactions::{self, HeldOut, Log, Window};
use segue::retrieval;
use segue::taxonomy::Taxonomy;
use serde_json::Value;
use tempfile::TempDir;

/// Of the users 0 to 59 those that are held out, as `count::held_out` tells.
const HELD_OUT: [u32; 3] = [21, 30, 31];
const USERS: u32 = 60;

struct World {
    dir: TempDir,
    clusters: u32,
    retrieval: retrieval::Config,
    min_users: u64,
}

/// A user, a cluster, and an hour of 2026.
type Row = (u32, u32, u32);

impl World {
    fn new(rows: &[Row]) -> Self {
        let dir = TempDir::new().unwrap();
        let mut log = "user_id,cluster_id,timestamp\n".to_owned();
        for (user, cluster, hour) in rows {
            writeln!(
                log,
                "{user},{cluster},2026-{:02}-{:02}T{:02}:00:00Z",
                1 + hour / 672,
                1 + hour / 24 % 28,
                hour % 24
            )
            .unwrap();
        }
        std::fs::write(dir.path().join("log.csv"), log).unwrap();
        let clusters = 1 + rows.iter().map(|row| row.1).max().unwrap();
        Self { dir, clusters, retrieval: retrieval::Config::default(), min_users: 1 }
    }

    /// What is in the directory, which is gone afterwards.
    fn curate(&self, config: &Config, from: Option<&str>) -> Result<(Manifest, Vec<Vec<Line>>), FinetuneError> {
        let manifest = self.curate_to_stay(config, from)?;
        let dir = self.dir.path().join("samples");
        let lines = ["train", "validation", "test"].map(|split| read(&dir.join(format!("{split}.jsonl"))));
        std::fs::remove_dir_all(&dir).unwrap();
        Ok((manifest, lines.into()))
    }

    fn curate_to_stay(&self, config: &Config, from: Option<&str>) -> Result<Manifest, FinetuneError> {
        let dir = self.dir.path().join("samples");
        let settings = Settings {
            k: 2,
            held_out: &HeldOut::default(),
            retrieval: &self.retrieval,
            prompt: &prompt::Config::default(),
            window: Window::parse(from, None).unwrap(),
        };
        let taxonomy = self.taxonomy();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async { curate(config, &settings, &self.log().await?, &taxonomy, &dir).await })
    }

    fn taxonomy(&self) -> Taxonomy {
        Taxonomy::new((0..self.clusters).map(|id| (ClusterId(id), format!("cluster {id}")))).unwrap()
    }

    async fn log(&self) -> Result<Log, interactions::Error> {
        let path = self.dir.path().join("log.csv").to_str().unwrap().to_owned();
        let config = interactions::Config { path, min_users: self.min_users, ..Default::default() };
        Log::open(&config, &self.taxonomy()).await
    }
}

/// What is said to the model, and what it is to say.
struct Line {
    prompt: String,
    answer: u32,
}

fn read(path: &Path) -> Vec<Line> {
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line.as_object().unwrap().len(), 1, "providers refuse other fields");
        let turns = line["messages"].as_array().unwrap();
        let roles: Vec<_> = turns.iter().map(|turn| turn["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["system", "user", "assistant"]);
        let answer = turns[2]["content"].as_str().unwrap().strip_prefix("cluster ").unwrap().parse().unwrap();
        Line { prompt: turns[1]["content"].as_str().unwrap().to_owned(), answer }
    };
    std::fs::read_to_string(path).unwrap().lines().map(line).collect()
}

/// Each user has three clusters that nobody else has: an answer tells its user.
fn strangers() -> Vec<Row> {
    (0..USERS).flat_map(|user| (0..3).map(move |n| (user, 3 * user + n, 24 * n + user))).collect()
}

/// Four hours apart everyone goes 0, 1, and then to a cluster of their own.
fn one_after_the_other() -> Vec<Row> {
    (0..USERS).flat_map(|user| [(user, 0, 4 * user), (user, 1, 4 * user + 1), (user, 2 + user, 4 * user + 2)]).collect()
}

fn few() -> Config {
    Config { min_samples: 2, ..Config::default() }
}

#[test]
fn a_user_is_in_one_part_and_the_held_out_are_the_test() {
    let config = Config { validation: 0.2, ..few() };
    let (manifest, parts) = World::new(&strangers()).curate(&config, None).unwrap();
    let users: Vec<BTreeSet<u32>> =
        parts.iter().map(|lines| lines.iter().map(|line| line.answer / 3).collect()).collect();
    assert_eq!(users[2], BTreeSet::from(HELD_OUT));
    assert!(users[1].len() >= 3, "{users:?}");
    assert_eq!(users.iter().map(BTreeSet::len).sum::<usize>(), USERS as usize, "none is lost, none is twice");
    assert_eq!(users.iter().flatten().collect::<BTreeSet<_>>().len(), USERS as usize);
    let told: usize = manifest.splits.values().map(|split| split.samples).sum();
    assert_eq!((told, manifest.splits["test"].labels.len()), (USERS as usize, 3));
    let (again, _) = World::new(&strangers()).curate(&config, None).unwrap();
    let hashes = |of: &Manifest| of.splits.values().map(|split| split.xxh3.clone()).collect::<Vec<_>>();
    assert_eq!(hashes(&again), hashes(&manifest), "the same seed draws the same");
}

#[test]
fn what_a_user_met_before_the_window_is_not_novel_in_it() {
    let mut rows = strangers();
    // A month later everyone goes the same way again, and comes to one new cluster in the end.
    let fresh = 3 * USERS;
    let again = |(user, cluster, hour): &Row| (*user, *cluster, hour + 672);
    rows.extend(strangers().iter().map(again));
    rows.extend((0..USERS).map(|user| (user, fresh + user % 2, 672 + 24 * 3 + user)));
    let config = Config { validation: 0.2, ..few() };
    let (_, parts) = World::new(&rows).curate(&config, Some("2026-02-01")).unwrap();
    assert!(parts.iter().flatten().all(|line| line.answer >= fresh));
    assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), USERS as usize);
}

#[test]
fn a_prompt_shows_what_others_did_strictly_before() {
    let rows = one_after_the_other();
    let config = Config { validation: 0.2, prompt: Template::Rag, ..few() };
    let (_, parts) = World::new(&rows).curate(&config, None).unwrap();
    for line in parts.iter().flatten() {
        let user = line.answer - 2;
        // All are equally frequent: the first within the last week by id, and never a held-out user's.
        let earliest =
            (0..user).find(|&other| !HELD_OUT.contains(&other) && 4 * other >= (4 * user + 2).saturating_sub(168));
        let shown = line.prompt.rsplit_once("took up: cluster ").map(|(_, id)| id.trim().parse::<u32>().unwrap() - 2);
        assert_eq!(shown, earliest, "of user {user}: {}", line.prompt);
    }
    let (_, base) = World::new(&rows).curate(&Config { prompt: Template::Base, ..config }, None).unwrap();
    assert!(base.iter().flatten().all(|line| line.prompt == "Cluster 1: cluster 0\nCluster 2: cluster 1"));
}

#[test]
fn what_too_few_users_did_is_in_no_file_and_no_prompt() {
    // Everyone goes 0, 1, then to 2 or 3, but user 0 first to 4, and in the end each to a cluster of their own.
    let third = |user| if user == 0 { 4 } else { 2 + user % 2 };
    let rows: Vec<Row> = (0..USERS)
        .flat_map(|user| {
            [(user, 0, 2), (user, 1, 3), (user, third(user), 4), (user, 5 + user, 5)]
                .map(|(user, cluster, hour)| (user, cluster, 4 * user + hour))
        })
        .collect();
    let config = Config { validation: 0.2, prompt: Template::Rag, ..few() };
    let curated = |min_users| {
        // Long enough that what user 0 did is known to the last.
        let window = Duration::from_secs(30 * 24 * 3600);
        let retrieval = retrieval::Config { top: 9, window, ..retrieval::Config::default() };
        World { retrieval, min_users, ..World::new(&rows) }.curate(&config, None).unwrap().1
    };
    let shows_rare =
        |line: &Line| line.prompt.contains("took up: cluster 4\n") || line.prompt.ends_with("took up: cluster 4");
    let one = curated(1);
    assert!(one.iter().all(|lines| lines.iter().any(|line| line.answer > 4)) && one[0].iter().any(shows_rare));
    for lines in curated(2) {
        assert!(!lines.is_empty() && lines.iter().all(|line| line.answer < 4 && !shows_rare(line)));
    }
}

#[test]
fn labels_are_as_told() {
    // From each of 60 clusters, 40 steps to the cluster 60, 16 to 61, 4 to 62.
    let to = |user: u32| {
        if user % 15 == 14 {
            62
        } else if user % 15 > 9 {
            61
        } else {
            60
        }
    };
    let rows: Vec<Row> = (0..USERS)
        .flat_map(|user| [(user, user, user), (user, (user + 1) % USERS, 99 + user), (user, to(user), 200 + user)])
        .collect();
    let counts = |labels| {
        let config = Config { samples: 9, min_samples: 2, labels, ..Config::default() };
        let (manifest, _) = World::new(&rows).curate(&config, None).unwrap();
        manifest.splits["train"].labels.values().copied().collect::<Vec<_>>()
    };
    assert_eq!(counts(Labels::Balanced), [3, 3, 3]);
    let (natural, tempered) = (counts(Labels::Natural), counts(Labels::Tempered));
    assert!(natural[0] > tempered[0] && tempered[0] > 3, "{natural:?} {tempered:?}");
}

#[test]
fn what_no_model_can_be_tuned_with_is_refused_and_nothing_is_written() {
    let check = |rows: &[Row], config: &Config, expected: &[&str]| {
        let world = World::new(rows);
        let error = world.curate(config, None).err().unwrap().to_string();
        assert!(expected.iter().all(|part| error.contains(part)), "{error}");
        assert_eq!(std::fs::read_dir(world.dir.path()).unwrap().count(), 1, "only the log");
    };
    check(&strangers(), &Config::default(), &["distinct novel transitions", "100 are needed", "min_samples"]);
    let same: Vec<Row> =
        (0..USERS).flat_map(|user| [(user, user, user), (user, (user + 1) % USERS, 99), (user, 60, 200)]).collect();
    check(&same, &few(), &["the same answer, `cluster 60`"]);
    let kept: Vec<Row> = strangers().into_iter().filter(|row| !HELD_OUT.contains(&row.0)).collect();
    check(&kept, &Config { validation: 0.2, ..few() }, &["for the test", "evaluation.held_out.share"]);
    check(&strangers(), &Config { validation: 0.9, ..few() }, &["validation = 0.9"]);
}

#[test]
fn a_directory_that_exists_is_not_written_over() {
    let world = World::new(&strangers());
    let dir = world.dir.path().join("samples");
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("train.jsonl"), "mine").unwrap();
    let error = world.curate(&few(), None).err().unwrap().to_string();
    assert!(error.contains("exists already"), "{error}");
    assert_eq!(std::fs::read_to_string(dir.join("train.jsonl")).unwrap(), "mine");
}

#[test]
fn samples_are_read_back_as_they_were_written_or_not_at_all() {
    let world = World::new(&strangers());
    let config = Config { validation: 0.2, ..few() };
    let (_, parts) = world.curate(&config, None).unwrap();
    let manifest = world.curate_to_stay(&config, None).unwrap();
    let clusters = world.taxonomy();
    let dir = world.dir.path().join("samples");
    let read =
        |config: &Config, taxonomy: &Taxonomy| Samples::read(&dir, config, taxonomy).map_err(|error| error.to_string());
    let samples = read(&config, &clusters).unwrap();
    assert_eq!(samples.manifest, manifest);
    for (chats, lines) in [(&samples.train, &parts[0]), (&samples.validation, &parts[1])] {
        let answers = |chat: &Chat| chat.answer.clone();
        assert_eq!(
            chats.iter().map(answers).collect::<Vec<_>>(),
            lines.iter().map(|line| format!("cluster {}", line.answer)).collect::<Vec<_>>()
        );
        assert!(chats.iter().zip(lines).all(|(chat, line)| chat.prompt.last().unwrap().content == line.prompt));
    }
    let others = Taxonomy::new((0..world.clusters).map(|id| (ClusterId(id), format!("other {id}")))).unwrap();
    assert!(read(&config, &others).unwrap_err().contains("curate samples again"));
    let error = read(&Config { min_samples: 1_000, ..config.clone() }, &clusters).unwrap_err();
    assert!(error.contains("train.jsonl") && error.contains("1000 are needed"), "{error}");
    let path = dir.join("validation.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("cluster", "Cluster", 1)).unwrap();
    let error = read(&config, &clusters).unwrap_err();
    assert!(error.contains("validation.jsonl") && error.contains("it was changed"), "{error}");
    std::fs::remove_file(dir.join("manifest.json")).unwrap();
    assert!(read(&config, &clusters).unwrap_err().contains("segue finetune curate"));
}
