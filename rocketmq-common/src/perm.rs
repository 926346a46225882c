//! Permissions of a topic or a broker (Java: `PermName`).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Permission bits of a topic, of its queues or of a broker. Unknown bits survive.
///
/// ```
/// use rocketmq_common::PermName;
///
/// assert!(PermName::READ_WRITE.is_writable());
/// assert!(!PermName::READ.is_writable());
/// assert_eq!(PermName::READ_WRITE.to_string(), "RW-");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PermName(pub i32);

impl PermName {
    /// New topics may take their settings from this one.
    pub const INHERIT: Self = Self(1);
    /// Messages may be sent.
    pub const WRITE: Self = Self(2);
    /// Messages may be consumed.
    pub const READ: Self = Self(4);
    /// Used only for ordering.
    pub const PRIORITY: Self = Self(8);
    /// The permission of an ordinary topic.
    pub const READ_WRITE: Self = Self(6);

    /// Whether consumers may read.
    pub const fn is_readable(self) -> bool {
        self.0 & Self::READ.0 != 0
    }

    /// Whether producers may send.
    pub const fn is_writable(self) -> bool {
        self.0 & Self::WRITE.0 != 0
    }

    /// Whether new topics may be created from this one.
    pub const fn is_inherited(self) -> bool {
        self.0 & Self::INHERIT.0 != 0
    }
}

/// Prints `RWX`, with a dash for a missing permission, like the command-line tools.
impl fmt::Display for PermName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_readable() { "R" } else { "-" })?;
        f.write_str(if self.is_writable() { "W" } else { "-" })?;
        f.write_str(if self.is_inherited() { "X" } else { "-" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_have_the_broker_s_meaning() {
        assert!(PermName(6).is_readable() && PermName(6).is_writable() && !PermName(6).is_inherited());
        assert!(PermName(7).is_inherited());
        assert!(!PermName(4).is_writable() && !PermName(2).is_readable());
        assert_eq!(PermName(6).to_string(), "RW-");
        assert_eq!(PermName(5).to_string(), "R-X");
    }
}
