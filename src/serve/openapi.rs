//! The description of the HTTP API, from the handlers themselves.

use std::sync::LazyLock;

use utoipa::OpenApi;

use super::http::{admin, experiments, judging, lookup, ops};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Segue",
        description = "LLM recommendations from one immutable table. Lookups, probes and metrics are answered on \
                       `serve.http_addr`, everything under `/admin/v1/` on `serve.admin_addr`, with \
                       `authorization: Bearer TOKEN` where `serve.admin_token_file` is set. Every error is told as \
                       problem details (RFC 9457)."
    ),
    paths(
        lookup::lookup,
        lookup::batch_lookup,
        lookup::clusters,
        ops::livez,
        ops::readyz,
        ops::metrics,
        ops::openapi,
        admin::versions,
        admin::version,
        admin::channels,
        admin::channel,
        admin::publish,
        admin::rollback,
        admin::set_blocklist,
        judging::approve,
        judging::reject,
        judging::explain,
        experiments::experiments,
        experiments::set_experiment,
        experiments::end_experiment,
        admin::reload,
        admin::refresh_state,
        admin::refresh,
        admin::cancel_refresh,
        admin::refresh_events,
    )
)]
struct Api;

/// The document, as JSON.
pub(super) fn document() -> &'static str {
    static DOCUMENT: LazyLock<String> =
        LazyLock::new(|| Api::openapi().to_json().expect("a document without maps of odd keys is JSON"));
    &DOCUMENT
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::serve::http::{admin_paths, paths};
    use crate::serve::json::{LookupRequest, LookupResponse};

    fn json() -> Value {
        serde_json::from_str(document()).unwrap()
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let json = json();
        let described: BTreeSet<&str> = json["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        let routes: Vec<String> = paths().into_iter().chain(admin_paths()).collect();
        for path in &described {
            // The verbs behind a channel's name, and behind a version's number, share one route.
            let route = path.split_once("}:").map_or_else(|| path.to_string(), |(name, _)| format!("{name}}}"));
            assert!(routes.contains(&route), "{path} is described and not served");
        }
        for route in &routes {
            assert!(described.contains(route.as_str()), "{route} is served and not described");
        }
        for verb in ["publish", "rollback", "blocklist"] {
            assert!(described.contains(format!("/admin/v1/channels/{{name}}:{verb}").as_str()), "{verb}");
        }
        for verb in ["approve", "reject"] {
            assert!(described.contains(format!("/admin/v1/versions/{{version}}:{verb}").as_str()), "{verb}");
        }
    }

    #[test]
    fn examples_round_trip() {
        let schemas = &json()["components"]["schemas"];
        let request: LookupRequest = serde_json::from_value(schemas["LookupRequest"]["example"].clone()).unwrap();
        assert_eq!(request.question().query.history, [3, 0]);
        let example = &schemas["LookupResponse"]["example"];
        let response: LookupResponse = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(&serde_json::to_value(response).unwrap(), example);
    }
}
