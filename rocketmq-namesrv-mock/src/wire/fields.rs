//! Request headers, read like Apache's servers read them: a field is required only when it is used.

use rocketmq_remoting::protocol::ExtFields;
use rocketmq_remoting::protocol::header::{LenientFields, NotANumber, NumberPolicy};

use super::Refusal;

/// Reads the header of a request. A number field with another text reads as missing.
pub(crate) fn read_fields<'a, F: LenientFields<'a>>(fields: &'a ExtFields) -> Result<F, Refusal> {
    Ok(F::read(fields, NumberPolicy::Ignore)?)
}

/// The value of a field that the handler needs now.
pub(crate) fn required<T>(value: Option<T>, field: &str) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::null(field))
}

impl From<NotANumber> for Refusal {
    fn from(error: NotANumber) -> Self {
        Self::exception("java.lang.NumberFormatException", error)
    }
}
