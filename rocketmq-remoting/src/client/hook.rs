use crate::protocol::RemotingCommand;

/// Sees every request before it is encoded, and may change it: ACL signatures, namespaces. Java: `RPCHook`.
///
/// Hooks run in the order in which they were added, once for each attempt. A hook that adds a field after the
/// signing hook breaks the signature.
pub trait RpcHook: Send + Sync + 'static {
    /// Runs before a request to `address` is encoded. `ext_fields` holds its header; opaque, flag, language and
    /// version are set later.
    fn before_request(&self, address: &str, request: &mut RemotingCommand);

    /// Runs after the answer to a request arrived, whatever its code. It does not run for one-way requests or for
    /// requests without an answer.
    fn after_response(&self, address: &str, request: &RemotingCommand, response: &RemotingCommand) {
        let _ = (address, request, response);
    }
}
