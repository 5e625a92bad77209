// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Bytes to messages and back. Reading is as strict as prost's: what it refuses is refused here, what it forgives is forgiven.
//!
//! Source: Protocol Buffers encoding specification.

use std::borrow::Cow;

use super::field::{Field, Scalar, Type};
use super::{Message, TypeId, Types, Value};

/// Messages inside messages, as prost bounds them.
const DEPTH: u32 = 100;

impl Types {
    /// A message of a type; none if the bytes are not one.
    pub(in crate::dialect) fn decode<'a>(&self, id: TypeId, bytes: &'a [u8]) -> Option<Message<'a>> {
        let mut message = Message::with_capacity(16);
        self.overlay(id, &mut message, bytes)?;
        Some(message)
    }

    /// The same, on top of what a message says already: the last value holds, messages inside come together.
    pub(in crate::dialect) fn overlay<'a>(&self, id: TypeId, message: &mut Message<'a>, bytes: &'a [u8]) -> Option<()> {
        self.merge(id, &mut Cursor { rest: bytes }, message, DEPTH)
    }

    /// The bytes of a message of a type, fields in the order of their numbers. `about`: their length as far as it can be guessed.
    pub(in crate::dialect) fn encode(&self, id: TypeId, message: &Message<'_>, about: usize) -> Vec<u8> {
        let mut out = Vec::with_capacity(about);
        self.write(id, message, &mut out);
        out
    }

    /// Takes out messages with nothing inside: elements that an index made necessary, containers whose fields all said nothing.
    pub(in crate::dialect) fn prune(&self, id: TypeId, message: &mut Message<'_>) {
        let Some(known) = self.get(id) else { return };
        let mut next = 0;
        message.retain(|number, value| {
            let inside = known.find(number, &mut next).map_or(usize::MAX, |(_, inside)| *inside);
            // 1 January 1970 is a Timestamp with nothing inside.
            let may_be_empty = self.get(inside).is_some_and(|known| known.timestamp);
            let says = |value: &mut Value<'_>| {
                let Value::Message(message) = value else { return true };
                self.prune(inside, message);
                may_be_empty || message.known().next().is_some() || message.unknown().next().is_some()
            };
            match value {
                Value::List(list) => {
                    list.retain_mut(says);
                    true
                }
                value => says(value),
            }
        });
    }

    fn merge<'a>(&self, id: TypeId, input: &mut Cursor<'a>, message: &mut Message<'a>, depth: u32) -> Option<()> {
        let known = self.get(id)?;
        let mut next = 0;
        while !input.rest.is_empty() {
            let start = input.rest;
            let (number, wire) = input.key()?;
            let Some((field, inside)) = known.find(number, &mut next) else {
                input.skip(number, wire, depth)?;
                let raw = start.get(..start.len() - input.rest.len())?;
                let at = message.fields.partition_point(|(known, _)| *known <= number);
                message.fields.insert(at, (number, Value::Unknown(raw)));
                continue;
            };
            if field.scalar() == Scalar::Message {
                if wire != LENGTH || depth == 0 {
                    return None;
                }
                let mut bytes = Cursor { rest: input.bytes()? };
                match message.entry(field)? {
                    Value::List(list) => {
                        let mut element = Message::default();
                        self.merge(*inside, &mut bytes, &mut element, depth - 1)?;
                        list.push(Value::Message(element));
                    }
                    // Said twice, the parts come together.
                    Value::Message(single) => self.merge(*inside, &mut bytes, single, depth - 1)?,
                    _ => return None,
                }
                continue;
            }
            if field.repeated() {
                let own = wire_of(field.scalar());
                let Value::List(list) = message.entry(field)? else { return None };
                if wire == LENGTH && own != LENGTH {
                    let mut packed = Cursor { rest: input.bytes()? };
                    while !packed.rest.is_empty() {
                        list.push(packed.value(field.scalar())?);
                    }
                } else if wire == own {
                    list.push(input.value(field.scalar())?);
                } else {
                    return None;
                }
            } else if wire == wire_of(field.scalar()) {
                message.set(field, input.value(field.scalar())?);
            } else {
                return None;
            }
        }
        Some(())
    }

    fn write(&self, id: TypeId, message: &Message<'_>, out: &mut Vec<u8>) {
        let Some(known) = self.get(id) else { return };
        let mut next = 0;
        for (number, value) in &message.fields {
            if let Value::Unknown(raw) = value {
                out.extend_from_slice(raw);
                continue;
            }
            let Some((field, inside)) = known.find(*number, &mut next) else { continue };
            match value {
                Value::List(list) if field.packed() && !list.is_empty() => {
                    put_key(*number, LENGTH, out);
                    sized(out, |out| list.iter().for_each(|value| put_value(field, value, out)));
                }
                Value::List(list) => list.iter().for_each(|value| self.single(field, *inside, value, out)),
                value => self.single(field, *inside, value, out),
            }
        }
    }

    fn single(&self, field: &Field, inside: TypeId, value: &Value<'_>, out: &mut Vec<u8>) {
        put_key(field.number(), wire_of(field.scalar()), out);
        match value {
            Value::Message(message) => sized(out, |out| self.write(inside, message, out)),
            value => put_value(field, value, out),
        }
    }
}

impl Type {
    /// The field of a number. `next` is where the search begins: numbers mostly ascend.
    fn find(&self, number: u32, next: &mut usize) -> Option<&(Field, TypeId)> {
        let near = self.fields.get(*next..).unwrap_or_default().iter().position(|(field, _)| field.number() >= number);
        let at = match near.map(|near| *next + near) {
            Some(at) if self.fields.get(at).is_some_and(|(field, _)| field.number() == number) => at,
            _ => self.fields.binary_search_by_key(&number, |(field, _)| field.number()).ok()?,
        };
        *next = at;
        self.fields.get(at)
    }
}

const VARINT: u8 = 0;
const BITS64: u8 = 1;
const LENGTH: u8 = 2;
const START: u8 = 3;
const END: u8 = 4;
const BITS32: u8 = 5;

fn wire_of(scalar: Scalar) -> u8 {
    match scalar {
        Scalar::Fixed32 | Scalar::Sfixed32 | Scalar::Float => BITS32,
        Scalar::Fixed64 | Scalar::Sfixed64 | Scalar::Double => BITS64,
        Scalar::Text | Scalar::Bytes | Scalar::Message => LENGTH,
        _ => VARINT,
    }
}

/// What is still to be read.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn varint(&mut self) -> Option<u64> {
        let mut value = 0u64;
        for at in 0..10u32 {
            let (byte, rest) = self.rest.split_first()?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << (7 * at);
            if *byte < 0x80 {
                // The tenth byte has room for one bit.
                return (at < 9 || *byte < 2).then_some(value);
            }
        }
        None
    }
    fn key(&mut self) -> Option<(u32, u8)> {
        let key = u32::try_from(self.varint()?).ok()?;
        let wire = u8::try_from(key & 7).ok()?;
        (key >> 3 > 0 && wire <= BITS32).then_some((key >> 3, wire))
    }
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }
    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.varint()?).ok()?;
        self.take(length)
    }
    fn bits32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }
    fn bits64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        reason = "the wire holds 32-bit numbers as 64-bit varints, negative ones too"
    )]
    fn value(&mut self, scalar: Scalar) -> Option<Value<'a>> {
        Some(match scalar {
            Scalar::Bool => Value::Bool(self.varint()? != 0),
            Scalar::Int32 => Value::I32(self.varint()? as i32),
            Scalar::Int64 => Value::I64(self.varint()? as i64),
            Scalar::Uint32 => Value::U32(self.varint()? as u32),
            Scalar::Uint64 => Value::U64(self.varint()?),
            Scalar::Enum => Value::Enum(self.varint()? as i32),
            Scalar::Sint32 => {
                let bits = self.varint()? as u32;
                Value::I32((bits >> 1) as i32 ^ -((bits & 1) as i32))
            }
            Scalar::Sint64 => {
                let bits = self.varint()?;
                Value::I64((bits >> 1) as i64 ^ -((bits & 1) as i64))
            }
            Scalar::Fixed32 => Value::U32(self.bits32()?),
            Scalar::Sfixed32 => Value::I32(self.bits32()? as i32),
            Scalar::Float => Value::F32(self.bits32()?),
            Scalar::Fixed64 => Value::U64(self.bits64()?),
            Scalar::Sfixed64 => Value::I64(self.bits64()? as i64),
            Scalar::Double => Value::F64(self.bits64()?),
            Scalar::Text => Value::Text(Cow::Borrowed(std::str::from_utf8(self.bytes()?).ok()?)),
            Scalar::Bytes => Value::Bytes(Cow::Borrowed(self.bytes()?)),
            Scalar::Message => return None,
        })
    }

    /// Passes over the value of an unknown field.
    fn skip(&mut self, number: u32, wire: u8, depth: u32) -> Option<()> {
        match wire {
            VARINT => self.varint().map(|_| ()),
            BITS64 => self.take(8).map(|_| ()),
            LENGTH => self.bytes().map(|_| ()),
            BITS32 => self.take(4).map(|_| ()),
            START if depth > 0 => loop {
                let (inner, wire) = self.key()?;
                if wire == END {
                    return (inner == number).then_some(());
                }
                self.skip(inner, wire, depth - 1)?;
            },
            _ => None,
        }
    }
}

fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_key(number: u32, wire: u8, out: &mut Vec<u8>) {
    put_varint(u64::from(number) << 3 | u64::from(wire), out);
}

/// Writes something after its length. Most are short: one byte is set aside for it, and the rare long ones move.
fn sized(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.push(0);
    write(out);
    let mut length = Vec::new();
    match u8::try_from(out.len() - at - 1) {
        Ok(short) if short < 0x80 => {
            if let Some(byte) = out.get_mut(at) {
                *byte = short;
            }
        }
        _ => {
            put_varint((out.len() - at - 1) as u64, &mut length);
            out.splice(at..=at, length);
        }
    }
}

#[expect(clippy::cast_sign_loss, reason = "the wire holds negative numbers as 64-bit varints in two's complement")]
fn put_value(field: &Field, value: &Value<'_>, out: &mut Vec<u8>) {
    match (value, field.scalar()) {
        (Value::Bool(value), _) => out.push(u8::from(*value)),
        (Value::I32(value), Scalar::Sint32) => put_varint(u64::from(((value << 1) ^ (value >> 31)) as u32), out),
        (Value::I32(value), Scalar::Sfixed32) => out.extend_from_slice(&value.to_le_bytes()),
        (Value::I32(value) | Value::Enum(value), _) => put_varint(i64::from(*value) as u64, out),
        (Value::I64(value), Scalar::Sint64) => put_varint(((value << 1) ^ (value >> 63)) as u64, out),
        (Value::I64(value), Scalar::Sfixed64) => out.extend_from_slice(&value.to_le_bytes()),
        (Value::I64(value), _) => put_varint(*value as u64, out),
        (Value::U32(value), Scalar::Fixed32) => out.extend_from_slice(&value.to_le_bytes()),
        (Value::U32(value), _) => put_varint(u64::from(*value), out),
        (Value::U64(value), Scalar::Fixed64) => out.extend_from_slice(&value.to_le_bytes()),
        (Value::U64(value), _) => put_varint(*value, out),
        (Value::F32(bits), _) => out.extend_from_slice(&bits.to_le_bytes()),
        (Value::F64(bits), _) => out.extend_from_slice(&bits.to_le_bytes()),
        (Value::Text(text), _) => {
            put_varint(text.len() as u64, out);
            out.extend_from_slice(text.as_bytes());
        }
        (Value::Bytes(bytes), _) => {
            put_varint(bytes.len() as u64, out);
            out.extend_from_slice(bytes);
        }
        // Messages are written by `single`; lists are no elements.
        (Value::Message(_) | Value::List(_) | Value::Unknown(_), _) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use prost::Message as _;
    use prost_reflect::DynamicMessage;

    use super::*;

    /// Messages with everything: lists, oneofs, numbers, timestamps, codes, messages in messages.
    const MESSAGES: [&str; 6] = [
        "weiche.type.v1.Referral",
        "weiche.type.v1.Coding",
        "weiche.exchange.v1.SubmitReferralsResponse",
        "weiche.type.v1.Consent",
        "google.protobuf.Timestamp",
        "weiche.exchange.v1.ReceiveResponse",
    ];

    static TYPES: LazyLock<Types> = LazyLock::new(|| Types::new(crate::proto::pool()));

    /// Some fields, most of them with a value of the right length.
    fn fields(depth: u32) -> BoxedStrategy<Vec<u8>> {
        let inside = if depth == 0 { proptest::collection::vec(any::<u8>(), 0..4).boxed() } else { fields(depth - 1) };
        let inside = prop_oneof![3 => inside, 1 => "[a-zü]{0,6}".prop_map(String::into_bytes)];
        let field = (1u64..24, 0u8..6, any::<u64>(), 0u32..64, inside).prop_map(|(number, wire, bits, shift, inside)| {
            let mut out = Vec::new();
            put_varint(number << 3 | u64::from(wire), &mut out);
            match wire {
                VARINT => put_varint(bits >> shift, &mut out),
                BITS64 => out.extend(bits.to_le_bytes()),
                LENGTH => {
                    put_varint(inside.len() as u64, &mut out);
                    out.extend(inside);
                }
                START => {
                    out.extend(inside);
                    put_varint(number << 3 | u64::from(END), &mut out);
                }
                BITS32 => out.extend(u32::try_from(bits >> 32).unwrap().to_le_bytes()),
                _ => {}
            }
            out
        });
        // An end without a start spoils every message.
        let tame = field.prop_filter("an end without a start", |bytes| bytes.first().is_none_or(|key| key & 7 != END));
        proptest::collection::vec(tame, 0..5).prop_map(|fields| fields.concat()).boxed()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

        #[test]
        fn bytes_are_read_and_written_as_prost_does_it(bytes in fields(3), broken: bool, at: usize, bit in 0u32..8) {
            let (pool, types) = (crate::proto::pool(), &*TYPES);
            let mut bytes = bytes;
            if let (true, Some(byte)) = (broken, bytes.get_mut(at % 16)) {
                *byte ^= 1 << bit;
            }
            for name in MESSAGES {
                let descriptor = pool.get_message_by_name(name).unwrap();
                let theirs = DynamicMessage::decode(descriptor.clone(), bytes.as_slice());
                let id = types.id(name).unwrap();
                let ours = types.decode(id, &bytes);
                prop_assert_eq!(ours.is_some(), theirs.is_ok(), "{}", name);
                if let (Some(ours), Ok(theirs)) = (ours, theirs) {
                    let again = |bytes: &[u8]| DynamicMessage::decode(descriptor.clone(), bytes).unwrap();
                    prop_assert_eq!(again(&types.encode(id, &ours, 0)), again(&theirs.encode_to_vec()), "{}", name);
                }
            }
        }
    }
}
