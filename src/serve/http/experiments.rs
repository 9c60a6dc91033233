//! Declaring and ending experiments.

use axum::Json;
use axum::extract::State;

use super::AdminHttp;
use super::payload::{Params, Payload};
use crate::serve::error::{Problem, ServeError};
use crate::serve::json::*;
use crate::store::Note;

/// Lists the experiments that are not ended, of the config and of calls, and the changes that calls made.
#[utoipa::path(get, path = "/admin/v1/experiments", tag = "admin", params(ListExperimentsQuery), responses(
    (status = 200, body = ListExperimentsResponse),
))]
pub(in crate::serve) async fn experiments(
    State(http): State<AdminHttp>,
    Params(query): Params<ListExperimentsQuery>,
) -> Result<Json<ListExperimentsResponse>, ServeError> {
    Ok(Json(http.admin.experiments.list(query.limit, query.before).await?.into()))
}

/// Lets an experiment run with these settings, new or changed; answers when lookups of this server obey.
#[utoipa::path(post, path = "/admin/v1/experiments", tag = "admin", request_body = SetExperimentRequest, responses(
    (status = 200, body = ExperimentChange),
    (status = 400, description = "It cannot be run", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It disturbs another one, names a channel that does not exist, has another salt than before, or is the config's", body = Problem, content_type = "application/problem+json"),
))]
pub(in crate::serve) async fn set_experiment(
    State(http): State<AdminHttp>,
    Payload(SetExperimentRequest { experiment, who, why }): Payload<SetExperimentRequest>,
) -> Result<Json<ExperimentChange>, ServeError> {
    let config = experiment.config(&http.admin.named(""));
    Ok(Json(http.admin.experiments.set(config, Note { who, why }).await?.into()))
}

/// Ends an experiment that a call declared; answers when lookups of this server obey.
#[utoipa::path(post, path = "/admin/v1/experiments:end", tag = "admin", request_body = EndExperimentRequest, responses(
    (status = 200, body = ExperimentChange),
    (status = 404, description = "None of that name runs", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It is the config's", body = Problem, content_type = "application/problem+json"),
))]
pub(in crate::serve) async fn end_experiment(
    State(http): State<AdminHttp>,
    Payload(EndExperimentRequest { experiment, who, why }): Payload<EndExperimentRequest>,
) -> Result<Json<ExperimentChange>, ServeError> {
    Ok(Json(http.admin.experiments.end(experiment, Note { who, why }).await?.into()))
}
