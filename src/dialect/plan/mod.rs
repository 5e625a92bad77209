// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A plan: what a dialect's message means, with every name resolved. Built by [`compile`], run by `translate`.
//!
//! The plan is a tree that follows the dialect's message; each rule holds field descriptors, code list columns and parsed
//! patterns. A plan for a category mask is a smaller tree: what the mask does not cover has no rule in it.
//!
//! The enums of a plan have tags of their own (`repr`): they are looked at for every value, and one that is hidden in what is inside takes longer.

mod back;
mod check;
pub(super) mod compile;
mod rule;

pub(super) use back::native_path;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use prost_reflect::MessageDescriptor;

use super::category::CategoryMask;
use super::codelist::Column;
use super::hub::{Leaf, Shape};
use super::message::{Field, Message, TypeId};
use super::path::Step;
use super::value::boolean::BooleanWords;
use super::value::date::DateFormat;
use super::value::din91379::Kind;
use super::value::name;
use super::value::null::NullWords;
use super::value::phone::PhoneStyle;
use crate::proto::types::DataCategory;

/// What one top message of a dialect means.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) native: MessageDescriptor,
    pub(super) native_id: TypeId,
    pub(super) hub: Arc<Shape>,
    pub(super) block: Arc<Block>,
    /// Mandatory canonical fields that the message can carry inbound.
    pub(super) mandatory: BTreeSet<String>,
    masked: RwLock<BTreeMap<u32, Arc<Block>>>,
}

/// Plans for so many masks are kept per message. Consents come in a few patterns; a flood of odd ones must not fill the memory.
const MOST_MASKS: usize = 64;

impl Plan {
    /// The rules that only touch what the mask covers.
    pub(super) fn for_mask(&self, mask: CategoryMask) -> Arc<Block> {
        if mask == CategoryMask::ALL {
            return Arc::clone(&self.block);
        }
        if let Some(block) = self.masked.read().unwrap_or_else(PoisonError::into_inner).get(&mask.bits()) {
            return Arc::clone(block);
        }
        let block = Arc::new(self.block.masked(mask));
        let mut kept = self.masked.write().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_MASKS {
            kept.clear();
        }
        kept.insert(mask.bits(), Arc::clone(&block));
        block
    }
}

/// The rules of one message of the dialect.
#[derive(Debug, Clone, Default)]
pub(super) struct Block {
    pub(super) rules: Vec<Rule>,
    /// Messages of the hub, below the one where the block stands, that its values lie in; each spot has the number of its own.
    pub(super) ways: usize,
}

/// One field of the dialect's message, or several that are one value.
#[derive(Debug, Clone)]
#[repr(u8)]
pub(super) enum Rule {
    /// A message inside: its rules go on at a place of the hub.
    Enter {
        field: Field,
        to: Vec<Step>,
        /// One native element per element of the hub. A repeated field without it has one element.
        each: bool,
        block: Block,
    },
    /// A value.
    Value(Box<ValueRule>),
    /// Always the same text.
    Constant { field: Field, text: String, way: Way },
    /// No meaning for others.
    Ignore { field: Field, why: String },
}

/// Which ways a rule applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) read: bool,
    pub(super) render: bool,
}

/// How a value gets from one side to the other.
#[derive(Debug, Clone)]
pub(super) struct ValueRule {
    pub(super) native: Native,
    /// Of the native field, for reports.
    pub(super) name: String,
    pub(super) target: Target,
    pub(super) spelling: Spelling,
    /// Elements in one text of the dialect, and what stands between them.
    pub(super) list: Option<char>,
    /// Elements of a repeated field that are one text of the hub, and what stands between them there.
    pub(super) gather: Option<char>,
    pub(super) way: Way,
    pub(super) nulls: Arc<NullWords>,
    pub(super) default: Option<String>,
    /// Longest text in characters.
    pub(super) width: Option<usize>,
    pub(super) fallback: bool,
    /// Leaves dates without a day to another field.
    pub(super) full_date_only: bool,
    /// The text field that takes each text as it is, where there is no more to the dialect's side.
    pub(super) bare: Option<Field>,
}

/// Where the text is in the dialect's message.
#[derive(Debug, Clone)]
#[repr(u8)]
pub(super) enum Native {
    /// One field, repeated or not.
    Field { field: Field, carrier: Option<Carrier> },
    /// Several fields joined.
    Merge { fields: Vec<Field>, by: String },
}

impl Native {
    /// Name for reports: the first field's.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Field { field, .. } => field.name().to_owned(),
            Self::Merge { fields, .. } => fields.iter().map(Field::name).collect::<Vec<_>>().join("+"),
        }
    }
    /// Whether a message says anything there.
    pub(super) fn is_in(&self, message: Message<'_>) -> bool {
        match self {
            Self::Field { field, .. } => message.has(field),
            Self::Merge { fields, .. } => fields.iter().any(|field| message.has(field)),
        }
    }
    pub(super) fn fields(&self) -> &[Field] {
        match self {
            Self::Field { field, .. } => std::slice::from_ref(field),
            Self::Merge { fields, .. } => fields,
        }
    }
}

/// Fields of a message that only carries a code.
#[derive(Debug, Clone)]
pub(super) struct Carrier {
    pub(super) system: Option<Field>,
    pub(super) version: Option<Field>,
    pub(super) code: Option<Field>,
    pub(super) display: Option<Field>,
    pub(super) inner: Option<(Field, Box<Carrier>)>,
    /// A code may come without its system.
    pub(super) bound: bool,
}

/// A place in the hub.
#[derive(Debug, Clone)]
pub(super) struct Spot {
    pub(super) steps: Vec<Step>,
    /// Number of the message that its last step is taken in, if each value finds the same one there.
    pub(super) way: Option<usize>,
    /// Slot of its last step in that message.
    pub(super) slot: usize,
    /// A step selects by a key.
    pub(super) keyed: bool,
    /// It stands for several elements.
    pub(super) many: bool,
    pub(super) leaf: Leaf,
    /// DIN 91379 data type of a text, as [`super::hub::FieldShape`] has it.
    pub(super) datatype: Option<Kind>,
    /// It lies in a date or another value that is right or wrong as a whole.
    pub(super) part: bool,
    pub(super) category: Option<DataCategory>,
    /// A mandatory field or inside nothing but mandatory ones: what cannot be said refuses the whole.
    pub(super) mandatory: bool,
}

impl Spot {
    fn open(&self, mask: CategoryMask) -> bool {
        // A spot without a category is a message whose fields have their own; those are stripped one by one.
        self.category.map_or(matches!(self.leaf, Leaf::Message(_)), |category| mask.contains(category))
    }
}

/// What a text stands for.
#[derive(Debug, Clone)]
#[repr(u8)]
pub(super) enum Target {
    /// One value, or one per element.
    At(Spot),
    /// Several values in one text. A part outside the mask is none.
    Join { parts: Vec<Option<Spot>>, joint: Joint },
    /// Several values behind one code.
    Tuple { parts: Vec<Spot>, column: Column },
}

impl Target {
    /// The first of its places.
    pub(super) fn first(&self) -> Option<&Spot> {
        match self {
            Self::At(spot) => Some(spot),
            Self::Join { parts, .. } => parts.iter().flatten().next(),
            Self::Tuple { parts, .. } => parts.first(),
        }
    }
    pub(super) fn spots(&self) -> Vec<&Spot> {
        match self {
            Self::At(spot) => vec![spot],
            Self::Join { parts, .. } => parts.iter().flatten().collect(),
            Self::Tuple { parts, .. } => parts.iter().collect(),
        }
    }
}

/// How several texts become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Joint {
    /// With a separator, such as `Nachname, Vorname`.
    By(name::Join),
    /// `Musterweg 1a, 28237 Bremen`.
    AddressLine,
}

/// How a single value is spelt.
#[derive(Debug, Clone)]
#[repr(u8)]
pub(super) enum Spelling {
    /// As it is.
    Plain,
    /// By a code list.
    Codes(Column),
    /// As a date or time.
    Date(DateFormat),
    /// As a phone number.
    Phone(PhoneStyle),
    /// As area code and number, with this text between them.
    PhoneSplit(String),
    /// As a word for true and one for false.
    Boolean(BooleanWords),
    /// Search form of a name.
    SearchForm,
}

impl Block {
    /// Without the rules that would touch what the mask does not cover.
    fn masked(&self, mask: CategoryMask) -> Self {
        let mut rules = Vec::new();
        for rule in &self.rules {
            match rule {
                Rule::Enter { field, to, each, block } => {
                    let block = block.masked(mask);
                    if !block.rules.is_empty() {
                        rules.push(Rule::Enter { field: field.clone(), to: to.clone(), each: *each, block });
                    }
                }
                Rule::Value(value) => {
                    let mut value = value.clone();
                    let open = match &mut value.target {
                        Target::At(spot) => spot.open(mask),
                        Target::Tuple { parts, .. } => parts.iter().all(|part| part.open(mask)),
                        Target::Join { parts, .. } => {
                            for part in parts.iter_mut() {
                                *part = part.take().filter(|part| part.open(mask));
                            }
                            parts.iter().any(Option::is_some)
                        }
                    };
                    if open {
                        rules.push(Rule::Value(value));
                    }
                }
                Rule::Constant { .. } | Rule::Ignore { .. } => rules.push(rule.clone()),
            }
        }
        Self { rules, ways: self.ways }
    }
}
