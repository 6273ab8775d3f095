//! Links to the archives of exports: signed at each click, for minutes, and never beyond the archive's end.

use cloud::{ArchiveBucket, Link, LinkMethod, LinkUse, Result};
use export::{Archive, FileName};
use jiff::Timestamp;

/// Signs links.
#[derive(Clone, Debug)]
pub struct Links {
    /// Where archives are.
    pub archives: ArchiveBucket,
}

impl Links {
    /// Signs a link to an object of an archive, good for one method. Without a `name`, it is saved as it was
    /// called when it was written.
    pub async fn sign(
        &self,
        archive: &Archive,
        key: &str,
        name: Option<&FileName>,
        method: LinkMethod,
        now: Timestamp,
    ) -> Result<Link> {
        self.archives.sign(key, link_use(archive, method, now), name).await
    }

    /// Signs a link whose URL repeats the query of its request: some clients read it there.
    pub async fn sign_with_query(
        &self,
        archive: &Archive,
        key: &str,
        query: &str,
        method: LinkMethod,
        now: Timestamp,
    ) -> Result<Link> {
        self.archives.sign_with_query(key, link_use(archive, method, now), query).await
    }
}

fn link_use(archive: &Archive, method: LinkMethod, now: Timestamp) -> LinkUse {
    LinkUse { method, from: now, lifetime: archive.link_lifetime(now) }
}
