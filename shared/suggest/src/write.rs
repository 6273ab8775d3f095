//! Writes a catalog as TOML.

use std::{collections::BTreeMap, fmt::Write as _};

use export::TimeFormat;

use crate::{content::Format, dataset::Described, survey::Options, tenancy::Tenancy};

/// How wide a line of comment is.
const WIDTH: usize = 110;

/// Returns the text of a catalog.
pub(crate) fn catalog(datasets: &[Described], notes: &[String], options: &Options) -> String {
    let mut out = String::new();
    comment(
        &mut out,
        "A suggestion: read the comments, write your names, and check it with check_catalog.",
    );
    for note in notes {
        comment(&mut out, note);
    }
    if let Some(bucket) = &options.bucket {
        _ = writeln!(out, "\n[[bucket]]\nname = {}", quoted(&bucket.name.to_string()));
        let role = bucket.role.as_ref();
        for (key, value) in [
            ("region", bucket.region.as_ref()),
            ("role", role.map(|role| &role.arn)),
            ("external_id", role.and_then(|role| role.external_id.as_ref())),
        ] {
            if let Some(value) = value {
                _ = writeln!(out, "{key} = {}", quoted(value));
            }
        }
    }
    for dataset in datasets {
        out.push('\n');
        for note in &dataset.notes {
            comment(&mut out, note);
        }
        write_dataset(&mut out, dataset, options);
        write_table(&mut out, dataset);
    }
    out
}

fn write_dataset(out: &mut String, dataset: &Described, options: &Options) {
    let mut set = |key: &str, value: String| _ = writeln!(out, "{key} = {value}");
    set("[[dataset]]\nname", quoted(&dataset.name));
    if let Some(bucket) = &options.bucket {
        set("bucket", quoted(&bucket.name.to_string()));
    }
    set("path", quoted(&dataset.path));
    if let Some(zone) = dataset.zone {
        set("zone", quoted(zone));
    }
    set("time", quoted(&dataset.time));
    let format = match dataset.time_format {
        TimeFormat::Text => None,
        TimeFormat::Seconds => Some("seconds"),
        TimeFormat::Milliseconds => Some("milliseconds"),
        TimeFormat::Microseconds => Some("microseconds"),
        TimeFormat::Nanoseconds => Some("nanoseconds"),
    };
    if let Some(format) = format {
        set("time_format", quoted(format));
    }
    match &dataset.tenancy {
        Tenancy::Path(None) => {}
        Tenancy::Path(Some(names)) => set("workspace", format!("{{ names = {} }}", table(names))),
        Tenancy::One(name) => set("workspace", quoted(name)),
        Tenancy::Field(path, None) => set("workspace", format!("{{ field = {} }}", quoted(path))),
        Tenancy::Field(path, Some(names)) => {
            set("workspace", format!("{{ field = {}, names = {} }}", quoted(path), table(names)));
        }
    }
    for (key, hours) in [("early_hours", dataset.early_hours), ("late_hours", dataset.late_hours)] {
        if let Some(hours) = hours {
            set(key, hours.to_string());
        }
    }
    if let Some(compression) = dataset.compression {
        set("compression", quoted(compression));
    }
    write_format(out, &dataset.format);
}

/// Writes how records stand in objects.
fn write_format(out: &mut String, format: &Format) {
    let mut set = |key: &str, value: String| _ = writeln!(out, "{key} = {value}");
    match format {
        Format::Json { unwrap, records, .. } => {
            if *unwrap {
                set("unwrap", "true".to_owned());
            }
            if let Some(records) = records {
                set("records", quoted(records));
            }
        }
        Format::Parquet => set("format", quoted("parquet")),
        Format::Delimited { separator, names, types } => {
            set("format", quoted(if *separator == b'\t' { "tsv" } else { "csv" }));
            if !matches!(separator, b'\t' | b',') {
                set("separator", quoted(&char::from(*separator).to_string()));
            }
            let typed = |name: &String| match types.iter().find(|(known, _)| known == name) {
                Some((_, kind)) => format!("{name}:{kind}"),
                None => format!("{name}:string"),
            };
            // A name with a colon would be read as one with a type.
            let typed: Vec<String> = match names {
                Some(names) => names.iter().map(typed).collect(),
                None => types
                    .iter()
                    .map(|(name, _)| name)
                    .filter(|name| !name.contains(':'))
                    .map(typed)
                    .collect(),
            };
            if names.is_none() {
                set("header", "true".to_owned());
            }
            if !typed.is_empty() {
                let typed = typed.iter().map(|text| text.strip_suffix(":string").unwrap_or(text));
                set("columns", list(typed.map(quoted)));
            }
        }
    }
}

fn write_table(out: &mut String, dataset: &Described) {
    let columns = dataset.columns.iter().map(|column| match &column.path {
        Some(path) => format!(
            "{{ name = {}, path = {}, type = \"{}\" }}",
            quoted(&column.name),
            quoted(path),
            column.kind
        ),
        None if column.name.contains(':') => {
            format!("{{ name = {}, type = \"{}\" }}", quoted(&column.name), column.kind)
        }
        None if column.kind == "string" => quoted(&column.name),
        None => quoted(&format!("{}:{}", column.name, column.kind)),
    });
    let name = quoted(&dataset.name);
    _ = writeln!(out, "\n[[table]]\nname = {name}\ndataset = {name}\ncolumns = {}", list(columns));
}

/// Returns a list whose lines are not too long.
fn list(items: impl Iterator<Item = String>) -> String {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for item in items {
        if !line.is_empty() && line.len() + item.len() > WIDTH {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&item);
        line.push(',');
    }
    if lines.is_empty() {
        return format!("[{}]", line.trim_end_matches(','));
    }
    lines.push(line);
    format!("[\n{}]", lines.iter().map(|line| format!("    {line}\n")).collect::<String>())
}

fn table(names: &BTreeMap<String, String>) -> String {
    let names = names.iter().map(|(workspace, name)| format!("{workspace} = {}", quoted(name)));
    format!("{{ {} }}", names.collect::<Vec<_>>().join(", "))
}

/// Returns a text as TOML has it between quotes.
fn quoted(text: &str) -> String {
    // What JSON escapes, TOML does as well, and one character more.
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

/// Adds a sentence as lines of comment.
fn comment(out: &mut String, text: &str) {
    let plain: String = text.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    let mut line = String::from("#");
    for word in plain.split(' ') {
        if line.len() + word.len() > WIDTH && line.len() > 1 {
            _ = writeln!(out, "{line}");
            "#".clone_into(&mut line);
        }
        line.push(' ');
        line.push_str(word);
    }
    _ = writeln!(out, "{line}");
}
