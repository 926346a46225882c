//! Access keys and signatures. Java: `DefaultAuthenticationProvider`, `AclSigner`.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use rocketmq_remoting::protocol::{RemotingCommand, ResponseCode, mq_version};
use sha1::Sha1;

use crate::wire::Refusal;

/// A field that clients up to 4.9.3 leave out of the signature.
const UNIQUE_KEY_QUERY: &str = "_UNIQUE_KEY_QUERY";

/// The only user of a broker with ACL, who may do everything.
#[derive(Clone)]
pub(crate) struct Acl {
    access_key: String,
    secret_key: String,
}

impl Acl {
    pub(crate) fn new(access_key: String, secret_key: String) -> Self {
        Self { access_key, secret_key }
    }

    /// Refuses a request that is not signed with the one key.
    pub(crate) fn check(&self, request: &RemotingCommand) -> Result<(), Refusal> {
        let Some(user) = request.ext_fields.get("AccessKey").filter(|user| !user.is_empty()) else {
            return Err(refusal("username cannot be null."));
        };
        if user != self.access_key {
            return Err(refusal(format!("User:{user} is not found.")));
        }
        let signature = request.ext_fields.get("Signature").unwrap_or_default();
        if self.is_signed_with(request, &signature) {
            Ok(())
        } else {
            Err(refusal("check signature failed."))
        }
    }

    fn is_signed_with(&self, request: &RemotingCommand, signature: &str) -> bool {
        let (Ok(mut mac), Ok(signature)) =
            (Hmac::<Sha1>::new_from_slice(self.secret_key.as_bytes()), STANDARD.decode(signature))
        else {
            return false;
        };
        let mut fields: Vec<_> = request.ext_fields.iter().collect();
        fields.retain(|(name, _)| {
            name != "Signature" && (name != UNIQUE_KEY_QUERY || request.version > mq_version::V4_9_3)
        });
        fields.sort_unstable();
        fields.iter().for_each(|(_, value)| mac.update(value.as_bytes()));
        mac.update(&request.body);
        mac.verify_slice(&signature).is_ok()
    }
}

impl fmt::Debug for Acl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acl").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

fn refusal(remark: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(ResponseCode::NO_PERMISSION, remark)
}
