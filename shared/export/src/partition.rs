//! The folders of a dataset's objects, by hour or day.

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use crate::{Window, Workspace, time::floor};

/// A template of the prefixes that hold a dataset's objects.
///
/// Placeholders: `{workspace}`, `{yyyy}`, `{MM}`, `{dd}` and, where objects are filed by hour,
/// `{HH}`, all in UTC. Hive (`date={yyyy}-{MM}-{dd}/hour={HH}/`) and Firehose
/// (`{yyyy}/{MM}/{dd}/{HH}/`) layouts are both templates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionPath(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Workspace,
    Year,
    Month,
    Day,
    Hour,
}

/// The most partitions of one window: eleven years of hours, more than `MaxWindowDays` allows.
///
/// Requests are refused long before. This bound is for a window that nobody checked.
pub const MAX_PARTITIONS: i64 = 100_000;

/// A window that touches more than [`MAX_PARTITIONS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the window touches more than {MAX_PARTITIONS} partitions")]
pub struct TooManyPartitions;

/// The reason why a template is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PartitionPathError {
    /// A placeholder that does not exist.
    #[error(
        "{{{0}}} is no placeholder; there are {{workspace}}, {{yyyy}}, {{MM}}, {{dd}} and {{HH}}"
    )]
    Unknown(String),
    /// A brace without its partner.
    #[error("a '{{' or '}}' stands alone")]
    Unbalanced,
    /// It lacks a placeholder that tells one partition from another.
    #[error("the path must contain {{{0}}}")]
    Missing(&'static str),
    /// A prefix that would also match the neighbour's objects.
    #[error("the path must end in '/'")]
    OpenEnd,
}

impl PartitionPath {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, PartitionPathError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(open);
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let inner = from.strip_prefix('{').ok_or(PartitionPathError::Unbalanced)?;
            let (name, after) = inner.split_once('}').ok_or(PartitionPathError::Unbalanced)?;
            parts.push(match name {
                "workspace" => Part::Workspace,
                "yyyy" => Part::Year,
                "MM" => Part::Month,
                "dd" => Part::Day,
                "HH" => Part::Hour,
                other => return Err(PartitionPathError::Unknown(other.to_owned())),
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        let must = [
            (Part::Workspace, "workspace"),
            (Part::Year, "yyyy"),
            (Part::Month, "MM"),
            (Part::Day, "dd"),
        ];
        if let Some((_, name)) = must.iter().find(|(part, _)| !parts.contains(part)) {
            return Err(PartitionPathError::Missing(name));
        }
        if text.ends_with('/') { Ok(Self(parts)) } else { Err(PartitionPathError::OpenEnd) }
    }

    /// Returns the prefixes that may hold rows of `window`, in order of time, each with the beginning of its
    /// partition. Fails before the first one if there are more than [`MAX_PARTITIONS`].
    ///
    /// A row may have been filed `early` before its own time and `late` after it.
    pub fn partitions(
        &self,
        workspace: &Workspace,
        window: Window,
        (early, late): (SignedDuration, SignedDuration),
    ) -> Result<impl Iterator<Item = (Timestamp, String)>, TooManyPartitions> {
        let step = self.span();
        let last = window.to().saturating_add(late).unwrap_or(Timestamp::MAX);
        let from = window.from().saturating_sub(early).unwrap_or(Timestamp::MIN);
        let first = floor(from, step);
        let spans = last.duration_since(first).as_secs().checked_div(step.as_secs());
        if spans.is_none_or(|spans| spans > MAX_PARTITIONS) {
            return Err(TooManyPartitions);
        }
        let begins = std::iter::successors(Some(first), move |at| at.checked_add(step).ok());
        let begins = begins.take_while(move |at| *at < last);
        Ok(begins.map(|at| (at, self.prefix(workspace, at))))
    }

    /// Returns the length of one partition.
    pub fn span(&self) -> SignedDuration {
        SignedDuration::from_hours(if self.0.contains(&Part::Hour) { 1 } else { 24 })
    }

    /// Returns one prefix for each day, which may hold other rows, too, for listings with fewer requests.
    pub fn day_prefixes(
        &self,
        workspace: &Workspace,
        window: Window,
        filed: (SignedDuration, SignedDuration),
    ) -> Result<Vec<String>, TooManyPartitions> {
        let day = self.0.iter().position(|part| *part == Part::Hour).unwrap_or(self.0.len());
        let below =
            |parts: &[Part]| [Part::Year, Part::Month, Part::Day].iter().all(|p| parts.contains(p));
        let parts = if below(&self.0[..day]) { &self.0[..day] } else { &self.0[..] };
        let mut prefixes: Vec<String> = self
            .partitions(workspace, window, filed)?
            .map(|(at, _)| written(parts, workspace, at))
            .collect();
        prefixes.dedup();
        Ok(prefixes)
    }

    /// Returns the prefix of the partition that holds `at`.
    pub fn prefix(&self, workspace: &Workspace, at: Timestamp) -> String {
        written(&self.0, workspace, at)
    }
}

/// Whether a key below a partition's prefix is hidden and has no data: by a convention of Hadoop, the name
/// of such a file or folder begins with `_` or `.`.
pub fn is_hidden(below: &str) -> bool {
    below.split('/').any(|name| name.starts_with(['_', '.']))
}

fn written(parts: &[Part], workspace: &Workspace, at: Timestamp) -> String {
    let at = at.to_zoned(TimeZone::UTC).datetime();
    parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Workspace => workspace.to_string(),
            Part::Year => format!("{:04}", at.year()),
            Part::Month => format!("{:02}", at.month()),
            Part::Day => format!("{:02}", at.day()),
            Part::Hour => format!("{:02}", at.hour()),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of rows that are filed at their own time.
    const NEVER: (SignedDuration, SignedDuration) = (SignedDuration::ZERO, SignedDuration::ZERO);

    fn window(from: &str, to: &str) -> Window {
        Window::new(from.parse().unwrap(), to.parse().unwrap()).unwrap()
    }

    fn prefixes(path: &PartitionPath, asked: Window, late: SignedDuration) -> Vec<String> {
        let acme = "acme".parse().unwrap();
        let partitions = path.partitions(&acme, asked, (SignedDuration::ZERO, late)).unwrap();
        partitions.map(|(_, prefix)| prefix).collect()
    }

    #[test]
    fn hive_and_firehose_layouts_are_both_templates() {
        let asked = window("2026-02-28T23:10:00Z", "2026-03-01T00:00:00.000001Z");

        for (template, want) in [
            (
                "e/w={workspace}/d={yyyy}-{MM}-{dd}/h={HH}/",
                vec!["e/w=acme/d=2026-02-28/h=23/", "e/w=acme/d=2026-03-01/h=00/"],
            ),
            ("{workspace}/{yyyy}/{MM}/{dd}/", vec!["acme/2026/02/28/", "acme/2026/03/01/"]),
        ] {
            let path = PartitionPath::parse(template).unwrap();
            assert_eq!(prefixes(&path, asked, SignedDuration::ZERO), want);
        }
    }

    #[test]
    fn an_hour_that_ends_the_window_is_not_opened_unless_rows_come_late() {
        let path = PartitionPath::parse("{workspace}/{yyyy}{MM}{dd}{HH}/").unwrap();
        let asked = window("2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z");

        assert_eq!(prefixes(&path, asked, SignedDuration::ZERO), ["acme/2026030100/"]);
        assert_eq!(
            prefixes(&path, asked, SignedDuration::from_hours(1)),
            ["acme/2026030100/", "acme/2026030101/"]
        );
        let early = (SignedDuration::from_mins(1), SignedDuration::ZERO);
        let acme = "acme".parse().unwrap();
        let mut partitions = path.partitions(&acme, asked, early).unwrap();
        assert_eq!(partitions.next().unwrap().1, "acme/2026022823/");
    }

    #[test]
    fn days_are_fewer_prefixes_than_hours() {
        let acme = "acme".parse().unwrap();
        let asked = window("2026-02-28T00:00:00Z", "2026-03-02T01:00:00Z");
        for (template, want) in [
            (
                "{workspace}/d={yyyy}-{MM}-{dd}/h={HH}/",
                vec!["acme/d=2026-02-28/h=", "acme/d=2026-03-01/h=", "acme/d=2026-03-02/h="],
            ),
            (
                "{workspace}/{yyyy}/{MM}/{dd}/",
                vec!["acme/2026/02/28/", "acme/2026/03/01/", "acme/2026/03/02/"],
            ),
        ] {
            let path = PartitionPath::parse(template).unwrap();
            assert_eq!(path.day_prefixes(&acme, asked, NEVER).unwrap(), want);
        }
    }

    #[test]
    fn a_window_that_nobody_checked_is_not_listed() {
        let path = PartitionPath::parse("{workspace}/{yyyy}{MM}{dd}{HH}/").unwrap();
        let acme = "acme".parse().unwrap();
        let hours = |hours: i64| {
            let from = Timestamp::UNIX_EPOCH;
            let to = from + SignedDuration::from_hours(hours);
            let asked = Window::new(from, to).unwrap();
            path.partitions(&acme, asked, NEVER).map(Iterator::count)
        };
        assert_eq!(hours(MAX_PARTITIONS), Ok(100_000));
        assert_eq!(hours(MAX_PARTITIONS + 1), Err(TooManyPartitions));
        let ever = Window::new(Timestamp::MIN, Timestamp::MAX).unwrap();
        assert_eq!(
            path.day_prefixes(&acme, ever, (SignedDuration::MAX, SignedDuration::MAX)),
            Err(TooManyPartitions)
        );
    }

    #[test]
    fn what_programs_leave_behind_is_hidden() {
        for name in [
            "_SUCCESS",
            "_committed_1",
            ".part-0.gz.crc",
            "_temporary/0/part-0.gz",
            "a/.b/c",
            ".DS_Store",
        ] {
            assert!(is_hidden(name), "{name}");
        }
        for name in ["part_0.json.gz", "a/b.c/d_e", "date=1/part-0.json"] {
            assert!(!is_hidden(name), "{name}");
        }
    }

    #[test]
    fn a_template_that_could_mix_workspaces_or_hours_is_refused() {
        use PartitionPathError::{Missing, OpenEnd, Unbalanced, Unknown};
        for (template, want) in [
            ("{yyyy}/{MM}/{dd}/", Missing("workspace")),
            ("{workspace}/{yyyy}/{MM}/{dd}", OpenEnd),
            ("{workspace}/{year}/", Unknown("year".into())),
            ("{workspace}/{yyyy}/{MM}/{dd/", Unbalanced),
            ("{workspace}}/", Unbalanced),
        ] {
            assert_eq!(PartitionPath::parse(template), Err(want), "{template}");
        }
    }
}
