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

/// The most named filters of a workspace, and the most bytes of them together. A filter that names one
/// reads them all.
pub const MAX_NAMED_FILTERS: usize = 200;
const MAX_NAMED_BYTES: usize = 1 << 20;
/// The most characters of a name that are in an id.
const MAX_ID_CHARS: usize = 100;

impl NamedFilter {
    /// Returns the id of a new filter: its name in capitals, what is no letter or digit replaced by `_`,
    /// with a number from 2 where `taken` says so.
    pub fn id_for(display_name: &str, taken: impl Fn(&str) -> bool) -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let stem: String = display_name.trim().chars().take(MAX_ID_CHARS).map(letter).collect();
        let numbered = (2_u64..).map(|number| format!("{stem}_{number}"));
        let mut ids = std::iter::once(stem.clone()).chain(numbered);
        ids.find(|id| !taken(id)).unwrap_or(stem)
    }

    /// Whether a text may be an id: others are not looked up.
    pub fn may_be_id(text: &str) -> bool {
        (1..=2 * MAX_ID_CHARS).contains(&text.len())
    }

    /// Whether a workspace may have all of these.
    pub fn fit(filters: &[Self]) -> bool {
        let bytes: usize =
            filters.iter().map(|f| f.id.len() + f.display_name.len() + f.value.len()).sum();
        filters.len() <= MAX_NAMED_FILTERS && bytes <= MAX_NAMED_BYTES
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

    #[test]
    fn a_workspace_has_a_number_of_filters_of_a_length_together() {
        let filter = |bytes: usize| NamedFilter {
            id: "A".into(),
            display_name: "a".into(),
            value: "x".repeat(bytes - 2),
        };
        assert!(NamedFilter::fit(&vec![filter(2); MAX_NAMED_FILTERS]));
        assert!(!NamedFilter::fit(&vec![filter(2); MAX_NAMED_FILTERS + 1]));
        assert!(NamedFilter::fit(&vec![filter(1 << 16); 16]));
        assert!(!NamedFilter::fit(&[filter(1 << 20), filter(2)]));
        assert!(NamedFilter::may_be_id(&"x".repeat(200)));
        assert!(!NamedFilter::may_be_id(&"x".repeat(201)) && !NamedFilter::may_be_id(""));
    }
}
