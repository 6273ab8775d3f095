//! Bodies, before they are parsed.

use std::{collections::HashSet, fmt};

use axum::http::{HeaderMap, header};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::Value;

/// Tells whether a request says that its body is JSON.
pub fn is_json(headers: &HeaderMap) -> bool {
    let kind =
        headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Returns how deep the objects and lists of a JSON text nest, without parsing it.
pub fn nesting(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Parses a JSON text. One with an object that has a field twice is refused, as it says two things and most
/// parsers silently take the last.
pub fn parse_json(json: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice::<FieldsOnce>(json)?;
    serde_json::from_slice(json)
}

/// Any JSON value none of whose objects has a field twice. It keeps nothing of it.
struct FieldsOnce;

impl<'de> Deserialize<'de> for FieldsOnce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for FieldsOnce {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Self, A::Error> {
        let mut seen = HashSet::new();
        while let Some((name, Self)) = object.next_entry::<String, Self>()? {
            if let Some(name) = seen.replace(name) {
                let name: String = name.chars().take(60).collect();
                let twice = format!("the field {name:?} is there twice, send it once,");
                return Err(A::Error::custom(twice));
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_says_each_thing_once() {
        for good in [r#"{"a":{"a":[{"b":1},{"b":2.5}]},"b":"a"}"#, "[null,true,-1,1e99,\"\"]", "{}"]
        {
            let parsed = parse_json(good.as_bytes()).unwrap();
            assert_eq!(parsed, serde_json::from_str::<Value>(good).unwrap());
        }
        for twice in [r#"{"a":1,"a":1}"#, r#"[{"b":{"a":1,"c":{},"\u0061":2}}]"#] {
            let error = parse_json(twice.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("the field \"a\" is there twice"), "{error}");
        }
        assert!(parse_json(b"{} x").is_err() && parse_json(b"").is_err());
    }

    #[test]
    fn brackets_in_strings_do_not_nest() {
        assert_eq!(nesting(br#"{"a":[1,{"b":"]]}}[[[\"[["}]}"#), 3);
        assert_eq!(nesting(b"1"), 0);
        assert_eq!(nesting("[".repeat(100_000).as_bytes()), 100_000);
    }

    #[test]
    fn a_media_type_may_have_parameters_and_any_case() {
        for (kind, json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/merge-patch+json", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().unwrap())]);
            assert_eq!(is_json(&headers), json, "{kind}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
