//! Languages of peers.

use super::open_code::open_code;

open_code! {
    /// The `language` of a command: the language of the sender. Open: an unknown byte survives.
    ///
    /// Java `LanguageCode`. Brokers show it in connection lists. JSON carries the name; an unnamed byte is written as
    /// its number, and any other text reads as [`LanguageCode::OTHER`].
    pub struct LanguageCode(u8) of "LanguageCode" {
        /// Java; also the language of a command without one.
        JAVA = 0,
        /// C++.
        CPP = 1,
        /// .NET.
        DOTNET = 2,
        /// Python.
        PYTHON = 3,
        /// Delphi.
        DELPHI = 4,
        /// Erlang.
        ERLANG = 5,
        /// Ruby.
        RUBY = 6,
        /// A language without a code.
        OTHER = 7,
        /// An HTTP gateway.
        HTTP = 8,
        /// Go.
        GO = 9,
        /// PHP.
        PHP = 10,
        /// OpenMessaging.
        OMS = 11,
        /// Rust: sent by this implementation.
        RUST = 12,
        /// Node.js.
        NODE_JS = 13,
    }
}

impl LanguageCode {
    /// Reads the text in a JSON header: a name, or the number of an unnamed code.
    #[must_use]
    pub fn from_name(text: &str) -> Self {
        let named = (0..=13).map(Self).find(|code| code.name() == Some(text));
        named.unwrap_or_else(|| text.parse().map_or(Self::OTHER, Self))
    }
}

impl serde::Serialize for LanguageCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.name() {
            Some(name) => serializer.serialize_str(name),
            None => serializer.collect_str(&self.0),
        }
    }
}

impl<'de> serde::Deserialize<'de> for LanguageCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'_, str>::deserialize(deserializer)?;
        Ok(Self::from_name(&name))
    }
}

impl Default for LanguageCode {
    fn default() -> Self {
        Self::RUST
    }
}

#[cfg(test)]
mod tests {
    use super::LanguageCode;

    #[test]
    fn every_byte_survives_its_text() {
        for byte in 0..=u8::MAX {
            let code = LanguageCode(byte);
            let text = code.name().map_or_else(|| byte.to_string(), str::to_owned);
            assert_eq!(LanguageCode::from_name(&text), code);
        }
        assert_eq!(LanguageCode::from_name("KOTLIN"), LanguageCode::OTHER);
        assert_eq!(LanguageCode::from_name("300"), LanguageCode::OTHER);
        assert_eq!(LanguageCode::RUST, LanguageCode(12));
    }
}
