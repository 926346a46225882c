//! Open codes: a number, with names for its known values.

/// Declares a newtype over a number, its named values, `name()`, `named()`, `Debug` and `Display`.
macro_rules! open_code {
    (
        $(#[$meta:meta])*
        pub struct $type:ident($repr:ty) of $java:literal {
            $( $(#[$value_meta:meta])* $name:ident = $value:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(pub $repr);

        impl $type {
            $(
                $(#[$value_meta])*
                #[doc = ""]
                #[doc = concat!("Java `", $java, ".", stringify!($name), "`, ", stringify!($value), ".")]
                pub const $name: Self = Self($value);
            )*

            /// The value with this Java name, the inverse of [`name`](Self::name).
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $( stringify!($name) => Some(Self::$name), )*
                    _ => None,
                }
            }

            /// Java's name of this value; `None` for an unknown value.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $( $value => Some(stringify!($name)), )*
                    _ => None,
                }
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", self.name().unwrap_or(stringify!($type)), self.0)
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => write!(f, "{name}({})", self.0),
                    None => write!(f, "{}", self.0),
                }
            }
        }

        impl From<$repr> for $type {
            fn from(value: $repr) -> Self {
                Self(value)
            }
        }

        impl From<$type> for $repr {
            fn from(code: $type) -> Self {
                code.0
            }
        }
    };
}

pub(crate) use open_code;
