//! Workspaces: the tenants of a deployment.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::checked::checked_text;

/// The name of a workspace: 1 to 63 of `a-z`, `0-9`, `-` and `_`, the first a letter or digit.
///
/// Safe in object keys, URLs and record keys once built. It comes from a credential, never from a
/// path or a body.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Workspace(String);

/// The text cannot be the name of a workspace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a workspace is 1 to 63 of a-z, 0-9, '-' and '_', the first a letter or a digit; got {0:?}"
)]
pub struct WorkspaceError(String);

impl FromStr for Workspace {
    type Err = WorkspaceError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = s.as_bytes();
        let fits = (1..=63).contains(&bytes.len())
            && plain(bytes[0])
            && bytes.iter().all(|&b| plain(b) || b == b'-' || b == b'_');
        if fits {
            Ok(Self(s.to_owned()))
        } else {
            Err(WorkspaceError(s.chars().take(80).collect()))
        }
    }
}

checked_text!(Workspace, WorkspaceError);

impl AsRef<str> for Workspace {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_leave_its_folder_is_no_workspace() {
        for name in ["", "..", "a/b", "A", "-a", "a b", "ä", &"a".repeat(64)] {
            assert!(name.parse::<Workspace>().is_err(), "{name}");
        }
        for name in ["a", "acme-2", "0_x", &"a".repeat(63)] {
            assert_eq!(name.parse::<Workspace>().unwrap().as_ref(), name);
        }
    }
}
