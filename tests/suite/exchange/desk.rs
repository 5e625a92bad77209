// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The words in which the tests speak: a gateway on a temporary directory under a clock that the test moves, consents and referrals.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures_util::FutureExt;
use prost::Message;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use weiche::agreement::{Agreement, Purpose};
use weiche::clock::{Clock, FixedClock, Time};
use weiche::consent::{
    Capability, Consent, Explanation, ExplanationMode, Form, Grant, Grantor, GrantorKind, Information, InterpreterKind, Party, Quality, Scan, Scope,
    SecrecyRelease, Status, SubjectRef, TemplateUse, Voluntariness,
};
use weiche::dialect::{Category, CategoryMask, Dialects};
use weiche::exchange::{
    Content, Exchange, Issued, Moved, OpenError, Outcome, Outgoing, Parts, Periods, Refusal, Room, Submission, SubmitRequest, Withdrawn, WriterError,
};
use weiche::id::{ConsentId, InstitutionId, ReferralId, RequestId};
use weiche::ledger::verify::Verify;
use weiche::ledger::{Policy, RollbackGuard, SigningKey, verify_dir};
use weiche::numbered::Numbered;
use weiche::outbox::Failure;
use weiche::proto::audit::Entry;
use weiche::proto::exchange::SubmitReferralRequest;
use weiche::proto::types::{self, RecallNotice, StatusChange};
use weiche::referral::{ReferralState, StatusReason};
use weiche::store::{Connection, Place, Space, Store, StoreError, Value};
use weiche::vault::Vault;

use super::trouble::Trouble;

pub const BREMEN: &str = include_str!("../../../agreement/bremen.toml");
pub const ORIGIN: &str = "log.example.invalid";
pub const CARITAS: &str = "caritas-bremen/mbe-mitte";
pub const AWO: &str = "awo-bremen/mbe-groepelingen";
pub const JOBCENTER: &str = "jobcenter-bremen/vermittlung-mitte";
pub const AGENTUR: &str = "agentur-bremen-bremerhaven/vermittlung-bremen";
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(24 * 3600);
pub const LEASE: Duration = Duration::from_secs(30);
pub const RESERVE: u64 = 1 << 30;

pub const BEGIN: Time = Time(1_791_190_800_000);

static DIALECTS: LazyLock<Arc<Dialects>> = LazyLock::new(|| Arc::new(Dialects::embedded().unwrap_or_else(|errors| panic!("{errors}"))));

/// Data that a name-only referral does not need a category for beyond these.
pub fn mask(categories: &[Category]) -> CategoryMask {
    categories.iter().fold(CategoryMask::EMPTY, |all, category| all | category.mask())
}

/// What the plain referral of these tests carries.
pub fn usual() -> CategoryMask {
    mask(&[Category::Ident, Category::Contact, Category::Topics])
}

pub fn party(text: &str) -> Party {
    let (institution, unit) = text.split_once('/').unwrap();
    Party { institution: institution.parse().unwrap(), unit: unit.parse().unwrap(), function: String::new() }
}

pub fn who(text: &str) -> InstitutionId {
    text.split('/').next().unwrap().parse().unwrap()
}

/// A gateway that can be closed, opened again and looked into.
pub struct Desk {
    dir: Folder,
    pub place: Place,
    pub clock: Arc<FixedClock>,
    agreement: String,
    /// Free bytes on the disk as the gateway sees it, and how many it keeps.
    pub free: Arc<AtomicU64>,
    pub trouble: Option<Trouble>,
    running: Option<(Exchange, JoinHandle<Result<(), WriterError>>)>,
}

fn plenty() -> Arc<AtomicU64> {
    Arc::new(AtomicU64::new(u64::MAX))
}

/// What an exchange on the files of a folder is made of.
pub fn parts(folder: &Path, agreement: &str, store: (Store, Connection), clock: Arc<dyn Clock>) -> Parts {
    let key = SigningKey::from_seed(ORIGIN, &[7; 32]).unwrap();
    Parts {
        store,
        vault: Vault::open(&folder.join("vault.key")).unwrap(),
        guard: RollbackGuard::open(&folder.join("guard"), key.origin()).unwrap(),
        key,
        agreement: (Agreement::parse(agreement).unwrap_or_else(|errors| panic!("{errors:?}")), agreement.to_owned()),
        dialects: DIALECTS.clone(),
        clock,
        periods: Periods::default(),
        room: Room::endless(),
    }
}

/// Where its files lie.
enum Folder {
    /// In a folder that goes with it.
    Own(TempDir),
    /// In one that stays.
    Given(PathBuf),
}

/// Memory where there is any: thousands of made-up runs need no disk that survives them.
pub fn temporary() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).or_else(|_| tempfile::tempdir()).unwrap() } else { tempfile::tempdir().unwrap() }
}

impl Desk {
    /// A new gateway under the agreement of Bremen on 5 October 2026.
    pub async fn open() -> Self {
        Self::open_under(BREMEN).await
    }

    /// One that can be brought into trouble.
    pub async fn open_in_trouble() -> Self {
        let mut desk = Self::made(BREMEN).await;
        desk.trouble = Some(Trouble::at(&desk.place, &desk.clock).await);
        desk.start().await.unwrap();
        desk
    }

    pub async fn open_under(agreement: &str) -> Self {
        let mut desk = Self::made(agreement).await;
        desk.start().await.unwrap();
        desk
    }

    async fn made(agreement: &str) -> Self {
        let dir = temporary();
        let place = crate::places::empty(dir.path()).await;
        Store::create(&place).await.unwrap();
        Vault::create(&dir.path().join("vault.key")).unwrap();
        RollbackGuard::create(&dir.path().join("guard"), ORIGIN).unwrap();
        let clock = Arc::new(FixedClock::at(BEGIN));
        Self { dir: Folder::Own(dir), place, clock, agreement: agreement.to_owned(), free: plenty(), trouble: None, running: None }
    }

    /// A gateway on the files that lie in a folder, which stays.
    pub async fn at(folder: &Path) -> Self {
        Self::at_under(folder, BREMEN, BEGIN).await
    }

    /// The same under another agreement at another time.
    pub async fn at_under(folder: &Path, agreement: &str, now: Time) -> Self {
        let (dir, place) = (Folder::Given(folder.to_owned()), Place::File(folder.join("weiche.db")));
        let (clock, agreement) = (Arc::new(FixedClock::at(now)), agreement.to_owned());
        let mut desk = Self { dir, place, clock, agreement, free: plenty(), trouble: None, running: None };
        desk.start().await.unwrap_or_else(|error| panic!("{error}"));
        desk
    }

    pub fn path(&self) -> &Path {
        match &self.dir {
            Folder::Own(dir) => dir.path(),
            Folder::Given(path) => path,
        }
    }

    /// Begins work on what lies in the directory.
    pub async fn start(&mut self) -> Result<(), OpenError> {
        let free = self.free.clone();
        let wire = self.trouble.as_ref().and_then(|trouble| trouble.wire.as_ref());
        let place = wire.map_or(&self.place, |wire| &wire.place);
        // A process that another test is just starting has this one's files, and their locks, for a moment.
        let mut tries = 0;
        let (store, mut writer) = loop {
            match Store::open(place).await {
                Err(StoreError::InUse(_)) if tries < 100 => tries += 1,
                opened => break opened.unwrap(),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let mut clock: Arc<dyn Clock> = self.clock.clone();
        if let Some(trouble) = &self.trouble {
            clock = trouble.own.clone();
            if let Some(path) = self.place.file() {
                writer = trouble.commits.writer(path).await;
            }
        }
        let room = Room::asking(move || Ok(Space { free: free.load(Ordering::Relaxed), total: u64::MAX }), RESERVE);
        let parts = Parts { room, ..parts(self.path(), &self.agreement, (store, writer), clock) };
        self.running = Some(Exchange::open(parts).await?);
        Ok(())
    }

    /// Stops in an orderly way.
    pub async fn stop(&mut self) {
        let (exchange, task) = self.running.take().unwrap();
        drop(exchange);
        task.await.unwrap().unwrap();
    }

    /// It has ended by itself, with an error; begins again.
    pub async fn begin_anew(&mut self) {
        let (exchange, task) = self.running.take().unwrap();
        drop(exchange);
        assert!(task.await.unwrap().is_err());
        self.start().await.unwrap();
    }

    /// Stops and begins again.
    pub async fn reopen(&mut self) {
        self.stop().await;
        self.start().await.unwrap();
    }

    /// Begins again with another agreement file.
    pub async fn reopen_under(&mut self, agreement: &str) {
        self.stop().await;
        agreement.clone_into(&mut self.agreement);
        self.start().await.unwrap();
    }

    /// A second gateway on the same database, with the same keys and a guard of its own.
    pub async fn beside(&self) -> Desk {
        let dir = temporary();
        std::fs::copy(self.path().join("vault.key"), dir.path().join("vault.key")).unwrap();
        RollbackGuard::create(&dir.path().join("guard"), ORIGIN).unwrap();
        let mut desk = Desk {
            place: self.place.clone(),
            dir: Folder::Own(dir),
            clock: self.clock.clone(),
            agreement: self.agreement.clone(),
            free: plenty(),
            trouble: None,
            running: None,
        };
        if let Some(trouble) = &self.trouble {
            desk.trouble = Some(trouble.beside(&self.place).await);
        }
        desk.start().await.unwrap_or_else(|error| panic!("{error}"));
        desk
    }

    /// What a killed process would leave behind at this moment: the files as they lie there, nothing closed. Work may go on meanwhile.
    pub async fn crash_copy(&self) -> Desk {
        let dir = temporary();
        self.copy_files(dir.path());
        let clock = Arc::new(FixedClock::at(self.now()));
        let mut desk = Desk {
            place: Place::File(dir.path().join("weiche.db")),
            dir: Folder::Own(dir),
            clock,
            agreement: self.agreement.clone(),
            free: plenty(),
            trouble: None,
            running: None,
        };
        desk.start().await.unwrap_or_else(|error| panic!("{error}"));
        desk
    }

    /// Copies the files into `to` as they were at one moment. The write-ahead log only grows until it is begun anew, and its header tells when
    /// that happens: guard, then database, then log of one such life is the state at the moment when the log was read.
    pub fn copy_files(&self, to: &Path) {
        loop {
            let life = self.life_of_the_log();
            for name in ["vault.key", "guard", "weiche.db", "weiche.db-wal"] {
                match std::fs::copy(self.path().join(name), to.join(name)) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => drop(std::fs::remove_file(to.join(name))),
                    copied => drop(copied.unwrap()),
                }
            }
            if life == self.life_of_the_log() {
                return;
            }
        }
    }

    fn life_of_the_log(&self) -> Vec<u8> {
        let log = std::fs::read(self.path().join("weiche.db-wal")).unwrap_or_default();
        log.into_iter().take(32).collect()
    }

    pub fn on(&self) -> &Exchange {
        &self.running.as_ref().unwrap().0
    }

    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// Lets time pass.
    pub fn pass(&self, by: Duration) {
        self.set(self.now().plus(by));
    }

    /// The clock that counts says so: the server's, or on a file the gateway's.
    pub fn set(&self, at: Time) {
        self.clock.set(at);
        if let Some(server) = self.trouble.as_ref().and_then(|trouble| trouble.server.as_ref()) {
            server.set(at);
        }
    }

    /// A new agreement, in force from the next command on.
    pub async fn adopt(&mut self, agreement: &str) {
        agreement.clone_into(&mut self.agreement);
        let parsed = Agreement::parse(agreement).unwrap_or_else(|errors| panic!("{errors:?}"));
        self.on().adopt(Arc::new(parsed), agreement.to_owned(), "operator:test".into()).await.unwrap();
    }

    /// A consent of `subject`, recorded by `controller`'s unit, that permits nothing yet.
    pub fn consent(&self, controller: &str, subject: &str) -> ConsentOf<'_> {
        ConsentOf { desk: self, record: blank(self, controller, subject) }
    }

    /// Records `record` as it is.
    pub async fn record(&self, record: Consent) -> Result<ConsentId, Refusal> {
        let caller = record.controller.institution.clone();
        let content = serde_json::to_vec(&record).unwrap();
        Ok(self.on().record_consent(&caller, RequestId::random(), record, &content).await?.consent)
    }

    /// A consent by which everything usual may go from one unit to another.
    pub async fn usual_consent(&self, from: &str, to: &str, subject: &str) -> ConsentId {
        self.consent(from, subject).to(to, usual()).record().await
    }

    /// Submits under a fresh request id.
    pub async fn submit(&self, referral: &types::Referral) -> Result<Submission, Refusal> {
        self.submit_as(RequestId::random(), referral).await
    }

    /// Submits under this request id, in the name of the sender of the referral.
    pub async fn submit_as(&self, request: RequestId, referral: &types::Referral) -> Result<Submission, Refusal> {
        let caller = referral.sender.as_ref().unwrap().institution.parse().unwrap();
        let request = SubmitReferralRequest { request_id: request.to_string(), referral: Some(referral.clone()), validate_only: false };
        let content = request.encode_to_vec();
        self.on().submit(&caller, SubmitRequest::decode(content.as_slice()).unwrap(), &content).await
    }

    /// Submits something that is accepted.
    pub async fn accepted(&self, referral: &types::Referral) -> ReferralId {
        self.submit(referral).await.unwrap_or_else(|refusal| panic!("{refusal:?}")).referral.unwrap()
    }

    /// Whether the bell of a recipient was rung since it was last asked.
    pub async fn wake_was_rung(&self, recipient: &str) -> bool {
        use futures_util::FutureExt as _;
        self.on().wake().bell(&who(recipient)).notified().now_or_never().is_some()
    }

    /// Starts what is due.
    pub async fn release(&self, recipient: &str) -> Vec<Outgoing> {
        self.on().release(&who(recipient), 100, LEASE).await.unwrap()
    }

    /// Starts what comes before `until`.
    pub async fn next(&self, recipient: &str, limit: u32, until: impl Future<Output = ()>) -> Vec<Outgoing> {
        self.started(recipient, limit, false, until).await
    }

    /// Starts what comes before `until`, or with `due` what is due.
    pub async fn started(&self, recipient: &str, limit: u32, due: bool, until: impl Future<Output = ()>) -> Vec<Outgoing> {
        let started = self.on().release_next(&who(recipient), (limit, LEASE), due, until).await.unwrap();
        self.on().unseal(started).await.unwrap()
    }

    /// Starts the one item that is due.
    pub async fn release_one(&self, recipient: &str) -> Outgoing {
        let mut items = self.release(recipient).await;
        assert_eq!(items.len(), 1, "{items:?}");
        items.remove(0)
    }

    pub async fn settle(&self, item: &Outgoing, outcome: Outcome) -> Result<(), Refusal> {
        self.on().settle(None, item.id, item.token, outcome).await
    }

    pub async fn acknowledge(&self, item: &Outgoing) {
        self.settle(item, Outcome::Delivered).await.unwrap();
    }

    /// Delivers everything that is due, again and again until nothing is and the bell is silent, as a delivery worker does.
    pub async fn deliver_all(&self, recipient: &str) -> Vec<Outgoing> {
        let mut all = Vec::new();
        let bell = self.on().wake().bell(&who(recipient));
        loop {
            let items = self.release(recipient).await;
            if items.is_empty() && bell.notified().now_or_never().is_none() {
                return all;
            }
            for item in &items {
                self.acknowledge(item).await;
            }
            all.extend(items);
        }
    }

    /// Withdraws, in the name of `by`.
    pub async fn withdraw_as(&self, by: &str, consent: ConsentId, scope: Scope) -> Result<Withdrawn, Refusal> {
        let request = RequestId::random();
        let content = request.as_bytes();
        Ok(self.on().withdraw_consent(&who(by), request, consent, scope, "counter".into(), content).await?.0)
    }

    /// Withdraws everything.
    pub async fn withdraw(&self, by: &str, consent: ConsentId) -> Withdrawn {
        self.withdraw_as(by, consent, Scope::default()).await.unwrap()
    }

    pub async fn cancel(&self, by: &str, referral: ReferralId) -> Result<Moved, Refusal> {
        let request = RequestId::random();
        self.on().cancel(&who(by), request, &referral.to_string(), Some(StatusReason::Duplicate), false, request.as_bytes()).await
    }

    /// The sender repairs what was blocked.
    pub async fn resubmit(&self, by: &str, referral: ReferralId, consent: Option<ConsentId>) -> Result<Submission, Refusal> {
        self.resubmit_as(RequestId::random(), by, referral, consent).await
    }

    pub async fn resubmit_as(&self, request: RequestId, by: &str, referral: ReferralId, consent: Option<ConsentId>) -> Result<Submission, Refusal> {
        let content = format!("{referral} {consent:?}");
        self.on().resubmit(&who(by), request, &referral.to_string(), consent, content.as_bytes()).await
    }

    /// The recipient answers.
    pub async fn answer(&self, by: &str, referral: ReferralId, state: ReferralState, reason: Option<StatusReason>) -> Result<Moved, Refusal> {
        self.answer_with(by, change(referral, state, reason)).await
    }

    pub async fn answer_with(&self, by: &str, change: StatusChange) -> Result<Moved, Refusal> {
        let content = change.encode_to_vec();
        self.on().answer(&who(by), RequestId::random(), change, &content).await
    }

    /// Where a referral stands, as its sender sees it.
    pub async fn state(&self, sender: &str, referral: ReferralId) -> (ReferralState, Option<StatusReason>) {
        let (seen, _) = self.on().referral(&who(sender), &referral.to_string()).await.unwrap();
        (seen.referral.state, seen.referral.reason)
    }

    /// Every entry of the log, decoded.
    pub async fn log(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        loop {
            let (more, size) = self.on().entries(entries.len() as u64, 1000).await.unwrap();
            entries.extend(more.iter().map(|bytes| Entry::decode(bytes.as_slice()).unwrap()));
            if entries.len() as u64 >= size {
                return entries;
            }
        }
    }

    /// Exports the log and verifies it as an auditor would: with nothing but the key.
    pub async fn verify_log(&self) {
        let dir = temporary();
        self.on().export_log(dir.path(), |_, _| ()).await.unwrap();
        let policy = Policy::log_only(self.on().verifier_key().parse().unwrap());
        verify_dir(dir.path(), &Verify::new(&policy)).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Changes tables behind the gateway's back, while it is stopped.
    pub async fn write<const N: usize>(&self, sql: &'static str, values: [Value; N]) -> u64 {
        let (store, mut conn) = Store::open(&self.place).await.unwrap();
        let changed = conn.execute(sql, values).await.unwrap();
        conn.close().await.unwrap();
        store.close().await;
        changed
    }

    /// A connection for looking at the tables.
    pub async fn tables(&self) -> Connection {
        Store::read_only(&self.place).await.unwrap()
    }

    pub async fn count(&self, table: &'static str) -> i64 {
        let sql: &'static str = Box::leak(format!("SELECT COUNT(*) FROM {table}").into_boxed_str());
        self.tables().await.row(sql, []).await.unwrap().unwrap().int(0).unwrap()
    }
}

/// A failure after which the gateway tries again at once.
pub fn unavailable() -> Outcome {
    Outcome::Failed { failure: Failure::Transient { retry_after: None }, code: "UNAVAILABLE".into(), random: 0.0 }
}

/// A failure after which it gives up.
pub fn invalid() -> Outcome {
    Outcome::Failed { failure: Failure::Permanent, code: "INVALID_ARGUMENT".into(), random: 0.0 }
}

/// The change that a recipient tells.
pub fn change(referral: ReferralId, state: ReferralState, reason: Option<StatusReason>) -> StatusChange {
    let reason = reason.map_or(0, Numbered::number);
    StatusChange { referral_id: referral.to_string(), state: state.number(), reason, ..StatusChange::default() }
}

/// A consent in the making.
pub struct ConsentOf<'a> {
    desk: &'a Desk,
    pub record: Consent,
}

impl ConsentOf<'_> {
    pub fn to(self, recipient: &str, categories: CategoryMask) -> Self {
        let purpose = purpose(self.record.controller.institution.as_str(), recipient);
        self.for_purpose(recipient, purpose, categories)
    }
    pub fn for_purpose(mut self, recipient: &str, purpose: Purpose, categories: CategoryMask) -> Self {
        let recipient = party(recipient);
        if let Some(release) = &mut self.record.secrecy_release {
            release.towards.push(recipient.institution.clone());
        }
        self.record.special_explicit |= categories & CategoryMask::SPECIAL;
        self.record.grants.push(Grant { recipient, purpose, categories, feedback: CategoryMask::EMPTY });
        self
    }
    /// What recipients may send back.
    pub fn with_feedback(mut self, categories: CategoryMask) -> Self {
        self.record.grants.iter_mut().for_each(|grant| grant.feedback = categories);
        self
    }
    pub fn until(mut self, until: Time) -> Self {
        self.record.valid_until = Some(until);
        self
    }
    /// Given by a parent until the 18th birthday.
    pub fn for_a_minor_until(mut self, birthday: Time) -> Self {
        self.record.capability = Some(Capability::Under18NotCapable);
        self.record.grantor.kind = GrantorKind::ParentSole;
        self.record.grantor.proof = "sorgeerklaerung".into();
        self.record.grantor.entitled_until = Some(birthday);
        self
    }
    pub fn with(mut self, change: impl FnOnce(&mut Consent)) -> Self {
        change(&mut self.record);
        self
    }
    pub async fn record(self) -> ConsentId {
        self.try_record().await.unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }
    pub async fn try_record(self) -> Result<ConsentId, Refusal> {
        self.desk.record(self.record).await
    }
}

fn blank(desk: &Desk, controller: &str, subject: &str) -> Consent {
    let controller = party(controller);
    let agreement = desk.on().agreement();
    let member = agreement.member(&controller.institution).unwrap();
    Consent {
        schema_version: "1".into(),
        id: ConsentId::random(),
        version: 0,
        receipt_id: String::new(),
        supersedes: None,
        created_at: None,
        recorded_by_role: "beratung".into(),
        subject: SubjectRef(subject.to_owned()),
        regime: member.regime,
        dpo_contact: "datenschutz@example.invalid".into(),
        grants: Vec::new(),
        special_explicit: CategoryMask::EMPTY,
        secrecy_release: member.section_203.then(|| SecrecyRelease {
            functions: vec!["Beratungsfachkraft".into()],
            professions: vec![6],
            towards: vec![controller.institution.clone()],
        }),
        form: Form::WrittenSignature,
        evidence: Scan { media_type: "application/pdf".into(), sha256: format!("{:064x}", 0xaa), location: "Archiv".into() },
        template: TemplateUse {
            id: "bremen-standard".into(),
            version: "3".into(),
            text_sha256: "79b04832c5f8a995a9d4a069cafa74e59fceb82d30e3e299be3730fffe8de40d".into(),
            language: "de".into(),
        },
        explanation: Explanation {
            language: "ar".into(),
            mode: ExplanationMode::InterpreterPresent,
            interpreter: InterpreterKind::Professional,
            interpreter_secrecy_bound: true,
        },
        informed_of: Information {
            purpose: true,
            refusal_consequences: true,
            withdrawal: true,
            recipients: true,
            retention: true,
            rights: true,
            onward_duties: true,
        },
        voluntariness: Voluntariness { collected_by: controller.institution.clone(), no_benefit_linkage: true, refusal_without_reason: false },
        granted_at: desk.now(),
        valid_from: None,
        valid_until: None,
        grantor: Grantor { kind: GrantorKind::Own, areas: Vec::new(), reservation_of_consent: false, proof: String::new(), entitled_until: None },
        capability: Some(Capability::AssessedCapable),
        status: Status::Active,
        quality: Quality::CheckedOk,
        retention: None,
        history: Vec::new(),
        restricted: false,
        controller,
    }
}

/// The purpose that these tests use on a route.
pub fn purpose(from: &str, to: &str) -> Purpose {
    let body = |text: &str| text.starts_with("jobcenter") || text.starts_with("agentur");
    match (body(from), body(to)) {
        (_, true) => Purpose::JobSearch,
        (_, false) => Purpose::CounsellingReferral,
    }
}

/// A referral with name, telephone and a topic.
pub fn referral(from: &str, to: &str, subject: &str, consent: ConsentId) -> types::Referral {
    let name = types::PersonName { family: "Beispiel".into(), given: "Nur".into(), ..Default::default() };
    let phone = types::ContactPoint { system: "phone".into(), value: "+491713920012".into(), r#use: "mobile".into(), r#unsafe: false };
    let topic = types::Coding { system: "urn:weiche:codelist:topic".into(), code: "ARB".into(), ..Default::default() };
    let (sender, recipient) = (party(from), party(to));
    let wire =
        |party: Party| Some(types::Party { institution: party.institution.to_string(), unit: party.unit.to_string(), function: String::new() });
    types::Referral {
        sender_case_number: "HB-2026-00417".into(),
        subject_ref: subject.to_owned(),
        sender: wire(sender),
        recipient: wire(recipient),
        purpose: purpose(from, to).number(),
        consent: Some(types::ConsentReference { consent_id: consent.to_string(), ..Default::default() }),
        subject: Some(types::Person { name: Some(name), contact_points: vec![phone], ..Default::default() }),
        needs: vec![types::Need { topic: Some(topic), main: true, note: String::new() }],
        ..Default::default()
    }
}

impl Issuing for Submission {
    fn issued(&self) -> &Issued {
        self.receipt.as_ref().unwrap()
    }
}

/// What proves itself.
pub trait Issuing {
    fn issued(&self) -> &Issued;
}

/// What is in an item, if it is what the test expects.
pub trait Contents {
    fn referral(&self) -> types::Referral;
    /// Whether it is the referral of this id.
    fn is_referral(&self, id: &str) -> bool;
    fn status(&self) -> &StatusChange;
    fn recall(&self) -> &RecallNotice;
}

impl Contents for Outgoing {
    fn referral(&self) -> types::Referral {
        match &self.content {
            Content::Referral(referral) => types::Referral::decode(referral.clone()).unwrap(),
            other => panic!("not a referral: {other:?}"),
        }
    }
    fn is_referral(&self, id: &str) -> bool {
        matches!(self.content, Content::Referral(_)) && self.referral().referral_id == id
    }
    fn status(&self) -> &StatusChange {
        match &self.content {
            Content::Status(status) => status,
            other => panic!("not a status: {other:?}"),
        }
    }
    fn recall(&self) -> &RecallNotice {
        match &self.content {
            Content::Recall(recall) => recall,
            other => panic!("not a recall: {other:?}"),
        }
    }
}

/// The state in a status message.
pub fn told(change: &StatusChange) -> (ReferralState, Option<StatusReason>) {
    (ReferralState::from_number(change.state.into()).unwrap(), StatusReason::from_number(change.reason.into()))
}
