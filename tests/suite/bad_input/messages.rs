// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Messages and requests that are wrong in themselves.

use super::*;

/// Whose call, which method and message, the bytes, and what must be said about them.
type Case = (&'static str, &'static str, &'static str, Vec<u8>, Code, &'static str, &'static str, &'static str);

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_message_is_answered_with_code_reason_and_field_and_leaves_no_row() {
    use Code::{InvalidArgument as Invalid, Unimplemented};
    let site = Site::new().await;
    let destatis = "urn:de:bund:destatis:bevoelkerungsstatistik:schluessel:staatsangehoerigkeit";
    let nationality = |system: &str, code: &str| json!([{"system": system, "version": "2021-02-19", "code": code}]);
    let staat = |list: &str, code: &str| json!([{"listURI": list, "listVersionID": "2021-02-19", "code": code}]);
    let large = vec![b'x'; (1 << 20) + 1];
    let canonical_nationality = "/subject/nationalities";
    let native_nationality = "/natuerlichePerson/staatsangehoerigkeit";
    let (drk, own, dw) = ("drk-bremen", "awo-bremen", "diakonie-bremen");
    #[rustfmt::skip]
    let cases: Vec<Case> = vec![
        ("not protobuf", drk, SUBMIT, b"\xff\xff\xff\xff secret".to_vec(), Invalid, "MALFORMED_MESSAGE", "", "secret"),
        ("not protobuf", own, AWO_SUBMIT, b"\xff\xff\xff\xff secret".to_vec(), Invalid, "MALFORMED_MESSAGE", "", "secret"),
        ("nothing", drk, SUBMIT, Vec::new(), Invalid, "INVALID_FIELD", "request_id", ""),
        ("too large", drk, SUBMIT, large.clone(), Invalid, "MESSAGE_TOO_LARGE", "", "xxx"),
        ("too large", own, AWO_SUBMIT, large, Invalid, "MESSAGE_TOO_LARGE", "", "xxx"),
        ("a number for a text", drk, SUBMIT, vec![0x08, 0x01], Invalid, "MALFORMED_MESSAGE", "", ""),
        ("a number for a text", own, AWO_SUBMIT, vec![0x08, 0x01], Invalid, "MALFORMED_MESSAGE", "", ""),
        ("an unknown code", drk, SUBMIT, canonical(&[(canonical_nationality, nationality(destatis, "ZZQ"))]), Invalid, "UNKNOWN_CODE", "referral.subject.nationalities[0]", "ZZQ"),
        ("an unknown code", own, AWO_SUBMIT, awo(&[("/staat", json!("ZZQ"))]), Invalid, "UNKNOWN_CODE", "fall.staat", "ZZQ"),
        ("an unknown code", dw, DIAKONIE_SUBMIT, diakonie(&[(native_nationality, staat(destatis, "ZZQ"))]), Invalid, "UNKNOWN_CODE", "vorgang.natuerlichePerson.staatsangehoerigkeit[0]", "ZZQ"),
        ("an unknown enum value", drk, SUBMIT, canonical(&[("/purpose", json!(99))]), Invalid, "UNKNOWN_CODE", "referral.purpose", ""),
        ("an impossible date", drk, SUBMIT, canonical(&[("/subject/birthDate", json!({"year": 1991, "month": 2, "day": 30}))]), Invalid, "IMPOSSIBLE_DATE", "referral.subject.birth_date", "1991"),
        ("an impossible date", own, AWO_SUBMIT, awo(&[("/geb", json!("30.02.1991"))]), Invalid, "IMPOSSIBLE_DATE", "fall.geb", "1991"),
        ("a code without its system", drk, SUBMIT, canonical(&[(canonical_nationality, nationality("", "475"))]), Invalid, "CODE_WITHOUT_SYSTEM", "referral.subject.nationalities[0]", "475"),
        ("a code without its system", dw, DIAKONIE_SUBMIT, diakonie(&[(native_nationality, staat("", "475"))]), Invalid, "CODE_WITHOUT_SYSTEM", "vorgang.natuerlichePerson.staatsangehoerigkeit[0]", "475"),
        ("other letters", drk, SUBMIT, canonical(&[("/subject/name/family", json!("Иванов"))]), Invalid, "OUTSIDE_DIN_91379", "referral.subject.name.family", "Иванов"),
        ("other letters", own, AWO_SUBMIT, awo(&[("/name", json!("Иванов, Eva"))]), Invalid, "OUTSIDE_DIN_91379", "fall.name", "Иванов"),
        ("a request id that is none", drk, SUBMIT, request(SUBMIT, json!({"requestId": "secret", "referral": by_consent()})), Invalid, "INVALID_FIELD", "request_id", "secret"),
        ("in another's name", "awo-bremen", SUBMIT, canonical(&[]), Invalid, "INVALID_FIELD", "referral.sender.institution", ""),
        ("no own unit among several", own, AWO_SUBMIT, awo(&[("/absender_stelle", json!(""))]), Invalid, "INVALID_FIELD", "fall.absender_stelle", ""),
        ("no such recipient", own, AWO_SUBMIT, awo(&[("/absender_stelle", json!("mbe-groepelingen")), ("/empfaenger", json!("nobody-here"))]), Invalid, "INVALID_FIELD", "fall.empfaenger", "nobody-here"),
        ("no such recipient", drk, SUBMIT, canonical(&[("/recipient/institution", json!("nobody-here"))]), Invalid, "INVALID_FIELD", "referral.recipient.institution", "nobody-here"),
        ("an unknown method", drk, "weiche.exchange.v1.ReferralService/Secret", Vec::new(), Unimplemented, "UNKNOWN_METHOD", "", "Secret"),
        ("an unknown service", drk, "secret.v1.Service/Call", Vec::new(), Unimplemented, "UNKNOWN_METHOD", "", "secret"),
        ("another's dialect", drk, AWO_SUBMIT, awo(&[]), Unimplemented, "UNKNOWN_METHOD", "", "awo"),
        ("what operators do", drk, "weiche.admin.v1.AdminService/ListInstitutions", Vec::new(), Unimplemented, "UNKNOWN_METHOD", "", "admin"),
    ];
    let before = site.rows().await;
    let mut wrong = Vec::new();
    for (what, who, path, body, code, why, field, quoted) in cases {
        match site.call(who, path, body).await {
            Ok(_) => wrong.push(format!("{what} ({path}): taken")),
            Err(status) => wrong.extend(judge(&status, code, why, field, quoted).err().map(|text| format!("{what} ({path}): {text}"))),
        }
        if site.rows().await != before {
            wrong.push(format!("{what} ({path}): left something"));
            break;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // The same answer to the letter: nobody learns which methods others have.
    let (unknown, closed) = (site.call(drk, "secret.v1.Service/Call", "").await.unwrap_err(), site.call(drk, AWO_SUBMIT, "").await.unwrap_err());
    assert_eq!((unknown.message(), unknown.details()), (closed.message(), closed.details()));
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denial_is_logged_and_nothing_else_is_kept_of_it() {
    let site = Site::new().await;
    let before = site.rows().await;
    let denied = site.call("drk-bremen", SUBMIT, canonical(&[])).await.unwrap_err();
    assert_eq!(judge(&denied, Code::PermissionDenied, "NOT_PERMITTED", "", "Beispiel"), Ok(()));
    // Who names no consent wants to send without one: that is a denial too.
    let unnamed = [
        ("drk-bremen", SUBMIT, canonical(&[("/consent", Value::Null)]), "referral.consent.consent_id", "Beispiel"),
        ("awo-bremen", AWO_SUBMIT, awo(&[("/ew_nr", json!("")), ("/absender_stelle", json!("mbe-groepelingen"))]), "fall.ew_nr", "Musterweg"),
    ];
    for (who, path, body, field, quoted) in unnamed {
        let refused = site.call(who, path, body).await.unwrap_err();
        assert_eq!(judge(&refused, Code::InvalidArgument, "CONSENT_REFERENCE_MISSING", field, quoted), Ok(()), "{path}");
        // The canonical name is there too, for whoever reads our documents.
        let canonical = refused.get_details_error_info().unwrap().metadata.remove("canonical_fields");
        assert_eq!(canonical.as_deref(), (field != "referral.consent.consent_id").then_some("referral.consent.consent_id"));
    }
    let after = site.rows().await;
    let grown: Vec<_> =
        after.iter().filter(|(table, rows)| before[*table] != **rows).map(|(table, rows)| (table.as_str(), rows - before[table])).collect();
    // For each person one key, under which the log names them by a tag.
    assert_eq!(grown, [("log_leaf", 3), ("subject_key", 2)]);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_again_gets_the_same_receipt_and_with_other_content_none() {
    let site = Site::new().await;
    let id = fresh();
    let first = json!({"requestId": id, "referral": statutory()});
    let other = json!({"requestId": id, "referral": changed(statutory(), &[("/subject/name/family", json!("Anders"))])});
    let call = |json: &Value| site.call("jobcenter-bremen", SUBMIT, request(SUBMIT, json.clone()));
    let taken = call(&first).await.unwrap();
    let before = site.rows().await;
    assert_eq!(call(&first).await.unwrap(), taken);
    let refused = call(&other).await.unwrap_err();
    assert_eq!(judge(&refused, Code::AlreadyExists, "REQUEST_ID_REUSED", "", "Anders"), Ok(()));
    assert_eq!(site.rows().await, before);
    assert!(answer(SUBMIT, &taken)["receipt"]["text"].as_str().unwrap().starts_with("c2sp.org/tlog-proof@v1\n"));
    site.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_case_is_answered_like_one_that_does_not_exist() {
    let site = Site::new().await;
    let taken = site.call("jobcenter-bremen", SUBMIT, request(SUBMIT, json!({"requestId": fresh(), "referral": statutory()}))).await.unwrap();
    let theirs = answer(SUBMIT, &taken)["referralId"].as_str().unwrap().to_owned();
    site.call("jobcenter-bremen", GET, request(GET, json!({"referralId": theirs}))).await.unwrap();
    let before = site.rows().await;
    let (abrufen, stornieren) = ("diakonie.v1.Vermittlungsdienst/VorgangAbrufen", "diakonie.v1.Vermittlungsdienst/VorgangStornieren");
    let grund = json!({"listURI": "urn:weiche:codelist:status-reason", "listVersionID": "1", "code": "R11"});
    let cases = [
        ("caritas-bremen", GET, json!({}), "referralId"),
        ("caritas-bremen", CANCEL, json!({"requestId": fresh(), "reason": "STATUS_REASON_OTHER"}), "referralId"),
        ("diakonie-bremen", abrufen, json!({}), "vermittlungsnummer"),
        ("diakonie-bremen", stornieren, json!({"anfragenummer": fresh(), "grund": grund}), "vermittlungsnummer"),
    ];
    for (who, path, fields, key) in cases {
        let mut refusals = Vec::new();
        for id in [theirs.clone(), fresh()] {
            let mut fields = fields.clone();
            fields[key] = json!(id);
            let status = site.call(who, path, request(path, fields)).await.unwrap_err();
            assert_eq!(judge(&status, Code::NotFound, "NOT_FOUND", "", &id), Ok(()), "{path}");
            refusals.push((status.message().to_owned(), status.details().to_vec()));
        }
        assert_eq!(refusals[0], refusals[1], "{path}");
    }
    assert_eq!(site.rows().await, before);
    site.end().await;
}
