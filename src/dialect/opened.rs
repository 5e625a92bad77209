// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A canonical message that is taken apart once for all that is asked of it: what it carries, what of it may go, how the recipient will say it.
//!
//! The steps are types, so that none can be left out: [`Opened`] can only be looked at; what may leave comes out of [`Opened::minimise`] as
//! [`Kept`], and only that has bytes. What the gateway itself has to say is put on top afterwards.

use bytes::Bytes;

use super::category::{CategoryMask, RecipientKind};
use super::codelist::CodeLists;
use super::hub::Shape;
use super::message::{Message, Types};
use super::minimise::{carried, strip};
use super::registry::{Dialect, Dialects, decode, shape};
use super::report::{FieldReport, Report, TranslateError};
use super::translate::{self, Detail};

/// A canonical message as it came. What the contract does not know is left out.
pub struct Opened<'a> {
    part: Part<'a>,
    lists: &'a CodeLists,
}

/// What is left of a canonical message under a mask.
pub struct Kept<'a> {
    part: Part<'a>,
    mask: CategoryMask,
}

struct Part<'a> {
    shape: &'a Shape,
    types: &'a Types,
    message: Message<'a>,
    /// Bytes it came in, as far as its length can be guessed.
    about: usize,
}

impl Dialects {
    /// Takes a canonical message apart.
    ///
    /// # Errors
    /// [`TranslateError::UnknownMessage`] or [`TranslateError::Undecodable`].
    pub fn open<'a>(&'a self, message: &str, bytes: &'a [u8]) -> Result<Opened<'a>, TranslateError> {
        let (hub, lists) = (self.hub(), self.lists());
        let shape = shape(hub, "canonical", message)?;
        let mut decoded = decode(hub.types(), shape.id, message, bytes)?;
        decoded.forget_unknown();
        Ok(Opened { part: Part { shape, types: hub.types(), message: decoded, about: bytes.len() }, lists })
    }
}

impl<'a> Opened<'a> {
    /// The categories of everything that is set, those that its codes demand included.
    pub fn categories(&self) -> CategoryMask {
        carried(self.part.shape, self.lists, &self.part.message)
    }

    /// Strips what the mask does not cover and what never goes to such a recipient. The report names what stays behind.
    pub fn minimise(mut self, mask: CategoryMask, kind: RecipientKind) -> (Kept<'a>, Vec<FieldReport>) {
        let mut report = Report::default();
        strip(self.part.shape, self.lists, &mut self.part.message, mask, Some(kind), &mut report);
        (Kept { part: self.part, mask }, report.fields)
    }
}

impl<'a> Kept<'a> {
    /// Puts an encoded part of the same message on top, by protobuf's own rule: a value replaces the one that is there, messages come together,
    /// an empty text or `false` that is written out takes a field away. For what the gateway itself says.
    ///
    /// # Errors
    /// [`TranslateError::Undecodable`].
    pub fn overlay(mut self, bytes: &'a [u8]) -> Result<Self, TranslateError> {
        let Part { shape, types, message, .. } = &mut self.part;
        let undecodable = || TranslateError::Undecodable { message: shape.message.full_name().to_owned() };
        types.overlay(shape.id, message, bytes).ok_or_else(undecodable)?;
        Ok(self)
    }

    /// The canonical message.
    pub fn bytes(&self) -> Bytes {
        self.part.types.encode(self.part.shape.id, &self.part.message, self.part.about).into()
    }
}

impl Dialect {
    /// What would become of a message that this dialect had to say as `message`, as [`Dialect::render`] reports it, without saying it.
    ///
    /// # Errors
    /// [`TranslateError`]; a mandatory field that the dialect has no word for is one.
    pub fn rehearse(&self, message: &str, kept: &Kept<'_>) -> Result<Report, TranslateError> {
        if self.shape_of(message)?.id != kept.part.shape.id {
            return Err(TranslateError::UnknownMessage { dialect: self.name().to_owned(), message: message.to_owned() });
        }
        // The contract itself has a place for everything that is left.
        let Some(plan) = self.plan(message) else { return Ok(Report::default()) };
        let (_, report, problems) = translate::render(plan, &plan.for_mask(kept.mask), &kept.part.message, Detail::Losses);
        if problems.is_empty() { Ok(report) } else { Err(TranslateError::Fields(problems)) }
    }
}
