// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What a sender's message comes to: cut to what may go, with what the gateway itself has to say on top, and said by the recipient on trial. It is
//! taken apart once for all of that.

use bytes::Bytes;

use super::category::{CategoryMask, RecipientKind};
use super::desk::Desk;
use super::minimise::strip;
use super::registry::{Dialect, Dialects, decode, shape};
use super::report::{FieldReport, Report, TranslateError};
use super::translate::{self, Detail, Lines};

/// A canonical message as it may go, and what becomes of it.
#[derive(Debug, Clone)]
pub struct Cut {
    /// The canonical message.
    pub bytes: Bytes,
    /// How the recipient's dialect will say it, as [`Dialect::render`] reports it.
    pub report: Report,
    /// What stays behind.
    pub withheld: Vec<FieldReport>,
}

impl Dialects {
    /// Strips what the mask does not cover and what never goes to such a recipient; puts `own`, an encoded part of the same message, on top by protobuf's
    /// own rule (a value replaces the one that is there, messages come together, an empty text or `false` that is written out takes a field away); and
    /// renders the result on trial as a message of the recipient's dialect. What the contract does not know is left out and not spoken of.
    ///
    /// # Errors
    /// [`TranslateError`]; a mandatory field that the recipient's dialect has no word for is one.
    pub fn cut(
        &self,
        message: &str,
        bytes: &[u8],
        mask: CategoryMask,
        kind: RecipientKind,
        own: &[u8],
        (recipient, native): (&Dialect, &str),
    ) -> Result<Cut, TranslateError> {
        let (types, lists) = (&**self.hub().types(), self.lists());
        let shape = shape(self.hub(), "canonical", message)?;
        if recipient.shape_of(native)?.id != shape.id {
            return Err(TranslateError::UnknownMessage { dialect: recipient.name().to_owned(), message: native.to_owned() });
        }
        // The contract itself has a place for everything that is left.
        let plan = recipient.plan(native).map(|plan| (plan, plan.for_mask(mask)));
        Desk::with(|desk| {
            let (room, out) = desk.clear();
            let hub = decode(room, types, shape.id, message, bytes)?;
            hub.forget_unknown();
            let mut withheld = Lines::new(room, Detail::Losses);
            strip(room, shape, lists, hub, mask, Some(kind), &mut withheld);
            let undecodable = || TranslateError::Undecodable { message: message.to_owned() };
            types.overlay(room, shape.id, hub, own).ok_or_else(undecodable)?;
            types.encode(shape.id, hub, out);
            let mut lines = Lines::new(room, Detail::Losses);
            if let Some((plan, block)) = &plan {
                let (_, problems) = translate::render(room, types, plan, block, hub, &mut lines);
                if !problems.is_empty() {
                    return Err(TranslateError::Fields(problems));
                }
            }
            Ok(Cut { bytes: Bytes::copy_from_slice(out.written()), report: lines.report(), withheld: withheld.report().fields })
        })
    }
}
