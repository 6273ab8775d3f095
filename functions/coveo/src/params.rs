//! What a request says, from its query or its body, by the same names.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::error::ApiError;

/// The parameters that have one value. Others are lists, or are not known.
const SINGLE: [&str; 8] =
    ["org", "from", "to", "filename", "d", "format", "useDisplayNames", "redirect"];

/// Names and all their values, in order. Those that are blank are as good as not there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Params(BTreeMap<String, Vec<String>>);

impl Params {
    /// Reads a query. Only parameters that are lists may be there more than once.
    pub(crate) fn of_query(query: &str) -> Result<Self, ApiError> {
        let mut params = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            params.add(&name, value.into_owned());
        }
        match SINGLE.into_iter().find(|name| params.all(name).len() > 1) {
            Some(name) => Err(ApiError::parameter(format!("{name} is there twice. Send it once."))),
            None => Ok(params),
        }
    }

    /// Reads a JSON body whose fields are texts, lists of texts and truth values. `fields` are their
    /// names, and those that the same have in a query.
    pub(crate) fn of_body(body: &Value, fields: &[(&str, &str)]) -> Result<Self, ApiError> {
        let wrong = |name: &str, form: &str| {
            ApiError::bad("InvalidObject", format!("The field {name} must be {form}."))
        };
        let Value::Object(object) = body else {
            return Err(ApiError::bad("InvalidObject", "The body must be a JSON object."));
        };
        let mut params = Self::default();
        for (name, called) in fields {
            let list = matches!(*called, "f" | "fs" | "fc" | "dimensions" | "tables");
            match object.get(*name) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) if !list => params.add(called, text.clone()),
                Some(Value::Bool(value)) if *called == "useDisplayNames" => {
                    params.add(called, value.to_string());
                }
                Some(Value::Array(values)) if list => {
                    for value in values {
                        let text = value.as_str().ok_or_else(|| wrong(name, "a list of texts"))?;
                        params.add(called, text.to_owned());
                    }
                }
                Some(_) if list => return Err(wrong(name, "a list of texts")),
                Some(_) if *called == "useDisplayNames" => {
                    return Err(wrong(name, "true or false"));
                }
                Some(_) => return Err(wrong(name, "a text")),
            }
        }
        Ok(params)
    }

    fn add(&mut self, name: &str, value: String) {
        if !value.trim().is_empty() {
            self.0.entry(name.to_owned()).or_default().push(value);
        }
    }

    /// Returns all values of a name.
    pub(crate) fn all(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Returns the first value of a name.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.all(name).first().map(String::as_str)
    }

    /// Reads a truth value that may be missing.
    pub(crate) fn flag(&self, name: &str, default: bool) -> Result<bool, ApiError> {
        match self.one(name) {
            None => Ok(default),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(other) => Err(ApiError::parameter(format!(
                "{name} is {}, and must be true or false.",
                shown(other)
            ))),
        }
    }
}

/// What an answer repeats of a value that may be any length.
pub(crate) fn shown(value: &str) -> String {
    let short: String = value.chars().take(60).collect();
    format!("\"{short}{}\"", if short.len() < value.len() { "..." } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_however_it_is_encoded() {
        let params =
            Params::of_query("f=a+%3D%3D%27x%27&f=b&d=%C3%A9&org=&useDisplayNames=False").unwrap();
        assert_eq!(params.all("f"), ["a =='x'", "b"]);
        assert_eq!(params.one("d"), Some("é"));
        assert_eq!(params.one("org"), None);
        assert!(!params.flag("useDisplayNames", true).unwrap());
        assert!(Params::of_query("to=a&to=b").is_err());
        assert!(Params::of_query("x=1").unwrap().flag("x", true).is_err());
    }
}
