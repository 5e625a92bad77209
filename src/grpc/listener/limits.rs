// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::time::Duration;

/// What one listener allows. Each has a value because its absence has brought a server down somewhere; hyper and tonic leave several of them open.
#[derive(Debug, Clone)]
pub struct Limits {
    /// From accept to the end of the TLS handshake, waiting for its turn included. Without: a silent peer holds a socket for ever.
    pub handshake: Duration,
    /// Handshakes at the same time; more wait within their time. They are the costliest thing a stranger can ask for.
    pub handshakes: usize,
    /// Sockets of one address that have not yet shown a certificate. Below [`Self::handshakes`], so that no single address takes all turns.
    pub handshakes_per_address: usize,
    /// Sockets in all, handshakes included; more are closed at once. Bounds memory together with the windows below.
    pub connections: usize,
    /// Connections of one institution, or of one operator. One member cannot crowd out the others.
    pub connections_per_caller: usize,
    /// Concurrent streams per connection, as advertised. Beyond it a client waits; hyper itself advertises no limit. Not below 100: many clients
    /// open that many before they have read what is advertised, and a smaller number would refuse a first burst.
    pub streams: u32,
    /// Bytes of a request's header list, as advertised. Ours need less than 2 KiB.
    pub header_list: u32,
    /// From the handshake to the first request. Without: authenticated but silent peers collect.
    pub first_request: Duration,
    /// Without any stream for so long, the client is asked to go; it may come back whenever it has something to say.
    pub idle: Duration,
    /// A connection's life; then it is asked to go. Certificates are looked at only at handshakes, and TR-03116-4 wants new keys after 48 h at the latest.
    pub age: Duration,
    /// From being asked to go to being cut. A stream that never ends would keep an old connection, and an old certificate, alive.
    pub grace: Duration,
    /// Stream errors of the client's making before the connection goes. tonic sets none, and 20,000 resets on one connection passed.
    pub reset_streams: usize,
    /// Streams that were reset before they were accepted (\"rapid reset\", CVE-2023-44487) before the connection goes.
    pub pending_resets: usize,
    /// How often a quiet peer is asked whether it is still there; notices half-open connections.
    pub keepalive: Duration,
    /// How long its answer may take.
    pub keepalive_timeout: Duration,
    /// Bytes a client may send on one stream before we have read them.
    pub stream_window: u32,
    /// Bytes a client may send on one connection before we have read them; times [`Self::connections`] is what floods can cost.
    pub connection_window: u32,
    /// Bytes of answers that wait for a slow reader, per stream.
    pub send_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            handshakes: 64,
            handshakes_per_address: 48,
            connections: 512,
            connections_per_caller: 8,
            streams: 100,
            header_list: 16 * 1024,
            first_request: Duration::from_secs(10),
            idle: Duration::from_secs(10 * 60),
            age: Duration::from_secs(60 * 60),
            grace: Duration::from_secs(60),
            reset_streams: 100,
            pending_resets: 20,
            keepalive: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(10),
            stream_window: 256 * 1024,
            connection_window: 1024 * 1024,
            send_buffer: 64 * 1024,
        }
    }
}
