// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Canaries: every field that can hold free text gets a mark that no language has and that says its category. Whoever finds one somewhere
//! knows what leaked, and from which kind of field.

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind, Value};

use crate::dialect::{Category, CategoryMask, REFERRAL};
use crate::proto::types::Referral;

/// What all marks begin with, in lower case. Long enough not to come about by chance in megabytes of ciphertext.
pub(in crate::cli::demo) const MARK: &str = "zqxvw";

/// The mark of a category, in lower case: [`MARK`] and two letters.
pub(in crate::cli::demo) fn mark(category: Category) -> String {
    let number = category.number() - 1;
    format!("{MARK}{}{}", char::from(b'a' + number / 6), char::from(b'a' + number % 6))
}

/// The categories whose marks are in `bytes`, in whatever case.
pub(in crate::cli::demo) fn marks_in(bytes: &[u8]) -> CategoryMask {
    let text = bytes.to_ascii_lowercase();
    let found = text.windows(MARK.len() + 2).filter_map(|window| window.strip_prefix(MARK.as_bytes()));
    let letters = found.filter_map(|window| Some((window.first()?.checked_sub(b'a')?, window.get(1)?.checked_sub(b'a').filter(|n| *n < 6)?)));
    letters.filter_map(|(high, low)| Category::from_number(i32::from(high) * 6 + i32::from(low) + 1)).collect()
}

/// Puts a mark into every free text of a referral.
pub(super) fn put(pool: &DescriptorPool, referral: &Referral) -> Option<Referral> {
    let descriptor = pool.get_message_by_name(REFERRAL)?;
    let category = pool.get_extension_by_name("weiche.type.v1.category")?;
    let mut message = DynamicMessage::decode(descriptor, referral.encode_to_vec().as_slice()).ok()?;
    walk(&category, &mut message, None);
    Referral::decode(message.encode_to_vec().as_slice()).ok()
}

/// Texts that are codes, keys or of a fixed form.
const FORMED: &[&str] = &[
    "postal_code",
    "house_number",
    "house_number_suffix",
    "municipality_key",
    "city",
    "sha256",
    "media_type",
    "kldb_code",
    "system",
    "use",
    "prefix",
];

fn walk(extension: &ExtensionDescriptor, message: &mut DynamicMessage, inherited: Option<i32>) {
    let fields: Vec<FieldDescriptor> = message.fields().map(|(field, _)| field).collect();
    let phone = message.get_field_by_name("system").is_some_and(|system| system.as_str() == Some("phone"));
    for field in fields {
        let options = field.options();
        let category = if options.has_extension(extension) { options.get_extension(extension).as_enum_number() } else { inherited };
        let own = category.and_then(Category::from_number);
        match field.kind() {
            Kind::Message(inside) if ["weiche.type.v1.Coding", "weiche.type.v1.Identifier"].contains(&inside.full_name()) => {}
            Kind::Message(_) => match message.get_field_mut(&field) {
                Value::List(list) => list.iter_mut().for_each(|value| descend(extension, value, category)),
                value => descend(extension, value, category),
            },
            Kind::String if !FORMED.contains(&field.name()) && !(phone && field.name() == "value") => {
                if let (Some(own), Value::String(text)) = (own, message.get_field_mut(&field)) {
                    *text = marked(text, &mark(own));
                }
            }
            _ => {}
        }
    }
}

fn descend(extension: &ExtensionDescriptor, value: &mut Value, category: Option<i32>) {
    if let Value::Message(inside) = value {
        walk(extension, inside, category);
    }
}

/// A mail address is marked at its front, everything else at its end, in a way that a name can have.
fn marked(text: &str, mark: &str) -> String {
    if text.contains('@') {
        return format!("{mark}-{text}");
    }
    let upper = mark.get(..1).unwrap_or_default().to_uppercase() + mark.get(1..).unwrap_or_default();
    if text.contains(' ') || text.ends_with('.') { format!("{text} {upper}") } else { format!("{text}-{upper}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_category_has_its_own_mark_and_is_found_by_it() {
        for category in Category::ALL {
            assert_eq!(marks_in(format!("x{}Y", mark(*category)).to_uppercase().as_bytes()), category.mask());
        }
        assert!(marks_in(b"zqxvw zqxvwzz").is_empty());
    }
}
