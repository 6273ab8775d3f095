//! Objects as common writers put them into a bucket, made after what their documents say of keys and rows.
//!
//! [`producers`] is the table; [`Producer::objects`] makes the objects of a few days. Each row has an id of its own, so
//! that tests can tell which rows they got.

mod rows;
mod table;

use std::io::Write as _;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

pub use table::producers;

/// A writer of objects.
#[derive(Clone, Copy, Debug)]
pub struct Producer {
    /// Its name.
    pub name: &'static str,
    /// Its keys, with dates as `strftime` writes them, and `{tenant}`, `{id}`, `{number}`, `{millis}`, `{day_millis}`.
    pub key: &'static str,
    /// The time zone of its keys.
    pub zone: &'static str,
    /// The minutes of an hour at which objects begin, in turn.
    pub minutes: [i64; 3],
    /// The path that a catalog has for it.
    pub path: &'static str,
    /// Who has its rows.
    pub tenants: Tenants,
    row: fn(&Row) -> String,
    framing: Framing,
    compression: Compression,
    /// How long after the beginning of its object each row is.
    after: [SignedDuration; 3],
}

/// Who has the rows of a writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenants {
    /// One tenant has all of them.
    One,
    /// The key says it.
    Key,
    /// A field of the row says it.
    Row,
}

/// How rows stand in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    /// One a line.
    Lines,
    /// With nothing between them.
    Joined,
    /// One a line, after a line of names.
    Header(&'static str),
    /// As elements of a list, in what stands before and after it.
    List(&'static str, &'static str),
    /// As the columns of Parquet, of which tests have the lines of JSON that are made of it.
    Parquet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compression {
    None,
    Gzip,
    Zstd,
    HadoopSnappy,
}

/// A row that is to be written.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its time.
    pub at: Timestamp,
    /// What no other row has.
    pub id: String,
    /// Whose it is.
    pub tenant: String,
}

/// An object of a bucket.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its key.
    pub key: String,
    /// Its bytes as stored; lines of JSON where it is Parquet.
    pub bytes: Vec<u8>,
    /// Its rows.
    pub rows: Vec<Row>,
    /// Whether it is Parquet.
    pub is_parquet: bool,
}

impl Producer {
    /// Returns the objects of four days from `day` on: five hours of each day, one of each tenant.
    pub fn objects(&self, day: Timestamp, tenants: &[&str]) -> Vec<Object> {
        let mut objects = Vec::new();
        for (number, hour) in
            (0..4).flat_map(|day| [0, 5, 9, 14, 23].map(|hour| 24 * day + hour)).enumerate()
        {
            let begin = day
                + SignedDuration::from_hours(hour)
                + SignedDuration::from_mins(self.minutes[number % 3]);
            for (which, tenant) in tenants.iter().enumerate() {
                objects.push(self.object(begin, tenant, number * tenants.len() + which));
            }
        }
        objects
    }

    fn object(&self, begin: Timestamp, tenant: &str, number: usize) -> Object {
        let row = |(nth, after): (usize, &SignedDuration)| Row {
            at: begin + *after,
            id: format!("{}-{number}-{nth}", self.name),
            tenant: tenant.to_owned(),
        };
        let rows: Vec<Row> = self.after.iter().enumerate().map(row).collect();
        let texts: Vec<String> = rows.iter().map(self.row).collect();
        let lines = || texts.iter().flat_map(|row| [row, "\n"]).collect::<String>();
        let content = match self.framing {
            Framing::Lines | Framing::Parquet => lines(),
            Framing::Joined => texts.concat(),
            Framing::Header(names) => format!("{names}\n{}", lines()),
            Framing::List(before, after) => format!("{before}{}{after}", texts.join(",")),
        };
        Object {
            key: self.key_of(begin, tenant, number),
            bytes: stored(self.compression, content.as_bytes()),
            rows,
            is_parquet: self.framing == Framing::Parquet,
        }
    }

    fn key_of(&self, begin: Timestamp, tenant: &str, number: usize) -> String {
        let zone = TimeZone::get(self.zone).unwrap_or(TimeZone::UTC);
        let local = begin.to_zoned(zone.clone());
        let day = local.start_of_day().map_or(begin, |day| day.timestamp());
        // As random as names of files are, and the same each time.
        let id = format!("{:08x}-{number:04x}", number.wrapping_mul(2_654_435_761) % (1 << 32));
        let pattern = self
            .key
            .replace("{tenant}", tenant)
            .replace("{id}", &id)
            .replace("{number}", &number.to_string())
            .replace("{millis}", &begin.as_millisecond().to_string())
            .replace("{day_millis}", &day.as_millisecond().to_string());
        local.strftime(&pattern).to_string()
    }
}

fn stored(compression: Compression, content: &[u8]) -> Vec<u8> {
    match compression {
        Compression::None => content.to_vec(),
        Compression::Gzip => {
            let mut encoder =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            // Writing to memory does not fail.
            _ = encoder.write_all(content);
            encoder.finish().unwrap_or_default()
        }
        Compression::Zstd => zstd::encode_all(content, 1).unwrap_or_default(),
        Compression::HadoopSnappy => {
            let block = snap::raw::Encoder::new().compress_vec(content).unwrap_or_default();
            let len = |len: usize| u32::try_from(len).unwrap_or_default().to_be_bytes();
            [&len(content.len())[..], &len(block.len()), &block].concat()
        }
    }
}
