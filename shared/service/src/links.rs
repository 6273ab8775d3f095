//! Links to the archives of exports: signed at each click, for minutes, and never beyond the archive's end.

use cloud::{ArchiveBucket, Link, LinkMethod, LinkUse};
use export::{Action, Actor, Archive, Export, FileName, Subject};
use jiff::Timestamp;

use crate::{Audit, Result};

/// Signs links.
#[derive(Clone, Debug)]
pub struct Links {
    /// Where archives are.
    pub archives: ArchiveBucket,
    /// The audit trail.
    pub audit: Audit,
}

impl Links {
    /// Gives a link to an object of an export's archive to somebody, and tells of it. It is good for one method, and the
    /// object is saved as `name`.
    pub async fn give(
        &self,
        (export, archive): (&Export, &Archive),
        (key, name): (&str, &FileName),
        method: LinkMethod,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<Link> {
        let what = (Action::LinkGiven, Subject::export(export.id).and(name));
        self.audit.record(&export.workspace, actor, what, now).await?;
        self.sign(archive, key, name, method, now).await
    }

    /// Signs a link to an object of an archive, good for one method. The object is saved as `name`. Whoever gives the
    /// link to somebody has to tell of it.
    pub async fn sign(
        &self,
        archive: &Archive,
        key: &str,
        name: &FileName,
        method: LinkMethod,
        now: Timestamp,
    ) -> Result<Link> {
        Ok(self.archives.sign(key, link_use(archive, method, now), Some(name)).await?)
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
        Ok(self.archives.sign_with_query(key, link_use(archive, method, now), query).await?)
    }
}

fn link_use(archive: &Archive, method: LinkMethod, now: Timestamp) -> LinkUse {
    LinkUse { method, from: now, lifetime: archive.link_lifetime(now) }
}
