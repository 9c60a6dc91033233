//! The one way to the network: what fetching a model and asking an endpoint have in common.

use std::error::Error as _;

use reqwest::ClientBuilder;

/// A client in the making. Certificates are those that the system trusts, proxies come from the environment.
pub(super) fn client() -> ClientBuilder {
    // Another part of the process may have chosen; any provider will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    ClientBuilder::new().user_agent(concat!("segue/", env!("CARGO_PKG_VERSION")))
}

/// An error with its causes, which reqwest leaves out, and without its URL, which may hold a password.
pub(super) fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    told
}
