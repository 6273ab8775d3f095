//! The pages of a new export.

use axum::{http::StatusCode, response::Response};
use console_kit::{Form, Place, WINDOWS, page, url};
use export::{Catalog, ColumnType, CsvStyle, Format, Table};
use maud::{Markup, html};
use web::BaseUrl;

/// The page on which tables are chosen.
pub(super) fn tables(base: &BaseUrl, catalog: &Catalog) -> Response {
    let content = html! {
        form method="get" action=(url(base, "/new")) {
            fieldset {
                legend { "Tables" }
                @for table in catalog.tables() {
                    label {
                        input type="checkbox" name="table" value=(table.name);
                        strong { (table.name) }
                        @if !table.description.is_empty() { " – " (table.description) }
                    }
                }
            }
            button type="submit" { "Go on" }
        }
    };
    page(StatusCode::OK, "New export: which tables?", (base, Place::New), &content)
}

/// The page of the form, with what was sent and what is wrong with it.
pub(super) fn form(
    base: &BaseUrl,
    tables: &[&Table],
    form: &Form,
    (status, faults): (StatusCode, &[String]),
) -> Response {
    let content = html! {
        @if !faults.is_empty() {
            div.fault role="alert" {
                p { "Nothing was made. Mend this and send the form again:" }
                ul { @for fault in faults { li { (fault) } } }
            }
        }
        p { a href=(url(base, "/new")) { "Choose other tables" } }
        form method="post" action=(url(base, "/new")) {
            @for table in tables { (columns(table, form)) }
            (window(form))
            (rows(base, form))
            (files(form))
            label for="name" { "Name, if you want one" }
            input #name name="name" maxlength="100" size="40" value=(form.text("name"));
            p {
                button type="submit" { "Make the export" } " "
                button type="submit" formaction=(url(base, "/new/preview"))
                    hx-post=(url(base, "/new/preview")) hx-target="#preview" hx-disabled-elt="this" {
                    "Show the first rows"
                }
            }
        }
        section #preview aria-live="polite" aria-label="What the export would have" {}
    };
    page(status, "New export", (base, Place::New), &content)
}

fn columns(table: &Table, form: &Form) -> Markup {
    let field = format!("columns.{}", table.name);
    let sent = form.names("window");
    html! {
        input type="hidden" name="table" value=(table.name);
        fieldset {
            legend { "Columns of " (table.name) }
            div.columns {
                @for column in &table.columns {
                    label {
                        input type="checkbox" name=(field) value=(column.name) checked[!sent || form.has(&field, &column.name)];
                        (column.name) " " span.hint { "(" (kind(column.kind)) ")" }
                    }
                }
            }
            p.hint { "With all of them, or with none, rows are exported whole." }
        }
    }
}

fn window(form: &Form) -> Markup {
    let chosen = Some(form.text("window")).filter(|name| !name.is_empty()).unwrap_or("24h");
    let zone = Some(form.text("zone")).filter(|name| !name.is_empty());
    html! {
        fieldset {
            legend { "Window" }
            @for (name, shown) in WINDOWS {
                label { input type="radio" name="window" value=(name) checked[name == chosen]; (shown) }
            }
            label.inline { "From " input type="datetime-local" name="from" step="1" value=(form.text("from")); }
            label.inline { "To " input type="datetime-local" name="to" step="1" value=(form.text("to")); }
            label { "Time zone " input name="zone" value=(zone.unwrap_or("UTC")) data-default[zone.is_none()] size="24"; }
            p.hint { "The end is not inside. Days and hours are those of the time zone." }
        }
    }
}

fn rows(base: &BaseUrl, form: &Form) -> Markup {
    html! {
        fieldset {
            legend { "Rows" }
            label for="filter" { "Filter, if you do not want all rows" }
            textarea #filter name="filter" rows="3" maxlength="65536" aria-describedby="filter-told"
                hx-post=(url(base, "/new/filter")) hx-trigger="input changed delay:400ms" hx-target="#filter-told"
                hx-include="[name=table]" { (form.text("filter")) }
            p.hint #filter-told aria-live="polite" { "As city IN ['Bern', 'Basel'] AND views > 2" }
        }
    }
}

fn files(form: &Form) -> Markup {
    let option = |field: &str, value: &str, shown: &str, is_default: bool| {
        let sent = form.text(field);
        let selected = if sent.is_empty() { is_default } else { sent == value };
        html! { option value=(value) selected[selected] { (shown) } }
    };
    html! {
        fieldset {
            legend { "Files" }
            label.inline { "Format "
                select name="format" {
                    @for (name, _) in Format::ALL { (option("format", name, name, name == "csv")) }
                }
            }
            label.inline { "Style of CSV "
                select name="style" {
                    @for (name, style) in CsvStyle::ALL { (option("style", name, name, style == CsvStyle::default())) }
                }
            }
            label.inline { "As "
                select name="layout" {
                    (option("layout", "zip", "one ZIP", true))
                    (option("layout", "files", "plain files", false))
                }
            }
        }
    }
}

/// What people call a type.
fn kind(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::String => "text",
        ColumnType::Integer => "whole number",
        ColumnType::Number => "number",
        ColumnType::Boolean => "true or false",
        ColumnType::Time => "time",
        ColumnType::Json => "object or list",
    }
}
