// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! What people ask of dialects at a terminal: compile a folder, explain what is lost between two systems, translate one message.

use std::path::{Path, PathBuf};

use prost::Message;
use prost_reflect::{DescriptorPool, DeserializeOptions, DynamicMessage, SerializeOptions};
use protox::Compiler;
use protox::file::{ChainFileResolver, DescriptorSetFileResolver, GoogleFileResolver, IncludeFileResolver};

use super::category::CategoryMask;
use super::error::{DialectError, DialectErrors};
use super::path::{Select, Step, spelt};
use super::plan::{Block, Rule, Spelling, Target, ValueRule, Way};
use super::registry::{Dialect, Dialects};
use super::report::{FieldProblem, Outcome, Report, TranslateError};
use super::translate::Detail;
use crate::proto;

/// One line of an explanation: where a field of the sender comes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Field of the sender, such as `anschrift`; empty for a field that only the recipient has.
    pub source: String,
    /// Place in the hub.
    pub canonical: String,
    /// How the sender spells it.
    pub rule: String,
    /// Field of the recipient; empty if there is none.
    pub target: String,
    /// What is lost, in words; empty if nothing is.
    pub loss: String,
}

/// A message translated from JSON to JSON.
#[derive(Debug, Clone)]
pub struct Translation {
    /// Protobuf JSON with the field names of the `.proto` files.
    pub json: serde_json::Value,
    /// What became of the sender's fields on the way in.
    pub read: Report,
    /// What became of the canonical fields on the way out.
    pub rendered: Report,
    /// What a gateway would refuse the message for. A tool shows what comes out nevertheless.
    pub problems: Vec<FieldProblem>,
}

/// The hub message that the tools translate if nothing else is said.
pub const REFERRAL: &str = "weiche.type.v1.Referral";

/// The descriptors of a folder of `.proto` files together with the contract, which they may import.
///
/// # Errors
/// What the protobuf compiler says, with file and line; or a folder without `.proto` files.
pub fn open_folder(folder: &Path) -> Result<DescriptorPool, DialectErrors> {
    let failed = |file: String, message: String| {
        DialectErrors(vec![DialectError { file, line: 0, column: 0, message, help: "put it right and try again".to_owned() }])
    };
    let mut files = Vec::new();
    collect(folder, &mut files).map_err(|error| failed(folder.display().to_string(), error.to_string()))?;
    files.sort();
    if files.is_empty() {
        return Err(failed(folder.display().to_string(), "the folder has no .proto file".to_owned()));
    }
    let contract = DescriptorSetFileResolver::decode(proto::DESCRIPTOR_SET).map_err(|error| failed("the contract".to_owned(), error.to_string()))?;
    let mut resolver = ChainFileResolver::new();
    resolver.add(IncludeFileResolver::new(folder.to_owned()));
    resolver.add(contract);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    // The whole contract, so that a method may name a service that no file imports.
    let own = files.iter().filter_map(|file| file.strip_prefix(folder).ok().map(Path::to_owned));
    let contract = proto::pool().files().filter(|file| file.package_name().starts_with("weiche.")).map(|file| PathBuf::from(file.name()));
    for file in own.chain(contract) {
        compiler.open_file(&file).map_err(|error| {
            let name = error.file().map_or_else(|| file.display().to_string(), str::to_owned);
            failed(name, format!("{error:?}"))
        })?;
    }
    DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).map_err(|error| failed(folder.display().to_string(), error.to_string()))
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            files.push(path);
        }
    }
    Ok(())
}

impl Dialects {
    /// Translates the JSON of one message from a dialect to another, under a mask.
    ///
    /// Names may be those of the `.proto` files or the JSON names; 64-bit numbers may be numbers or strings.
    /// `hub` is the canonical message that both have a message for.
    ///
    /// # Errors
    /// [`TranslateError::UnknownMessage`], [`TranslateError::Json`]. Problems of fields are part of the answer.
    pub fn translate(
        &self,
        from: &Dialect,
        to: &Dialect,
        hub: &str,
        mask: CategoryMask,
        json: &serde_json::Value,
        verbose: bool,
    ) -> Result<Translation, TranslateError> {
        let top = |dialect: &Dialect| {
            let unknown = || TranslateError::UnknownMessage { dialect: dialect.name().to_owned(), message: hub.to_owned() };
            dialect.message_for(hub).map(str::to_owned).ok_or_else(unknown)
        };
        let (source, target) = (top(from)?, top(to)?);
        let wrong = |message: &str, error: serde_json::Error| TranslateError::Json { message: message.to_owned(), reason: error.to_string() };
        let options = DeserializeOptions::new().deny_unknown_fields(true);
        let native = DynamicMessage::deserialize_with_options(from.descriptor(&source)?, json, &options).map_err(|error| wrong(&source, error))?;
        let detail = if verbose { Detail::All } else { Detail::Losses };
        let (hub, read, mut problems) = from.read_all(&source, &native.encode_to_vec(), detail)?;
        let (out, rendered, unmappable) = to.render_all(&target, &hub, mask, detail)?;
        problems.extend(unmappable);
        let out = DynamicMessage::decode(to.descriptor(&target)?, out).map_err(|_| TranslateError::Undecodable { message: target.clone() })?;
        let options = SerializeOptions::new().use_proto_field_name(true).skip_default_fields(true).stringify_64_bit_integers(true);
        let json = out.serialize_with_options(serde_json::value::Serializer, &options).map_err(|error| wrong(&target, error))?;
        Ok(Translation { json, read, rendered, problems })
    }

    /// Where each field of `from` comes out at `to` under a mask. Losses that depend on the value are not among them.
    ///
    /// # Errors
    /// [`TranslateError::UnknownMessage`].
    pub fn explain(&self, from: &Dialect, to: &Dialect, hub: &str, mask: CategoryMask) -> Result<Vec<Row>, TranslateError> {
        let sources = leaves(from, hub, CategoryMask::ALL, |way| way.read)?;
        let open = leaves(to, hub, mask, |way| way.render)?;
        let all = leaves(to, hub, CategoryMask::ALL, |way| way.render)?;
        let named = |leaves: &[Leaf], steps: &[Step]| {
            let found: Vec<&Leaf> = leaves.iter().filter(|leaf| meet(&leaf.steps, steps)).collect();
            let names = found.iter().map(|leaf| leaf.native.as_str()).collect::<Vec<_>>().join(", ");
            (names, found.iter().filter(|leaf| !leaf.loss.is_empty()).map(|leaf| leaf.loss.clone()).next().unwrap_or_default())
        };
        let row = |source: &Leaf| {
            let (target, loss) = named(&open, &source.steps);
            let loss = match (target.is_empty(), named(&all, &source.steps).0.is_empty()) {
                (true, true) => "dropped: no place for it".to_owned(),
                (true, false) => "withheld: category not covered".to_owned(),
                _ => loss,
            };
            Row { source: source.native.clone(), canonical: spelt(&source.steps), rule: source.rule.clone(), target, loss }
        };
        Ok(sources.iter().map(row).collect())
    }
}

/// A rule of a plan as a line.
struct Leaf {
    native: String,
    steps: Vec<Step>,
    rule: String,
    loss: String,
}

fn leaves(dialect: &Dialect, hub: &str, mask: CategoryMask, way: fn(&Way) -> bool) -> Result<Vec<Leaf>, TranslateError> {
    let unknown = || TranslateError::UnknownMessage { dialect: dialect.name().to_owned(), message: hub.to_owned() };
    let message = dialect.message_for(hub).ok_or_else(unknown)?;
    let mut out = Vec::new();
    match dialect.plan(message) {
        Some(plan) => flatten(&plan.for_mask(mask), "", &[], way, &mut out),
        None => whole(&dialect.shape_of(message)?.fields, &[], mask, &mut out),
    }
    Ok(out)
}

/// The canonical dialect: every field stands for itself.
fn whole(fields: &[super::hub::FieldShape], base: &[Step], mask: CategoryMask, out: &mut Vec<Leaf>) {
    for shape in fields {
        let select = if shape.field.is_list() { Select::From(0) } else { Select::One };
        let steps: Vec<Step> = base.iter().cloned().chain([Step { field: shape.field.clone(), select }]).collect();
        match &shape.inner {
            Some(inner) => whole(&inner.fields, &steps, mask, out),
            None if shape.category.is_some_and(|category| mask.contains(category)) => {
                out.push(Leaf { native: spelt(&steps), steps, rule: String::new(), loss: String::new() });
            }
            None => {}
        }
    }
}

fn flatten(block: &Block, path: &str, base: &[Step], way: fn(&Way) -> bool, out: &mut Vec<Leaf>) {
    for rule in &block.rules {
        match rule {
            Rule::Enter { field, to, each, block } => {
                let steps: Vec<Step> = base.iter().chain(to).cloned().collect();
                let name = super::translate::below(path, field.name());
                flatten(block, &if *each { format!("{name}[]") } else { name }, &steps, way, out);
            }
            Rule::Value(value) if way(&value.way) => {
                let native = super::translate::below(path, &value.name);
                for spot in value.target.spots() {
                    out.push(Leaf {
                        native: native.clone(),
                        steps: base.iter().chain(&spot.steps).cloned().collect(),
                        rule: described(value),
                        loss: loss(value),
                    });
                }
            }
            Rule::Value(_) | Rule::Constant { .. } | Rule::Ignore { .. } => {}
        }
    }
}

fn described(rule: &ValueRule) -> String {
    let mut words = Vec::new();
    match &rule.target {
        Target::At(_) => {}
        Target::Join { .. } => words.push("joined".to_owned()),
        Target::Tuple { column, .. } => words.push(format!("codes {}/{}", column.list().name(), column.name())),
    }
    match &rule.spelling {
        Spelling::Plain => {}
        Spelling::Codes(column) => words.push(format!("codes {}/{}", column.list().name(), column.name())),
        Spelling::Date(format) => words.push(format!("date {}", format.pattern())),
        Spelling::Phone(_) | Spelling::PhoneSplit(_) => words.push("phone".to_owned()),
        Spelling::Boolean(words_) => words.push(format!("{}/{}", words_.write(true), words_.write(false))),
        Spelling::SearchForm => words.push("search form".to_owned()),
    }
    words.extend(rule.list.map(|separator| format!("list by {separator}")));
    words.extend(rule.width.map(|width| format!("at most {width} characters")));
    words.join(", ")
}

/// What the rule can lose whatever the value is.
fn loss(rule: &ValueRule) -> String {
    match rule.column() {
        Some(column) => {
            let rows = column.list().rows();
            let merged = rows.iter().filter(|row| column.image(row).is_some_and(|image| image.lossy)).count();
            let absent = rows.iter().filter(|row| !row.is_absent() && column.image(row).is_none()).count();
            match (merged, absent) {
                (0, 0) => String::new(),
                (merged, 0) => format!("{merged} codes are merged"),
                (0, absent) => format!("{absent} codes have no word"),
                (merged, absent) => format!("{merged} codes are merged, {absent} have no word"),
            }
        }
        None if matches!(rule.spelling, Spelling::SearchForm) => "only a search form".to_owned(),
        None => rule.width.map_or_else(String::new, |width| format!("cut after {width} characters")),
    }
}

/// Whether two places can be about the same value.
fn meet(left: &[Step], right: &[Step]) -> bool {
    left.iter().zip(right).all(|(left, right)| {
        left.field == right.field
            && match (&left.select, &right.select) {
                (Select::At(left), Select::At(right)) => left == right,
                (Select::At(at), Select::From(from)) | (Select::From(from), Select::At(at)) => at >= from,
                (Select::Key { text: left, .. }, Select::Key { text: right, .. }) => left == right,
                _ => true,
            }
    })
}

impl Outcome {
    /// One word, as reports print it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Lossy(_) => "lossy",
            Self::Defaulted => "defaulted",
            Self::Withheld(_) => "withheld",
            Self::Dropped(_) => "dropped",
            Self::Unmappable(_) => "unmappable",
        }
    }
}
