// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What a case system says and hears: messages of its own contract, built and read by the library that comes with the dialect. Not one
//! canonical byte leaves or enters it.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use prost_reflect::{DynamicMessage, ReflectMessage as _, Value};

use crate::dialect::{CategoryMask, Dialect, Dialects, Method, REFERRAL, TranslateError};

/// A message that the system cannot make or does not understand.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli::demo) enum TongueError {
    /// The contract of the institution has no such method.
    #[error("the dialect {0} has no method for {1}")]
    NoMethod(String, String),
    /// The library refused.
    #[error(transparent)]
    Translate(#[from] TranslateError),
    /// The bytes are no such message.
    #[error("not a {0}")]
    Undecodable(String),
}

/// The contract of one institution.
#[derive(Debug, Clone)]
pub(in crate::cli::demo) struct Tongue {
    dialects: Arc<Dialects>,
    dialect: Arc<Dialect>,
}

/// A referral as it arrived: the system's own message, and what its staff reads in it.
#[derive(Debug, Clone)]
pub(in crate::cli::demo) struct Read {
    /// In the institution's own words.
    pub native: Bytes,
    /// The number that the gateway gave it, from the institution's own field.
    pub referral: String,
}

impl Tongue {
    pub(in crate::cli::demo) fn new(dialects: Arc<Dialects>, name: &str) -> Option<Self> {
        let dialect = dialects.get(name)?.clone();
        Some(Self { dialects, dialect })
    }

    /// Short name of the dialect.
    pub(in crate::cli::demo) fn name(&self) -> &str {
        self.dialect.name()
    }

    /// The institution's own method for a canonical one.
    pub(super) fn method(&self, canonical: &str) -> Result<&Method, TongueError> {
        let missing = || TongueError::NoMethod(self.dialect.name().to_owned(), canonical.to_owned());
        self.dialect.implementing(canonical).ok_or_else(missing)
    }
    /// The method behind a path that the gateway calls.
    pub(super) fn called(&self, path: &str) -> Option<&Method> {
        self.dialect.method(path).filter(|method| method.delivery)
    }

    /// A message of the institution that says this.
    pub(super) fn say(&self, message: &str, what: &impl Message) -> Result<Bytes, TongueError> {
        Ok(self.dialect.render(message, &what.encode_to_vec(), CategoryMask::ALL)?.0)
    }

    /// What a message of the institution says.
    pub(super) fn hear<M: Message + Default>(&self, message: &str, bytes: &[u8]) -> Result<M, TongueError> {
        let (canonical, _) = self.dialect.read(message, bytes)?;
        M::decode(canonical).map_err(|_| TongueError::Undecodable(message.to_owned()))
    }

    /// What the institution's own words for this referral mean: with everything that its system cannot hold left out.
    pub(in crate::cli::demo) fn as_understood(&self, referral: &crate::proto::types::Referral) -> Result<crate::proto::types::Referral, TongueError> {
        self.hear(self.dialect.message_for(REFERRAL).unwrap_or_default(), &self.write(referral)?)
    }

    /// The institution's own message for a referral.
    pub(in crate::cli::demo) fn write(&self, referral: &crate::proto::types::Referral) -> Result<Bytes, TongueError> {
        self.say(self.dialect.message_for(REFERRAL).unwrap_or_default(), referral)
    }

    /// The referral inside a delivery, with the number by which the gateway knows it.
    pub(super) fn referral_in(&self, message: &str, bytes: &[u8]) -> Option<Read> {
        let delivery = DynamicMessage::decode(self.dialects.pool().get_message_by_name(message)?, bytes).ok()?;
        let top = self.dialect.message_for(REFERRAL)?;
        let inside = |value: &Value| value.as_message().filter(|inner| inner.descriptor().full_name() == top).cloned();
        let referral = delivery.fields().find_map(|(_, value)| inside(value))?;
        let number = referral.get_field_by_name(number_field(self.name()))?.as_str()?.to_owned();
        Some(Read { native: referral.encode_to_vec().into(), referral: number })
    }

    /// The institution's own message as its staff would see it in a viewer.
    pub(in crate::cli::demo) fn as_json(&self, native: &[u8]) -> Option<String> {
        let descriptor = self.dialects.pool().get_message_by_name(self.dialect.message_for(REFERRAL)?)?;
        let message = DynamicMessage::decode(descriptor, native).ok()?;
        let options = prost_reflect::SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(true);
        let json = message.serialize_with_options(serde_json::value::Serializer, &options).ok()?;
        serde_json::to_string_pretty(&json).ok()
    }
}

/// The field of the institution's referral that holds the gateway's number of it.
fn number_field(dialect: &str) -> &'static str {
    match dialect {
        "awo" => "vermittlung_nr",
        "diakonie" => "vermittlungsnummer",
        "drk" => "id",
        "jobcenter" => "VMNR",
        "agentur" => "vermittlungId",
        _ => "referralId",
    }
}
