// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A folder with a dialect: `.proto` files, or what a compiler made of them (`.binpb`), and columns for code lists (`.tsv`).
//!
//! The contract always is this program's: copies of it that lie in the folder are passed over, so that a vendor may unpack all of `proto/`
//! and add to it. Descriptors stay bytes and dynamic messages on their way: prost's own types would drop the options.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use prost::Message as _;
use prost_reflect::{DescriptorError, DescriptorPool, DynamicMessage, Value};
use protox::Compiler;
use protox::file::{ChainFileResolver, DescriptorSetFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver};

use super::codelist::CodeLists;
use super::error::{DialectError, DialectErrors};
use super::registry::list_errors;
use crate::proto;

/// Descriptors and code lists of the contract and of one folder.
pub(super) fn alone(lists: &CodeLists, folder: &Path) -> Result<(DescriptorPool, CodeLists), DialectErrors> {
    let mut errors = Vec::new();
    let contract = proto::pool().files().filter(|file| is_contract(file.name()));
    let mut pool = DescriptorPool::new();
    for file in contract {
        // Its imports come before it.
        add(&mut pool, &DynamicSet(vec![file.encode_to_vec()]).encode(), folder, &mut errors);
    }
    let found = Folder::read(folder, "", &mut errors);
    if found.files.is_empty() && errors.is_empty() {
        errors.push(problem(shown(folder), "the folder has no .proto file and no .binpb of its own", "name the folder in which they lie"));
    }
    add(&mut pool, &DynamicSet(found.bytes()).encode(), folder, &mut errors);
    finish(pool, lists, &[found], errors)
}

/// Descriptors and code lists of this build and of several folders beside it. Each folder's files are known by its name and theirs.
/// A folder may be empty: what comes later comes with the next reload.
pub(super) fn beside<P: AsRef<Path>>(base: &DescriptorPool, lists: &CodeLists, folders: &[P]) -> Result<(DescriptorPool, CodeLists), DialectErrors> {
    let (mut pool, mut errors, mut all, mut names) = (base.clone(), Vec::new(), Vec::new(), BTreeSet::new());
    for folder in folders.iter().map(AsRef::as_ref) {
        let name = folder.file_name().map_or_else(|| "dialect".to_owned(), |name| name.to_string_lossy().into_owned());
        if !names.insert(name.clone()) {
            errors.push(problem(shown(folder), "there is another folder of this name", "rename one of them: errors and reflection name files by it"));
            continue;
        }
        let found = Folder::read(folder, &format!("{name}/"), &mut errors);
        let taken: Vec<_> = found.files.iter().filter(|file| pool.files().any(|there| there.package_name() == text(file, "package"))).collect();
        for file in taken.iter().filter(|file| !is_common(&text(file, "package"))) {
            let message = format!("the package `{}` is there already, in this program or another folder", text(file, "package"));
            errors.push(at_package(file, "", &message, "take another name, or the next version, such as `v2`"));
        }
        if taken.iter().all(|file| is_common(&text(file, "package"))) {
            add(&mut pool, &DynamicSet(found.bytes()).encode(), folder, &mut errors);
        }
        all.push(found);
    }
    finish(pool, lists, &all, errors)
}

fn finish(
    pool: DescriptorPool,
    lists: &CodeLists,
    folders: &[Folder],
    mut errors: Vec<DialectError>,
) -> Result<(DescriptorPool, CodeLists), DialectErrors> {
    let columns = folders.iter().flat_map(|folder| &folder.columns).map(|(list, file, text)| (list.as_str(), file.as_str(), text.as_str()));
    match lists.with_columns(columns) {
        Ok(lists) if errors.is_empty() => return Ok((pool, lists)),
        Ok(_) => {}
        Err(wrong) => errors.extend(list_errors(wrong).0),
    }
    errors.sort();
    errors.dedup();
    Err(DialectErrors(errors))
}

/// What a folder has of its own.
struct Folder {
    /// `google.protobuf.FileDescriptorProto`.
    files: Vec<DynamicMessage>,
    /// Name of the list, file, text.
    columns: Vec<(String, String, String)>,
}

impl Folder {
    /// Reads everything below `folder`; its own files are renamed to `prefix` + name, so that two folders may both have a `case.proto`.
    fn read(folder: &Path, prefix: &str, errors: &mut Vec<DialectError>) -> Self {
        let (mut out, mut paths) = (Self { files: Vec::new(), columns: Vec::new() }, Vec::new());
        if let Err(error) = collect(folder, &mut paths) {
            errors.push(problem(shown(folder), &error.to_string(), "name a folder that can be read"));
        }
        paths.sort();
        let named = |path: &Path| path.strip_prefix(folder).unwrap_or(path).to_string_lossy().replace('\\', "/");
        let with = |ending: &str| paths.iter().filter(|path| path.extension().is_some_and(|one| one == ending)).collect::<Vec<_>>();
        let sources: Vec<PathBuf> =
            with("proto").into_iter().map(|path| PathBuf::from(named(path))).filter(|name| !is_contract(&name.to_string_lossy())).collect();
        let mut sets = vec![compile(folder, &sources, errors)];
        for path in with("binpb") {
            match std::fs::read(path) {
                Ok(bytes) => sets.push(bytes),
                Err(error) => errors.push(problem(format!("{prefix}{}", named(path)), &error.to_string(), "make it readable")),
            }
        }
        for path in with("tsv") {
            let list = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            match std::fs::read_to_string(path) {
                Ok(text) => out.columns.push((list, format!("{prefix}{}", named(path)), text)),
                Err(error) => errors.push(problem(format!("{prefix}{}", named(path)), &error.to_string(), "write it in UTF-8")),
            }
        }
        for set in sets {
            match files(&set) {
                Some(files) => out.files.extend(files.into_iter().filter(|file| !is_contract(&text(file, "name")))),
                None => errors.push(problem(shown(folder), "a .binpb is no set of file descriptors", "make it with `buf build -o NAME.binpb`")),
            }
        }
        // A dialect that is part of this program may be imported; it is not brought.
        let known = |file: &DynamicMessage| {
            !sources.iter().any(|own| own.to_string_lossy() == text(file, "name")) && proto::pool().get_file_by_name(&text(file, "name")).is_some()
        };
        out.files.retain(|file| !known(file));
        for file in &out.files {
            let package = text(file, "package");
            if package == "weiche" || package.starts_with("weiche.") {
                let message = format!("the package `{package}` belongs to the contract");
                errors.push(at_package(file, prefix, &message, "a dialect has a name of its own"));
            }
        }
        out.rename(prefix);
        out
    }

    fn rename(&mut self, prefix: &str) {
        let own: BTreeSet<String> = self.files.iter().filter(|file| !is_common(&text(file, "package"))).map(|file| text(file, "name")).collect();
        let new = |name: &str| if own.contains(name) { format!("{prefix}{name}") } else { name.to_owned() };
        for file in &mut self.files {
            let name = new(&text(file, "name"));
            file.set_field_by_name("name", Value::String(name));
            let imports: Vec<Value> = match file.get_field_by_name("dependency").as_deref() {
                Some(Value::List(list)) => list.iter().filter_map(Value::as_str).map(|name| Value::String(new(name))).collect(),
                _ => Vec::new(),
            };
            file.set_field_by_name("dependency", Value::List(imports));
        }
    }

    fn bytes(&self) -> Vec<Vec<u8>> {
        self.files.iter().map(DynamicMessage::encode_to_vec).collect()
    }
}

/// A file of the contract, or of what it imports, by name.
fn is_contract(name: &str) -> bool {
    ["weiche/", "google/protobuf/", "buf/"].iter().any(|folder| name.starts_with(folder)) && proto::pool().get_file_by_name(name).is_some()
}

/// Packages that everybody imports; two folders may bring the same files of them.
fn is_common(package: &str) -> bool {
    matches!(package.split('.').next(), Some("google" | "buf"))
}

/// Compiles the sources of a folder; each that is wrong is named, not only the first.
fn compile(folder: &Path, sources: &[PathBuf], errors: &mut Vec<DialectError>) -> Vec<u8> {
    let mut compiler = match compiler(folder) {
        Ok(compiler) => compiler,
        Err(error) => {
            errors.push(located(&format!("{error:?}"), &shown(folder)));
            return Vec::new();
        }
    };
    for source in sources {
        if let Err(error) = compiler.open_file(source) {
            let name = error.file().map_or_else(|| source.display().to_string(), str::to_owned);
            errors.push(located(&format!("{error:?}"), &name));
        }
    }
    compiler.encode_file_descriptor_set()
}

fn compiler(folder: &Path) -> Result<Compiler, protox::Error> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Embedded { files: embedded()?, dialects: false });
    resolver.add(IncludeFileResolver::new(folder.to_owned()));
    resolver.add(Embedded { files: embedded()?, dialects: true });
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    Ok(compiler)
}

fn embedded() -> Result<DescriptorSetFileResolver, protox::Error> {
    DescriptorSetFileResolver::decode(proto::DESCRIPTOR_SET).map_err(|error| protox::Error::new(error.to_string()))
}

/// What this program has: the contract goes before the folder's files, the dialects after them.
struct Embedded {
    files: DescriptorSetFileResolver,
    dialects: bool,
}

impl FileResolver for Embedded {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if is_contract(name) == self.dialects { Err(protox::Error::file_not_found(name)) } else { self.files.open_file(name) }
    }
}

/// The files of an encoded `google.protobuf.FileDescriptorSet`.
fn files(set: &[u8]) -> Option<Vec<DynamicMessage>> {
    let descriptor = proto::pool().get_message_by_name("google.protobuf.FileDescriptorSet")?;
    let set = DynamicMessage::decode(descriptor, set).ok()?;
    let files = set.get_field_by_name("file")?;
    Some(files.as_list()?.iter().filter_map(Value::as_message).cloned().collect())
}

/// Encoded files, as a set.
struct DynamicSet(Vec<Vec<u8>>);

impl DynamicSet {
    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for file in &self.0 {
            prost::encoding::bytes::encode(1, file, &mut out);
        }
        out
    }
}

fn add(pool: &mut DescriptorPool, set: &[u8], folder: &Path, errors: &mut Vec<DialectError>) {
    if let Err(error) = pool.decode_file_descriptor_set(set) {
        errors.push(descriptor_error(&error, folder));
    }
}

fn descriptor_error(error: &DescriptorError, folder: &Path) -> DialectError {
    located(&format!("{error:?}"), &shown(folder))
}

fn text(message: &DynamicMessage, field: &str) -> String {
    message.get_field_by_name(field).and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// `case.proto:12:3: message` of a compiler, taken apart.
fn located(said: &str, file: &str) -> DialectError {
    let mut parts = said.splitn(4, ':');
    let found = (|| {
        let (name, line, column) = (parts.next()?, parts.next()?.trim().parse().ok()?, parts.next()?.trim().parse().ok()?);
        Some((name.to_owned(), line, column, parts.next()?.trim().to_owned()))
    })();
    let (file, line, column, message) = found.unwrap_or_else(|| (file.to_owned(), 0, 0, said.to_owned()));
    let help = "this is protobuf itself and not the mapping; `buf lint` says the same".to_owned();
    DialectError { file, line, column, message, help }
}

/// A problem of a file's package, with its place if the file brings its positions.
fn at_package(file: &DynamicMessage, prefix: &str, message: &str, help: &str) -> DialectError {
    const PACKAGE: [i32; 1] = [2];
    let plain = prost_types::FileDescriptorProto::decode(file.encode_to_vec().as_slice()).unwrap_or_default();
    let spans =
        plain.source_code_info.into_iter().flat_map(|info| info.location).find(|location| location.path == PACKAGE).map(|location| location.span);
    let number = |at: usize| spans.as_ref().and_then(|span| u32::try_from(*span.get(at)?).ok()).map_or(0, |number| number + 1);
    let (line, column) = (number(0), number(1));
    DialectError { file: format!("{prefix}{}", text(file, "name")), line, column, message: message.to_owned(), help: help.to_owned() }
}

fn problem(file: String, message: &str, help: &str) -> DialectError {
    DialectError { file, line: 0, column: 0, message: message.to_owned(), help: help.to_owned() }
}

fn shown(folder: &Path) -> String {
    folder.display().to_string()
}

/// Files below a folder. Hidden ones are passed over, and folders that are links: a mounted volume keeps its old versions so.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, files)?;
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}
