// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The development PKI: what it writes, what others can read, and which authorities may be trusted.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use weiche::clock::{Clock as _, SystemClock};
use weiche::identity::{Caller, Role};
use weiche::pki::{AnchorError, Anchors, Authority, DevelopmentPki, PkiError, Profile, Validity, write_new};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const DOMAIN: &str = "weiche.example.invalid";

fn development() -> DevelopmentPki {
    let hosts = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    DevelopmentPki::create(DOMAIN, &hosts, &[("awo-bremen".parse().unwrap(), "fallakte".to_owned())], "geheim-genug", SystemClock.now()).unwrap()
}

#[test]
fn it_writes_every_file_once_and_keys_for_their_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let pki = development();
    write_new(folder.path(), pki.files()).unwrap();
    let expected = [
        "root.pem",
        "offline/root.key",
        "institutions-ca.pem",
        "institutions-ca.key",
        "servers-ca.pem",
        "servers-ca.key",
        "operators-ca.pem",
        "operators-ca.key",
        "server.pem",
        "server.key",
        "gateway.pem",
        "gateway.key",
        "institution/awo-bremen.pem",
        "institution/awo-bremen.key",
        "institution/awo-bremen.p12",
        "operator/admin.pem",
        "operator/admin.key",
        "operator/admin.p12",
        "operator/auditor.pem",
        "operator/auditor.key",
        "operator/auditor.p12",
    ];
    for file in expected {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(folder.path().join(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if file.ends_with(".pem") { 0o644 } else { 0o600 }, "{file}");
    }
    assert_eq!(pki.files().len(), expected.len());
    let before = std::fs::read(folder.path().join("server.key")).unwrap();
    std::fs::remove_file(folder.path().join("root.pem")).unwrap();
    assert!(matches!(write_new(folder.path(), development().files()), Err(PkiError::File { .. })));
    assert_eq!(std::fs::read(folder.path().join("server.key")).unwrap(), before);
    assert!(!folder.path().join("root.pem").exists(), "refused before anything was written");
}

#[test]
fn openssl_and_java_read_the_keystore_and_openssl_verifies_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    write_new(folder.path(), development().files()).unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (store, root) = (at("institution/awo-bremen.p12"), at("root.pem"));
    if let Some(text) = run("openssl", &["pkcs12", "-in", &store, "-passin", "pass:geheim-genug", "-nodes"]) {
        assert!(text.contains("BEGIN PRIVATE KEY") && text.matches("BEGIN CERTIFICATE").count() == 4, "{text}");
    }
    if let Some(text) = run("keytool", &["-list", "-keystore", &store, "-storepass", "geheim-genug"]) {
        assert!(text.contains("awo-bremen") && text.contains("PrivateKeyEntry") && text.contains("trustedCertEntry"), "{text}");
    }
    for (leaf, authority, purpose) in [
        ("institution/awo-bremen.pem", "institutions-ca.pem", "sslclient"),
        ("institution/awo-bremen.pem", "institutions-ca.pem", "sslserver"),
        ("server.pem", "servers-ca.pem", "sslserver"),
        ("gateway.pem", "servers-ca.pem", "sslclient"),
        ("operator/auditor.pem", "operators-ca.pem", "sslclient"),
    ] {
        let arguments = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", &root, "-untrusted", &at(authority), &at(leaf)];
        if let Some(text) = run("openssl", &arguments) {
            assert!(text.contains(": OK"), "{leaf}: {text}");
        }
    }
}

/// Output of a tool that may be missing on this machine; a tool that is there must succeed.
fn run(tool: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(tool).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool}: {text}");
    Some(text)
}

#[test]
fn a_leaf_names_its_holder_and_never_outlives_its_authority() {
    let now = SystemClock.now();
    let root = Authority::root("root", Validity::days(now, 3653)).unwrap();
    let authority = root.issuing("institutions", Validity::days(now, 10)).unwrap();
    let profile = Profile::institution(DOMAIN, &"drk-bremen".parse().unwrap(), "tasks", &[]).unwrap();
    let issued = authority.issue(&profile, Validity::days(now, 30)).unwrap();
    let (_, leaf) = x509_parser::parse_x509_certificate(&issued.chain()[0]).unwrap();
    assert_eq!(leaf.validity().not_after.timestamp(), now.plus(DAY * 10).0 / 1000);
    assert_eq!(leaf.validity().not_before.timestamp(), (now.0 - 300_000).div_euclid(1000));
    let caller = Caller::from_certificate(DOMAIN, &issued.chain()[0]).unwrap();
    assert_eq!(caller.role(), &Role::Institution { institution: "drk-bremen".parse().unwrap(), system: "tasks".into() });
    assert_eq!((caller.serial(), caller.serial().len()), (issued.serial(), 32));
    let second = authority.issue(&profile, Validity::days(now, 30)).unwrap();
    assert_ne!(second.serial(), issued.serial());
    assert!(matches!(authority.issue(&profile, Validity::days(now.plus(DAY * 11), 30)), Err(PkiError::Validity)));
    let reopened = Authority::open(&authority.pem(), &authority.key_pem()).unwrap();
    let from_reopened = reopened.issue(&profile, Validity::days(now, 30)).unwrap();
    let (_, leaf) = x509_parser::parse_x509_certificate(&from_reopened.chain()[0]).unwrap();
    let (_, above) = x509_parser::parse_x509_certificate(authority.certificate().unwrap()).unwrap();
    leaf.verify_signature(Some(above.public_key())).unwrap();
    assert!(matches!(Authority::open(&authority.pem(), &root.key_pem()), Err(PkiError::Authority(_))));
}

#[test]
fn names_that_could_be_read_as_another_path_are_not_issued() {
    let id = "awo-bremen".parse().unwrap();
    for system in ["a/b", "A", "", "x/../y", "%61%62", "fall akte"] {
        assert!(matches!(Profile::institution(DOMAIN, &id, system, &[]), Err(PkiError::Name(_))), "{system}");
    }
    for domain in ["", "a/b", "A.invalid", "a:1"] {
        assert!(matches!(Profile::admin(domain, "ops"), Err(PkiError::Name(_))), "{domain}");
    }
    assert!(matches!(Profile::server(&[]), Err(PkiError::NoHost)));
}

#[test]
fn an_authority_is_trusted_only_within_its_dates_and_only_if_it_is_one() {
    let now = SystemClock.now();
    let old = Authority::root("old", Validity::between(now.minus(DAY * 20), now.minus(DAY))).unwrap();
    let new = Authority::root("new", Validity::days(now, 30)).unwrap();
    let anchors = |text: String| Anchors::from_pem(text.as_bytes(), now).map(|anchors| anchors.iter().count());
    assert_eq!(anchors(old.pem()), Err(AnchorError::NoneValid));
    assert_eq!(anchors(old.pem() + &new.pem()), Ok(2), "an expired one may stay beside its successor");
    assert_eq!(anchors(String::new()), Err(AnchorError::Empty));
    let leaf = new.issue(&Profile::server(&["localhost".to_owned()]).unwrap(), Validity::days(now, 30)).unwrap();
    assert!(matches!(anchors(leaf.chain_pem()), Err(AnchorError::Rule { .. })));
}

#[test]
fn the_folder_is_made_where_it_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let deeper = folder.path().join("a/b");
    write_new(Path::new(&deeper), development().files()).unwrap();
    assert!(deeper.join("root.pem").exists());
}
