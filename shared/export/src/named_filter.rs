//! Filters that users gave a name, to be used in others as `$ID`.

use serde::{Deserialize, Serialize};

/// A filter with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedFilter {
    /// What stands behind the `$`.
    pub id: String,
    /// What people call it.
    pub display_name: String,
    /// The filter.
    pub value: String,
}

/// The most characters of an id.
const LONGEST_ID: usize = 100;

impl NamedFilter {
    /// Returns the id of a new filter: its name in capitals, what is no letter or digit replaced by `_`,
    /// with a number from 2 where `taken` says so.
    pub fn id_for(display_name: &str, taken: impl Fn(&str) -> bool) -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let stem: String = display_name.trim().chars().take(LONGEST_ID).map(letter).collect();
        let numbered = (2_u64..).map(|number| format!("{stem}_{number}"));
        let mut ids = std::iter::once(stem.clone()).chain(numbered);
        ids.find(|id| !taken(id)).unwrap_or(stem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain_and_each_is_another() {
        let taken = ["NO_BLANK_QUERIES", "NO_BLANK_QUERIES_2"];
        let id = |name| NamedFilter::id_for(name, |id| taken.contains(&id));
        assert_eq!(id("Exclude pageview bots"), "EXCLUDE_PAGEVIEW_BOTS");
        assert_eq!(id(" No blank queries "), "NO_BLANK_QUERIES_3");
        assert_eq!(id("Québec"), "QU_BEC");
    }
}
