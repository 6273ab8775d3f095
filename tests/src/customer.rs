//! A customer with an AWS account of their own, into whose bucket files are copied.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Somebody with an account of their own, into whose bucket files are copied.
#[derive(Clone, Debug)]
pub struct Customer {
    /// What opens their bucket.
    pub keys: CustomerKeys,
    pub(crate) s3: aws_sdk_s3::Client,
}

/// What opens a customer's bucket, for putting objects below `in/` and nothing else.
#[derive(Clone, Debug, Deserialize)]
pub struct CustomerKeys {
    pub(crate) account: String,
    /// The bucket.
    pub bucket: String,
    /// The id of an access key.
    pub key_id: String,
    /// Its secret half.
    pub secret: String,
    /// A role that trusts the courier.
    pub role_arn: String,
}

impl Customer {
    /// Reads the objects of their bucket.
    pub async fn objects(&self) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
        let listed = self.s3.list_objects_v2().bucket(&self.keys.bucket).send().await?;
        let mut objects = BTreeMap::new();
        for key in listed.contents.unwrap_or_default().into_iter().filter_map(|o| o.key) {
            let object = self.s3.get_object().bucket(&self.keys.bucket).key(&key).send().await?;
            objects.insert(key, object.body.collect().await?.to_vec());
        }
        Ok(objects)
    }
}
