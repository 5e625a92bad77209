// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche admin`: queues and dead letters of a running gateway, through the operators' listener. Every change is a leaf of the log.

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
use super::terminal::{Exit, Failure, Output};
use crate::delivery::{channel, connect_reason};
use crate::id::{DeliveryId, RequestId};
use crate::identity::tls::{Expected, client_config};
use crate::proto::admin::admin_service_client::AdminServiceClient;
use crate::proto::admin::{ListDeadLettersRequest, ListInstitutionsRequest, RequeueDeadLetterRequest};

/// Dead letters asked for at a time.
const PAGE: i32 = 200;

/// Looks at queues and dead letters of a running gateway, and puts dead letters back
#[derive(Debug, clap::Args)]
pub(super) struct Args {
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
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Lists the members with their dialects and queues
    Institutions,
    /// Deliveries that were given up
    #[command(subcommand)]
    DeadLetters(DeadLetters),
}

#[derive(Debug, clap::Subcommand)]
enum DeadLetters {
    /// Lists them, oldest first
    List,
    /// Puts one back into its queue; consent is asked again before it leaves
    Requeue {
        /// Delivery id, as `list` shows it
        delivery: DeliveryId,
    },
}

impl Args {
    pub(super) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let parts = |error: PartsError| serve::failure(&GatewayError::Parts(error));
        let files = TlsFiles { certificate: self.cert, key: self.key, trusted: self.ca };
        let credentials = credentials_of(&files).map_err(parts)?;
        let tls =
            client_config(Some(credentials), &anchors_of(&files.trusted).map_err(parts)?, Expected::Host).map_err(|error| Failure::usage(&error))?;
        let client = AdminServiceClient::new(channel(&self.endpoint, Arc::new(tls)).map_err(|error| Failure::usage(&error))?);
        match self.verb {
            Verb::Institutions => output.print(&institutions(client).await?),
            Verb::DeadLetters(DeadLetters::List) => output.print(&dead_letters(client).await?),
            Verb::DeadLetters(DeadLetters::Requeue { delivery }) => output.print(&requeue(client, delivery).await?),
        }
        Ok(Exit::Done)
    }
}

async fn institutions(mut client: AdminServiceClient<Channel>) -> Result<Rows<Institution>, Failure> {
    let answer = client.list_institutions(ListInstitutionsRequest {}).await.map_err(|status| refused(&status))?.into_inner();
    let row = |one: crate::proto::admin::Institution| Institution {
        institution: one.institution,
        dialect: one.dialect,
        delivery: one.delivery,
        queued: one.queued,
        dead: one.dead,
        oldest_queued_at: one.oldest_queued_at.map(instant),
    };
    Ok(Rows(answer.institutions.into_iter().map(row).collect()))
}

async fn dead_letters(mut client: AdminServiceClient<Channel>) -> Result<Rows<DeadLetter>, Failure> {
    let (mut rows, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListDeadLettersRequest { page_size: PAGE, page_token };
        let answer = client.list_dead_letters(request).await.map_err(|status| refused(&status))?.into_inner();
        rows.extend(answer.dead_letters.into_iter().map(|one| DeadLetter {
            delivery_id: one.delivery_id,
            recipient: one.recipient,
            kind: one.kind,
            attempts: one.attempts,
            last_error: one.last_error,
            given_up_at: one.given_up_at.map(instant),
        }));
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return Ok(Rows(rows));
        }
    }
}

async fn requeue(mut client: AdminServiceClient<Channel>, delivery: DeliveryId) -> Result<Requeued, Failure> {
    let request = RequeueDeadLetterRequest { request_id: RequestId::random().to_string(), delivery_id: delivery.to_string() };
    client.requeue_dead_letter(request).await.map_err(|status| refused(&status))?;
    Ok(Requeued { requeued: delivery.to_string() })
}

/// What the gateway, or the way to it, has to say.
fn refused(status: &Status) -> Failure {
    let cause = std::error::Error::source(status).and_then(connect_reason).map_or_else(|| status.message().to_owned(), ToString::to_string);
    let failure = Failure::new(Exit::Failed, cause);
    match status.get_details_localized_message() {
        Some(text) => failure.with(text.message, ""),
        None => failure,
    }
}

fn instant(at: Timestamp) -> String {
    jiff::Timestamp::new(at.seconds, at.nanos).map(|at| at.to_string()).unwrap_or_default()
}

/// One line each.
trait Row: serde::Serialize {
    const HEADER: &'static [&'static str];
    fn cells(&self) -> Vec<String>;
}

#[derive(serde::Serialize)]
#[serde(transparent)]
struct Rows<R>(Vec<R>);

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

#[derive(serde::Serialize)]
struct Institution {
    institution: String,
    dialect: String,
    delivery: String,
    queued: u64,
    dead: u64,
    oldest_queued_at: Option<String>,
}

impl Row for Institution {
    const HEADER: &'static [&'static str] = &["institution", "dialect", "delivery", "queued", "oldest since", "dead"];
    fn cells(&self) -> Vec<String> {
        let oldest = self.oldest_queued_at.clone().unwrap_or_default();
        vec![self.institution.clone(), self.dialect.clone(), self.delivery.clone(), self.queued.to_string(), oldest, self.dead.to_string()]
    }
}

#[derive(serde::Serialize)]
struct DeadLetter {
    delivery_id: String,
    recipient: String,
    kind: String,
    attempts: u32,
    last_error: String,
    given_up_at: Option<String>,
}

impl Row for DeadLetter {
    const HEADER: &'static [&'static str] = &["delivery", "recipient", "what", "attempts", "last error", "given up"];
    fn cells(&self) -> Vec<String> {
        let at = self.given_up_at.clone().unwrap_or_default();
        vec![self.delivery_id.clone(), self.recipient.clone(), self.kind.clone(), self.attempts.to_string(), self.last_error.clone(), at]
    }
}

#[derive(serde::Serialize)]
struct Requeued {
    requeued: String,
}

impl fmt::Display for Requeued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is back in its queue; consent is asked again before it leaves.", self.requeued)
    }
}
