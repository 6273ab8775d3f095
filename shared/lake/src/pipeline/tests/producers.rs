//! The catalogs that `docs/lakes.md` has for common writers read the objects that stand below them.

use super::*;

const PAGE: &str = include_str!("../../../../../docs/lakes.md");

/// What the page has of a writer: its name, a catalog, a key, and the content of the object.
struct Producer {
    name: &'static str,
    catalog: Catalog,
    key: &'static str,
    content: &'static str,
}

fn producers() -> Vec<Producer> {
    let block = |section: &'static str, kind: &str| {
        let (_, rest) = section.split_once(&format!("```{kind}\n")).unwrap();
        rest.split_once("\n```").unwrap().0
    };
    let producer = |section: &'static str| {
        let name = section.lines().next().unwrap();
        let catalog = Catalog::parse(name, block(section, "toml"));
        let (key, content) = block(section, "text").split_once('\n').unwrap();
        Producer { name, catalog: catalog.unwrap_or_else(|error| panic!("{error}")), key, content }
    };
    PAGE.split("\n## ").skip(1).map(producer).collect()
}

/// An export of three days around the objects of the page.
fn request(catalog: &Catalog, format: Format) -> ExportRequest {
    let window = ["2026-02-28T00:00:00Z", "2026-03-03T00:00:00Z"].map(|at| at.parse().unwrap());
    let table = TableSelection::whole(&catalog.tables().next().unwrap().name);
    ExportRequest::new(vec![table], Window::new(window[0], window[1]).unwrap(), format)
}

fn stored(key: &str, content: &str) -> Vec<u8> {
    if crate::is_gzip(export::Compression::Auto, key) { gzip(content) } else { content.into() }
}

#[test]
fn every_writer_of_the_page_is_read_as_it_comes() {
    let producers = producers();
    assert!(producers.len() > 20, "{} writers", producers.len());
    for Producer { name, catalog, key, content } in producers {
        let dataset = catalog.datasets().next().unwrap();
        let (acme, globex) = ("acme".parse().unwrap(), "globex".parse().unwrap());
        let partition = dataset.partition_of(&acme, key).unwrap_or_else(|| panic!("{name}: {key}"));
        let request = request(&catalog, Format::Csv);
        let partitions = dataset.partitions(&acme, request.window).unwrap();
        assert!(partitions.contains(&partition), "{name}");
        let prefixes = dataset.prefixes(&acme, &partitions, 24);
        assert!(prefixes.iter().any(|prefix| key.starts_with(prefix.as_str())), "{name}");
        assert_eq!(dataset.partition_of(&globex, key), None, "{name}: it is of one tenant");

        let head = usize::from(content.starts_with("event_name,"));
        let rows = content.lines().count() - head + content.matches("}{").count();
        for format in [Format::Csv, Format::Jsonl] {
            let request = ExportRequest { format, ..request.clone() };
            let selection = Selection::new(&catalog, &acme, &request, 0).unwrap();
            let object = InputObject { partition: Some(partition), ..an_object(key) };
            let objects = [(key, stored(key, content))];
            let (_, output) = convert_listed(&selection, &[object], &objects, 1).unwrap();
            assert_eq!(output.stats.listed, [], "{name}");
            assert_eq!(output.segment.rows, rows as u64, "{name} as {format:?}");
        }
        // None of the rows is outside of what the dataset says of its partitions.
        let instant = dataset.filing().times(partition);
        let selection = Selection::new(&catalog, &acme, &request, 0).unwrap();
        let (_, output) = converted(&selection, key, &stored(key, content));
        let (first, last) = output.stats.times.unwrap();
        assert!(instant.contains(&first) && instant.contains(&last), "{name}: {first} {last}");
    }
}
