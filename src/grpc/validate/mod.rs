// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The field rules of the contract (`buf.validate`), enforced on wire bytes before anything is decoded.
//!
//! [`Rules::compile`] reads the annotations of a request type and all that it contains; a rule that the gateway does not know is an error
//! there, so no annotation is ever silently without effect. [`Rules::check`] then walks a message once. It is stricter than a protobuf
//! parser has to be, in three places where two parsers of one message could otherwise come to different contents: a singular field or a map key
//! that occurs twice, two members of one oneof, and groups are refused.

mod compile;
mod plan;
mod rules;
#[cfg(test)]
mod tests;
mod text;
mod walk;

use prost_reflect::MessageDescriptor;

pub use compile::{RuleError, RuleProblem};

/// Items that a repeated field or map may have when it has no `max_items` or `max_pairs`: a message cannot make us count for long.
pub const MAX_ITEMS: u64 = 1000;
/// Messages inside each other, as in prost: what passes here can be decoded.
pub const MAX_DEPTH: u32 = 100;
/// Violations that one check reports; then it stops. The caller can hardly use more, and a status has to stay small.
pub const MAX_VIOLATIONS: usize = 20;

/// The compiled rules of one message type and of everything that it contains.
#[derive(Debug)]
pub struct Rules {
    /// The first is the type itself; the others are reached from it by index, so that types may contain themselves.
    plans: Vec<plan::Plan>,
}

/// One broken rule. Never carries the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field in proto names, such as `subject.languages[2].code`; empty for the message itself.
    pub field: String,
    /// Id of the rule as in Protovalidate, such as `string.min_len`; `wire.` begins what is wrong with the bytes themselves.
    pub rule: String,
    /// What the rule asks for, in English.
    pub description: String,
}

impl Violation {
    /// Whether the bytes are not a message of the type at all, rather than one with wrong contents.
    pub fn is_malformed(&self) -> bool {
        self.rule.starts_with("wire.")
    }
}

impl Rules {
    /// Compiles the annotations of `message`. All problems are reported at once.
    pub fn compile(message: &MessageDescriptor) -> Result<Self, Vec<RuleError>> {
        compile::compile(message).map(|plans| Self { plans })
    }

    /// Checks one encoded message: structure, UTF-8, counts and all rules. At most [`MAX_VIOLATIONS`] are reported; bytes that cannot be
    /// read end the check. Allocates two small stacks, and what it has to say about violations.
    pub fn check(&self, bytes: &[u8]) -> Result<(), Vec<Violation>> {
        walk::check(&self.plans, bytes)
    }
}
