// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What a person permitted, and the one decision made from it. Knows no protobuf, no dialects, no delivery, no database.
//!
//! [`decide`] is pure: the same request, records, agreement and instant always give the same answer, so an auditor can repeat it.
//! It is asked on submission and again at every release and every retry; its yes is a [`Permit`], which nothing else can make.

mod code;
mod decide;
mod ending;
mod explain;
mod grantor;
mod lifecycle;
mod reason;
mod record;
mod store;
#[cfg(test)]
mod tests;

pub use code::{CodeError, WithdrawalCode};
pub use decide::{Decision, Denial, Direction, Evidence, Permit, Request, decide};
pub use explain::{Explained, Language, data, explain, in_words};
pub use grantor::{Capability, Day, Grantor, GrantorKind};
pub use lifecycle::{LifecycleError, Problem, Withdrawal, record_new, transition, usual_retention, withdraw};
pub use reason::Reason;
pub use record::{
    Consent, Event, Explanation, ExplanationMode, Form, Grant, Information, InterpreterKind, Party, Quality, Retention, Scan, Scope, SecrecyRelease,
    Status, SubjectRef, TemplateUse, Voluntariness,
};
pub use store::{Pending, by_codes, count_pending, ended, erase, list, load, of_subjects, pending, save, save_codes};
