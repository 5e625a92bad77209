// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use crate::dialect::codelist::CodeLists;
use crate::proto::types::Coding;

/// A code of a list with its system, version and label; none if the list or the code is not there.
pub(super) fn coding(lists: &CodeLists, list: &str, code: &str) -> Option<Coding> {
    let list = lists.list(list)?;
    let row = list.get(code)?;
    Some(Coding { system: list.uri().into(), version: list.version().into(), code: row.canonical().into(), display: row.label().into() })
}
