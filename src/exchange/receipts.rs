// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Receipts are cut when they are asked for, never stored: the same leaf in a log of the same size always gives the same text.

use super::Exchange;
use super::refusal::Refusal;
use super::writer::{Committed, Proof};
use crate::clock::Time;
use crate::ledger::{self, Checkpoint, Hash, Plan, Receipt};
use crate::store::StoreError;

/// A receipt with what is said beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    /// c2sp.org/tlog-proof text; authoritative.
    pub text: String,
    /// Index of the leaf.
    pub leaf: u64,
    /// Hash of the leaf.
    pub leaf_hash: Hash,
    /// When the leaf was written.
    pub at: Time,
}

impl Exchange {
    /// The receipt of a committed command.
    pub(super) async fn receipt(&self, committed: &Committed) -> Result<Issued, Refusal> {
        let leaf = committed.answered.leaf.ok_or(Refusal::Internal("a command without a leaf has no receipt"))?;
        match committed.answered.earlier_size {
            None => self.receipt_of(leaf, &committed.proof).await,
            Some(size) => {
                let (note, tiles) = self.checkpoint_at(size, Plan::inclusion(leaf, size)).await?;
                self.receipt_of(leaf, &Proof { size, note, tiles, leaves: Vec::new(), at: Time(0) }).await
            }
        }
    }

    /// The receipt of a leaf in the log as it is now.
    pub(super) async fn receipt_now(&self, leaf: u64) -> Result<Issued, Refusal> {
        let size = self.progress.borrow().size;
        let (note, tiles) = self.checkpoint_at(size, Plan::inclusion(leaf, size)).await?;
        self.receipt_of(leaf, &Proof { size, note, tiles, leaves: Vec::new(), at: Time(0) }).await
    }

    /// The receipt of one leaf in the log that `proof` is about.
    pub(super) async fn receipt_of(&self, leaf: u64, proof: &Proof) -> Result<Issued, Refusal> {
        let plan = Plan::inclusion(leaf, proof.size).map_err(|_| Refusal::Internal("a leaf is outside its log"))?;
        let hashes = plan.cut(&proof.tiles).map_err(|_| Refusal::Internal("a tile of a proof is missing"))?;
        let in_batch = (proof.leaves.len() as u64).checked_sub(proof.size.saturating_sub(leaf));
        let in_batch = in_batch.and_then(|at| proof.leaves.get(usize::try_from(at).ok()?));
        let (leaf_hash, at) = match in_batch {
            Some(hash) => (*hash, proof.at),
            None => self.leaf(leaf).await?,
        };
        Ok(Issued { text: Receipt::new(leaf, hashes, &proof.note).to_string(), leaf, leaf_hash, at })
    }

    /// The signed checkpoint of an earlier size, with the tiles of a proof in it. Signing it again gives the same bytes.
    pub(super) async fn checkpoint_at(
        &self,
        size: u64,
        plan: Result<Plan, ledger::proof::ProofError>,
    ) -> Result<(ledger::Note, ledger::Tiles), Refusal> {
        let plan = plan.map_err(|_| Refusal::NotFound)?;
        let mut conn = self.store.reader().await?;
        let root = Plan::root(size);
        let tiles = ledger::store::read_tiles(&mut conn, root.tiles()).await?;
        let root = root.cut(&tiles).map_err(|_| StoreError::Damaged("log_tile"))?.first().copied().unwrap_or_else(Hash::empty_root);
        let tiles = ledger::store::read_tiles(&mut conn, plan.tiles()).await?;
        Ok((self.key.sign_checkpoint(size, root), tiles))
    }

    /// The newest checkpoint: what is committed, never more.
    pub async fn checkpoint(&self) -> Result<(Checkpoint, ledger::Note), Refusal> {
        let size = self.progress.borrow().size;
        let (note, _) = self.checkpoint_at(size, Ok(Plan::root(size))).await?;
        let checkpoint = note.text().parse().map_err(|_| Refusal::Internal("our own checkpoint cannot be read"))?;
        Ok((checkpoint, note))
    }

    async fn leaf(&self, index: u64) -> Result<(Hash, Time), Refusal> {
        let mut conn = self.store.reader().await?;
        let entries = ledger::store::entries(&mut conn, index, 1).await?;
        let entry = entries.first().ok_or(Refusal::NotFound)?;
        let at = prost::Message::decode(entry.as_slice()).map(|entry: crate::proto::audit::Entry| Time(entry.at_ms)).unwrap_or(Time(0));
        Ok((Hash::leaf(entry), at))
    }
}
