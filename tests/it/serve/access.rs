//! Who may operate a server, and from where.

use std::net::SocketAddr;

use segue::proto::*;
use segue::serve::{Config, StartError, bind};
use tonic::{Code, Request};

use super::admin::refused;
use super::errors::problem;
use super::harness::*;

#[tokio::test(flavor = "multi_thread")]
async fn with_a_token_nobody_gets_in_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    std::fs::write(&path, "s3cret\n").unwrap();
    let served = start_with(Config { admin_token_file: Some(path), ..Config::default() }, None, true).await;
    let authorized = |token: &str| {
        let mut request = Request::new(ListVersionsRequest::default());
        request.metadata_mut().insert("authorization", token.parse().unwrap());
        request
    };
    let mut admin = served.operations().await;
    refused(
        &admin.list_versions(ListVersionsRequest::default()).await.unwrap_err(),
        Code::Unauthenticated,
        "UNAUTHENTICATED",
    );
    let wrong = admin.list_versions(authorized("Bearer secret")).await.unwrap_err();
    refused(&wrong, Code::Unauthenticated, "UNAUTHENTICATED");
    assert!(!wrong.message().contains("s3cret"));
    assert!(admin.list_versions(authorized("Bearer s3cret")).await.is_ok());

    let answer = get(served.admin, "/admin/v1/versions").await;
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    problem(answer, 401, "unauthenticated", "");
    problem(post(served.admin, "/admin/v1/reload", "{}").await, 401, "unauthenticated", "");
    problem(get(served.admin, "/nowhere").await, 401, "unauthenticated", "");
    let bearing = [("authorization", "Bearer s3cret"), ("host", "segue-admin.example")];
    assert_eq!(send("GET", served.admin, "/admin/v1/versions", &bearing, "").await.status, 200);
    served.counted(r#"segue_invalid_requests_total{reason="unauthenticated"} 5"#).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn web_pages_of_other_origins_change_nothing() {
    let served = start().await;
    for content_type in ["text/plain", "application/x-www-form-urlencoded"] {
        let headers = [("content-type", content_type)];
        for path in ["/admin/v1/channels/main:rollback", "/admin/v1/reload", "/admin/v1/refresh"] {
            problem(send("POST", served.admin, path, &headers, "{}").await, 415, "content_type", "");
        }
    }
    let rebound = [("content-type", "application/json"), ("host", "evil.example:7072")];
    let body = r#"{"clusters": [3]}"#;
    let answer = send("POST", served.admin, "/admin/v1/channels/main:blocklist", &rebound, body).await;
    problem(answer, 403, "foreign_host", "");
    assert_eq!(served.store.channel("main").unwrap().unwrap().moves.len(), 1);
}

#[tokio::test]
async fn servers_that_must_not_start_say_why() {
    let config = |admin: &str, token: Option<&std::path::Path>| {
        let free: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let (admin_addr, admin_token_file) = (admin.parse().unwrap(), token.map(Into::into));
        Config { http_addr: free, grpc_addr: free, admin_addr, admin_token_file, ..Config::default() }
    };
    let why = async |config: Config| bind(&config).await.err().expect("it must not start");
    let exposed = why(config("0.0.0.0:0", None)).await;
    assert!(matches!(exposed, StartError::AdminExposed(_)), "{exposed}");

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("token");
    let missing = why(config("127.0.0.1:0", Some(&path))).await.to_string();
    assert!(missing.contains("admin_token_file") && missing.contains(path.to_str().unwrap()), "{missing}");
    for wrong in ["", " \n", "two words", "two\nlines"] {
        std::fs::write(&path, wrong).unwrap();
        let refused = why(config("127.0.0.1:0", Some(&path))).await;
        assert!(matches!(refused, StartError::NoToken(_)), "{refused}");
    }
    std::fs::write(&path, "s3cret").unwrap();
    assert!(bind(&config("0.0.0.0:0", Some(&path))).await.is_ok());

    let busy = bind(&config("127.0.0.1:0", None)).await.unwrap();
    let taken = Config { grpc_addr: busy.http_addr(), ..config("127.0.0.1:0", None) };
    let refused = why(taken).await.to_string();
    assert!(refused.contains("serve.grpc_addr") && refused.contains(&busy.http_addr().to_string()), "{refused}");
    assert!(refused.contains("set another address"), "{refused}");
}
