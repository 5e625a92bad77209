// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What people ask of dialects at a terminal: what is lost between two systems, what a new version changes, a page for an institution's IT,
//! and one message translated.

mod diff;
mod doc;
mod explain;
mod predict;

pub use diff::{Difference, Weight};
pub use doc::{Format, Page};
pub use explain::Row;
pub use predict::{Loss, LossKind, Side};

use prost::Message;
use prost_reflect::{DeserializeOptions, DynamicMessage, SerializeOptions};

use super::category::CategoryMask;
use super::registry::{Dialect, Dialects};
use super::report::{FieldProblem, Outcome, Report, TranslateError};
use super::translate::Detail;

/// A message translated from JSON to JSON.
#[derive(Debug, Clone)]
pub struct Translation {
    /// Protobuf JSON with the field names of the `.proto` files.
    pub json: serde_json::Value,
    /// What became of the sender's fields on the way in.
    pub read: Report,
    /// What became of the canonical fields on the way out.
    pub rendered: Report,
    /// What a gateway would refuse the message for. A tool shows what comes out nevertheless.
    pub problems: Vec<FieldProblem>,
}

/// The hub message that the tools translate if nothing else is said.
pub const REFERRAL: &str = "weiche.type.v1.Referral";
/// The hub message of a referral's step.
pub const STATUS_CHANGE: &str = "weiche.type.v1.StatusChange";

impl Dialects {
    /// Translates the JSON of one message from a dialect to another, under a mask.
    ///
    /// Names may be those of the `.proto` files or the JSON names; 64-bit numbers may be numbers or strings.
    /// `hub` is the canonical message that both have a message for.
    ///
    /// # Errors
    /// [`TranslateError::UnknownMessage`], [`TranslateError::Json`]. Problems of fields are part of the answer.
    pub fn translate(
        &self,
        from: &Dialect,
        to: &Dialect,
        hub: &str,
        mask: CategoryMask,
        json: &serde_json::Value,
        verbose: bool,
    ) -> Result<Translation, TranslateError> {
        let top = |dialect: &Dialect| {
            let unknown = || TranslateError::UnknownMessage { dialect: dialect.name().to_owned(), message: hub.to_owned() };
            dialect.message_for(hub).map(str::to_owned).ok_or_else(unknown)
        };
        let (source, target) = (top(from)?, top(to)?);
        let wrong = |message: &str, error: serde_json::Error| TranslateError::Json { message: message.to_owned(), reason: error.to_string() };
        let options = DeserializeOptions::new().deny_unknown_fields(true);
        let native = DynamicMessage::deserialize_with_options(from.descriptor(&source)?, json, &options).map_err(|error| wrong(&source, error))?;
        let detail = if verbose { Detail::All } else { Detail::Losses };
        let (hub, read, mut problems) = from.read_all(&source, &native.encode_to_vec(), detail)?;
        let (out, rendered, unmappable) = to.render_all(&target, &hub, mask, detail)?;
        problems.extend(unmappable);
        let out = DynamicMessage::decode(to.descriptor(&target)?, out).map_err(|_| TranslateError::Undecodable { message: target.clone() })?;
        let options = SerializeOptions::new().use_proto_field_name(true).skip_default_fields(true).stringify_64_bit_integers(true);
        let json = out.serialize_with_options(serde_json::value::Serializer, &options).map_err(|error| wrong(&target, error))?;
        Ok(Translation { json, read, rendered, problems })
    }
}

impl Outcome {
    /// One word, as reports print it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Lossy(_) => "lossy",
            Self::Defaulted => "defaulted",
            Self::Withheld(_) => "withheld",
            Self::Dropped(_) => "dropped",
            Self::Unmappable(_) => "unmappable",
        }
    }
}
