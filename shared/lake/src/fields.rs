//! Finds fields of a JSON object without building a tree. Values are slices of the row.

use std::fmt;

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::{error::Category, value::RawValue};

use crate::{names::Names, scan::scan, text::text_of};

/// How many values need no allocation.
const NEAR: usize = 16;

/// Memory for the fields of a row, on the stack if they are few.
#[derive(Debug, Default)]
pub(crate) struct FieldBuffer<'a> {
    near: [Option<&'a str>; NEAR],
    far: Vec<Option<&'a str>>,
}

impl<'a> FieldBuffer<'a> {
    fn of(&mut self, len: usize) -> &mut [Option<&'a str>] {
        if len <= NEAR {
            return &mut self.near[..len];
        }
        self.far.resize(len, None);
        &mut self.far
    }
}

/// Returns the values of `names` in the object `json`, none where it is missing. Of two fields with
/// one name the last counts. The whole of `json` is checked to be one JSON object. `buffer`
/// has to be new.
pub(crate) fn fields<'a, 'r>(
    json: &'a str,
    names: &Names,
    buffer: &'r mut FieldBuffer<'a>,
) -> Result<&'r [Option<&'a str>], String> {
    let found = buffer.of(names.len());
    if !scan(json, names, found) {
        parse(json, names, found).map_err(|e| reason(&e))?;
    }
    Ok(found)
}

/// Says why a text is not one JSON object, without repeating any of it.
fn reason(error: &serde_json::Error) -> String {
    match error.classify() {
        // What serde says of a value of another type repeats the value.
        Category::Data => "it is JSON, but not an object".to_owned(),
        Category::Syntax | Category::Eof | Category::Io => {
            format!("it is not one JSON object: {error}")
        }
    }
}

/// One step of a path.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly all are names, which a box would put further away"
)]
pub(crate) enum PathStep {
    /// To a field of an object.
    Name(Names),
    /// To an element of a list, counted from 0.
    Index(usize),
}

impl PathStep {
    /// Tells whether a value is of the kind that the step leads into.
    fn leads_into(&self, value: &str) -> bool {
        value.starts_with(match self {
            Self::Name(_) => '{',
            Self::Index(_) => '[',
        })
    }
}

/// Returns what `path` leads to from `value`; `None` where a field or an element is missing.
pub(crate) fn descend<'a>(value: &'a str, path: &[PathStep]) -> Option<&'a str> {
    let mut value = value;
    for step in path {
        if !step.leads_into(value) {
            return None;
        }
        value = match step {
            PathStep::Name(name) => {
                (*fields(value, name, &mut FieldBuffer::default()).ok()?.first()?)?
            }
            PathStep::Index(index) => element(value, *index)?,
        };
    }
    Some(value)
}

/// Returns an element of a list; `None` if it has not so many.
fn element(list: &str, index: usize) -> Option<&str> {
    struct Nth(usize);

    impl<'de> Visitor<'de> for Nth {
        type Value = Option<&'de RawValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            for _ in 0..self.0 {
                list.next_element::<IgnoredAny>()?;
            }
            let found = list.next_element()?;
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(found)
        }
    }

    serde_json::Deserializer::from_str(list).deserialize_seq(Nth(index)).ok()?.map(RawValue::get)
}

/// Tells whether `path` ends before something that it does not lead into, and that is not nothing. Where nothing is in
/// it, some programs cannot tell a list from an object.
pub(crate) fn is_blocked(value: &str, path: &[PathStep]) -> bool {
    path.iter().enumerate().any(|(len, step)| {
        descend(value, &path[..len])
            .is_some_and(|value| !step.leads_into(value) && value != "null" && !is_empty(value))
    })
}

/// Tells whether a list or an object has nothing in it.
pub(crate) fn is_empty(json: &str) -> bool {
    let inside = |open, close| json.strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
    inside('[', ']').or_else(|| inside('{', '}')).is_some_and(|inside| inside.trim().is_empty())
}

/// As [`scan`], for every row, and with a reason why one is not JSON.
fn parse<'a>(
    json: &'a str,
    names: &Names,
    found: &mut [Option<&'a str>],
) -> serde_json::Result<()> {
    found.fill(None);
    let mut json = serde_json::Deserializer::from_str(json);
    json.deserialize_map(Fields { names, found })?;
    json.end()
}

struct Fields<'n, 'f, 'a> {
    names: &'n Names,
    found: &'f mut [Option<&'a str>],
}

impl<'de> Visitor<'de> for Fields<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(index) = map.next_key_seed(Name(self.names))? {
            match index {
                Some(index) => self.found[index] = Some(map.next_value::<&RawValue>()?.get()),
                None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }
}

/// Reads a key as its place among the names.
struct Name<'n>(&'n Names);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let key = text_of(<&RawValue>::deserialize(deserializer)?.get());
        // A key that is not Unicode is valid JSON, and no name that a catalog could have.
        Ok(if key.is_unicode { self.0.index_of(key.text.as_bytes()) } else { None })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    const NAMES: [&str; 3] = ["a", "b", "ä\""];

    fn names() -> Names {
        Names::new(NAMES.map(str::to_owned).into())
    }

    #[test]
    fn escapes_duplicates_and_nesting_do_not_confuse_it() {
        let row =
            r#"{"x":{"a":1},"a":1,"\u00e4\"":[1, 2 ],"s":"\"b\":2","a":12345678901234567890}"#;
        let mut buffer = FieldBuffer::default();
        let found = fields(row, &names(), &mut buffer).unwrap();
        assert_eq!(found, [Some("12345678901234567890"), None, Some("[1, 2 ]")]);

        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(110), "]".repeat(110));
        let found = fields(&deep, &names(), &mut FieldBuffer::default()).unwrap()[0];
        assert_eq!(found.map(str::len), Some(221));
    }

    #[test]
    fn a_name_that_is_not_unicode_hides_no_other() {
        for row in [r#"{"a":1,"\ud83d":2}"#, r#"{"\ud83d":{"\ude00":2},"\u0061":1}"#] {
            assert_eq!(
                fields(row, &names(), &mut FieldBuffer::default()).unwrap()[0],
                Some("1"),
                "{row}"
            );
        }
        let below = r#"{"plan":"gold","\ud83d":1}"#;
        assert_eq!(
            descend(below, &[PathStep::Name(Names::new(vec!["plan".to_owned()]))]),
            Some("\"gold\"")
        );
    }

    #[test]
    fn a_path_is_blocked_by_what_is_neither_an_object_nor_nothing() {
        let path = ["a", "b"].map(|name| PathStep::Name(Names::new(vec![name.to_owned()])));
        for (json, want) in [
            (r#"{"a":{"b":1}}"#, false),
            (r#"{"a":{}}"#, false),
            (r#"{"a":[ ]}"#, false),
            (r#"{"a":null}"#, false),
            ("{}", false),
            ("[]", false),
            (r#"{"a":"b"}"#, true),
            (r#"{"a":[{"b":1}]}"#, true),
            (r#""{}""#, true),
            ("0", true),
        ] {
            assert_eq!(is_blocked(json, &path), want, "{json}");
        }
        assert!(!is_blocked("0", &[]));
    }

    #[test]
    fn an_index_is_an_element_of_a_list() {
        let name = PathStep::Name(Names::new(vec!["a".to_owned()]));
        let path = [name, PathStep::Index(1), PathStep::Index(0)];
        for (json, found, blocked) in [
            (r#"{"a":[0,["x",1],2]}"#, Some("\"x\""), false),
            (r#"{"a":[0]}"#, None, false),
            (r#"{"a":[0,{"b":1}]}"#, None, true),
            (r#"{"a":{"1":[2]}}"#, None, true),
            (r#"{"a":null}"#, None, false),
        ] {
            assert_eq!((descend(json, &path), is_blocked(json, &path)), (found, blocked), "{json}");
        }
    }

    #[test]
    fn a_reason_repeats_nothing_of_what_it_is_about() {
        for row in
            ["\"card 4111\"", "[\"card 4111\"]", "4111", "{\"card\":\"4111\",x}", "card 4111"]
        {
            let reason = fields(row, &names(), &mut FieldBuffer::default()).unwrap_err();
            assert!(!reason.contains("card") && !reason.contains("4111"), "{reason}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for row in ["", "[]", "1", "{", "{}{}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{\"x\":\"\n\"}"]
        {
            assert!(fields(row, &names(), &mut FieldBuffer::default()).is_err(), "{row}");
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_tree(row in prop::collection::hash_map("[abä\"]{0,2}", "[a-z\\\\\"\n]{0,5}", 0..6)) {
            let text = serde_json::to_string(&row).unwrap();
            let tree: Value = serde_json::from_str(&text).unwrap();
            for (name, value) in NAMES.iter().zip(fields(&text, &names(), &mut FieldBuffer::default()).unwrap()) {
                let value: Option<Value> = value.map(|text| serde_json::from_str(text).unwrap());
                prop_assert_eq!(value.as_ref(), tree.get(name));
            }
        }
    }
}
