// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Entry bundles (c2sp.org/tlog-tiles): up to 256 entries in one file, each with its length in front as a big-endian 16-bit number.

/// The longest entry the format can carry, in bytes.
pub const MAX_ENTRY: usize = u16::MAX as usize;

/// Why bytes are not an entry or a bundle of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The entry does not fit the 16-bit length.
    #[error("an entry of {0} bytes is longer than the {MAX_ENTRY} bytes that the format can carry")]
    TooLong(usize),
    /// The bytes end inside an entry, or before it.
    #[error("entry {0} of the bundle is cut off")]
    CutOff(usize),
    /// There are bytes after the last entry.
    #[error("{0} bytes follow the last entry of the bundle")]
    Trailing(usize),
}

/// Appends one entry to a bundle.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), BundleError> {
    let length = u16::try_from(entry.len()).map_err(|_| BundleError::TooLong(entry.len()))?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// The entries of a bundle that must hold exactly `width` of them.
pub fn entries(bundle: &[u8], width: u16) -> Result<Vec<&[u8]>, BundleError> {
    let mut rest = bundle;
    let mut entries = Vec::with_capacity(usize::from(width));
    for position in 0..usize::from(width) {
        let cut = BundleError::CutOff(position);
        let (length, after) = rest.split_first_chunk::<2>().ok_or(cut)?;
        let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length))).ok_or(cut)?;
        entries.push(entry);
        rest = after;
    }
    if rest.is_empty() { Ok(entries) } else { Err(BundleError::Trailing(rest.len())) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_entry_of_65_535_bytes_fits_and_one_more_does_not() {
        let mut bundle = Vec::new();
        assert_eq!(push_entry(&mut bundle, &vec![7; 65_536]), Err(BundleError::TooLong(65_536)));
        push_entry(&mut bundle, &vec![7; 65_535]).unwrap();
        assert_eq!(entries(&bundle, 1).unwrap(), [vec![7; 65_535]]);
        assert_eq!(entries(&bundle, 2), Err(BundleError::CutOff(1)));
        assert_eq!(entries(&bundle, 0), Err(BundleError::Trailing(65_537)));
    }

    proptest! {
        #[test]
        fn what_was_bundled_is_read_back(list in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..=256)) {
            let mut bundle = Vec::new();
            for entry in &list {
                push_entry(&mut bundle, entry).unwrap();
            }
            prop_assert_eq!(entries(&bundle, u16::try_from(list.len()).unwrap()).unwrap(), list);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes: Vec<u8>, width in 0_u16..=256) {
            let _ = entries(&bytes, width);
        }
    }
}
