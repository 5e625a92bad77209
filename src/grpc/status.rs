// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The one way out: every refusal becomes a `google.rpc.Status` here and nowhere else.

use std::fmt::Display;
use std::time::Duration;

use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::validate::Violation;
pub use crate::proto::weiche::error::v1::ErrorReason;

/// `ErrorInfo.domain` of every refusal.
pub const DOMAIN: &str = "weiche";
/// What a status may take in the trailers, in bytes as sent: grpc-java gives up on 8 KiB of headers, all of them together.
pub const MAX_STATUS_BYTES: usize = 4096;

/// Longest message and German text, in bytes of UTF-8; percent-encoded it may be three times that.
const MAX_MESSAGE: usize = 400;
/// Longest metadata value, field path or description, in bytes.
const MAX_TEXT: usize = 128;
/// Most metadata pairs.
const MAX_METADATA: usize = 6;

/// Why a call is refused, and what the caller can do about it. Never put personal data or values of fields in any of its texts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", self.reason_name(), .0.message)]
pub struct Refusal(Box<Parts>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    reason: ErrorReason,
    message: String,
    metadata: Vec<(&'static str, String)>,
    fields: Vec<(String, String)>,
    preconditions: Vec<[String; 3]>,
    retry: Option<Duration>,
    german: Option<String>,
}

impl Refusal {
    /// A refusal with its message for developers, in English.
    pub fn new(reason: ErrorReason, message: impl Into<String>) -> Self {
        let (message, metadata, fields, preconditions) = (message.into(), Vec::new(), Vec::new(), Vec::new());
        Self(Box::new(Parts { reason, message, metadata, fields, preconditions, retry: None, german: None }))
    }

    /// Says in German what happened and what to do next, more exactly than the reason's own words do.
    #[must_use]
    pub fn german(mut self, text: impl Into<String>) -> Self {
        self.0.german = Some(text.into());
        self
    }

    /// A fault of ours: the cause goes to the log, once and here, and the caller gets a bland message. The router adds the call id.
    pub fn internal(cause: impl Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(ErrorReason::Internal, "internal error; tell the operator the call id")
    }

    /// Adds a pair to `ErrorInfo.metadata`; the reason's comment in the contract lists the keys.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.metadata.push((key, value.into()));
        self
    }

    /// Adds a field to `BadRequest`: its path in the caller's own contract, and what is asked of it.
    #[must_use]
    pub fn field(mut self, path: impl Into<String>, description: impl Into<String>) -> Self {
        self.0.fields.push((path.into(), description.into()));
        self
    }

    /// The same with the paths of fields as the caller spells them, where `own` knows how. What they are in the hub is in the metadata then.
    #[must_use]
    pub fn in_words(mut self, own: impl Fn(&str) -> Option<String>) -> Self {
        let mut canonical = Vec::new();
        for (path, _) in &mut self.0.fields {
            if let Some(own) = own(path) {
                if let Some(rest) = self.0.message.strip_prefix(path.as_str()) {
                    self.0.message = format!("{own}{rest}");
                }
                canonical.push(std::mem::replace(path, own));
            }
        }
        if !canonical.is_empty() {
            self.0.metadata.push(("canonical_fields", canonical.join(" ")));
        }
        self
    }

    /// Adds a `PreconditionFailure`: what kind, of what, and what would have to hold.
    #[must_use]
    pub fn precondition(mut self, kind: impl Into<String>, subject: impl Into<String>, description: impl Into<String>) -> Self {
        self.0.preconditions.push([kind.into(), subject.into(), description.into()]);
        self
    }

    /// Says when to try again: `RetryInfo` and, for clients that retry by themselves, `grpc-retry-pushback-ms`.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.0.retry = Some(delay);
        self
    }

    /// The reason.
    pub fn reason(&self) -> ErrorReason {
        self.0.reason
    }

    /// The gRPC code that goes with the reason.
    pub fn code(&self) -> Code {
        describe(self.0.reason).0
    }

    /// The reason as `ErrorInfo` carries it, such as `INVALID_FIELD`.
    pub fn reason_name(&self) -> &'static str {
        let name = self.0.reason.as_str_name();
        name.strip_prefix("ERROR_REASON_").unwrap_or(name)
    }
}

/// The name of a code as in the gRPC specification, such as `INVALID_ARGUMENT`: a label of metrics and logs.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

impl From<Vec<Violation>> for Refusal {
    fn from(violations: Vec<Violation>) -> Self {
        let refusal = if violations.iter().any(Violation::is_malformed) {
            Self::new(ErrorReason::MalformedMessage, "the bytes are not a message of the request type")
        } else {
            Self::new(ErrorReason::InvalidField, "the request breaks rules of the contract; see the field violations")
        };
        violations.into_iter().fold(refusal, |refusal, v| refusal.field(v.field, format!("{} ({})", v.description, v.rule)))
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        let (code, german) = describe(refusal.0.reason);
        let name = refusal.reason_name();
        let Parts { message, metadata, mut fields, mut preconditions, retry, german: own, .. } = *refusal.0;
        let german = own.as_deref().map_or(german, |own| cut(own, MAX_MESSAGE));
        let mut trailers = MetadataMap::new();
        if let Some(delay) = retry {
            trailers.insert("grpc-retry-pushback-ms", u64::try_from(delay.as_millis()).unwrap_or(u64::MAX).into());
        }
        loop {
            let mut details = ErrorDetails::new();
            let pairs = metadata.iter().take(MAX_METADATA).map(|(k, v)| ((*k).to_owned(), cut(v, MAX_TEXT).to_owned()));
            details.set_error_info(name, DOMAIN, pairs.collect::<std::collections::HashMap<_, _>>());
            details.set_localized_message("de", german);
            if retry.is_some() {
                details.set_retry_info(retry);
            }
            for (path, description) in &fields {
                details.add_bad_request_violation(cut(path, MAX_TEXT), cut(description, MAX_TEXT));
            }
            for [kind, subject, description] in &preconditions {
                details.add_precondition_failure_violation(cut(kind, MAX_TEXT), cut(subject, MAX_TEXT), cut(description, MAX_TEXT));
            }
            let status = Self::with_error_details_and_metadata(code, cut(&message, MAX_MESSAGE), details, trailers.clone());
            // The least that can be spared goes first: violations from the end.
            if sent_bytes(&status) <= MAX_STATUS_BYTES || (fields.pop().is_none() && preconditions.pop().is_none()) {
                return status;
            }
        }
    }
}

/// What the status takes in the trailers: the message percent-encoded, the details in base64.
fn sent_bytes(status: &Status) -> usize {
    let message: usize = status.message().bytes().map(|b| if b.is_ascii_graphic() && b != b'%' || b == b' ' { 1 } else { 3 }).sum();
    message + status.details().len().div_ceil(3) * 4 + "grpc-status-details-bin: grpc-message: grpc-status: grpc-retry-pushback-ms: ".len() + 40
}

fn cut(text: &str, at: usize) -> &str {
    text.get(..text.floor_char_boundary(at)).unwrap_or(text)
}

/// The table of reasons: code, and what a German-speaking user reads: what happened and what to do next.
fn describe(reason: ErrorReason) -> (Code, &'static str) {
    use ErrorReason as R;
    match reason {
        R::InvalidField => {
            (Code::InvalidArgument, "Mindestens eine Angabe entspricht nicht den Vorgaben. Bitte die genannten Felder berichtigen und erneut senden.")
        }
        R::MalformedMessage => (Code::InvalidArgument, "Die Nachricht ist nicht lesbar. Bitte den Hersteller des Fachverfahrens verständigen."),
        R::MessageTooLarge => (Code::InvalidArgument, "Die Nachricht ist zu groß. Bitte kürzen oder aufteilen."),
        R::UnsupportedEncoding => (
            Code::Unimplemented,
            "Die Nachricht ist auf eine Weise komprimiert, die hier nicht gelesen wird. Bitte gzip oder keine Kompression einstellen.",
        ),
        R::UnknownCode => {
            (Code::InvalidArgument, "Ein Schlüsselwert steht nicht in der angegebenen Codeliste. Bitte den Wert oder den Stand der Codeliste prüfen.")
        }
        R::CodeWithoutSystem => (Code::InvalidArgument, "Zu einem Schlüsselwert fehlt die Codeliste. Bitte die Codeliste angeben."),
        R::ImpossibleDate => {
            (Code::InvalidArgument, "Ein Datum gibt es nicht oder es liegt außerhalb des zulässigen Bereichs. Bitte das Datum prüfen.")
        }
        R::OutsideDin91379 => (Code::InvalidArgument, "Ein Text enthält Zeichen außerhalb von DIN 91379. Bitte die Schreibweise prüfen."),
        R::UnmappableField => (
            Code::InvalidArgument,
            "Eine Pflichtangabe lässt sich für die empfangende Stelle nicht ausdrücken. Bitte die Angabe im genannten Feld anpassen.",
        ),
        R::ConsentReferenceMissing => (
            Code::InvalidArgument,
            "Es fehlt der Verweis auf eine Einwilligung oder eine Erforderlichkeit. Bitte die Einwilligung erfassen und angeben.",
        ),
        R::InvalidPageToken => (Code::InvalidArgument, "Die Liste kann so nicht fortgesetzt werden. Bitte von vorn beginnen."),
        R::NotPermitted => (
            Code::PermissionDenied,
            "Einwilligung oder Vereinbarung decken diese Weitergabe nicht. Bitte den genannten Grund prüfen und gegebenenfalls eine neue Einwilligung einholen.",
        ),
        R::NotDeliverable => {
            (Code::FailedPrecondition, "Die Überleitung kann nicht zugestellt werden. Bitte wenden Sie sich an die abgebende Stelle.")
        }
        R::CallerNotAllowed => {
            (Code::PermissionDenied, "Ihre Stelle darf das nicht. Bitte wenden Sie sich an die Betriebsstelle, falls das nicht stimmen kann.")
        }
        R::NotFound => (Code::NotFound, "Das Gesuchte gibt es nicht oder es gehört nicht zu Ihrer Stelle. Bitte die Kennung prüfen."),
        R::RequestIdReused => {
            (Code::AlreadyExists, "Diese Vorgangskennung wurde schon für einen anderen Inhalt verwendet. Bitte mit einer neuen Kennung senden.")
        }
        R::IdTaken => (Code::AlreadyExists, "Diese Kennung bezeichnet bei Ihnen schon etwas anderes. Bitte eine andere wählen."),
        R::WrongState => (Code::FailedPrecondition, "Der Vorgang lässt diesen Schritt jetzt nicht zu. Bitte den Stand neu laden."),
        R::StaleLease => (Code::Aborted, "Die Frist zur Bestätigung ist abgelaufen. Der Vorgang wird erneut zugestellt; nichts ist zu tun."),
        R::CursorTooOld => (Code::OutOfRange, "So weit zurück kann nicht fortgesetzt werden. Bitte den Bestand neu abrufen."),
        R::SlowConsumer => (Code::Aborted, "Die Verbindung wurde beendet, weil zu langsam gelesen wurde. Bitte neu öffnen; es geht nichts verloren."),
        R::UnknownMethod => (Code::Unimplemented, "Diese Funktion gibt es für Ihre Stelle nicht. Bitte Adresse und Schnittstellenstand prüfen."),
        R::DeadlinePassed => (
            Code::DeadlineExceeded,
            "Die Antwort kam nicht rechtzeitig. Bitte mit derselben Vorgangskennung erneut senden; nichts geschieht doppelt.",
        ),
        R::Overloaded => (Code::ResourceExhausted, "Zurzeit sind zu viele Anfragen in Arbeit. Bitte in wenigen Sekunden erneut versuchen."),
        R::TooManyCodes => (
            Code::ResourceExhausted,
            "Aus Ihrer Stelle kamen zu viele falsche Codes. Bitte das Blatt der Person prüfen und später erneut versuchen, oder die Nummer der Einwilligung verwenden.",
        ),
        R::RateLimited => (Code::ResourceExhausted, "Ihre Stelle sendet mehr, als vereinbart ist. Bitte langsamer senden."),
        R::StoreFull => (
            Code::ResourceExhausted,
            "Zurzeit werden keine neuen Überleitungen angenommen. Widerrufe und Bestätigungen sind möglich. Bitte später erneut senden.",
        ),
        R::Draining => (Code::Unavailable, "Die Vermittlungsstelle wird gerade neu gestartet. Bitte in wenigen Sekunden erneut verbinden."),
        R::StoreUnavailable => (
            Code::Unavailable,
            "Die Datenhaltung antwortet nicht. Bitte in einigen Sekunden mit derselben Vorgangskennung erneut senden: Doppelt angenommen wird nichts.",
        ),
        R::LedgerUnavailable => {
            (Code::Unavailable, "Das Protokoll kann nicht geschrieben werden; deshalb wird nichts weitergegeben. Bitte später erneut senden.")
        }
        R::Unspecified | R::Internal => (Code::Internal, "Ein Fehler der Vermittlungsstelle. Bitte der Betriebsstelle die Aufrufkennung nennen."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons() -> impl Iterator<Item = ErrorReason> {
        (1..).map_while(|n| ErrorReason::try_from(n).ok())
    }

    #[test]
    fn every_reason_has_the_code_that_the_contract_states_and_a_german_text() {
        let contract = include_str!("../../proto/weiche/error/v1/error_reason.proto");
        assert!(reasons().count() > 20);
        for reason in reasons() {
            let (code, german) = describe(reason);
            let before = contract.split(&format!("  {} =", reason.as_str_name())).next().unwrap();
            let stated = before.rsplit("// Code: ").next().unwrap().split('.').next().unwrap();
            assert_eq!(code_name(code), stated, "{reason:?}");
            assert!(german.len() > 30 && german.len() <= MAX_MESSAGE && german.ends_with('.'), "{reason:?}");
        }
    }

    #[test]
    fn a_status_says_why_in_both_languages_and_when_to_come_back() {
        let status: Status = Refusal::new(ErrorReason::Overloaded, "too many calls in flight")
            .with("lane", "ordinary")
            .retry_after(Duration::from_millis(1500))
            .into();
        assert_eq!(status.code(), Code::ResourceExhausted);
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), ("OVERLOADED", "weiche"));
        assert_eq!(info.metadata.get("lane").map(String::as_str), Some("ordinary"));
        assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_millis(1500)));
        assert_eq!(details.localized_message().unwrap().locale, "de");
        assert_eq!(status.metadata().get("grpc-retry-pushback-ms").unwrap(), "1500");
        assert!(details.bad_request().is_none());
    }

    #[test]
    fn every_status_stays_under_four_kibibytes() {
        for reason in reasons() {
            let mut refusal = Refusal::new(reason, "ä".repeat(5000)).retry_after(Duration::MAX);
            for _ in 0..20 {
                refusal = refusal.with("recipient", "x".repeat(500)).field("a.".repeat(200), "ö".repeat(400)).precondition("ü".repeat(300), "b", "c");
            }
            let status = Status::from(refusal);
            assert!(sent_bytes(&status) <= MAX_STATUS_BYTES, "{reason:?}: {}", sent_bytes(&status));
            assert!(status.get_error_details().error_info().is_some());
        }
    }

    #[test]
    fn a_few_violations_all_arrive() {
        let violation = |n: usize| Violation {
            field: format!("subject.languages[{n}].code"),
            rule: "string.min_len".into(),
            description: "must have at least 2 characters".into(),
        };
        let status = Status::from(Refusal::from((0..20).map(violation).collect::<Vec<_>>()));
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().reason, "INVALID_FIELD");
        assert_eq!(details.bad_request().unwrap().field_violations.len(), 20);
        let malformed = Violation { field: String::new(), rule: "wire.key".into(), description: "no".into() };
        assert_eq!(Refusal::from(vec![malformed]).reason(), ErrorReason::MalformedMessage);
    }
}
