//! The datasets and tables of a deployment.

mod bucket;
mod dataset;
mod format;
mod paths;
mod raw_dataset;
mod read;
mod table;
mod tenancy;

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use bucket::{MAX_SOURCE_BUCKETS, SourceBucket, SourceRole};
pub use dataset::{
    Compression, Dataset, Filing, MAX_BAD_PERCENT, MAX_DELIVERY_MINUTES, MAX_FILING_HOURS, Release,
};
pub use format::{Delimited, JsonFormat, MAX_FIELDS, RecordFormat};
pub use paths::MAX_LIST_INDEX;
pub use tenancy::{MAX_TENANT_NAME_BYTES, MAX_TENANT_NAMES, Tenancy, TenancyError, TenantSource};

/// The datasets and tables of a deployment. Consistent once built.
#[derive(Clone, Debug)]
pub struct Catalog {
    buckets: BTreeMap<String, SourceBucket>,
    datasets: BTreeMap<String, Dataset>,
    tables: BTreeMap<String, Table>,
    /// The tables `[dialect.NAME]`, which only the function of that dialect reads.
    dialects: BTreeMap<String, DialectTable>,
}

/// A table of settings, and the place that errors about it name.
#[derive(Clone, Debug)]
struct DialectTable {
    settings: toml::Table,
    place: CatalogError,
}

/// The rows and columns that users can export from a dataset.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name in requests.
    pub name: String,
    /// A description for users.
    pub description: String,
    /// The name of the dataset of its rows.
    pub dataset: String,
    /// The nested lists whose elements are its rows, from the outermost. If empty, each record is a row.
    pub explode: Vec<Level>,
    /// A column that must not be null: records with null there have no row.
    pub require: Option<String>,
    /// A boolean field: records with `true` there have no row.
    pub omit: Option<FieldPath>,
    /// Whether rows are rewritten so that columns which a record lacks are there as `null`.
    pub fill: bool,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
    /// The relation of its rows to those of other tables.
    pub relation: Option<Relation>,
}

/// One level of nested lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// Its path in the record, or in an element of the level above.
    pub path: FieldPath,
    /// Whether it is an object, whose entries are its elements, each with a name and a value.
    pub entries: bool,
}

/// A relation between tables: rows are related if they have the same value in its field (a join key).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The name of the relation, which related tables share.
    pub name: String,
    /// The path of the value in the record.
    pub path: FieldPath,
}

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in requests and headers.
    pub name: String,
    /// Its display name.
    pub display: String,
    /// Further names in filters.
    pub also: Vec<String>,
    /// The type of its values.
    pub kind: ColumnType,
    /// The path of its value in the record.
    pub path: FieldPath,
    /// The level whose elements have the column, from 0. `None` if the record has it.
    pub level: Option<usize>,
    /// Whether its value is the name of an entry.
    pub is_key: bool,
    /// The value of rows that have none, as JSON text.
    pub default: Option<String>,
    /// Whether CSV writes its instants as `2026-03-01 10:20:30.400`, in UTC.
    pub sql_time: bool,
}

/// The types of columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Text.
    #[default]
    String,
    /// A whole number of any length, which is written digit for digit.
    Integer,
    /// A decimal number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// An instant.
    Time,
    /// An object or a list.
    Json,
}

/// The steps from the top of a record down to a field. An empty path is the record or element itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath(pub Vec<FieldStep>);

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldStep {
    /// To a field of an object.
    Name(String),
    /// To an element of a list, counted from 0.
    Index(usize),
}

impl FieldPath {
    /// Returns the path of a field at the top of a record.
    pub fn of_name(name: &str) -> Self {
        Self(vec![FieldStep::Name(name.to_owned())])
    }

    /// Returns the name of the first field.
    pub fn first(&self) -> Option<&str> {
        self.0.first().and_then(|step| match step {
            FieldStep::Name(name) => Some(&name[..]),
            FieldStep::Index(_) => None,
        })
    }
}

/// The reason why a catalog is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {reason}")]
pub struct CatalogError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The fault there.
    pub reason: String,
}

impl Catalog {
    /// The text of the catalog that ships with the code: the tables of the four dialects.
    pub const BUILT_IN: &str = include_str!("../catalog.toml");

    /// Returns the catalog that ships with the code.
    pub fn built_in() -> Result<Self, CatalogError> {
        Self::parse("catalog.toml", Self::BUILT_IN)
    }

    /// Reads the settings of a dialect from its table `[dialect.NAME]`. Without one all have their defaults.
    pub fn dialect<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T, CatalogError> {
        let Some(table) = self.dialects.get(name) else { return Ok(T::default()) };
        table.settings.clone().try_into().map_err(|error: toml::de::Error| CatalogError {
            reason: error.message().to_owned(),
            ..table.place.clone()
        })
    }

    /// Returns a table by its name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.get(name)
    }

    /// Returns every table, in the order of names.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.values()
    }

    /// Returns the buckets that datasets are in besides the bucket of the lake, in the order of names.
    pub fn buckets(&self) -> impl Iterator<Item = &SourceBucket> {
        self.buckets.values()
    }

    /// Returns every dataset, in the order of names.
    pub fn datasets(&self) -> impl Iterator<Item = &Dataset> {
        self.datasets.values()
    }

    /// Returns the dataset of a table of this catalog.
    pub fn dataset_of(&self, table: &Table) -> &Dataset {
        &self.datasets[&table.dataset]
    }
}

impl Table {
    /// Returns a column by its name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Returns a column by its name. The case may differ if only one column matches.
    pub fn find(&self, name: &str) -> Option<&Column> {
        let any_case = || {
            let so = |column: &&Column| column.name.eq_ignore_ascii_case(name);
            let mut columns = self.columns.iter().filter(so);
            columns.next().filter(|_| columns.next().is_none())
        };
        self.column(name).or_else(any_case)
    }

    /// Returns a column by its name or one of its further names, in any case.
    pub fn also_called(&self, name: &str) -> Option<&Column> {
        let so = |column: &&Column| column.also.iter().any(|also| also.eq_ignore_ascii_case(name));
        self.columns.iter().find(so)
    }

    /// Returns the path of the value that relates the rows of a table to those of other tables.
    pub fn relation_path(&self) -> Option<&FieldPath> {
        self.relation.as_ref().map(|relation| &relation.path)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            match step {
                FieldStep::Name(name) if at == 0 => f.write_str(name)?,
                FieldStep::Name(name) => write!(f, ".{name}")?,
                FieldStep::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
