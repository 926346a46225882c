//! The remoting client of a core: its transport, and the hooks that add to requests.

use std::sync::Arc;

use bytestring::ByteString;
use rocketmq_remoting::client::{RemotingClient, RpcHook};
use rocketmq_remoting::net::{RequestHandler, TcpTransport, Transport};
use rocketmq_remoting::protocol::RemotingCommand;

use crate::acl::AclClientRpcHook;
use crate::conf::{ClientConfig, FixedFields};
use crate::error::MQClientError;

/// A client with the transport and the hooks that the options ask for.
pub(super) async fn remoting_client(
    config: &ClientConfig,
    handler: Arc<dyn RequestHandler>,
) -> Result<RemotingClient, MQClientError> {
    let (transport, options) = (transport(config).await?, config.connection.clone());
    let mut remoting =
        RemotingClient::with_transport(transport, options, handler).map_err(|_| MQClientError::NoRuntime)?;
    if let Some(hook) = FixedFieldsHook::new(&config.fixed_fields) {
        remoting.add_hook(Arc::new(hook));
    }
    config.hooks.rpc.iter().for_each(|hook| remoting.add_hook(hook.clone()));
    // The signing hook comes last: a field added after it would break the signature. Java adds the zone's fields after
    // it.
    if let Some(credentials) = &config.credentials {
        remoting.add_hook(Arc::new(AclClientRpcHook::new(credentials.clone())?));
    }
    Ok(remoting)
}

#[cfg(not(feature = "tls"))]
async fn transport(config: &ClientConfig) -> Result<Arc<dyn Transport>, MQClientError> {
    Ok(config.transport.clone().unwrap_or_else(|| Arc::new(TcpTransport)))
}

#[cfg(feature = "tls")]
async fn transport(config: &ClientConfig) -> Result<Arc<dyn Transport>, MQClientError> {
    use crate::error::{invalid, with_causes};
    use rocketmq_remoting::net::tls::TlsTransport;

    let (tls, given) = (config.tls.clone(), config.transport.clone());
    let Some(tls) = tls else { return Ok(given.unwrap_or_else(|| Arc::new(TcpTransport))) };
    if given.is_some() {
        return Err(invalid("transport", "a transport and tls are set: set one of them"));
    }
    // On a blocking thread: it reads files, and a system may have hundreds of trusted certificates.
    let transport = tokio::task::spawn_blocking(move || TlsTransport::new(&tls)).await;
    let transport = transport.map_err(|_| MQClientError::NoRuntime)?;
    Ok(Arc::new(transport.map_err(|error| invalid("tls", with_causes(&error)))?))
}

/// Adds fixed fields to every request. Java: `NamespaceRpcHook`, `StreamTypeRPCHook`, `DynamicalExtFieldRPCHook`.
#[derive(Debug)]
struct FixedFieldsHook(Vec<(ByteString, ByteString)>);

impl FixedFieldsHook {
    /// `None` if there is nothing to add.
    fn new(wanted: &FixedFields) -> Option<Self> {
        let mut fields: Vec<(&'static str, ByteString)> = Vec::new();
        if let Some(namespace) = &wanted.namespace_v2 {
            fields.push(("nsd", ByteString::from_static("true")));
            fields.push(("ns", namespace.as_str().into()));
        }
        if wanted.stream_request_type {
            fields.push(("ReqT", ByteString::from_static("0")));
        }
        if let Some(zone) = &wanted.zone {
            fields.push(("__ZONE_NAME", zone.as_str().into()));
            fields.push(("__ZONE_MODE", ByteString::from_static("true")));
        }
        let fields: Vec<_> = fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
        Some(fields).filter(|fields| !fields.is_empty()).map(Self)
    }
}

impl RpcHook for FixedFieldsHook {
    fn before_request(&self, _: &str, request: &mut RemotingCommand) {
        request.ext_fields.extend(self.0.iter().cloned());
    }
}
