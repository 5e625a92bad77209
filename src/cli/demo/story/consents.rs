// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use super::Story;
use crate::cli::demo::cases::{Case, Situation};
use crate::dialect::CategoryMask;

impl Story<'_> {
    /// Every consent is recorded by the institution that the person trusts; some are withdrawn right away.
    pub(super) async fn consents(&self) {
        self.voice.title("1  Consents (Einwilligungen) are recorded by the institutions that the people trust");
        let cases: Vec<&Case> = self.cases.iter().filter(|case| case.consent.is_some()).collect();
        let count = cases.len();
        self.each("recording consents", cases, |case| self.record(case)).await;
        let of = |situation| self.cases.iter().filter(|case| case.situation == situation).count();
        self.voice.event(&format!("{count} consents went to the gateway, each to one unit of one institution, for one purpose"));
        self.voice
            .event(&format!("{} were refused: health data without an explicit tick (Art. 9 GDPR) never become a record", of(Situation::NotExplicit)));
        self.voice.event(&format!(
            "{} people withdrew again at once (Widerruf), {} had said no",
            of(Situation::WithdrawnBefore),
            of(Situation::Refused)
        ));
    }

    async fn record(&self, case: &Case) {
        let (Some(sender), Some(consent)) = (self.sender_of(case), &case.consent) else { return };
        let request = uuid::Uuid::new_v4().to_string();
        match (sender.record(&request, consent).await, case.situation) {
            (Err(refused), Situation::NotExplicit) if refused.reason == "INVALID_FIELD" => {}
            (Ok(_), Situation::NotExplicit) => self.surprise(format!("case {}: a consent without its tick was recorded", case.number)),
            (Err(refused), _) => self.surprise(format!("case {}: its consent was refused: {refused}", case.number)),
            (Ok(receipt), situation) => {
                self.receipt(format!("consent of case {}", case.number), receipt);
                if situation == Situation::WithdrawnBefore {
                    self.withdraw(case, CategoryMask::EMPTY).await;
                }
            }
        }
    }

    /// The person withdraws at the counter of the institution that recorded the consent: everything, or `only` some kinds of data.
    pub(super) async fn withdraw(&self, case: &Case, only: CategoryMask) {
        let (Some(sender), Some(consent)) = (self.sender_of(case), &case.consent) else { return };
        match sender.withdraw(&uuid::Uuid::new_v4().to_string(), &consent.consent_id, only).await {
            Ok(receipt) => self.receipt(format!("withdrawal of case {}", case.number), receipt),
            Err(refused) => self.surprise(format!("case {}: its withdrawal was refused: {refused}", case.number)),
        }
    }
}
