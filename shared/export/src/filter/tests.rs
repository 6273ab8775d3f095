//! What filters mean to their reader, and what is refused.

use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;
use crate::Catalog;

const NAMED: [(&str, &str); 6] = [
    ("EXCLUDE_PAGEVIEW_BOTS", "userAgent !@ 'bot'"),
    ("NO_BLANK_QUERIES", "queryExpression != '' AND queryExpression != null"),
    ("BOTH", "$NO_BLANK_QUERIES AND $exclude_pageview_bots"),
    ("ROUND", "$ABOUT"),
    ("ABOUT", "city == 'x' OR $ROUND"),
    ("WRONG", "city === 'x'"),
];

/// Reads a filter on these tables of the Coveo dialect.
fn read_for(tables: &[&str], text: &str) -> Result<Option<Filter>, FilterError> {
    let named = NAMED.map(|(id, text)| (id.to_owned(), text.to_owned()));
    let catalog = Catalog::built_in().unwrap();
    Filter::read(text, &Scope::new(&catalog, tables.iter().copied(), "coveo_", &named))
}

fn read(text: &str) -> Result<Option<Filter>, FilterError> {
    read_for(&["coveo_searches", "coveo_clicks", "coveo_custom_events"], text)
}

#[test]
fn filters_seen_in_the_wild_are_understood() {
    for text in [
        "$EXCLUDE_PAGEVIEW_BOTS AND (city IN ['Québec','Quebec'])",
        "$NO_BLANK_QUERIES AND searchcausev2=='resultsSort'",
        "customeventtype=='getMoreResults'",
        r#"(groupname!=null) AND (originlevel1 IN ["AgentCasePanel","InsightPanel"])"#,
        r#"originlevel1 !@ "Agent""#,
        "clickRank >= 100",
        "(customeventtype=='Search') AND (searchcausev2=~'searchboxAsYouType' OR searchcausev2=~'searchAsYouType')",
        "(customeventtype=='Search') AND (causev2=='searchAsYouType')",
        r#"(searchcausev2 IN ["searchboxSubmit","searchFromLink"])"#,
        "(origincontext=='CaseCreation')",
        "customEventType=='purchase'",
        "(originLevel1=~'MainSearch' OR originLevel1=~'Listing')",
        "$BOTH",
        "custom_events.city == null and CLICKS.CITY in []",
    ] {
        read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}

#[test]
fn and_binds_tighter_than_or_and_names_become_those_of_the_catalog() {
    let written = |text| read(text).unwrap().unwrap().to_string();
    assert_eq!(
        written("city=='a'OR city=='b'AND city=='c'"),
        "city == 'a' OR city == 'b' AND city == 'c'"
    );
    assert_eq!(
        written("(city=='a'OR city=='b')AND city=='c'"),
        "(city == 'a' OR city == 'b') AND city == 'c'"
    );
    assert_eq!(
        written("$BOTH OR customeventtype == 'x'"),
        "(queryExpression != '' AND queryExpression != null) AND userAgent !@ 'bot' OR \
         coveo_custom_events.eventType == 'x'"
    );
    assert_eq!(written("clicks.DocumentTitle =@ 'x'"), "coveo_clicks.DocumentTitle =@ 'x'");
}

#[test]
fn blank_filters_say_nothing() {
    assert_eq!(read(" \t\n").unwrap(), None);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let wrong = [
        "city = 'x'",
        "city == x",
        "city == 'x' city == 'y'",
        "(city == 'x'",
        "city == 'x')",
        "city == 'é' AND region == 'x",
        "city IN ['a' 'b']",
        "city IN ['a'",
        "city IN 'a'",
        "NOT city == 'a'",
        "ctiy == 'a'",
        "views.city == 'a'",
        "clickRank == 'many'",
        "mobile > true",
        "mobile == 'maybe'",
        "datetime > 'yesterday'",
        "city > null",
        "city > true",
        "clickRank > 3x",
        "clickRank > -",
        "$NOBODY",
        "$",
        "city == 'y' AND $ROUND",
        "$WRONG",
    ];
    let told = wrong.map(|text| format!("{text}\n    {}", read(text).unwrap_err()));
    assert_snapshot!(told.join("\n"));
}

#[test]
fn huge_filters_are_refused_at_once() {
    let brackets = |count| {
        let inner = "city == 'x' AND (city == 'y' OR ";
        format!("{}city == 'z'{}", inner.repeat(count), ")".repeat(count))
    };
    let listed = |count| format!("city IN [{}]", vec!["''"; count].join(","));
    assert!(read(&brackets(MAX_DEPTH)).is_ok());
    assert!(read(&listed(MAX_LISTED)).is_ok());
    assert!(read(&vec!["city == ''"; MAX_COMPARISONS].join(" OR ")).is_ok());
    for text in [
        brackets(MAX_DEPTH + 1),
        "(".repeat(60_000),
        "(".repeat(100_000),
        listed(MAX_LISTED + 1),
        format!("{} OR {}", listed(MAX_LISTED), listed(1)),
        vec!["city == ''"; MAX_COMPARISONS + 1].join(" OR "),
    ] {
        assert!(read(&text).is_err());
    }
    let padded = |bytes| format!("city == 'x'{}", " ".repeat(bytes - 11));
    assert!(read(&padded(MAX_FILTER_BYTES)).is_ok());
    assert!(read(&padded(MAX_FILTER_BYTES + 1)).is_err());
    // What is joined with others is stored, and read again.
    let deep = [read(&brackets(MAX_DEPTH)).unwrap().unwrap(), "a == 1 OR b == 2".parse().unwrap()];
    let joined = Filter::all(deep).unwrap();
    assert_eq!(joined.to_string().parse(), Ok(joined));
    // Joined with others, a filter may be a bit deeper, and still not as deep as it likes.
    assert!(brackets(MAX_DEPTH + 8).parse::<Filter>().is_ok());
    assert!(brackets(MAX_DEPTH + 9).parse::<Filter>().is_err());
}

#[test]
fn only_brackets_within_brackets_are_deep() {
    for group in ["(city == 'x' OR city == 'y')", "$NO_BLANK_QUERIES"] {
        assert!(read(&vec![group; 2 * MAX_DEPTH].join(" AND ")).is_ok(), "{group}");
    }
}

#[test]
fn a_backslash_only_escapes_quotes_and_itself() {
    let value = |text: &str| match read(text).unwrap() {
        Some(Filter::One(Comparison { test: Test::Is(_, Literal::Text(value)), .. })) => value,
        other => panic!("{other:?}"),
    };
    assert_eq!(value(r#"city == 'C:\\a\d\'\"'"#), r#"C:\a\d'""#);
}

#[test]
fn values_fit_the_kinds_of_their_columns() {
    for text in [
        "mobile == true",
        "mobile == 'TRUE'",
        "mobile != 'false'",
        "mobile IN [true, 'False', null]",
        "clickRank > '3.5'",
        "clickRank =@ 'x'",
        "datetime > '2026-03-01T00:00:00Z'",
        "datetime >= '1772360430500'",
        "datetime < 1772360430500",
        "datetime =@ '2026'",
        "mobile =@ 'tru'",
        "city == true",
        "city =~ true",
        "city !~ null",
        "city > 3",
        "city > 'M'",
    ] {
        read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
    for text in [
        "mobile == 1",
        "mobile == 'yes'",
        "mobile >= true",
        "clickRank == '3x'",
        "clickRank IN [1, 'x']",
        "datetime > true",
        "datetime NOT_IN ['yesterday']",
        "city >= true",
        "city <= null",
        "city =@ null",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn values_of_filters_are_read_as_what_they_stand_for() {
    let text = |text: &str| Literal::Text(text.to_owned());
    let number = |text: &str| Literal::Number(text.to_owned());
    assert_eq!((text("True").boolean(), text("FALSE").boolean()), (Some(true), Some(false)));
    assert_eq!((text("yes").boolean(), number("1").boolean()), (None, None));
    assert_eq!(Literal::Boolean(true).boolean(), Some(true));
    let at = "2026-03-01T10:20:30.5Z".parse().ok();
    for literal in
        [text("2026-03-01T11:20:30.5+01:00"), text("1772360430500"), number("1772360430500")]
    {
        assert_eq!(literal.instant(), at, "{literal}");
    }
    assert_eq!((Literal::Null.instant(), Literal::Boolean(true).instant()), (None, None));
}

#[test]
fn comparisons_are_listed_from_left_to_right() {
    let filter: Filter = "(a == 1 OR b == 2) AND c == 3".parse().unwrap();
    let names: Vec<_> = filter.comparisons().iter().map(|c| c.dimension.name.clone()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn a_record_is_looked_into_before_what_it_lists_and_by_the_relation_of_the_table() {
    let text = "[[dataset]]\nname = \"d\"\npath = \"{workspace}/{yyyy}/{MM}/{dd}/\"\ntime = \"t\"\n\
                [[dataset]]\nname = \"e\"\npath = \"{workspace}/{yyyy}/{MM}/{dd}/\"\ntime = \"t\"\n\
                [[table]]\nname = \"a_listed\"\ndataset = \"d\"\nexplode = \"list\"\n\
                relation = { name = \"r\", column = \"id\" }\n\
                columns = [\"id\", \"city\", { name = \"word\", element = \"\" }]\n\
                [[table]]\nname = \"record\"\ndataset = \"d\"\n\
                relation = { name = \"r\", column = \"id\" }\ncolumns = [\"id\", \"city\"]\n\
                [[table]]\nname = \"seen\"\ndataset = \"d\"\nexplode = \"seen\"\n\
                relation = { name = \"r\", column = \"id\" }\ncolumns = [\"id\"]\n\
                [[table]]\nname = \"parent\"\ndataset = \"d\"\n\
                relation = { name = \"r\", column = \"up\" }\ncolumns = [\"up\", \"age\"]\n\
                [[table]]\nname = \"other\"\ndataset = \"e\"\n\
                relation = { name = \"r\", column = \"id\" }\ncolumns = [\"id\", \"size\"]";
    let catalog = Catalog::parse("test", text).unwrap();
    let reach = |name: &str| {
        let dimension = Dimension { table: None, name: name.to_owned() };
        match catalog.reach(catalog.table("seen").unwrap(), &dimension) {
            Some(Reach::Record(table, _)) => format!("record of {}", table.name),
            Some(Reach::Related(tables)) => format!("rows of {}", tables[0].0.name),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(reach("city"), "record of record");
    assert_eq!(reach("word"), "record of a_listed");
    assert_eq!(reach("age"), "rows of parent", "the same dataset, related otherwise");
    assert_eq!(reach("size"), "rows of other", "another dataset, related so");
}

#[test]
fn a_filter_must_mean_something_for_every_table_it_is_for() {
    assert!(
        read_for(&["coveo_keywords"], "documentTitle == 'x'").is_ok(),
        "of clicks of the search"
    );
    assert!(read_for(&["liferay_page"], "documentTitle == 'x'").is_err());
    assert!(read_for(&["coveo_clicks", "liferay_page"], "city == 'x'").is_ok());
}

#[test]
fn columns_are_found_as_near_as_possible() {
    let catalog = Catalog::built_in().unwrap();
    let reach = |table: &str, name: &str| {
        let (of, name) =
            name.split_once('.').map_or((None, name), |(of, name)| (Some(of.into()), name));
        let dimension = Dimension { table: of, name: name.to_owned() };
        match catalog.reach(catalog.table(table).unwrap(), &dimension) {
            None => "nowhere".to_owned(),
            Some(Reach::Own(_)) => "own".to_owned(),
            Some(Reach::Record(table, _)) => format!("record of {}", table.name),
            Some(Reach::Related(tables)) => {
                tables.iter().map(|(table, _)| table.name.as_str()).collect::<Vec<_>>().join(", ")
            }
        }
    };
    assert_eq!(reach("coveo_searches", "CITY"), "own");
    assert_eq!(reach("coveo_keywords", "city"), "record of coveo_searches");
    assert_eq!(reach("coveo_searches", "groupname"), "record of coveo_groups");
    assert_eq!(reach("coveo_custom_events", "causev2"), "coveo_clicks, coveo_searches");
    assert_eq!(reach("coveo_custom_events", "coveo_searches.city"), "coveo_searches");
    assert_eq!(reach("coveo_searches", "documenttitle"), "coveo_clicks");
    assert_eq!(reach("liferay_page", "documenttitle"), "nowhere");
}

#[test]
fn a_named_filter_counts_as_often_as_it_is_named() {
    let long = format!("city == '{}'", "x".repeat(60_000));
    let quotes = format!("city == \"{}\"", "'".repeat(60_000));
    let named = [("LONG".to_owned(), long), ("QUOTES".to_owned(), quotes)];
    let catalog = Catalog::built_in().unwrap();
    let scope = Scope::new(&catalog, ["liferay_page"], "", &named);
    let read = |text: &str| Filter::read(text, &scope).map(|_| ()).map_err(|error| error.reason);

    assert_eq!(read("$LONG AND $LONG"), Ok(()));
    let reason = read(&["$LONG"; 900].join(" AND ")).unwrap_err();
    assert!(reason.contains("at most 131072 bytes"), "{reason}");
    // Each of these quotes is stored with a backslash before it.
    assert!(read("$QUOTES AND $LONG").is_err());

    let several = ["$LONG"; 900];
    assert!(Filter::read_all(&several[..2], &scope).unwrap().is_some());
    assert!(Filter::read_all(&several, &scope).is_err(), "several share the limits of one");
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        r#"[a-zé'"\\ \[\]$]{0,8}"#.prop_map(Literal::Text),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,3})?".prop_map(Literal::Number),
        any::<bool>().prop_map(Literal::Boolean),
        Just(Literal::Null),
    ]
}

fn filter() -> impl Strategy<Value = Filter> {
    let operator = prop::sample::select(Operator::ALL.map(|(_, operator)| operator).to_vec());
    let test = prop_oneof![
        (operator, literal()).prop_map(|(operator, literal)| Test::Is(operator, literal)),
        prop::collection::vec(literal(), 0..4).prop_map(Test::In),
        prop::collection::vec(literal(), 0..4).prop_map(Test::NotIn),
    ];
    let name = "[a-zA-Z][a-zA-Z0-9_]{0,6}";
    let dimension =
        (prop::option::of(name), name).prop_map(|(table, name)| Dimension { table, name });
    let one =
        (dimension, test).prop_map(|(dimension, test)| Filter::One(Comparison { dimension, test }));
    one.prop_recursive(4, 24, 4, |inner| {
        let several = prop::collection::vec(inner, 2..4);
        prop_oneof![several.clone().prop_map(Filter::All), several.prop_map(Filter::Any)]
    })
}

proptest! {
    #[test]
    fn a_filter_that_is_written_and_read_again_is_the_same(filter in filter()) {
        let text = filter.to_string();
        prop_assert_eq!(text.parse::<Filter>(), Ok(filter), "{}", text);
    }

    #[test]
    fn any_text_is_answered(text in r#"[a-c.$()\[\]'"\\=!<>~@,0-9 ANDORINnull_-]{0,40}"#) {
        if let Ok(filter) = text.parse::<Filter>() {
            prop_assert_eq!(filter.to_string().parse::<Filter>(), Ok(filter));
        }
    }
}
