//! Exposures joined with outcomes: what counts, what does not, and that it is said.

use chrono::NaiveDate;
use segue::experiment::{Config, OutcomesConfig, Question, Report, Step, measure};
use segue::interactions::{self, Window};
use serde_json::{Value, json};

/// Units a, b and c in control, d, e and f in fresh; and everything that can be wrong with others.
const EXPOSURES: &str = "experiment,arm,unit,timestamp
rag,control,a,2026-03-01T10:00:00Z
rag,control,a,2026-03-01T10:00:00Z
rag,control,a,2026-03-02T10:00:00Z
rag,control,b,2026-03-01T11:00:00Z
rag,control,c,2026-03-02T09:00:00Z
rag,fresh,e,2026-03-02T01:00:00Z
rag,fresh,d,2026-03-01T11:00:00Z
rag,fresh,e,2026-03-01T11:00:00Z
rag,fresh,f,2026-03-02T11:00:00Z
rag,fresh,x,2026-03-01T11:00:00Z
rag,control,x,2026-03-02T11:00:00Z
rag,stale,y,2026-03-01T11:00:00Z
rag,fresh,late,2026-05-01T11:00:00Z
other,fresh,z,2026-03-01T11:00:00Z
rag,fresh,,2026-03-01T11:00:00Z
";

const OUTCOMES: &str = "user_id,timestamp,likes,seen
a,2026-02-27T10:00:00Z,9,9
a,2025-01-01T10:00:00Z,9,9
b,2026-03-01T10:30:00Z,9,9
a,2026-03-01T10:00:00Z,2,4
a,2026-03-01T10:00:00Z,2,4
b,2026-03-01T12:00:00Z,2,2
b,2026-03-02T00:00:00Z,4,4
c,2026-03-03T10:00:00Z,3,6
d,2026-03-01T12:00:00Z,3,
e,2026-03-02T12:00:00Z,6,7
x,2026-03-03T12:00:00Z,9,9
nobody,2026-03-03T12:00:00Z,9,9
,2026-03-03T12:00:00Z,9,9
d,yesterday,9,9
d,2026-03-03T12:00:00Z,many,9
";

async fn measured(exposures: &str, outcomes: &str, change: Value) -> Result<Report, String> {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name).display().to_string()
    };
    let mut experiment = super::assign::json(&[("control", 0.5), ("fresh", 0.5)]);
    experiment["end"] = json!("2026-04-01T00:00:00Z");
    let mut config = json!({
        "path": file("outcomes.csv", outcomes), "before": "30d",
        "metrics": {"likes": {"sum": "likes"}, "mean": {"mean": "likes"}, "rate": {"ratio": {"of": "likes", "per": "seen"}}},
    });
    config.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let question = Question {
        experiment: &serde_json::from_value::<Config>(experiment).unwrap(),
        exposures: &file("exposures.csv", exposures),
        outcomes: &serde_json::from_value::<OutcomesConfig>(config).unwrap(),
        engine: &interactions::Config { max_bad_share: 0.5, ..Default::default() },
        control: None,
        window: Window::default(),
    };
    let mut steps = Vec::new();
    let measured = measure(&question, &mut |step| steps.push(step)).await.map_err(|error| error.to_string());
    if measured.is_ok() {
        assert_eq!(steps, [Step::Exposures, Step::Outcomes, Step::Join]);
    }
    measured
}

fn percents(report: &Report, metric: &str) -> Vec<Option<f64>> {
    let told = report.metrics.iter().find(|told| told.metric == metric).unwrap();
    let days = told.days.iter().map(|day| day.day.percent);
    let rounded = |percent: Option<f64>| percent.map(|percent| (1e6 * percent).round() / 1e6);
    days.chain([told.overall.percent]).map(rounded).collect()
}

#[tokio::test]
async fn outcomes_count_from_the_exposure_on_and_the_rest_is_told() {
    let report = measured(EXPOSURES, OUTCOMES, json!({})).await.unwrap();
    assert_eq!((report.from, report.days), (NaiveDate::from_ymd_opt(2026, 3, 1).unwrap(), 3));
    assert_eq!((report.sample_ratio.units.as_slice(), report.mismatch), ([3, 3].as_slice(), false));
    // By unit 2, 6, 3 and 3, 6, 0; on the first day 2, 2 and 3, 0. On others one unit of control did all.
    assert_eq!(percents(&report, "likes"), [Some(-25.0), None, None, Some(-18.181818)]);
    // 11 of 4 rows and 9 of 2; where `seen` is null the row has no part in the denominator.
    assert_eq!(percents(&report, "mean").last().unwrap(), &Some(63.636364));
    assert_eq!(percents(&report, "rate").last().unwrap(), &Some(87.012987));
    let told = serde_json::to_value(&report).unwrap();
    for (section, name, count) in [
        ("logs", "exposures", 11),
        ("logs", "exposures_repeated", 1),
        ("logs", "exposures_at_other_times", 1),
        ("logs", "exposures_bad", 1),
        ("logs", "outcomes_bad", 3),
        ("logs", "outcomes_of_unexposed_units", 1),
        ("met", "units_in_two_arms", 1),
        ("met", "units_of_unknown_arms", 1),
        ("met", "units_without_outcomes", 1),
        ("met", "outcomes_measured", 6),
        ("met", "outcomes_before", 1),
        ("met", "outcomes_before_exposure", 1),
        ("met", "outcomes_at_other_times", 1),
        ("met", "outcomes_of_units_left_out", 1),
        ("met", "outcomes_repeated", 1),
    ] {
        assert_eq!(told[section][name], count, "{name}: {told:#}");
    }
    assert!(!told.to_string().contains("null,null") && !told.to_string().contains("NaN"), "{told:#}");
}

#[tokio::test]
async fn equal_rows_may_be_two_outcomes() {
    let report = measured(EXPOSURES, OUTCOMES, json!({"distinct": false})).await.unwrap();
    let likes = report.metrics.iter().find(|told| told.metric == "likes").unwrap();
    assert_eq!((likes.in_control, report.met.outcomes_repeated), (Some(13.0 / 3.0), 0));
}

#[tokio::test]
async fn what_cannot_be_measured_is_refused_by_name() {
    let refused = async |exposures: &str, outcomes: &str, change: Value, parts: &[&str]| {
        let error = measured(exposures, outcomes, change).await.unwrap_err();
        parts.iter().for_each(|part| assert!(error.contains(part), "no `{part}` in `{error}`"));
    };
    let metrics = |formula: Value| json!({"metrics": {"x": formula}});
    refused(EXPOSURES, OUTCOMES, metrics(json!({"sum": "likes +"})), &["\"x\" sum = `likes +`", "sql parser"]).await;
    refused(EXPOSURES, OUTCOMES, metrics(json!({"sum": "sum(likes)"})), &["must concern one row"]).await;
    refused(EXPOSURES, OUTCOMES, metrics(json!({"mean": "user_id"})), &["must be a number"]).await;
    refused(EXPOSURES, OUTCOMES, json!({"expected_effect": 0.0}), &["expected_effect = 0"]).await;
    refused(EXPOSURES, OUTCOMES, json!({"columns": {"timestamp": "likes"}}), &["timestamp_unit"]).await;
    let others = EXPOSURES.replace("rag,", "rug,");
    refused(&others, OUTCOMES, json!({}), &["no exposure of experiment `rag`", "`other`, `rug`"]).await;
    let strangers = OUTCOMES.replace("\na,", "\n1,").replace("\nb,", "\n2,").replace("\nc,", "\n3,");
    let strangers = strangers.replace("\nd,", "\n4,").replace("\ne,", "\n5,").replace("\nx,", "\n6,");
    refused(EXPOSURES, &strangers, json!({}), &["no outcome", "are of units never exposed"]).await;
    let far = format!("{OUTCOMES}a,2099-01-01T00:00:00Z,1,1\n");
    assert_eq!(measured(EXPOSURES, &far, json!({})).await.unwrap().days, 3, "the experiment has an end");
}

/// Nobody's days, and nobody's zeros.
#[tokio::test]
async fn only_exposed_units_make_days_and_who_came_later_is_in_no_metric() {
    let report = measured(EXPOSURES, OUTCOMES, json!({})).await.unwrap();
    let stranger = format!("{OUTCOMES}stranger,2026-03-30T00:00:00Z,9,9\n");
    let with_stranger = measured(EXPOSURES, &stranger, json!({})).await.unwrap();
    assert_eq!((with_stranger.days, with_stranger.logs.outcomes_of_unexposed_units), (3, 2));
    assert_eq!(percents(&with_stranger, "likes"), percents(&report, "likes"));
    // Before its unit's exposure.
    let early = format!("{EXPOSURES}rag,fresh,g,2026-03-20T00:00:00Z\nrag,control,h,2026-03-21T00:00:00Z\n");
    let outcomes = format!("{OUTCOMES}g,2026-03-19T00:00:00Z,9,9\n");
    let later = measured(&early, &outcomes, json!({})).await.unwrap();
    assert_eq!((later.days, later.met.units_exposed_later, later.met.units_without_outcomes), (3, 2, 1));
    assert_eq!(later.sample_ratio.units, [4, 4]);
    assert_eq!(percents(&later, "likes"), percents(&report, "likes"));
    let units = later.metrics[0].days.last().unwrap().so_far_values;
    assert_eq!((units.units_in_control, units.units_in_arm), (3, 3));
}
