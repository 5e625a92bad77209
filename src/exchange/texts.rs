// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The texts that people agree to, between two agreements: an operator approves and revokes. What waits is asked again at its release.

use super::Exchange;
use super::command::{ChangeText, Command};
use super::refusal::Refusal;
use crate::agreement::TextChange;
use crate::id::RequestId;

impl Exchange {
    /// Approves or revokes a text. When it answers, no delivery under a revoked text starts.
    pub async fn change_text(&self, operator: &str, request: RequestId, change: TextChange) -> Result<(), Refusal> {
        let content = serde_json::to_vec(&change).map_err(|_| Refusal::Internal("a change of a text cannot be written"))?;
        let idempotency = self.operator(operator, request, &[b"change-text", &content]);
        self.writer.run(Command::ChangeText(Box::new(ChangeText { idempotency, change }))).await.map(|_| ())
    }
}
