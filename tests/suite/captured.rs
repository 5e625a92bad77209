// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A place for log lines, so that a test can read what was logged.

use std::io::Write;
use std::sync::{Arc, Mutex};

/// What a subscriber wrote; clones share it.
#[derive(Clone, Default)]
pub struct Captured(pub Arc<Mutex<Vec<u8>>>);

/// While it lives, what this thread logs goes to one subscriber, whatever other tests of this process do.
pub struct Listening {
    _this_thread: tracing::subscriber::DefaultGuard,
    /// As long as tracing knows one subscriber only, an event that another thread is the first to meet is switched off for all threads.
    _another: tracing::Dispatch,
}

impl Listening {
    pub fn to(subscriber: impl tracing::Subscriber + Send + Sync) -> Self {
        let this_thread = tracing::subscriber::set_default(subscriber);
        Self { _this_thread: this_thread, _another: tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new()) }
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
