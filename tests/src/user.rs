//! A user of a running stack, and the requests that they send.

use std::time::{Duration, Instant};

use anyhow::bail;
use export::Workspace;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::Value;

use crate::{
    Archive, Stack,
    sample::{Sample, SampleObject},
    wait::TIMEOUT,
};

/// Somebody who holds a token of a workspace.
#[derive(Clone, Debug)]
pub struct User {
    /// The stack they use.
    pub stack: Stack,
    /// Their workspace.
    pub workspace: Workspace,
    /// Their token.
    pub token: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body; null where it is not JSON.
    pub body: Value,
    /// Its body as it came.
    pub bytes: Vec<u8>,
}

impl Reply {
    /// Returns a header, empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Returns a text of the body, empty where it is missing.
    pub fn text(&self, pointer: &str) -> &str {
        self.body.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }
}

impl User {
    /// Fills the lake with a sample of the given datasets and returns its objects.
    pub async fn seed(
        &self,
        sample: Sample,
        datasets: &[&str],
        from: Timestamp,
        hours: i64,
    ) -> anyhow::Result<Vec<SampleObject>> {
        let mut objects = Vec::new();
        for dataset in self.stack.catalog.datasets().filter(|d| datasets.contains(&d.name.as_str()))
        {
            for hour in 0..hours {
                let hour = from + SignedDuration::from_hours(hour);
                objects.extend(sample.hour(&self.stack.catalog, dataset, &self.workspace, hour));
            }
        }
        stream::iter(&objects)
            .map(|object| self.stack.put_source(&object.key, object.bytes.clone()))
            .buffered(8)
            .try_collect::<Vec<()>>()
            .await?;
        Ok(objects)
    }

    /// Sends a request with further headers; a `path` is below the API's base URL, or a URL.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> anyhow::Result<Reply> {
        let url = if path.starts_with("http") {
            path.to_owned()
        } else {
            format!("{}{path}", self.stack.base_url())
        };
        let mut request = self.stack.http.request(Method::from_bytes(method.as_bytes())?, url);
        let given = |name: &str| headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name));
        if !given("authorization") {
            request = request.bearer_auth(&self.token);
        }
        if let Some(body) = body {
            request = request.body(body.to_owned());
            if !given("content-type") {
                request = request.header("content-type", "application/json");
            }
        }
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(*name, *value);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await?.to_vec();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Ok(Reply { status, headers, body, bytes })
    }

    /// Reads what is at a path.
    pub async fn get(&self, path: &str) -> anyhow::Result<Reply> {
        self.send("GET", path, &[], None).await
    }

    /// Sends a body to a path.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Reply> {
        self.send("POST", path, &[], Some(&body.to_string())).await
    }

    /// Makes an export and returns its URL.
    pub async fn create(&self, body: &Value) -> anyhow::Result<String> {
        let reply = self.post("/v1/exports", body).await?;
        anyhow::ensure!(reply.status == 202, "create an export: {} {}", reply.status, reply.body);
        Ok(reply.header("location").to_owned())
    }

    /// Waits until an export is neither queued nor running, and returns it.
    pub async fn finished(&self, url: &str) -> anyhow::Result<Reply> {
        let begun = Instant::now();
        loop {
            let reply = self.get(url).await?;
            anyhow::ensure!(reply.status == 200, "read an export: {} {}", reply.status, reply.body);
            if !["queued", "running"].contains(&reply.text("/status")) {
                return Ok(reply);
            }
            if begun.elapsed() > TIMEOUT {
                bail!("the export does not finish: {}", reply.body);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Makes an export, waits for it and downloads it.
    pub async fn export(&self, body: &Value) -> anyhow::Result<(Reply, Archive)> {
        let done = self.finished(&self.create(body).await?).await?;
        let archive = self.download(done.text("/links/download")).await?;
        Ok((done, archive))
    }

    /// Downloads an archive through its stable URL.
    pub async fn download(&self, url: &str) -> anyhow::Result<Archive> {
        let link = self.get(url).await?;
        anyhow::ensure!(link.status == 302, "download: {} {}", link.status, link.body);
        let file = self.stack.http.get(link.header("location")).send().await?;
        anyhow::ensure!(file.status() == StatusCode::OK, "download: {}", file.status());
        Ok(Archive(file.bytes().await?.to_vec()))
    }
}
