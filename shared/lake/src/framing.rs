//! How records are found in the content of an object.

use export::{Dataset, Delimited, JsonFormat, RecordFormat};

use crate::{
    explode::Explode,
    fields::{FieldBuffer, fields},
    names::Names,
    text::text_of,
};

/// How records are found in the content of an object.
#[derive(Debug)]
pub(crate) enum Framing {
    /// Each JSON value is a record.
    Plain,
    /// Records are inside of JSON values.
    Nested(Box<Nesting>),
    /// Records are lines of fields.
    Delimited(Delimited),
}

/// Where records are inside of a JSON value.
#[derive(Debug)]
pub(crate) struct Nesting {
    /// Whether the value is a string that has JSON text.
    unwrap: bool,
    /// The lists whose elements are the records, and the names that lead there.
    lists: Option<(Explode, Names)>,
}

impl Framing {
    pub(crate) fn of(dataset: &Dataset) -> Self {
        match &dataset.format {
            plain if plain.is_plain() => Self::Plain,
            RecordFormat::Parquet => Self::Plain,
            RecordFormat::Json(JsonFormat { unwrap, records }) => {
                let mut names = Vec::new();
                let explode = Explode::of_levels(records, &mut names);
                let lists = explode.map(|explode| (explode, Names::new(names)));
                Self::Nested(Box::new(Nesting { unwrap: *unwrap, lists }))
            }
            RecordFormat::Delimited(delimited) => Self::Delimited(delimited.clone()),
        }
    }

    /// Returns where records are inside of JSON values, if they are.
    pub(crate) fn nesting(&self) -> Option<&Nesting> {
        match self {
            Self::Nested(nesting) => Some(nesting),
            Self::Plain | Self::Delimited(_) => None,
        }
    }
}

impl Nesting {
    /// Calls `each` with the JSON text of every record in a value, on one line each, until it returns false. Returns
    /// what is wrong with the value, if something is.
    pub(crate) fn each(&self, value: &[u8], mut each: impl FnMut(&str) -> bool) -> Option<String> {
        let Ok(text) = simdutf8::basic::from_utf8(value) else {
            return Some("it is not UTF-8".to_owned());
        };
        let text = text.trim_ascii();
        let unwrapped = (self.unwrap && text.starts_with('"')).then(|| text_of(text).text);
        let text = unwrapped.as_deref().unwrap_or(text);
        let Some((explode, names)) = &self.lists else {
            each(&on_one_line(text));
            return None;
        };
        let mut buffer = FieldBuffer::default();
        let found = match fields(text, names, &mut buffer) {
            Ok(found) => found,
            Err(reason) => return Some(reason),
        };
        let mut is_stopped = false;
        let walked = explode.each(found, &mut |elements| {
            let Some(element) = elements.last() else { return Ok(()) };
            is_stopped = !each(&on_one_line(element.json));
            if is_stopped { Err(String::new()) } else { Ok(()) }
        });
        if is_stopped { None } else { walked.unwrap_or_else(Some) }
    }
}

/// Returns JSON text without line ends, which can only stand between its tokens.
fn on_one_line(json: &str) -> std::borrow::Cow<'_, str> {
    let json = json.trim_ascii();
    match memchr::memchr2(b'\n', b'\r', json.as_bytes()) {
        None => json.into(),
        Some(_) => json.replace(['\n', '\r'], " ").into(),
    }
}
