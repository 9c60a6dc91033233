//! What cannot be run is refused, and told.

use segue::experiment::{Config, Experiments};
use serde_json::{Value, json};

/// A good experiment, but for what `change` does.
fn told(change: impl FnOnce(&mut Value)) -> String {
    let mut json = super::assign::json(&[("control", 0.5), ("fresh", 0.5)]);
    change(&mut json);
    match serde_json::from_value::<Config>(json) {
        Ok(config) => Experiments::new(&[config]).map_or_else(|error| error.to_string(), |_| String::new()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_fault_is_named() {
    assert_eq!(told(|_| {}), "");
    let arm = json!({"name": "control", "weight": 0.5, "channel": "main"});
    for (field, value, expected) in [
        ("arms", json!([arm]), "1 arm(s)"),
        ("arms", json!([]), "0 arm(s)"),
        ("arms", json!([arm, arm]), "two arms named `control`"),
        ("arms", json!([arm, {"name": "b", "weight": 0.4, "channel": "b"}]), "add up to 0.9"),
        ("arms", json!([arm, {"name": "b", "weight": -0.5, "channel": "b"}]), "arm `b` has weight -0.5"),
        ("arms", json!([arm, {"name": "b", "weight": 0.5}]), "missing field `channel`"),
        ("arms", json!([arm, {"name": "b", "weight": 0.5, "channel": ""}]), "arms[1].channel is empty"),
        ("traffic", json!(0.0), "traffic is 0"),
        ("traffic", json!(1.5), "traffic is 1.5"),
        ("salt", json!(""), "salt is empty"),
        ("salt", json!("a\u{0}b"), "salt is empty or holds a NUL"),
        ("end", json!("2026-03-01T00:00:00Z"), "before or when it starts"),
        ("slat", json!("x"), "unknown field `slat`"),
    ] {
        let told = told(|json| {
            json["start"] = json!("2026-03-01T00:00:00Z");
            json[field] = value;
        });
        assert!(told.contains(expected), "{field}: {told}");
    }
}

#[test]
fn two_experiments_may_not_disturb_each_other() {
    let config = |name: &str, salt: &str, channel: &str| -> Config {
        let mut json = super::assign::json(&[("control", 0.5), ("fresh", 0.5)]);
        (json["name"], json["salt"], json["channel"]) = (json!(name), json!(salt), json!(channel));
        serde_json::from_value(json).unwrap()
    };
    let told =
        |second: Config| Experiments::new(&[config("a", "s", "main"), second]).map_err(|error| error.to_string());
    assert!(told(config("b", "t", "other")).is_ok());
    assert!(told(config("a", "t", "other")).unwrap_err().contains("named `a`"));
    assert!(told(config("b", "t", "main")).unwrap_err().contains("`a` and `b` both take over channel `main`"));
    assert!(told(config("b", "s", "other")).unwrap_err().contains("same salt"));
}

#[test]
fn one_after_the_other_two_experiments_share_a_channel() {
    let config = |name: &str, start: Option<&str>, end: Option<&str>| -> Config {
        let mut json = super::assign::json(&[("control", 0.5), ("fresh", 0.5)]);
        (json["name"], json["salt"], json["start"], json["end"]) = (json!(name), json!(name), json!(start), json!(end));
        serde_json::from_value(json).unwrap()
    };
    let [march, april, may] = ["2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z", "2026-05-01T00:00:00Z"];
    let pair = |one: (Option<&str>, Option<&str>), other: (Option<&str>, Option<&str>)| {
        Experiments::new(&[config("a", one.0, one.1), config("b", other.0, other.1)])
    };
    for (one, other) in [
        ((None, None), (Some(april), None)),
        ((Some(march), None), (None, Some(may))),
        ((Some(march), Some(may)), (Some(april), None)),
        ((Some(march), Some(april)), (Some(march), Some(april))),
    ] {
        assert!(
            pair(one, other).unwrap_err().to_string().contains("both take over channel `main`"),
            "{one:?} {other:?}"
        );
        assert!(pair(other, one).is_err());
    }
    // A common border belongs to the later one.
    for experiments in [pair((None, Some(april)), (Some(april), None)), pair((Some(april), None), (None, Some(april)))]
    {
        let experiments = experiments.unwrap();
        let of = |now| experiments.assign("main", "u", now).unwrap().experiment;
        let border = 1_775_001_600;
        let first = experiments.configs().find(|config| config.end.is_some()).unwrap().name.as_str();
        assert!(of(border - 1) == first && of(border) != first);
    }
}
