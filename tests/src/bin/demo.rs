//! Shows the main job on a running stack, `demo` or the one that is named: a lake is filled, an export is asked
//! for, built and downloaded through the public API.

#![expect(clippy::print_stdout, reason = "it talks to people")]

use std::{
    env, fs,
    io::{IsTerminal as _, Write as _},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, ensure};
use jiff::{SignedDuration, Timestamp, Unit};
use serde_json::json;
use tests::{Stack, User, sample::Sample};

const HOURS: i64 = 24;
const TABLES: [&str; 3] = ["liferay_page", "amplitude_events", "coveo_keywords"];
const DATASETS: [&str; 3] = ["liferay_page", "amplitude_events", "coveo_searches"];

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let name = env::args().nth(1).unwrap_or_else(|| "demo".to_owned());
    let stack = Stack::named(&name).await?;
    let made = stack
        .admin(&json!({
            "action": "create_token", "workspaces": ["acme"], "privileges": ["view", "edit"], "description": "demo",
        }))
        .await?;
    let token = made["token"].as_str().context("make a token")?.to_owned();
    let user = User { stack, workspace: "acme".parse()?, token };

    let to = Timestamp::now().round((Unit::Hour, 1))? - SignedDuration::from_hours(2);
    let from = to - SignedDuration::from_hours(HOURS);
    let sample = Sample { seed: 1, rows_per_hour: 500, objects_per_hour: 2 };
    let objects = user.seed(sample, &DATASETS, from, HOURS + 1).await?;
    let bytes: usize = objects.iter().map(|object| object.bytes.len()).sum();
    println!("The lake has {} objects of workspace acme, {} MB.", objects.len(), bytes / 1_000_000);

    let body = json!({
        "name": "demo", "tables": TABLES, "format": "csv",
        "window": { "from": from.to_string(), "to": to.to_string() },
    });
    println!("\nPOST {}/v1/exports\n{body}\n", user.stack.base_url());
    let url = user.create(&body).await?;
    let done = watched(&user, &url).await?;
    ensure!(done.text("/status") == "succeeded", "the export did not succeed: {}", done.body);

    let link = done.text("/links/download");
    let archive = user.download(link).await?;
    let file = format!(".local/{name}/demo.zip");
    fs::write(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(&file), &archive.0)?;
    println!(
        "\nDownloaded {file}, {} bytes, {} rows:",
        archive.0.len(),
        done.body["archive"]["rows"]
    );
    for (name, size) in archive.listing()? {
        println!("  {size:>12}  {name}");
    }
    println!("\nIt can be downloaded until {}:", done.text("/expires_at"));
    println!("  curl -L -O -J -H 'Authorization: Bearer {}' {link}", user.token);
    let base = user.stack.base_url();
    println!("\nGo on in a browser: {base}/console, with this token: {}", user.token);
    println!("or by the API: {base}/v1/openapi.json; stop the stack with: make down");
    Ok(())
}

/// Follows an export to its end: on a terminal on one line, elsewhere on a line for each tenth.
async fn watched(user: &User, url: &str) -> anyhow::Result<tests::Reply> {
    let terminal = std::io::stdout().is_terminal();
    let mut told = None;
    loop {
        let reply = user.get(url).await?;
        let progress = &reply.body["progress"];
        let (done, total) = (progress["steps_done"].as_u64(), progress["steps_total"].as_u64());
        let line = format!(
            "{:<10} {} of {} steps, {} rows, {} bytes",
            reply.text("/status"),
            progress["steps_done"],
            total.map_or("?".to_owned(), |total| total.to_string()),
            progress["rows"],
            progress["bytes"],
        );
        let ended = !["queued", "running"].contains(&reply.text("/status"));
        let tenth = done.zip(total).map(|(done, total)| done * 10 / total.max(1));
        if terminal {
            print!("\r{line}{}", if ended { "\n" } else { "" });
            std::io::stdout().flush()?;
        } else if ended || tenth > told {
            println!("{line}");
            told = tenth;
        }
        if ended {
            return Ok(reply);
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}
