// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What each case system speaks, and how it is turned into the canonical words and back.
//!
//! Everything here is a pure function of its arguments: no SQL, no network, no clock, no knowledge of who is who.
//! A dialect is a set of `.proto` files whose options say what each field means in the hub; it is compiled once into plans,
//! and a plan translates. Nothing is looked up by name while a message is being translated.
//!
//! ```text
//! Dialects::embedded() -> Result<Dialects, DialectErrors>              all dialects of the build, compiled with the code lists
//! Dialects::compile(&DescriptorPool, CodeLists) -> Result<_, _>        the same for any pool
//! Dialects::with_folders(&[folder]) -> Result<Dialects, DialectErrors>     those of the build and of folders that the configuration names
//! Dialects::of_folder(&Path) -> Result<Dialects, DialectErrors>         those of one folder alone
//! Dialects::{get("awo" | "awo.v1"), iter(), lists(), pool(), method(path) -> Option<(&Arc<Dialect>, &Method)>}
//!
//! Dialect::{id(), name(), version(), title(), digest() -> &[u8; 32]}
//! Dialect::{methods(), method("/awo.v1.Vermittlung/Uebergeben"), implementing("weiche.exchange.v1.ReferralService.SubmitReferral")}
//! Dialect::message_for("weiche.type.v1.Referral") -> Option<&str>      the top message of the dialect
//! Dialect::read(native message, bytes) -> Result<(Bytes, Report), TranslateError>             dialect -> canonical
//! Dialect::read_quiet(native message, bytes) -> Result<Bytes, TranslateError>                 the same without the report
//! Dialect::render(native message, bytes, CategoryMask) -> Result<(Bytes, Report), TranslateError>   canonical -> dialect
//! Dialect::render_quiet(native message, bytes, CategoryMask) -> Result<Bytes, TranslateError>   the same without the report
//!
//! Dialect::native_path(native message, "referral.recipient.unit") -> Option<String>             a place of the hub in the dialect's words
//!
//! Method { path, canonical, request, response, canonical_request, canonical_response, delivery, client_streaming, server_streaming }
//!
//! Dialects::minimise("weiche.type.v1.Referral", bytes, mask, RecipientKind) -> Result<Minimised { bytes, withheld }, TranslateError>
//! Dialects::categories_of("weiche.type.v1.Referral", bytes) -> Result<CategoryMask, TranslateError>
//!
//! Dialects::cut("weiche.type.v1.Referral", bytes, mask, RecipientKind, own, (dialect, native message)) -> Result<Cut { bytes, report, withheld }, _>
//!                                                                       minimised, what is ours put on top, and rendered on trial
//! Dialect::{read_at, render_at}(&mut Desk, ..)                          the same without allocating, for many messages one after another
//!
//! Dialects::translate(from, to, hub, mask, json, verbose) -> Result<Translation { json, read, rendered, problems }, _>
//! Dialects::explain(from, to, hub, mask) -> Result<Vec<Row { source, canonical, rule, target, loss }>, _>
//! Dialects::predicted_losses(from, to, hub, mask) -> Result<Vec<Loss { side, path, kind, always, why }>, _>
//! Dialects::differences(new, before, old) -> Vec<Difference { weight, place, change }>     what a new version changes
//! Dialects::page(dialect) -> Page; Page::text(Format::{Markdown, Html})  for an institution's IT
//! ```
//!
//! The dialect `canonical` stands for institutions that speak the hub: its native messages are the canonical ones, its methods
//! the canonical methods; reading checks what every dialect's reading checks, rendering only minimises.
//!
//! Whoever holds canonical bytes of a whole call (`SubmitReferralRequest`, `DeliverReferralRequest`) reads and renders those;
//! fields of messages without categories (requests, responses, consents) count as ADMINISTRATIVE and pass every mask.

mod annotation;
mod category;
pub mod codelist;
mod cut;
mod desk;
mod error;
mod hub;
mod message;
mod minimise;
mod path;
mod plan;
mod registry;
mod report;
mod source;
mod spelling;
mod tool;
mod translate;
pub mod value;

pub use category::{Category, CategoryError, CategoryMask, RecipientKind};
pub use cut::Cut;
pub use desk::{Desk, Text};
pub use error::{DialectError, DialectErrors};
pub use minimise::Minimised;
pub use registry::{Dialect, Dialects, Method};
pub use report::{FieldProblem, FieldReport, Outcome, ProblemKind, Report, TranslateError};
pub use tool::{Difference, Format, Loss, LossKind, Page, REFERRAL, Row, STATUS_CHANGE, Side, Translation, Weight};

#[cfg(test)]
#[path = "../../tests/reference/mod.rs"]
mod reference;
