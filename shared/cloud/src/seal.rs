//! Customers' secrets, encrypted by KMS. What was sealed in one context opens in no other.

use aws_config::SdkConfig;
use aws_sdk_kms::{Client, primitives::Blob};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use export::{BucketCredentials, Export, ExportId, Secret, StoredCredentials, Workspace};

use crate::{
    Error, Result,
    env::{self, SettingError},
};

/// What a secret is for. KMS keeps it beside the secret, and policies in `template.yaml` name it.
#[derive(Clone, Copy, Debug)]
pub enum Purpose<'a> {
    /// Signing callbacks of a workspace.
    Callback(&'a Workspace),
    /// Copying the files of an export.
    Copy(&'a Workspace, ExportId),
}

/// The key that seals.
#[derive(Clone, Debug)]
pub struct KmsCipher {
    client: Client,
    key: String,
}

impl KmsCipher {
    /// Returns the key with this id or ARN.
    pub fn new(client: Client, key: String) -> Self {
        Self { client, key }
    }

    /// Reads the setting that `template.yaml` gives every function that seals or opens, or says that it is
    /// missing.
    pub fn from_env(aws: &SdkConfig) -> std::result::Result<Self, SettingError> {
        Ok(Self::new(Client::new(aws), env::required("SEAL_KEY")?))
    }

    /// Returns what is stored of what opens a user's bucket, sealed for this export.
    pub async fn credential(
        &self,
        export: &Export,
        opener: BucketCredentials,
    ) -> Result<StoredCredentials> {
        Ok(match opener {
            BucketCredentials::Key { id, secret } => {
                let purpose = Purpose::Copy(&export.workspace, export.id);
                StoredCredentials::Key { id, sealed: self.seal(&secret, purpose).await? }
            }
            BucketCredentials::Role { arn } => StoredCredentials::Role { arn },
        })
    }

    /// Returns what opens a user's bucket, as it was sent for this export.
    pub async fn opener(
        &self,
        export: &Export,
        credential: &StoredCredentials,
    ) -> Result<BucketCredentials> {
        Ok(match credential {
            StoredCredentials::Key { id, sealed } => {
                let purpose = Purpose::Copy(&export.workspace, export.id);
                BucketCredentials::Key { id: id.clone(), secret: self.open(sealed, purpose).await? }
            }
            StoredCredentials::Role { arn } => BucketCredentials::Role { arn: arn.clone() },
        })
    }

    /// Encrypts a secret.
    pub async fn seal(&self, secret: &Secret, purpose: Purpose<'_>) -> Result<String> {
        let output = self
            .client
            .encrypt()
            .key_id(&self.key)
            .plaintext(Blob::new(secret.reveal()))
            .set_encryption_context(Some(purpose.context()))
            .send()
            .await
            .map_err(Error::aws("seal secret"))?;
        let sealed = output.ciphertext_blob.unwrap_or_else(|| Blob::new([]));
        Ok(BASE64_STANDARD.encode(sealed))
    }

    /// Decrypts what was sealed for the same purpose.
    pub async fn open(&self, sealed: &str, purpose: Purpose<'_>) -> Result<Secret> {
        let sealed = BASE64_STANDARD.decode(sealed).map_err(Error::aws("read sealed secret"))?;
        let output = self
            .client
            .decrypt()
            .key_id(&self.key)
            .ciphertext_blob(Blob::new(sealed))
            .set_encryption_context(Some(purpose.context()))
            .send()
            .await
            .map_err(Error::aws("open sealed secret"))?;
        let plain = output.plaintext.unwrap_or_else(|| Blob::new([])).into_inner();
        String::from_utf8(plain)
            .map(Secret::new)
            .map_err(|_| Error::aws("read opened secret")("it is no text"))
    }
}

impl Purpose<'_> {
    fn context(self) -> std::collections::HashMap<String, String> {
        let (purpose, workspace, export) = match self {
            Self::Callback(workspace) => ("callback", workspace, None),
            Self::Copy(workspace, export) => ("copy", workspace, Some(export)),
        };
        let known = [("purpose", purpose.to_owned()), ("workspace", workspace.to_string())];
        let export = export.map(|id| ("export", id.to_string()));
        known.into_iter().chain(export).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}
