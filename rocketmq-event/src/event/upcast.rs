use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use serde_json::Value;

use super::{DecodeError, Envelope, Format};
use crate::error::SharedError;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Step = Arc<dyn Fn(Value) -> Result<Value, BoxError> + Send + Sync>;

/// Brings payloads of older schema versions to the version that a type has now. For JSON.
#[derive(Clone, Default)]
pub(crate) struct Upcasts(HashMap<(ByteString, u32), Step>);

impl Upcasts {
    /// A payload of `name` in version `from` becomes a payload of version `from + 1`.
    pub(crate) fn insert<F>(&mut self, name: ByteString, from: u32, step: F)
    where
        F: Fn(Value) -> Result<Value, BoxError> + Send + Sync + 'static,
    {
        self.0.insert((name, from), Arc::new(step));
    }

    /// Lifts the payload towards version `to`. Returns it with the version that the steps reached.
    pub(crate) fn apply(
        &self,
        envelope: &Envelope,
        to: u32,
        body: &Bytes,
    ) -> Result<(u32, Bytes), DecodeError> {
        let (mut version, name) = (envelope.version, &envelope.name);
        let has_step = |version: u32| self.0.get(&(name.clone(), version)).filter(|_| version < to);
        if envelope.format() != Some(Format::Json) || has_step(version).is_none() {
            return Ok((version, body.clone()));
        }
        let failed = |source: SharedError| DecodeError::Failed {
            name: name.to_string(),
            format: Format::Json,
            source,
        };
        let mut value: Value =
            serde_json::from_slice(body).map_err(|source| failed(SharedError::new(source)))?;
        while let Some(step) = has_step(version) {
            value = step(value).map_err(|source| failed(SharedError::new(source)))?;
            version += 1;
        }
        let body = serde_json::to_vec(&value).map_err(|source| failed(SharedError::new(source)))?;
        Ok((version, body.into()))
    }
}

impl fmt::Debug for Upcasts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn steps() -> Upcasts {
        let mut upcasts = Upcasts::default();
        upcasts.insert("user.created".into(), 1, |mut user| {
            user["username"] = user["name"].take();
            Ok(user)
        });
        upcasts.insert("user.created".into(), 2, |mut user| {
            user["email"] = json!(null);
            Ok(user)
        });
        upcasts
    }

    #[test]
    fn steps_follow_each_other_up_to_the_version_of_the_type() {
        let mut envelope = Envelope::new("user.created");
        let body = Bytes::from_static(br#"{"name":"ann"}"#);
        let (version, body_now) = steps().apply(&envelope, 3, &body).unwrap();
        let value: Value = serde_json::from_slice(&body_now).unwrap();
        assert_eq!(
            (version, value["username"].as_str(), value.get("email")),
            (3, Some("ann"), Some(&json!(null)))
        );
        let (version, same) = steps().apply(&envelope, 1, &body).unwrap();
        assert_eq!((version, same), (1, body.clone()), "a reader of version 1 reads it as it is");
        envelope.name = "user.deleted".into();
        assert_eq!(steps().apply(&envelope, 3, &body).unwrap(), (1, body));
    }
}
