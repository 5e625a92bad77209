// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Logs: to standard error, as text for people or as JSON for collectors. Personal data is never a field.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

/// Environment variable that overrides the configured filter, such as `info,weiche::grpc=debug`.
pub const FILTER_VARIABLE: &str = "WEICHE_LOG";

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One line for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Why logs cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter cannot be read.
    #[error("the log filter `{0}` cannot be read; write a level such as `info`, or `info,weiche::grpc=debug`")]
    Filter(String),
    /// Somebody else already does.
    #[error("logging is already set up in this process")]
    AlreadySet,
}

/// Sets up logging for the process: `filter` from the configuration unless [`FILTER_VARIABLE`] is set. From here on a panic is logged by its
/// place only, since its text may quote what was being worked on.
pub fn init(format: LogFormat, filter: &str) -> Result<(), TelemetryError> {
    init_into(format, filter, std::io::stderr)
}

/// The same into another writer, such as a file.
pub fn init_into<W>(format: LogFormat, filter: &str, into: W) -> Result<(), TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let overriding = std::env::var(FILTER_VARIABLE).ok();
    let subscriber = subscriber(format, overriding.as_deref().unwrap_or(filter), into)?;
    subscriber.try_init().map_err(|_| TelemetryError::AlreadySet)?;
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map_or_else(|| "unknown".into(), ToString::to_string);
        tracing::error!(at, "panic");
    }));
    Ok(())
}

fn subscriber<W>(format: LogFormat, filter: &str, into: W) -> Result<Box<dyn tracing::Subscriber + Send + Sync>, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let parsed: EnvFilter = filter.parse().map_err(|_| TelemetryError::Filter(filter.to_owned()))?;
    let builder = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(into);
    Ok(match format {
        LogFormat::Text => Box::new(builder.with_ansi(false).finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).with_span_list(false).finish()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, filter: &str) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = subscriber(format, filter, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("call", request_id = "r1");
            span.in_scope(|| tracing::info!(code = "OK", "call ended"));
            tracing::debug!("detail");
        });
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_line_carries_the_call_in_both_formats() {
        let text = logged(LogFormat::Text, "info");
        assert!(text.contains("request_id=\"r1\"") && text.contains("code=\"OK\"") && !text.contains("detail"), "{text}");
        let json: serde_json::Value = serde_json::from_str(&logged(LogFormat::Json, "info")).unwrap();
        assert_eq!((&json["span"]["request_id"], &json["code"]), (&"r1".into(), &"OK".into()));
        assert!(logged(LogFormat::Text, "debug").contains("detail"));
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_named() {
        let error = subscriber(LogFormat::Text, "weiche=loudly", std::io::stderr).err().unwrap();
        assert!(error.to_string().contains("weiche=loudly"));
    }
}
