// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

use std::borrow::Cow;
use std::fmt::Write as _;

use super::{Direction, Texts};

/// How it looks, on a screen and on A4. Nothing is loaded from elsewhere, no script runs.
const STYLE: &str = include_str!("page.css");

/// A page for a person, in one language or in several one after the other: HTML that is complete in itself, prints well and reads aloud well.
///
/// Text is escaped wherever it goes in; what is already HTML goes in through [`Page::raw`] alone.
#[derive(Debug, Default)]
pub struct Page {
    body: String,
    language: Option<&'static Texts>,
}

impl Page {
    /// Everything that follows is in this language, until the next one. Its first heading is the page's name.
    pub fn language(&mut self, texts: &'static Texts) -> &mut Self {
        self.close();
        let direction = direction(texts);
        let _ = writeln!(self.body, "<section lang=\"{}\" dir=\"{direction}\">", texts.language);
        self.language = Some(texts);
        self
    }

    /// Says that nobody has read the translation, and which text counts; nothing where there is nothing to say.
    pub fn provenance(&mut self) -> &mut Self {
        let Some(texts) = self.language else { return self };
        let unread = if texts.is_unread() { texts.get("word", "translation") } else { "" };
        let said: Vec<_> = [unread, texts.get("word", "german_counts")].into_iter().filter(|text| !text.is_empty()).collect();
        if !said.is_empty() {
            let _ = writeln!(self.body, "<p class=\"note\">{}</p>", escape(&said.join(" ")));
        }
        self
    }

    /// A heading: 1 is the title, 2 a part.
    pub fn heading(&mut self, level: u8, text: &str) -> &mut Self {
        let _ = writeln!(self.body, "<h{level}>{}</h{level}>", escape(text));
        self
    }

    /// A paragraph.
    pub fn paragraph(&mut self, text: &str) -> &mut Self {
        let _ = writeln!(self.body, "<p>{}</p>", escape(text));
        self
    }

    /// A list.
    pub fn list<T: AsRef<str>>(&mut self, items: impl IntoIterator<Item = T>) -> &mut Self {
        let items: String = items.into_iter().map(|item| format!("<li><bdi>{}</bdi></li>", escape(item.as_ref()))).collect();
        let _ = writeln!(self.body, "<ul>{items}</ul>");
        self
    }

    /// Names and what they are; a value of several lines is several values. It may stand in another direction than its name.
    pub fn facts<T: AsRef<str>>(&mut self, facts: impl IntoIterator<Item = (T, T)>) -> &mut Self {
        self.body.push_str("<dl>");
        for (name, value) in facts {
            let _ = write!(self.body, "<dt>{}</dt>", escape(name.as_ref()));
            for line in value.as_ref().lines() {
                let _ = write!(self.body, "<dd><bdi>{}</bdi></dd>", escape(line));
            }
        }
        self.body.push_str("</dl>\n");
        self
    }

    /// A table with a row of headings.
    pub fn table<T: AsRef<str>>(&mut self, headings: &[&str], rows: impl IntoIterator<Item = Vec<T>>) -> &mut Self {
        let headings: String = headings.iter().map(|heading| format!("<th scope=\"col\">{}</th>", escape(heading))).collect();
        let _ = write!(self.body, "<table><thead><tr>{headings}</tr></thead><tbody>");
        for row in rows {
            let cells: String = row.iter().map(|cell| format!("<td><bdi>{}</bdi></td>", escape(cell.as_ref()))).collect();
            let _ = write!(self.body, "<tr>{cells}</tr>");
        }
        self.body.push_str("</tbody></table>\n");
        self
    }

    /// What is HTML or SVG already, and made by the gateway alone.
    pub fn raw(&mut self, html: &str) -> &mut Self {
        self.body.push_str(html);
        self
    }

    /// The whole page under a title, which the browser shows; its language is that of `texts`.
    pub fn finish(mut self, texts: &Texts, title: &str) -> String {
        self.close();
        let (language, direction, title) = (&texts.language, direction(texts), escape(title));
        format!(
            "<!DOCTYPE html>\n<html lang=\"{language}\" dir=\"{direction}\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
             <body>\n<main>\n{}</main>\n</body>\n</html>\n",
            self.body
        )
    }

    fn close(&mut self) {
        if self.language.take().is_some() {
            self.body.push_str("</section>\n");
        }
    }
}

const fn direction(texts: &Texts) -> &'static str {
    match texts.direction {
        Direction::Ltr => "ltr",
        Direction::Rtl => "rtl",
    }
}

/// Text that means nothing to HTML, inside elements and inside quoted attributes.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(['&', '<', '>', '"', '\'']) {
        return Cow::Borrowed(text);
    }
    let one = |c| match c {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        '"' => "&quot;".to_owned(),
        '\'' => "&#39;".to_owned(),
        c => c.to_string(),
    };
    Cow::Owned(text.chars().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::texts::{german, of};

    #[test]
    fn nothing_that_somebody_wrote_becomes_html() {
        let evil = "<script>alert('x')</script>\" onload=\"";
        let mut page = Page::default();
        page.language(german()).heading(1, evil).paragraph(evil).list([evil]).facts([(evil, evil)]).table(&[evil], [vec![evil]]);
        let page = page.finish(german(), evil);
        assert!(!page.contains("<script") && !page.contains("onload=\""), "{page}");
        assert_eq!(page.matches("&lt;script&gt;").count(), 8);
    }

    #[test]
    fn each_language_has_its_direction_and_says_what_it_is_worth() {
        let mut page = Page::default();
        for texts in [german(), of("ar").unwrap()] {
            page.language(texts).heading(1, texts.get("receipt", "title")).provenance();
        }
        let page = page.finish(german(), "x");
        assert!(page.contains("<html lang=\"de\" dir=\"ltr\">") && page.contains("<section lang=\"ar\" dir=\"rtl\">"));
        assert_eq!(page.matches("</section>").count(), 2);
        assert_eq!(page.matches("class=\"note\"").count(), 1, "only the translation needs a note");
        assert!(!page.contains("http"), "nothing is loaded from elsewhere");
    }
}
