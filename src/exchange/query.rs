// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Reading: what a caller may see of its own referrals, what was given up, what auditors see of the log.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Exchange;
use super::life::referral_id;
use super::refusal::Refusal;
use crate::clock::Time;
use crate::id::{DeliveryId, InstitutionId, ReferralId};
use crate::ledger::{self, Hash, Note, Plan};
use crate::numbered::Numbered;
use crate::outbox::Kind;
use crate::referral::{self, Event, Referral, ReferralState, select_referral};
use crate::store::StoreError;

/// What `$1` may see: what it sent; and what it was sent, from the moment it has or may have it, unless the gateway holds it back (SUBMITTED,
/// BLOCKED). What was stopped before it left never existed for its recipient.
macro_rules! visible {
    () => {
        "(sender = $1 OR (recipient = $1 AND state NOT IN (2, 3) \
          AND EXISTS (SELECT 1 FROM delivery d WHERE d.id = referral.delivery AND d.begun > 0)))"
    };
}

/// One referral as one of its sides may see it.
#[derive(Debug, Clone)]
pub struct Overview {
    /// It.
    pub referral: Referral,
    /// The sender's file number; only for the sender.
    pub case_number: String,
    /// The caller is the sender.
    pub is_sender: bool,
    /// The last step is the recipient's own affair: the sender is not told that there was one.
    pub quiet: bool,
}

/// A delivery that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Which.
    pub id: DeliveryId,
    /// Of which referral.
    pub referral: ReferralId,
    /// To whom.
    pub recipient: InstitutionId,
    /// What.
    pub kind: Kind,
    /// Attempts.
    pub attempts: u32,
    /// gRPC code of the last failure.
    pub last_error: String,
    /// When it was given up.
    pub at: Time,
}

impl Exchange {
    /// One referral with its history. Somebody else's: as if it were not there.
    pub async fn referral(&self, caller: &InstitutionId, id: &str) -> Result<(Overview, Vec<Event>), Refusal> {
        let id = referral_id(id, "referral_id")?;
        const SQL: &str = select_referral!("WHERE ", visible!(), " AND id = $2");
        let mut conn = self.store.reader().await?;
        let found = conn.row(SQL, [caller.as_str().into(), id.as_bytes().into()]).await?.ok_or(Refusal::NotFound)?;
        let found = self.overview(caller, referral::from_row(&found)?);
        let mut events = referral::events(&mut conn, &id).await?;
        if found.is_sender {
            let benefit_body = self.is_benefit_body(caller);
            events.retain(|event| !referral::is_course(event.state));
            events.iter_mut().for_each(|event| event.reason = referral::seen_by_sender(event.state, event.reason, benefit_body).reason);
        }
        Ok((found, events))
    }

    /// The caller's referrals, last submitted first; `before` is the cursor of the page before.
    pub async fn referrals(
        &self,
        caller: &InstitutionId,
        state: Option<ReferralState>,
        before: Option<(Time, ReferralId)>,
        limit: u32,
    ) -> Result<Vec<Overview>, Refusal> {
        const SQL: &str = select_referral!(
            "WHERE ",
            visible!(),
            // To its sender a referral that is being worked on is an accepted one.
            " AND ($2 = 0 OR CASE WHEN sender = $1 AND state IN (7, 8) THEN 5 ELSE state END = $2) AND (submitted_at, id) < ($3, $4) ORDER BY submitted_at DESC, id DESC LIMIT $5"
        );
        let (at, id) = before.map_or((i64::MAX, vec![0xff; 17]), |(at, id)| (at.0, id.as_bytes().to_vec()));
        let state = state.map_or(0, Numbered::number);
        let values = [caller.as_str().into(), state.into(), at.into(), id.into(), limit.into()];
        let rows = self.store.reader().await?.rows(SQL, values).await?;
        rows.iter().map(|row| Ok(self.overview(caller, referral::from_row(row)?))).collect()
    }

    /// The caller's referrals that changed after a leaf, in the order of the log.
    pub async fn changes(&self, caller: &InstitutionId, after: u64, limit: u32) -> Result<Vec<Overview>, Refusal> {
        const SQL: &str = select_referral!("WHERE ", visible!(), " AND changed_leaf > $2 ORDER BY changed_leaf LIMIT $3");
        let rows = self.store.reader().await?.rows(SQL, [caller.as_str().into(), after.into(), limit.into()]).await?;
        rows.iter().map(|row| Ok(self.overview(caller, referral::from_row(row)?))).collect()
    }

    fn is_benefit_body(&self, institution: &InstitutionId) -> bool {
        self.agreement().member(institution).is_none_or(|member| member.section_35)
    }

    /// The sender sees no more by asking than it is told.
    fn overview(&self, caller: &InstitutionId, mut referral: Referral) -> Overview {
        let is_sender = referral.sender == *caller;
        let quiet = is_sender && referral::is_course(referral.state);
        if is_sender {
            let seen = referral::seen_by_sender(referral.state, referral.reason, self.is_benefit_body(caller));
            (referral.state, referral.reason) = (seen.state, seen.reason);
        }
        let case_number =
            if is_sender { self.vault.open_short(referral.id.as_bytes(), &referral.case_number).unwrap_or_default() } else { String::new() };
        Overview { referral, case_number, is_sender, quiet }
    }

    /// Deliveries that were given up, oldest first; `after` is the cursor of the page before.
    pub async fn dead_letters(&self, after: Option<(Time, DeliveryId)>, limit: u32) -> Result<Vec<DeadLetter>, Refusal> {
        self.dead_letters_of(None, after, limit).await
    }

    /// The same for one recipient.
    pub async fn dead_letters_of(
        &self,
        recipient: Option<&InstitutionId>,
        after: Option<(Time, DeliveryId)>,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, Refusal> {
        const SQL: &str = "SELECT id, referral, recipient, kind, attempts, last_error, changed_at FROM delivery \
                           WHERE state = 4 AND (changed_at, id) > ($1, $2) AND ($4 = '' OR recipient = $4) ORDER BY changed_at, id LIMIT $3";
        let (at, id) = after.map_or((i64::MIN, Vec::new()), |(at, id)| (at.0, id.as_bytes().to_vec()));
        let rows =
            self.store.reader().await?.rows(SQL, [at.into(), id.into(), limit.into(), recipient.map_or("", InstitutionId::as_str).into()]).await?;
        rows.iter()
            .map(|row| {
                let damaged = StoreError::Damaged;
                Ok(DeadLetter {
                    id: DeliveryId::from_slice(row.bytes(0)?).ok_or(damaged("delivery.id"))?,
                    referral: ReferralId::from_slice(row.bytes(1)?).ok_or(damaged("delivery.referral"))?,
                    recipient: row.text(2)?.parse().map_err(|_| damaged("delivery.recipient"))?,
                    kind: Kind::from_number(row.int(3)?).ok_or(damaged("delivery.kind"))?,
                    attempts: row.small(4)?,
                    last_error: row.text(5)?.to_owned(),
                    at: Time(row.int(6)?),
                })
            })
            .collect()
    }

    /// Entries of the log from `from` on, with the size of the log.
    pub async fn entries(&self, from: u64, limit: u32) -> Result<(Vec<Vec<u8>>, u64), Refusal> {
        let size = self.progress.borrow().size;
        let left = u32::try_from(size.saturating_sub(from)).unwrap_or(u32::MAX);
        let entries = ledger::store::entries(&mut self.store.reader().await?, from, limit.min(left)).await?;
        Ok((entries, size))
    }

    /// Proof that an entry is in the log of `size` (0: the newest), with that size.
    pub async fn inclusion(&self, index: u64, size: u64) -> Result<(u64, Vec<Hash>), Refusal> {
        let size = self.size(size)?;
        self.cut(Plan::inclusion(index, size)).await.map(|hashes| (size, hashes))
    }

    /// Proof that the log of `old` is a beginning of that of `new` (0: the newest), with that size.
    pub async fn consistency(&self, old: u64, new: u64) -> Result<(u64, Vec<Hash>), Refusal> {
        let new = self.size(new)?;
        self.cut(Plan::consistency(old, new)).await.map(|hashes| (new, hashes))
    }

    /// Writes the whole log as a tile directory that can be verified without this gateway. Returns its checkpoint.
    pub async fn export_log(&self, dir: &std::path::Path, progress: impl Fn(u64, u64)) -> Result<Note, ExportLogError> {
        const CHUNK: u32 = 4096;
        let (checkpoint, note) = self.checkpoint().await?;
        let mut exporter = ledger::export::Exporter::open(dir, &note.to_string())?;
        while exporter.next_index() < checkpoint.size {
            let left = u32::try_from(checkpoint.size - exporter.next_index()).unwrap_or(u32::MAX);
            let mut conn = self.store.reader().await.map_err(Refusal::from)?;
            for entry in ledger::store::entries(&mut conn, exporter.next_index(), CHUNK.min(left)).await.map_err(Refusal::from)? {
                exporter.push(&entry)?;
            }
            progress(exporter.next_index(), checkpoint.size);
        }
        exporter.finish()?;
        Ok(note)
    }

    /// The agreement that the log last named; none in a new log.
    pub(super) async fn agreement_in_log(&self) -> Result<Option<[u8; 32]>, Refusal> {
        Ok(crate::agreement::in_force(&mut self.store.reader().await?).await?.map(|in_force| in_force.digest))
    }

    /// A page token: where the next page begins, bound to `scope` (caller and filter), so that nobody can make one up.
    pub fn page_token(&self, scope: &str, at: Time, id: &[u8; 16]) -> String {
        let mut token = [at.0.to_be_bytes().as_slice(), id].concat();
        let seal = self.vault.digest(&[b"page/".as_slice(), scope.as_bytes(), &[0], &token].concat());
        token.extend_from_slice(&seal[..16]);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// Where a page token points; none for the empty one. Refused if it was made for another caller or filter.
    pub fn cursor(&self, scope: &str, token: &str) -> Result<Option<(Time, [u8; 16])>, Refusal> {
        if token.is_empty() {
            return Ok(None);
        }
        let bytes: [u8; 40] = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(Refusal::NotFound)?;
        let (mut at, mut id) = ([0; 8], [0; 16]);
        at.copy_from_slice(&bytes[..8]);
        id.copy_from_slice(&bytes[8..24]);
        let at = Time(i64::from_be_bytes(at));
        if self.page_token(scope, at, &id) == token { Ok(Some((at, id))) } else { Err(Refusal::NotFound) }
    }

    fn size(&self, asked: u64) -> Result<u64, Refusal> {
        let newest = self.progress.borrow().size;
        match asked {
            0 => Ok(newest),
            asked if asked <= newest => Ok(asked),
            _ => Err(Refusal::NotFound),
        }
    }

    async fn cut(&self, plan: Result<Plan, ledger::proof::ProofError>) -> Result<Vec<Hash>, Refusal> {
        let plan = plan.map_err(|_| Refusal::NotFound)?;
        let tiles = ledger::store::read_tiles(&mut self.store.reader().await?, plan.tiles()).await?;
        plan.cut(&tiles).map_err(|_| StoreError::Damaged("log_tile").into())
    }
}

/// Why the log was not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportLogError {
    /// The database.
    #[error(transparent)]
    Exchange(#[from] Refusal),
    /// The directory.
    #[error(transparent)]
    Export(#[from] ledger::export::ExportError),
}
