// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! A page about a dialect for the people who run its case system: Markdown, or one HTML file that needs nothing else, no script and no mouse.

use std::fmt::{self, Write};
use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, FieldDescriptor, FileDescriptor, MessageDescriptor};

use super::explain::flatten;
use crate::dialect::hub::Leaf;
use crate::dialect::path::spelt;
use crate::dialect::plan::{Block, Native, Rule};
use crate::dialect::registry::{Dialect, Dialects};
use crate::dialect::translate::below;

/// Form of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For a repository.
    #[default]
    Markdown,
    /// For a browser.
    Html,
}

/// Everything that the page says; the same for both forms.
#[derive(Debug, Clone)]
pub struct Page {
    title: String,
    /// Package, digest.
    head: [String; 2],
    tables: Vec<Table>,
}

#[derive(Debug, Clone)]
struct Table {
    title: String,
    text: String,
    header: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Dialects {
    /// The page about a dialect.
    pub fn page(&self, dialect: &Dialect) -> Page {
        let digest: String = dialect.digest().iter().map(|byte| format!("{byte:02x}")).collect();
        let mut tables = vec![methods(dialect)];
        let mut lists = std::collections::BTreeSet::new();
        let mut names: Vec<&str> = dialect.messages().collect();
        // Top messages first: they are what people look for.
        names.sort_by_key(|name| (dialect.methods().iter().any(|method| method.request == *name || method.response == *name), name.to_owned()));
        names.dedup();
        for name in names {
            let Some(plan) = dialect.plan(name) else { continue };
            columns(&plan.block, &mut lists);
            tables.push(fields(&plan.native, plan.hub.message.full_name(), &plan.block));
        }
        for (list, column) in lists {
            let Some(column) = self.lists().column(&list, &column) else { continue };
            let row = |row: &crate::dialect::codelist::Row| {
                let image = column.image(row)?;
                Some(vec![
                    image.value.to_owned(),
                    row.label().to_owned(),
                    row.canonical().to_owned(),
                    if image.lossy { "written, not read back" } else { "" }.to_owned(),
                ])
            };
            tables.push(Table {
                title: format!("Codes {list}/{}", column.name()),
                text: format!("{} Version {} of {}.", column.list().title(), column.version(), column.uri()),
                header: vec!["Your word", "Meaning", "Canonical code", "Note"],
                rows: column.list().rows().iter().filter_map(row).collect(),
            });
        }
        Page { title: dialect.title().to_owned(), head: [dialect.id().to_owned(), digest], tables }
    }
}

fn methods(dialect: &Dialect) -> Table {
    let row = |method: &crate::dialect::Method| {
        let who = if method.delivery { "the gateway calls you" } else { "you call the gateway" };
        vec![method.path.clone(), who.to_owned(), method.canonical.clone()]
    };
    Table {
        title: "Methods".to_owned(),
        text: "gRPC over mutual TLS. Each method does what the canonical one does.".to_owned(),
        header: vec!["Method", "Who calls", "Stands for"],
        rows: dialect.methods().iter().map(row).collect(),
    }
}

fn fields(native: &MessageDescriptor, hub: &str, block: &Block) -> Table {
    let mut rows = Vec::new();
    let both = |way: &crate::dialect::plan::Way| way.read || way.render;
    let mut leaves = Vec::new();
    flatten(block, "", &[], both, &mut leaves);
    let mut known = Vec::new();
    describe(native, block, "", &mut known);
    for Known { name, comment, direction, note } in known {
        let of: Vec<_> = leaves.iter().filter(|leaf| leaf.native == name).collect();
        let places = of.iter().map(|leaf| spelt(&leaf.steps)).collect::<Vec<_>>().join(", ");
        let mut rule: Vec<String> = of.first().map(|leaf| leaf.rule.clone()).into_iter().filter(|rule| !rule.is_empty()).collect();
        rule.extend(note);
        let loss = of.first().map(|leaf| leaf.loss.clone()).unwrap_or_default();
        rows.push(vec![name, comment, places, rule.join(", "), direction.to_owned(), loss]);
    }
    Table {
        title: native.full_name().to_owned(),
        text: format!("{} Stands for {hub}.", comment(&native.parent_file(), native.path())).trim().to_owned(),
        header: vec!["Field", "What it is", "Canonical place", "How it is written", "Direction", "What is lost"],
        rows,
    }
}

struct Known {
    name: String,
    comment: String,
    direction: &'static str,
    note: Option<String>,
}

fn describe(native: &MessageDescriptor, block: &Block, path: &str, out: &mut Vec<Known>) {
    let said = |name: &str| native.get_field_by_name(name).map(|field| of_field(&field)).unwrap_or_default();
    for rule in &block.rules {
        match rule {
            Rule::Enter { field, each, block, .. } => {
                let name = below(path, field.name());
                let name = if *each { format!("{name}[]") } else { name };
                if let Some(inside) = native.get_field_by_name(field.name()).and_then(|field| field.kind().as_message().cloned()) {
                    describe(&inside, block, &name, out);
                }
            }
            Rule::Value(value) => {
                let direction = match (value.way.read, value.way.render) {
                    (true, true) => "both",
                    (true, false) => "from you",
                    _ => "to you",
                };
                let comment = match &value.native {
                    Native::Field { field, .. } => said(field.name()),
                    Native::Merge { fields, .. } => fields.iter().map(|field| said(field.name())).collect::<Vec<_>>().join(" "),
                };
                let mandatory = value.target.spots().iter().any(|spot| spot.mandatory && spot.leaf != Leaf::Bool);
                out.push(Known { name: below(path, &value.name), comment, direction, note: mandatory.then(|| "mandatory".to_owned()) });
            }
            Rule::Constant { field, text, .. } => {
                let note = Some(format!("always `{text}`"));
                out.push(Known { name: below(path, field.name()), comment: said(field.name()), direction: "both", note });
            }
            Rule::Ignore { field, why } => {
                let note = Some(format!("stays with you: {why}"));
                out.push(Known { name: below(path, field.name()), comment: said(field.name()), direction: "none", note });
            }
        }
    }
}

fn columns(block: &Block, out: &mut std::collections::BTreeSet<(String, String)>) {
    for rule in &block.rules {
        match rule {
            Rule::Enter { block, .. } => columns(block, out),
            Rule::Value(value) => out.extend(value.column().map(|column| (column.list().name().to_owned(), column.name().to_owned()))),
            Rule::Constant { .. } | Rule::Ignore { .. } => {}
        }
    }
}

fn of_field(field: &FieldDescriptor) -> String {
    comment(&field.parent_file(), field.path())
}

/// The comment above an element, on one line. What came with the program is looked up in the set that has comments.
fn comment(file: &FileDescriptor, path: &[i32]) -> String {
    static DOCUMENTED: LazyLock<Option<DescriptorPool>> = LazyLock::new(|| crate::proto::documented().ok());
    let documented = || DOCUMENTED.as_ref()?.get_file_by_name(file.name());
    let own = file.file_descriptor_proto().source_code_info.is_some();
    let file = if own { file.clone() } else { documented().unwrap_or_else(|| file.clone()) };
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let found = info.and_then(|info| info.location.iter().find(|location| location.path == path));
    let text = found.map(|location| location.leading_comments()).unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Page {
    /// The page in one form.
    pub fn text(&self, format: Format) -> String {
        let mut out = String::new();
        // Writing to a text does not fail.
        let _ = match format {
            Format::Markdown => self.markdown(&mut out),
            Format::Html => self.html(&mut out),
        };
        out
    }

    fn markdown(&self, out: &mut String) -> fmt::Result {
        let cell = |text: &str| text.replace('\\', "\\\\").replace('|', "\\|").replace('<', "\\<");
        let [package, digest] = &self.head;
        writeln!(out, "# {}\n\nPackage `{package}`, digest `{digest}`.", cell(&self.title))?;
        for table in &self.tables {
            writeln!(out, "\n## {}\n\n{}\n", table.title, cell(&table.text))?;
            writeln!(out, "| {} |\n|{}", table.header.join(" | "), "---|".repeat(table.header.len()))?;
            for row in &table.rows {
                writeln!(out, "| {} |", row.iter().map(|text| cell(text)).collect::<Vec<_>>().join(" | "))?;
            }
        }
        Ok(())
    }

    fn html(&self, out: &mut String) -> fmt::Result {
        let [package, digest] = &self.head;
        let title = escape(&self.title);
        write!(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n")?;
        write!(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title} ({package})</title>\n")?;
        write!(out, "<style>\n{STYLE}</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#main\">To the content</a>\n")?;
        write!(out, "<header>\n<h1>{title}</h1>\n<p>Package <code>{package}</code>, digest <code>{digest}</code>.</p>\n</header>\n")?;
        write!(out, "<nav aria-label=\"Contents\">\n<ul>\n")?;
        for (at, table) in self.tables.iter().enumerate() {
            writeln!(out, "<li><a href=\"#t{at}\">{}</a></li>", escape(&table.title))?;
        }
        write!(out, "</ul>\n</nav>\n<main id=\"main\">\n")?;
        for (at, table) in self.tables.iter().enumerate() {
            let name = escape(&table.title);
            write!(out, "<section aria-labelledby=\"t{at}\">\n<h2 id=\"t{at}\">{name}</h2>\n<p>{}</p>\n", escape(&table.text))?;
            write!(
                out,
                "<div class=\"wide\" role=\"region\" aria-labelledby=\"t{at}\" tabindex=\"0\">\n<table>\n<caption>{name}</caption>\n<thead><tr>"
            )?;
            for header in &table.header {
                write!(out, "<th scope=\"col\">{header}</th>")?;
            }
            writeln!(out, "</tr></thead>\n<tbody>")?;
            for row in &table.rows {
                out.push_str("<tr>");
                for (at, text) in row.iter().enumerate() {
                    let text = escape(text);
                    if at == 0 { write!(out, "<th scope=\"row\"><code>{text}</code></th>")? } else { write!(out, "<td>{text}</td>")? }
                }
                out.push_str("</tr>\n");
            }
            write!(out, "</tbody>\n</table>\n</div>\n</section>\n")?;
        }
        out.push_str("</main>\n</body>\n</html>\n");
        Ok(())
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const STYLE: &str = "\
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 80rem; margin: 0 auto; padding: 1rem; }
table { border-collapse: collapse; }
caption { text-align: left; font-weight: bold; }
th, td { text-align: left; vertical-align: top; padding: 0.25rem 0.75rem; border-bottom: 1px solid; }
th[scope=row] { font-weight: normal; }
.wide { overflow-x: auto; }
.skip { position: absolute; left: -100rem; }
.skip:focus { position: static; }
";
