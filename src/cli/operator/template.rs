// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche template`: the texts that people agree to, and what an operator does about them between two agreements.

use std::fmt;
use std::path::PathBuf;

use super::{Door, Row, Rows, instant, refused};
use crate::cli::terminal::{Exit, Failure, Output};
use crate::id::RequestId;
use crate::proto::admin as wire;

/// Lists the texts that people agree to, approves one, revokes one
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    door: Door,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Lists all that were ever approved, with what they speak of and whether they are in use
    List,
    /// Approves a text between two agreements; a changed text is a new version
    Approve {
        #[command(flatten)]
        which: Which,
        /// The text as people read it; the gateway keeps its SHA-256
        #[arg(long, value_name = "FILE")]
        text: PathBuf,
        /// A module of the agreement that it contains, in order; repeat it for each
        #[arg(long = "module", value_name = "MODULE", required = true)]
        modules: Vec<String>,
        /// From when it may be signed, such as 2026-12-01T00:00:00+01:00; at once unless given
        #[arg(long, value_name = "INSTANT")]
        from: Option<jiff::Timestamp>,
        /// From when it may no longer be signed; consents under it go on
        #[arg(long, value_name = "INSTANT")]
        until: Option<jiff::Timestamp>,
        /// Id of this request, to repeat it safely; drawn unless given
        #[arg(long, value_name = "UUID")]
        request: Option<RequestId>,
    },
    /// Revokes a text: consents under it stop counting, also for what waits; nothing takes it back
    Revoke {
        #[command(flatten)]
        which: Which,
        /// From when; at once unless given
        #[arg(long, value_name = "INSTANT")]
        from: Option<jiff::Timestamp>,
        /// Id of this request, to repeat it safely; drawn unless given
        #[arg(long, value_name = "UUID")]
        request: Option<RequestId>,
    },
}

#[derive(Debug, clap::Args)]
struct Which {
    /// Name of the text, such as bremen-standard
    id: String,
    /// Its version
    #[arg(id = "text_version", value_name = "VERSION")]
    version: String,
    /// Its language, such as de
    language: String,
}

impl Args {
    pub(in crate::cli) async fn run(self, output: Output) -> Result<Exit, Failure> {
        let mut client = self.door.open()?;
        let id = |request: Option<RequestId>| request.unwrap_or_else(RequestId::random).to_string();
        let at = |at: jiff::Timestamp| prost_types::Timestamp { seconds: at.as_second(), nanos: at.subsec_nanosecond() };
        let failed = |status: tonic::Status| refused(&status);
        match self.verb {
            Verb::List => {
                let answer = client.list_texts(wire::ListTextsRequest {}).await.map_err(failed)?.into_inner();
                output.print(&Rows(answer.texts.into_iter().map(Text::from).collect()));
            }
            Verb::Approve { which, text, modules, from, until, request } => {
                let read = std::fs::read(&text).map_err(|error| Failure::new(Exit::Usage, format!("{}: {error}", text.display())))?;
                let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &read);
                let name = which.to_string();
                let text = wire::Text {
                    template_id: which.id,
                    version: which.version,
                    language: which.language,
                    text_sha256: hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect(),
                    modules,
                    approved_from: from.map(at),
                    valid_until: until.map(at),
                    ..wire::Text::default()
                };
                client.approve_text(wire::ApproveTextRequest { request_id: id(request), text: Some(text) }).await.map_err(failed)?;
                output.print(&Done { what: name, done: "is approved" });
            }
            Verb::Revoke { which, from, request } => {
                let name = which.to_string();
                let request = wire::RevokeTextRequest {
                    request_id: id(request),
                    template_id: which.id,
                    version: which.version,
                    language: which.language,
                    from: from.map(at),
                };
                client.revoke_text(request).await.map_err(failed)?;
                output.print(&Done {
                    what: name,
                    done: "is revoked; consents under it stop counting, and what waits under them is blocked when it is due",
                });
            }
        }
        Ok(Exit::Done)
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.id, self.version, self.language)
    }
}

#[derive(serde::Serialize)]
struct Text {
    template_id: String,
    version: String,
    language: String,
    text_sha256: String,
    modules: Vec<String>,
    condition: String,
    approved_from: Option<String>,
    valid_until: Option<String>,
    revoked_from: Option<String>,
}

impl From<wire::Text> for Text {
    fn from(text: wire::Text) -> Self {
        Self {
            template_id: text.template_id,
            version: text.version,
            language: text.language,
            text_sha256: text.text_sha256,
            modules: text.modules,
            condition: text.condition,
            approved_from: text.approved_from.map(instant),
            valid_until: text.valid_until.map(instant),
            revoked_from: text.revoked_from.map(instant),
        }
    }
}

impl Row for Text {
    const HEADER: &'static [&'static str] = &["text", "version", "language", "condition", "approved from", "until", "revoked from", "sha-256"];
    fn cells(&self) -> Vec<String> {
        let at = |at: &Option<String>| at.clone().unwrap_or_default();
        let hash = self.text_sha256.chars().take(12).collect();
        vec![
            self.template_id.clone(),
            self.version.clone(),
            self.language.clone(),
            self.condition.clone(),
            at(&self.approved_from),
            at(&self.valid_until),
            at(&self.revoked_from),
            hash,
        ]
    }
}

#[derive(serde::Serialize)]
struct Done {
    what: String,
    done: &'static str,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}.", self.what, self.done)
    }
}
