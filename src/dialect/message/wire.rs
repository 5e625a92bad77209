// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Bytes to messages and back. Reading is as strict as prost's: what it refuses is refused here, what it forgives is forgiven.
//!
//! Source: Protocol Buffers encoding specification.

use super::field::{Field, Scalar, Type};
use super::{Message, Room, TypeId, Types, Value};

/// Messages inside messages, as prost bounds them.
const DEPTH: u32 = 100;

impl Types {
    /// A message of a type; none if the bytes are not one.
    pub(in crate::dialect) fn decode<'b>(&'b self, room: &'b Room, id: TypeId, bytes: &'b [u8]) -> Option<Message<'b>> {
        let message = self.empty(room, id);
        self.overlay(room, id, message, bytes)?;
        Some(message)
    }

    /// A message of a type that says nothing yet.
    pub(in crate::dialect) fn empty<'b>(&self, room: &'b Room, id: TypeId) -> Message<'b> {
        Message::new(room, self.get(id).map_or(0, |known| known.fields.len()))
    }

    /// The same, on top of what a message says already: the last value holds, messages inside come together.
    pub(in crate::dialect) fn overlay<'b>(&'b self, room: &'b Room, id: TypeId, message: Message<'b>, bytes: &'b [u8]) -> Option<()> {
        self.merge(room, self.get(id)?, &mut Cursor { rest: bytes }, message, DEPTH)
    }

    /// Writes a message of a type, fields in the order of their numbers.
    pub(in crate::dialect) fn encode(&self, id: TypeId, message: Message<'_>, out: &mut Back) {
        if let Some(known) = self.get(id) {
            self.write(known, message, out);
        }
    }

    /// Takes out messages with nothing inside: elements that an index made necessary, containers whose fields all said nothing.
    pub(in crate::dialect) fn prune(&self, id: TypeId, message: Message<'_>) {
        let Some(known) = self.get(id) else { return };
        for ((_, inside), slot) in known.fields.iter().zip(message.0.slots) {
            match slot.value() {
                Some(Value::Message(part)) if !self.says(*inside, part) => slot.value.set(None),
                Some(Value::List(list)) if list.retain(|value| value.as_message().is_none_or(|part| self.says(*inside, part))) => list.recount(),
                _ => {}
            }
        }
    }

    fn says(&self, id: TypeId, message: Message<'_>) -> bool {
        self.prune(id, message);
        // 1 January 1970 is a Timestamp with nothing inside.
        !message.is_empty() || message.has_unknown() || self.get(id).is_some_and(|known| known.timestamp)
    }

    fn merge<'b>(&'b self, room: &'b Room, known: &'b Type, input: &mut Cursor<'b>, message: Message<'b>, depth: u32) -> Option<()> {
        while !input.rest.is_empty() {
            let start = input.rest;
            let (number, wire) = input.key()?;
            let Some((field, inside)) = known.find(number) else {
                input.skip(number, wire, depth)?;
                message.add_unknown(room, number, start.get(..start.len() - input.rest.len())?);
                continue;
            };
            match field.scalar() {
                // What nearly all fields are.
                Scalar::Text if wire == LENGTH && !field.repeated() => {
                    message.set(field, Value::Text(std::str::from_utf8(input.bytes()?).ok()?));
                    continue;
                }
                Scalar::Message => {
                    if wire != LENGTH || depth == 0 {
                        return None;
                    }
                    self.inside(room, field, *inside, input.bytes()?, message, depth - 1)?;
                    continue;
                }
                _ => {}
            }
            let own = wire_of(field.scalar());
            if !field.repeated() {
                if wire != own {
                    return None;
                }
                message.set(field, input.value(field.scalar())?);
                continue;
            }
            let list = message.list(room, field)?;
            if wire == LENGTH && own != LENGTH {
                let mut packed = Cursor { rest: input.bytes()? };
                while !packed.rest.is_empty() {
                    list.push(room, packed.value(field.scalar())?);
                }
            } else if wire == own {
                list.push(room, input.value(field.scalar())?);
            } else {
                return None;
            }
        }
        Some(())
    }

    /// A message inside.
    fn inside<'b>(&'b self, room: &'b Room, field: &'b Field, id: TypeId, bytes: &'b [u8], message: Message<'b>, depth: u32) -> Option<()> {
        if field.is_coding()
            && let Some(row) = self.lists.encoded(bytes)
            && (field.repeated() || !message.has(field))
        {
            if field.repeated() {
                message.list(room, field)?.push(room, Value::Code(row));
            } else {
                message.set(field, Value::Code(row));
            }
            return Some(());
        }
        let known = self.get(id)?;
        let part = if field.repeated() {
            let list = message.list(room, field)?;
            let element = message.part(room, field, Some(list.len()));
            list.push(room, Value::Message(element));
            element
        } else {
            // Said twice, the parts come together.
            if let Some(Value::Code(row)) = message.get(field) {
                message.clear(field);
                self.merge(room, known, &mut Cursor { rest: row.coding() }, message.message(room, field)?, depth)?;
            }
            message.message(room, field)?
        };
        self.merge(room, known, &mut Cursor { rest: bytes }, part, depth)
    }

    /// The last field first: what stands behind a length is there when the length is written.
    fn write(&self, known: &Type, message: Message<'_>, out: &mut Back) {
        let mut unknown = message.0.unknown.get();
        while let Some(one) = unknown {
            out.bytes(one.raw);
            unknown = one.before;
        }
        for ((field, inside), slot) in known.fields.iter().zip(message.0.slots).rev() {
            match slot.value() {
                None => {}
                Some(Value::List(list)) if field.packed() => {
                    let end = out.mark();
                    list.backwards().for_each(|value| out.number(field.scalar(), value));
                    if out.mark() != end {
                        out.sized(field.tag(), end);
                    }
                }
                Some(Value::List(list)) => list.backwards().for_each(|value| self.keyed(field, *inside, value, out)),
                Some(value) => self.keyed(field, *inside, value, out),
            }
        }
    }

    fn keyed(&self, field: &Field, inside: TypeId, value: Value<'_>, out: &mut Back) {
        let end = out.mark();
        match value {
            Value::Text(text) => out.bytes(text.as_bytes()),
            Value::Bytes(bytes) => out.bytes(bytes),
            Value::Code(row) => out.bytes(row.coding()),
            Value::Message(message) => {
                if let Some(known) = self.get(inside) {
                    self.write(known, message, out);
                }
            }
            value => {
                out.number(field.scalar(), value);
                return out.varint(field.tag().into());
            }
        }
        out.sized(field.tag(), end);
    }
}

const VARINT: u8 = 0;
const BITS64: u8 = 1;
const LENGTH: u8 = 2;
const START: u8 = 3;
const END: u8 = 4;
const BITS32: u8 = 5;

pub(super) fn wire_of(scalar: Scalar) -> u8 {
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
    #[inline]
    fn varint(&mut self) -> Option<u64> {
        match self.rest.split_first() {
            // Keys, lengths and codes: nearly all of them.
            Some((byte, rest)) if *byte < 0x80 => {
                self.rest = rest;
                Some((*byte).into())
            }
            Some((low, [high, rest @ ..])) if *high < 0x80 => {
                self.rest = rest;
                Some(u64::from(*low & 0x7f) | u64::from(*high) << 7)
            }
            _ => self.long(),
        }
    }
    #[inline(never)]
    fn long(&mut self) -> Option<u64> {
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
            Scalar::Text => Value::Text(std::str::from_utf8(self.bytes()?).ok()?),
            Scalar::Bytes => Value::Bytes(self.bytes()?),
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

/// Bytes that are written from the end to the beginning: a length is written when all that it counts is there.
#[derive(Debug, Default)]
pub(in crate::dialect) struct Back {
    /// What is written lies at its end.
    room: Vec<u8>,
    at: usize,
}

impl Back {
    /// Begins anew.
    pub(in crate::dialect) fn clear(&mut self) {
        self.at = self.room.len();
    }
    /// What was written since.
    pub(in crate::dialect) fn written(&self) -> &[u8] {
        self.room.get(self.at..).unwrap_or_default()
    }
    /// Bytes that are kept for the next message.
    pub(in crate::dialect) fn capacity(&self) -> usize {
        self.room.len()
    }

    /// So many bytes are written.
    fn mark(&self) -> usize {
        self.room.len() - self.at
    }
    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        if bytes.len() > self.at {
            self.grow(bytes.len());
        }
        if let Some((place, _)) = self.room.get_mut(self.at - bytes.len()..).and_then(|room| room.split_at_mut_checked(bytes.len())) {
            place.copy_from_slice(bytes);
        }
        self.at -= bytes.len();
    }
    #[inline]
    fn byte(&mut self, byte: u8) {
        if self.at == 0 {
            self.grow(1);
        }
        self.at -= 1;
        if let Some(place) = self.room.get_mut(self.at) {
            *place = byte;
        }
    }
    #[cold]
    fn grow(&mut self, more: usize) {
        let written = self.mark();
        let mut room = vec![0; ((written + more) * 2).max(1024)];
        let at = room.len() - written;
        if let Some(place) = room.get_mut(at..) {
            place.copy_from_slice(self.written());
        }
        (self.room, self.at) = (room, at);
    }
    #[inline]
    fn varint(&mut self, value: u64) {
        match value {
            0..0x80 => self.byte(value as u8),
            0x80..0x4000 => {
                self.byte((value >> 7) as u8);
                self.byte(value as u8 | 0x80);
            }
            _ => self.long(value),
        }
    }
    #[inline(never)]
    fn long(&mut self, mut value: u64) {
        let mut bytes = [0; 10];
        let mut used = 0;
        for byte in &mut bytes {
            used += 1;
            *byte = (value & 0x7f) as u8 | 0x80;
            value >>= 7;
            if value == 0 {
                *byte &= 0x7f;
                break;
            }
        }
        self.bytes(bytes.get(..used).unwrap_or_default());
    }
    /// The length of what was written since a mark, and a tag before it.
    #[inline]
    fn sized(&mut self, tag: u32, end: usize) {
        let length = self.mark() - end;
        if let (Ok(tag @ 0..0x80), Ok(length @ 0..0x80)) = (u8::try_from(tag), u8::try_from(length)) {
            return self.bytes(&[tag, length]);
        }
        self.varint(length as u64);
        self.varint(tag.into());
    }

    #[expect(clippy::cast_sign_loss, reason = "the wire holds negative numbers as 64-bit varints in two's complement")]
    fn number(&mut self, scalar: Scalar, value: Value<'_>) {
        match (value, scalar) {
            (Value::Bool(value), _) => self.byte(u8::from(value)),
            (Value::I32(value), Scalar::Sint32) => self.varint(u64::from(((value << 1) ^ (value >> 31)) as u32)),
            (Value::I32(value), Scalar::Sfixed32) => self.bytes(&value.to_le_bytes()),
            (Value::I32(value) | Value::Enum(value), _) => self.varint(i64::from(value) as u64),
            (Value::I64(value), Scalar::Sint64) => self.varint(((value << 1) ^ (value >> 63)) as u64),
            (Value::I64(value), Scalar::Sfixed64) => self.bytes(&value.to_le_bytes()),
            (Value::I64(value), _) => self.varint(value as u64),
            (Value::U32(value), Scalar::Fixed32) => self.bytes(&value.to_le_bytes()),
            (Value::U32(value), _) => self.varint(u64::from(value)),
            (Value::U64(value), Scalar::Fixed64) => self.bytes(&value.to_le_bytes()),
            (Value::U64(value), _) => self.varint(value),
            (Value::F32(bits), _) => self.bytes(&bits.to_le_bytes()),
            (Value::F64(bits), _) => self.bytes(&bits.to_le_bytes()),
            // The others have a length.
            (Value::Text(_) | Value::Bytes(_) | Value::Code(_) | Value::Message(_) | Value::List(_), _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, LazyLock};

    use proptest::prelude::*;
    use prost::Message as _;
    use prost_reflect::DynamicMessage;

    use super::*;
    use crate::dialect::codelist::CodeLists;

    /// Messages with everything: lists, oneofs, numbers, timestamps, codes, messages in messages.
    const MESSAGES: [&str; 6] = [
        "weiche.type.v1.Referral",
        "weiche.type.v1.Coding",
        "weiche.exchange.v1.SubmitReferralsResponse",
        "weiche.type.v1.Consent",
        "google.protobuf.Timestamp",
        "weiche.exchange.v1.ReceiveResponse",
    ];

    static TYPES: LazyLock<Types> = LazyLock::new(|| Types::new(crate::proto::pool(), &Arc::new(CodeLists::embedded().unwrap())));

    /// Some fields, most of them with a value of the right length.
    fn fields(depth: u32) -> BoxedStrategy<Vec<u8>> {
        let inside = if depth == 0 { proptest::collection::vec(any::<u8>(), 0..4).boxed() } else { fields(depth - 1) };
        let inside = prop_oneof![3 => inside, 1 => "[a-zü]{0,6}".prop_map(String::into_bytes)];
        let field = (1u64..24, 0u8..6, any::<u64>(), 0u32..64, inside).prop_map(|(number, wire, bits, shift, inside)| {
            let mut out = Vec::new();
            prost::encoding::encode_varint(number << 3 | u64::from(wire), &mut out);
            match wire {
                VARINT => prost::encoding::encode_varint(bits >> shift, &mut out),
                BITS64 => out.extend(bits.to_le_bytes()),
                LENGTH => {
                    prost::encoding::encode_varint(inside.len() as u64, &mut out);
                    out.extend(inside);
                }
                START => {
                    out.extend(inside);
                    prost::encoding::encode_varint(number << 3 | u64::from(END), &mut out);
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
                let room = Room::new();
                let ours = types.decode(&room, id, &bytes);
                prop_assert_eq!(ours.is_some(), theirs.is_ok(), "{}", name);
                if let (Some(ours), Ok(theirs)) = (ours, theirs) {
                    let again = |bytes: &[u8]| DynamicMessage::decode(descriptor.clone(), bytes).unwrap();
                    let mut out = Back::default();
                    types.encode(id, ours, &mut out);
                    prop_assert_eq!(again(out.written()), again(&theirs.encode_to_vec()), "{}", name);
                }
            }
        }
    }
}
