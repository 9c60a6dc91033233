//! The gRPC face: services, reflection, and the names of what is served.

mod admin;
mod connection;
mod convert;
mod experiments;
pub(super) mod keepalive;
mod lean;
mod lookup;
mod passage;

use std::sync::Arc;

use axum::Router;
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic_health::pb::FILE_DESCRIPTOR_SET as HEALTH;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::HealthService as HealthOf;
use tonic_reflection::pb::{v1, v1alpha};
use tonic_reflection::server::Builder;

use super::admin::Admin;
use super::config::Config;
use super::error::StartError;
use super::face::Face;
use super::layers::{Limits, limited, observed};
use super::lookups::Lookups;
use super::observe::Observer;
use crate::proto::DESCRIPTORS;
use crate::proto::admin_service_server::AdminServiceServer;
use crate::proto::lookup_service_server::LookupServiceServer;
use crate::serve::config::bytes;

pub(super) use admin::AdminFace;
pub(super) use connection::GrpcDoor;
use lean::Lean;
pub(super) use lookup::LookupFace;

/// `grpc.health.v1`.
pub(super) type HealthService = HealthServer<HealthOf>;

/// What the lookup port serves: unary and batch calls by the lean handler, the rest by tonic. What nobody serves is
/// answered as gRPC does.
pub(super) fn lookup_door(
    lookups: Arc<Lookups>,
    health: HealthService,
    observer: Arc<Observer>,
    config: &Config,
    limits: &Limits,
) -> Result<GrpcDoor, StartError> {
    let max = config.max_message;
    let lean = Lean::new(Arc::clone(&lookups), limits.clone(), &observer, max);
    let service = LookupServiceServer::new(LookupFace::new(lookups, max)).max_decoding_message_size(bytes(max));
    let lookups = limited(router(Routes::new(service)), Face::Grpc, limits);
    let unknown = Routes::default().into_axum_router();
    let rest = lookups.merge(companions(health, LookupServiceServer::<LookupFace>::NAME)?).merge(unknown);
    Ok(GrpcDoor::new(lean, observed(rest, Face::Grpc, observer), config))
}

/// What the admin port serves as gRPC. What nobody serves is left to the HTTP face, which shares the port.
pub(super) fn admin_router(admin: Arc<Admin>, health: HealthService, config: &Config) -> Result<Router, StartError> {
    let service = AdminServiceServer::new(AdminFace::new(admin)).max_decoding_message_size(bytes(config.max_message));
    Ok(router(Routes::new(service)).merge(companions(health, AdminServiceServer::<AdminFace>::NAME)?))
}

fn router(routes: Routes) -> Router {
    routes.into_axum_router().reset_fallback()
}

/// Health, and reflection over it and the service `name`.
fn companions(health: HealthService, name: &str) -> Result<Router, StartError> {
    let builder = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .register_encoded_file_descriptor_set(HEALTH)
            .with_service_name(name)
            .with_service_name(HealthService::NAME)
    };
    let damaged = |error: tonic_reflection::server::Error| StartError::Descriptors(error.to_string());
    let (v1, v1alpha) = (builder().build_v1().map_err(damaged)?, builder().build_v1alpha().map_err(damaged)?);
    Ok(router(Routes::new(health).add_service(v1).add_service(v1alpha)))
}

/// The paths of every gRPC method that this build knows, as `/segue.v1.LookupService/Lookup`.
pub(super) fn paths() -> Result<Vec<String>, StartError> {
    let mut paths = Vec::new();
    for encoded in [DESCRIPTORS, HEALTH, v1::FILE_DESCRIPTOR_SET, v1alpha::FILE_DESCRIPTOR_SET] {
        let set = FileDescriptorSet::decode(encoded).map_err(|error| StartError::Descriptors(error.to_string()))?;
        for file in &set.file {
            for service in &file.service {
                let path = |method: &str| format!("/{}.{}/{method}", file.package(), service.name());
                paths.extend(service.method.iter().map(|method| path(method.name())));
            }
        }
    }
    Ok(paths)
}
