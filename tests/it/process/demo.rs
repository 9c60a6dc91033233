//! `segue demo`: the whole loop by one command, without a model to tune.

use serde_json::Value;

use super::harness::World;

const PORTS: [&str; 3] = ["serve.http_addr", "serve.grpc_addr", "serve.admin_addr"];

#[test]
fn the_demo_refreshes_as_days_drift_and_no_lookup_fails() {
    let world = World::with_log("");
    let mut args = vec!["demo", "--json", "--dir", "demo", "--users", "1000", "--days", "2", "--pace", "1s"];
    args.extend(["--drift-rate", "0.3"]);
    let ports: Vec<String> = PORTS.iter().map(|port| format!("{port}=127.0.0.1:0")).collect();
    let counts = ["inference.backend=retrieved", "inference.model=config"];
    for setting in ports.iter().map(String::as_str).chain(counts) {
        args.extend(["--set", setting]);
    }
    let told: Vec<Value> = world.text(&args).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(told[0]["simulated_rows"].as_u64().unwrap() > 100_000, "{}", told[0]);
    assert_eq!(told[1]["published"], 1);

    let days: Vec<&Value> = told.iter().filter(|line| line["day"].is_string()).collect();
    let dates: Vec<&str> = days.iter().map(|day| day["day"].as_str().unwrap()).collect();
    assert_eq!(dates, ["2026-01-29", "2026-01-30"]);
    for day in &days {
        assert!(day["failed"] == 0 && day["by"] == "counts", "{day}");
    }
    assert!(days.iter().map(|day| day["lookups"].as_u64().unwrap()).sum::<u64>() > 100);
    let last = days.last().unwrap();
    assert!(last["live"].as_u64() > Some(1), "so much drift pays a refresh: {last}");
    assert!(last["live_agrees"].as_f64() > last["first_agrees"].as_f64(), "{last}");

    let versions = world.json(&["versions", "list", "--config", "demo/segue.toml"]);
    assert_eq!(versions.as_array().unwrap().len() as u64, last["live"].as_u64().unwrap(), "{versions}");
}
