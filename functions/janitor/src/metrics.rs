//! The metrics of a sweep, as a line of the log that AWS counts (embedded metric format).

use jiff::Timestamp;
use serde_json::{Value, json};
use service::Swept;

/// Returns the line that tells of a sweep of this function.
pub(crate) fn line(swept: Swept, function: &str, now: Timestamp) -> anyhow::Result<String> {
    let mut line =
        json!({ "_aws": { "Timestamp": now.as_millisecond() }, "FunctionName": function });
    let Value::Object(counts) = serde_json::to_value(swept)? else { return Ok(line.to_string()) };
    let metrics = counts.keys().map(|name| json!({ "Name": name, "Unit": "Count" }));
    line["_aws"]["CloudWatchMetrics"] = json!([{
        "Namespace": "Decant", "Dimensions": [["FunctionName"]], "Metrics": metrics.collect::<Vec<_>>(),
    }]);
    for (name, count) in counts {
        line[name] = count;
    }
    Ok(line.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sweep_is_told_in_the_embedded_metric_format() {
        let swept = Swept { due: 3, broken: 1, unreadable: 0 };
        let line: Value =
            serde_json::from_str(&line(swept, "janitor", Timestamp::UNIX_EPOCH).unwrap()).unwrap();
        assert_eq!(
            line,
            json!({
                "_aws": { "Timestamp": 0, "CloudWatchMetrics": [{
                    "Namespace": "Decant", "Dimensions": [["FunctionName"]], "Metrics": [
                        { "Name": "broken", "Unit": "Count" },
                        { "Name": "due", "Unit": "Count" },
                        { "Name": "unreadable", "Unit": "Count" },
                    ],
                }] },
                "FunctionName": "janitor", "due": 3, "broken": 1, "unreadable": 0,
            })
        );
    }
}
