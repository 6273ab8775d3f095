//! Parameters of the queries of the native API.

use export::{Fault, Faults};
use serde_json::{Value, json};

/// Returns the parameters of a query that are `known`, each once, and adds a fault for every other.
pub fn parameters(
    query: &str,
    known: &[&'static str],
    faults: &mut Faults,
) -> Vec<(&'static str, String)> {
    let mut found: Vec<(&'static str, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let Some(name) = known.iter().find(|known| **known == name) else {
            let unknown = Fault::new("unknown_parameter", "", "There is no such parameter.");
            let unknown = unknown.value(&Value::from(&*name));
            faults.push(unknown.suggest(&name, known.iter().copied()).allowed(known));
            continue;
        };
        if found.iter().any(|(before, _)| before == name) {
            let detail = "This parameter is there twice. Send it once.";
            let repeated = Fault::new("repeated_parameter", *name, detail);
            faults.push(repeated.value(&Value::from(&*value)));
            continue;
        }
        found.push((name, value.into_owned()));
    }
    found
}

/// Reads the parameter `name`, which says how many of `what` an answer may have, or adds a fault.
pub fn limit(
    (name, value): (&'static str, &str),
    most: usize,
    what: &str,
    faults: &mut Faults,
) -> Option<usize> {
    let read = value.parse().ok().filter(|limit| (1..=most).contains(limit));
    if read.is_none() {
        let detail = format!("This is a number of {what}.");
        let wrong = Fault::new("wrong_limit", name, detail).value(&Value::from(value));
        faults.push(wrong.allowed(json!({ "least": 1, "most": most })));
    }
    read
}

/// Says what is wrong with a cursor that no page gave.
pub fn wrong_cursor(value: &str) -> Fault {
    let detail = "Send next_cursor as the page before gave it, or leave it out.";
    Fault::new("wrong_cursor", "cursor", detail).value(&Value::from(value))
}
