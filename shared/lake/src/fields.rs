//! Fields of a JSON object, found without building a tree. Values are slices of the row.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Returns the values of `names` in the object `json`, none where it is missing. Of two fields with
/// one name the last counts. The whole of `json` is checked to be one JSON object.
pub(crate) fn fields<'a>(
    json: &'a str,
    names: &[String],
) -> serde_json::Result<Vec<Option<&'a RawValue>>> {
    let mut json = serde_json::Deserializer::from_str(json);
    let found = json.deserialize_map(Fields(names))?;
    json.end()?;
    Ok(found)
}

/// Returns what `path` leads to from `value`; none where a name is missing or stands in no object.
pub(crate) fn descend<'a>(value: &'a RawValue, path: &[String]) -> Option<&'a RawValue> {
    let mut value = value;
    for name in path {
        let found = fields(value.get(), std::slice::from_ref(name)).ok()?;
        value = found.into_iter().next()??;
    }
    Some(value)
}

struct Fields<'n>(&'n [String]);

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Vec<Option<&'de RawValue>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = vec![None; self.0.len()];
        while let Some(index) = map.next_key_seed(Name(self.0))? {
            match index {
                Some(index) => found[index] = Some(map.next_value::<&RawValue>()?),
                None => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        Ok(found)
    }
}

/// Reads a key as its place among the names.
struct Name<'n>(&'n [String]);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|name| name == key))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn names() -> Vec<String> {
        ["a", "b", "ä\""].map(str::to_owned).into()
    }

    #[test]
    fn escapes_duplicates_and_nesting_do_not_confuse_it() {
        let row =
            r#"{"x":{"a":1},"a":1,"\u00e4\"":[1, 2 ],"s":"\"b\":2","a":12345678901234567890}"#;
        let found: Vec<_> =
            fields(row, &names()).unwrap().into_iter().map(|v| v.map(RawValue::get)).collect();
        assert_eq!(found, [Some("12345678901234567890"), None, Some("[1, 2 ]")]);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for row in ["", "[]", "1", "{", "{}{}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "{\"x\":\"\n\"}"]
        {
            assert!(fields(row, &names()).is_err(), "{row}");
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_a_tree(row in prop::collection::hash_map("[abä\"]{0,2}", "[a-z\\\\\"\n]{0,5}", 0..6)) {
            let text = serde_json::to_string(&row).unwrap();
            let tree: Value = serde_json::from_str(&text).unwrap();
            let names = names();
            for (name, value) in names.iter().zip(fields(&text, &names).unwrap()) {
                let value: Option<Value> = value.map(|v| serde_json::from_str(v.get()).unwrap());
                prop_assert_eq!(value.as_ref(), tree.get(name));
            }
        }
    }
}
