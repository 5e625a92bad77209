// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Runs plans over messages. A path becomes text only where a report or a problem names it.

mod native;
mod path;
mod read;
mod render;
mod verify;

pub(super) use path::Path;
pub(super) use read::read;
pub(super) use render::{Detail, render};
pub(super) use verify::verify;

/// `base.name`, or the name alone at the top.
pub(super) fn below(base: &str, name: &str) -> String {
    if base.is_empty() { name.to_owned() } else { format!("{base}.{name}") }
}
