// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! From the files of a dialect to its plans, its table of methods and its digest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_lc_rs::digest;
use prost::encoding::{DecodeContext, decode_key, skip_field};
use prost_reflect::{DescriptorPool, FileDescriptor, MessageDescriptor, MethodDescriptor};

use super::{Dialect, Method};
use crate::dialect::annotation::{Annotations, Place};
use crate::dialect::codelist::CodeLists;
use crate::dialect::error::{DialectError, nearest};
use crate::dialect::hub::{Hub, is_canonical};
use crate::dialect::plan::Way;
use crate::dialect::plan::compile::Compiler;

/// What the gateway calls; everything else it answers.
const DELIVERY: &str = "weiche.institution.v1.DeliveryService.";

/// Packages that are no dialect: the contract, and what everybody imports.
pub(super) fn is_foreign(package: &str) -> bool {
    ["weiche", "google", "buf"].contains(&package.split('.').next().unwrap_or_default())
}

pub(super) fn canonical(pool: &DescriptorPool, lists: &Arc<CodeLists>, hub: &Arc<Hub>) -> Dialect {
    let services = pool.services().filter(|service| is_canonical(service.package_name()));
    let methods = services.flat_map(|service| service.methods().map(|method| entry(&method, &method)).collect::<Vec<_>>()).collect();
    let tops = hub.names().map(|name| (name.to_owned(), name.to_owned())).collect();
    let mut hash = digest::Context::new(&digest::SHA256);
    for file in pool.files().filter(|file| is_canonical(file.package_name())) {
        hash.update(&meaning(&file));
    }
    Dialect {
        id: "canonical".to_owned(),
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

/// Name and major version of a dialect, from its package: `awo.v1`. Versions are numbers: 10 comes after 9.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version {
    name: String,
    major: u32,
}

impl Version {
    pub(super) fn of(file: &FileDescriptor) -> Result<Self, DialectError> {
        let package = file.package_name();
        let mut parts = package.split('.');
        let (name, version) = (parts.next().unwrap_or_default(), parts.next());
        match version.and_then(|version| version.strip_prefix('v')?.parse().ok()) {
            Some(major) if !name.is_empty() => Ok(Self { name: name.to_owned(), major }),
            _ => {
                let name = if name.is_empty() { "your-system" } else { name };
                let message = format!("the package `{package}` has no name and version");
                Err(Place::of(file, &[PACKAGE]).error(message, format!("call it `{name}.v1`: versions of a dialect can be served side by side")))
            }
        }
    }
}

pub(super) fn dialect(
    version: &Version,
    files: &[FileDescriptor],
    pool: &DescriptorPool,
    annotations: &Annotations,
    lists: &Arc<CodeLists>,
    hub: &Arc<Hub>,
    errors: &mut Vec<DialectError>,
) -> Option<Dialect> {
    let family = version.name.as_str();
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
    if mapping.version.split('.').next() != Some(version.major.to_string().as_str()) {
        let message = format!("the dialect says version `{}` and its package `v{}`", mapping.version, version.major);
        let said = mapping.version.split('.').next().filter(|said| !said.is_empty()).unwrap_or("N");
        errors.push(place.error(message, format!("say `version: \"{}\"`, or call the package `{family}.v{said}`", version.major)));
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
        hash.update(&meaning(file));
    }
    for (list, column) in &compiler.used_columns {
        hash_column(&mut hash, lists, list, column);
    }
    Some(Dialect {
        id: format!("{family}.v{}", version.major),
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

fn hash_column(hash: &mut digest::Context, lists: &CodeLists, list: &str, column: &str) {
    let Some(column) = lists.column(list, column) else { return };
    let mut part = |text: &str| {
        hash.update(&(text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    let list = column.list();
    [list.name(), list.uri(), list.version(), column.name(), column.uri(), column.version()].into_iter().for_each(&mut part);
    for row in list.rows() {
        part(row.canonical());
        part(row.label());
        part(column.image(row).map_or("", |image| image.value));
    }
}

/// The descriptors of a file without comments and places: where something stands does not change what it means.
fn meaning(file: &FileDescriptor) -> Vec<u8> {
    const SOURCE_CODE_INFO: u32 = 9;
    let bytes = file.encode_to_vec();
    let (mut rest, mut out) = (bytes.as_slice(), Vec::with_capacity(bytes.len()));
    while !rest.is_empty() {
        let start = rest;
        let Ok((number, wire)) = decode_key(&mut rest) else { break };
        if skip_field(wire, number, &mut rest, DecodeContext::default()).is_err() {
            break;
        }
        if number != SOURCE_CODE_INFO {
            out.extend_from_slice(start.get(..start.len() - rest.len()).unwrap_or_default());
        }
    }
    out
}

fn finish(hash: digest::Context) -> [u8; 32] {
    let mut out = [0; 32];
    out.iter_mut().zip(hash.finish().as_ref()).for_each(|(to, from)| *to = *from);
    out
}
