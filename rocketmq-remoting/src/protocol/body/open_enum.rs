//! Enums that Java writes by name.

/// Declares an enum whose values have names on the wire, in Java's order. Unknown names become `Other`. A number is
/// also accepted: clients in C++ write the position in that order.
macro_rules! open_enum {
    (
        $(#[$meta:meta])*
        pub enum $type:ident {
            $( $(#[$value_meta:meta])* $value:ident = $name:literal, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type {
            $(
                $(#[$value_meta])*
                #[doc = ""]
                #[doc = concat!("`", $name, "`.")]
                $value,
            )*
            /// A name that is not known here.
            Other(String),
        }

        impl $type {
            /// Java's name of the value.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $( Self::$value => $name, )*
                    Self::Other(name) => name,
                }
            }
        }

        impl From<&str> for $type {
            fn from(name: &str) -> Self {
                match name {
                    $( $name => Self::$value, )*
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct NameOrPlace;

                impl serde::de::Visitor<'_> for NameOrPlace {
                    type Value = $type;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("a name of ", stringify!($type)))
                    }

                    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<$type, E> {
                        Ok($type::from(name))
                    }

                    fn visit_u64<E: serde::de::Error>(self, place: u64) -> Result<$type, E> {
                        let values = [$( $type::$value, )*];
                        let found = values.into_iter().zip(0..).find(|(_, at)| *at == place);
                        Ok(found.map_or_else(|| $type::Other(place.to_string()), |(value, _)| value))
                    }
                }

                deserializer.deserialize_any(NameOrPlace)
            }
        }
    };
}

pub(super) use open_enum;
