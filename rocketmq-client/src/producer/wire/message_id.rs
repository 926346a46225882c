use std::ops::Deref;

use rocketmq_common::UniqueId;

/// The id of a message, or several ids joined by commas. Short ids need no allocation.
#[derive(Debug, Clone)]
pub(crate) enum MessageId {
    Short(UniqueId),
    Long(Box<str>),
}

impl MessageId {
    /// Compares bytes, which costs less than to look at the id as text.
    #[inline]
    pub(super) fn is(&self, text: &str) -> bool {
        match self {
            Self::Short(id) => id.as_bytes() == text.as_bytes(),
            Self::Long(ids) => **ids == *text,
        }
    }
}

impl Default for MessageId {
    fn default() -> Self {
        Self::Long(Box::default())
    }
}

impl From<&str> for MessageId {
    #[inline]
    fn from(text: &str) -> Self {
        UniqueId::copied(text).map_or_else(|| Self::Long(text.into()), Self::Short)
    }
}

impl Deref for MessageId {
    type Target = str;

    #[inline]
    fn deref(&self) -> &str {
        match self {
            Self::Short(id) => id,
            Self::Long(ids) => ids,
        }
    }
}
