// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A simulated case system: it has the certificate that `weiche init` made for its institution, speaks its institution's own contract over
//! real sockets, and keeps a store of its own. Of the gateway it knows the address.
//!
//! | file | idea |
//! |---|---|
//! | `tongue` | its own messages |
//! | `line` | TLS, as a client and as a server |
//! | `calls` | what it asks of the gateway |
//! | `server`, `fetch` | how things reach it: the gateway calls, or it fetches |
//! | `desk`, `book` | what it does with them, and where it keeps them |

mod book;
mod calls;
mod desk;
mod fetch;
mod line;
mod server;
mod tongue;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;

pub(super) use book::{Book, Pages, Turnstile};
pub(super) use calls::{Accepted, Refused};
pub(super) use desk::Manners;
pub(super) use line::LineError;
pub(super) use tongue::Tongue;

use desk::Desk;

/// How things reach a system.
#[derive(Clone)]
enum Door {
    /// The gateway calls it here.
    Called(SocketAddr, Arc<ServerConfig>),
    /// It fetches.
    Fetches,
}

/// One case system.
pub(super) struct System {
    institution: String,
    desk: Desk,
    door: Door,
    channel: Channel,
    present: Mutex<Option<CancellationToken>>,
}

/// What a system is made of.
pub(super) struct Setup<'a> {
    /// Member of the agreement.
    pub institution: &'a str,
    /// Its contract.
    pub tongue: Tongue,
    /// Folder with the certificates.
    pub certs: &'a Path,
    /// Where the gateway listens.
    pub gateway: SocketAddr,
    /// Where it is called; none if it fetches.
    pub called_at: Option<SocketAddr>,
    /// Counts arrivals over all systems.
    pub turnstile: Turnstile,
}

impl System {
    /// Sets it up; it is not there yet.
    pub(super) fn new(setup: Setup<'_>) -> Result<Self, LineError> {
        let papers = line::Papers::open(setup.certs, setup.institution)?;
        let door = match setup.called_at {
            Some(address) => Door::Called(address, Arc::new(papers.server()?)),
            None => Door::Fetches,
        };
        Ok(Self {
            institution: setup.institution.to_owned(),
            channel: papers.dial(setup.gateway)?,
            desk: Desk { tongue: setup.tongue, book: Arc::new(Book::new(setup.turnstile)), manners: Arc::default() },
            door,
            present: Mutex::new(None),
        })
    }

    /// Comes up, on `listener` if it is called and has one already. Nothing happens if it is up.
    pub(super) async fn up(&self, listener: Option<TcpListener>) -> std::io::Result<()> {
        let stop = CancellationToken::new();
        match &self.door {
            Door::Called(address, tls) => {
                let listener = match listener {
                    Some(listener) => listener,
                    None => server::bind(*address).await?,
                };
                tokio::spawn(server::serve(listener, tls.clone(), self.desk.clone(), stop.clone()));
            }
            Door::Fetches => drop(tokio::spawn(fetch::keep(self.channel.clone(), self.desk.clone(), stop.clone()))),
        }
        self.replace(Some(stop));
        Ok(())
    }

    /// Goes down at once; its store stays. It can still call.
    pub(super) fn down(&self) {
        self.replace(None);
    }

    fn replace(&self, present: Option<CancellationToken>) {
        let mut now = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = std::mem::replace(&mut *now, present) {
            before.cancel();
        }
    }

    /// Whose it is.
    pub(super) fn institution(&self) -> &str {
        &self.institution
    }
    /// Its contract.
    pub(super) fn tongue(&self) -> &Tongue {
        &self.desk.tongue
    }
    /// Its store.
    pub(super) fn book(&self) -> &Arc<Book> {
        &self.desk.book
    }
    /// How it behaves.
    pub(super) fn manners(&self) -> &Manners {
        &self.desk.manners
    }
    /// Whether the gateway calls it.
    pub(super) fn is_called(&self) -> bool {
        matches!(self.door, Door::Called(..))
    }
}
