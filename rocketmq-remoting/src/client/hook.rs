use crate::protocol::RemotingCommand;

/// Sees, and may change, every request before it is encoded: ACL signatures, namespaces. Java: `RPCHook`.
///
/// Hooks run in the order in which they were added, once for each attempt. A field that is added after a
/// signature breaks it.
pub trait RpcHook: Send + Sync + 'static {
    /// Before a request to `address` is encoded. Its header is in `ext_fields` here; opaque, flag, language
    /// and version are set later.
    fn before_request(&self, address: &str, request: &mut RemotingCommand);

    /// After the answer to a request came, whatever its code. Not called for one-way requests, nor when
    /// there is no answer.
    fn after_response(&self, address: &str, request: &RemotingCommand, response: &RemotingCommand) {
        let _ = (address, request, response);
    }
}
