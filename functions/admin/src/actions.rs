//! The actions, as payloads of an invocation: `{"action": "create_token", ...}`.

use ::suggest::Suggestion;
use anyhow::{Context as _, ensure};
use cloud::NewEntry;
use export::{
    Action as Done, Actor, BucketName, Privilege, QuotaOverride, Secret, Subject, Token,
    TokenRecord, Workspace,
};
use jiff::{SignedDuration, Timestamp};
use lambda_runtime::tracing::info;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    app::App,
    check::{CheckedDataset, check},
    suggest::{Place, suggest},
};

/// The most workspaces of a token: the trails of all of them are written in one transaction, which has 100 writes at
/// most.
const MAX_WORKSPACES: usize = 90;

/// What an operator asks for.
#[derive(Debug, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
enum Action {
    /// Makes a token. The answer is the only place where it ever stands in full.
    CreateToken {
        workspaces: Vec<Workspace>,
        privileges: Vec<Privilege>,
        #[serde(default)]
        description: String,
        /// Without it, the token ends when it is revoked.
        expires_in_days: Option<u16>,
    },
    /// Lists a page of tokens, without their secrets. `after` is the `next` of the page before.
    ListTokens {
        #[serde(default)]
        after: Option<String>,
    },
    /// Ends a token at once.
    RevokeToken { id: String },
    /// Sets what a workspace may use. The deployment's default holds for what is left out.
    SetQuota {
        workspace: Workspace,
        #[serde(default)]
        quota: QuotaOverride,
    },
    /// Reads what was set for a workspace.
    GetQuota { workspace: Workspace },
    /// Reads the catalog as the other functions will and, for a workspace, some of what it describes.
    CheckCatalog {
        #[serde(default)]
        workspace: Option<Workspace>,
        /// The text of a catalog; without it, the one that is deployed.
        #[serde(default)]
        catalog: Option<String>,
    },
    /// Looks at a bucket, and suggests a catalog for what is in it.
    SuggestCatalog {
        /// A bucket that the catalog names; without it, that of the lake.
        #[serde(default)]
        bucket: Option<BucketName>,
        /// What the keys to look at begin with.
        #[serde(default)]
        prefix: String,
        /// Whose rows they are where nothing else says it.
        #[serde(default)]
        workspace: Option<Workspace>,
    },
}

/// What an operator is told.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    Created {
        #[serde(serialize_with = "Secret::serialize_revealed")]
        token: Secret,
        id: String,
    },
    Tokens {
        tokens: Vec<Listed>,
        /// None on the last page.
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<String>,
    },
    Revoked {
        revoked: String,
    },
    Quota {
        workspace: Workspace,
        quota: QuotaOverride,
    },
    Catalog {
        datasets: usize,
        tables: usize,
        /// What was found of each dataset.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        checked: Vec<CheckedDataset>,
    },
    Suggested(Suggestion),
}

/// A token as operators see it.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    id: String,
    workspaces: Vec<Workspace>,
    privileges: Vec<Privilege>,
    description: String,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

/// Does what `payload` asks for.
pub(crate) async fn run(app: &App, operator: &Actor, payload: Value) -> anyhow::Result<Answer> {
    let action: Action = serde_json::from_value(payload).context("read the action")?;
    let now = app.clock.now();
    match action {
        Action::CreateToken { workspaces, privileges, description, expires_in_days } => {
            let token = Token::from_random(app.random.bytes()?);
            let record = TokenRecord {
                id: token.id().to_owned(),
                secret_sha256: token.secret_sha256(),
                workspaces,
                privileges,
                description,
                created_at: now,
                expires_at: expires_in_days
                    .map(|days| now + SignedDuration::from_hours(24 * i64::from(days))),
                revoked_at: None,
            };
            create_token(app, operator, &record, now).await?;
            Ok(Answer::Created { token: Secret::new(token.reveal()), id: record.id })
        }
        Action::ListTokens { after } => {
            let (mut tokens, next) = app.tokens.list(after.as_deref()).await?;
            tokens.sort_by_key(|token| token.created_at);
            Ok(Answer::Tokens { tokens: tokens.into_iter().map(Listed::from).collect(), next })
        }
        Action::RevokeToken { id } => {
            let record = app.tokens.get(&id).await?;
            let record =
                record.with_context(|| format!("revoke token {id}: there is no such token"))?;
            let entries = entries(app, operator, Done::TokenRevoked, &record, now)?;
            app.tokens.revoke(&id, &entries, now).await?;
            info!(token.id = id, "revoked token {id}");
            Ok(Answer::Revoked { revoked: id })
        }
        Action::SetQuota { workspace, quota } => {
            set_quota(app, operator, (&workspace, quota), now).await?;
            Ok(Answer::Quota { workspace, quota })
        }
        Action::GetQuota { workspace } => {
            let quota = app.exports.own_quota(&workspace).await?;
            Ok(Answer::Quota { workspace, quota })
        }
        Action::CheckCatalog { workspace, catalog } => {
            let catalog = match catalog {
                Some(text) => app.open_text(text).await?,
                None => app.open_catalog().await?,
            };
            let checked = match workspace {
                Some(workspace) => check(&catalog.lake, &catalog, &workspace, now).await?,
                None => Vec::new(),
            };
            Ok(Answer::Catalog {
                datasets: catalog.datasets().count(),
                tables: catalog.tables().count(),
                checked,
            })
        }
        Action::SuggestCatalog { bucket, prefix, workspace } => {
            Ok(Answer::Suggested(suggest(app, Place { bucket, prefix, workspace }).await?))
        }
    }
}

async fn create_token(
    app: &App,
    operator: &Actor,
    record: &TokenRecord,
    now: Timestamp,
) -> anyhow::Result<()> {
    let opened = record.workspaces.len();
    ensure!(opened > 0, "make a token: it needs at least one workspace");
    ensure!(opened <= MAX_WORKSPACES, "make a token: it opens {MAX_WORKSPACES} workspaces at most");
    ensure!(
        !record.privileges.is_empty(),
        "make a token: it needs at least one of \"view\" and \"edit\""
    );
    let entries = entries(app, operator, Done::TokenCreated, record, now)?;
    app.tokens.put(record, &entries).await?;
    info!(token.id = record.id, "made token {}", record.id);
    Ok(())
}

async fn set_quota(
    app: &App,
    operator: &Actor,
    (workspace, quota): (&Workspace, QuotaOverride),
    now: Timestamp,
) -> anyhow::Result<()> {
    quota.check().context("set a quota")?;
    let what = (Done::QuotaSet, Subject::default());
    app.audit.record(workspace, operator, what, now).await.map_err(failed)?;
    app.exports.set_own_quota(workspace, quota).await?;
    info!(workspace = %workspace, "set the quota of {workspace}");
    Ok(())
}

/// Returns the entries that tell of a token, one in each of its workspaces.
fn entries(
    app: &App,
    operator: &Actor,
    action: Done,
    token: &TokenRecord,
    now: Timestamp,
) -> anyhow::Result<Vec<NewEntry>> {
    let entry = |workspace: &Workspace| {
        let what = (action, Subject::other(&token.id));
        app.audit.entry(workspace, operator, what, now).map_err(failed)
    };
    token.workspaces.iter().map(entry).collect()
}

/// Returns why a use case failed that has no quota.
fn failed(error: service::Error) -> anyhow::Error {
    match error {
        service::Error::QuotaExceeded(over) => anyhow::anyhow!(over.detail()),
        service::Error::Failed(error) => error,
    }
}

impl From<TokenRecord> for Listed {
    fn from(token: TokenRecord) -> Self {
        Self {
            id: token.id,
            workspaces: token.workspaces,
            privileges: token.privileges,
            description: token.description,
            created_at: token.created_at,
            expires_at: token.expires_at,
            revoked_at: token.revoked_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_token_is_in_the_answer_and_in_no_log() {
        let token = Secret::new("dct_s3cr3t".to_owned());
        let answer = Answer::Created { token, id: "7".to_owned() };
        assert!(!format!("{answer:?}").contains("s3cr3t"));
        let json = serde_json::to_string(&answer).unwrap();
        assert_eq!(json, r#"{"token":"dct_s3cr3t","id":"7"}"#);
    }
}
