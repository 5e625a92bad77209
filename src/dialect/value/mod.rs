// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Values: how one system spells a date, a name, a telephone number, and how the same is said in canonical form.
//!
//! Pure functions, total on every input, each with its inverse. What a spelling cannot carry is reported as a loss, never guessed and
//! never left out silently. No error repeats the value it is about: values belong to persons.

pub mod address;
pub mod boolean;
pub mod date;
pub mod din91379;
pub mod list;
pub mod name;
pub mod null;
pub mod phone;

mod escape;

/// Without outer blanks. Most texts show at their ends that they have none.
#[inline]
pub(super) fn trimmed(text: &str) -> &str {
    let solid = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    let whole = |text: &str| solid(text.as_bytes().first()) && solid(text.as_bytes().last());
    if whole(text) {
        return text;
    }
    let inner = text.trim_ascii();
    if whole(inner) { inner } else { inner.trim() }
}

/// A converted value and what was lost on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Converted<T> {
    /// The value in its new form.
    pub value: T,
    /// What the new form does not say any more, in words for the report; none if it says everything.
    pub loss: Option<&'static str>,
}

impl<T> Converted<T> {
    /// A value that says all that the original said.
    pub fn exact(value: T) -> Self {
        Self { value, loss: None }
    }
    /// A value that says less.
    pub fn lossy(value: T, loss: &'static str) -> Self {
        Self { value, loss: Some(loss) }
    }
    /// The same, lossy only if `lost`.
    pub fn lossy_if(lost: bool, value: T, loss: &'static str) -> Self {
        Self { value, loss: lost.then_some(loss) }
    }
    /// The same loss with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Converted<U> {
        Converted { value: change(self.value), loss: self.loss }
    }
}
