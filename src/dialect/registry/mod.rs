// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! All dialects of a descriptor pool, compiled together: which there are, what their methods stand for, and how they translate.

mod assemble;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use prost_reflect::{DescriptorPool, FileDescriptor, MessageDescriptor};

use assemble::{Version, canonical, dialect, is_foreign};

use super::annotation::Annotations;
use super::category::{CategoryMask, RecipientKind};
use super::codelist::CodeLists;
use super::desk::{Desk, Text};
use super::error::{DialectError, DialectErrors};
use super::hub::{Hub, Shape};
use super::message::{Message, Room, TypeId, Types, spelt};
use super::minimise::{Minimised, carried, strip};
use super::plan::{self, Plan};
use super::report::{FieldProblem, Report, TranslateError};
use super::source;
use super::translate::{self, Detail, Finding, Lines};
use crate::proto;

/// All dialects of a build or of a configuration.
#[derive(Debug)]
pub struct Dialects {
    pool: DescriptorPool,
    lists: Arc<CodeLists>,
    hub: Arc<Hub>,
    dialects: Vec<Arc<Dialect>>,
    methods: HashMap<String, (usize, usize)>,
}

/// What one case system speaks.
#[derive(Debug)]
pub struct Dialect {
    id: String,
    name: String,
    version: String,
    title: String,
    digest: [u8; 32],
    lists: Arc<CodeLists>,
    hub: Arc<Hub>,
    /// By full name of the native message. The canonical dialect has none: its messages are the hub's.
    plans: BTreeMap<String, Plan>,
    /// Native top message of each canonical one, the first in the order of the sources.
    tops: BTreeMap<String, String>,
    methods: Vec<Method>,
}

/// What a method of a dialect stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    /// As in the `:path` of a call: `/awo.v1.Vermittlung/FallSenden`.
    pub path: String,
    /// Full name, such as `weiche.exchange.v1.ReferralService.SubmitReferral`.
    pub canonical: String,
    /// Full name of the native request.
    pub request: String,
    /// Full name of the native response.
    pub response: String,
    /// Full name of the canonical request.
    pub canonical_request: String,
    /// Full name of the canonical response.
    pub canonical_response: String,
    /// Implemented by the institution: the gateway renders the request and reads the response. Otherwise it reads the request and
    /// renders the response.
    pub delivery: bool,
    /// The caller sends a stream.
    pub client_streaming: bool,
    /// The answer is a stream.
    pub server_streaming: bool,
}

impl Dialects {
    /// The dialects and code lists of this build.
    ///
    /// # Errors
    /// None in a build whose tests passed.
    pub fn embedded() -> Result<Self, DialectErrors> {
        let lists = CodeLists::embedded().map_err(list_errors)?;
        Self::compile(proto::pool(), lists)
    }

    /// Compiles every dialect of a pool; the pool also holds the contract.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, with its place in the source.
    pub fn compile(pool: &DescriptorPool, lists: CodeLists) -> Result<Self, DialectErrors> {
        let annotations = Annotations::new(pool);
        let mut errors = Vec::new();
        let lists = Arc::new(lists);
        let hub = Arc::new(Hub::new(pool, &lists, &mut errors));
        let mut versions: BTreeMap<Version, Vec<FileDescriptor>> = BTreeMap::new();
        for file in pool.files().filter(|file| !is_foreign(file.package_name())) {
            match Version::of(&file) {
                Ok(version) => versions.entry(version).or_default().push(file),
                Err(error) => errors.push(error),
            }
        }
        let mut dialects = vec![Arc::new(canonical(pool, &lists, &hub))];
        for (version, files) in &versions {
            dialects.extend(dialect(version, files, pool, &annotations, &lists, &hub, &mut errors).map(Arc::new));
        }
        if !errors.is_empty() {
            errors.sort();
            errors.dedup();
            return Err(DialectErrors(errors));
        }
        let mut methods = HashMap::new();
        for (at, dialect) in dialects.iter().enumerate() {
            for (number, method) in dialect.methods.iter().enumerate() {
                methods.insert(method.path.clone(), (at, number));
            }
        }
        Ok(Self { pool: pool.clone(), lists, hub, dialects, methods })
    }

    /// The dialects of this build, and those of `folders`, as the configuration names them: `.proto` files or a `.binpb`, and columns for
    /// code lists.
    ///
    /// # Errors
    /// Everything that is wrong with any of them, with its place in the source; none of them is used then.
    pub fn with_folders<P: AsRef<Path>>(folders: &[P]) -> Result<Self, DialectErrors> {
        let lists = CodeLists::embedded().map_err(list_errors)?;
        let (pool, lists) = source::beside(proto::pool(), &lists, folders)?;
        Self::compile(&pool, lists)
    }

    /// The dialects of one folder alone, with the contract; files are named in errors as they lie in the folder.
    ///
    /// # Errors
    /// As [`Dialects::with_folders`].
    pub fn of_folder(folder: &Path) -> Result<Self, DialectErrors> {
        let lists = CodeLists::embedded().map_err(list_errors)?;
        let (pool, lists) = source::alone(&lists, folder)?;
        Self::compile(&pool, lists)
    }

    /// A dialect by package, such as `awo.v1`, or by name, which is its lowest version: a second version changes nobody who does not ask for
    /// it. `canonical` is always there.
    pub fn get(&self, name: &str) -> Option<&Arc<Dialect>> {
        self.dialects.iter().find(|dialect| dialect.id == name || dialect.name == name)
    }
    /// What a member speaks, as the agreement writes it: a dialect as in [`Dialects::get`], or `weiche` for the canonical one.
    pub fn spoken(&self, dialect: &str) -> Option<&Arc<Dialect>> {
        self.get(if dialect.split('.').next() == Some("weiche") { "canonical" } else { dialect })
    }
    /// All dialects: `canonical`, then by name and version.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Dialect>> {
        self.dialects.iter()
    }
    /// The method behind the path of a call, of whichever dialect.
    pub fn method(&self, path: &str) -> Option<(&Arc<Dialect>, &Method)> {
        let (at, number) = self.methods.get(path)?;
        let dialect = self.dialects.get(*at)?;
        Some((dialect, dialect.methods.get(*number)?))
    }
    /// The code lists that the dialects were compiled with.
    pub fn lists(&self) -> &CodeLists {
        &self.lists
    }
    pub(super) fn hub(&self) -> &Hub {
        &self.hub
    }
    /// Descriptors of the contract and of all dialects.
    pub fn pool(&self) -> &DescriptorPool {
        &self.pool
    }

    /// Strips what the mask does not cover, and what never goes to such a recipient, from a canonical message.
    ///
    /// # Errors
    /// [`TranslateError::UnknownMessage`] or [`TranslateError::Undecodable`].
    pub fn minimise(&self, message: &str, bytes: &[u8], mask: CategoryMask, kind: RecipientKind) -> Result<Minimised, TranslateError> {
        let shape = shape(&self.hub, "canonical", message)?;
        Desk::with(|desk| {
            let (room, out) = desk.clear();
            let decoded = decode(room, self.hub.types(), shape.id, message, bytes)?;
            let mut lines = Lines::new(room, Detail::Losses);
            strip(room, shape, &self.lists, decoded, mask, Some(kind), &mut lines);
            self.hub.types().encode(shape.id, decoded, out);
            let withheld = lines.report().withheld().map(|(path, category)| (path.to_owned(), category)).collect();
            Ok(Minimised { bytes: Bytes::copy_from_slice(out.written()), withheld })
        })
    }

    /// The categories of everything that is set in a canonical message, those that its codes demand included. What the contract does not know has none.
    ///
    /// # Errors
    /// [`TranslateError::UnknownMessage`] or [`TranslateError::Undecodable`].
    pub fn categories_of(&self, message: &str, bytes: &[u8]) -> Result<CategoryMask, TranslateError> {
        let shape = shape(&self.hub, "canonical", message)?;
        Desk::with(|desk| Ok(carried(shape, &self.lists, decode(desk.clear().0, self.hub.types(), shape.id, message, bytes)?)))
    }
}

impl Dialect {
    /// Name and version, as its package: `awo.v1`; or `canonical`.
    pub fn id(&self) -> &str {
        &self.id
    }
    /// Short name, such as `awo`; versions of one dialect share it.
    pub fn name(&self) -> &str {
        &self.name
    }
    /// Its version, such as `1`.
    pub fn version(&self) -> &str {
        &self.version
    }
    /// For people.
    pub fn title(&self) -> &str {
        &self.title
    }
    /// SHA-256 over the descriptors of the dialect and the code lists that it uses: which mapping a translation went by.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
    /// Its methods in the order of the sources.
    pub fn methods(&self) -> &[Method] {
        &self.methods
    }
    /// The method behind the path of a call.
    pub fn method(&self, path: &str) -> Option<&Method> {
        self.methods.iter().find(|method| method.path == path)
    }
    /// The method that stands for a canonical one.
    pub fn implementing(&self, canonical: &str) -> Option<&Method> {
        self.methods.iter().find(|method| method.canonical == canonical)
    }
    /// The message that stands for a canonical one, such as `awo.v1.Fall` for `weiche.type.v1.Referral`.
    pub fn message_for(&self, canonical: &str) -> Option<&str> {
        self.tops.get(canonical).map(String::as_str)
    }
    /// Full names of the messages that can be translated by themselves.
    pub fn messages(&self) -> impl Iterator<Item = &str> {
        self.tops.values().map(String::as_str).chain(self.plans.keys().map(String::as_str))
    }

    /// How many of its messages have plans.
    pub fn plans(&self) -> usize {
        self.plans.len()
    }

    /// The field of a message of the dialect behind a canonical path such as `referral.recipient.unit`; none if it says nothing there, and for
    /// `canonical` itself.
    pub fn native_path(&self, message: &str, canonical: &str) -> Option<String> {
        plan::native_path(&self.plans.get(message)?.block, canonical)
    }

    /// From a message of the dialect to the canonical one, with what became of every field that did not arrive as it was.
    ///
    /// # Errors
    /// [`TranslateError`]; every problem of the message at once.
    pub fn read(&self, message: &str, bytes: &[u8]) -> Result<(Bytes, Report), TranslateError> {
        Desk::with(|desk| self.read_at(desk, message, bytes, true, |text| (Bytes::copy_from_slice(text.bytes), text.report())))
    }

    /// As [`Dialect::read`], without the report.
    ///
    /// # Errors
    /// The same.
    pub fn read_quiet(&self, message: &str, bytes: &[u8]) -> Result<Bytes, TranslateError> {
        Desk::with(|desk| self.read_at(desk, message, bytes, false, |text| Bytes::copy_from_slice(text.bytes)))
    }

    /// As [`Dialect::read`], at a desk of the caller's: what is at hand there for the moment goes to `take`, and nothing is allocated once the desk is
    /// as large as its messages need. `report`: whether one is wanted.
    ///
    /// # Errors
    /// The same.
    pub fn read_at<T>(
        &self,
        desk: &mut Desk,
        message: &str,
        bytes: &[u8],
        report: bool,
        take: impl FnOnce(Text<'_, '_>) -> T,
    ) -> Result<T, TranslateError> {
        let detail = if report { Detail::Losses } else { Detail::None };
        self.reading(desk, message, bytes, detail, |text, problems| finished(problems).map(|()| take(text)))?
    }

    /// From a canonical message to the dialect's, under a mask: what is outside has no instruction that could copy it.
    ///
    /// # Errors
    /// [`TranslateError`]; a mandatory field that the dialect has no word for is one.
    pub fn render(&self, message: &str, bytes: &[u8], mask: CategoryMask) -> Result<(Bytes, Report), TranslateError> {
        Desk::with(|desk| self.render_at(desk, message, bytes, mask, true, |text| (Bytes::copy_from_slice(text.bytes), text.report())))
    }

    /// As [`Dialect::render`], without the report: for what was reported on before, and for answers.
    ///
    /// # Errors
    /// The same.
    pub fn render_quiet(&self, message: &str, bytes: &[u8], mask: CategoryMask) -> Result<Bytes, TranslateError> {
        Desk::with(|desk| self.render_at(desk, message, bytes, mask, false, |text| Bytes::copy_from_slice(text.bytes)))
    }

    /// As [`Dialect::render`], at a desk of the caller's; see [`Dialect::read_at`].
    ///
    /// # Errors
    /// The same.
    pub fn render_at<T>(
        &self,
        desk: &mut Desk,
        message: &str,
        bytes: &[u8],
        mask: CategoryMask,
        report: bool,
        take: impl FnOnce(Text<'_, '_>) -> T,
    ) -> Result<T, TranslateError> {
        let detail = if report { Detail::Losses } else { Detail::None };
        self.rendering(desk, message, bytes, mask, detail, |text, problems| finished(problems).map(|()| take(text)))?
    }

    /// As [`Dialect::read`]; problems do not hide what could be read.
    pub(super) fn read_all(&self, message: &str, bytes: &[u8], detail: Detail) -> Result<Translated, TranslateError> {
        Desk::with(|desk| self.reading(desk, message, bytes, detail, whole))
    }

    /// As [`Dialect::render`]; problems do not hide what could be rendered.
    pub(super) fn render_all(&self, message: &str, bytes: &[u8], mask: CategoryMask, detail: Detail) -> Result<Translated, TranslateError> {
        Desk::with(|desk| self.rendering(desk, message, bytes, mask, detail, whole))
    }

    fn reading<T>(
        &self,
        desk: &mut Desk,
        message: &str,
        bytes: &[u8],
        detail: Detail,
        take: impl FnOnce(Text<'_, '_>, Vec<FieldProblem>) -> T,
    ) -> Result<T, TranslateError> {
        let types = &**self.hub.types();
        let (room, out) = desk.clear();
        if let Some(plan) = self.plans.get(message) {
            let native = decode(room, types, plan.native_id, message, bytes)?;
            let (hub, lines, problems) = translate::read(room, plan, &self.lists, types, native, detail);
            types.encode(plan.hub.id, hub, out);
            return Ok(take(Text { bytes: out.written(), lines: &lines }, problems));
        }
        let shape = self.shape_of(message)?;
        let hub = decode(room, types, shape.id, message, bytes)?;
        let mut lines = Lines::new(room, detail);
        if hub.has_unknown() {
            for unknown in hub.unknown() {
                let name = spelt(room, format_args!("field {unknown}"));
                lines.note(hub.place(name, None), Finding::Dropped("the contract does not know this field"));
            }
            hub.drop_unknown();
        }
        let problems = translate::verify(shape, &self.lists, hub, None);
        types.encode(shape.id, hub, out);
        Ok(take(Text { bytes: out.written(), lines: &lines }, problems))
    }

    fn rendering<T>(
        &self,
        desk: &mut Desk,
        message: &str,
        bytes: &[u8],
        mask: CategoryMask,
        detail: Detail,
        take: impl FnOnce(Text<'_, '_>, Vec<FieldProblem>) -> T,
    ) -> Result<T, TranslateError> {
        let plan = self.plans.get(message).map(|plan| (plan, plan.for_mask(mask)));
        let shape = match &plan {
            Some((plan, _)) => &plan.hub,
            None => self.shape_of(message)?,
        };
        let types = &**self.hub.types();
        let (room, out) = desk.clear();
        let hub = decode(room, types, shape.id, shape.message.full_name(), bytes)?;
        let mut lines = Lines::new(room, detail);
        strip(room, shape, &self.lists, hub, mask, None, &mut lines);
        let Some((plan, block)) = &plan else {
            types.encode(shape.id, hub, out);
            return Ok(take(Text { bytes: out.written(), lines: &lines }, Vec::new()));
        };
        let (native, problems) = translate::render(room, types, plan, block, hub, &mut lines);
        types.encode(plan.native_id, native, out);
        Ok(take(Text { bytes: out.written(), lines: &lines }, problems))
    }

    /// The canonical shape behind one of its messages.
    pub(super) fn shape_of(&self, message: &str) -> Result<&Shape, TranslateError> {
        match self.plans.get(message) {
            Some(plan) => Ok(&plan.hub),
            None if self.plans.is_empty() => shape(&self.hub, &self.name, message).map(|shape| &**shape),
            None => Err(TranslateError::UnknownMessage { dialect: self.name.clone(), message: message.to_owned() }),
        }
    }

    pub(super) fn descriptor(&self, message: &str) -> Result<MessageDescriptor, TranslateError> {
        match self.plans.get(message) {
            Some(plan) => Ok(plan.native.clone()),
            None => self.shape_of(message).map(|shape| shape.message.clone()),
        }
    }

    pub(super) fn plan(&self, message: &str) -> Option<&Plan> {
        self.plans.get(message)
    }
}

/// The bytes of a message, what became of its fields, and what is wrong.
pub(super) type Translated = (Bytes, Report, Vec<FieldProblem>);

pub(super) fn decode<'b>(room: &'b Room, types: &'b Types, id: TypeId, name: &str, bytes: &'b [u8]) -> Result<Message<'b>, TranslateError> {
    types.decode(room, id, bytes).ok_or_else(|| TranslateError::Undecodable { message: name.to_owned() })
}

fn whole(text: Text<'_, '_>, problems: Vec<FieldProblem>) -> Translated {
    (Bytes::copy_from_slice(text.bytes), text.report(), problems)
}

fn finished(problems: Vec<FieldProblem>) -> Result<(), TranslateError> {
    if problems.is_empty() { Ok(()) } else { Err(TranslateError::Fields(problems)) }
}

pub(super) fn shape<'a>(hub: &'a Hub, dialect: &str, message: &str) -> Result<&'a Arc<Shape>, TranslateError> {
    hub.shape(message).ok_or_else(|| TranslateError::UnknownMessage { dialect: dialect.to_owned(), message: message.to_owned() })
}

/// Problems of code lists, as problems of dialects.
pub(super) fn list_errors(errors: super::codelist::CodeListErrors) -> DialectErrors {
    let error = |error: super::codelist::CodeListError| DialectError {
        file: error.file,
        line: u32::try_from(error.line).unwrap_or(0),
        column: 1,
        message: error.message,
        help: "the format is described in proto/codelists/README.md".to_owned(),
    };
    DialectErrors(errors.0.into_iter().map(error).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dialects_of_this_build_compile() {
        let dialects = Dialects::embedded().unwrap_or_else(|errors| panic!("{} problems\n{errors}", errors.0.len()));
        let names: Vec<&str> = dialects.iter().map(|dialect| dialect.name()).collect();
        assert_eq!(names, ["canonical", "agentur", "awo", "caritas", "diakonie", "drk", "jobcenter"]);
        for dialect in dialects.iter().skip(1) {
            assert!(dialect.message_for("weiche.type.v1.Referral").is_some(), "{}", dialect.name());
            assert!(dialect.implementing("weiche.exchange.v1.ReferralService.SubmitReferral").is_some(), "{}", dialect.name());
        }
    }
}
