//! Changing the secrets that callbacks are signed with.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use cloud::{KmsCipher, Purpose, SIGNING_SECRETS, SigningSecret};
use export::{Action, Actor, Secret, Subject, Workspace};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{Exports, Result};

/// Bytes of a signing secret: Standard Webhooks allows 24 to 64.
const SECRET_BYTES: usize = 32;

impl Exports {
    /// Makes another signing secret of a workspace. The one before stays in use; older ones are removed. The secret itself
    /// is known now and never again.
    pub async fn create_signing_secret(
        &self,
        seal: &KmsCipher,
        workspace: &Workspace,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<(SigningSecret, Secret)> {
        let bytes = self.random.bytes::<SECRET_BYTES>()?;
        let secret = Secret::new(format!("whsec_{}", BASE64_STANDARD.encode(bytes)));
        let stored = self.add_signing_secret(seal, workspace, &secret, actor, now).await?;
        Ok((stored, secret))
    }

    /// Stores another signing secret of a workspace, sealed. The one before stays in use; older ones are removed.
    pub(crate) async fn add_signing_secret(
        &self,
        seal: &KmsCipher,
        workspace: &Workspace,
        secret: &Secret,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<SigningSecret> {
        let sealed = seal.seal(secret, Purpose::Callback(workspace)).await?;
        // Secrets are listed by their ids, newest first.
        let stored = SigningSecret { id: self.random.uuid(now)?, sealed, created_at: now };
        let what = (Action::SigningSecretCreated, Subject::other(stored.id));
        let entry = self.audit.entry(workspace, actor, what, now)?;
        self.table.put_signing_secret(workspace, &stored, &entry).await?;
        for old in self.table.signing_secrets(workspace).await?.iter().skip(SIGNING_SECRETS) {
            self.remove_signing_secret(workspace, old.id, actor, now).await?;
        }
        Ok(stored)
    }

    /// Forgets a signing secret of a workspace. Tells whether there was one.
    pub async fn remove_signing_secret(
        &self,
        workspace: &Workspace,
        id: Uuid,
        actor: &Actor,
        now: Timestamp,
    ) -> Result<bool> {
        let what = (Action::SigningSecretRemoved, Subject::other(id));
        let entry = self.audit.entry(workspace, actor, what, now)?;
        Ok(self.table.remove_signing_secret(workspace, id, &entry).await?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::testing::Scene;

    #[tokio::test(start_paused = true)]
    async fn the_third_secret_retires_the_first_and_is_signed_with_first() {
        let scene = Scene::new();
        for secret in ["whsec_MQ==", "whsec_Mg==", "whsec_Mw=="] {
            scene.add_signing_secret(secret).await;
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        let mut kept = Vec::new();
        for sealed in scene.exports.table.sealed_secrets(&scene.acme).await.unwrap() {
            let purpose = Purpose::Callback(&scene.acme);
            kept.push(
                scene.deliverer.seal.open(&sealed, purpose).await.unwrap().reveal().to_owned(),
            );
        }
        assert_eq!(kept, ["whsec_Mw==", "whsec_Mg=="]);
        let listed = scene.exports.table.signing_secrets(&scene.acme).await.unwrap();
        assert_eq!(listed.len(), SIGNING_SECRETS);
    }
}
