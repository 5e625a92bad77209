// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The walk is compared with a slow and obvious check that decodes into a dynamic message and reads the annotations by name.

use proptest::prelude::*;
use prost_reflect::prost::Message;
use prost_reflect::{Cardinality, DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value};
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};

use super::*;

struct Sources(Vec<(&'static str, String)>);

impl FileResolver for Sources {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        let (name, source) = self.0.iter().find(|(n, _)| *n == name).ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, source)
    }
}

/// The pool of one file `case.proto` with the given body.
fn pool(body: &str) -> DescriptorPool {
    let case =
        format!("syntax = \"proto3\"; package case; import \"buf/validate/validate.proto\"; import \"google/protobuf/timestamp.proto\"; {body}");
    let rules = include_str!("../../../proto/buf/validate/validate.proto").to_owned();
    let mut files = ChainFileResolver::new();
    files.add(Sources(vec![("case.proto", case), ("buf/validate/validate.proto", rules)]));
    files.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(files);
    compiler.include_imports(true).open_file("case.proto").unwrap();
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap()
}

fn message(body: &str) -> MessageDescriptor {
    pool(body).get_message_by_name("case.M").unwrap()
}

/// A field of every kind, with and without presence, rules of every kind.
const EVERYTHING: &str = r#"
enum Colour { COLOUR_UNSPECIFIED = 0; COLOUR_RED = 1; COLOUR_BLUE = 5; }
message M {
  string id = 1 [(buf.validate.field).string.uuid = true];
  optional string name = 2 [(buf.validate.field).string = {min_len: 2, max_len: 4}];
  string required = 3 [(buf.validate.field).required = true];
  string maybe = 4 [(buf.validate.field).ignore = IGNORE_IF_ZERO_VALUE, (buf.validate.field).string.pattern = "^[A-Z]{1,3}$"];
  int32 small = 5 [(buf.validate.field).int32 = {gte: -1, lt: 3}];
  sint64 signed = 6 [(buf.validate.field).sint64 = {in: [0, -2, 7]}];
  optional fixed32 fixed = 7 [(buf.validate.field).fixed32.gt = 1];
  Colour colour = 8 [(buf.validate.field).enum = {defined_only: true, not_in: [0]}];
  repeated uint32 numbers = 9 [(buf.validate.field).repeated = {min_items: 1, max_items: 3, unique: true, items: {uint32: {lte: 5}}}];
  repeated string words = 10 [(buf.validate.field).repeated = {unique: true, items: {string: {max_bytes: 3}}}];
  M child = 11;
  repeated M children = 12;
  map<string, M> by_name = 13 [(buf.validate.field).map.max_pairs = 2];
  oneof choice {
    option (buf.validate.oneof).required = true;
    bytes raw = 14 [(buf.validate.field).bytes.min_len = 1];
    bool flag = 15 [(buf.validate.field).bool.const = true];
    M nested = 16 [(buf.validate.field).required = false];
  }
  google.protobuf.Timestamp when = 17;
  double ratio = 18 [(buf.validate.field).required = true];
  float half = 19;
}
"#;

/// Nothing that must be there, so that damaged and random bytes often pass.
const LOOSE: &str = r#"
message M {
  string text = 1 [(buf.validate.field).string.max_len = 3];
  optional int32 small = 2 [(buf.validate.field).int32.lte = 90];
  repeated uint32 numbers = 3 [(buf.validate.field).repeated = {unique: true, items: {uint32: {lte: 100}}}];
  repeated M children = 4;
  map<string, M> by_name = 5;
  oneof choice {
    bytes raw = 6;
    bool flag = 7;
  }
  google.protobuf.Timestamp when = 8;
  double ratio = 9;
}
"#;

fn rules_of(options: &DynamicMessage) -> Option<DynamicMessage> {
    options.extensions().find(|(e, _)| e.full_name().starts_with("buf.validate.")).and_then(|(_, v)| v.as_message().cloned())
}

fn no_rules() -> DynamicMessage {
    static TYPE: std::sync::OnceLock<MessageDescriptor> = std::sync::OnceLock::new();
    DynamicMessage::new(TYPE.get_or_init(|| pool("message M {}").get_message_by_name("buf.validate.FieldRules").unwrap()).clone())
}

fn get(rules: &DynamicMessage, name: &str) -> Option<Value> {
    rules.has_field_by_name(name).then(|| rules.get_field_by_name(name).unwrap().into_owned())
}

fn number(value: &Value) -> i128 {
    match value {
        Value::Bool(b) => i128::from(*b),
        Value::I32(n) | Value::EnumNumber(n) => i128::from(*n),
        Value::U32(n) => i128::from(*n),
        Value::I64(n) => i128::from(*n),
        Value::U64(n) => i128::from(*n),
        other => panic!("{other:?}"),
    }
}

/// The slow check: (path, rule) of everything that is broken.
fn slow(message: &DynamicMessage, path: &str, broken: &mut Vec<(String, String)>) {
    for oneof in message.descriptor().oneofs() {
        let required = rules_of(&oneof.options()).is_some_and(|r| get(&r, "required") == Some(Value::Bool(true)));
        if required && !oneof.fields().any(|f| message.has_field(&f)) {
            broken.push((format!("{path}{}", oneof.name()), "required".into()));
        }
    }
    for field in message.descriptor().fields() {
        let at = format!("{path}{}", field.name());
        let rules = rules_of(&field.options()).unwrap_or_else(no_rules);
        let value = message.get_field(&field);
        let required = get(&rules, "required") == Some(Value::Bool(true));
        let skip = get(&rules, "ignore") == Some(Value::EnumNumber(1));
        if required && !message.has_field(&field) {
            broken.push((at, "required".into()));
        } else if let Value::Map(map) = &*value {
            let max = get(&rules, "map").and_then(|r| get(r.as_message()?, "max_pairs")).map_or(1000, |v| number(&v));
            if map.len() as i128 > max {
                broken.push((at.clone(), "map.max_pairs".into()));
            }
            // The order of a map on the wire is not that of its entries here: paths leave the index out.
            for value in map.values() {
                slow(value.as_message().unwrap(), &format!("{at}[].value."), broken);
            }
        } else if field.cardinality() == Cardinality::Repeated {
            let list = value.as_list().unwrap();
            let repeated = get(&rules, "repeated").map(|r| r.as_message().unwrap().clone());
            let bound = |name| repeated.as_ref().and_then(|r| get(r, name)).map(|v| number(&v));
            if (list.len() as i128) < bound("min_items").unwrap_or(0) && !(skip && list.is_empty()) {
                broken.push((at.clone(), "repeated.min_items".into()));
            }
            let max = bound("max_items").unwrap_or(1000);
            if list.len() as i128 > max {
                broken.push((at.clone(), "repeated.max_items".into()));
            }
            let considered = &list[..list.len().min(usize::try_from(max).unwrap())];
            if bound("unique") == Some(1) && (1..considered.len()).any(|i| considered[..i].contains(&considered[i])) {
                broken.push((at.clone(), "repeated.unique".into()));
            }
            let items = repeated.and_then(|r| get(&r, "items")).map(|v| v.as_message().unwrap().clone());
            for (i, item) in considered.iter().enumerate() {
                slow_value(&field, item, items.as_ref(), &format!("{at}[{i}]"), broken);
            }
        } else if message.has_field(&field) || !field.supports_presence() && !skip {
            slow_value(&field, &value, Some(&rules), &at, broken);
        }
    }
}

fn slow_value(field: &FieldDescriptor, value: &Value, rules: Option<&DynamicMessage>, at: &str, broken: &mut Vec<(String, String)>) {
    if let Value::Message(child) = value {
        if child.descriptor().full_name() == "google.protobuf.Timestamp" {
            let part = |n| number(&child.get_field_by_name(n).unwrap());
            let (seconds, nanos) = (part("seconds"), part("nanos"));
            for (field, value, least, most) in [("seconds", seconds, -62_135_596_800, 253_402_300_799), ("nanos", nanos, 0, 999_999_999)] {
                let kind = if field == "seconds" { "int64" } else { "int32" };
                if value < least {
                    broken.push((format!("{at}.{field}"), format!("{kind}.gte")));
                }
                if value > most {
                    broken.push((format!("{at}.{field}"), format!("{kind}.lte")));
                }
            }
            return;
        }
        return slow(child, &format!("{at}."), broken);
    }
    let Some((kind, typed)) =
        rules.and_then(|r| r.fields().find(|(f, _)| f.containing_oneof().is_some())).map(|(f, v)| (f.name().to_owned(), v.clone()))
    else {
        return;
    };
    for (rule, want) in typed.as_message().unwrap().fields() {
        let holds = match value {
            Value::String(text) => match rule.name() {
                "uuid" => uuid::Uuid::try_parse(text).is_ok() && text.len() == 36,
                "min_len" => text.chars().count() as i128 >= number(want),
                "max_len" => text.chars().count() as i128 <= number(want),
                "max_bytes" => text.len() as i128 <= number(want),
                "pattern" => regex::Regex::new(want.as_str().unwrap()).unwrap().is_match(text),
                other => panic!("{other}"),
            },
            Value::Bytes(bytes) => bytes.len() as i128 >= number(want),
            _ => {
                let n = number(value);
                let in_list = || want.as_list().unwrap().iter().any(|v| number(v) == n);
                match rule.name() {
                    "const" => n == number(want),
                    "lt" => n < number(want),
                    "lte" => n <= number(want),
                    "gt" => n > number(want),
                    "gte" => n >= number(want),
                    "in" => in_list(),
                    "not_in" => !in_list(),
                    "defined_only" => matches!(field.kind(), Kind::Enum(e) if e.values().any(|v| i128::from(v.number()) == n)),
                    other => panic!("{other}"),
                }
            }
        };
        if !holds {
            broken.push((at.to_owned(), format!("{kind}.{}", rule.name())));
        }
    }
}

fn without_map_index(path: &str) -> String {
    let mut text = path.to_owned();
    for i in 0..4 {
        text = text.replace(&format!("by_name[{i}]"), "by_name[]");
    }
    text
}

/// A message with some of the fields of `EVERYTHING`, valid and invalid values mixed.
fn arbitrary(of: MessageDescriptor, depth: u32) -> BoxedStrategy<DynamicMessage> {
    let fields: Vec<FieldDescriptor> = of.fields().collect();
    let parts: Vec<BoxedStrategy<Option<Value>>> = fields
        .iter()
        .map(|field| {
            let one = scalar(field, depth);
            let value = if field.is_map() {
                let entry = field.kind().as_message().unwrap().map_entry_value_field();
                proptest::collection::btree_map("[ab]?c?", scalar(&entry, depth), 0..4)
                    .prop_map(|m| Value::Map(m.into_iter().map(|(k, v)| (prost_reflect::MapKey::String(k), v)).collect()))
                    .boxed()
            } else if field.is_list() {
                proptest::collection::vec(one, 0..5).prop_map(Value::List).boxed()
            } else {
                one
            };
            let likely = if matches!(field.kind(), Kind::Message(_)) { if depth == 0 { 0.0 } else { 0.3 } } else { 0.8 };
            if likely == 0.0 { Just(None).boxed() } else { proptest::option::weighted(likely, value).boxed() }
        })
        .collect();
    parts
        .prop_map(move |values| {
            let mut message = DynamicMessage::new(of.clone());
            for (field, value) in fields.iter().zip(values) {
                if let Some(value) = value {
                    message.set_field(field, value);
                }
            }
            message
        })
        .boxed()
}

fn scalar(field: &FieldDescriptor, depth: u32) -> BoxedStrategy<Value> {
    match field.kind() {
        Kind::String => prop_oneof!["[A-Zäß]{0,5}", Just("0193b2c4-7d1e-4a6b-9c3d-0123456789ab".to_owned())].prop_map(Value::String).boxed(),
        Kind::Bytes => proptest::collection::vec(any::<u8>(), 0..3).prop_map(|b| Value::Bytes(b.into())).boxed(),
        Kind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        Kind::Int32 => prop_oneof![-3..5i32, any::<i32>()].prop_map(Value::I32).boxed(),
        Kind::Int64 => prop_oneof![-3..5i64, any::<i64>()].prop_map(Value::I64).boxed(),
        Kind::Sint64 => prop_oneof![-3..9i64, any::<i64>()].prop_map(Value::I64).boxed(),
        Kind::Uint32 | Kind::Fixed32 => prop_oneof![0..8u32, any::<u32>()].prop_map(Value::U32).boxed(),
        Kind::Enum(_) => (-1..7i32).prop_map(Value::EnumNumber).boxed(),
        Kind::Double => prop_oneof![Just(0.0), any::<f64>()].prop_map(Value::F64).boxed(),
        Kind::Float => any::<f32>().prop_map(Value::F32).boxed(),
        Kind::Message(of) if depth > 0 => arbitrary(of, depth - 1).prop_map(Value::Message).boxed(),
        Kind::Message(of) => Just(Value::Message(DynamicMessage::new(of))).boxed(),
        other => panic!("{other:?}"),
    }
}

fn everything() -> &'static (MessageDescriptor, Rules) {
    static CASE: std::sync::OnceLock<(MessageDescriptor, Rules)> = std::sync::OnceLock::new();
    CASE.get_or_init(|| {
        let message = message(EVERYTHING);
        let rules = Rules::compile(&message).unwrap();
        (message, rules)
    })
}

fn loose() -> &'static (MessageDescriptor, Rules) {
    static CASE: std::sync::OnceLock<(MessageDescriptor, Rules)> = std::sync::OnceLock::new();
    CASE.get_or_init(|| {
        let message = message(LOOSE);
        let rules = Rules::compile(&message).unwrap();
        (message, rules)
    })
}

fn agrees(rules: &Rules, message: &DynamicMessage, bytes: &[u8]) {
    let mut expected = Vec::new();
    slow(message, "", &mut expected);
    let found: Vec<(String, String)> =
        rules.check(bytes).err().unwrap_or_default().into_iter().map(|v| (without_map_index(&v.field), v.rule)).collect();
    if expected.len() < MAX_VIOLATIONS {
        let sorted = |mut list: Vec<(String, String)>| {
            list.sort();
            list
        };
        assert_eq!(sorted(found), sorted(expected));
    } else {
        assert_eq!(found.len(), MAX_VIOLATIONS);
        assert!(found.iter().all(|v| expected.contains(v)), "{found:?} {expected:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn the_walk_agrees_with_the_slow_check(message in arbitrary(everything().0.clone(), 2)) {
        agrees(&everything().1, &message, &message.encode_to_vec());
    }

    #[test]
    fn messages_that_are_mostly_valid_agree_too(message in arbitrary(loose().0.clone(), 2)) {
        agrees(&loose().1, &message, &message.encode_to_vec());
    }

    #[test]
    fn any_bytes_are_answered_and_what_passes_can_be_decoded(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
        let _ = everything().1.check(&bytes);
        if loose().1.check(&bytes).is_ok() {
            prop_assert!(DynamicMessage::decode(loose().0.clone(), bytes.as_slice()).is_ok());
        }
    }

    #[test]
    fn damaged_messages_are_answered_and_what_passes_keeps_the_rules(
        message in arbitrary(loose().0.clone(), 1), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let mut bytes = message.encode_to_vec();
        if bytes.is_empty() {
            return Ok(());
        }
        let at = at.index(bytes.len());
        if cut { bytes.truncate(at) } else { bytes[at] = byte }
        match loose().1.check(&bytes) {
            Err(violations) => prop_assert!((1..=MAX_VIOLATIONS).contains(&violations.len())),
            Ok(()) => {
                let message = DynamicMessage::decode(loose().0.clone(), bytes.as_slice()).unwrap();
                agrees(&loose().1, &message, &bytes);
            }
        }
    }
}

fn found(body: &str, bytes: &[u8]) -> Vec<(String, String)> {
    let rules = Rules::compile(&message(body)).unwrap();
    rules.check(bytes).err().unwrap_or_default().into_iter().map(|v| (v.field, v.rule)).collect()
}

fn one(field: &str, rule: &str) -> Vec<(String, String)> {
    vec![(field.to_owned(), rule.to_owned())]
}

#[test]
fn bytes_that_two_parsers_could_read_differently_are_refused() {
    let body = "message M { string a = 1; repeated M b = 2; oneof c { int32 d = 3; int32 e = 4; } map<int32, string> f = 5; }";
    assert_eq!(found(body, &[0x0a, 1, b'x']), vec![]);
    assert_eq!(found(body, &[0x0a, 1, b'x', 0x0a, 0]), one("a", "wire.duplicate"));
    assert_eq!(found(body, &[0x18, 1, 0x20, 1]), one("e", "wire.oneof"));
    // Keys 1 and, spelt in two bytes, 1.
    assert_eq!(found(body, &[0x2a, 2, 0x08, 1, 0x2a, 3, 0x08, 0x81, 0]), one("f", "wire.map_key"));
    assert_eq!(found(body, &[0x08, 1]), one("a", "wire.type"));
    assert_eq!(found(body, &[0x0b, 0x0c]), one("", "wire.payload"));
    assert_eq!(found(body, &[0x0a, 5, b'x']), one("", "wire.payload"));
    assert_eq!(found(body, &[0x12, 4, 0x0a, 2, 0xc3, 0x28]), one("b[0].a", "wire.utf8"));
    assert_eq!(found(body, &[0x00]), one("", "wire.key"));
    // An unknown field is none of our business.
    assert_eq!(found(body, &[0xf8, 0x01, 1]), vec![]);
}

#[test]
fn nesting_and_counts_are_bounded_without_any_annotation() {
    let body = "message M { M a = 1; repeated bool b = 2; }";
    let nested = |times: usize| {
        (0..times).fold(Vec::new(), |inner, _| {
            let mut outer = vec![0x0a];
            prost_reflect::prost::encoding::encode_varint(inner.len() as u64, &mut outer);
            outer.extend(inner);
            outer
        })
    };
    assert_eq!(found(body, &nested(100)), vec![]);
    let deep = found(body, &nested(101));
    assert_eq!(deep.len(), 1);
    assert_eq!(deep[0].1, "wire.depth");
    assert_eq!(found(body, &[0x10, 1].repeat(1000)), vec![]);
    assert_eq!(found(body, &[0x10, 1].repeat(5000)), one("b", "repeated.max_items"));
    let packed = [&[0x12, 0xe9, 0x07][..], &[1; 1001]].concat();
    assert_eq!(found(body, &packed), one("b", "repeated.max_items"));
}

#[test]
fn a_violation_never_quotes_the_value() {
    let body = r#"message M { string a = 1 [(buf.validate.field).string = {uuid: true, max_len: 3, in: ["x"]}]; int32 b = 2 [(buf.validate.field).int32.lt = 5]; }"#;
    let rules = Rules::compile(&message(body)).unwrap();
    let violations = rules.check(b"\x0a\x08Kanarius\x10\xcd\x83\x06").unwrap_err();
    assert_eq!(violations.len(), 4);
    assert!(violations.iter().all(|v| !v.description.contains("Kanarius") && !v.description.contains("98765")), "{violations:?}");
}

#[test]
fn annotations_that_cannot_be_enforced_are_all_reported_at_once() {
    let body = r#"message M {
        string a = 1 [(buf.validate.field).int32.lt = 5];
        string b = 2 [(buf.validate.field).string.pattern = "("];
        string c = 3 [(buf.validate.field).string.pattern = "^\\d+$"];
        int32 d = 4 [(buf.validate.field).int32 = {gt: 5, lt: 6}];
        repeated N e = 5 [(buf.validate.field).repeated.unique = true];
        repeated int32 f = 6 [(buf.validate.field).repeated = {items: {string: {len: 1}}}];
    }
    message N { repeated string g = 1 [(buf.validate.field).string.len = 1]; }"#;
    let errors = Rules::compile(&message(body)).unwrap_err();
    let text: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(text.len(), 7, "{text:#?}");
    assert!(text.iter().all(|t| t.starts_with("case.proto: case.")), "{text:#?}");
    assert_eq!(errors[0].problem, RuleProblem::WrongType("int32".into()));
    assert_eq!(errors[6].message, "case.N");
}

#[test]
fn a_rule_that_our_transcription_lacks_is_refused_whichever_definition_comes_with_it() {
    // `string.ip` (14) and `cel` (23), first unknown to the definition in use, then defined by it.
    let theirs = include_str!("../../../proto/buf/validate/validate.proto")
        .replace("bool email = 12;", "bool email = 12; bool ip = 14;")
        .replace("optional bool required = 25;", "optional bool required = 25; repeated string cel = 23;");
    let case = r#"syntax = "proto3"; package case; import "buf/validate/validate.proto";
        message M { string a = 1 [(buf.validate.field).string.ip = true]; string b = 2 [(buf.validate.field).cel = "this"]; }"#;
    let mut files = ChainFileResolver::new();
    files.add(Sources(vec![("case.proto", case.into()), ("buf/validate/validate.proto", theirs)]));
    files.add(GoogleFileResolver::new());
    let mut compiler = protox::Compiler::with_file_resolver(files);
    compiler.include_imports(true).open_file("case.proto").unwrap();
    let set = compiler.encode_file_descriptor_set();
    let known = DescriptorPool::decode(set.as_slice()).unwrap();

    // The same file against our definition: the options are bytes that it does not have.
    let mut ours = pool("message Other {}");
    let rest = known.get_file_by_name("case.proto").unwrap().encode_to_vec();
    let renamed: Vec<u8> = [&b"\x0a\x0bcase2.proto"[..], rest.strip_prefix(b"\x0a\x0acase.proto").unwrap()].concat();
    ours.decode_file_descriptor_proto(renamed.as_slice()).unwrap();

    for pool in [known, ours] {
        let errors = Rules::compile(&pool.get_message_by_name("case.M").unwrap()).unwrap_err();
        let problems: Vec<_> = errors.into_iter().map(|e| (e.field, matches!(e.problem, RuleProblem::UnknownRule(_)))).collect();
        assert_eq!(problems, [("a".into(), true), ("b".into(), true)]);
    }
}
