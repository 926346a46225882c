//! The flag bits of a command.

/// The `flag` of a command. Other bits than the named ones survive a round trip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct CommandFlag(pub i32);

impl CommandFlag {
    /// A request that expects an answer.
    pub const REQUEST: Self = Self(0);
    /// Bit 0: this command is an answer.
    pub const RESPONSE: Self = Self(1);
    /// Bit 1: a request that is never answered, not even with an error.
    pub const ONEWAY: Self = Self(2);

    /// Whether the command is an answer.
    #[must_use]
    pub fn is_response(self) -> bool {
        self.contains(Self::RESPONSE)
    }

    /// Whether the command must not be answered.
    #[must_use]
    pub fn is_oneway(self) -> bool {
        self.contains(Self::ONEWAY)
    }

    /// Whether all bits of `other` are set.
    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns these bits together with the bits of `other`.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
