//! A running stack, as its operator sees it.

use std::{collections::BTreeMap, env, fs, path::PathBuf};

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_dynamodb::types::AttributeValue;
use cloud::{ArchiveBucket, AuditTable, ExportQueue, ExportTable, KmsCipher, Lake, TokenTable};
use export::{
    Action, Actor, Catalog, Export, ExportId, NamedFilter, Privilege, Quota, Subject, Token,
    TokenRecord, Workspace,
};
use jiff::Timestamp;
use reqwest::redirect;
use serde::Deserialize;
use serde_json::Value;

use crate::{Customer, CustomerKeys, User, new_id, until};

/// What `stack.py up` wrote of the stack it started.
#[derive(Clone, Debug, Deserialize)]
struct Outputs {
    endpoint: String,
    base_url: String,
    lake_bucket: String,
    #[serde(rename = "ExportBucketName")]
    export_bucket: String,
    #[serde(rename = "ExportTableName")]
    export_table: String,
    #[serde(rename = "AuditTableName")]
    audit_table: String,
    #[serde(rename = "TokenTableName")]
    token_table: String,
    #[serde(rename = "ExportQueueUrl")]
    export_queue: String,
    #[serde(rename = "ExportDeadLetterQueueUrl")]
    dead_letter_queue: String,
    #[serde(rename = "SealKeyArn")]
    seal_key: String,
    /// The folder of what builders run.
    builder_code: PathBuf,
}

/// A message that waits in a queue, or that a function works on.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Message {
    /// What it says.
    pub body: String,
    /// How often it was received.
    #[serde(rename = "ReceiveCount")]
    pub received: u32,
    /// When it can be received, or received again, in seconds since 1970.
    pub visible_at: i64,
}

/// A running stack, seen by its operator.
#[derive(Clone, Debug)]
pub struct Stack {
    name: String,
    outputs: Outputs,
    aws: SdkConfig,
    pub(crate) http: reqwest::Client,
    /// The catalog it was deployed with.
    pub catalog: std::sync::Arc<Catalog>,
}

impl Stack {
    /// Connects to the stack that `DECANT_STACK` names, `test` by default.
    #[expect(
        clippy::disallowed_methods,
        reason = "not a function: nothing else reads settings here"
    )]
    pub async fn connect() -> anyhow::Result<Self> {
        Self::named(&env::var("DECANT_STACK").unwrap_or_else(|_| "test".to_owned())).await
    }

    /// Connects to the stack called `name`.
    pub async fn named(name: &str) -> anyhow::Result<Self> {
        let path = project().join(".local").join(name).join("stack.json");
        let text = fs::read_to_string(&path).with_context(|| {
            format!("read {}: start the stack first, with make stack", path.display())
        })?;
        let outputs: Outputs = serde_json::from_str(&text).context("read stack.json")?;
        let credentials = aws_sdk_s3::config::Credentials::new("test", "test", None, None, "test");
        let aws = cloud::aws_config()
            .await
            .into_builder()
            .endpoint_url(&outputs.endpoint)
            .region(aws_sdk_s3::config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_s3::config::SharedCredentialsProvider::new(credentials))
            // Tests send hundreds of calls at once to one process; each waits its turn.
            .timeout_config(aws_config::timeout::TimeoutConfig::disabled())
            .build();
        let http = reqwest::Client::builder().redirect(redirect::Policy::none()).build()?;
        let catalog = std::sync::Arc::new(Catalog::built_in()?);
        Ok(Self { name: name.to_owned(), outputs, aws, http, catalog })
    }

    /// Returns a user of a new workspace, with both privileges.
    pub async fn user(&self) -> anyhow::Result<User> {
        let workspace = format!("w{}", &new_id().to_string().replace('-', "")[..30]).parse()?;
        self.user_of(workspace, &[Privilege::View, Privilege::Edit]).await
    }

    /// Returns a user of a workspace.
    pub async fn user_of(
        &self,
        workspace: Workspace,
        privileges: &[Privilege],
    ) -> anyhow::Result<User> {
        let token = self.token(std::slice::from_ref(&workspace), privileges).await?;
        Ok(User { stack: self.clone(), workspace, token: token.reveal() })
    }

    /// Makes a token, as the admin function would.
    pub async fn token(
        &self,
        workspaces: &[Workspace],
        privileges: &[Privilege],
    ) -> anyhow::Result<Token> {
        let mut random = [0; 40];
        getrandom::fill(&mut random).map_err(std::io::Error::from)?;
        let token = Token::from_random(random);
        let record = TokenRecord {
            id: token.id().to_owned(),
            secret_sha256: token.secret_sha256(),
            workspaces: workspaces.to_vec(),
            privileges: privileges.to_vec(),
            description: "of a test".to_owned(),
            created_at: Timestamp::now(),
            expires_at: None,
            revoked_at: None,
        };
        self.tokens().put(&record, &[]).await?;
        Ok(token)
    }

    /// Invokes the admin function.
    pub async fn admin(&self, payload: &Value) -> anyhow::Result<Value> {
        self.invoke("AdminFunction", payload).await
    }

    /// Invokes a function, as the template calls it.
    pub async fn invoke(&self, function: &str, payload: &Value) -> anyhow::Result<Value> {
        let output = tokio::process::Command::new(project().join(".tools/stack/bin/python"))
            .arg(project().join("tests/local/stack.py"))
            .args(["invoke", &self.name, function, &payload.to_string()])
            .output()
            .await?;
        serde_json::from_slice(&output.stdout).context("read the function's answer")
    }

    /// Returns where a text stands in all that the stack wrote: logs, records, archives, messages.
    pub async fn places_of(&self, text: &str) -> anyhow::Result<Vec<String>> {
        let output = self.python("stack.py", &["find", &self.name, text]).await?;
        Ok(String::from_utf8(output)?.lines().map(str::to_owned).collect())
    }

    /// Makes a customer with an account of their own, who expects this external id.
    pub async fn customer(&self, external_id: &str) -> anyhow::Result<Customer> {
        let name = format!("c{}", &new_id().to_string().replace('-', "")[..30]);
        let output = self.python("customer.py", &[&self.name, &name, external_id]).await?;
        let keys: CustomerKeys = serde_json::from_slice(&output).context("read the customer")?;
        let credentials =
            aws_sdk_s3::config::Credentials::new(&keys.account, "test", None, None, "test");
        let config = aws_sdk_s3::config::Builder::from(&self.aws)
            .credentials_provider(aws_sdk_s3::config::SharedCredentialsProvider::new(credentials));
        Ok(Customer { keys, s3: aws_sdk_s3::Client::from_conf(config.build()) })
    }

    async fn python(&self, script: &str, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
        let output = tokio::process::Command::new(project().join(".tools/stack/bin/python"))
            .arg(project().join("tests/local").join(script))
            .args(arguments)
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "run {script}: {said}");
        Ok(output.stdout)
    }

    /// Returns the URL below which the API is.
    pub fn base_url(&self) -> &str {
        &self.outputs.base_url
    }

    /// Returns the use cases over the table and the queue of exports, with quotas that no test reaches but by what
    /// it sets for its workspace.
    pub fn service(&self) -> service::Exports {
        let quota = Quota {
            exports_at_once: 1000,
            exports_a_day: 10_000,
            requests_a_second: 500,
            request_burst: 10_000,
        };
        service::Exports {
            table: self.exports(),
            audit: service::Audit {
                table: AuditTable::new(
                    cloud::dynamodb_client(&self.aws),
                    self.outputs.audit_table.clone(),
                    jiff::SignedDuration::from_hours(24),
                ),
                random: service::Random::system(),
            },
            queue: self.queue(),
            clock: service::Clock::system(),
            random: service::Random::system(),
            quota,
            time_limit: jiff::SignedDuration::from_hours(24),
        }
    }

    /// Stores a new named filter without asking the API, which would refuse some.
    pub async fn put_named_filter(
        &self,
        workspace: &Workspace,
        filter: &NamedFilter,
    ) -> anyhow::Result<()> {
        let (audit, actor) = (self.service().audit, Actor::default());
        let (now, what) = (Timestamp::now(), (Action::FilterStored, Subject::other(&filter.id)));
        let entry = audit.entry(workspace, &actor, what, now);
        let entry = entry.map_err(|e| anyhow::anyhow!("tell of a filter: {e:?}"))?;
        let is_new = self.exports().put_named_filter(workspace, filter, true, &entry).await?;
        anyhow::ensure!(is_new, "store the named filter {}: there is one", filter.id);
        Ok(())
    }

    /// Returns the table of exports.
    pub fn exports(&self) -> ExportTable {
        ExportTable::new(cloud::dynamodb_client(&self.aws), self.outputs.export_table.clone())
    }

    /// Returns the table of tokens.
    pub fn tokens(&self) -> TokenTable {
        TokenTable::new(cloud::dynamodb_client(&self.aws), self.outputs.token_table.clone())
    }

    /// Returns the queue of exports to build.
    pub fn queue(&self) -> ExportQueue {
        ExportQueue::new(self.sqs(), self.outputs.export_queue.clone())
    }

    /// Returns the key that seals users' secrets.
    pub fn seal(&self) -> KmsCipher {
        KmsCipher::new(aws_sdk_kms::Client::new(&self.aws), self.outputs.seal_key.clone())
    }

    /// Returns the lake.
    pub fn lake(&self) -> Lake {
        Lake::new(self.s3(), self.outputs.lake_bucket.clone())
    }

    /// Returns the export bucket.
    pub fn archives(&self) -> ArchiveBucket {
        ArchiveBucket::new(self.s3(), self.outputs.export_bucket.clone())
    }

    /// Sends any text to the queue of exports.
    pub async fn send_raw(&self, body: &str) -> anyhow::Result<()> {
        let send =
            self.sqs().send_message().queue_url(&self.outputs.export_queue).message_body(body);
        send.send().await?;
        Ok(())
    }

    /// Returns the bodies of messages in the dead-letter queue.
    pub async fn dead_letters(&self) -> anyhow::Result<Vec<String>> {
        let receive = self.sqs().receive_message().queue_url(&self.outputs.dead_letter_queue);
        let output = receive.max_number_of_messages(10).visibility_timeout(0).send().await?;
        Ok(output
            .messages
            .unwrap_or_default()
            .into_iter()
            .filter_map(|message| message.body)
            .collect())
    }

    /// Returns the messages about an export that are in the queue of exports to build, also those that a
    /// builder works on. Reading them this way changes nothing about them.
    pub async fn messages_about(&self, id: ExportId) -> anyhow::Result<Vec<Message>> {
        type ByQueue = BTreeMap<String, BTreeMap<String, BTreeMap<String, Vec<Message>>>>;
        #[derive(Deserialize)]
        struct Listed {
            messages: ByQueue,
        }
        let url = format!("{}/_ministack/sqs/messages", self.outputs.endpoint);
        let url =
            reqwest::Url::parse_with_params(&url, [("QueueUrl", &self.outputs.export_queue)])?;
        let bytes = self.http.get(url).send().await?.error_for_status()?.bytes().await?;
        let listed: Listed = serde_json::from_slice(&bytes).context("read the queue's messages")?;
        let regions = listed.messages.into_values().flat_map(BTreeMap::into_values);
        let messages = regions.flat_map(BTreeMap::into_values).flatten();
        let id = id.to_string();
        Ok(messages.filter(|message| message.body.contains(&id)).collect())
    }

    /// Waits until the queue has no message about an export: nobody works on it, and nobody will.
    pub async fn left_alone(&self, id: ExportId) -> anyhow::Result<()> {
        let what = format!("no message about export {id}");
        until(&what, async || Ok(self.messages_about(id).await?.is_empty().then_some(()))).await
    }

    /// Returns the process ids of the builders that run.
    pub fn builders(&self) -> anyhow::Result<Vec<String>> {
        let runs_builder = |process: &fs::DirEntry| {
            // Most processes belong to others, and any may end at any time.
            fs::read_link(process.path().join("exe"))
                .is_ok_and(|program| program.starts_with(&self.outputs.builder_code))
        };
        let builders = fs::read_dir("/proc")?.flatten().filter(runs_builder);
        Ok(builders.map(|process| process.file_name().to_string_lossy().into_owned()).collect())
    }

    /// Ends the lease of the batch of steps from `first` on, as time would. Does nothing where nobody has begun
    /// that batch.
    pub async fn lapse_batch(&self, export: &Export, first: u32) -> anyhow::Result<()> {
        let key = |text: String| AttributeValue::S(text);
        let update = cloud::dynamodb_client(&self.aws)
            .update_item()
            .table_name(&self.outputs.export_table)
            .key("pk", key(format!("W#{}", export.workspace)))
            .key("sk", key(format!("S#{}#{first}", export.id)))
            .update_expression("SET #until = :past")
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_names("#until", "until")
            .expression_attribute_values(":past", AttributeValue::N("0".to_owned()));
        match update.send().await.map_err(aws_sdk_dynamodb::Error::from) {
            Ok(_) | Err(aws_sdk_dynamodb::Error::ConditionalCheckFailedException(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts an object into the lake.
    pub async fn put_source(&self, key: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
        let put =
            self.s3().put_object().bucket(&self.outputs.lake_bucket).key(key).body(bytes.into());
        put.send().await.with_context(|| format!("put {key}"))?;
        Ok(())
    }

    /// Adds datasets and tables to the catalog while `act` runs. Only one test at a time does so.
    pub async fn with_added_catalog<T>(
        &self,
        added: &str,
        act: impl AsyncFnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        const KEY: &str = "catalog.toml";
        let lock =
            fs::File::create(project().join(".local").join(&self.name).join("catalog.lock"))?;
        lock.lock()?;
        let before = self.read_source(KEY).await?;
        self.put_source(KEY, [&before, added.as_bytes()].concat()).await?;
        let done = act().await;
        self.put_source(KEY, before).await?;
        done
    }

    /// Reads an object of the lake.
    pub async fn read_source(&self, key: &str) -> anyhow::Result<Vec<u8>> {
        let get = self.s3().get_object().bucket(&self.outputs.lake_bucket).key(key);
        Ok(get.send().await?.body.collect().await?.to_vec())
    }

    /// Puts an object into another bucket of an account.
    pub async fn put_elsewhere(
        &self,
        account: &'static str,
        bucket: &str,
        key: &str,
        bytes: Vec<u8>,
    ) -> anyhow::Result<()> {
        // MiniStack takes twelve digits for the account they name.
        let credentials = aws_sdk_s3::config::Credentials::new(account, "test", None, None, "test");
        let provider = aws_sdk_s3::config::SharedCredentialsProvider::new(credentials);
        let aws = self.aws.clone().into_builder().credentials_provider(provider).build();
        let put = cloud::s3_client(&aws).put_object().bucket(bucket).key(key).body(bytes.into());
        put.send().await.with_context(|| format!("put {key}"))?;
        Ok(())
    }

    /// Reads an object of the export bucket.
    pub async fn read_export_object(&self, key: &str) -> anyhow::Result<Vec<u8>> {
        let get = self.s3().get_object().bucket(&self.outputs.export_bucket).key(key);
        Ok(get.send().await?.body.collect().await?.to_vec())
    }

    /// Returns the Content-Disposition that is stored with an object of the export bucket.
    pub async fn stored_name(&self, key: &str) -> anyhow::Result<String> {
        let head = self.s3().head_object().bucket(&self.outputs.export_bucket).key(key);
        Ok(head.send().await?.content_disposition.unwrap_or_default())
    }

    /// Writes an object of the export bucket.
    pub async fn write_export_object(&self, key: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
        let put = self.s3().put_object().bucket(&self.outputs.export_bucket).key(key);
        put.body(bytes.into()).send().await?;
        Ok(())
    }

    /// Returns the keys below a prefix of the export bucket.
    pub async fn export_keys(&self, prefix: &str) -> anyhow::Result<Vec<String>> {
        let list = self.s3().list_objects_v2().bucket(&self.outputs.export_bucket).prefix(prefix);
        let objects = list.send().await?.contents.unwrap_or_default();
        Ok(objects.into_iter().filter_map(|object| object.key).collect())
    }

    /// Returns the sizes of the objects of the export bucket below a prefix, in bytes.
    pub async fn export_sizes(&self, prefix: &str) -> anyhow::Result<Vec<u64>> {
        let list = self.s3().list_objects_v2().bucket(&self.outputs.export_bucket).prefix(prefix);
        let objects = list.send().await?.contents.unwrap_or_default();
        objects.into_iter().map(|o| Ok(u64::try_from(o.size.unwrap_or_default())?)).collect()
    }

    /// Returns how many uploads to the export bucket are open below a prefix.
    pub async fn open_uploads(&self, prefix: &str) -> anyhow::Result<usize> {
        let list =
            self.s3().list_multipart_uploads().bucket(&self.outputs.export_bucket).prefix(prefix);
        Ok(list.send().await?.uploads.unwrap_or_default().len())
    }

    fn s3(&self) -> aws_sdk_s3::Client {
        cloud::s3_client(&self.aws)
    }

    fn sqs(&self) -> aws_sdk_sqs::Client {
        aws_sdk_sqs::Client::new(&self.aws)
    }
}

/// Returns the project's folder.
fn project() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
