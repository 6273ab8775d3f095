//! Named filters of a workspace, which other filters use as `$ID`.

use serde::{Deserialize, Serialize};

/// A filter with a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedFilter {
    /// The id, without the `$`.
    pub id: String,
    /// The display name.
    pub display_name: String,
    /// The text of the filter.
    pub value: String,
}

/// The most named filters of a workspace, and the most bytes of all of them together. A request whose filter
/// names one reads all of them.
pub const MAX_NAMED_FILTERS: usize = 200;
const MAX_NAMED_BYTES: usize = 1 << 20;
/// How many characters of a name go into its id, at most.
const MAX_ID_CHARS: usize = 100;

impl NamedFilter {
    /// Returns the id for a new filter: its name in capitals, with `_` for everything but letters and digits,
    /// and with a number from 2 on where `taken` is true of the id.
    pub fn id_for(display_name: &str, taken: impl Fn(&str) -> bool) -> String {
        let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let stem: String = display_name.trim().chars().take(MAX_ID_CHARS).map(letter).collect();
        let numbered = (2_u64..).map(|number| format!("{stem}_{number}"));
        let mut ids = std::iter::once(stem.clone()).chain(numbered);
        ids.find(|id| !taken(id)).unwrap_or(stem)
    }

    /// Whether a text has the form of an id.
    pub fn may_be_id(text: &str) -> bool {
        (1..=2 * MAX_ID_CHARS).contains(&text.len())
    }

    /// Whether these filters together stay within the bounds of a workspace.
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
