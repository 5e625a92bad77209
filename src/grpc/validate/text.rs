// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! The well-known string formats.

/// RFC 9562 in its usual spelling: 8-4-4-4-12 hexadecimal digits of either case.
pub(super) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(i, b)| match i {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        })
}

/// RFC 1034 and 1123: labels of 1 to 63 letters, digits and inner hyphens, 253 characters in all, a last dot allowed, the last label not a number.
pub(super) fn is_hostname(text: &str) -> bool {
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |l: &str| {
        (1..=63).contains(&l.len()) && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') && !l.starts_with('-') && !l.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label) && name.rsplit('.').next().is_some_and(|last| !last.bytes().all(|b| b.is_ascii_digit()))
}

/// The pragmatic form of HTML: an unquoted local part, one `@`, a host name.
pub(super) fn is_email(text: &str) -> bool {
    let local = |b: u8| b.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&b);
    text.split_once('@')
        .is_some_and(|(user, host)| (1..=64).contains(&user.len()) && user.bytes().all(local) && !host.ends_with('.') && is_hostname(host))
}

/// RFC 3986, section 3, as far as characters go: a scheme, a colon, then URI characters with whole percent escapes.
pub(super) fn is_uri(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    let scheme_fits =
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let mut bytes = rest.bytes();
    let mut rest_fits = true;
    while let Some(b) = bytes.next() {
        rest_fits &= match b {
            b'%' => bytes.next().is_some_and(|h| h.is_ascii_hexdigit()) && bytes.next().is_some_and(|h| h.is_ascii_hexdigit()),
            _ => b.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=".contains(&b),
        };
    }
    scheme_fits && rest_fits && rest.matches('#').count() <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_accept_what_their_rfc_accepts() {
        for good in ["0193b2c4-7d1e-4a6b-9c3d-0123456789ab", "0193B2C4-7D1E-4A6B-9C3D-0123456789AB"] {
            assert!(is_uuid(good), "{good}");
        }
        for bad in ["", "0193b2c47d1e4a6b9c3d0123456789ab", "{0193b2c4-7d1e-4a6b-9c3d-012345678ab}", "0193b2c4-7d1e-4a6b-9c3d-0123456789ag"] {
            assert!(!is_uuid(bad), "{bad}");
        }
        for good in ["example.invalid", "a-b.example.invalid.", "xn--bcher-kva.example.invalid", "1a"] {
            assert!(is_hostname(good), "{good}");
        }
        for bad in ["", ".", "a..b", "-a.b", "a-.b", "a_b", "ü.invalid", "1.2.3.4", &"a.".repeat(200)] {
            assert!(!is_hostname(bad), "{bad}");
        }
        for good in ["beratung@example.invalid", "a.b+c@x1.example.invalid"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["", "@", "a@", "@b", "a@b@c", "a b@c.invalid", "ä@c.invalid", "a@b.invalid."] {
            assert!(!is_email(bad), "{bad}");
        }
        for good in ["https://example.invalid/a?b=%20#c", "urn:xoev-de:kosit:codeliste:x", "spiffe://weiche.example.invalid/operator/a/admin"] {
            assert!(is_uri(good), "{good}");
        }
        for bad in ["", "example.invalid", ":x", "1a:b", "a:b c", "a:%2", "a:%zz", "a:ü", "a:#b#c"] {
            assert!(!is_uri(bad), "{bad}");
        }
    }
}
