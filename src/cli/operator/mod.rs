// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What admins do with a running gateway, through the operators' listener: `weiche status`, `weiche queue`, `weiche
//! retention`, `weiche template`, `weiche drain`. Every change is a leaf of the log.

pub(super) mod drain;
pub(super) mod findings;
pub(super) mod queue;
pub(super) mod retention;
pub(super) mod status;
pub(super) mod template;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use comfy_table::{ContentArrangement, Table, presets};
use prost_types::Timestamp;
use tonic::Status;
use tonic::transport::Channel;
use tonic_types::StatusExt as _;

use super::config::TlsFiles;
use super::gateway::{GatewayError, PartsError, anchors_of, credentials_of};
use super::serve;
use super::terminal::{Exit, Failure};
use crate::delivery::{channel, connect_reason};
use crate::identity::tls::{Expected, client_config};
use crate::proto::admin::admin_service_client::AdminServiceClient;
use crate::proto::admin::retention_service_client::RetentionServiceClient;
use crate::proto::audit::audit_service_client::AuditServiceClient;

/// The way to a gateway, and who comes.
#[derive(Debug, clap::Args)]
pub(super) struct Door {
    /// The operators' listener, https://host:port
    #[arg(long, global = true, value_name = "URL", default_value = "https://localhost:8444")]
    endpoint: String,
    /// Certificate of an admin with its issuing authority, PEM
    #[arg(long, global = true, value_name = "FILE", default_value = "certs/operator/admin.pem")]
    cert: PathBuf,
    /// Private key of the certificate, PEM
    #[arg(long, global = true, value_name = "FILE", default_value = "certs/operator/admin.key")]
    key: PathBuf,
    /// Authority of the gateway's server certificate, PEM
    #[arg(long, global = true, value_name = "FILE", default_value = "certs/servers-ca.pem")]
    ca: PathBuf,
}

/// The same way, for an auditor.
#[derive(Debug, clap::Args)]
pub(super) struct AuditorDoor {
    /// The operators' listener, https://host:port
    #[arg(long, value_name = "URL", default_value = "https://localhost:8444")]
    endpoint: String,
    /// Certificate of an auditor with its issuing authority, PEM
    #[arg(long, value_name = "FILE", default_value = "certs/operator/auditor.pem")]
    cert: PathBuf,
    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE", default_value = "certs/operator/auditor.key")]
    key: PathBuf,
    /// Authority of the gateway's server certificate, PEM
    #[arg(long, value_name = "FILE", default_value = "certs/servers-ca.pem")]
    ca: PathBuf,
}

impl AuditorDoor {
    pub(super) fn open(self) -> Result<AuditServiceClient<Channel>, Failure> {
        let Self { endpoint, cert, key, ca } = self;
        Door { endpoint, cert, key, ca }.channel().map(AuditServiceClient::new)
    }
}

type Client = AdminServiceClient<Channel>;

impl Door {
    fn open(self) -> Result<Client, Failure> {
        self.channel().map(AdminServiceClient::new)
    }

    fn retention(self) -> Result<RetentionServiceClient<Channel>, Failure> {
        self.channel().map(RetentionServiceClient::new)
    }

    /// The way itself.
    fn channel(self) -> Result<Channel, Failure> {
        let parts = |error: PartsError| serve::failure(&GatewayError::Parts(error));
        let files = TlsFiles { certificate: self.cert, key: self.key, trusted: self.ca };
        let credentials = credentials_of(&files).map_err(parts)?;
        let tls =
            client_config(Some(credentials), &anchors_of(&files.trusted).map_err(parts)?, Expected::Host).map_err(|error| Failure::usage(&error))?;
        channel(&self.endpoint, Arc::new(tls)).map_err(|error| Failure::usage(&error))
    }
}

/// What the gateway, or the way to it, has to say.
pub(super) fn refused(status: &Status) -> Failure {
    let cause = std::error::Error::source(status).and_then(connect_reason).map_or_else(|| status.message().to_owned(), ToString::to_string);
    let failure = Failure::new(Exit::Failed, cause);
    match status.get_details_localized_message() {
        Some(text) => failure.with(text.message, ""),
        None => failure,
    }
}

/// To the second: an operator's eye needs no more.
pub(super) fn instant(at: Timestamp) -> String {
    jiff::Timestamp::new(at.seconds, 0).map(|at| at.to_string()).unwrap_or_default()
}

/// One line each.
pub(super) trait Row: serde::Serialize {
    const HEADER: &'static [&'static str];
    fn cells(&self) -> Vec<String>;
}

#[derive(serde::Serialize)]
#[serde(transparent)]
pub(super) struct Rows<R>(pub(super) Vec<R>);

impl<R: Row> fmt::Display for Rows<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("None.");
        }
        let mut table = Table::new();
        table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic).set_header(R::HEADER);
        table.add_rows(self.0.iter().map(Row::cells));
        table.fmt(f)
    }
}
