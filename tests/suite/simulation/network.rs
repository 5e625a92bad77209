// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The simulated network as gateway and case systems see it: ports, connections, and somebody in between who cuts them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use turmoil::net::{TcpListener, TcpStream};
use weiche::delivery::{ChannelError, Dial};
use weiche::grpc::listener::Accept;

/// All ends of connections that were ever made: of whom, to whom, and what cuts it.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<(String, String, CancellationToken)>>>);

impl Lines {
    fn end(&self, here: &str, there: &str, inner: TcpStream) -> Wire {
        let cut = CancellationToken::new();
        self.0.lock().unwrap().push((here.to_owned(), there.to_owned(), cut.clone()));
        Wire { inner, cut: Box::pin(cut.cancelled_owned()) }
    }

    /// Cuts what `here` has open towards `there`. The other end is told by its next packet, as after any reset.
    pub fn cut(&self, here: &str, there: &str) {
        self.0.lock().unwrap().retain(|(own, other, cut)| {
            let meant = own == here && other == there;
            if meant {
                cut.cancel();
            }
            !meant
        });
    }
}

/// One end of a connection.
pub struct Wire {
    inner: TcpStream,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Wire {
    fn is_cut(&mut self, context: &mut Context<'_>) -> bool {
        self.cut.as_mut().poll(context).is_ready()
    }
}

fn reset<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.is_cut(context) { reset() } else { Pin::new(&mut self.inner).poll_read(context, into) }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_cut(context) { reset() } else { Pin::new(&mut self.inner).poll_write(context, bytes) }
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut(context) { reset() } else { Pin::new(&mut self.inner).poll_flush(context) }
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_cut(context) { reset() } else { Pin::new(&mut self.inner).poll_shutdown(context) }
    }
}

/// The network as one machine sees it.
#[derive(Clone)]
pub struct Machine {
    pub name: &'static str,
    pub lines: Lines,
}

/// A port of a machine.
pub struct Port {
    machine: Machine,
    listener: TcpListener,
}

impl Machine {
    pub async fn listen(&self, port: u16) -> Port {
        Port { machine: self.clone(), listener: TcpListener::bind(("0.0.0.0", port)).await.unwrap() }
    }
}

impl Accept for Port {
    type Socket = Wire;

    async fn accept(&self) -> io::Result<(Wire, SocketAddr)> {
        let (stream, peer) = self.listener.accept().await?;
        let there = turmoil::reverse_lookup(peer.ip()).unwrap();
        Ok((self.machine.lines.end(self.machine.name, &there, stream), peer))
    }
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Dial for Machine {
    type Socket = Wire;

    async fn dial(&self, host: &str, port: u16) -> Result<Wire, ChannelError> {
        let stream = TcpStream::connect((host, port)).await.map_err(ChannelError::Connect)?;
        Ok(self.lines.end(self.name, host, stream))
    }
}
