// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! All dialects of a descriptor pool, compiled together: which there are, what their methods stand for, and how they translate.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use aws_lc_rs::digest;
use bytes::Bytes;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, FileDescriptor, MessageDescriptor, MethodDescriptor};

use super::annotation::{Annotations, Place};
use super::category::{CategoryMask, RecipientKind};
use super::codelist::{CodeLists, Column};
use super::error::{DialectError, DialectErrors, nearest};
use super::hub::{Hub, Shape, is_canonical};
use super::minimise::{Minimised, carried, strip};
use super::plan::compile::Compiler;
use super::plan::{Plan, Way};
use super::report::{Outcome, Report, TranslateError};
use super::translate;
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

const DELIVERY: &str = "weiche.institution.v1.DeliveryService.";

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
        let hub = Arc::new(Hub::new(pool, &mut errors));
        let lists = Arc::new(lists);
        let mut families: BTreeMap<String, Vec<FileDescriptor>> = BTreeMap::new();
        for file in pool.files().filter(|file| !is_foreign(file.package_name())) {
            let family = file.package_name().split('.').next().unwrap_or_default();
            families.entry(family.to_owned()).or_default().push(file);
        }
        let mut dialects = vec![Arc::new(canonical(pool, &lists, &hub))];
        for (family, files) in &families {
            dialects.extend(dialect(family, files, pool, &annotations, &lists, &hub, &mut errors).map(Arc::new));
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

    /// A dialect by name; `canonical` is always there.
    pub fn get(&self, name: &str) -> Option<&Arc<Dialect>> {
        self.dialects.iter().find(|dialect| dialect.name == name)
    }
    /// All dialects: `canonical`, then by name.
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
        let mut decoded = decode(&shape.message, bytes)?;
        let mut report = Report::default();
        strip(shape, &self.lists, &mut decoded, mask, Some(kind), &mut report);
        let withheld = report.withheld().map(|(path, category)| (path.to_owned(), category)).collect();
        Ok(Minimised { bytes: decoded.encode_to_vec().into(), withheld })
    }

    /// The categories of everything that is set in a canonical message, those that its codes demand included.
    ///
    /// # Errors
    /// [`TranslateError::UnknownMessage`] or [`TranslateError::Undecodable`].
    pub fn categories_of(&self, message: &str, bytes: &[u8]) -> Result<CategoryMask, TranslateError> {
        let shape = shape(&self.hub, "canonical", message)?;
        Ok(carried(shape, &self.lists, &decode(&shape.message, bytes)?))
    }
}

impl Dialect {
    /// Short name, such as `awo`.
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

    /// From a message of the dialect to the canonical one, with what became of every field that did not arrive as it was.
    ///
    /// # Errors
    /// [`TranslateError`]; every problem of the message at once.
    pub fn read(&self, message: &str, bytes: &[u8]) -> Result<(Bytes, Report), TranslateError> {
        let native = decode(&self.descriptor(message)?, bytes)?;
        let (hub, report, problems) = self.read_message(message, &native, false)?;
        if problems.is_empty() { Ok((hub.encode_to_vec().into(), report)) } else { Err(TranslateError::Fields(problems)) }
    }

    /// From a canonical message to the dialect's, under a mask: what is outside has no instruction that could copy it.
    ///
    /// # Errors
    /// [`TranslateError`]; a mandatory field that the dialect has no word for is one.
    pub fn render(&self, message: &str, bytes: &[u8], mask: CategoryMask) -> Result<(Bytes, Report), TranslateError> {
        let mut hub = decode(&self.shape_of(message)?.message, bytes)?;
        let (native, report, problems) = self.render_message(message, &mut hub, mask, false)?;
        if problems.is_empty() { Ok((native.encode_to_vec().into(), report)) } else { Err(TranslateError::Fields(problems)) }
    }

    /// As [`Dialect::read`], on decoded messages; problems do not hide what could be read.
    pub(super) fn read_message(&self, message: &str, native: &DynamicMessage, verbose: bool) -> Result<Translated, TranslateError> {
        if let Some(plan) = self.plans.get(message) {
            return Ok(translate::read(plan, &self.lists, native, verbose));
        }
        let shape = self.shape_of(message)?;
        let mut report = Report::default();
        let mut hub = native.clone();
        for unknown in hub.take_unknown_fields() {
            report.push(format!("field {}", unknown.number()), Outcome::Dropped("the contract does not know this field".to_owned()));
        }
        let problems = translate::verify(shape, &self.lists, &hub, None);
        Ok((hub, report, problems))
    }

    /// As [`Dialect::render`], on decoded messages.
    pub(super) fn render_message(
        &self,
        message: &str,
        hub: &mut DynamicMessage,
        mask: CategoryMask,
        verbose: bool,
    ) -> Result<Translated, TranslateError> {
        let mut report = Report::default();
        strip(self.shape_of(message)?, &self.lists, hub, mask, None, &mut report);
        let Some(plan) = self.plans.get(message) else { return Ok((hub.clone(), report, Vec::new())) };
        let (native, rendered, problems) = translate::render(plan, &plan.for_mask(mask), hub, verbose);
        report.fields.extend(rendered.fields);
        Ok((native, report, problems))
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

/// A message, what became of its fields, and what is wrong.
pub(super) type Translated = (DynamicMessage, Report, Vec<super::report::FieldProblem>);

fn decode(message: &MessageDescriptor, bytes: &[u8]) -> Result<DynamicMessage, TranslateError> {
    DynamicMessage::decode(message.clone(), bytes)
        .map_err(|_| TranslateError::Undecodable { message: message.full_name().to_owned() })
}

fn shape<'a>(hub: &'a Hub, dialect: &str, message: &str) -> Result<&'a Arc<Shape>, TranslateError> {
    hub.shape(message)
        .ok_or_else(|| TranslateError::UnknownMessage { dialect: dialect.to_owned(), message: message.to_owned() })
}

/// Packages that are no dialect: the contract, and what everybody imports.
fn is_foreign(package: &str) -> bool {
    ["weiche", "google", "buf"].contains(&package.split('.').next().unwrap_or_default())
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

fn canonical(pool: &DescriptorPool, lists: &Arc<CodeLists>, hub: &Arc<Hub>) -> Dialect {
    let services = pool.services().filter(|service| is_canonical(service.package_name()));
    let methods = services.flat_map(|service| service.methods().map(|method| entry(&method, &method)).collect::<Vec<_>>()).collect();
    let tops = hub.names().map(|name| (name.to_owned(), name.to_owned())).collect();
    let mut hash = digest::Context::new(&digest::SHA256);
    for file in pool.files().filter(|file| is_canonical(file.package_name())) {
        hash.update(&file.encode_to_vec());
    }
    Dialect {
        name: "canonical".to_owned(),
        version: "1".to_owned(),
        title: "The contract of the gateway itself".to_owned(),
        digest: finish(hash),
        lists: Arc::clone(lists),
        hub: Arc::clone(hub),
        plans: BTreeMap::new(),
        tops,
        methods,
    }
}

fn entry(native: &MethodDescriptor, canonical: &MethodDescriptor) -> Method {
    Method {
        path: format!("/{}/{}", native.parent_service().full_name(), native.name()),
        canonical: canonical.full_name().to_owned(),
        request: native.input().full_name().to_owned(),
        response: native.output().full_name().to_owned(),
        canonical_request: canonical.input().full_name().to_owned(),
        canonical_response: canonical.output().full_name().to_owned(),
        delivery: canonical.full_name().starts_with(DELIVERY),
        client_streaming: native.is_client_streaming(),
        server_streaming: native.is_server_streaming(),
    }
}

fn dialect(
    family: &str,
    files: &[FileDescriptor],
    pool: &DescriptorPool,
    annotations: &Annotations,
    lists: &Arc<CodeLists>,
    hub: &Arc<Hub>,
    errors: &mut Vec<DialectError>,
) -> Option<Dialect> {
    let mappings: Vec<_> = files.iter().filter_map(|file| Some((file, annotations.file(file)?))).collect();
    let first = Place::of(files.first()?, &[PACKAGE]);
    let (file, mapping) = match mappings.as_slice() {
        [(file, mapping)] => (file, mapping),
        [] => {
            let message = format!("package `{family}` is a schema without annotations: nothing says what it means");
            errors.push(first.error(message, format!("say `option (weiche.dialect.v1.dialect) = {{ name: \"{family}\" ... }}` in one file")));
            return None;
        }
        [_, (second, _), ..] => {
            let message = format!("dialect `{family}` is declared twice");
            errors.push(Place::of(second, &[PACKAGE]).error(message, "keep the option in one file"));
            return None;
        }
    };
    let place = Place::of(file, &[PACKAGE]);
    if mapping.name != family {
        let message = format!("the dialect is called `{}` and its package `{family}`", mapping.name);
        errors.push(place.error(message, format!("call it `{family}`, or the package `{}.v1`", mapping.name)));
    }
    let messages: Vec<MessageDescriptor> = pool
        .all_messages()
        .filter(|message| files.contains(&message.parent_file()))
        .filter(|message| annotations.message(message).is_some_and(|mapping| !mapping.hub.is_empty()))
        .collect();
    if messages.is_empty() {
        let message = format!("no message of dialect `{family}` stands for anything");
        errors.push(place.error(message, "say `option (weiche.dialect.v1.message) = { hub: \"...\" }` in its messages"));
        return None;
    }
    let before = errors.len();
    let mut needed: BTreeMap<String, Way> = BTreeMap::new();
    let methods = methods(files, pool, annotations, &mut needed, errors);
    let parts: BTreeSet<String> = messages
        .iter()
        .flat_map(|message| message.fields())
        .filter_map(|field| field.kind().as_message().map(|part| part.full_name().to_owned()))
        .collect();

    let mut compiler = Compiler::new(annotations, lists, hub, mapping, &place);
    let (mut plans, mut tops) = (BTreeMap::new(), BTreeMap::new());
    for message in &messages {
        let name = message.full_name().to_owned();
        // A part is checked with the whole that it belongs to; what stands alone must be complete both ways.
        let both = !parts.contains(&name);
        let needed = needed.get(&name).copied().unwrap_or(Way { read: both, render: both });
        let mapping = annotations.message(message).unwrap_or_default();
        tops.entry(mapping.hub.clone()).or_insert_with(|| name.clone());
        plans.extend(compiler.plan(message, &mapping, needed).map(|plan| (name, plan)));
    }
    errors.append(&mut compiler.errors);
    if errors.len() > before {
        return None;
    }
    let mut hash = digest::Context::new(&digest::SHA256);
    for file in files {
        hash.update(&file.encode_to_vec());
    }
    for name in &compiler.used_lists {
        hash_list(&mut hash, lists, name);
    }
    Some(Dialect {
        name: mapping.name.clone(),
        version: mapping.version.clone(),
        title: mapping.title.clone(),
        digest: finish(hash),
        lists: Arc::clone(lists),
        hub: Arc::clone(hub),
        plans,
        tops,
        methods,
    })
}

/// Field number of `package` in a file descriptor: where problems of a whole file are shown.
const PACKAGE: i32 = 2;

fn methods(
    files: &[FileDescriptor],
    pool: &DescriptorPool,
    annotations: &Annotations,
    needed: &mut BTreeMap<String, Way>,
    errors: &mut Vec<DialectError>,
) -> Vec<Method> {
    let canonical: BTreeMap<String, MethodDescriptor> = pool
        .services()
        .filter(|service| is_canonical(service.package_name()))
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .map(|method| (method.full_name().to_owned(), method))
        .collect();
    let mut found = Vec::new();
    for method in files.iter().flat_map(|file| file.services().flat_map(|service| service.methods().collect::<Vec<_>>()).collect::<Vec<_>>()) {
        let Some(mapping) = annotations.method(&method) else { continue };
        let place = Place::of(&method.parent_file(), method.path());
        let Some(target) = canonical.get(&mapping.implements) else {
            let help = match nearest(&mapping.implements, canonical.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write the full name, such as `weiche.exchange.v1.ReferralService.SubmitReferral`".to_owned(),
            };
            errors.push(place.error(format!("`{}` implements `{}`, which does not exist", method.name(), mapping.implements), help));
            continue;
        };
        let kind = |method: &MethodDescriptor| match (method.is_client_streaming(), method.is_server_streaming()) {
            (false, false) => "single messages",
            (true, false) => "a stream of requests",
            (false, true) => "a stream of responses",
            (true, true) => "streams both ways",
        };
        if kind(&method) != kind(target) {
            let message = format!("`{}` has {} and {} has {}", method.name(), kind(&method), mapping.implements, kind(target));
            errors.push(place.error(message, "use `stream` where the canonical method does"));
        }
        let entry = entry(&method, target);
        for (what, native, wanted) in
            [("request", method.input(), &entry.canonical_request), ("response", method.output(), &entry.canonical_response)]
        {
            let hub = annotations.message(&native).map(|mapping| mapping.hub).unwrap_or_default();
            if hub != *wanted {
                let said = if hub.is_empty() { "nothing".to_owned() } else { hub };
                let message = format!("{what} {} of `{}` stands for {said}, not for {wanted}", native.full_name(), method.name());
                let help = format!("say `option (weiche.dialect.v1.message) = {{ hub: \"{wanted}\" }}` in {}", native.name());
                errors.push(place.error(message, help));
            }
            let reads = (what == "request") != entry.delivery;
            let way = needed.entry(native.full_name().to_owned()).or_insert(Way { read: false, render: false });
            way.read |= reads;
            way.render |= !reads;
        }
        found.push(entry);
    }
    found
}

fn hash_list(hash: &mut digest::Context, lists: &CodeLists, name: &str) {
    let Some(list) = lists.list(name) else { return };
    let columns: Vec<Column> = list.column_names().filter_map(|column| lists.column(name, column)).collect();
    let mut part = |text: &str| {
        hash.update(&(text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    [name, list.uri(), list.version()].into_iter().for_each(&mut part);
    for row in list.rows() {
        part(row.canonical());
        part(row.label());
        columns.iter().for_each(|column| part(column.image(row).map_or("", |image| image.value)));
    }
}

fn finish(hash: digest::Context) -> [u8; 32] {
    let mut out = [0; 32];
    out.iter_mut().zip(hash.finish().as_ref()).for_each(|(to, from)| *to = *from);
    out
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
