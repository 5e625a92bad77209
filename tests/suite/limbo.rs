// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The client cases of x509-limbo: what the verifier of client certificates accepts and refuses.

use std::collections::BTreeMap;

use base64::Engine as _;
use rustls_pki_types::{CertificateDer, UnixTime};
use weiche::clock::{Clock as _, SystemClock, Time};
use weiche::identity::tls::ChainVerifier;
use weiche::pki::Anchors;

#[derive(serde::Deserialize)]
struct Vectors {
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    id: String,
    expected: String,
    time: Option<String>,
    trusted: Vec<String>,
    others: Vec<String>,
    leaf: String,
}

#[test]
fn client_certificates_are_judged_as_x509_limbo_says_but_for_the_listed_deviations() {
    let vectors: Vectors = serde_json::from_str(include_str!("../vectors/x509-limbo-client.json")).unwrap();
    let listed: BTreeMap<&str, &str> = include_str!("../vectors/x509-limbo-deviations.txt")
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
        .map(|line| line.split_once(char::is_whitespace).unwrap())
        .map(|(id, rest)| (id, rest.split_whitespace().next().unwrap()))
        .collect();
    let mut found = BTreeMap::new();
    for case in &vectors.cases {
        let verdict = judge(case);
        let got = if verdict.is_ok() { "SUCCESS" } else { "FAILURE" };
        if got != case.expected {
            println!("{} {} {}", case.id, if got == "SUCCESS" { "accepted" } else { "refused" }, verdict.err().unwrap_or_default());
            found.insert(case.id.as_str(), if got == "SUCCESS" { "accepted" } else { "refused" });
        }
    }
    println!("x509-limbo: {} cases, {} as expected, {} listed deviations", vectors.cases.len(), vectors.cases.len() - found.len(), listed.len());
    assert_eq!(found, listed, "deviations found (left) and listed (right); a cured one leaves the list");
}

fn judge(case: &Case) -> Result<(), String> {
    let der = |text: &String| CertificateDer::from(base64::engine::general_purpose::STANDARD.decode(text).unwrap());
    let now = case.time.as_deref().map_or(SystemClock.now(), |text| Time(text.parse::<jiff::Timestamp>().unwrap().as_millisecond()));
    let anchors = Anchors::from_certificates(case.trusted.iter().map(der).collect(), now).map_err(|error| error.to_string())?;
    let verifier = ChainVerifier::new(&anchors).map_err(|error| error.to_string())?;
    let others: Vec<_> = case.others.iter().map(der).collect();
    let seconds = std::time::Duration::from_secs(u64::try_from(now.0 / 1000).unwrap());
    verifier.verify(&der(&case.leaf), &others, UnixTime::since_unix_epoch(seconds)).map_err(|error| error.to_string())
}
