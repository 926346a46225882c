//! Signed requests, for clusters with ACL (access control lists). Java: `org.apache.rocketmq.acl.common`.
//!
//! A signature proves that the sender has the secret key, and that fields and body are unchanged. It hides nothing, and
//! it has no time stamp and no number that is used once: anyone who sees a signed request can send it again. Use TLS
//! with it.
//!
//! Options have `set_credentials`; this module is for users of only the remoting client.
//!
//! - `secret`: a text that is wiped from memory

mod secret;

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytestring::ByteString;
use hmac::{Hmac, KeyInit, Mac};
use rocketmq_remoting::client::RpcHook;
use rocketmq_remoting::protocol::{ExtFields, RemotingCommand};
use sha1::Sha1;

pub(crate) use secret::Secret;

use crate::error::{MQClientError, invalid};

const ACCESS_KEY: ByteString = ByteString::from_static("AccessKey");
const SECURITY_TOKEN: ByteString = ByteString::from_static("SecurityToken");
const SIGNATURE: ByteString = ByteString::from_static("Signature");

/// The identity of a client, with its proof. Java: `SessionCredentials`.
///
/// Neither the secret key nor the token is ever printed, and both are wiped from memory.
///
/// ```
/// use rocketmq_client::acl::SessionCredentials;
///
/// let credentials = SessionCredentials::new("orders", "12345678").with_security_token("token");
/// assert_eq!(credentials.access_key(), "orders");
/// assert!(!format!("{credentials:?}").contains("12345678"));
/// ```
#[derive(Debug, Clone)]
pub struct SessionCredentials {
    access_key: String,
    secret_key: Secret,
    security_token: Secret,
}

impl SessionCredentials {
    /// An access key and its secret key.
    pub fn new(access_key: impl Into<String>, secret_key: impl Into<String>) -> Self {
        Self {
            access_key: access_key.into(),
            secret_key: Secret::new(secret_key),
            security_token: Secret::default(),
        }
    }

    /// Adds the token of temporary credentials.
    #[must_use]
    pub fn with_security_token(mut self, token: impl Into<String>) -> Self {
        self.security_token = Secret::new(token);
        self
    }

    /// The access key, which is not secret.
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// The credentials in options; `None` if all are empty.
    pub(crate) fn from_options(
        access_key: &str,
        secret_key: &Secret,
        security_token: &Secret,
    ) -> Result<Option<Self>, MQClientError> {
        if access_key.is_empty() && secret_key.is_empty() && security_token.is_empty() {
            return Ok(None);
        }
        let credentials = Self {
            access_key: access_key.to_owned(),
            secret_key: secret_key.clone(),
            security_token: security_token.clone(),
        };
        credentials.check().map(|()| Some(credentials))
    }

    fn check(&self) -> Result<(), MQClientError> {
        if self.access_key.is_empty() {
            return Err(invalid("access_key", "a secret key or token needs one: set the credentials"));
        }
        if self.secret_key.is_empty() {
            return Err(invalid("secret_key", "an access key needs one: set the credentials"));
        }
        Ok(())
    }
}

/// Signs every request. Java: `AclClientRPCHook`.
///
/// The signature covers the body and all fields except itself: this hook must be the last that adds fields.
///
/// ```
/// use rocketmq_client::acl::{AclClientRpcHook, SessionCredentials};
/// use rocketmq_client::hook::RpcHook;
/// use rocketmq_client::remoting::{RemotingCommand, RequestCode};
///
/// let hook = AclClientRpcHook::new(SessionCredentials::new("orders", "12345678"))?;
/// let mut request = RemotingCommand::request(RequestCode::GET_MAX_OFFSET).with_field("topic", "Orders");
/// hook.before_request("127.0.0.1:10911", &mut request);
/// assert!(request.ext_fields.get("Signature").is_some());
/// # Ok::<(), rocketmq_client::Error>(())
/// ```
pub struct AclClientRpcHook {
    credentials: SessionCredentials,
    access_key: ByteString,
    /// Initialised with the secret key; each request is signed by a clone.
    keyed: Hmac<Sha1>,
}

impl AclClientRpcHook {
    /// A hook that signs with these credentials.
    ///
    /// # Errors
    /// `InvalidOption` if the access key or the secret key is empty.
    pub fn new(credentials: SessionCredentials) -> Result<Self, MQClientError> {
        credentials.check()?;
        let keyed = Hmac::new_from_slice(credentials.secret_key.expose().as_bytes())
            .map_err(|error| invalid("secret_key", error.to_string()))?;
        Ok(Self { access_key: credentials.access_key.as_str().into(), credentials, keyed })
    }

    /// Base64 of the HMAC-SHA1 over the values of all fields in the order of their names, and the body.
    fn signature(&self, fields: &ExtFields, body: &[u8]) -> String {
        // Java sorts names as UTF-16, Rust as UTF-8. Names are ASCII, for which both orders are equal.
        let mut sorted: Vec<_> = fields.iter().filter(|(name, _)| **name != *SIGNATURE).collect();
        sorted.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let mut mac = self.keyed.clone();
        for (_, value) in &sorted {
            mac.update(value.as_bytes());
        }
        mac.update(body);
        STANDARD.encode(mac.finalize().into_bytes())
    }
}

impl RpcHook for AclClientRpcHook {
    fn before_request(&self, _: &str, request: &mut RemotingCommand) {
        request.ext_fields.insert(ACCESS_KEY, self.access_key.clone());
        if !self.credentials.security_token.is_empty() {
            request.ext_fields.insert(SECURITY_TOKEN, self.credentials.security_token.expose());
        }
        let signature = self.signature(&request.ext_fields, &request.body);
        request.ext_fields.insert(SIGNATURE, signature);
    }
}

impl fmt::Debug for AclClientRpcHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AclClientRpcHook").field("credentials", &self.credentials).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
