//! Names of files in an archive.

use std::{collections::BTreeSet, fmt, str::FromStr};

/// A name that every reader unpacks below the folder it was told to: relative, with `/`, without
/// `..`, empty parts or control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberName(String);

/// A name that no file in an archive may have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no name for a file in an archive")]
pub struct NameError(String);

impl FromStr for MemberName {
    type Err = NameError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let part = |part: &str| !part.is_empty() && part != "." && part != "..";
        let plain = |c: char| !c.is_control() && c != '\\' && c != ':';
        let fits = s.len() <= 1000 && s.split('/').all(part) && s.chars().all(plain);
        if fits { Ok(Self(s.to_owned())) } else { Err(NameError(s.chars().take(80).collect())) }
    }
}

impl MemberName {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    pub(crate) fn is_ascii(&self) -> bool {
        self.0.is_ascii()
    }
}

impl fmt::Display for MemberName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Tells whether no two names are the same to a file system that ignores case.
pub fn names_are_distinct<'a>(names: impl IntoIterator<Item = &'a MemberName>) -> bool {
    let mut seen = BTreeSet::new();
    names.into_iter().all(|name| seen.insert(name.0.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_escape_is_refused() {
        for name in ["", "/a", "a/", "a//b", "../a", "a/./b", "a\\b", "C:a", "a\nb"] {
            assert!(name.parse::<MemberName>().is_err(), "{name:?}");
        }
        for name in ["a", "a/b.csv", "187520/187520_2020-01-25_17#1.json.gz", "größe.csv"] {
            assert!(name.parse::<MemberName>().is_ok(), "{name:?}");
        }
    }

    #[test]
    fn a_name_has_a_thousand_bytes_at_most() {
        assert!("a".repeat(1000).parse::<MemberName>().is_ok());
        assert!("a".repeat(1001).parse::<MemberName>().is_err());
    }

    #[test]
    fn names_that_differ_in_case_only_collide() {
        let names: Vec<MemberName> = ["a.csv", "A.csv"].map(|n| n.parse().unwrap()).into();
        assert!(!names_are_distinct(&names));
        let names: Vec<MemberName> = ["a.csv", "b.csv"].map(|n| n.parse().unwrap()).into();
        assert!(names_are_distinct(&names));
    }
}
