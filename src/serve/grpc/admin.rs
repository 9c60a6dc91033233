//! `segue.v1.AdminService`.

use std::pin::Pin;
use std::sync::Arc;

use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status};

use super::experiments;
use crate::ids::{ClusterId, VersionId};
use crate::proto::admin_service_server::AdminService;
use crate::proto::*;
use crate::serve::admin::Admin;
use crate::serve::refresh::RefreshAction;
use crate::store::{Note, TaxonomyChange};

pub(in crate::serve) struct AdminFace(Arc<Admin>);

impl AdminFace {
    pub(super) fn new(admin: Arc<Admin>) -> Self {
        Self(admin)
    }
}

#[tonic::async_trait]
impl AdminService for AdminFace {
    async fn list_versions(
        &self,
        request: Request<ListVersionsRequest>,
    ) -> Result<Response<ListVersionsResponse>, Status> {
        let ListVersionsRequest { limit, before } = request.into_inner();
        let versions = self.0.versions(limit, before).await?;
        Ok(Response::new(ListVersionsResponse { versions: versions.into_iter().map(Version::from).collect() }))
    }

    async fn get_version(&self, request: Request<GetVersionRequest>) -> Result<Response<Version>, Status> {
        let version = self.0.version(VersionId(request.into_inner().version)).await?;
        Ok(Response::new(version.into()))
    }

    async fn publish(&self, request: Request<PublishRequest>) -> Result<Response<Channel>, Status> {
        let PublishRequest { channel, version, who, why, allow_taxonomy_change } = request.into_inner();
        let change = if allow_taxonomy_change { TaxonomyChange::Allowed } else { TaxonomyChange::Refused };
        let moved = self.0.publish(&channel, VersionId(version), Note { who, why }, change).await?;
        Ok(Response::new(moved.into()))
    }

    async fn rollback(&self, request: Request<RollbackRequest>) -> Result<Response<Channel>, Status> {
        let RollbackRequest { channel, version, who, why } = request.into_inner();
        let to = (version != 0).then_some(VersionId(version));
        Ok(Response::new(self.0.rollback(&channel, to, Note { who, why }).await?.into()))
    }

    async fn approve(&self, request: Request<ApproveRequest>) -> Result<Response<Version>, Status> {
        let ApproveRequest { version, who, why } = request.into_inner();
        Ok(Response::new(self.0.approve(VersionId(version), Note { who, why }).await?.into()))
    }

    async fn reject(&self, request: Request<RejectRequest>) -> Result<Response<Version>, Status> {
        let RejectRequest { version, who, why } = request.into_inner();
        Ok(Response::new(self.0.reject(VersionId(version), Note { who, why }).await?.into()))
    }

    async fn explain(&self, request: Request<ExplainRequest>) -> Result<Response<Explanation>, Status> {
        let ExplainRequest { version, channel, history } = request.into_inner();
        let version = (version != 0).then_some(VersionId(version));
        let history = history.into_iter().map(ClusterId).collect();
        Ok(Response::new(self.0.explain(version, &channel, history).await?.into()))
    }

    async fn set_blocklist(&self, request: Request<SetBlocklistRequest>) -> Result<Response<Channel>, Status> {
        let SetBlocklistRequest { channel, clusters, who, why } = request.into_inner();
        let clusters = clusters.into_iter().map(ClusterId).collect();
        Ok(Response::new(self.0.set_blocklist(&channel, clusters, Note { who, why }).await?.into()))
    }

    async fn reload(&self, _: Request<ReloadRequest>) -> Result<Response<ReloadResponse>, Status> {
        let reloaded = self.0.reload().await?;
        let channels = reloaded.channels.into_iter().map(Channel::from).collect();
        Ok(Response::new(ReloadResponse { channels, refused: reloaded.refused }))
    }

    async fn refresh(&self, request: Request<RefreshRequest>) -> Result<Response<RefreshResponse>, Status> {
        let RefreshRequest { who, why } = request.into_inner();
        let run = self.0.refresh(RefreshAction::Start, Note { who, why }).await?;
        Ok(Response::new(RefreshResponse { run }))
    }

    async fn cancel_refresh(
        &self,
        request: Request<CancelRefreshRequest>,
    ) -> Result<Response<CancelRefreshResponse>, Status> {
        let CancelRefreshRequest { who, why } = request.into_inner();
        let run = self.0.refresh(RefreshAction::Cancel, Note { who, why }).await?;
        Ok(Response::new(CancelRefreshResponse { run }))
    }

    type WatchRefreshStream = Pin<Box<dyn Stream<Item = Result<RefreshEvent, Status>> + Send>>;

    async fn watch_refresh(
        &self,
        _: Request<WatchRefreshRequest>,
    ) -> Result<Response<Self::WatchRefreshStream>, Status> {
        let events = self.0.refresher()?.watch().map(|event| Ok(event.into()));
        Ok(Response::new(Box::pin(events)))
    }

    async fn list_experiments(
        &self,
        request: Request<ListExperimentsRequest>,
    ) -> Result<Response<ListExperimentsResponse>, Status> {
        let ListExperimentsRequest { limit, before } = request.into_inner();
        Ok(Response::new(self.0.experiments.list(limit, before).await?.into()))
    }

    async fn set_experiment(
        &self,
        request: Request<SetExperimentRequest>,
    ) -> Result<Response<ExperimentChange>, Status> {
        let SetExperimentRequest { experiment, who, why } = request.into_inner();
        let config = experiments::config(experiment.unwrap_or_default(), &self.0.named(""))?;
        Ok(Response::new(self.0.experiments.set(config, Note { who, why }).await?.into()))
    }

    async fn end_experiment(
        &self,
        request: Request<EndExperimentRequest>,
    ) -> Result<Response<ExperimentChange>, Status> {
        let EndExperimentRequest { experiment, who, why } = request.into_inner();
        Ok(Response::new(self.0.experiments.end(experiment, Note { who, why }).await?.into()))
    }
}
