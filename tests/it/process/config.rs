//! Config, from the outside: what wins, and how what is wrong is told.

use super::harness::{Ran, World, finish};

/// `versions list`, which reads the config and little else, with an environment.
fn list(world: &World, args: &[&str], env: &[(&str, &str)]) -> Ran {
    let mut command = world.command(&[&["versions", "list"], args].concat());
    command.envs(env.iter().copied());
    finish(command)
}

#[test]
fn an_unknown_key_is_named_with_its_origin_and_the_nearest_known_one() {
    let world = World::with_log("");
    world.write("typo.toml", "[serve]\ngrpc_adr = \"127.0.0.1:1\"\n");
    let known = "did you mean `grpc_addr`?";
    list(&world, &["--config", "typo.toml"], &[]).refused(&["`serve.grpc_adr` in typo.toml", known]);
    let env = [("SEGUE__SERVE__GRPC_ADR", "127.0.0.1:1")];
    list(&world, &[], &env).refused(&["`serve.grpc_adr` from SEGUE__SERVE__GRPC_ADR", known]);
    list(&world, &["--set", "serve.grpc_adr=127.0.0.1:1"], &[]).refused(&["`serve.grpc_adr` from --set", known]);
    for (text, parts) in [
        ("[server]\n", ["`server`", "did you mean `serve`?"]),
        ("grpc_addr = \"127.0.0.1:1\"\n", ["`grpc_addr`", "known here: store, clusters"]),
        ("[interactions]\ncolumns = { usr = \"u\" }\n", ["`interactions.columns.usr`", "did you mean `user`?"]),
        ("[simulate]\ndrift = { kind = \"slow\", rat = 1 }\n", ["`simulate.drift.rat`", "did you mean `rate`?"]),
        ("[refresh]\npolicy = { fxed = { every = \"2d\" } }\n", ["`refresh.policy.fxed`", "did you mean `fixed`?"]),
        (
            "[refresh]\npolicy = { fixed = { evry = \"2d\" } }\n",
            ["`refresh.policy.fixed.evry`", "did you mean `every`?"],
        ),
    ] {
        world.write("typo.toml", text);
        list(&world, &["--config", "typo.toml"], &[]).refused(&parts);
    }
    assert_eq!(world.store(), [], "nothing was made");
}

#[test]
fn a_value_that_does_not_fit_is_named_with_its_key_and_origin() {
    let world = World::with_log("");
    for (set, parts) in [
        ("serve.max_history=many", ["`serve.max_history` from --set", "nonzero"]),
        ("serve.http_addr=7070", ["`serve.http_addr` from --set", "expected socket address"]),
        ("serve.drain=10", ["`serve.drain` from --set", "expected a duration"]),
        ("interactions.positive=true", ["`interactions.positive` from --set", "needs quotes"]),
        ("interactions.sequence=usr", ["`interactions.sequence` from --set: `usr`", "did you mean `user`?"]),
        ("refresh.policy.fixed.every=1ms", ["`refresh.policy.fixed` from --set", "at least 1s"]),
        ("refresh.policy.fixed.cron=sometimes", ["cron = `sometimes` cannot be read", "--set"]),
        ("telemetry.log=segue=loud", ["telemetry.log = `segue=loud` is no log filter", "segue=debug"]),
        ("serve", ["`serve` sets no key", "--set serve.drain=5s"]),
        ("=5", ["`=5` sets no key", "SEGUE__"]),
        ("serve..drain=5s", ["`serve..drain=5s` sets no key", "--set"]),
        ("table.k=9", ["[table] k = 9, width = 8", "k is 1 to 4"]),
        ("table.width=0", ["[table] k = 2, width = 0", "width 1 to 1024"]),
        ("store.keep=0", ["[store] keep = `0`", "use 1 or more"]),
        ("store.path=s3://bucket/prefix", ["[store] path = `s3://bucket/prefix`", "name a directory"]),
    ] {
        list(&world, &["--set", set], &[]).refused(&parts);
    }
    let env = [("SEGUE__SERVE__DRAIN", "soon")];
    list(&world, &[], &env).refused(&["`serve.drain` from SEGUE__SERVE__DRAIN", "a duration"]);
    world.write("wrong.toml", "[serve]\nhttp_addr = 7070\n");
    list(&world, &["--config", "wrong.toml"], &[]).refused(&["`serve.http_addr` in wrong.toml", "socket address"]);
    assert_eq!(world.store(), [], "nothing was made");
}

#[test]
fn a_refresher_that_could_not_work_is_refused_before_it_starts() {
    let world = World::with_log("");
    let mut command = world.command(&["serve", "--set", "refresh.memory_limit=1GiB"]);
    command.args(["--set", "interactions.memory=600MiB", "--set", "table.memory=100MiB"]);
    finish(command).refused(&["refresh.memory_limit = 1.0 GiB", "1.2 GiB", "raise the one or lower the others"]);
}

#[test]
fn a_file_that_is_none_is_named_with_the_place() {
    let world = World::with_log("");
    list(&world, &["--config", "nowhere.toml"], &[]).refused(&["nowhere.toml does not exist", "--config"]);
    list(&world, &["--config", "log"], &[]).refused(&["the config in log cannot be read", "directory"]);
    world.write("torn.toml", "[serve]\ndrain = \"10s\n");
    let ran = list(&world, &["--config", "torn.toml"], &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    assert!(ran.stderr.starts_with("segue: the config in torn.toml cannot be read: "), "{ran:?}");
    assert!(ran.stderr.contains("line 2"), "{ran:?}");
}

#[test]
fn the_command_line_beats_the_environment_beats_the_file_beats_the_default() {
    let world = World::with_log("");
    let path = |args: &[&str], env: &[(&str, &str)]| {
        list(&world, args, env);
        let made = |name: &&str| world.file(name).exists();
        let found: Vec<_> = ["segue-store", "of-file", "of-env", "of-set"].into_iter().filter(made).collect();
        found.iter().for_each(|name| std::fs::remove_dir_all(world.file(name)).unwrap());
        found
    };
    let env = [("SEGUE__STORE__PATH", "of-env")];
    world.write("segue.toml", "");
    assert_eq!(path(&[], &[]), ["segue-store"]);
    world.write("segue.toml", "[store]\npath = \"of-file\"\n");
    assert_eq!(path(&[], &[]), ["of-file"]);
    assert_eq!(path(&[], &env), ["of-env"]);
    assert_eq!(path(&["--set", "store.path=of-set"], &env), ["of-set"]);
    assert_eq!(path(&["--set", "store.path=of-file", "--set", "store.path=of-set"], &[]), ["of-set"]);
}

#[test]
fn a_key_of_several_shapes_is_set_whole() {
    let world = World::with_log("");
    world.write("segue.toml", "[refresh]\npolicy = { fixed = { cron = \"0 3 * * *\" } }\n");
    assert_eq!(list(&world, &[], &[]).code, Some(0), "a cron does not join the default's every");
    let every = r#"refresh.policy={fixed={every="1h"}}"#;
    assert_eq!(list(&world, &["--set", every], &[]).code, Some(0), "nor an every the file's cron");
    let env = [("SEGUE__REFRESH__POLICY", "on_demand")];
    assert_eq!(list(&world, &["--set", every], &env).code, Some(0));
    world.write("segue.toml", "[simulate]\ndrift = { kind = \"seasonal\", period = 7 }\n");
    assert_eq!(list(&world, &[], &[]).code, Some(0), "a period does not join the default's rate");
}
