//! S3: whole objects, written, read and removed.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::Reply;

/// The objects, by bucket and key.
#[derive(Default)]
pub(crate) struct Objects(BTreeMap<(String, String), Vec<u8>>);

/// What a URL of S3 leads to.
#[derive(Debug)]
pub(crate) struct Address {
    pub(crate) bucket: String,
    pub(crate) key: String,
    query: String,
}

impl Address {
    /// Reads a URL whose host begins with the bucket.
    pub(crate) fn of(uri: &str) -> Self {
        let rest = uri.split_once("://").map_or(uri, |(_, rest)| rest);
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (key, query) = path.split_once('?').unwrap_or((path, ""));
        Self {
            bucket: host.split('.').next().unwrap_or_default().to_owned(),
            key: percent_decode_str(key).decode_utf8_lossy().into_owned(),
            query: query.to_owned(),
        }
    }
}

impl Objects {
    pub(crate) fn put(&mut self, bucket: &str, key: &str, content: Vec<u8>) {
        self.0.insert((bucket.to_owned(), key.to_owned()), content);
    }

    pub(crate) fn get(&self, bucket: &str, key: &str) -> Option<&[u8]> {
        self.0.get(&(bucket.to_owned(), key.to_owned())).map(Vec::as_slice)
    }

    pub(crate) fn keys(&self, bucket: &str) -> Vec<String> {
        let keys = self.0.keys().filter(|(of, _)| of == bucket);
        keys.map(|(_, key)| key.clone()).collect()
    }

    /// Answers a call.
    pub(crate) fn call(
        &mut self,
        method: &str,
        address: &Address,
        range: Option<&str>,
        body: &[u8],
    ) -> Reply {
        let Address { bucket, key, query } = address;
        match method {
            "HEAD" => Reply::new(200, ""),
            "PUT" if !query.contains("uploadId") => {
                self.put(bucket, key, body.to_vec());
                Reply::new(200, "")
            }
            "GET" if range.is_none() => match self.get(bucket, key) {
                Some(content) => Reply::object(content),
                None => Reply::new(404, "<Error><Code>NoSuchKey</Code></Error>"),
            },
            "POST" if query.starts_with("delete") => {
                for key in tagged(&String::from_utf8_lossy(body), "Key") {
                    self.0.remove(&(bucket.clone(), key));
                }
                Reply::new(200, "<DeleteResult/>")
            }
            _ => Reply::unknown(),
        }
    }
}

/// Returns the texts of the elements of this name.
fn tagged(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let parts = xml.split(&open).skip(1);
    parts.filter_map(|part| Some(part.split_once(&close)?.0.to_owned())).collect()
}
