// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What outlives a crash of any machine: the files of the gateway, what the case systems have on their disks, and what an observer of all of them
//! saw.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};
use rustls::ClientConfig;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use weiche::cli::config::Config;
use weiche::cli::init;
use weiche::clock::{Clock as _, FixedClock, SystemClock};
use weiche::delivery::{Line, channel_over};
use weiche::exchange::Parts;
use weiche::identity::tls::{Credentials, Expected, client_config};
use weiche::ledger::RollbackGuard;
use weiche::pki::Anchors;
use weiche::proto::exchange::{SubmitReferralResponse, WithdrawConsentResponse};
use weiche::proto::types::{RecallNotice, Referral, StatusChange};
use weiche::store::{Place, Steps, Store};

use super::network::{Lines, Machine};
use crate::exchange::desk::{self, BEGIN, BREMEN, ORIGIN};

/// The machines.
pub const GATEWAY: &str = "gateway";
pub const CARITAS: &str = "caritas";
pub const JOBCENTER: &str = "jobcenter";
pub const AGENTUR: &str = "agentur";
pub const MACHINES: [&str; 4] = [GATEWAY, CARITAS, JOBCENTER, AGENTUR];
/// Who uses the gateway.
pub const USERS: [&str; 3] = [CARITAS, JOBCENTER, AGENTUR];
/// Where institutions call.
pub const DOOR: u16 = 8443;
/// Where the Jobcenter is called.
pub const JOBCENTER_DOOR: u16 = 7105;
/// How long the gateway may take for a call to it.
pub const LEASE: Duration = Duration::from_secs(5);

/// Made once: certificates, and a database without anything in it.
static TEMPLATE: LazyLock<Template> = LazyLock::new(Template::make);

pub struct Template {
    dir: TempDir,
    pub agreement: String,
}

impl Template {
    fn make() -> Self {
        let dir = desk::temporary();
        let agreement = agreement();
        let hosts = MACHINES.map(str::to_owned).to_vec();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            init::create(&dir.path().join("made"), &init::Plan { hosts, agreement: agreement.clone(), ..init::Plan::default() }).await.unwrap();
            Store::create(&Place::File(dir.path().join("weiche.db"))).await.unwrap();
        });
        RollbackGuard::create(&dir.path().join("guard"), ORIGIN).unwrap();
        // The same in all runs: a person's pseudonym must not depend on chance.
        let mut key = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(dir.path().join("vault.key")).unwrap();
        key.write_all(b"weiche key-encryption key v1\n").and_then(|()| key.write_all(&[9; 32])).unwrap();
        Self { dir, agreement }
    }
}

/// That of Bremen, but everybody here speaks the canonical contract, and the Jobcenter alone is called.
fn agreement() -> String {
    let mut text = BREMEN.replace("https://localhost:7105", &format!("https://{JOBCENTER}:{JOBCENTER_DOOR}"));
    text = text.replace(r#"{ mode = "push", endpoint = "https://localhost:7106" }"#, r#"{ mode = "pull" }"#);
    for dialect in ["caritas.v1", "jobcenter.v1", "agentur.v1"] {
        text = text.replace(&format!("dialect = \"{dialect}\""), "dialect = \"weiche\"");
    }
    text
}

/// What an observer of all case systems saw.
#[derive(Default)]
pub struct Seen {
    pub submissions: Vec<Submission>,
    pub withdrawals: Vec<Withdrawal>,
    pub answers: Vec<Answered>,
    pub arrivals: Vec<Arrival>,
    /// Deliveries that were acknowledged, with the leaf of the release that had brought them, where it was told.
    pub acknowledged: BTreeSet<(String, Option<u64>)>,
    /// Sentences that were broken at once.
    pub broken: Vec<String>,
}

/// When a call was made for the first time, and when its answer was there, in milliseconds of the simulation.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    pub asked: u64,
    pub told: u64,
}

pub struct Submission {
    pub person: usize,
    pub to: usize,
    pub span: Span,
    pub answer: Result<SubmitReferralResponse, String>,
}

pub struct Withdrawal {
    pub person: usize,
    /// None: towards all.
    pub to: Option<usize>,
    pub only_phone: bool,
    pub span: Span,
    pub answer: WithdrawConsentResponse,
}

/// What a recipient said of a referral.
pub struct Answered {
    pub referral: String,
    pub span: Span,
    /// The leaf.
    pub answer: Result<u64, String>,
}

/// Something has come to a case system.
pub struct Arrival {
    pub at: u64,
    pub to: &'static str,
    pub delivery: String,
    /// Of its release, where it is told.
    pub leaf: Option<u64>,
    pub what: What,
}

pub enum What {
    Referral(Box<Referral>),
    Status(StatusChange),
    Recall(RecallNotice),
}

impl What {
    pub fn referral(&self) -> &str {
        match self {
            Self::Referral(referral) => &referral.referral_id,
            Self::Status(change) => &change.referral_id,
            Self::Recall(notice) => &notice.referral_id,
        }
    }
}

/// One run.
pub struct World {
    pub seed: u64,
    dir: TempDir,
    pub clock: Arc<FixedClock>,
    pub lines: Lines,
    steps: Steps,
    /// Nothing goes wrong any more.
    pub calm: AtomicBool,
    /// What is left to be done by the case systems.
    pub to_do: AtomicI64,
    /// Deliveries that the gateway still has in front of lanes; -1: nobody knows.
    pub open: AtomicI64,
    /// Asks the gateway that runs to end.
    pub shutdown: Mutex<CancellationToken>,
    seen: Mutex<Seen>,
}

impl World {
    pub fn new(seed: u64) -> Arc<Self> {
        let dir = desk::temporary();
        for name in ["weiche.db", "guard", "vault.key"] {
            std::fs::copy(TEMPLATE.dir.path().join(name), dir.path().join(name)).unwrap();
        }
        let chance = Mutex::new(chance(seed, "database"));
        let steps = Steps::with(move || {
            let mut chance = chance.lock().unwrap();
            let millis = match chance.random_range(0..100) {
                0..70 => 0,
                70..98 => chance.random_range(1..=4),
                _ => chance.random_range(10..=60),
            };
            Box::pin(async move {
                match millis {
                    0 => tokio::task::yield_now().await,
                    _ => tokio::time::sleep(Duration::from_millis(millis)).await,
                }
            })
        });
        Arc::new(Self {
            seed,
            dir,
            clock: Arc::new(FixedClock::at(BEGIN)),
            lines: Lines::default(),
            steps,
            calm: AtomicBool::new(false),
            to_do: AtomicI64::new(0),
            open: AtomicI64::new(-1),
            shutdown: Mutex::default(),
            seen: Mutex::default(),
        })
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }
    pub fn agreement() -> &'static str {
        &TEMPLATE.agreement
    }
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }
    pub fn broken(&self, sentence: impl Into<String>) {
        self.seen().broken.push(sentence.into());
    }
    pub fn is_calm(&self) -> bool {
        self.calm.load(std::sync::atomic::Ordering::SeqCst)
    }
    /// Milliseconds since the simulation began.
    pub fn now() -> u64 {
        u64::try_from(turmoil::sim_elapsed().unwrap().as_millis()).unwrap()
    }

    pub fn config() -> Config {
        let mut config = Config::load(&TEMPLATE.dir.path().join("made").join(init::CONFIG)).unwrap();
        config.deliveries.lease = LEASE;
        config.drain_within = Duration::from_secs(2);
        config
    }
    /// What the gateway is made of, on the files as they lie there.
    pub async fn parts(&self) -> Parts {
        let path = self.path().join("weiche.db");
        // The threads of the one that crashed close their files in their own time, and that is no time of the simulation.
        closed(&path);
        let store = Store::open_in_steps(&path, self.steps.clone()).await.unwrap();
        desk::parts(self.path(), Self::agreement(), store, self.clock.clone())
    }

    pub fn machine(&self, name: &'static str) -> Machine {
        Machine { name, lines: self.lines.clone() }
    }
    /// How a machine calls others.
    pub fn line(&self, name: &'static str) -> Line {
        let machine = self.machine(name);
        Arc::new(move |endpoint: &str, tls: Arc<ClientConfig>| channel_over(machine.clone(), endpoint, tls))
    }
    /// A new connection of a case system to the gateway.
    pub fn call(&self, name: &'static str) -> Channel {
        static TLS: LazyLock<[Arc<ClientConfig>; 3]> = LazyLock::new(|| USERS.map(|user| Arc::new(tls_of(user))));
        let at = USERS.iter().position(|user| *user == name).unwrap();
        self.line(name)(&format!("https://{GATEWAY}:{DOOR}"), TLS[at].clone()).unwrap()
    }
    /// The chance of one part of it.
    pub fn chance(&self, of: &str) -> SmallRng {
        chance(self.seed, of)
    }
}

/// Waits until nobody in this process has a file open any more.
fn closed(path: &Path) {
    let open =
        || std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten().any(|fd| std::fs::read_link(fd.path()).is_ok_and(|to| to == path));
    while open() {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn chance(seed: u64, of: &str) -> SmallRng {
    let part = of.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    SmallRng::seed_from_u64(seed ^ part)
}

/// The id that a machine has in the agreement.
pub fn institution(machine: &str) -> &'static str {
    let full = match machine {
        CARITAS => desk::CARITAS,
        JOBCENTER => desk::JOBCENTER,
        _ => desk::AGENTUR,
    };
    full.split('/').next().unwrap()
}

/// A file of the certificates.
pub fn pem(name: &str) -> Vec<u8> {
    std::fs::read(TEMPLATE.dir.path().join("made/certs").join(name)).unwrap()
}

fn tls_of(machine: &str) -> ClientConfig {
    let anchors = Anchors::from_pem(&pem("servers-ca.pem"), SystemClock.now()).unwrap();
    let id = institution(machine);
    let credentials = Credentials::from_pem(&pem(&format!("institution/{id}.pem")), &pem(&format!("institution/{id}.key"))).unwrap();
    client_config(Some(credentials), &anchors, Expected::Host).unwrap()
}

/// A request id, or another id that a case system makes up.
pub fn id(chance: &mut SmallRng) -> String {
    uuid::Builder::from_random_bytes(chance.random()).into_uuid().to_string()
}
