//! Nothing of CSV and TSV is lost in silence: each row of a random lake is in the output, or outside of the
//! window or the filter, or counted and listed as bad. What is true of a row is known from how it was made.

use export::TableFilter;

use super::*;

/// A time as it is written, and whether it is inside of the window, if it can be read.
const TIMES: [(&str, Option<bool>); 7] = [
    ("2026-03-01T00:30:00Z", Some(true)),
    ("2026-03-01T00:59:59.999999Z", Some(true)),
    ("2026-03-01T01:30:00+01:00", Some(true)),
    ("2026-03-01T01:00:00Z", Some(false)),
    ("2026-02-28 23:59:59", Some(false)),
    ("never", None),
    ("", None),
];

const TEXTS: [&str; 12] = [
    "a",
    "b,c",
    "say \"hi\"",
    "\"",
    "ä😀\u{2028}",
    "",
    " x ",
    "one\ntwo\r\nthree",
    "-1.50e3",
    "null",
    "\\N\\",
    "=1+1",
];

/// A row, by the places of its time and texts in the tables above.
#[derive(Clone, Debug)]
struct Line {
    time: usize,
    title: usize,
    plan: usize,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Whole,
    /// Its last two fields are not there.
    Short,
    /// It has a field more than there are names.
    Long,
    /// A byte of its title is no character.
    NoText,
}

/// How the rows of an object are written.
#[derive(Clone, Copy, Debug)]
struct Written {
    crlf: bool,
    /// Whether a byte order mark comes first.
    marked: bool,
    /// Whether the last line has an end.
    ended: bool,
    stored: usize,
}

/// How a dataset is read, and what of it is asked for.
#[derive(Clone, Copy, Debug)]
struct Asked {
    tsv: bool,
    header: bool,
    format: Format,
    filtered: bool,
}

impl Line {
    fn any() -> impl Strategy<Value = Self> {
        let shape = prop_oneof![
            6 => Just(Shape::Whole), 1 => Just(Shape::Short), 1 => Just(Shape::Long), 1 => Just(Shape::NoText)
        ];
        (0..TIMES.len(), 0..TEXTS.len(), 0..TEXTS.len(), shape)
            .prop_map(|(time, title, plan, shape)| Self { time, title, plan, shape })
    }

    fn bytes(&self, id: usize, asked: Asked) -> Vec<u8> {
        let field = |text: &str| {
            let text = asked.text(text);
            let quoted = !asked.tsv && text.contains([',', '"', '\n', '\r']);
            if quoted { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }.into_bytes()
        };
        let mut fields = vec![id.to_string().into_bytes(), field(TIMES[self.time].0)];
        if self.shape != Shape::Short {
            fields.extend([field(TEXTS[self.title]), field(TEXTS[self.plan])]);
        }
        match self.shape {
            Shape::Long => fields.push(Vec::new()),
            Shape::NoText => fields[2] = b"a\xffb".to_vec(),
            Shape::Whole | Shape::Short => {}
        }
        fields.join(&asked.separator())
    }

    /// What is to be seen of it: its cells, or none if it is outside of the window or the filter, or an error
    /// if it is bad.
    fn truth(&self, id: usize, asked: Asked) -> Result<Option<[String; 3]>, ()> {
        let inside = match (self.shape, TIMES[self.time].1) {
            (Shape::Long | Shape::NoText, _) | (_, None) => return Err(()),
            (_, Some(inside)) => inside,
        };
        let short = self.shape == Shape::Short;
        let text = |number: usize| if short { String::new() } else { asked.text(TEXTS[number]) };
        let cells = [id.to_string(), text(self.title), text(self.plan)];
        let passes = !asked.filtered || cells[2] == "a";
        Ok((inside && passes).then_some(cells))
    }
}

impl Asked {
    fn any() -> impl Strategy<Value = Self> {
        any::<[bool; 4]>().prop_map(|[tsv, header, csv, filtered]| Self {
            tsv,
            header,
            format: if csv { Format::Csv } else { Format::Jsonl },
            filtered,
        })
    }

    fn separator(self) -> u8 {
        if self.tsv { b'\t' } else { b',' }
    }

    /// TSV has no way to write the end of a line in a field.
    fn text(self, text: &str) -> String {
        if self.tsv { text.replace(['\r', '\n'], " ") } else { text.to_owned() }
    }

    fn selection(self) -> Selection {
        let (format, header) = (if self.tsv { "tsv" } else { "csv" }, self.header);
        let columns =
            if header { r#""id:integer""# } else { r#""id:integer", "at", "title", "plan""# };
        let catalog = format!(
            r#"
            [[dataset]]
            name = "visits"
            path = "{{workspace}}/{{yyyy}}/{{MM}}/{{dd}}/{{HH}}/"
            time = "at"
            format = "{format}"
            header = {header}
            columns = [{columns}]

            [[table]]
            name = "visits"
            dataset = "visits"
            columns = ["id:integer", "title", "plan"]
            "#
        );
        let catalog = Catalog::parse("test", &catalog).unwrap();
        let hour = ["2026-03-01T00:00:00Z", "2026-03-01T01:00:00Z"].map(|at| at.parse().unwrap());
        let tables = vec![TableSelection::whole("visits")];
        let mut request =
            ExportRequest::new(tables, Window::new(hour[0], hour[1]).unwrap(), self.format);
        if self.filtered {
            let filter = "plan == 'a'".parse().unwrap();
            request.filters.push(TableFilter { tables: vec!["visits".to_owned()], filter });
        }
        Selection::new(&catalog, &"acme".parse().unwrap(), &request, 0).unwrap()
    }

    /// The cells of what was written, as a reader sees them.
    fn read(self, text: &str) -> Vec<[String; 3]> {
        if self.format == Format::Csv {
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let cells = |row: csv::StringRecord| [0, 1, 2].map(|cell| row[cell].to_owned());
            return reader.records().map(|row| cells(row.unwrap())).collect();
        }
        let cell = |value: &serde_json::Value| match value {
            serde_json::Value::Null => String::new(),
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let cells = |line: &str| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            ["id", "title", "plan"].map(|name| cell(&row[name]))
        };
        text.lines().map(cells).collect()
    }
}

impl Written {
    fn any() -> impl Strategy<Value = Self> {
        (any::<[bool; 3]>(), 0_usize..8).prop_map(|([crlf, marked, ended], stored)| Self {
            crlf,
            marked,
            ended,
            stored,
        })
    }

    fn object(self, mut lines: Vec<Vec<u8>>, asked: Asked) -> (&'static str, Vec<u8>) {
        if asked.header {
            let names: [&[u8]; 4] = [b"id", b"at", b"title", b"plan"];
            lines.insert(0, names.join(&asked.separator()));
        }
        let end: &[u8] = if self.crlf { b"\r\n" } else { b"\n" };
        let mut text = if self.marked { "\u{feff}".into() } else { Vec::new() };
        text.extend(lines.join(end));
        text.extend(if self.ended { end } else { b"" });
        match self.stored {
            0 => ("a.csv", text),
            1 => ("a", gzip(text)),
            other => by_libraries(&text).swap_remove(other - 2),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn nothing_of_csv_and_tsv_is_lost_in_silence(
        lake in prop::collection::vec((prop::collection::vec(Line::any(), 1..12), Written::any()), 1..4),
        asked in Asked::any(), claimed in prop::sample::select(&WAYS[..])
    ) {
        let (mut objects, mut rows, mut bad) = (Vec::new(), Vec::new(), 0);
        for (object, (lines, written)) in lake.iter().enumerate() {
            let ids = (100 * object..).zip(lines);
            for truth in ids.clone().map(|(id, line)| line.truth(id, asked)) {
                match truth {
                    Ok(row) => rows.extend(row),
                    Err(()) => bad += 1,
                }
            }
            let lines = ids.map(|(id, line)| line.bytes(id, asked)).collect();
            objects.push(written.object(lines, asked));
        }
        let (text, output) = try_convert(&asked.selection(), &objects, 2, claimed).unwrap();
        prop_assert_eq!(asked.read(&text), rows);
        let stats = output.stats;
        prop_assert_eq!((stats.bad_rows, stats.listed.len()), (bad as u64, bad), "{:?}", stats.listed);
    }
}
