// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The wire between a gateway and its PostgreSQL server. It knows a COMMIT when one comes by, and can be cut exactly there: before the server has it
//! (it fails), or when the server's answer is on its way back (it happened, and nobody hears of it).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::SeqCst};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use weiche::store::Place;

use super::trouble::Fault;

/// One gateway's wire.
pub struct Wire {
    /// The server as seen through it.
    pub place: Place,
    next: AtomicU8,
}

impl Wire {
    pub async fn to(place: &Place) -> Arc<Self> {
        let Place::Server(url) = place else { panic!("a file has no wire") };
        let (user, rest) = url.strip_prefix("postgres://").and_then(|rest| rest.split_once('@')).unwrap();
        let (server, database) = rest.split_once('/').map(|(server, database)| (server.to_owned(), database)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        // Encrypted, nobody would know a COMMIT.
        let through = format!("postgres://{user}@{}/{database}?sslmode=disable", listener.local_addr().unwrap());
        let wire = Arc::new(Self { place: Place::Server(through), next: AtomicU8::new(0) });
        let at = wire.clone();
        tokio::spawn(async move {
            while let Ok((gateway, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                gateway.set_nodelay(true).and(server.set_nodelay(true)).unwrap();
                let at = at.clone();
                tokio::spawn(async move {
                    let (heard, told) = gateway.into_split();
                    let (answers, asks) = server.into_split();
                    let happens = AtomicBool::new(false);
                    // Whoever ends first cuts both.
                    tokio::select! {
                        _ = at.there(heard, asks, &happens) => {}
                        _ = back(answers, told, &happens) => {}
                    }
                });
            }
        });
        wire
    }

    /// What happens to the next COMMIT.
    pub fn next(&self, fault: Option<Fault>) {
        self.next.store(fault.map_or(0, |fault| 1 + fault as u8), SeqCst);
    }

    async fn there(&self, mut heard: OwnedReadHalf, mut asks: OwnedWriteHalf, happens: &AtomicBool) -> std::io::Result<()> {
        // The first message has no kind.
        let mut first = heard.read_u32().await?.to_be_bytes().to_vec();
        read(&mut heard, &mut first, 0).await?;
        asks.write_all(&first).await?;
        let mut commit = None;
        loop {
            let message = message(&mut heard).await?;
            let mut texts = message[5..].split(|byte| *byte == 0);
            match (message[0], texts.next(), texts.next()) {
                // Prepared under a name, once.
                (b'P', Some(name), Some(b"COMMIT")) => commit = Some(name.to_vec()),
                (b'B', Some(_), Some(name)) if commit.as_deref() == Some(name) => match self.next.swap(0, SeqCst) {
                    1 => return Ok(()),
                    2 => happens.store(true, SeqCst),
                    3 => tokio::time::sleep(Duration::from_millis(3)).await,
                    _ => {}
                },
                _ => {}
            }
            asks.write_all(&message).await?;
        }
    }
}

async fn back(mut answers: OwnedReadHalf, mut told: OwnedWriteHalf, happens: &AtomicBool) -> std::io::Result<()> {
    loop {
        let message = message(&mut answers).await?;
        if happens.load(SeqCst) && message[0] == b'C' && message[5..] == *b"COMMIT\0" {
            return Ok(());
        }
        told.write_all(&message).await?;
    }
}

/// Kind, length, content.
async fn message(from: &mut OwnedReadHalf) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; 5];
    from.read_exact(&mut message).await?;
    read(from, &mut message, 1).await?;
    Ok(message)
}

/// The rest of a message whose length, which counts itself, is at `at`.
async fn read(from: &mut OwnedReadHalf, message: &mut Vec<u8>, at: usize) -> std::io::Result<()> {
    let length = u32::from_be_bytes(message[at..at + 4].try_into().unwrap());
    message.resize(at + length as usize, 0);
    from.read_exact(&mut message[at + 4..]).await.map(|_| ())
}
