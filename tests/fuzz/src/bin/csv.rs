//! Rows of any JSON: another parser reads their cells back.
#![no_main]

use export::Format;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: (String, String, String)| {
    // Two cells of any text, or of any JSON if the third is some.
    let (first, second, json) = data;
    let json = if serde_json::from_str::<Value>(&json).is_ok() { json } else { "null".to_owned() };
    let row = format!("{{\"a\":{},\"b\":{json},\"t\":1}}\n", Value::from(first.as_str()));
    let other = format!("{{\"b\":{},\"t\":\"2\"}}\n", Value::from(second.as_str()));
    let row = row.replace('\n', " ").trim_end().to_owned() + "\n";
    let out = fuzz::pour("a.json", (row + &other).as_bytes(), Format::Csv, false).unwrap();

    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .terminator(csv::Terminator::Any(b'\n'))
        .from_reader(&out.content[..]);
    let read: Vec<Vec<String>> =
        reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
    assert_eq!(read[0], fuzz::COLUMNS);
    assert_eq!((out.rows, out.bad_rows, read.len()), (2, 0, 3));
    assert_eq!((&read[1][0], &read[1][2]), (&first, &"1".to_owned()));
    assert_eq!((&read[2][0], &read[2][1], &read[2][2]), (&String::new(), &second, &"2".to_owned()));
    match serde_json::from_str::<Value>(&json.replace('\n', " ")).unwrap() {
        Value::Null => assert_eq!(read[1][1], ""),
        Value::String(text) => assert_eq!(read[1][1], text),
        other => assert_eq!(serde_json::from_str::<Value>(&read[1][1]).unwrap(), other),
    }
});
