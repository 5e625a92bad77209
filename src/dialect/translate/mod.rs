// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Runs plans over messages. A path becomes text only where a report or a problem is read.

mod frame;
mod lines;
mod native;
mod put;
mod read;
mod render;
mod seek;
mod verify;

pub(super) use lines::{Detail, Finding, Lines};
pub(super) use read::read;
pub(super) use render::render;
pub(super) use verify::verify;

/// `base.name`, or the name alone at the top.
pub(super) fn below(base: &str, name: &str) -> String {
    if base.is_empty() { name.to_owned() } else { format!("{base}.{name}") }
}
