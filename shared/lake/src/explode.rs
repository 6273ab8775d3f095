//! From a record to the rows that are listed in it.

use std::fmt;

use export::{Column, FieldPath, Level, Table};
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::{
    field_ref::{FieldRef, field_ref, single},
    fields::{PathStep, descend, is_blocked, is_empty},
};

/// The way to the rows of a table: lists in records, in elements of lists, and so on.
#[derive(Debug)]
pub(crate) struct Explode {
    /// Where the first list stands in the record.
    first: FieldRef,
    levels: Vec<Listed>,
}

/// A list of rows, or of what lists rows.
#[derive(Debug)]
struct Listed {
    /// Where it stands in an element of the level before.
    path: Vec<PathStep>,
    /// What the catalog calls that.
    called: FieldPath,
    /// Whether it is an object, whose entries are listed.
    entries: bool,
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
    Record(FieldRef),
    /// The element of a level, and the path below it.
    Element(usize, Vec<PathStep>),
    /// The name of an entry.
    Key(usize),
}

/// What takes the rows of a record, with an element for each level, until it returns why it takes no more.
pub(crate) type EachRow<'e> = dyn FnMut(&[Element<'_>]) -> Result<(), String> + 'e;

impl Explode {
    /// Prepares the way to the rows of a table; none if every record is a row.
    pub(crate) fn of(table: &Table, names: &mut Vec<String>) -> Option<Self> {
        Self::of_levels(&table.explode, names)
    }

    /// Prepares the way through these levels; `None` if there are none.
    pub(crate) fn of_levels(levels: &[Level], names: &mut Vec<String>) -> Option<Self> {
        let (first, _) = levels.split_first()?;
        let level = |Level { path, entries }: &Level| Listed {
            path: single(&path.0),
            called: path.clone(),
            entries: *entries,
        };
        let levels = levels.iter().map(level).collect();
        Some(Self { first: field_ref(names, &first.path), levels })
    }

    /// Calls `each` for every row. What is no list has no rows, and costs no others: the first such
    /// value is returned as what is wrong with the record.
    pub(crate) fn each(
        &self,
        found: &[Option<&str>],
        each: &mut EachRow<'_>,
    ) -> Result<Option<String>, String> {
        let elements = Vec::with_capacity(self.levels.len());
        let mut walk = Walk { levels: &self.levels, elements, each, flaw: None };
        match self.first.find(found) {
            Some(value) => walk.list(value)?,
            None if self.first.is_blocked(found) => walk.miss(),
            None => {}
        }
        Ok(walk.flaw)
    }
}

/// On the way through the lists of a record.
struct Walk<'w, 'a> {
    levels: &'w [Listed],
    /// An element of each list down to the one at hand.
    elements: Vec<Element<'a>>,
    each: &'w mut EachRow<'w>,
    flaw: Option<String>,
}

impl<'a> Walk<'_, 'a> {
    fn list(&mut self, json: &'a str) -> Result<(), String> {
        let levels = self.levels;
        let listed = &levels[self.elements.len()];
        // Where nothing is in it, some programs cannot tell a list from an object.
        if json == "null" || is_empty(json) {
            return Ok(());
        }
        let (begin, kind) = if listed.entries { ('{', "an object") } else { ('[', "a list") };
        if !json.starts_with(begin) {
            let flaw = || format!("{} is not {kind}: its rows are missing", listed.called);
            self.flaw.get_or_insert_with(flaw);
            return Ok(());
        }
        let (mut stopped, mut reader) = (Ok(()), serde_json::Deserializer::from_str(json));
        let members = Members(|element| {
            stopped = self.element(element);
            stopped.is_ok()
        });
        let walked = if listed.entries {
            reader.deserialize_map(members)
        } else {
            reader.deserialize_seq(members)
        };
        stopped?;
        walked.map_err(|e| format!("{} cannot be read: {:?}", listed.called, e.classify()))
    }

    /// Notes that the next list cannot be there.
    fn miss(&mut self) {
        let called = &self.levels[self.elements.len()].called;
        let flaw = || format!("{called} is not in an object: its rows are missing");
        self.flaw.get_or_insert_with(flaw);
    }

    fn element(&mut self, element: Element<'a>) -> Result<(), String> {
        self.elements.push(element);
        let walked = match self.levels.get(self.elements.len()) {
            None => (self.each)(&self.elements),
            Some(next) => match descend(element.json, &next.path) {
                Some(json) => self.list(json),
                None if is_blocked(element.json, &next.path) => {
                    self.miss();
                    Ok(())
                }
                None => Ok(()),
            },
        };
        self.elements.pop();
        walked
    }
}

/// Hands on the elements of a list, or the entries of an object, one by one, until one is not taken.
struct Members<F>(F);

impl<F> Members<F> {
    const STOPPED: &str = "no more are taken";
}

impl<'de, F: FnMut(Element<'de>) -> bool> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or an object")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(json) = list.next_element::<&RawValue>()? {
            if !(self.0)(Element { json: json.get(), key: None }) {
                return Err(A::Error::custom(Self::STOPPED));
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((key, json)) = map.next_entry::<&RawValue, &RawValue>()? {
            if !(self.0)(Element { json: json.get(), key: Some(key.get()) }) {
                return Err(A::Error::custom(Self::STOPPED));
            }
        }
        Ok(())
    }
}

impl Source {
    /// Binds a column.
    pub(crate) fn of(column: &Column, names: &mut Vec<String>) -> Self {
        match column.level {
            None => Self::Record(field_ref(names, &column.path)),
            Some(level) if column.is_key => Self::Key(level),
            Some(level) => Self::Element(level, single(&column.path.0)),
        }
    }

    /// Tells whether nothing is found because something that is not an object stands on the way.
    pub(crate) fn is_blocked(&self, found: &[Option<&str>], elements: &[Element<'_>]) -> bool {
        match self {
            Self::Record(field) => field.is_blocked(found),
            Self::Element(level, path) => {
                elements.get(*level).is_some_and(|element| is_blocked(element.json, path))
            }
            Self::Key(_) => false,
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
            Self::Record(field) => field.find(found),
            Self::Element(level, path) => descend(elements.get(*level)?.json, path),
            Self::Key(level) => elements.get(*level)?.key,
        }
    }
}

#[cfg(test)]
mod tests {
    use export::{Catalog, ExportRequest, Format, TableSelection, Window};

    use crate::{Selection, selection::Outcome};

    const SESSION: &str = r#"{"sessionId":"7","time":1772359200.5,"firstRun":1.5e9,"userAttributes":{"plan":"pro","a\"b":["x"]},
        "experiments":[{"id":1,"variantId":2}],
        "states":[
            {"stateId":-5,"events":[{"eventId":1,"name":"open","time":1772359201,"value":0.0,"parameters":{"k":"v"}}]},
            {"stateId":6,"name":"Home","time":"1.7723592E9","events":[{"eventId":2,"name":"tap"},{"eventId":3,"parameters":{}}]},
            {"stateId":8,"name":"End","events":null}
        ]}"#;

    fn csv(table: &str) -> String {
        csv_of(table, SESSION).0
    }

    /// The rows of a record, and what is wrong with it.
    fn csv_of(table: &str, session: &str) -> (String, Option<String>) {
        let catalog = Catalog::built_in().unwrap();
        let at = |text: &str| text.parse().unwrap();
        let window = Window::new(at("2026-03-01T00:00:00Z"), at("2026-03-02T00:00:00Z")).unwrap();
        let tables = vec![TableSelection::whole(table)];
        let request = ExportRequest::new(tables, window, Format::Csv);
        let selection = Selection::new(&catalog, &"acme".parse().unwrap(), &request, 0).unwrap();
        let mut out = selection.head();
        let record = session.replace('\n', "");
        let outcome = selection.push_rows(record.as_bytes(), None, &mut out).unwrap();
        let Outcome::Taken(taken) = outcome else { panic!("{outcome:?}") };
        (String::from_utf8(out).unwrap(), taken.flaw)
    }

    #[test]
    fn a_value_that_cannot_be_there_is_missed() {
        let session = SESSION.replace(r#"{"id":1,"variantId":2}"#, r#""lost",{"id":1}"#);
        let (rows, flaw) = csv_of("leanplum_experiments", &session);
        assert_eq!(rows, "experimentId,sessionId,variantId\n,7,\n1,7,\n");
        assert_eq!(flaw.as_deref(), Some("experimentId is not in an object: its value is missing"));
        let (_, flaw) = csv_of("leanplum_experiments", SESSION);
        assert_eq!(flaw, None);
    }

    #[test]
    fn one_bad_list_costs_no_other() {
        let session = r#"{"sessionId":"7","time":1772359200.5,"states":[
            {"stateId":1,"events":[{"eventId":1,"parameters":[]},{"eventId":2,"parameters":{"a":"\ud83d","\ud83d":"b","c":"d"}}]},
            {"stateId":2,"events":"lost"}, {"stateId":3,"events":{}},
            {"stateId":4,"events":[{"eventId":3,"parameters":["lost"]},{"eventId":4,"parameters":{"e":"f"}}]}
        ]}"#;
        let (rows, flaw) = csv_of("leanplum_eventparameters", session);
        assert_eq!(rows, "eventId,name,value\n2,a,\u{fffd}\n2,\u{fffd},b\n2,c,d\n4,e,f\n");
        assert_eq!(flaw.as_deref(), Some("value is not Unicode: it is written with U+FFFD"));
        let (rows, flaw) = csv_of("leanplum_events", session);
        assert_eq!(rows.lines().count(), 5);
        assert_eq!(flaw.as_deref(), Some("events is not a list: its rows are missing"));
    }

    #[test]
    fn a_list_whose_place_is_taken_is_missed() {
        let session = r#"{"sessionId":"7","time":1772359200.5,"states":[
            null, {}, [], {"stateId":1}, "lost", {"stateId":2,"events":[{"eventId":1}]}
        ]}"#;
        let (rows, flaw) = csv_of("leanplum_events", session);
        assert_eq!(rows.lines().count(), 2);
        assert_eq!(flaw.as_deref(), Some("events is not in an object: its rows are missing"));
        let (_, flaw) = csv_of("leanplum_events", &session.replace("\"lost\"", "null"));
        assert_eq!(flaw, None);
    }

    #[test]
    fn a_list_of_millions_is_walked_in_little_memory() {
        let list = vec!["1"; 4 << 20].join(",");
        let names = &mut Vec::new();
        let catalog = Catalog::built_in().unwrap();
        let explode = super::Explode::of(catalog.table("coveo_keywords").unwrap(), names).unwrap();
        let (list, mut count) = (format!("[{list}]"), 0);
        let found: Vec<_> = names.iter().map(|_| Some(list.as_str())).collect();
        let stop = &mut |_: &[super::Element<'_>]| {
            count += 1;
            if count < 3 { Ok(()) } else { Err("enough".to_owned()) }
        };
        assert_eq!(explode.each(&found, stop), Err("enough".to_owned()));
        assert_eq!(count, 3, "an element is handed on before the next is read");
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
