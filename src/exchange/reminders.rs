// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What an institution has to do soon, or is late with. Nothing is kept of it: asked at another time, the tables give another list.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Exchange;
use super::refusal::Refusal;
use crate::agreement::Agreement;
use crate::clock::Time;
use crate::consent::{self, GrantorKind, Pending};
use crate::id::{ConsentId, InstitutionId, ReferralId};
use crate::referral::{self, RecallId};

/// So long before something ends, somebody is reminded; and so long after somebody withdrew elsewhere.
const AHEAD: Duration = Duration::from_secs(30 * 24 * 3600);

/// What a reminder is about. The words have the names and numbers of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReminderKind {
    /// A consent ends.
    ConsentEnding,
    /// The person turns 18, or did, and parents consented.
    Turning18,
    /// A guardian's or Betreuer's power ends, or did.
    RepresentationEnding,
    /// Withdrawn at another institution's counter.
    WithdrawnElsewhere,
    /// The institution owes the answer to a recall.
    RecallToAnswer,
    /// Somebody owes the institution the answer to a recall.
    RecallUnanswered,
    /// A text of consent ends or is revoked soon.
    TemplateExpiring,
}

crate::numbered::numbered!(ReminderKind: ConsentEnding Turning18 RepresentationEnding WithdrawnElsewhere RecallToAnswer RecallUnanswered TemplateExpiring);

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reminder {
    /// What.
    pub kind: ReminderKind,
    /// When it ends, was due or happened.
    pub at: Time,
    /// About what.
    pub about: About,
}

/// What a reminder points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A consent of the institution.
    Consent(ConsentId),
    /// A recall, its referral, and who has to answer.
    Recall(RecallId, ReferralId, InstitutionId),
    /// A text, as `name/version/language`.
    Template(String),
}

impl About {
    /// Its place among others of the same instant.
    pub fn id(&self) -> [u8; 16] {
        match self {
            Self::Consent(id) => *id.as_bytes(),
            Self::Recall(id, ..) => *id.as_bytes(),
            Self::Template(_) => [0; 16],
        }
    }
}

impl Exchange {
    /// What an institution has to do, the earliest first; `after` is the cursor of the page before. A page holds more than `limit` where several are
    /// about one thing and one instant.
    pub async fn reminders(&self, who: &InstitutionId, after: Option<(Time, [u8; 16])>, limit: u32) -> Result<Vec<Reminder>, Refusal> {
        let (now, mut conn) = (self.clock.now(), self.store.reader().await?);
        let mut all = Vec::new();
        for (pending, from, to) in windows(now) {
            for (at, id, grantor) in consent::pending(&mut conn, who, pending, (from, to), after, limit).await? {
                all.push(Reminder { kind: kind(pending, grantor), at, about: About::Consent(id) });
            }
        }
        for recall in referral::overdue_of(&mut conn, who, now, after, limit).await? {
            let kind = if recall.recipient == *who { ReminderKind::RecallToAnswer } else { ReminderKind::RecallUnanswered };
            all.push(Reminder { kind, at: recall.due_at, about: About::Recall(recall.id, recall.referral, recall.recipient) });
        }
        all.extend(templates(&self.agreement(), now).filter(|reminder| after.is_none_or(|after| (reminder.at, reminder.about.id()) > after)));
        all.sort_by_key(|reminder| (reminder.at, reminder.about.id(), reminder.kind));
        let place = |reminder: &Reminder| (reminder.at, reminder.about.id());
        if let Some(last) = all.get((limit as usize).saturating_sub(1)).map(place) {
            all.truncate(all.partition_point(|reminder| place(reminder) <= last));
        }
        Ok(all)
    }

    /// Sets the metrics of the reminders, by institution and kind.
    pub async fn measure_reminders(&self) -> Result<(), Refusal> {
        let (now, agreement, mut conn) = (self.clock.now(), self.agreement(), self.store.reader().await?);
        let mut counts: BTreeMap<(InstitutionId, &'static str), u64> = BTreeMap::new();
        for (pending, from, to) in windows(now) {
            for (who, count) in consent::count_pending(&mut conn, pending, (from, to)).await? {
                counts.insert((who, name(pending)), count);
            }
        }
        for (who, count) in referral::count_overdue(&mut conn, now).await? {
            counts.insert((who, "recall_to_answer"), count);
        }
        let templates = templates(&agreement, now).count() as u64;
        for member in agreement.members() {
            for kind in ["consent_ending", "entitlement_ending", "withdrawn_elsewhere", "recall_to_answer", "template_expiring"] {
                let count = if kind == "template_expiring" { templates } else { counts.get(&(member.id.clone(), kind)).copied().unwrap_or(0) };
                #[expect(clippy::cast_precision_loss, reason = "for a gauge")]
                metrics::gauge!("weiche_reminders", "institution" => member.id.to_string(), "kind" => kind).set(count as f64);
            }
        }
        Ok(())
    }
}

/// Which instants of which column are worth a reminder now. A power that has ended stays one as long as the consent claims to be in force.
fn windows(now: Time) -> [(Pending, Time, Time); 3] {
    let soon = now.plus(AHEAD);
    [(Pending::End, now, soon), (Pending::Entitlement, Time(0), soon), (Pending::WithdrawnElsewhere, now.minus(AHEAD), now)]
}

fn kind(pending: Pending, grantor: GrantorKind) -> ReminderKind {
    match (pending, grantor) {
        (Pending::End, _) => ReminderKind::ConsentEnding,
        (Pending::Entitlement, GrantorKind::ParentBoth | GrantorKind::ParentSole) => ReminderKind::Turning18,
        (Pending::Entitlement, _) => ReminderKind::RepresentationEnding,
        (Pending::WithdrawnElsewhere, _) => ReminderKind::WithdrawnElsewhere,
    }
}

const fn name(pending: Pending) -> &'static str {
    match pending {
        Pending::End => "consent_ending",
        Pending::Entitlement => "entitlement_ending",
        Pending::WithdrawnElsewhere => "withdrawn_elsewhere",
    }
}

/// Texts of consent that may no longer be signed soon, or under which consents stop counting: the same for every institution.
fn templates(agreement: &Agreement, now: Time) -> impl Iterator<Item = Reminder> {
    let soon = now.plus(AHEAD);
    agreement.texts().all().iter().filter_map(move |text| {
        let at = text.valid_until.into_iter().chain(text.revoked_from).filter(|at| *at > now && *at <= soon).min()?;
        let about = About::Template(format!("{}/{}/{}", text.id, text.version, text.language));
        Some(Reminder { kind: ReminderKind::TemplateExpiring, at, about })
    })
}
