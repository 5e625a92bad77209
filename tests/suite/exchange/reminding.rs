// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What an institution is reminded of, and from when to when; and the sheet that the person takes home.

use weiche::consent::{GrantorKind, Scope};
use weiche::dialect::Category;
use weiche::exchange::{About, Refusal, Reminder, ReminderKind};
use weiche::id::ConsentId;
use weiche::texts;

use super::desk::*;

use ReminderKind::*;

async fn list(desk: &Desk, who_asks: &str) -> Vec<Reminder> {
    desk.on().reminders(&who(who_asks), None, 100).await.unwrap()
}

fn about(reminders: &[Reminder]) -> Vec<(ReminderKind, ConsentId)> {
    let one = |reminder: &Reminder| match &reminder.about {
        About::Consent(id) => (reminder.kind, *id),
        other => panic!("{other:?}"),
    };
    reminders.iter().map(one).collect()
}

#[tokio::test]
async fn a_consent_is_in_the_list_for_its_last_thirty_days_and_only_for_whoever_recorded_it() {
    let desk = Desk::open().await;
    let end = desk.now().plus(40 * DAY);
    let ends = desk.consent(CARITAS, "p-1").to(JOBCENTER, usual()).until(end).record().await;
    let later = desk.consent(CARITAS, "p-2").to(JOBCENTER, usual()).until(end.plus(DAY)).record().await;
    let gone = desk.consent(CARITAS, "p-3").to(JOBCENTER, usual()).until(end).record().await;
    desk.withdraw(CARITAS, gone).await;
    for (day, expected) in [(9, vec![]), (10, vec![ends]), (11, vec![ends, later]), (39, vec![ends, later]), (40, vec![later]), (41, vec![])] {
        desk.set(end.minus(40 * DAY).plus(day * DAY));
        let expected: Vec<_> = expected.into_iter().map(|id| (ConsentEnding, id)).collect();
        assert_eq!(about(&list(&desk, CARITAS).await), expected, "day {day}");
        assert!(list(&desk, JOBCENTER).await.is_empty() && list(&desk, AWO).await.is_empty());
    }
}

#[tokio::test]
async fn a_birthday_and_the_end_of_a_betreuung_stay_in_the_list_until_somebody_acts() {
    let desk = Desk::open().await;
    let birthday = desk.now().plus(35 * DAY);
    let minor = desk.consent(CARITAS, "p-1").to(JOBCENTER, usual()).for_a_minor_until(birthday).record().await;
    let ward = |record: &mut weiche::consent::Consent| record.grantor.kind = GrantorKind::Guardian;
    let ward = desk.consent(CARITAS, "p-2").to(JOBCENTER, usual()).for_a_minor_until(birthday.plus(DAY)).with(ward).record().await;
    assert!(list(&desk, CARITAS).await.is_empty());
    desk.pass(5 * DAY);
    assert_eq!(about(&list(&desk, CARITAS).await), [(Turning18, minor)], "one day more for the other");
    desk.pass(55 * DAY);
    assert_eq!(about(&list(&desk, CARITAS).await), [(Turning18, minor), (RepresentationEnding, ward)], "25 days after the birthday");
    desk.withdraw(CARITAS, minor).await;
    assert_eq!(about(&list(&desk, CARITAS).await), [(RepresentationEnding, ward)]);
}

#[tokio::test]
async fn who_recorded_a_consent_learns_that_it_was_withdrawn_elsewhere() {
    let desk = Desk::open().await;
    let here = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let there = desk.usual_consent(CARITAS, JOBCENTER, "p-2").await;
    let part = desk.usual_consent(CARITAS, JOBCENTER, "p-3").await;
    desk.withdraw(CARITAS, here).await;
    desk.withdraw(JOBCENTER, there).await;
    desk.pass(DAY);
    desk.withdraw_as(JOBCENTER, part, Scope { categories: Category::Contact.mask(), ..Scope::default() }).await.unwrap();
    assert_eq!(about(&list(&desk, CARITAS).await), [(WithdrawnElsewhere, there), (WithdrawnElsewhere, part)]);
    desk.pass(30 * DAY);
    assert!(list(&desk, CARITAS).await.is_empty(), "after thirty days it is known");
}

#[tokio::test]
async fn both_sides_of_a_late_recall_are_reminded_and_nobody_else() {
    let desk = Desk::open().await;
    let consent = desk.usual_consent(CARITAS, JOBCENTER, "p-1").await;
    let id = desk.accepted(&referral(CARITAS, JOBCENTER, "p-1", consent)).await;
    desk.deliver_all(JOBCENTER).await;
    desk.withdraw(CARITAS, consent).await;
    desk.pass(14 * DAY);
    assert!(list(&desk, JOBCENTER).await.is_empty(), "due is not late");
    desk.pass(MINUTE);
    for (side, kind) in [(JOBCENTER, RecallToAnswer), (CARITAS, RecallUnanswered)] {
        let [Reminder { kind: seen, about: About::Recall(_, referral, owes), .. }] = &list(&desk, side).await[..] else { panic!("{side}") };
        assert_eq!((*seen, *referral, owes), (kind, id, &who(JOBCENTER)), "{side}");
    }
    assert!(list(&desk, AWO).await.is_empty());
}

#[tokio::test]
async fn everybody_is_reminded_of_a_text_that_will_be_revoked_or_may_soon_not_be_signed() {
    for end in ["revoked_from", "valid_until"] {
        ends(end).await;
    }
}

async fn ends(how: &str) {
    let mut desk = Desk::open().await;
    assert!(list(&desk, AWO).await.is_empty());
    desk.adopt(&BREMEN.replacen("approved_from = 2026-01-01\n", &format!("approved_from = 2026-01-01\n{how} = 2026-11-10\n"), 1)).await;
    assert!(list(&desk, AWO).await.is_empty(), "36 days");
    desk.pass(7 * DAY);
    for side in [AWO, JOBCENTER] {
        let [Reminder { kind: TemplateExpiring, about: About::Template(name), .. }] = &list(&desk, side).await[..] else { panic!("{side}") };
        assert!(name.starts_with("bremen-standard/"), "{name}");
    }
    desk.pass(40 * DAY);
    assert!(list(&desk, AWO).await.is_empty(), "then the decision says so");
}

#[tokio::test]
async fn pages_of_reminders_name_each_once_and_all() {
    let desk = Desk::open().await;
    let end = desk.now().plus(20 * DAY);
    let mut all = Vec::new();
    for n in 0..7 {
        // Several end in the same instant.
        let until = if n < 4 { end } else { end.plus(DAY) };
        all.push(desk.consent(CARITAS, &format!("p-{n}")).to(JOBCENTER, usual()).until(until).record().await);
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = desk.on().reminders(&who(CARITAS), after, 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some((last.at, last.about.id()));
        seen.extend(page);
    }
    assert!(seen.is_sorted_by_key(|reminder| reminder.at));
    let mut seen: Vec<_> = about(&seen).into_iter().map(|(_, id)| id).collect();
    seen.sort_unstable();
    all.sort_unstable();
    assert_eq!(seen, all);
}

#[tokio::test]
async fn the_sheet_says_in_both_languages_what_was_agreed_and_how_to_take_it_back() {
    let desk = Desk::open().await;
    let all = usual() | Category::Health.mask();
    let consent = desk.consent(CARITAS, "p-1").to(JOBCENTER, all).to(AGENTUR, usual()).with_feedback(Category::Outcome.mask()).record().await;
    let sheet = desk.on().consent_sheet(&who(CARITAS), consent, "").await.unwrap();
    let (german, arabic) = (texts::german(), texts::of("ar").unwrap());
    for texts in [german, arabic] {
        for text in [
            texts.get("receipt", "title"),
            texts.get("category", "HEALTH"),
            texts.get("category", "OUTCOME"),
            texts.get("purpose", "JOB_SEARCH"),
            texts.get("receipt", "withdraw_how"),
            texts.get("right", "ACCESS"),
        ] {
            assert!(sheet.html.contains(&*texts::escape(text)), "{}: {text}", texts.language);
        }
    }
    assert_eq!(sheet.html.matches(arabic.get("word", "translation")).count(), 1, "nobody has read the translation, and the page says so");
    let (first, second) = sheet.html.split_once("<section lang=\"de\"").unwrap();
    assert!(first.contains("lang=\"ar\" dir=\"rtl\""), "the language of the explanation comes first");
    for name in ["Jobcenter Bremen (fiktiv)", "Agentur für Arbeit Bremen-Bremerhaven (fiktiv)", "AWO Bremen (fiktiv)", "05.10.2026", "05.10.2027"] {
        assert!(second.contains(name), "{name}");
    }
    assert_eq!(sheet.html.matches(&sheet.code.unwrap().to_string()).count(), 4, "as text and as what the picture says, twice");
    assert_eq!(sheet.html.matches("<svg").count(), 2);
    for outside in ["http:", "https:", "<script", "<link", "url("] {
        assert!(!sheet.html.contains(outside), "{outside}");
    }

    let alone = desk.on().consent_sheet(&who(CARITAS), consent, "ku").await.unwrap();
    assert_eq!(alone.html.matches("<section").count(), 1, "a language without texts: German alone");
    assert_eq!(desk.on().consent_sheet(&who(JOBCENTER), consent, "").await.unwrap_err(), Refusal::NotFound);
    desk.withdraw(JOBCENTER, consent).await;
    let after = desk.on().consent_sheet(&who(CARITAS), consent, "de").await.unwrap();
    assert!(after.html.contains(german.get("consent_status", "WITHDRAWN")));
    assert!(!after.html.contains("<svg") && !after.html.contains(german.get("receipt", "withdraw")), "there is nothing left to take back");
}
