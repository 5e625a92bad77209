// SPDX-FileCopyrightText: 2026 The Weiche authors
// SPDX-License-Identifier: EUPL-1.2

//! Checkpoints (c2sp.org/tlog-checkpoint v1.0.0): what a log says about itself at one size.

use std::fmt;
use std::str::FromStr;

use super::hash::Hash;

/// Origin, size and root of a log. `Display` gives the note text that is signed: three lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: the schema-less URL of the deployment, equal to the name of its key.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// The root hash of the tree over them.
    pub root: Hash,
}

/// Why a note text is not a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a checkpoint: {0}")]
pub struct CheckpointError(&'static str);

impl FromStr for Checkpoint {
    type Err = CheckpointError;
    /// Accepts exactly three lines. Extension lines, which the specification allows but advises against, are refused: no cosignature vouches for them.
    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let body = text.strip_suffix('\n').ok_or(CheckpointError("it does not end in a newline"))?;
        let lines: Vec<_> = body.split('\n').collect();
        let [origin, size, root] = lines[..] else {
            return Err(CheckpointError("it must have three lines: origin, size and root"));
        };
        if origin.is_empty() || origin.chars().any(char::is_control) {
            return Err(CheckpointError("the origin must not be empty nor have control characters"));
        }
        Ok(Self {
            origin: origin.to_owned(),
            size: decimal(size).ok_or(CheckpointError("the size must be a decimal number without leading zeroes"))?,
            root: root.parse().map_err(|_| CheckpointError("the root must be a hash of 32 bytes in base64"))?,
        })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, self.root)
    }
}

/// A number as the C2SP formats write it: digits only, no leading zero.
pub(super) fn decimal(text: &str) -> Option<u64> {
    let number = text.parse::<u64>().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn the_example_of_the_specification_is_read_and_written_back() {
        let checkpoint: Checkpoint = TEXT.parse().unwrap();
        assert_eq!((checkpoint.origin.as_str(), checkpoint.size), ("example.com/behind-the-sofa", 20_852_163));
        assert_eq!(checkpoint.to_string(), TEXT);
    }

    #[test]
    fn there_is_one_spelling_of_each_checkpoint() {
        for wrong in [
            TEXT.trim_end(),
            &TEXT.replace("208", "0208"),
            &TEXT.replace("208", "+208"),
            &TEXT.replace("20852163", "18446744073709551616"),
            &TEXT.replace("q2I=", "q2J="),
            &TEXT.replace("example.com/behind-the-sofa", ""),
            &format!("{TEXT}an extension\n"),
            &format!("{TEXT}\n"),
            &TEXT.replace('\n', "\r\n"),
            "",
        ] {
            assert!(wrong.parse::<Checkpoint>().is_err(), "{wrong:?}");
        }
    }
}
