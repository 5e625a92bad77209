// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Whether a recipient has exactly what it may have. Three ways, because each alone could be blind: canaries by their category in the bytes as they
//! arrived; the categories of what the bytes say; and, value by value, nothing that was not sent and nothing missing that no loss explains.

use std::collections::HashSet;

use prost::Message as _;
use prost_reflect::{DynamicMessage, Value};

use super::{Findings, Promise};
use crate::cli::demo::cases::marks_in;
use crate::cli::demo::history::{Arrived, History, Outcome, Submission};
use crate::dialect::{CategoryMask, Dialects, Outcome as Fate, REFERRAL, RecipientKind, Report};
use crate::proto::types::Referral;

/// What the gateway adds or takes away for routing; not about the person.
const ROUTING: &[&str] =
    &["referral_id", "subject_ref", "state", "sgbx_78", "origin_203_stgb", "received_by_referral_id", "sender", "consent", "authored_at"];

/// For every arrival.
pub(super) fn exact(history: &History, dialects: &Dialects, findings: &mut Findings) {
    let promise = Promise::ExactContent;
    for submission in &history.submissions {
        let Outcome::Accepted { referral, granted, withheld, .. } = &submission.outcome else { continue };
        let sent = submission.sent.encode_to_vec();
        let carried = dialects.categories_of(REFERRAL, &sent).unwrap_or_default();
        let may = submission.allowed & carried;
        findings.unless(*granted == may, promise, || format!("case {}: granted {granted}, consent and route give {may}", submission.case));
        findings.unless(*withheld == carried - may, promise, || {
            format!("case {}: told that {withheld} stays behind, it is {}", submission.case, carried - may)
        });
        for arrived in history.arrivals_of(referral) {
            if let Some(why) = differs(submission, arrived, dialects, may) {
                findings.broken(promise, format!("case {} at {}: {why}", submission.case, arrived.institution));
            }
        }
    }
}

fn differs(submission: &Submission, arrived: &Arrived, dialects: &Dialects, may: CategoryMask) -> Option<String> {
    let leaked = marks_in(&arrived.native) - may;
    if !leaked.is_empty() {
        return Some(format!("canaries of {leaked}, which were not granted"));
    }
    let content = arrived.content.encode_to_vec();
    let has = dialects.categories_of(REFERRAL, &content).unwrap_or(CategoryMask::ALL);
    if !may.covers(has) {
        return Some(format!("data of {}, which were not granted", has - may));
    }
    let predicted = predicted(&submission.sent, &arrived.institution, dialects, may);
    let both = predicted.and_then(|(expected, report)| Some((leaves(dialects, &expected)?, leaves(dialects, &content)?, report)));
    let Some((sent, here, report)) = both else { return Some("nobody can say what should be there".to_owned()) };
    let named = |path: &str| report.fields.iter().any(|field| field.outcome != Fate::Exact && same_place(path, &field.path));
    let missing: Vec<_> = sent.difference(&here).map(|(path, _)| path.as_str()).filter(|path| !named(path)).collect();
    let added: Vec<_> = here.difference(&sent).map(|(path, _)| path.as_str()).filter(|path| !named(path)).collect();
    match (missing.first(), added.first()) {
        (Some(path), _) => Some(format!("{path} did not arrive as it was, and no loss was predicted")),
        (None, Some(path)) => Some(format!("{path} has a value that was not sent")),
        (None, None) => None,
    }
}

/// What should be there: the sent referral with what was granted, and the losses that the recipient's contract brings.
fn predicted(sent: &Referral, recipient: &str, dialects: &Dialects, may: CategoryMask) -> Option<(Vec<u8>, Report)> {
    let name = recipient.split('-').next()?;
    let kind = match name {
        "jobcenter" => RecipientKind::Jobcenter,
        "agentur" => RecipientKind::Agentur,
        _ => RecipientKind::Centre,
    };
    let minimised = dialects.minimise(REFERRAL, &sent.encode_to_vec(), may, kind).ok()?;
    let dialect = dialects.get(name)?;
    let (_, report) = dialect.render(dialect.message_for(REFERRAL)?, &minimised.bytes, may).ok()?;
    Some((minimised.bytes.to_vec(), report))
}

/// Lists whose elements are found by what they are: their order is nobody's.
const KEYED: &[&str] = &["contact_points", "identifiers"];

/// A loss in one element speaks for the same field of the others, one in a message for what is inside: elements move up when one is dropped.
fn same_place(path: &str, named: &str) -> bool {
    let (path, named) = (unindexed(path), unindexed(named));
    path.strip_prefix(&named).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// `needs[2].topic` without its number.
fn unindexed(path: &str) -> String {
    path.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest)).collect()
}

/// Every value of a referral with its path, routing left out. Codes count by themselves: labels are for people.
fn leaves(dialects: &Dialects, bytes: &[u8]) -> Option<HashSet<(String, String)>> {
    let message = DynamicMessage::decode(dialects.pool().get_message_by_name(REFERRAL)?, bytes).ok()?;
    let mut out = HashSet::new();
    collect(&message, "", &mut out);
    Some(out)
}

fn collect(message: &DynamicMessage, base: &str, out: &mut HashSet<(String, String)>) {
    use prost_reflect::ReflectMessage as _;
    for (field, value) in message.fields() {
        if base.is_empty() && ROUTING.contains(&field.name()) {
            continue;
        }
        let path = if base.is_empty() { field.name().to_owned() } else { format!("{base}.{}", field.name()) };
        for (at, value) in value.as_list().unwrap_or(std::slice::from_ref(value)).iter().enumerate() {
            let path = if field.is_list() && !KEYED.contains(&field.name()) { format!("{path}[{at}]") } else { path.clone() };
            match value {
                Value::Message(inside) if inside.descriptor().full_name() == "weiche.type.v1.Coding" => {
                    let code = inside.get_field_by_name("code").map(|code| code.to_string()).unwrap_or_default();
                    out.insert((path, code));
                }
                Value::Message(inside) => collect(inside, &path, out),
                value => drop(out.insert((path, value.to_string()))),
            }
        }
    }
}
