// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::net::IpAddr;
use std::time::Duration;

use rcgen::{ExtendedKeyUsagePurpose, SanType};

use super::PkiError;
use crate::clock::Time;
use crate::id::InstitutionId;

/// How far a certificate's start lies before its issuing: clocks of other machines may be a little slow.
const BACKDATED: Duration = Duration::from_secs(5 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// From when until when a certificate may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    pub(super) from: Time,
    pub(super) until: Time,
}

impl Validity {
    /// The life of a leaf unless told otherwise, in days.
    pub const LEAF_DAYS: u32 = 30;

    /// `days` days from `now` on, starting five minutes earlier.
    pub fn days(now: Time, days: u32) -> Self {
        Self { from: now.minus(BACKDATED), until: now.plus(DAY.saturating_mul(days)) }
    }
    /// Exactly between two instants; tests make expired certificates and certificates of the future with it.
    pub fn between(from: Time, until: Time) -> Self {
        Self { from, until }
    }
    /// The same, but not beyond `end`: a leaf never outlives its authority.
    pub(super) fn within(self, end: Time) -> Result<Self, PkiError> {
        let until = self.until.min(end);
        if self.from >= until { Err(PkiError::Validity) } else { Ok(Self { until, ..self }) }
    }
}

/// What a leaf certificate says about its holder. The gateway decides from the URI alone; the common name is for people who look at it.
#[derive(Debug, Clone)]
pub struct Profile {
    pub(super) common_name: String,
    pub(super) names: Vec<SanType>,
    pub(super) usages: Vec<ExtendedKeyUsagePurpose>,
}

impl Profile {
    /// The gateway's own certificate for `hosts` (DNS names or IP addresses); servers only.
    pub fn server(hosts: &[String]) -> Result<Self, PkiError> {
        let common_name = hosts.first().cloned().ok_or(PkiError::NoHost)?;
        Ok(Self { common_name, names: hosts_as_names(hosts)?, usages: vec![ExtendedKeyUsagePurpose::ServerAuth] })
    }

    /// The gateway as a caller of case systems that take deliveries: `spiffe://<trust-domain>/gateway`, clients only. Its key is another one than the
    /// server's, since it is shown to others.
    pub fn gateway(trust_domain: &str) -> Result<Self, PkiError> {
        let names = vec![uri(&format!("spiffe://{}/gateway", domain(trust_domain)?))?];
        Ok(Self { common_name: "gateway".to_owned(), names, usages: vec![ExtendedKeyUsagePurpose::ClientAuth] })
    }

    /// A case system: `spiffe://<trust-domain>/institution/<id>/system/<name>`. It may call the gateway, and at `hosts` be called by it.
    pub fn institution(trust_domain: &str, institution: &InstitutionId, system: &str, hosts: &[String]) -> Result<Self, PkiError> {
        let mut names = vec![uri(&format!("spiffe://{}/institution/{institution}/system/{}", domain(trust_domain)?, slug(system)?))?];
        names.append(&mut hosts_as_names(hosts)?);
        let usages = vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        Ok(Self { common_name: format!("{institution} {system}"), names, usages })
    }

    /// An operator who may change things: `spiffe://<trust-domain>/operator/<name>/admin`.
    pub fn admin(trust_domain: &str, name: &str) -> Result<Self, PkiError> {
        Self::operator(trust_domain, name, "admin")
    }

    /// An operator who may look: `spiffe://<trust-domain>/operator/<name>/auditor`.
    pub fn auditor(trust_domain: &str, name: &str) -> Result<Self, PkiError> {
        Self::operator(trust_domain, name, "auditor")
    }

    /// A client certificate with these URIs and no others, whatever they are: material for tests of refusals.
    pub fn improper(uris: &[&str]) -> Result<Self, PkiError> {
        let names = uris.iter().map(|text| uri(text)).collect::<Result<_, _>>()?;
        Ok(Self { common_name: "improper".to_owned(), names, usages: vec![ExtendedKeyUsagePurpose::ClientAuth] })
    }

    fn operator(trust_domain: &str, name: &str, part: &str) -> Result<Self, PkiError> {
        let names = vec![uri(&format!("spiffe://{}/operator/{}/{part}", domain(trust_domain)?, slug(name)?))?];
        Ok(Self { common_name: format!("{name} ({part})"), names, usages: vec![ExtendedKeyUsagePurpose::ClientAuth] })
    }
}

fn hosts_as_names(hosts: &[String]) -> Result<Vec<SanType>, PkiError> {
    hosts
        .iter()
        .map(|host| match host.parse::<IpAddr>() {
            Ok(address) => Ok(SanType::IpAddress(address)),
            Err(_) => host.as_str().try_into().map(SanType::DnsName).map_err(|_| PkiError::Name(host.clone())),
        })
        .collect()
}

fn uri(text: &str) -> Result<SanType, PkiError> {
    text.try_into().map(SanType::URI).map_err(|_| PkiError::Name(text.to_owned()))
}

/// Names of systems and operators follow the alphabet of institutions: nothing in them can be read as another path.
fn slug(name: &str) -> Result<&str, PkiError> {
    name.parse::<InstitutionId>().map(|_| name).map_err(|_| PkiError::Name(name.to_owned()))
}

/// A SPIFFE trust domain: lower-case letters, digits, dots, hyphens and underscores (SPIFFE-ID 2.1), at most 255 bytes.
fn domain(name: &str) -> Result<&str, PkiError> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'_');
    if !name.is_empty() && name.len() <= 255 && name.bytes().all(allowed) { Ok(name) } else { Err(PkiError::Name(name.to_owned())) }
}
