//! `docs/limits.md` names the values that the code and the template have.

use std::{fs, path::Path};

/// The rows of the tables whose values are numbers, and where each number stands. That is a file and a constant
/// or a default in it, `template` and a parameter with a default or a function's property, `code` and a
/// constant that is computed, or the number or the sum of a list; ` + ` and ` - ` stand between two places.
/// `=` is for numbers of AWS, which stand nowhere here.
const ROWS: [(&str, &str); 96] = [
    ("exports that are not finished", "template WorkspaceExportsAtOnce"),
    ("exports made on a day (UTC)", "template WorkspaceExportsADay"),
    ("requests a second, on average", "template WorkspaceRequestsPerSecond"),
    ("requests at one moment", "template WorkspaceRequestBurst"),
    ("window, in every API", "template MaxWindowDays"),
    ("partitions of a window", "shared/export/src/partition.rs MAX_PARTITIONS"),
    ("request line and headers", "= 10240; shared/web/src/serve.rs MAX_TARGET_BYTES"),
    (
        "body",
        "shared/export/src/limits.rs MAX_BODY_BYTES; shared/export/src/limits.rs MAX_BODY_DEPTH",
    ),
    ("request as it is stored", "shared/export/src/limits.rs stored_bytes"),
    ("tables; labels", "shared/export/src/limits.rs tables; shared/export/src/limits.rs labels"),
    (
        "name, label; description",
        "shared/export/src/limits.rs name_chars; shared/export/src/limits.rs description_chars; \
         functions/coveo/src/request.rs MAX_NAME_CHARS; functions/coveo/src/request.rs MAX_DESCRIPTION_CHARS",
    ),
    (
        "shares of an export; note of a share",
        "shared/export/src/limits.rs shares; shared/export/src/limits.rs note_chars",
    ),
    (
        "filter",
        "shared/export/src/filter/mod.rs MAX_FILTER_BYTES; shared/export/src/filter/mod.rs MAX_EXPANDED_BYTES",
    ),
    (
        "comparisons; values of lists; brackets; named in named",
        "shared/export/src/filter/mod.rs MAX_COMPARISONS; shared/export/src/filter/mod.rs MAX_LISTED; \
         shared/export/src/filter/mod.rs MAX_DEPTH; shared/export/src/filter/mod.rs MAX_NAMED_DEPTH",
    ),
    (
        "named filters of a workspace",
        "shared/export/src/named_filter.rs MAX_NAMED_FILTERS; shared/export/src/named_filter.rs MAX_NAMED_BYTES",
    ),
    ("URL of a callback", "shared/export/src/callback.rs MAX_URL_BYTES"),
    ("prefix of a copy", "shared/export/src/bucket_copy.rs MAX_PREFIX_BYTES"),
    (
        "`Idempotency-Key`",
        "functions/exports/src/idempotency.rs MAX_KEY_CHARS; shared/cloud/src/identities.rs IDEMPOTENCY_KEY_LIFETIME",
    ),
    (
        "file of the layout `files`",
        "shared/export/src/request/check/files.rs MIN_FILE_BYTES; shared/export/src/request/check/files.rs MAX_FILE_BYTES; \
         shared/export/src/request/check/files.rs MIN_FILE_ROWS",
    ),
    (
        "columns of a table as Parquet",
        "shared/export/src/request/check/files.rs MAX_PARQUET_COLUMNS",
    ),
    ("calls in a `multi` of Leanplum", "functions/leanplum/src/arguments.rs MAX_CALLS"),
    (
        "job of Leanplum",
        "functions/leanplum/src/calls.rs JOB_LIFETIME; shared/export/src/record.rs ARCHIVE_LIFETIME",
    ),
    (
        "exports of Leanplum",
        "functions/leanplum/src/calls.rs MAX_EXPORTS_PER_DAY; functions/leanplum/src/request.rs OLDEST_DAYS",
    ),
    ("how long a request waits", "template RequestWaitSeconds"),
    (
        "faults of one answer",
        "shared/export/src/fault.rs MAX_FAULTS; shared/export/src/fault.rs MAX_VALUE_CHARS",
    ),
    (
        "page of `GET /v1/audit`; entries looked through for it",
        "= 1; functions/exports/src/audit.rs MAX_LIMIT; shared/web/src/lib.rs MAX_LIST_BYTES; \
         functions/exports/src/audit.rs MAX_LOOKED_THROUGH",
    ),
    (
        "page of `GET /v1/exports`",
        "functions/exports/src/list.rs MAX_LIMIT; shared/web/src/lib.rs MAX_LIST_BYTES",
    ),
    ("records looked through for a page", "shared/cloud/src/lists.rs MAX_QUERIES; = 1"),
    (
        "list of Coveo's exports",
        "functions/coveo/src/exports.rs MAX_LISTED; shared/web/src/lib.rs MAX_LIST_BYTES; \
         shared/cloud/src/lists.rs MAX_QUERIES; = 1",
    ),
    (
        "a request for a token; the token in it",
        "functions/tokens/src/request.rs MAX_BYTES; functions/tokens/src/request.rs MAX_TOKEN_BYTES",
    ),
    ("life of a token that is exchanged", "functions/tokens/src/verify.rs MAX_LIFETIME_SECONDS"),
    ("workspaces of a token", "functions/tokens/src/request.rs MAX_WORKSPACES"),
    ("rules of sign-in", "functions/tokens/src/rules.rs MAX_RULES"),
    (
        "answers of the OpenID provider",
        "functions/tokens/src/provider.rs MAX_ANSWER_BYTES; functions/tokens/src/provider.rs MAX_KEYS; \
         functions/tokens/src/provider.rs TIMEOUT",
    ),
    (
        "keys of the OpenID provider",
        "functions/tokens/src/provider.rs FRESH; functions/tokens/src/provider.rs MAX_AGE; \
         functions/tokens/src/provider.rs PAUSE",
    ),
    ("page of `list_tokens`", "shared/cloud/src/tokens.rs MAX_PAGE; = 1"),
    ("wait for an export that `Prefer` asks for", "functions/exports/src/prefer.rs MAX_WAIT"),
    ("objects that are explained", "functions/exports/src/explain.rs MAX_OBJECTS"),
    ("rows of a table in a preview", "functions/preview/src/preview.rs MAX_ROWS"),
    ("rows of all tables in a preview", "functions/preview/src/preview.rs MAX_BYTES"),
    ("reading for a preview", "functions/preview/src/read.rs MAX_READING"),
    (
        "folders listed for a table in a preview",
        "functions/preview/src/walk.rs MAX_LISTS; functions/preview/src/walk.rs MAX_LISTED_OBJECTS",
    ),
    (
        "objects that are counted beside the console's form",
        "functions/preview/src/console.rs MAX_OBJECTS; functions/preview/src/console.rs MAX_COUNTING",
    ),
    ("source objects of a range of Amplitude", "functions/amplitude/src/size.rs MAX_OBJECTS"),
    (
        "link behind a download",
        "shared/export/src/limits.rs LINK_LIFETIME; shared/export/src/record.rs ARCHIVE_LIFETIME",
    ),
    ("objects of an archive", "shared/export/src/record.rs REMOVAL_DELAY"),
    ("name of a download", "shared/export/src/file_name.rs MAX_FILE_NAME_BYTES"),
    (
        "ZIP that Amplitude's API answers itself",
        "functions/amplitude/src/routes.rs MAX_DIRECT_BYTES",
    ),
    (
        "failure that only the lake can mend, told again by Amplitude's API",
        "functions/amplitude/src/lake.rs FAILURE_LIFETIME",
    ),
    (
        "export of Amplitude that a request could not wait for, answered though the lake has changed",
        "functions/amplitude/src/lake.rs PICKUP_TIME",
    ),
    (
        "times that the body of a source object breaks off",
        "shared/cloud/src/body.rs MAX_BREAKS_IN_A_ROW; shared/cloud/src/body.rs MAX_BREAKS",
    ),
    ("deliveries that are listed of a callback", "shared/cloud/src/deliveries.rs MAX_LISTED"),
    ("time until an export is given up", "template DeadlineHours"),
    (
        "attempts that break, at an export or at the same steps",
        "shared/export/src/record.rs MAX_FAILURES",
    ),
    ("a builder that does not renew its lease", "shared/export/src/record.rs BUILD_LEASE"),
    (
        "builders that die at an export, or at the same steps",
        "shared/export/src/record.rs MAX_DEATHS",
    ),
    ("times that a message about an export comes", "template ExportQueue.maxReceiveCount"),
    ("a file without a ZIP", "code PieceWriter::MAX_BYTES"),
    (
        "columns of all row groups of a file of Parquet; what is told of those of an export",
        "shared/columnar/src/footer.rs MAX_COLUMN_CHUNKS; functions/builder/src/archive.rs MAX_FOOTER_BYTES",
    ),
    (
        "a row group of Parquet",
        "functions/builder/src/parquet.rs MAX_GROUP_BYTES; functions/builder/src/parquet.rs MAX_GROUP_ROWS",
    ),
    ("files of the layout `files`", "functions/builder/src/parts.rs MAX_FILES"),
    ("footer of an object", "shared/columnar/src/footer.rs MAX_FOOTER_BYTES"),
    (
        "columns and groups of an object; how deep they nest",
        "shared/columnar/src/footer.rs MAX_SCHEMA_NODES; shared/columnar/src/footer.rs MAX_SCHEMA_DEPTH",
    ),
    ("columns of all row groups together", "shared/columnar/src/footer.rs MAX_COLUMN_CHUNKS"),
    ("columns that are read", "shared/columnar/src/rows.rs MAX_READ_COLUMNS"),
    ("rows of an object", "shared/columnar/src/rows.rs MAX_ROWS"),
    (
        "a page, decompressed; all pages that are held",
        "shared/columnar/src/pages.rs MAX_PAGE_BYTES; shared/columnar/src/pages.rs MAX_HELD_BYTES",
    ),
    (
        "values of a dictionary, or of a page of lists",
        "shared/columnar/src/pages.rs MAX_PAGE_VALUES",
    ),
    ("elements of all lists of a few rows", "shared/columnar/src/rows.rs MAX_BATCH_VALUES"),
    (
        "a row; a record with its lists",
        "shared/lake/src/values.rs MAX_ROW_BYTES; shared/lake/src/selection.rs MAX_RECORD_BYTES",
    ),
    (
        "rows of a source object that cannot be read",
        "shared/export/src/catalog/dataset.rs MAX_BAD_PERCENT; shared/lake/src/records.rs MIN_JUDGED_ROWS",
    ),
    (
        "bad rows that are listed; a reason",
        "shared/lake/src/bad_rows.rs MAX_LISTED_BAD_ROWS; shared/lake/src/bad_rows.rs MAX_REASON_BYTES",
    ),
    ("a chunk of Hadoop's Snappy", "shared/lake/src/hadoop.rs MAX_CHUNK_BYTES"),
    ("what is looked at of an object to see what it is", "shared/lake/src/detect.rs HEAD_BYTES"),
    ("a catalog", "shared/cloud/src/catalog_source.rs MAX_CATALOG_BYTES"),
    ("other buckets of a catalog", "shared/export/src/catalog/bucket.rs MAX_SOURCE_BUCKETS"),
    (
        "path of a dataset",
        "shared/export/src/partition/template.rs MAX_PATH_BYTES; shared/export/src/partition/template.rs MAX_PLACEHOLDERS",
    ),
    (
        "how far from its own time a row may be filed",
        "shared/export/src/catalog/dataset.rs MAX_FILING_HOURS",
    ),
    (
        "how long after its time an object may arrive in a folder (`delivery_minutes`)",
        "shared/export/src/catalog/dataset.rs MAX_DELIVERY_MINUTES",
    ),
    (
        "names of workspaces of a dataset",
        "shared/export/src/catalog/tenancy.rs MAX_TENANT_NAMES; shared/export/src/catalog/tenancy.rs MAX_TENANT_NAME_BYTES",
    ),
    ("fields of a row of CSV or TSV", "shared/export/src/catalog/format.rs MAX_FIELDS"),
    ("index of a list in a path", "shared/export/src/catalog/paths.rs MAX_LIST_INDEX"),
    (
        "what `check_catalog` looks at of a dataset",
        "functions/admin/src/check.rs MAX_DAYS; functions/admin/src/check.rs MAX_OBJECTS; functions/admin/src/check.rs MAX_SAMPLES; \
         functions/admin/src/check.rs MAX_SAMPLE_BYTES; shared/lake/src/inspect.rs MAX_INSPECTED_ROWS",
    ),
    (
        "what `suggest_catalog` looks at",
        "shared/cloud/src/survey.rs MAX_LISTED_DEPTH; shared/cloud/src/survey.rs MAX_LISTED_FOLDERS; \
         shared/suggest/src/survey.rs MAX_SAMPLES; functions/admin/src/suggest.rs MAX_SAMPLE_BYTES",
    ),
    (
        "what `suggest_catalog` writes",
        "shared/suggest/src/survey.rs MAX_DATASETS; shared/suggest/src/columns.rs MAX_COLUMNS",
    ),
    ("builders at work", "template BuilderConcurrency"),
    (
        "attempts to post a callback",
        "number shared/service/src/deliver/schedule.rs WAITS + = 1; hours shared/service/src/deliver/schedule.rs WAITS",
    ),
    ("`Retry-After` of a receiver", "shared/service/src/deliver/schedule.rs MAX_RETRY_AFTER"),
    ("a callback, from when it is due", "shared/export/src/callback.rs CALLBACK_TIMEOUT"),
    (
        "pause after a failure of ours with a message",
        "shared/service/src/outcome.rs FIRST_PAUSE; shared/service/src/outcome.rs MAX_PAUSE",
    ),
    (
        "pause after a failure of ours with what follows an export's end",
        "shared/export/src/record.rs FIRST_BACKOFF; shared/export/src/record.rs MAX_BACKOFF",
    ),
    (
        "time that whoever ends an export has to send what follows",
        "shared/export/src/record.rs FOLLOW_UP_AFTER",
    ),
    (
        "exports that the janitor looks after at once",
        "shared/service/src/sweep.rs AT_ONCE; \
         template JanitorFunction.Timeout - shared/service/src/sweep.rs MARGIN",
    ),
    (
        "answer of a receiver",
        "functions/notifier/src/post.rs TIMEOUT; functions/notifier/src/post.rs MAX_ANSWER_BYTES",
    ),
    ("failed files of a copy that are told", "shared/export/src/bucket_copy.rs MAX_FAILED_FILES"),
    ("record of an export; of a count", "shared/cloud/src/record_item.rs RECORD_LIFETIME"),
];

pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The first two cells of each row of the tables.
pub(crate) fn rows(page: &str) -> Vec<(String, String)> {
    let cells = page.lines().filter(|line| line.starts_with("| ")).filter_map(|line| {
        let mut cells = line.trim_matches('|').split(" | ").map(str::trim);
        Some((cells.next()?.to_owned(), cells.next()?.to_owned()))
    });
    cells.collect()
}

/// The numbers of a text, each as it stands and by its unit: bytes, and seconds.
fn numbers(text: &str) -> Vec<(u64, u64)> {
    let words: Vec<&str> =
        text.split([' ', ';', '(', ')']).filter(|word| !word.is_empty()).collect();
    let number = |(i, word): (usize, &&str)| {
        let number: u64 = word.trim_end_matches(',').replace(',', "").parse().ok()?;
        let unit = words.get(i + 1).map_or("", |word| word.trim_end_matches([',', '.']));
        let factor = match unit {
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "minute" | "minutes" => 60,
            "hour" | "hours" => 3600,
            "days" => 24 * 3600,
            _ => 1,
        };
        Some((number, number * factor))
    };
    words.iter().enumerate().filter_map(number).collect()
}

/// The value at a place, as [`ROWS`] say.
fn value(place: &str) -> u64 {
    if let Some((left, right)) = place.split_once(" + ") {
        return value(left) + value(right);
    }
    if let Some((left, right)) = place.split_once(" - ") {
        return value(left) - value(right);
    }
    let (kind, name) = place.trim().split_once(' ').unwrap();
    match kind {
        "=" => name.parse().unwrap(),
        "code" => match name {
            "PieceWriter::MAX_BYTES" => cloud::PieceWriter::MAX_BYTES,
            other => panic!("{other} is not among what is computed"),
        },
        "number" => list(name).len() as u64,
        "hours" => list(name).iter().sum::<u64>().div_ceil(3600) * 3600,
        "template" => in_template(name),
        path => constant(&fs::read_to_string(project().join(path)).expect(place), name),
    }
}

/// The default of a parameter of the template, or a property of a function, as `Function.Property`.
fn in_template(name: &str) -> u64 {
    let text = fs::read_to_string(project().join("template.yaml")).unwrap();
    let (resource, property) = name.split_once('.').unwrap_or((name, "Default"));
    let rest = text.split(&format!("\n  {resource}:\n")).nth(1).expect(name);
    let property = format!("{property}: ");
    let found = rest.lines().find_map(|line| line.trim().strip_prefix(&property));
    found.unwrap().trim().parse().unwrap()
}

/// The numbers of a constant that is a list, in a file.
fn list(place: &str) -> Vec<u64> {
    let (path, name) = place.split_once(' ').unwrap();
    let source = fs::read_to_string(project().join(path)).expect(place);
    let rest = source.split(&format!("const {name}: ")).nth(1).expect(place);
    let numbers = rest.split_once("= [").unwrap().1.split(']').next().unwrap();
    numbers.split(',').map(|number| product(&source, number)).collect()
}

/// The value of a constant, or of the first field of this name that has one.
fn constant(source: &str, name: &str) -> u64 {
    let rest = source.split(&format!("const {name}: ")).nth(1);
    let expression = if let Some(rest) = rest {
        rest.split_once('=').unwrap().1.split(';').next().unwrap()
    } else {
        let start = format!("{name}: ");
        let fields = source.lines().filter_map(|line| line.trim().strip_prefix(&start));
        let mut values = fields.filter_map(|field| field.strip_suffix(','));
        values.find(|value| !["u32", "usize"].contains(value)).expect(name)
    };
    product(source, expression)
}

/// The value of a product or a shift of numbers, durations, and other constants.
fn product(source: &str, expression: &str) -> u64 {
    if let Some((left, right)) = expression.split_once("<<") {
        return product(source, left) << product(source, right);
    }
    let duration = expression.trim().trim_end_matches(')').split_once("::from_");
    if let Some((unit, count)) = duration.and_then(|(_, call)| call.split_once('(')) {
        let seconds = match unit {
            "secs" => 1,
            "mins" => 60,
            "hours" => 3600,
            other => panic!("{other} is no unit that is known here"),
        };
        return seconds * product(source, count);
    }
    let factor = |text: &str| {
        let text = text.trim().replace('_', "");
        text.parse().unwrap_or_else(|_| constant(source, &expression_name(expression)))
    };
    expression.split('*').map(factor).product()
}

/// The name of the constant in a product.
fn expression_name(expression: &str) -> String {
    let names = expression.split('*').map(str::trim);
    names.filter(|word| word.starts_with(char::is_uppercase)).collect()
}

#[test]
fn the_table_of_limits_names_the_values_of_the_code() {
    let page = fs::read_to_string(project().join("docs/limits.md")).unwrap();
    let (_, tables) = page.split_once("## What a workspace may use").unwrap();
    let rows = rows(tables);
    for (name, places) in ROWS {
        let (_, text) = rows.iter().find(|(row, _)| row == name).expect(name);
        let (told, values) = (numbers(text), places.split(';').map(value).collect::<Vec<_>>());
        let same = |(told, value): (&(u64, u64), &u64)| told.0 == *value || told.1 == *value;
        let right = told.len() == values.len() && told.iter().zip(&values).all(same);
        assert!(right, "docs/limits.md says of {name:?} {text:?}; the code has {values:?}");
    }
    let known = |name: &str| ROWS.iter().any(|(row, _)| *row == name);
    for (name, text) in &rows {
        let numberless = numbers(text).is_empty();
        assert!(known(name) || numberless, "{name:?} has numbers, and is not among the rows here");
    }
}
