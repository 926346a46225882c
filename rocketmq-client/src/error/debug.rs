use std::fmt;

use super::{MQClientError, with_causes};

/// Calls `debug_struct` with the named fields of each variant.
macro_rules! debug_fields {
    ($error:expr, $f:expr, $($variant:ident { $($field:ident),* })*) => {
        match $error {
            $(MQClientError::$variant { $($field),* } => {
                let mut fields = $f.debug_struct(stringify!($variant));
                $(fields.field(stringify!($field), $field);)*
                fields.finish()
            })*
        }
    };
}

impl fmt::Debug for MQClientError {
    /// `{:?}` prints the line of [`with_causes`], because `main` prints a returned error with it; `{:#?}` prints the
    /// fields.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return f.write_str(&with_causes(self));
        }
        debug_fields! { self, f,
            NotStarted { client }
            AlreadyStarted { client }
            ShutDown { client }
            NoRuntime {}
            InvalidOption { option, reason }
            InvalidArgument { argument, source }
            MessageIllegal { source, context }
            Json { source }
            NameServerUnreachable { answers, context }
            BrokerNotFound { topic, answers, hint, context }
            ServiceNotAvailable { broker, remark, context }
            Broker { broker, code, remark, context }
            Remoting { broker, source, context }
            TimedOut { timeout, waited_for, context }
            NotRegistered { broker, source, context }
            NoReply { timeout, request }
            BadReply { request, source }
            Abandoned { context }
            BadAnswer { peer, source, context }
            NoMaster { broker }
            NotSettled { group, queue, offset, reason }
            MessagesDeleted { queue, from, to }
            FanOut { asked, failures }
        }
    }
}
