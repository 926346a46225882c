//! Flag bits of messages, pulls, topics and subscriptions.
//!
//! Each type is an open set: unknown bits survive a round trip.

mod message_sys_flag;
mod pull_sys_flag;
mod unit_sys_flag;

pub use message_sys_flag::{MessageSysFlag, TransactionType};
pub use pull_sys_flag::PullSysFlag;
pub use unit_sys_flag::{SubscriptionSysFlag, TopicSysFlag};

macro_rules! bit_set {
    ($(#[$doc:meta])* $name:ident { $($(#[$bit_doc:meta])* $bit:ident = $value:expr;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $name(i32);

        impl $name {
            $($(#[$bit_doc])* pub const $bit: Self = Self($value);)+

            /// Takes the number from the wire unchanged.
            pub const fn from_bits(bits: i32) -> Self {
                Self(bits)
            }

            /// The number for the wire.
            pub const fn bits(self) -> i32 {
                self.0
            }

            /// Whether all bits of `other` are set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// With the bits of `other` set.
            #[must_use]
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// With the bits of `other` cleared.
            #[must_use]
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// With the bits of `other` set or cleared.
            #[must_use]
            pub const fn with_if(self, other: Self, set: bool) -> Self {
                if set { self.with(other) } else { self.without(other) }
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }
    };
}
use bit_set;
