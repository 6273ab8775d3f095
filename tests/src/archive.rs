//! A downloaded archive.

use std::io::{Cursor, Read as _};

use anyhow::Context as _;
use zip::ZipArchive;

/// A downloaded archive.
#[derive(Clone, Debug)]
pub struct Archive(pub Vec<u8>);

impl Archive {
    /// Returns the text of one of its files.
    pub fn text(&self, name: &str) -> anyhow::Result<String> {
        let mut archive = ZipArchive::new(Cursor::new(&self.0)).context("open the archive")?;
        let mut text = String::new();
        archive.by_name(name)?.read_to_string(&mut text).with_context(|| format!("read {name}"))?;
        Ok(text)
    }

    /// Returns name and size in bytes of its files, in their order.
    pub fn listing(&self) -> anyhow::Result<Vec<(String, u64)>> {
        let mut archive = ZipArchive::new(Cursor::new(&self.0)).context("open the archive")?;
        (0..archive.len())
            .map(|index| {
                let file = archive.by_index(index)?;
                Ok((file.name()?.into_owned(), file.size()))
            })
            .collect()
    }
}
