//! Operations, over both protocols.

use segue::proto::*;
use segue::serve::Config;
use segue::taxonomy::Taxonomy;
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::errors::problem;
use super::harness::*;

fn publish_request(version: u64) -> PublishRequest {
    PublishRequest { version, who: "ada".into(), why: "fresher".into(), ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn moves_hold_as_soon_as_they_are_answered() {
    let served = start().await;
    let (mut admin, mut lookups) = (served.operations().await, served.lookups().await);
    let version = add(&served.store, 8).0;
    let channel = admin.publish(publish_request(version)).await.unwrap().into_inner();
    assert_eq!((channel.name.as_str(), channel.version), ("main", 2));
    let last = &channel.moves[0];
    assert_eq!(
        (last.seq, last.action.as_str(), last.who.as_str(), last.why.as_str()),
        (2, "publish", "ada", "fresher")
    );
    assert!(last.at.is_some());
    let answer = lookups.lookup(lookup(&[3, 0], 1)).await.unwrap().into_inner();
    assert_eq!((clusters(&answer), answer.version), (vec![8], 2));

    let blocked = SetBlocklistRequest { clusters: vec![10, 8], ..Default::default() };
    let channel = admin.set_blocklist(blocked).await.unwrap().into_inner();
    assert_eq!((channel.blocklist, channel.moves[0].action.as_str()), (vec![8, 10], "blocklist"));
    let answer = lookups.lookup(lookup(&[3, 0], 2)).await.unwrap().into_inner();
    assert_eq!(clusters(&answer), [7, 25]);

    let channel = admin.rollback(RollbackRequest::default()).await.unwrap().into_inner();
    assert_eq!((channel.version, channel.moves[0].action.as_str()), (1, "rollback"));
    let answer = lookups.lookup(lookup(&[3, 0], 2)).await.unwrap().into_inner();
    assert_eq!((clusters(&answer), answer.version), (vec![25, 7], 1), "the blocklist stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_listed_and_shown() {
    let served = start().await;
    for next in [8, 10, 7] {
        add(&served.store, if next == 10 { 25 } else { next });
    }
    let mut admin = served.operations().await;
    let mut listed = async |limit, before| {
        let listed = admin.list_versions(ListVersionsRequest { limit, before }).await.unwrap().into_inner();
        listed.versions.iter().map(|version| version.version).collect::<Vec<_>>()
    };
    assert_eq!(listed(0, 0).await, [4, 3, 2, 1]);
    assert_eq!(listed(2, 0).await, [4, 3]);
    assert_eq!(listed(2, 3).await, [2, 1]);
    assert!(listed(2, 1).await.is_empty());

    let shown = admin.get_version(GetVersionRequest { version: 1 }).await.unwrap().into_inner();
    assert_eq!((shown.k, shown.width, shown.keys.as_slice()), (2, WIDTH, &[1, 1][..]));
    assert_eq!((shown.channels, shown.parent, shown.reason.as_str()), (vec!["main".to_owned()], 0, "25 follows"));
    let manifest: segue::store::Manifest = serde_json::from_str(&shown.manifest_json).unwrap();
    assert_eq!(manifest, served.store.manifest(segue::ids::VersionId(1)).unwrap());
    let missing = admin.get_version(GetVersionRequest { version: 9 }).await.unwrap_err();
    refused(&missing, Code::NotFound, "UNKNOWN_VERSION");
}

/// Checks the code, and the reason in the details.
#[track_caller]
pub(super) fn refused(status: &Status, code: Code, reason: &str) {
    let details = status.get_error_details();
    let told = details.error_info().map(|info| info.reason.as_str()).unwrap_or_default();
    assert_eq!((status.code(), told), (code, reason), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn moves_that_make_no_sense_change_nothing() {
    let served = start().await;
    let foreign = Taxonomy::new(POPULAR.map(|id| (segue::ids::ClusterId(id), format!("other {id}")))).unwrap();
    let foreign = add_of(&served.store, 8, &foreign).0;
    let mut admin = served.operations().await;
    let publish = |version, channel: &str| PublishRequest { version, channel: channel.into(), ..Default::default() };
    let rollback = |channel: &str, version| RollbackRequest { version, channel: channel.into(), ..Default::default() };
    refused(&admin.publish(publish(9, "")).await.unwrap_err(), Code::NotFound, "UNKNOWN_VERSION");
    refused(&admin.publish(publish(1, "../up")).await.unwrap_err(), Code::InvalidArgument, "CHANNEL_NAME");
    refused(&admin.publish(publish(foreign, "")).await.unwrap_err(), Code::FailedPrecondition, "TAXONOMY_CHANGE");
    let long = PublishRequest { why: "x".repeat(10_000), ..publish(1, "") };
    refused(&admin.publish(long).await.unwrap_err(), Code::InvalidArgument, "NOTE_TOO_LONG");
    refused(&admin.rollback(rollback("", 0)).await.unwrap_err(), Code::FailedPrecondition, "NOTHING_BEFORE");
    refused(&admin.rollback(rollback("", 2)).await.unwrap_err(), Code::FailedPrecondition, "NEVER_THERE");
    refused(&admin.rollback(rollback("none", 0)).await.unwrap_err(), Code::NotFound, "UNKNOWN_CHANNEL");
    let unknown = SetBlocklistRequest { clusters: vec![3, 99], ..Default::default() };
    refused(&admin.set_blocklist(unknown).await.unwrap_err(), Code::InvalidArgument, "UNKNOWN_CLUSTER");
    assert_eq!(served.store.channel("main").unwrap().unwrap().moves.len(), 1);

    let allowed = PublishRequest { allow_taxonomy_change: true, ..publish(foreign, "") };
    assert_eq!(admin.publish(allowed).await.unwrap().into_inner().version, foreign);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_table_is_refused_and_the_live_one_stays() {
    let served = start().await;
    let version = add(&served.store, 8);
    publish(&served.store, add(&served.store, 7));
    let path = served.store.table_path(version);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.truncate(100);
    let _ = std::fs::remove_file(&path);
    std::fs::write(&path, bytes).unwrap();
    let status = served.operations().await.publish(publish_request(version.0)).await.unwrap_err();
    refused(&status, Code::FailedPrecondition, "DAMAGED_TABLE");
    let reloaded = served.operations().await.reload(ReloadRequest {}).await.unwrap().into_inner();
    assert_eq!((reloaded.channels[0].version, reloaded.refused.len()), (3, 0));
    let answer = served.lookups().await.lookup(lookup(&[3, 0], 1)).await.unwrap().into_inner();
    assert_eq!(clusters(&answer), [7]);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_approved_and_rejected_with_a_reason() {
    let served = start().await;
    let mut admin = served.operations().await;
    let version = add_unjudged(&served.store, 8).0;
    refused(&admin.publish(publish_request(version)).await.unwrap_err(), Code::FailedPrecondition, "NOT_ADMITTED");
    let approve = |why: &str| ApproveRequest { version, who: "ada".into(), why: why.into() };
    refused(&admin.approve(approve(" ")).await.unwrap_err(), Code::InvalidArgument, "NO_REASON");
    let approved = admin.approve(approve("I looked")).await.unwrap().into_inner();
    let judgement = &approved.judgements[0];
    assert_eq!(
        (approved.state.as_str(), judgement.who.as_str(), judgement.why.as_str()),
        ("approved", "ada", "I looked")
    );
    assert_eq!(admin.publish(publish_request(version)).await.unwrap().into_inner().version, version);
    let reject = |version| RejectRequest { version, who: "ada".into(), why: "worse".into() };
    refused(&admin.reject(reject(version)).await.unwrap_err(), Code::FailedPrecondition, "VERSION_IS_LIVE");
    assert_eq!(admin.reject(reject(1)).await.unwrap().into_inner().state, "rejected");
    refused(&admin.rollback(RollbackRequest::default()).await.unwrap_err(), Code::FailedPrecondition, "NOT_ADMITTED");
    refused(&admin.reject(reject(9)).await.unwrap_err(), Code::NotFound, "UNKNOWN_VERSION");

    let admin = served.admin;
    let shown = post(admin, "/admin/v1/versions/v1:approve", json!({"who": "eve", "why": "better"})).await.json();
    assert_eq!((&shown["state"], &shown["judgements"][2]["who"]), (&json!("approved"), &json!("eve")));
    problem(post(admin, "/admin/v1/versions/1:reject", json!({"why": ""})).await, 400, "no_reason", "why");
    problem(post(admin, "/admin/v1/versions/2:reject", json!({"why": "x"})).await, 409, "version_is_live", "");
    problem(post(admin, "/admin/v1/versions/1:burn", json!({"why": "x"})).await, 404, "no_route", "");
    problem(post(admin, "/admin/v1/versions/one:approve", json!({"why": "x"})).await, 400, "malformed", "version");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_explained_by_the_version_that_answers_it() {
    let served = start().await;
    let mut admin = served.operations().await;
    let ask = |version, history: &[u32]| ExplainRequest { version, history: history.to_vec(), ..Default::default() };
    refused(&admin.explain(ask(0, &[3])).await.unwrap_err(), Code::Unimplemented, "NO_EXPLANATIONS");
    problem(post(served.admin, "/admin/v1/explain", json!({"history": [3]})).await, 501, "no_explanations", "");
    let version = add_explained(&served.store);
    publish(&served.store, version);
    let why = admin.explain(ask(0, &[25, 3, 0])).await.unwrap().into_inner();
    assert_eq!((why.version, why.key, why.seen, why.prompt.as_str()), (2, vec![3, 0], 4, "What comes next?"));
    assert_eq!((why.successors[0].cluster, why.successors[0].count), (8, 3));
    let row = &why.row[0];
    assert_eq!((row.cluster, row.score, row.source(), row.level), (8, 1.0, Source::Llm, 2));
    refused(&admin.explain(ask(2, &[25])).await.unwrap_err(), Code::NotFound, "NEVER_SEEN");
    refused(&admin.explain(ask(1, &[3, 0])).await.unwrap_err(), Code::Unimplemented, "NO_EXPLANATIONS");
    let why = post(served.admin, "/admin/v1/explain", json!({"history": [3, 0], "version": 2})).await.json();
    assert_eq!((&why["key"], &why["row"][0]["source"], &why["answer"]), (&json!([3, 0]), &json!("llm"), &json!(null)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_takes_what_others_published() {
    let config = Config { poll: std::time::Duration::from_secs(3600), ..Config::default() };
    let served = start_with(config, None, true).await;
    publish(&served.store, add(&served.store, 8));
    let reloaded = served.operations().await.reload(ReloadRequest {}).await.unwrap().into_inner();
    let told: Vec<_> = reloaded.channels.iter().map(|channel| (channel.name.as_str(), channel.version)).collect();
    assert_eq!((told, reloaded.refused.len()), (vec![("main", 2)], 0));
    let answer = served.lookups().await.lookup(lookup(&[3, 0], 1)).await.unwrap().into_inner();
    assert_eq!(clusters(&answer), [8]);
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_over_http() {
    let served = start().await;
    let version = add(&served.store, 8).0;
    let admin = served.admin;
    let listed = get(admin, "/admin/v1/versions?limit=1").await.json();
    assert_eq!((listed["versions"][0]["version"].as_u64(), listed["versions"].as_array().unwrap().len()), (Some(2), 1));
    let shown = get(admin, "/admin/v1/versions/v1").await.json();
    assert_eq!(
        (&shown["channels"], &shown["keys"], &shown["parent"]),
        (&json!(["main"]), &json!([1, 1]), &json!(null))
    );
    assert_eq!(shown["lineage"]["predictor"], "retrieved");

    let body = json!({"version": version, "who": "ada", "why": "fresher"});
    let channel = post(admin, "/admin/v1/channels/main:publish", body).await.json();
    assert_eq!((&channel["version"], &channel["moves"][0]["who"]), (&json!(2), &json!("ada")));
    let answer = post(served.http, "/v1/lookup", json!({"history": [3, 0]})).await.json();
    assert_eq!(answer["predictions"][0]["cluster"], 8);
    let channel = post(admin, "/admin/v1/channels/main:blocklist", json!({"clusters": [8]})).await.json();
    assert_eq!((&channel["blocklist"], &channel["moves"][0]["action"]), (&json!([8]), &json!("blocklist")));
    let channel = post(admin, "/admin/v1/channels/main:rollback", "{}").await.json();
    assert_eq!(channel["version"], 1);
    assert_eq!(get(admin, "/admin/v1/channels/main").await.json(), channel);
    assert_eq!(get(admin, "/admin/v1/channels").await.json(), json!({"channels": [channel]}));
    let reloaded = post(admin, "/admin/v1/reload", "{}").await.json();
    assert_eq!((&reloaded["channels"][0]["version"], &reloaded["refused"]), (&json!(1), &json!([])));

    problem(get(admin, "/admin/v1/versions/9").await, 404, "unknown_version", "version");
    problem(get(admin, "/admin/v1/versions/one").await, 400, "malformed", "version");
    problem(get(admin, "/admin/v1/channels/none").await, 404, "unknown_channel", "channel");
    problem(post(admin, "/admin/v1/channels/main:rollback", "{}").await, 409, "nothing_before", "");
    problem(post(admin, "/admin/v1/channels/main:burn", "{}").await, 404, "no_route", "");
    problem(post(admin, "/admin/v1/channels/main:publish", "{}").await, 400, "malformed", "");
    let foreign = json!({"clusters": [99]});
    problem(post(admin, "/admin/v1/channels/main:blocklist", foreign).await, 400, "unknown_cluster", "clusters");
    problem(get(admin, "/admin/v1/refresh").await, 409, "no_refresher", "");
    problem(post(admin, "/admin/v1/refresh", "{}").await, 409, "no_refresher", "");
    let status = served.operations().await.watch_refresh(WatchRefreshRequest {}).await.unwrap_err();
    refused(&status, Code::FailedPrecondition, "NO_REFRESHER");
}
