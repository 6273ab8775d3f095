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
    assert!(read(&brackets(MAX_DEPTH)).is_ok());
    for text in [
        brackets(MAX_DEPTH + 1),
        "(".repeat(60_000),
        "(".repeat(100_000),
        format!("city IN [{}]", "'',".repeat(MAX_LISTED + 1)),
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
