// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What will be lost between two dialects, from their plans alone, before the first message. A property test compares with what is lost.

mod inward;
mod outward;

use std::collections::{BTreeMap, BTreeSet};

use crate::dialect::category::CategoryMask;
use crate::dialect::hub::{FieldShape, Leaf, Shape};
use crate::dialect::registry::{Dialect, Dialects};
use crate::dialect::report::{Outcome, TranslateError};
use crate::dialect::translate::below;
use crate::proto::types::DataCategory;
use inward::{Sources, inside, reading};
use outward::{NOTHING, RARE, Touch, Walk, covered};

/// On which side of the hub something is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// Between the sender's message and the hub; paths are the sender's.
    Read,
    /// Between the hub and the recipient's message; paths are canonical.
    Render,
}

/// What becomes of a field that is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LossKind {
    /// Arrives with less than it had.
    Lossy,
    /// Was empty and gets a default.
    Defaulted,
    /// Its category is not covered.
    Withheld,
    /// There is no place for it.
    Dropped,
    /// There is no word for it.
    Unmappable,
}

impl LossKind {
    /// The kind of an outcome; none for an exact one.
    pub fn of(outcome: &Outcome) -> Option<Self> {
        Some(match outcome {
            Outcome::Exact => return None,
            Outcome::Lossy(_) => Self::Lossy,
            Outcome::Defaulted => Self::Defaulted,
            Outcome::Withheld(_) => Self::Withheld,
            Outcome::Dropped(_) => Self::Dropped,
            Outcome::Unmappable(_) => Self::Unmappable,
        })
    }
    /// One word, as reports print it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lossy => "lossy",
            Self::Defaulted => "defaulted",
            Self::Withheld => "withheld",
            Self::Dropped => "dropped",
            Self::Unmappable => "unmappable",
        }
    }
}

/// One loss that a pair of plans brings about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Loss {
    /// Where.
    pub side: Side,
    /// Path without indices, of a field or of a message of which everything is meant.
    pub path: String,
    /// What becomes of it.
    pub kind: LossKind,
    /// Whatever the value is; otherwise it depends on the value, as `why` says.
    pub always: bool,
    /// In words.
    pub why: String,
}

impl Loss {
    /// Only texts bring it about that hardly anybody writes: a name that is spelt like "nothing stated", a deprecated letter.
    pub fn is_rare(&self) -> bool {
        RARE.iter().any(|rare| self.why.contains(rare))
    }
}

impl Dialects {
    /// Everything that can be lost of a message of `from` on its way to `to` under a mask, and nothing else.
    ///
    /// # Errors
    /// [`TranslateError::UnknownMessage`].
    pub fn predicted_losses(&self, from: &Dialect, to: &Dialect, hub: &str, mask: CategoryMask) -> Result<Vec<Loss>, TranslateError> {
        let top = |dialect: &Dialect| {
            let unknown = || TranslateError::UnknownMessage { dialect: dialect.name().to_owned(), message: hub.to_owned() };
            dialect.message_for(hub).map(str::to_owned).ok_or_else(unknown)
        };
        let (source, target) = (top(from)?, top(to)?);
        let mut losses = BTreeSet::new();
        let mut said = None;
        if let Some(plan) = from.plan(&source) {
            reading(&plan.block, "", &mut losses);
            let mut sources = Sources::default();
            sources.collect(&plan.block, "");
            said = Some(sources);
        }
        let shape = to.shape_of(&target)?;
        let mut touches = BTreeMap::new();
        if let Some(plan) = to.plan(&target) {
            let mut walk = Walk { touches: &mut touches, losses: &mut losses };
            walk.block(&plan.for_mask(mask), &[]);
        }
        let render = Render { dialects: self, mask, said: said.as_ref(), touches: &touches, whole: to.plan(&target).is_none() };
        render.shape(shape, "", &mut losses);
        Ok(losses.into_iter().collect())
    }
}

struct Render<'a> {
    dialects: &'a Dialects,
    mask: CategoryMask,
    said: Option<&'a Sources>,
    touches: &'a BTreeMap<String, Vec<Touch>>,
    /// The canonical dialect has a place for everything.
    whole: bool,
}

impl Render<'_> {
    fn shape(&self, shape: &Shape, base: &str, losses: &mut BTreeSet<Loss>) {
        for field in &shape.fields {
            let path = below(base, field.field.name());
            if self.said.is_some_and(|said| !said.says(&path)) {
                continue;
            }
            let mut lose = |path: &str, kind, always, why: &str| {
                losses.insert(Loss { side: Side::Render, path: path.to_owned(), kind, always, why: why.to_owned() });
            };
            let closed = match (field.category, &field.inner) {
                (Some(category), _) => Some(category).filter(|category| !self.mask.contains(*category)),
                (None, Some(_)) => None,
                (None, None) => Some(DataCategory::Unspecified),
            };
            if let Some(category) = closed {
                lose(&path, LossKind::Withheld, true, &named(category));
                continue;
            }
            for category in self.demanded(field, &path) {
                lose(&path, LossKind::Withheld, false, &format!("codes that need {}", named(category)));
            }
            match &field.inner {
                Some(inner) if !self.touches.contains_key(&path) => self.shape(inner, &path, losses),
                _ if self.whole => {}
                _ => self.leaf(&path, losses),
            }
        }
    }

    fn leaf(&self, path: &str, losses: &mut BTreeSet<Loss>) {
        let mut lose = |kind, always, why: &str| {
            losses.insert(Loss { side: Side::Render, path: path.to_owned(), kind, always, why: why.to_owned() });
        };
        let own = || self.touches.iter().filter(|(place, _)| *place == path).flat_map(|(_, touches)| touches);
        let part = self.touches.keys().any(|place| place != path && inside(place, path));
        if own().next().is_none() {
            let why = if part { "only a part of it has a place" } else { "the dialect has no place for it" };
            return lose(LossKind::Dropped, !part, why);
        }
        if part || !covered(own()) {
            lose(LossKind::Dropped, false, if part { "only a part of it has a place" } else { "there is no place for further ones" });
        }
        // What one field says less of, another may say in full, but for texts that it cannot take at all.
        let sound = |touch: &&Touch| touch.losses.iter().all(|(_, _, why)| RARE.contains(&why.as_str()));
        let saved = covered(own().filter(sound));
        let all = own().all(|touch| touch.losses.iter().any(|(_, always, _)| *always));
        for (kind, always, why) in own().flat_map(|touch| &touch.losses) {
            // What one rule leaves to others, another one takes.
            if *kind == LossKind::Dropped && own().any(|touch| touch.losses.iter().all(|(kind, ..)| *kind != LossKind::Dropped)) {
                continue;
            }
            if saved && !RARE.contains(&why.as_str()) {
                if own().any(|touch| sound(&touch) && !touch.losses.is_empty()) {
                    lose(*kind, false, &format!("{why}, and the field that says it in full cannot: {NOTHING}"));
                }
            } else {
                lose(*kind, *always && all, why);
            }
        }
    }

    /// Categories outside the mask that a code of the field may demand besides the field's own.
    fn demanded(&self, field: &FieldShape, path: &str) -> BTreeSet<DataCategory> {
        if self.mask == CategoryMask::ALL {
            return BTreeSet::new();
        }
        let mut codes = Vec::new();
        if field.leaf == Leaf::Coding {
            codes.push(path.to_owned());
        }
        if let Some(inner) = &field.inner {
            let inner = inner.fields.iter().filter(|inner| inner.leaf == Leaf::Coding && !inner.field.is_list());
            codes.extend(inner.map(|inner| below(path, inner.field.name())));
        }
        let lists: BTreeSet<&str> = match self.said {
            Some(said) => codes.iter().flat_map(|code| said.lists(code)).collect(),
            None if codes.is_empty() => BTreeSet::new(),
            None => self.dialects.lists().iter().map(|list| list.name()).collect(),
        };
        let rows = lists.into_iter().filter_map(|list| self.dialects.lists().list(list)).flat_map(|list| list.rows());
        let category = rows.filter_map(|row| DataCategory::from_str_name(&format!("DATA_CATEGORY_{}", row.attribute("category")?)));
        category.filter(|category| !self.mask.contains(*category)).collect()
    }
}

fn named(category: DataCategory) -> String {
    category.as_str_name().trim_start_matches("DATA_CATEGORY_").to_owned()
}
