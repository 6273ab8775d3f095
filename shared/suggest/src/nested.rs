//! Records that are the elements of lists inside of a value.

use serde_json::Value;

use crate::content::{Record, has_time};

/// How deep lists are looked for.
const MAX_DEPTH: usize = 5;
/// The most records that are taken from lists.
const MAX_RECORDS: usize = 300;

/// Returns the records inside of values and the path that leads there, if values themselves have no time and elements
/// of a list have one.
pub(crate) fn records(values: Vec<Record>) -> (Option<String>, Vec<Record>) {
    if values.iter().any(has_time) {
        return (None, values);
    }
    let Some(path) = values.iter().find_map(|value| path(&value.0, MAX_DEPTH)) else {
        return (None, values);
    };
    let mut found = Vec::new();
    for value in &values {
        elements(&value.0, &path, &mut found);
    }
    (Some(path.concat()), found)
}

/// Returns the steps to the outermost list whose elements have a time, each as `name[]` or `name.`.
fn path(fields: &[(String, Value)], depth: usize) -> Option<Vec<String>> {
    if depth == 0 {
        return None;
    }
    let plain = |name: &str| !name.is_empty() && !name.contains(['.', '[', ']', '{', '}', '"']);
    fields.iter().filter(|(name, _)| plain(name)).find_map(|(name, value)| match value {
        Value::Array(elements) => {
            let first = record(elements.first()?)?;
            if has_time(&first) {
                return Some(vec![format!("{name}[]")]);
            }
            let rest = path(&first.0, depth - 1)?;
            Some([vec![format!("{name}[].")], rest].concat())
        }
        Value::Object(_) => {
            let rest = path(&record(value)?.0, depth - 1)?;
            Some([vec![format!("{name}.")], rest].concat())
        }
        _ => None,
    })
}

fn record(value: &Value) -> Option<Record> {
    let fields = value.as_object()?;
    Some(Record(fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect()))
}

fn elements(fields: &[(String, Value)], path: &[String], found: &mut Vec<Record>) {
    let Some((step, rest)) = path.split_first() else { return };
    let name = step.trim_end_matches('.').trim_end_matches("[]");
    let Some((_, value)) = fields.iter().find(|(known, _)| known == name) else { return };
    let inside = match value {
        Value::Array(elements) => &elements[..],
        other => std::slice::from_ref(other),
    };
    for record in inside.iter().filter_map(record) {
        if found.len() >= MAX_RECORDS {
            return;
        }
        if rest.is_empty() { found.push(record) } else { elements(&record.0, rest, found) }
    }
}
