//! The identifiers everything else speaks in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An item-interest cluster's id, as the clusters file gives it (section 2.1: `c_i` of the set `C`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClusterId(pub u32);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a published table. It only grows; people see it as `v123`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionId(pub u64);

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "v{}", self.0)
    }
}

/// A version that is neither `v123` nor `123`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version: write it as v123 or 123")]
pub struct ParseVersionError(String);

impl FromStr for VersionId {
    type Err = ParseVersionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        number(text, 'v').map(VersionId).ok_or_else(|| ParseVersionError(text.to_owned()))
    }
}

/// The number of a tuned language model. It only grows; people see it as `m3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelId(pub u64);

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m{}", self.0)
    }
}

/// A model that is neither `m3` nor `3`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a model: write it as m3 or 3")]
pub struct ParseModelError(String);

impl FromStr for ModelId {
    type Err = ParseModelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        number(text, 'm').map(ModelId).ok_or_else(|| ParseModelError(text.to_owned()))
    }
}

fn number(text: &str, letter: char) -> Option<u64> {
    let digits = text.strip_prefix(letter).unwrap_or(text);
    digits.parse().ok().filter(|_| digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_read_as_people_write_them() {
        assert_eq!("v12".parse(), Ok(VersionId(12)));
        assert_eq!("12".parse(), Ok(VersionId(12)));
        for wrong in ["", "v", "vv1", "+1", "-1", "1.0", "99999999999999999999"] {
            assert!(wrong.parse::<VersionId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn models_read_as_people_write_them() {
        assert_eq!(("m12".parse(), "12".parse()), (Ok(ModelId(12)), Ok(ModelId(12))));
        for wrong in ["", "m", "v1", "+1", "1.0"] {
            assert!(wrong.parse::<ModelId>().is_err(), "{wrong}");
        }
    }
}
