//! From a record to the rows that are listed in it.

use std::{borrow::Cow, fmt};

use export::{Column, Level, Table};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::{
    fields::descend,
    names::Names,
    place::{Place, place, single},
};

/// The way to the rows of a table: lists in records, in elements of lists, and so on.
#[derive(Debug)]
pub(crate) struct Explode {
    /// Where the first list stands in the record.
    first: Place,
    /// What the lists are, and where each one after the first stands in an element of the one before.
    levels: Vec<(Vec<Names>, bool)>,
}

/// What a row is made of, beside the record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    /// An element of a list, or the value of an entry of an object, as JSON text.
    pub(crate) json: &'a str,
    /// The name of the entry, likewise.
    pub(crate) key: Option<&'a str>,
}

/// Where the value of a column comes from.
#[derive(Debug)]
pub(crate) enum Source {
    Record(Place),
    /// The element of a level, and the path below it.
    Element(usize, Vec<Names>),
    /// The name of an entry.
    Key(usize),
}

impl Explode {
    /// Prepares the way to the rows of a table; none if every record is a row.
    pub(crate) fn of(table: &Table, names: &mut Vec<String>) -> Option<Self> {
        let (first, _) = table.explode.split_first()?;
        let level = |level: &Level| (single(&level.path.0), level.entries);
        Some(Self {
            first: place(names, &first.path),
            levels: table.explode.iter().map(level).collect(),
        })
    }

    /// Calls `each` for every row, with an element for each level.
    pub(crate) fn each(
        &self,
        found: &[Option<&str>],
        each: &mut dyn FnMut(&[Element<'_>]) -> Result<(), String>,
    ) -> Result<(), String> {
        match self.first.find(found) {
            Some(value) => self.walk(value, &[], each),
            None => Ok(()),
        }
    }

    fn walk(
        &self,
        value: &str,
        above: &[Element<'_>],
        each: &mut dyn FnMut(&[Element<'_>]) -> Result<(), String>,
    ) -> Result<(), String> {
        if value == "null" {
            return Ok(());
        }
        let level = above.len();
        for (key, json) in elements(value, self.levels[level].1)? {
            let mut here: Vec<Element<'_>> = above.to_vec();
            here.push(Element { json, key: key.as_deref() });
            let Some((path, _)) = self.levels.get(level + 1) else {
                each(&here)?;
                continue;
            };
            if let Some(next) = descend(json, path) {
                self.walk(next, &here, each)?;
            }
        }
        Ok(())
    }
}

impl Source {
    /// Binds a column.
    pub(crate) fn of(column: &Column, names: &mut Vec<String>) -> Self {
        match column.level {
            None => Self::Record(place(names, &column.path)),
            Some(level) if column.is_key => Self::Key(level),
            Some(level) => Self::Element(level, single(&column.path.0)),
        }
    }

    /// Returns the JSON text of the value.
    #[inline]
    pub(crate) fn find<'a>(
        &self,
        found: &[Option<&'a str>],
        elements: &[Element<'a>],
    ) -> Option<&'a str> {
        match self {
            Self::Record(place) => place.find(found),
            Self::Element(level, path) => descend(elements.get(*level)?.json, path),
            Self::Key(level) => elements.get(*level)?.key,
        }
    }
}

type Elements<'a> = Vec<(Option<String>, &'a str)>;

/// Reads the elements of a list, or the entries of an object with their names as JSON text.
fn elements(json: &str, entries: bool) -> Result<Elements<'_>, String> {
    if entries {
        let mut reader = serde_json::Deserializer::from_str(json);
        return reader
            .deserialize_map(Entries)
            .map_err(|_| "the field to explode is no object".to_owned());
    }
    let list: Vec<&RawValue> =
        serde_json::from_str(json).map_err(|_| "the field to explode is no list".to_owned())?;
    Ok(list.into_iter().map(|element| (None, element.get())).collect())
}

struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Elements<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((name, value)) = map.next_entry::<Cow<'_, str>, &RawValue>()? {
            let name = serde_json::Value::from(name.as_ref()).to_string();
            entries.push((Some(name), value.get()));
        }
        Ok(entries)
    }
}

#[cfg(test)]
mod tests {
    use export::{Catalog, ExportRequest, Format, TableSelection, Window};

    use crate::Selection;

    const SESSION: &str = r#"{"sessionId":"7","time":1772359200.5,"firstRun":1.5e9,"userAttributes":{"plan":"pro","a\"b":["x"]},
        "experiments":[{"id":1,"variantId":2}],
        "states":[
            {"stateId":-5,"events":[{"eventId":1,"name":"open","time":1772359201,"value":0.0,"parameters":{"k":"v"}}]},
            {"stateId":6,"name":"Home","time":"1.7723592E9","events":[{"eventId":2,"name":"tap"},{"eventId":3,"parameters":{}}]},
            {"stateId":8,"name":"End","events":null}
        ]}"#;

    fn csv(table: &str) -> String {
        let catalog = Catalog::built_in().unwrap();
        let at = |text: &str| text.parse().unwrap();
        let window = Window::new(at("2026-03-01T00:00:00Z"), at("2026-03-02T00:00:00Z")).unwrap();
        let tables = vec![TableSelection::whole(table)];
        let request = ExportRequest::new(tables, window, Format::Csv);
        let selection = Selection::new(&catalog, &request, 0).unwrap();
        let mut out = selection.head();
        selection.push_rows(SESSION.replace('\n', "").as_bytes(), None, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn rows_are_found_however_deep_they_are_listed() {
        assert_eq!(csv("leanplum_experiments"), "experimentId,sessionId,variantId\n1,7,2\n");
        assert_eq!(
            csv("leanplum_states"),
            "stateId,sessionId,stateName,start,duration,info,timeUntilFirstForUser\n\
             6,7,Home,2026-03-01 10:00:00.000,,,\n8,7,End,,,,\n",
            "a state without a name is none"
        );
        assert_eq!(
            csv("leanplum_events"),
            "eventId,stateId,sessionId,eventName,start,value,info,timeUntilFirstForUser\n\
             1,-5,7,open,2026-03-01 10:00:01.000,0.0,,\n2,6,7,tap,,,,\n3,6,7,,,,,\n"
        );
        assert_eq!(csv("leanplum_eventparameters"), "eventId,name,value\n1,k,v\n");
        assert_eq!(
            csv("leanplum_userattributes"),
            "sessionId,name,value\n7,plan,pro\n7,\"a\"\"b\",\"[\"\"x\"\"]\"\n"
        );
        let sessions = csv("leanplum_sessions");
        let row = sessions.lines().nth(1).unwrap();
        assert!(
            row.starts_with("7,,,2017-07-14 02:40:00.000,,,,2026-03-01 10:00:00.500,"),
            "{row}"
        );
        assert!(row.contains(",false,"), "isDeveloper has a default: {row}");
    }
}
