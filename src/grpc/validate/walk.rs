// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! One pass over the wire bytes of a message, against its plan.

use bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};

use super::plan::{Element, Field, Plan, Scalar, Shape, Value};
use super::{MAX_DEPTH, MAX_VIOLATIONS, Violation};

/// Checks `bytes` against the first of `plans`.
pub(super) fn check(plans: &[Plan], bytes: &[u8]) -> Result<(), Vec<Violation>> {
    let mut walk = Walk { plans, seen: Vec::new(), keys: Vec::new(), violations: Vec::new() };
    // A stop is always explained by the violations.
    let _ = walk.message(0, bytes, None, 0);
    if walk.violations.is_empty() { Ok(()) } else { Err(walk.violations) }
}

/// The rest of the message is not worth reading: unreadable, or enough violations.
struct Stop;

struct Walk<'r, 'b> {
    plans: &'r [Plan],
    /// How often each field, then each oneof, of every message that is open occurred; one stack for all levels.
    seen: Vec<u32>,
    /// Items of fields that must be unique, of every message that is open, with the slot of their field.
    keys: Vec<(usize, Key<'b>)>,
    violations: Vec<Violation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key<'b> {
    Number(i128),
    Span(&'b [u8]),
}

/// What stands behind a key, by wire type.
#[derive(Clone, Copy)]
enum Payload<'b> {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Span(&'b [u8]),
}

/// Where we are; becomes text only when there is something to say.
struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    name: &'p str,
    index: Option<u32>,
}

impl Path<'_> {
    fn write(&self, into: &mut String) {
        if let Some(parent) = self.parent {
            parent.write(into);
            into.push('.');
        }
        into.push_str(self.name);
        if let Some(index) = self.index {
            into.push_str(&format!("[{index}]"));
        }
    }
}

impl<'r, 'b> Walk<'r, 'b> {
    fn message(&mut self, plan: usize, mut bytes: &'b [u8], at: Option<&Path<'_>>, depth: u32) -> Result<(), Stop> {
        let Some(plan) = self.plans.get(plan) else { return Ok(()) };
        if depth > MAX_DEPTH {
            return self.malformed(at, "depth", format!("messages are nested more than {MAX_DEPTH} deep"));
        }
        let base = self.seen.len();
        let first_key = self.keys.len();
        self.seen.resize(base + plan.fields.len() + plan.oneofs.len(), 0);

        while !bytes.is_empty() {
            let Ok((number, wire)) = decode_key(&mut bytes) else {
                return self.malformed(at, "key", "the bytes are not a protobuf message".into());
            };
            let Some(payload) = payload(wire, &mut bytes) else {
                return self.malformed(at, "payload", "a field is cut off, or is a group".into());
            };
            if let Ok(slot) = plan.fields.binary_search_by_key(&number, |f| f.number)
                && let Some(field) = plan.fields.get(slot)
            {
                self.occurrence(plan, field, slot, base, payload, at, depth)?;
            }
        }

        for (slot, field) in plan.fields.iter().enumerate() {
            self.absent_or_few(field, self.seen.get(base + slot).copied().unwrap_or(0), at, depth)?;
        }
        for (slot, oneof) in plan.oneofs.iter().enumerate() {
            if oneof.required && self.seen.get(base + plan.fields.len() + slot) == Some(&0) {
                self.broken(&Path { parent: at, name: &oneof.name, index: None }, "required".into(), "one member must be set".into())?;
            }
        }
        self.duplicates(plan, base, first_key, at)?;
        self.seen.truncate(base);
        self.keys.truncate(first_key);
        Ok(())
    }

    /// One occurrence of a known field on the wire: one item, or a packed run of them.
    #[expect(clippy::too_many_arguments, reason = "the state of one loop, split off to be read on its own")]
    fn occurrence(
        &mut self,
        plan: &Plan,
        field: &Field,
        slot: usize,
        base: usize,
        payload: Payload<'b>,
        at: Option<&Path<'_>>,
        depth: u32,
    ) -> Result<(), Stop> {
        match (&field.shape, &field.value.element, payload) {
            (Shape::Many { .. }, Element::Number { scalar, .. }, Payload::Span(mut packed)) => {
                while !packed.is_empty() {
                    let Some(item) = self::payload(scalar.wire(), &mut packed) else {
                        let path = Path { parent: at, name: &field.name, index: None };
                        return self.malformed(Some(&path), "payload", "a packed field is cut off".into());
                    };
                    self.item(field, base + slot, item, at, depth)?;
                }
                Ok(())
            }
            _ => {
                if let Some(seen) = field.oneof.and_then(|o| self.seen.get_mut(base + plan.fields.len() + o)) {
                    *seen += 1;
                    if *seen > 1 {
                        let path = Path { parent: at, name: &field.name, index: None };
                        return self.malformed(Some(&path), "oneof", "another member of the same oneof is set too".into());
                    }
                }
                self.item(field, base + slot, payload, at, depth)
            }
        }
    }

    fn item(&mut self, field: &Field, slot: usize, payload: Payload<'b>, at: Option<&Path<'_>>, depth: u32) -> Result<(), Stop> {
        let count = match self.seen.get_mut(slot) {
            Some(seen) => {
                *seen = seen.saturating_add(1);
                *seen
            }
            None => return Ok(()),
        };
        let mut path = Path { parent: at, name: &field.name, index: None };
        match &field.shape {
            Shape::One { .. } if count > 1 => {
                return self.malformed(Some(&path), "duplicate", "a field that is not repeated occurs more than once".into());
            }
            Shape::One { .. } => {}
            Shape::Many { max, .. } if u64::from(count) > *max => {
                return match u64::from(count) == max + 1 {
                    true => self.broken(&path, field.count_rule("max"), format!("must have at most {max} items")),
                    false => Ok(()),
                };
            }
            Shape::Many { unique, .. } => {
                if let Some(key) = self.key(&field.value.element, *unique, payload) {
                    self.keys.push((slot, key));
                }
                path.index = Some(count - 1);
            }
        }
        let zero_is_unset = matches!(field.shape, Shape::One { required: true, presence: false });
        self.value(&field.value, payload, zero_is_unset, &path, depth)
    }

    fn value(&mut self, value: &Value, payload: Payload<'b>, zero_is_unset: bool, path: &Path<'_>, depth: u32) -> Result<(), Stop> {
        match (&value.element, payload) {
            (Element::Number { scalar, name, rules }, payload) => {
                let Some(number) = scalar.number(payload) else { return self.wrong_wire(path) };
                let zero = scalar.is_zero(number);
                if zero && zero_is_unset {
                    return self.broken(path, "required".into(), "must be set".into());
                }
                for rule in rules.iter().filter(|r| !(zero && value.skip_zero || r.holds(number))) {
                    self.broken(path, format!("{name}.{}", rule.id()), rule.wish())?;
                }
                Ok(())
            }
            (Element::Text(rules), Payload::Span(bytes)) => {
                let Ok(text) = std::str::from_utf8(bytes) else {
                    return self.malformed(Some(path), "utf8", "must be UTF-8".into());
                };
                if text.is_empty() && zero_is_unset {
                    return self.broken(path, "required".into(), "must be set".into());
                }
                for rule in rules.iter().filter(|r| !(text.is_empty() && value.skip_zero || r.holds(text))) {
                    self.broken(path, format!("string.{}", rule.id()), rule.wish())?;
                }
                Ok(())
            }
            (Element::Bytes(rules), Payload::Span(bytes)) => {
                if bytes.is_empty() && zero_is_unset {
                    return self.broken(path, "required".into(), "must be set".into());
                }
                for rule in rules.iter().filter(|r| !(bytes.is_empty() && value.skip_zero || r.holds(bytes))) {
                    self.broken(path, format!("bytes.{}", rule.id()), rule.wish())?;
                }
                Ok(())
            }
            (Element::Message(plan), Payload::Span(bytes)) => self.message(*plan, bytes, Some(path), depth + 1),
            _ => self.wrong_wire(path),
        }
    }

    /// What a field that did not occur, or not often enough, breaks.
    fn absent_or_few(&mut self, field: &Field, count: u32, at: Option<&Path<'_>>, depth: u32) -> Result<(), Stop> {
        let path = Path { parent: at, name: &field.name, index: None };
        match &field.shape {
            Shape::One { .. } if count > 0 => Ok(()),
            Shape::One { required: true, .. } => self.broken(&path, "required".into(), "must be set".into()),
            Shape::One { presence: true, .. } => Ok(()),
            Shape::One { .. } => self.value(&field.value, field.value.element.zero(), false, &path, depth),
            Shape::Many { required: true, .. } if count == 0 => self.broken(&path, "required".into(), "must not be empty".into()),
            Shape::Many { skip_empty: true, .. } if count == 0 => Ok(()),
            Shape::Many { min, .. } if u64::from(count) < *min => {
                self.broken(&path, field.count_rule("min"), format!("must have at least {min} items"))
            }
            Shape::Many { .. } => Ok(()),
        }
    }

    /// Items of unique fields, and map keys, that occur twice; one violation per field.
    fn duplicates(&mut self, plan: &Plan, base: usize, first_key: usize, at: Option<&Path<'_>>) -> Result<(), Stop> {
        let Some(keys) = self.keys.get_mut(first_key..) else { return Ok(()) };
        keys.sort_unstable();
        let mut slots: Vec<usize> = keys.windows(2).filter(|w| w.first() == w.last()).filter_map(|w| w.first()).map(|k| k.0).collect();
        slots.dedup();
        for field in slots.into_iter().filter_map(|slot| plan.fields.get(slot - base)) {
            let path = Path { parent: at, name: &field.name, index: None };
            if field.map {
                return self.malformed(Some(&path), "map_key", "a key occurs more than once".into());
            }
            self.broken(&path, "repeated.unique".into(), "must not have equal items".into())?;
        }
        Ok(())
    }

    /// What two items must differ in, if they must.
    fn key(&self, element: &Element, unique: bool, payload: Payload<'b>) -> Option<Key<'b>> {
        match (element, payload) {
            (Element::Number { scalar, .. }, payload) if unique => scalar.number(payload).map(Key::Number),
            (Element::Text(_) | Element::Bytes(_), Payload::Span(bytes)) if unique => Some(Key::Span(bytes)),
            // A map: its entries are messages whose first field is the key.
            (Element::Message(plan), Payload::Span(mut entry)) if unique => {
                let element = &self.plans.get(*plan)?.fields.first()?.value.element;
                while !entry.is_empty() {
                    let (number, wire) = decode_key(&mut entry).ok()?;
                    let payload = self::payload(wire, &mut entry)?;
                    if number == 1 {
                        return self.key(element, true, payload);
                    }
                }
                self.key(element, true, element.zero())
            }
            _ => None,
        }
    }

    fn wrong_wire(&mut self, path: &Path<'_>) -> Result<(), Stop> {
        self.malformed(Some(path), "type", "the field has another type in the contract".into())
    }

    fn malformed(&mut self, at: Option<&Path<'_>>, rule: &str, wish: String) -> Result<(), Stop> {
        self.report(at, format!("wire.{rule}"), wish);
        Err(Stop)
    }

    fn broken(&mut self, path: &Path<'_>, rule: String, wish: String) -> Result<(), Stop> {
        self.report(Some(path), rule, wish);
        if self.violations.len() >= MAX_VIOLATIONS { Err(Stop) } else { Ok(()) }
    }

    fn report(&mut self, at: Option<&Path<'_>>, rule: String, description: String) {
        let mut field = String::new();
        if let Some(path) = at {
            path.write(&mut field);
        }
        self.violations.push(Violation { field, rule, description });
    }
}

/// Takes the payload of one field off `bytes`; none if it is cut off or a group.
fn payload<'b>(wire: WireType, bytes: &mut &'b [u8]) -> Option<Payload<'b>> {
    match wire {
        WireType::Varint => decode_varint(bytes).ok().map(Payload::Varint),
        WireType::ThirtyTwoBit => bytes.try_get_u32_le().ok().map(Payload::Fixed32),
        WireType::SixtyFourBit => bytes.try_get_u64_le().ok().map(Payload::Fixed64),
        WireType::LengthDelimited => {
            let len = usize::try_from(decode_varint(bytes).ok()?).ok()?;
            let (span, rest) = bytes.split_at_checked(len)?;
            *bytes = rest;
            Some(Payload::Span(span))
        }
        WireType::StartGroup | WireType::EndGroup => None,
    }
}

impl Element {
    /// What a field without presence has when it does not occur.
    fn zero<'b>(&self) -> Payload<'b> {
        match self {
            Self::Number { scalar, .. } => match scalar.wire() {
                WireType::ThirtyTwoBit => Payload::Fixed32(0),
                WireType::SixtyFourBit => Payload::Fixed64(0),
                _ => Payload::Varint(0),
            },
            Self::Text(_) | Self::Bytes(_) | Self::Message(_) => Payload::Span(&[]),
        }
    }
}

impl Scalar {
    fn wire(self) -> WireType {
        match self {
            Self::Int32 | Self::Int64 | Self::Uint32 | Self::Uint64 | Self::Sint32 | Self::Sint64 | Self::Bool => WireType::Varint,
            Self::Fixed32 | Self::Sfixed32 | Self::Float => WireType::ThirtyTwoBit,
            Self::Fixed64 | Self::Sfixed64 | Self::Double => WireType::SixtyFourBit,
        }
    }

    /// The value, cut to the type's width as every protobuf parser cuts it; of floats, the bits. None if the wire type differs.
    #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "the wire format is defined by these casts")]
    fn number(self, payload: Payload<'_>) -> Option<i128> {
        let zigzag = |n: u64| ((n >> 1) as i64) ^ -((n & 1) as i64);
        Some(match (self, payload) {
            (Self::Int32, Payload::Varint(n)) => i128::from(n as i32),
            (Self::Int64, Payload::Varint(n)) => i128::from(n as i64),
            (Self::Uint32, Payload::Varint(n)) => i128::from(n as u32),
            (Self::Uint64, Payload::Varint(n)) => i128::from(n),
            (Self::Sint32, Payload::Varint(n)) => i128::from(zigzag(u64::from(n as u32)) as i32),
            (Self::Sint64, Payload::Varint(n)) => i128::from(zigzag(n)),
            (Self::Bool, Payload::Varint(n)) => i128::from(n != 0),
            (Self::Fixed32 | Self::Float, Payload::Fixed32(n)) => i128::from(n),
            (Self::Sfixed32, Payload::Fixed32(n)) => i128::from(n as i32),
            (Self::Fixed64 | Self::Double, Payload::Fixed64(n)) => i128::from(n),
            (Self::Sfixed64, Payload::Fixed64(n)) => i128::from(n as i64),
            _ => return None,
        })
    }

    fn is_zero(self, number: i128) -> bool {
        match self {
            Self::Float => number & 0x7fff_ffff == 0,
            Self::Double => number & 0x7fff_ffff_ffff_ffff == 0,
            _ => number == 0,
        }
    }
}
