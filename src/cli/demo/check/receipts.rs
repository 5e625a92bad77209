// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use super::{Findings, Promise};
use crate::cli::demo::history::History;
use crate::ledger::{Policy, Receipt};

/// Each receipt proves an entry that is in the exported log at that place.
pub(super) fn hold(history: &History, policy: &Policy, findings: &mut Findings) {
    for (of, text) in &history.receipts {
        let verdict = match text.parse::<Receipt>() {
            Err(error) => Err(error.to_string()),
            Ok(receipt) => match usize::try_from(receipt.index()).ok().and_then(|at| history.leaves.get(at)) {
                None => Err("it names an entry that the log does not have".to_owned()),
                Some(entry) => receipt.verify(entry, policy).map_err(|error| error.to_string()),
            },
        };
        if let Err(why) = verdict {
            findings.broken(Promise::ReceiptsHold, format!("{of}: {why}"));
        }
    }
}
