// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What holds for the contract as a whole: everything that comes from outside has a bound, everything about a person has a category,
//! every service has a place in the door list.

mod cases;
mod requests;

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};
use weiche::grpc::access::ACCESS;
use weiche::grpc::validate::Rules;
use weiche::proto::{DESCRIPTOR_SET, pool};

/// The messages that the gateway reads or writes under rules: requests of all services, and what institutions answer to deliveries.
fn checked() -> Vec<MessageDescriptor> {
    let services = || pool().services().filter(|s| s.full_name().starts_with("weiche."));
    let requests = services().flat_map(|s| s.methods().map(|m| m.input()).collect::<Vec<_>>());
    let answers =
        services().filter(|s| s.package_name() == "weiche.institution.v1").flat_map(|s| s.methods().map(|m| m.output()).collect::<Vec<_>>());
    requests.chain(answers).collect()
}

/// `roots` and all canonical messages inside them, by full name.
fn reachable(roots: Vec<MessageDescriptor>) -> BTreeMap<String, MessageDescriptor> {
    let (mut found, mut queue) = (BTreeMap::new(), roots);
    while let Some(message) = queue.pop() {
        if message.package_name().starts_with("weiche.") && found.insert(message.full_name().to_owned(), message.clone()).is_none() {
            queue.extend(message.fields().filter_map(|f| f.kind().as_message().cloned()));
        }
    }
    found
}

/// Values of the rule at `path` below `(buf.validate.field)`, such as `string.max_len`; a list gives its items.
fn rule(field: &FieldDescriptor, path: &str) -> Vec<Value> {
    let extension = pool().get_extension_by_name("buf.validate.field").unwrap();
    let options = field.options();
    let mut value = options.get_extension(&extension).into_owned();
    for name in path.split('.') {
        let Value::Message(rules) = &value else { return Vec::new() };
        if !rules.has_field_by_name(name) {
            return Vec::new();
        }
        value = rules.get_field_by_name(name).unwrap().into_owned();
    }
    match value {
        Value::List(items) => items,
        value => vec![value],
    }
}

/// A pattern that holds the whole text and repeats nothing without end.
fn bounded(pattern: &str) -> bool {
    pattern.starts_with('^') && pattern.ends_with('$') && !pattern.contains(['*', '+', '|', '.']) && !pattern.contains(",}")
}

/// What makes the value, or each item, of a field finite.
fn is_bounded(field: &FieldDescriptor) -> bool {
    let under = if field.is_list() { "repeated.items." } else { "" };
    let any = |rules: &[&str]| rules.iter().any(|name| !rule(field, &format!("{under}{name}")).is_empty());
    match field.kind() {
        Kind::String => {
            any(&["string.const", "string.len", "string.max_len", "string.max_bytes", "string.in", "string.uuid"])
                || rule(field, &format!("{under}string.pattern")).iter().any(|p| bounded(p.as_str().unwrap()))
        }
        Kind::Bytes => any(&["bytes.len", "bytes.max_len"]),
        Kind::Enum(_) => any(&["enum.defined_only", "enum.in"]),
        _ => true,
    }
}

#[test]
fn the_embedded_descriptor_set_decodes() {
    let decoded = DescriptorPool::decode(DESCRIPTOR_SET).unwrap();
    assert_eq!(decoded.services().count(), pool().services().count());
    assert!(decoded.services().any(|s| s.full_name() == "weiche.exchange.v1.ReferralService"));
}

#[test]
fn every_rule_of_the_contract_is_one_that_the_gateway_enforces() {
    let mut problems = Vec::new();
    for message in checked() {
        problems.extend(Rules::compile(&message).err().into_iter().flatten().map(|e| e.to_string()));
    }
    // Responses are not checked when they leave, but a rule that nobody could enforce would mislead whoever reads it.
    for message in pool().all_messages().filter(|m| m.package_name().starts_with("weiche.")) {
        problems.extend(Rules::compile(&message).err().into_iter().flatten().map(|e| e.to_string()));
    }
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn everything_that_comes_from_outside_has_an_upper_bound() {
    let messages = reachable(checked());
    assert!(messages.contains_key("weiche.type.v1.Address") && messages.contains_key("weiche.type.v1.ConsentEvent"), "the search found too little");
    let mut unbounded = Vec::new();
    for field in messages.values().flat_map(|m| m.fields().collect::<Vec<_>>()) {
        if !is_bounded(&field) {
            unbounded.push(format!("{}: no upper bound, or an enum without `defined_only`", field.full_name()));
        }
        if field.is_list() && rule(&field, "repeated.max_items").is_empty() || field.is_map() && rule(&field, "map.max_pairs").is_empty() {
            unbounded.push(format!("{}: any number of items", field.full_name()));
        }
    }
    assert_eq!(unbounded, Vec::<String>::new());
}

#[test]
fn a_bound_is_recognised_and_its_absence_too() {
    for good in ["^[0-9]{5}$", "^[a-z0-9][a-z0-9-]{0,38}[a-z0-9]$"] {
        assert!(bounded(good), "{good}");
    }
    for bad in ["[0-9]{5}", "^[0-9]{5}", "^[0-9]+$", "^a*$", "^[0-9]{5,}$", "^.{2}$", "^a|b$"] {
        assert!(!bounded(bad), "{bad}");
    }
    let field = |message: &str, name: &str| pool().get_message_by_name(message).unwrap().get_field_by_name(name).unwrap();
    // A response that the gateway itself writes needs no bound and has none.
    assert!(!is_bounded(&field("weiche.audit.v1.GetCheckpointResponse", "checkpoint")));
    assert!(is_bounded(&field("weiche.type.v1.Referral", "free_text")));
}

#[test]
fn changing_calls_carry_a_request_id_that_is_a_uuid() {
    let with_id: BTreeSet<String> = checked()
        .into_iter()
        .filter_map(|m| m.get_field_by_name("request_id"))
        .inspect(|id| {
            assert_eq!(rule(id, "required"), [Value::Bool(true)], "{}", id.full_name());
            assert_eq!(rule(id, "string.uuid"), [Value::Bool(true)], "{}", id.full_name());
        })
        .map(|id| id.parent_message().name().trim_end_matches("Request").to_owned())
        .collect();
    let expected = "AnswerRecall AnswerReferral ApproveText CancelReferral Drain ErasePerson LiftLegalHold ParkDeliveries PlaceLegalHold \
                    RecordConsent RequeueDeadLetter RestrictProcessing ResubmitReferral RevokeText SendCorrection SubmitReferral \
                    UnparkDeliveries WithdrawConsent";
    assert_eq!(with_id, expected.split(' ').map(str::to_owned).collect());
}

#[test]
fn every_datum_that_reaches_a_recipient_has_a_category() {
    let category = pool().get_extension_by_name("weiche.type.v1.category").unwrap();
    let defined = pool().get_enum_by_name("weiche.type.v1.DataCategory").unwrap();
    let mut missing = Vec::new();
    let mut seen = BTreeSet::new();
    let mut queue: Vec<(MessageDescriptor, Option<i32>)> = ["Referral", "StatusChange", "RecallNotice"]
        .map(|name| (pool().get_message_by_name(&format!("weiche.type.v1.{name}")).unwrap(), None))
        .into();
    while let Some((message, inherited)) = queue.pop() {
        if !seen.insert((message.full_name().to_owned(), inherited)) {
            continue;
        }
        for field in message.fields() {
            let own = field.options().has_extension(&category).then(|| field.options().get_extension(&category).as_enum_number().unwrap());
            match (field.kind(), own.or(inherited)) {
                (Kind::Message(inner), category) if inner.package_name().starts_with("weiche.") => queue.push((inner, category)),
                (_, Some(number)) if number != 0 && defined.get_value(number).is_some() => {}
                _ => missing.push(field.full_name().to_owned()),
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
    assert!(seen.contains(&("weiche.type.v1.Coding".to_owned(), Some(5))), "the search did not go into nationalities");
}

#[test]
fn the_door_list_names_the_services_of_the_contract_and_no_others() {
    let contract: BTreeSet<String> = pool().services().map(|s| s.full_name().to_owned()).filter(|n| n.starts_with("weiche.")).collect();
    let doors: Vec<String> = ACCESS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let listed: BTreeSet<String> = doors.iter().filter(|n| n.starts_with("weiche.")).cloned().collect();
    assert_eq!(listed, contract);
    assert_eq!(doors.iter().collect::<BTreeSet<_>>().len(), doors.len(), "a service is listed twice");
    let others: Vec<_> = doors.iter().filter(|n| !n.starts_with("weiche.")).collect();
    assert_eq!(others, ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"]);
}

/// Checks the encoded `message` of type `name` and gives path and rule of each violation.
fn broken(name: &str, message: &impl prost::Message) -> Vec<(String, String)> {
    let descriptor = pool().get_message_by_name(name).unwrap();
    let bytes = message.encode_to_vec();
    // What the test says is what the contract says: no field of the type is unknown to the descriptor.
    assert_eq!(DynamicMessage::decode(descriptor.clone(), bytes.as_slice()).unwrap().unknown_fields().count(), 0);
    let violations = Rules::compile(&descriptor).unwrap().check(&bytes).err().unwrap_or_default();
    violations.into_iter().map(|v| (v.field, v.rule)).collect()
}
