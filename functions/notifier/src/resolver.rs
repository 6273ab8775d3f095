//! Looks names up: a user's URL must not lead to what only we can reach.

use std::{io, sync::Arc};

use export::CallbackHosts;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Resolves names to addresses of which every one is allowed. The connection goes to what was looked at
/// here: nothing is resolved a second time.
#[derive(Clone, Debug)]
pub(crate) struct Resolver(pub(crate) Arc<CallbackHosts>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allowed = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let addresses = allowed.all(found)?;
            if addresses.is_empty() {
                return Err(
                    io::Error::new(io::ErrorKind::NotFound, "the name has no address").into()
                );
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
