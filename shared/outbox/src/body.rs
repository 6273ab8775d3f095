//! What is posted, as it travels in a message of a queue.

use std::io::{Read as _, Write as _};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};

/// A body of more bytes than this is compressed in its message. SQS takes messages of 1 MiB; a job of a
/// thousand files with long names has more than that, most of it repeated.
const MAX_PLAIN: usize = 64 << 10;
/// The most bytes that a compressed body may have: many times what a thousand files need.
const MAX_BODY: u64 = 32 << 20;

/// What is posted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Wire", try_from = "Wire")]
pub struct Body(String);

/// How a body is written in a message.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Wire {
    Plain(String),
    Compressed { gzip: String },
}

impl Body {
    /// Returns the body with this text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Returns its text.
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl From<Body> for Wire {
    fn from(Body(text): Body) -> Self {
        if text.len() <= MAX_PLAIN {
            return Self::Plain(text);
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        // A Vec takes everything.
        let written = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
        written.map_or(Self::Plain(text), |bytes| Self::Compressed {
            gzip: BASE64_STANDARD.encode(bytes),
        })
    }
}

impl TryFrom<Wire> for Body {
    type Error = std::io::Error;

    fn try_from(wire: Wire) -> Result<Self, Self::Error> {
        let gzip = match wire {
            Wire::Plain(text) => return Ok(Self(text)),
            Wire::Compressed { gzip } => gzip,
        };
        let bytes = BASE64_STANDARD.decode(gzip).map_err(std::io::Error::other)?;
        let mut text = String::new();
        GzDecoder::new(&bytes[..]).take(MAX_BODY).read_to_string(&mut text)?;
        Ok(Self(text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_body_arrives_as_it_was_sent(text in "\\PC{0,40}", times in 0_usize..9000) {
            let body = Body::new(text.repeat(times));
            let sent = serde_json::to_string(&body).unwrap();
            prop_assert_eq!(serde_json::from_str::<Body>(&sent).unwrap(), body);
        }
    }
}
