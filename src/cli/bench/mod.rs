// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! `weiche bench`: how much a gateway carries, and how long a caller waits.
//!
//! It makes a gateway of its own in a new folder and starts it as another process (so that processor time and memory are the gateway's alone),
//! plays a sending and a receiving case system over mutual TLS, loads it, waits until everything accepted has arrived, stops the gateway and
//! verifies its log. With `--kill` the gateway is killed in the middle, as by a power cut, and started again: nothing acknowledged may be lost.

mod cases;
mod kept;
mod load;
mod network;
mod process;
mod profile;
mod recipients;
mod report;
mod stream;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::uri::PathAndQuery;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

use super::init::{self, Plan};
use super::serve;
use super::terminal::{self, Exit, Failure, Output};
use crate::clock::{Clock as _, SystemClock};
use crate::delivery::channel;
use crate::dialect::Dialects;
use crate::identity::tls::{Credentials, Expected, client_config};
use crate::pki::Anchors;
use crate::proto::exchange::consent_service_client::ConsentServiceClient;
use cases::Sender;
use kept::Kept;
use load::{Loop, Source, Way};
use network::Network;
use process::{Gateway, Usage};
use profile::Profile;
use recipients::Taken;
use report::{AtRest, Before, Report};
use stream::Stream;

/// After so long without another delivery what has not arrived is lost: what a killed gateway had handed to a stream comes again when its lease of a minute
/// has ended.
const ARRIVAL: Duration = Duration::from_secs(90);
/// After so long without another one, nothing more comes.
const QUIET: Duration = Duration::from_millis(100);
/// The same after a kill: the killed process left leases that end one after the other.
const QUIET_AFTER_KILL: Duration = Duration::from_secs(5);
/// Calls at a time while referrals are stored beforehand.
const FILLING: usize = 128;
/// Consents that are recorded at a time: fewer than one address may have handshakes under way.
const RECORDING: usize = 32;
/// What a gateway may take to come to rest before its memory is looked at.
const REST: Duration = Duration::from_secs(3);
/// Load before anything is counted: connections, plans and caches are made once.
const WARM_UP: Duration = Duration::from_secs(1);

/// Loads a gateway of its own over mutual TLS and reports what it carried, how fast, and at what cost
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Length of the load in seconds
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Closed loop: so many calls at a time
    #[arg(long, default_value_t = 64, conflicts_with = "rate")]
    concurrency: usize,
    /// Open loop: so many calls a second, whatever the answers do; waiting counts from when a call was due
    #[arg(long)]
    rate: Option<f64>,
    /// Connections of the sender
    #[arg(long, default_value_t = 4)]
    connections: usize,
    /// Invented persons; deliveries of one person to one recipient go one after the other
    #[arg(long, default_value_t = 1000)]
    persons: usize,
    /// The sender keeps a stream open on each connection instead of making a call for every referral
    #[arg(long)]
    stream: bool,
    /// The recipient pulls through its own stream instead of being called
    #[arg(long)]
    pull: bool,
    /// So many referrals are stored and delivered before anything is measured
    #[arg(long, default_value_t = 0)]
    stored: u64,
    /// So many wait for a recipient that does not answer before it comes back and anything is measured
    #[arg(long, default_value_t = 0, conflicts_with = "stored")]
    queued: u64,
    /// So many centres, each with its own connection and persons, instead of one
    #[arg(long, default_value_t = 1, conflicts_with_all = ["pull", "stream", "gateways"])]
    centres: usize,
    /// So many Jobcenters that are called, each with its own case system and persons, instead of one
    #[arg(long, default_value_t = 1, conflicts_with = "pull")]
    jobcenters: usize,
    /// So many of the Jobcenters take connections and say nothing until the load is over
    #[arg(long, default_value_t = 0, conflicts_with_all = ["pull", "queued"])]
    silent: usize,
    /// A year or a day of real work, instead of the options that say how much
    #[arg(long, value_enum, conflicts_with_all = ["pull", "stream", "gateways", "centres", "jobcenters", "silent", "persons", "stored", "queued", "rate"])]
    profile: Option<Profile>,
    /// Kills the gateway in the middle and starts it again: nothing acknowledged may be lost
    #[arg(long)]
    kill: bool,
    /// The recipient breaks off so often, with whatever it has taken and not answered
    #[arg(long, value_name = "MILLISECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    crashing: Option<u64>,
    /// An empty PostgreSQL database for the gateway, instead of SQLite in its folder
    #[arg(long, value_name = "postgres://...")]
    store: Option<String>,
    /// So many gateways on that database; the sender's connections go to each in turn
    #[arg(long, default_value_t = 1, requires = "store")]
    gateways: usize,
    /// Folder for the gateway, with which another run can go on; a temporary one that is removed afterwards if not given
    #[arg(long)]
    dir: Option<PathBuf>,
}

impl Args {
    pub(super) async fn run(mut self, output: Output) -> Result<Exit, Failure> {
        if let Some(profile) = self.profile {
            profile.set(&mut self);
        }
        let report = Bench::prepare(&self).await?.run(&self).await?;
        output.print(&report);
        Ok(if report.is_sound() { Exit::Done } else { Exit::Broken })
    }
}

/// A gateway with both its sides, ready to be loaded.
struct Bench {
    gateway: Gateway,
    network: Network,
    source: Arc<Source>,
    taken: Taken,
    request_bytes: usize,
    /// Until the gateway listened.
    started: Duration,
    /// What the gateway held when it had just started.
    idle: Usage,
    /// Where recipients are called; connections wait there until they begin to receive.
    doors: Vec<TcpListener>,
    /// The recipients' tasks; they end with the value.
    receiving: JoinSet<()>,
    /// Asks a recipient that pulls to finish its stream.
    finish: CancellationToken,
}

impl Bench {
    async fn prepare(args: &Args) -> Result<Self, Failure> {
        let folder = Folder::new(args.dir.clone())?;
        let country = args.centres > 1 || args.jobcenters > 1;
        let network = if country { Network::country(args.centres, args.jobcenters) } else { Network::pair(args.stream, args.pull) };
        let earlier = Kept::read(&folder.path, args)?;
        let ports = earlier.as_ref().map_or_else(|| vec![0; network.recipients.len()], |kept| kept.ports.clone());
        let mut doors = Vec::new();
        for port in ports {
            doors.push(listen(port).await?);
        }
        let (kept, new) = match earlier {
            Some(kept) => (kept, false),
            None => (create(&folder.path, args, &network, &doors).await?, true),
        };
        if country {
            serve::room_for(args.centres)?;
        }
        let mut more = Vec::new();
        for _ in 1..args.gateways {
            more.push(three().await?);
        }
        let begun = Instant::now();
        let gateway = Gateway::start(folder, kept.listen, &more).await?;
        let started = begun.elapsed();
        tokio::time::sleep(WARM_UP).await;
        let idle = gateway.usage();

        let certs = gateway.dir().join("certs");
        let connections = if country { args.centres } else { args.connections.clamp(1, 8) };
        let senders = network.senders.iter().cycle().zip(gateway.doors()).take(connections);
        let channels = senders.map(|(sender, door)| dial(&certs, &sender.institution, door)).collect::<Result<Vec<_>, _>>()?;
        if new {
            record_consents(&channels, &network, args.persons.max(1)).await?;
            kept.write(gateway.dir())?;
        }
        let source = source(channels, &network, args.persons.max(1))?;
        let request_bytes = source.templates.first().map_or(0, cases::Template::len);
        let (source, taken) = (Arc::new(source), Taken::default());
        Ok(Self { gateway, network, source, taken, request_bytes, started, idle, doors, receiving: JoinSet::new(), finish: CancellationToken::new() })
    }

    /// From now on recipients take what is for them, but for the last few.
    fn receive(&mut self, args: &Args, silent: usize) -> Result<(), Failure> {
        let certs = self.gateway.dir().join("certs");
        let Some(door) = self.gateway.doors().next() else { return Ok(()) };
        let lives = args.crashing.map_or(Duration::MAX, Duration::from_millis);
        let closed = self.doors.len();
        let recipients = self.network.recipients.iter().rev().take(closed).rev();
        for (recipient, listener) in recipients.zip(self.doors.drain(..closed.saturating_sub(silent))) {
            let (taken, finish) = (self.taken.clone(), self.finish.clone());
            if args.pull {
                let channel = dial(&certs, &recipient.institution, door)?;
                self.receiving.spawn(async move {
                    // A killed gateway ends the stream, or a crash of its own: the case system opens the next one.
                    while !finish.is_cancelled() {
                        let pulling = recipients::pull(channel.clone(), 256, taken.clone(), finish.clone());
                        let _broken_off = tokio::time::timeout(lives, pulling).await;
                        let _finished = tokio::time::timeout(Duration::from_millis(200), finish.cancelled()).await;
                    }
                });
            } else {
                let tls = process::server_tls(&certs, &recipient.institution)?;
                self.receiving.spawn(recipients::serve(listener, tls, taken, lives));
            }
        }
        Ok(())
    }

    async fn run(mut self, args: &Args) -> Result<Report, Failure> {
        let how = args.rate.map_or(Loop::Closed(args.concurrency), Loop::Open);
        let stop = Arc::new(AtomicBool::new(false));
        let at_rest = self.before(args).await?;
        let stored = at_rest.before.as_ref().map_or(0, |before| before.referrals);
        let warm = load::run(self.source.clone(), how, WARM_UP, stop.clone()).await;
        let before = stored + warm.accepted;
        self.arrived(if args.silent > 0 { 0 } else { before }, QUIET).await;

        let bar = terminal::progress("load");
        bar.set_length(args.seconds);
        let (taken_before, usage_before, begun) = (self.taken.count(), self.gateway.usage(), Instant::now());
        let length = Duration::from_secs(args.seconds);
        let mut loading = tokio::spawn(load::run(self.source.clone(), how, length, stop));
        let mut downtime = None;
        let outcome = loop {
            tokio::select! {
                outcome = &mut loading => break outcome.map_err(|error| Failure::failed(&error))?,
                () = tokio::time::sleep(Duration::from_millis(250)) => bar.set_position(begun.elapsed().as_secs()),
            }
            if args.kill && downtime.is_none() && begun.elapsed() > length / 2 {
                downtime = Some(self.gateway.kill_and_restart().await?);
            }
        };
        let (in_window, usage) = (self.taken.count() - taken_before, self.gateway.usage());
        bar.finish_and_clear();

        self.receive(args, 0)?;
        let accepted = before + outcome.accepted;
        let arrived = self.arrived(accepted, if args.kill { QUIET_AFTER_KILL } else { QUIET }).await;
        self.finish.cancel();
        if args.pull {
            let _ended = tokio::time::timeout(ARRIVAL, self.receiving.join_next()).await;
        }
        let audit = self.gateway.stop_and_verify().await?;
        Ok(Report {
            sender: if args.stream { "stream" } else { "calls" },
            recipient: if args.pull { "pull" } else { "push" },
            silent: args.silent,
            gateways: args.gateways,
            engine: if args.store.is_some() { "PostgreSQL" } else { "SQLite" },
            concurrency: args.rate.is_none().then_some(args.concurrency),
            rate: args.rate,
            request_bytes: self.request_bytes,
            seconds: outcome.elapsed.as_secs_f64(),
            accepted: outcome.accepted,
            accepted_per_second: report::per_second(outcome.accepted, outcome.elapsed),
            delivered_in_window: in_window,
            delivered_per_second: report::per_second(in_window as u64, outcome.elapsed),
            latency_ms: report::Latency::of(&outcome.latency),
            refused_ms: (!outcome.refused.is_empty()).then(|| report::Latency::of(&outcome.refused)),
            errors: outcome.errors,
            // After a restart the counters belong to another process.
            gateway: if args.kill { None } else { Some(report::Cost::of(usage_before, usage, in_window)) },
            at_rest,
            crashing: args.crashing.is_some(),
            killed_for_seconds: downtime.map(|downtime| downtime.as_secs_f64()),
            acknowledged: accepted,
            arrived: arrived as u64,
            repeated: self.taken.repeated() as u64,
            audit,
        })
    }

    /// Stores what is to be there before the load, through the ordinary way, and lets the gateway come to rest.
    async fn before(&mut self, args: &Args) -> Result<AtRest, Failure> {
        let (started_in_seconds, idle_mib) = (self.started.as_secs_f64(), report::mib(self.idle.resident));
        if args.queued == 0 {
            self.receive(args, args.silent)?;
        }
        if args.stored.max(args.queued) == 0 {
            return Ok(AtRest { started_in_seconds, idle_mib, before: None });
        }
        let begun = Instant::now();
        let referrals = self.fill(args.stored.max(args.queued)).await?;
        if args.queued == 0 {
            self.arrived(referrals, QUIET).await;
        }
        let seconds = begun.elapsed().as_secs_f64();
        tokio::time::sleep(REST).await;
        let resident_mib = report::mib(self.gateway.usage().resident);
        let back = Instant::now();
        if args.queued > 0 {
            self.receive(args, 0)?;
            self.arrived(referrals, QUIET).await;
        }
        let delivered_in_seconds = (args.queued > 0).then(|| back.elapsed().as_secs_f64());
        Ok(AtRest { started_in_seconds, idle_mib, before: Some(Before { referrals, seconds, resident_mib, delivered_in_seconds }) })
    }

    /// Has so many referrals accepted, or a few more.
    async fn fill(&self, wanted: u64) -> Result<u64, Failure> {
        let bar = terminal::progress("stored");
        bar.set_length(wanted);
        let (stop, ages) = (Arc::new(AtomicBool::new(false)), Duration::from_secs(24 * 3600));
        let mut filling = tokio::spawn(load::run(self.source.clone(), Loop::Closed(FILLING), ages, stop.clone()));
        loop {
            tokio::select! {
                filled = &mut filling => {
                    bar.finish_and_clear();
                    return filled.map(|filled| filled.accepted).map_err(|error| Failure::failed(&error));
                }
                () = tokio::time::sleep(Duration::from_millis(20)) => {}
            }
            bar.set_position(self.source.accepted());
            stop.store(self.source.accepted() >= wanted, Ordering::Relaxed);
        }
    }

    /// Waits until as many deliveries have arrived as were accepted, and for `quiet` no more come (calls whose answers the sender did not get), or
    /// nothing comes any more.
    async fn arrived(&self, accepted: u64, quiet: Duration) -> usize {
        let (mut seen, mut since) = (0, Instant::now());
        loop {
            let count = self.taken.count();
            if count != seen {
                (seen, since) = (count, Instant::now());
            }
            if (count as u64 >= accepted && since.elapsed() >= quiet) || since.elapsed() > ARRIVAL {
                return count;
            }
            tokio::time::sleep(QUIET).await;
        }
    }
}

/// A gateway's folder for these parties, whose recipients are called at these doors.
async fn create(dir: &Path, args: &Args, network: &Network, doors: &[TcpListener]) -> Result<Kept, Failure> {
    let ports = doors.iter().map(|door| Ok(local(door)?.port())).collect::<Result<Vec<_>, Failure>>()?;
    let mut plan = Plan { agreement: network.agreement(&ports), listen: three().await?, ..Plan::default() };
    plan.store = args.store.clone().unwrap_or(plan.store);
    init::create(dir, &plan).await.map_err(|error| Failure::failed(&error))?;
    if args.centres > 1 {
        let config = dir.join(init::CONFIG);
        let text = std::fs::read_to_string(&config).map_err(|error| Failure::failed(&error))?;
        let room = format!("connections = {}", args.centres + 64);
        std::fs::write(&config, text.replace("#: connections = 512", &room)).map_err(|error| Failure::failed(&error))?;
    }
    Ok(Kept::new(args, plan.listen, ports))
}

/// The senders' side: a template per person in its sender's dialect, and a way over each connection.
fn source(channels: Vec<Channel>, network: &Network, persons: usize) -> Result<Source, Failure> {
    let dialects = Dialects::embedded().map_err(|error| Failure::failed(&error))?;
    let way = |(sender, channel): (&Sender, Channel)| {
        let (_, method) = sender.speaks(&dialects).map_err(|error| Failure::failed(&error))?;
        let path: PathAndQuery = method.path.parse().map_err(|_| Failure::new(Exit::Failed, "a method's path cannot be read"))?;
        Ok(if sender.streams() { Way::Stream(Stream::open(channel, path)) } else { Way::Calls(channel, path) })
    };
    let ways = network.senders.iter().cycle().zip(channels).map(way).collect::<Result<_, Failure>>()?;
    let templates = (0..persons).map(|number| network.person(number).submission(&dialects, network.recipient(number))).collect::<Result<_, _>>();
    Ok(Source::new(ways, templates.map_err(|error| Failure::failed(&error))?))
}

async fn record_consents(channels: &[Channel], network: &Network, persons: usize) -> Result<(), Failure> {
    let bar = terminal::progress("consents");
    bar.set_length(persons as u64);
    let now = SystemClock.now();
    let mut calls = JoinSet::new();
    for (number, channel) in (0..persons).zip(channels.iter().cycle()) {
        let request = network.person(number).consent(network.recipient(number), now);
        let mut client = ConsentServiceClient::new(channel.clone());
        calls.spawn(async move { client.record_consent(request).await.map(|_| ()) });
        if calls.len() >= RECORDING {
            done(calls.join_next().await)?;
        }
        bar.inc(1);
    }
    while let Some(call) = calls.join_next().await {
        done(Some(call))?;
    }
    bar.finish_and_clear();
    Ok(())
}

fn done(call: Option<Result<Result<(), tonic::Status>, tokio::task::JoinError>>) -> Result<(), Failure> {
    match call {
        Some(Ok(Err(status))) => Err(Failure::new(Exit::Failed, format!("a consent was refused: {}", status.message()))),
        Some(Err(error)) => Err(Failure::failed(&error)),
        Some(Ok(Ok(()))) | None => Ok(()),
    }
}

/// A connection of a case system to the gateway.
fn dial(certs: &Path, institution: &str, gateway: std::net::SocketAddr) -> Result<Channel, Failure> {
    let read = |name: &str| std::fs::read(certs.join(name)).map_err(|error| Failure::failed(&error));
    let credentials = Credentials::from_pem(&read(&format!("institution/{institution}.pem"))?, &read(&format!("institution/{institution}.key"))?);
    let anchors = Anchors::from_pem(&read("servers-ca.pem")?, SystemClock.now()).map_err(|error| Failure::failed(&error))?;
    let config = client_config(Some(credentials.map_err(|error| Failure::failed(&error))?), &anchors, Expected::Host);
    let config = Arc::new(config.map_err(|error| Failure::failed(&error))?);
    channel(&format!("https://localhost:{}", gateway.port()), config).map_err(|error| Failure::failed(&error))
}

/// At a port, or at any with 0.
async fn listen(port: u16) -> Result<TcpListener, Failure> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|error| Failure::failed(&error))
}

fn local(listener: &TcpListener) -> Result<std::net::SocketAddr, Failure> {
    listener.local_addr().map_err(|error| Failure::failed(&error))
}

/// Three addresses that were free a moment ago.
async fn three() -> Result<[std::net::SocketAddr; 3], Failure> {
    let [one, two, three] = [listen(0).await?, listen(0).await?, listen(0).await?];
    Ok([local(&one)?, local(&two)?, local(&three)?])
}

/// Where the gateway lives; removed at the end if it was made here.
struct Folder {
    path: PathBuf,
    ours: bool,
}

impl Folder {
    fn new(given: Option<PathBuf>) -> Result<Self, Failure> {
        let ours = given.is_none();
        let path = given.unwrap_or_else(|| std::env::temp_dir().join(format!("weiche-bench-{}", uuid::Uuid::new_v4())));
        std::fs::create_dir_all(&path).map_err(|error| Failure::failed(&error))?;
        Ok(Self { path, ours })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.ours {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}
