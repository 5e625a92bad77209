// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The Kooperationsvereinbarung as data: who takes part, which routes there are, for what, with at most which data, on which basis.
//!
//! Read from TOML by [`Agreement::parse`], which reports every problem at once; an agreement that exists is consistent.
//! Knows no persons. There is no kind of member for an immigration authority, so no route to one can be written down
//! (section 87(2) AufenthG obliges public bodies to report; a counselling centre's client must not get there through this gateway).

mod parse;
mod store;
mod terms;
#[cfg(test)]
mod tests;
pub mod texts;

pub use parse::AgreementError;
pub use store::{InForce, changes, in_force, save, save_changes};
pub use terms::{DataProtectionRegime, LegalBasis, MemberKind, Onward, Purpose, UnitKind};
pub use texts::{Module, Policy, Template, TextChange, Texts, TextsError};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Time;
use crate::dialect::CategoryMask;
use crate::id::{InstitutionId, UnitId};

/// A checked agreement. Replaced as a whole when the file changes, never edited.
#[derive(Debug, Clone)]
pub struct Agreement {
    version: Arc<str>,
    title: String,
    valid_from: Time,
    validity: Validity,
    recalls: RecallTerms,
    digest: [u8; 32],
    municipalities: BTreeMap<String, Municipality>,
    members: BTreeMap<InstitutionId, Member>,
    rules: Vec<Rule>,
    necessities: BTreeMap<String, Necessity>,
    betreuer_areas: BTreeMap<String, BetreuerArea>,
    texts: Texts,
}

/// How long consents hold. The law sets no maximum; the agreement does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Months from `granted_at` if the record names no end.
    pub default_months: i32,
    /// Months from `granted_at` after which no consent holds; at most 24.
    pub max_months: i32,
    /// How far an institution's clock may be ahead of the gateway's; at most 60 seconds.
    pub skew: Duration,
}

/// How long recipients have to answer a recall (Art. 12(3) GDPR: one month at most).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecallTerms {
    /// From the recall to the answer; at most 28 days.
    pub answer_within: Duration,
    /// So long before the answer is due the first reminder goes out; the second when it is due, then one a week.
    pub remind_before: Duration,
}

/// A municipality by its Amtlicher Gemeindeschlüssel (8 digits).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Municipality {
    /// Plain name.
    pub name: String,
    /// Whether the Jobcenter of this agreement is responsible there. Not in Bremerhaven (04012000): its Jobcenter is a body of its own and no party.
    pub jobcenter_route: bool,
}

/// An institution that signed the agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Name in certificates and routes.
    pub id: InstitutionId,
    /// Name for people.
    pub name: String,
    /// What it is.
    pub kind: MemberKind,
    /// Protobuf package of its case system's contract, such as `caritas.v1`, or `weiche` for the canonical one.
    pub dialect: String,
    /// Law that applies to its processing.
    pub regime: DataProtectionRegime,
    /// Who supervises it.
    pub supervisory_authority: String,
    /// Its counsellors are bound by section 203 StGB.
    pub section_203: bool,
    /// It is a body under section 35 SGB I: what it sends are Sozialdaten.
    pub section_35: bool,
    /// How it receives.
    pub delivery: Delivery,
    /// How fast it may be called.
    pub pacing: Pacing,
    /// Its centres, teams and branches.
    pub units: BTreeMap<UnitId, Unit>,
}

/// How a member receives.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(tag = "mode", rename_all = "lowercase", deny_unknown_fields)]
pub enum Delivery {
    /// The gateway calls the member's server.
    Push {
        /// `https://host:port` of the member's gRPC server.
        endpoint: String,
    },
    /// The member opens a stream to the gateway: for those who only dial out.
    Pull {},
}

/// How fast a member may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pacing {
    /// Deliveries under way at one time, 1 to 10000.
    pub in_flight: u32,
    /// Deliveries begun per second, 1 to 100000.
    pub per_second: u32,
}

/// A counselling centre, team or branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Name in consents and referrals.
    pub id: UnitId,
    /// Name for people.
    pub name: String,
    /// What it does.
    pub kind: UnitKind,
    /// AGS of where it works.
    pub municipality: String,
    /// A closed unit neither sends nor receives.
    pub active: bool,
    /// Youngest and oldest age in years that it serves, inclusive (JMD 12 to 26, MBE from 27).
    pub ages: Option<(u8, u8)>,
}

/// Who of one side may send to whom of the other; nobody to itself. By the sets and not by each pair of them: a country has thousands of members.
#[derive(Debug, Clone)]
struct Rule {
    from: BTreeSet<InstitutionId>,
    to: BTreeSet<InstitutionId>,
    /// One route for each purpose.
    purposes: Vec<Route>,
}

/// One permitted flow: from one member to another, for one purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Name of the rule in the file that permits it, such as `t1-centre-to-jobcenter`.
    pub rule: Arc<str>,
    /// What for.
    pub purpose: Purpose,
    /// At most these data.
    pub widest: CategoryMask,
    /// At most these data may come back with the status.
    pub feedback: CategoryMask,
    /// On which basis.
    pub legal_basis: LegalBasis,
    /// Codes that say why a transfer without consent is required; one of them must be given on a statutory route.
    pub necessity: Vec<String>,
    /// What holds for data that the sender itself received through the gateway.
    pub onward: Onward,
}

/// A reason for which a transfer without consent is required.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Necessity {
    /// The norm, such as `section 50(1) SGB II`.
    pub norm: String,
    /// In plain German, for the log's reader.
    pub text: String,
}

/// An Aufgabenbereich of a rechtlicher Betreuer (section 1815 BGB), and what consent it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BetreuerArea {
    /// In plain German.
    pub text: String,
    /// Purposes to which a Betreuer with this area may consent.
    pub purposes: Vec<Purpose>,
    /// Data that need this area, or another one that names them.
    pub categories: CategoryMask,
}

impl Agreement {
    /// Reads the file. On failure, every problem that was found, in the order of the lines.
    pub fn parse(toml: &str) -> Result<Self, Vec<AgreementError>> {
        parse::parse(toml)
    }

    /// SHA-256 of the file as read: two gateways with the same digest decide alike.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Version, such as `2026-1`; kept with every decision so that an auditor can repeat it.
    pub fn version(&self) -> &Arc<str> {
        &self.version
    }

    /// Title for people.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// From when it holds; before, there is no route at all.
    pub fn valid_from(&self) -> Time {
        self.valid_from
    }

    /// How long consents hold.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// How long recipients have to answer a recall.
    pub fn recalls(&self) -> RecallTerms {
        self.recalls
    }

    /// All members, by id.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// One member.
    pub fn member(&self, id: &InstitutionId) -> Option<&Member> {
        self.members.get(id)
    }

    /// What people call a member; one that has left the agreement has only its id.
    pub fn name_of<'a>(&'a self, id: &'a InstitutionId) -> &'a str {
        self.member(id).map_or(id.as_str(), |member| &member.name)
    }

    /// One unit, also a closed one.
    pub fn unit(&self, institution: &InstitutionId, unit: &UnitId) -> Option<&Unit> {
        self.members.get(institution)?.units.get(unit)
    }

    /// The municipality with this AGS.
    pub fn municipality(&self, ags: &str) -> Option<&Municipality> {
        self.municipalities.get(ags)
    }

    /// The rule for this flow. None: there is no such route.
    pub fn route(&self, from: &InstitutionId, to: &InstitutionId, purpose: Purpose) -> Option<&Route> {
        let permits = |rule: &&Rule| from != to && rule.from.contains(from) && rule.to.contains(to);
        self.rules.iter().filter(permits).flat_map(|rule| &rule.purposes).find(|route| route.purpose == purpose)
    }

    /// All flows of a sender, with the recipient of each.
    pub fn routes_of<'a>(&'a self, from: &InstitutionId) -> impl Iterator<Item = (&'a InstitutionId, &'a Route)> {
        self.rules.iter().filter(move |rule| rule.from.contains(from)).flat_map(move |rule| {
            let others = rule.to.iter().filter(move |to| *to != from);
            others.flat_map(|to| rule.purposes.iter().map(move |route| (to, route)))
        })
    }

    /// The necessity behind a code.
    pub fn necessity(&self, code: &str) -> Option<&Necessity> {
        self.necessities.get(code)
    }

    /// One Aufgabenbereich.
    pub fn betreuer_area(&self, area: &str) -> Option<&BetreuerArea> {
        self.betreuer_areas.get(area)
    }

    /// Those of the Aufgabenbereiche that the agreement knows: of an unknown one nobody has said what it covers.
    pub fn betreuer_areas(&self, areas: &[String]) -> impl Iterator<Item = &BetreuerArea> {
        areas.iter().filter_map(|area| self.betreuer_areas.get(area))
    }

    /// Data that need some Aufgabenbereich of their own.
    pub fn categories_of_areas(&self) -> CategoryMask {
        self.betreuer_areas.values().fold(CategoryMask::EMPTY, |all, area| all | area.categories)
    }

    /// The texts that people agree to.
    pub fn texts(&self) -> &Texts {
        &self.texts
    }

    /// The same agreement with what operators have approved and revoked since it was signed.
    pub fn with_changes(mut self, changes: &[TextChange]) -> Self {
        changes.iter().for_each(|change| self.texts.apply(change));
        self
    }
}
