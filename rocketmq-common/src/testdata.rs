//! Captured bytes, for tests: one `name hex` per line, after `# key = value` lines that describe them.

use std::collections::HashMap;
use std::net::SocketAddr;

/// A capture with its facts.
pub(crate) struct Capture {
    pub(crate) name: &'static str,
    pub(crate) bytes: Vec<u8>,
    facts: Vec<(&'static str, &'static str)>,
}

/// The bytes of a file of `testdata/`, by name.
pub(crate) fn parse(file: &'static str) -> HashMap<&'static str, Vec<u8>> {
    captures(file).into_iter().map(|capture| (capture.name, capture.bytes)).collect()
}

/// All captures of a file, in its order.
pub(crate) fn captures(file: &'static str) -> Vec<Capture> {
    let (mut captures, mut facts) = (Vec::new(), Vec::new());
    for line in file.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            facts.extend(comment.split_once(" = "));
        } else if let Some((name, hex)) = line.split_once(' ') {
            captures.push(Capture { name, bytes: bytes(hex), facts: std::mem::take(&mut facts) });
        }
    }
    captures
}

impl Capture {
    /// The raw text of a fact.
    pub(crate) fn get(&self, key: &str) -> Option<&'static str> {
        self.facts.iter().find(|(other, _)| *other == key).map(|(_, value)| *value)
    }

    /// A number, decimal or `0x…`; panics if there is none.
    pub(crate) fn number(&self, key: &str) -> i64 {
        let value = self.get(key).unwrap_or_else(|| panic!("{} says nothing about {key}", self.name));
        match value.strip_prefix("0x") {
            Some(hex) => i64::from_str_radix(hex, 16).unwrap(),
            None => value.parse().unwrap(),
        }
    }

    /// A text without its quotes; panics if there is none.
    pub(crate) fn text(&self, key: &str) -> String {
        serde_json::from_str(self.get(key).unwrap()).unwrap()
    }

    /// Hexadecimal bytes; panics if there are none.
    pub(crate) fn hex(&self, key: &str) -> Vec<u8> {
        bytes(self.get(key).unwrap())
    }

    /// An address as Java prints it: `/127.0.0.1:10911`.
    pub(crate) fn address(&self, key: &str) -> SocketAddr {
        self.get(key).unwrap().trim_start_matches('/').parse().unwrap()
    }

    /// Facts of the form `<prefix>property."name" = "value"`, sorted.
    pub(crate) fn properties(&self, prefix: &str) -> Vec<(String, String)> {
        let start = format!("{prefix}property.");
        let named = self.facts.iter().filter_map(|(key, value)| Some((key.strip_prefix(&*start)?, value)));
        let text = |quoted| serde_json::from_str(quoted).unwrap();
        let mut properties: Vec<_> = named.map(|(name, value)| (text(name), text(value))).collect();
        properties.sort();
        properties
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.trim().as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
