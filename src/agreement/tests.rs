// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use super::*;

const BREMEN: &str = include_str!("../../agreement/bremen.toml");

fn bremen() -> Agreement {
    Agreement::parse(BREMEN).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn problems(change: impl Fn(&str) -> String) -> Vec<String> {
    Agreement::parse(&change(BREMEN)).unwrap_err().into_iter().map(|problem| problem.message).collect()
}

#[test]
fn the_example_reads_and_has_fifteen_open_centres() {
    let agreement = bremen();
    let open = |id: &str| agreement.member(&id.parse().unwrap()).unwrap().units.values().filter(|u| u.active).count();
    assert_eq!(["awo-bremen", "caritas-bremen", "diakonie-bremen", "drk-bremen"].map(open), [4, 3, 4, 4]);
    assert_eq!(&**agreement.version(), "2026-1");
    assert!(agreement.title().starts_with("Kooperationsvereinbarung"));
}

#[test]
fn every_pair_of_different_members_has_a_route_and_no_member_has_one_to_itself() {
    let agreement = bremen();
    for from in agreement.members() {
        for to in agreement.members() {
            let any = agreement.routes_of(&from.id).any(|(t, _)| *t == to.id);
            assert_eq!(any, from.id != to.id, "{} -> {}", from.id, to.id);
        }
    }
}

#[test]
fn nothing_goes_to_an_immigration_authority() {
    for kind in ["auslaenderbehoerde", "bamf", "immigration_authority", "migrationsamt"] {
        let found = problems(|text| text.replacen("kind = \"jobcenter\"", &format!("kind = \"{kind}\""), 1));
        assert!(found.iter().any(|m| m.contains("unknown variant")), "{found:?}");
        let found = problems(|text| text.replacen("to = [\"kind:jobcenter\"]", &format!("to = [\"kind:{kind}\"]"), 1));
        assert!(found.iter().any(|m| m.contains("names no member")), "{found:?}");
    }
    // The list of kinds is closed; whoever adds one has to change this line and to say why.
    let agreement = bremen();
    for member in agreement.members() {
        match member.kind {
            MemberKind::CentreProvider | MemberKind::Jobcenter | MemberKind::Agentur => {}
        }
    }
}

#[test]
fn all_problems_are_told_at_once_with_their_lines() {
    let broken = BREMEN
        .replacen("version = \"2026-1\"", "version = 7", 1)
        .replacen("max_months = 24", "max_months = 36", 1)
        .replacen("kind = \"jmd\"", "kind = \"kita\"", 1)
        .replacen("endpoint = \"https://localhost:7105\"", "endpoint = \"http://localhost:7105\"", 1)
        .replacen("\"FINANCE_DEBT\"", "\"SCHUFA\"", 1);
    let found = Agreement::parse(&broken).unwrap_err();
    let line = |needle: &str| broken.lines().position(|l| l.contains(needle)).unwrap() + 1;
    assert_eq!(found.iter().map(|p| p.line).collect::<Vec<_>>().len(), 5, "{found:#?}");
    assert_eq!(found[0].line, line("version = 7"));
    assert!(found.iter().any(|p| p.line == line("kind = \"kita\"")), "{found:#?}");
    assert!(found.is_sorted_by_key(|p| p.line) && found.iter().all(|p| !p.help.is_empty()));
}

#[test]
fn a_rule_that_contradicts_the_law_is_no_agreement() {
    for (from, to, message) in [
        ("legal_basis = \"CONSENT_WITH_SECRECY_RELEASE\"", "legal_basis = \"CONSENT\"", "without a release from secrecy"),
        ("legal_basis = \"CONSENT\"\n", "legal_basis = \"SGBII_50_1\"\n", "is no section 35 body"),
        ("necessity = [\"vermittlung-50-1\"", "necessity = [\"gefaellt-mir\"", "unknown necessity"),
        ("APPOINTMENT = [\"reach\", \"APPOINTMENTS\"", "APPOINTMENT = [\"APPOINTMENTS\"", "leaves out IDENT"),
        ("skew_seconds = 60", "skew_seconds = 61", "skew_seconds is too large"),
        ("section_35 = true", "section_35 = false", "contradict each other"),
        ("municipality = \"04011000\"", "municipality = \"04011001\"", "unknown municipality"),
        ("onward = \"consent_lists_recipient\"", "onward = \"always\"", "unknown variant"),
        ("[category_set]", "[kategorien]", "unknown entry"),
    ] {
        let found = problems(|text| text.replacen(from, to, 1));
        assert!(found.iter().any(|m| m.contains(message)), "{message}: {found:?}");
    }
}

#[test]
fn one_flow_has_one_rule() {
    let found = problems(|text| {
        let extra = "\n[[route]]\nrule = \"doubled\"\nfrom = [\"awo-bremen\"]\nto = [\"jobcenter-bremen\"]\n\
                     legal_basis = \"CONSENT_WITH_SECRECY_RELEASE\"\npurposes = { JOB_SEARCH = [\"IDENT\"] }\n";
        format!("{text}{extra}")
    });
    assert_eq!(found, ["awo-bremen to jobcenter-bremen for JOB_SEARCH is on the routes `t1-centre-to-jobcenter` and `doubled`"]);
}

#[test]
fn the_jobcenter_is_not_responsible_in_bremerhaven() {
    let agreement = bremen();
    assert!(agreement.municipality("04011000").unwrap().jobcenter_route);
    assert!(!agreement.municipality("04012000").unwrap().jobcenter_route);
}

#[test]
fn a_template_is_the_text_that_people_read() {
    let texts = [
        ("3", "de", include_str!("../../agreement/texts/bremen-standard-3.de.txt")),
        ("3", "en", include_str!("../../agreement/texts/bremen-standard-3.en.txt")),
        ("1", "de", include_str!("../../agreement/texts/bremen-standard-1.de.txt")),
    ];
    let agreement = bremen();
    assert_eq!(agreement.texts().all().len(), texts.len());
    for (version, language, text) in texts {
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        let hex: String = hash.as_ref().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(agreement.texts().get("bremen-standard", version, language).unwrap().text_sha256, hex);
    }
}

#[test]
fn the_digest_changes_with_every_byte() {
    let other = Agreement::parse(&format!("{BREMEN}\n")).unwrap();
    assert_ne!(bremen().digest(), other.digest());
}

#[test]
fn a_file_that_is_no_toml_says_where() {
    let found = Agreement::parse("version = \"1\"\ntitle = \n").unwrap_err();
    assert_eq!(found[0].line, 2);
}
