//! Key-value settings that clients store in a NameServer: 100, 101, 102, 219. Java: `KVConfigManager`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rocketmq_remoting::protocol::body::KVTable;
use rocketmq_remoting::protocol::header::PutKvConfigFields;
use rocketmq_remoting::protocol::{ExtFields, RemotingCommand, ResponseCode};

use crate::wire::{Answer, Refusal, json_answer, read_fields};

/// Values by namespace, then by key.
#[derive(Debug, Default)]
pub(crate) struct KvSettings {
    namespaces: Mutex<BTreeMap<String, BTreeMap<String, String>>>,
}

impl KvSettings {
    /// The value of a key.
    pub(super) fn find(&self, namespace: &str, key: &str) -> Option<String> {
        self.lock().get(namespace)?.get(key).cloned()
    }

    /// 100.
    pub(super) fn put(&self, request: &RemotingCommand) -> Result<Answer, Refusal> {
        let fields: PutKvConfigFields<'_> = read_fields(&request.ext_fields)?;
        let (namespace, key) = named(fields.namespace, fields.key)?;
        let value = fields.value.unwrap_or_default().into_owned();
        self.lock().entry(namespace).or_default().insert(key, value);
        Ok(Answer::success())
    }

    /// 101.
    pub(super) fn get(&self, request: &RemotingCommand) -> Result<Answer, Refusal> {
        let fields: PutKvConfigFields<'_> = read_fields(&request.ext_fields)?;
        let (namespace, key) =
            (fields.namespace.unwrap_or("null".into()), fields.key.unwrap_or("null".into()));
        match self.lock().get(&*namespace).and_then(|keys| keys.get(&*key)) {
            Some(value) => Ok(Answer::success().with_field("value", value)),
            None => {
                let remark = format!("No config item, Namespace: {namespace} Key: {key}");
                let refusal = Refusal::new(ResponseCode::QUERY_NOT_FOUND, remark);
                Err(refusal.with_fields(ExtFields::empty()))
            }
        }
    }

    /// 102. The answer does not tell whether the key existed.
    pub(super) fn delete(&self, request: &RemotingCommand) -> Result<Answer, Refusal> {
        let fields: PutKvConfigFields<'_> = read_fields(&request.ext_fields)?;
        let (namespace, key) = named(fields.namespace, fields.key)?;
        if let Some(keys) = self.lock().get_mut(&namespace) {
            keys.remove(&key);
        }
        Ok(Answer::success())
    }

    /// 219.
    pub(super) fn list(&self, request: &RemotingCommand) -> Result<Answer, Refusal> {
        let fields: PutKvConfigFields<'_> = read_fields(&request.ext_fields)?;
        let namespace = fields.namespace.unwrap_or("null".into());
        let Some(table) = self.lock().get(&*namespace).cloned() else {
            let remark = format!("No config item, Namespace: {namespace}");
            return Err(Refusal::new(ResponseCode::QUERY_NOT_FOUND, remark));
        };
        json_answer(&KVTable { table })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, BTreeMap<String, String>>> {
        self.namespaces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn named(namespace: Option<Cow<'_, str>>, key: Option<Cow<'_, str>>) -> Result<(String, String), Refusal> {
    match (namespace, key) {
        (Some(namespace), Some(key)) => Ok((namespace.into_owned(), key.into_owned())),
        _ => Err(Refusal::new(ResponseCode::SYSTEM_ERROR, "namespace or key is null")),
    }
}
