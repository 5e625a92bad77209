// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Where the story plays: a folder as `weiche init` makes it, a gateway in this process, and six case systems around it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::system::{LineError, Operator, Setup, System, Tongue, Turnstile};
use crate::agreement::{Agreement, AgreementError, Delivery};
use crate::cli::config::{Config, ConfigError};
use crate::cli::gateway::{self, GatewayError, Listeners, Running};
use crate::cli::init::{self, AGREEMENT, InitError, Made, Plan};
use crate::cli::ops;
use crate::clock::{Clock, Time};
use crate::dialect::Dialects;

/// Monday, 5 October 2026, nine in the morning in Bremen.
const MORNING: Time = Time(1_791_183_600_000);
/// The page that a person took home with its consent, in the folder.
pub(super) const SHEET: &str = "sheet.html";
/// What a person is told that asks what is there of it.
pub(super) const REPORT: &str = "report.html";
/// The midnight after it.
pub(super) const MIDNIGHT: Time = Time(1_791_237_600_000);

/// The clock of the story: it begins on a fixed day, so that the same seed tells the same story, and can be moved on.
#[derive(Debug)]
pub(super) struct StoryClock {
    began: Instant,
    moved: AtomicI64,
}

impl StoryClock {
    fn new() -> Self {
        Self { began: Instant::now(), moved: AtomicI64::new(0) }
    }
    /// Lets `by` pass at once.
    pub(super) fn advance(&self, by: Duration) {
        self.moved.fetch_add(i64::try_from(by.as_millis()).unwrap_or(0), Ordering::SeqCst);
    }
}

impl Clock for StoryClock {
    fn now(&self) -> Time {
        Time(MORNING.plus(self.began.elapsed()).0 + self.moved.load(Ordering::SeqCst))
    }
}

/// Why the story cannot be played.
#[derive(Debug, thiserror::Error)]
pub(super) enum StageError {
    /// The system refuses a port or a file.
    #[error("{0}: {1}")]
    System(String, #[source] std::io::Error),
    /// The folder.
    #[error(transparent)]
    Init(#[from] InitError),
    /// Its configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The gateway.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
    /// A case system's side of TLS.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The agreement that this program carries.
    #[error("the agreement of this program has {} problem(s)", .0.len())]
    Agreement(Vec<AgreementError>),
    /// A member without a dialect.
    #[error("{0} speaks no dialect of this program")]
    Mute(String),
}

/// The stage.
pub(super) struct Stage {
    /// Folder with everything.
    pub dir: PathBuf,
    /// What `weiche init` made.
    pub made: Made,
    /// The gateway.
    pub gateway: Running,
    /// Ends it.
    pub curtain: CancellationToken,
    /// Its time.
    pub clock: Arc<StoryClock>,
    /// Its metrics; none if something else in this process collects them.
    pub metrics: Option<PrometheusHandle>,
    /// By institution.
    pub systems: BTreeMap<String, Arc<System>>,
    /// Who looks after the gateway.
    pub operator: Operator,
    /// Library of all of them.
    pub dialects: Arc<Dialects>,
    /// Who may do what.
    pub agreement: Arc<Agreement>,
    /// What keeps everything.
    pub engine: &'static str,
}

impl Stage {
    /// Builds it in `dir`, which may exist and is empty of what `weiche init` makes.
    pub(super) async fn build(dir: &Path, store: &str) -> Result<Self, StageError> {
        let (text, doors) = agreement_with_ports().await?;
        let bind = || async { TcpListener::bind("127.0.0.1:0").await.map_err(system("a free port")) };
        let (institutions, operators, ops) = (bind().await?, bind().await?, bind().await?);
        let plan =
            Plan { agreement: text, listen: [port(&institutions)?, port(&operators)?, port(&ops)?], store: store.to_owned(), ..Plan::default() };
        let made = init::create(dir, &plan).await?;
        let config = Config::load(&made.config)?;
        let engine = if config.database.file().is_some() { "SQLite" } else { "PostgreSQL" };

        let metrics = ops::collect_metrics().ok();
        let listeners = Listeners { institutions, operators, ops: metrics.clone().map(|metrics| (ops, metrics)) };
        let clock = Arc::new(StoryClock::new());
        let curtain = CancellationToken::new();
        let gateway = gateway::run(config, clock.clone(), listeners, curtain.clone()).await?;

        let (dialects, agreement) = (gateway.exchange().dialects().clone(), gateway.exchange().agreement());
        let turnstile = Turnstile::default();
        let mut systems = BTreeMap::new();
        let mut doors = doors;
        for member in agreement.members() {
            let institution = member.id.as_str();
            let listener = doors.remove(institution);
            let setup = Setup {
                institution,
                tongue: Tongue::new(dialects.clone(), member.dialect.split('.').next().unwrap_or_default())
                    .ok_or_else(|| StageError::Mute(institution.to_owned()))?,
                certs: &dir.join("certs"),
                gateway: gateway.institutions(),
                called_at: listener.as_ref().map(port).transpose()?,
                turnstile: turnstile.clone(),
            };
            let one = System::new(setup)?;
            one.up(listener).await.map_err(system(institution))?;
            systems.insert(institution.to_owned(), Arc::new(one));
        }
        let operator = Operator::new(&dir.join("certs"), gateway.operators())?;
        Ok(Self { operator, dir: dir.to_owned(), made, gateway, curtain, clock, metrics, systems, dialects, agreement, engine })
    }

    /// Everybody goes home.
    pub(super) async fn end(self) -> Result<(), StageError> {
        self.systems.values().for_each(|system| system.down());
        self.curtain.cancel();
        self.gateway.ended().await?;
        Ok(())
    }

    /// Tells the gateway to look at what is due: moving the clock rings no bell.
    pub(super) fn ring(&self) {
        for member in self.agreement.members() {
            self.gateway.exchange().wake().ring(&member.id);
        }
    }
}

/// The agreement of Bremen, its members at free ports of this machine.
async fn agreement_with_ports() -> Result<(String, BTreeMap<String, TcpListener>), StageError> {
    let agreement = Agreement::parse(AGREEMENT).map_err(StageError::Agreement)?;
    let (mut text, mut doors) = (AGREEMENT.to_owned(), BTreeMap::new());
    for member in agreement.members() {
        let Delivery::Push { endpoint } = &member.delivery else { continue };
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(system("a free port"))?;
        text = text.replace(&format!("\"{endpoint}\""), &format!("\"https://localhost:{}\"", port(&listener)?.port()));
        doors.insert(member.id.to_string(), listener);
    }
    Ok((text, doors))
}

fn port(listener: &TcpListener) -> Result<SocketAddr, StageError> {
    listener.local_addr().map_err(system("a free port"))
}

/// An error of the operating system about something.
pub(super) fn system(what: &str) -> impl FnOnce(std::io::Error) -> StageError {
    let what = what.to_owned();
    move |error| StageError::System(what, error)
}
