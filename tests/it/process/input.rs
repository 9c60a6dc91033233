//! Bad input to a refresh: told with file, row, column and remedy, and the store is as it was.

use super::harness::World;

const LOG: &str = "user_id,cluster_id,timestamp\n1,1,2026-01-01\n1,2,2026-01-02\n1,3,2026-01-03\n";

/// A store with one version, which `refresh` with `args` must refuse to change.
#[track_caller]
fn refused(world: &World, args: &[&str], parts: &[&str]) {
    let before = world.store();
    world.run(&[&["refresh"], args].concat()).refused(parts);
    assert_eq!(world.store(), before, "the store changed");
}

fn published() -> World {
    let world = World::with_log(LOG);
    world.refresh();
    world
}

#[test]
fn columns_that_are_missing_or_misnamed() {
    let world = published();
    world.write("log/log.csv", &LOG.replace("user_id", "usr_id"));
    refused(&world, &[], &["log.csv has no column `user_id` (columns.user)", "did you mean `usr_id`?"]);
    world.write("log/log.csv", &LOG.replace("timestamp", "when"));
    refused(&world, &[], &["log.csv has no column `timestamp` (columns.timestamp)", "`when`"]);
    world.write("log/log.csv", &LOG.replace("cluster_id", "movie"));
    refused(&world, &[], &["log.csv has no column `cluster_id`", "columns.cluster or items", "`movie`"]);
    let mapped = ["--set", "interactions.columns.cluster=movie"];
    assert_eq!(world.run(&[&["refresh"], mapped.as_slice()].concat()).code, Some(0), "as the message says");
    world.write("log/log.csv", LOG);
    refused(&world, &["--set", "interactions.positive=ratng >= 7"], &["positive = `ratng >= 7`", "no column `ratng`"]);
    refused(
        &world,
        &["--set", "interactions.positive=cluster_id > 5"],
        &["none of the 3 rows", "check the expression"],
    );
}

#[test]
fn too_many_bad_rows() {
    let world = published();
    world.write("log/log.csv", &format!("{LOG}1,77,2026-01-04\n,4,2026-01-05\n1,5,soon\n"));
    let before = world.store();
    let ran = world.run(&["refresh"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    for part in [
        "3 of 6 rows are bad, more than max_bad_share = 0.01 allows",
        "cluster not in the clusters file",
        "log.csv, line 5: user_id = `1`, cluster_id = `77`",
        "log.csv, line 6: ",
        "line 7: ",
    ] {
        assert!(ran.stderr.contains(part), "no `{part}` in {}", ran.stderr);
    }
    assert_eq!(world.store(), before);
    assert_eq!(world.run(&["refresh", "--set", "interactions.max_bad_share=0.5"]).code, Some(0));
}

#[test]
fn a_clusters_file_that_is_none_or_speaks_of_other_clusters() {
    let world = published();
    let clusters = world.read("clusters.csv");
    let with = |line: &str| world.write("clusters.csv", &format!("{clusters}{line}\n"));
    with("77,\"keyword 3, other 3\"");
    refused(&world, &[], &["clusters.csv: clusters 3 and 77 share the description `keyword 3, other 3`"]);
    with("x,new");
    refused(&world, &[], &["clusters.csv, line 12: `x` is no cluster_id"]);
    with("77,new");
    refused(&world, &[], &["clusters.csv", "`main` is at v1", "clusters differ", "--allow-taxonomy-change"]);
    assert_eq!(world.json(&["versions", "list"]).as_array().unwrap().len(), 1, "nothing was built in vain");
    assert_eq!(world.json(&["refresh", "--allow-taxonomy-change"])["version"], 2);
    world.run(&["versions", "publish", "v1"]).refused(&["v1 has the taxonomy", "at v2", "allow"]);
    assert_eq!(world.text(&["versions", "publish", "v1", "--allow-taxonomy-change"]), "main is at v1\n");
    refused(&world, &["--set", "clusters.path=nowhere.csv"], &["clusters file nowhere.csv", "No such file"]);
}

#[test]
fn nothing_to_count() {
    let world = published();
    refused(&world, &["--from", "2020-01-01", "--to", "2020-02-01"], &["no interactions in the window", "2026-01-03"]);
    refused(&world, &["--from", "2026-02-01", "--to", "2026-01-01"], &["holds no time", "`to` must be later"]);
    refused(&world, &["--from", "yesterday"], &["`yesterday` (from) is not a time", "2026-01-31"]);
    refused(&world, &["--from", "2026-01-03"], &["no transition was counted in the window", "refresh.window"]);
    refused(&world, &["--set", "table.min_count=9"], &["no transition was counted", "table.min_count"]);
    refused(&world, &["--set", "interactions.path=nowhere"], &["no log files at `nowhere`", "check the path"]);
    refused(&world, &["--set", "table.k=7"], &["k = 7", "1 to 4"]);
    world.write("log/log.csv", "user_id,cluster_id,timestamp\n");
    refused(&world, &[], &["the log at `log` is empty"]);
    world.write("log/log.csv", "");
    refused(&world, &[], &["the log at `log` is empty"]);
    world.write("log/log.csv", &LOG.replace("2026-01-0", ""));
    refused(&world, &[], &["column `timestamp`", "timestamp_unit"]);
}

#[test]
fn a_torn_parquet_file() {
    let world = World::simulated(2);
    world.refresh();
    let path = world.file("log/date=2026-01-02/part-0.parquet");
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    refused(&world, &[], &["date=2026-01-02/part-0.parquet is not a readable Parquet file"]);
}
