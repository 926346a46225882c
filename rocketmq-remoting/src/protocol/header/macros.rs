//! Declarations of typed headers.

/// Declares headers: their structs and the code that writes and reads them.
///
/// A field is declared as its name on the wire, its name in the struct, its type. A field of type `Option` may be
/// missing; a field with a default has it when missing; any other field is required. A short wire name may follow the
/// long one after a bar; it is read but not written. A header with a code and the type of its answer is a request. `as`
/// names the lenient form that servers read, see [`LenientFields`](crate::protocol::header::LenientFields).
macro_rules! headers {
    ($(
        $(#[$meta:meta])*
        $vis:vis struct $header:ident $( ($code:ident -> $response:ty) )? $( as $fields:ident )? { $($body:tt)* }
    )*) => {$(
        $crate::protocol::header::macros::header! { $(#[$meta])* $vis struct $header { $($body)* } }

        $crate::protocol::header::lenient::lenient_fields! { [$($fields)?] of $header { $($body)* } }

        $(
            impl $crate::protocol::RequestHeader for $header {
                type Response = $response;

                fn code(&self) -> $crate::protocol::RequestCode {
                    $crate::protocol::RequestCode::$code
                }
            }
        )?
    )*};
}

/// Declares the struct of one header and the code that writes and reads it.
macro_rules! header {
    (
        $(#[$meta:meta])*
        $vis:vis struct $header:ident {
            $( $(#[$field_meta:meta])* $wire:literal $(| $short:literal)? $field:ident
                : $type:ident $(<$inner:ident>)? $( = $default:expr )?, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        $vis struct $header {
            $( $(#[$field_meta])* $vis $field: $type $(<$inner>)?, )*
        }

        impl $crate::protocol::EncodeHeader for $header {
            #[inline]
            fn encode_fields<S: $crate::protocol::FieldSink + ?Sized>(&self, _sink: &mut S) {
                $( $crate::protocol::fields::HeaderField::encode(&self.$field, $wire, _sink); )*
            }
        }

        impl $crate::protocol::DecodeHeader for $header {
            #[inline]
            fn decode_fields(
                fields: &$crate::protocol::ExtFields,
            ) -> Result<Self, $crate::protocol::HeaderError> {
                Self::decode_named(fields, |_| true)
            }
        }

        impl $header {
            /// Reads the fields whose names are `wanted`.
            #[inline]
            fn decode_named(
                fields: &$crate::protocol::ExtFields,
                _wanted: impl Fn(&str) -> bool,
            ) -> Result<Self, $crate::protocol::HeaderError> {
                $( let mut $field: Option<$type $(<$inner>)?> = None; )*
                let mut _error = None;
                let _is_whole = fields.visit(&mut |_name, _value| {
                    $( if _name == $wire $(|| _name == $short)? {
                        if _wanted(_name) {
                            match $crate::protocol::fields::decode_value(stringify!($header), $wire, _value) {
                                Ok(value) => $field = value,
                                Err(invalid) => _error = Some(invalid),
                            }
                        }
                        return;
                    } )*
                });
                if let Some(error) = _error {
                    return Err(error);
                }
                if !_is_whole {
                    return Err($crate::protocol::fields::damaged(stringify!($header), fields.view()));
                }
                Ok(Self { $(
                    $field: $crate::protocol::fields::required(stringify!($header), $wire, $field $( .or(Some($default)) )?)?,
                )* })
            }
        }
    };
}

/// Declares requests without a header.
macro_rules! bare_requests {
    ($( $(#[$meta:meta])* pub struct $request:ident ($code:ident -> $response:ty); )*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $request;

        impl $crate::protocol::EncodeHeader for $request {
            fn encode_fields<S: $crate::protocol::FieldSink + ?Sized>(&self, _: &mut S) {}

            fn is_present(&self) -> bool {
                false
            }
        }

        impl $crate::protocol::RequestHeader for $request {
            type Response = $response;

            fn code(&self) -> $crate::protocol::RequestCode {
                $crate::protocol::RequestCode::$code
            }
        }
    )*};
}

pub(crate) use {bare_requests, header, headers};
