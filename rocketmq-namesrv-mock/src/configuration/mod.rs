//! The settings of a server under Java's names. Java: `Configuration`, `MixAll.properties2Object`.
//!
//! The text files beside this one list the settings of Apache's server 5.5.0, each with its type, name and default; the
//! default is missing where Java's is null. Folders, which Java places in the home of the user, are those of the user
//! `rocketmq` in Apache's container images.
//!
//! * `properties`: the text of a properties file.

mod properties;

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use rocketmq_remoting::protocol::ResponseCode;
use rocketmq_remoting::protocol::body::DataVersion;

use crate::wire::Refusal;

/// The settings of a server.
#[derive(Debug)]
pub(crate) struct Configuration {
    /// Settings by name.
    settings: BTreeMap<&'static str, Setting>,
    /// Settings that cannot change while the server runs.
    black_list: Vec<String>,
    version: DataVersion,
}

#[derive(Debug)]
struct Setting {
    kind: Kind,
    value: Option<Cow<'static, str>>,
}

/// The type of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Boolean,
    Int,
    Long,
    Double,
    Text,
    /// A list of names, separated by bars.
    OneOf(&'static str),
    /// A type that a text cannot express: the setting cannot be changed.
    Fixed,
}

impl Configuration {
    /// Apache's broker.
    pub(crate) fn of_broker(now_ms: i64) -> Self {
        let locked = ["brokerConfigPath", "rocketmqHome", "configBlackList"];
        Self::new(include_str!("broker-5.5.0.txt"), &locked, now_ms)
    }

    /// Apache's NameServer.
    pub(crate) fn of_name_server(now_ms: i64) -> Self {
        let locked = ["configBlackList", "configStorePath", "kvConfigPath", "rocketmqHome"];
        Self::new(include_str!("name-server-5.5.0.txt"), &locked, now_ms)
    }

    fn new(facts: &'static str, locked: &[&str], now_ms: i64) -> Self {
        let settings: BTreeMap<_, _> = facts.lines().filter_map(Setting::read).collect();
        let more = settings.get("configBlackList").and_then(|setting| setting.value.as_deref());
        let more = more.unwrap_or_default().split(';');
        let black_list = locked.iter().copied().chain(more).map(str::to_owned).collect();
        let version = DataVersion { timestamp: now_ms, ..DataVersion::default() };
        Self { settings, black_list, version }
    }

    /// Sets the value that this server has in place of Apache's default.
    pub(crate) fn set(&mut self, name: &str, value: impl ToString) {
        if let Some(setting) = self.settings.get_mut(name) {
            setting.value = Some(Cow::Owned(value.to_string()));
        }
    }

    /// Applies a properties file. Returns whether `name` is in it. Skips unknown names and values of the wrong type.
    pub(crate) fn update(
        &mut self,
        text: &[u8],
        now_ms: i64,
    ) -> Result<impl Fn(&str) -> bool + use<>, Refusal> {
        let text = String::from_utf8_lossy(text);
        let Some(new) = properties::read(&text) else {
            return Err(Refusal::new(ResponseCode::SYSTEM_ERROR, "string2Properties error"));
        };
        if new.iter().any(|(name, _)| self.black_list.contains(name)) {
            return Err(Refusal::new(ResponseCode::NO_PERMISSION, "Can not update config in black list."));
        }
        for (name, value) in &new {
            let Some(setting) = self.settings.get_mut(name.as_str()) else { continue };
            if let Some(value) = setting.kind.read(value) {
                setting.value = Some(Cow::Owned(value));
            }
        }
        self.version.counter += 1;
        self.version.timestamp = now_ms;
        Ok(move |wanted: &str| new.iter().any(|(name, _)| name == wanted))
    }

    /// The value of a setting; empty if it has no value.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.settings.get(name).and_then(|setting| setting.value.as_deref()).unwrap_or_default()
    }

    /// Whether a setting is true.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.get(name) == "true"
    }

    /// The value of a number setting; 0 if it is no number.
    pub(crate) fn number(&self, name: &str) -> i64 {
        self.get(name).parse().unwrap_or(0)
    }

    /// Counts the changes.
    pub(crate) fn version(&self) -> &DataVersion {
        &self.version
    }

    /// All settings with a value, as a properties file.
    pub(crate) fn text(&self) -> Bytes {
        let mut text = String::new();
        for (name, Setting { value, .. }) in &self.settings {
            if let Some(value) = value {
                text.extend([name, "=", value, "\n"]);
            }
        }
        text.into()
    }
}

impl Setting {
    /// A line such as `boolean autoCreateTopicEnable=true`.
    fn read(line: &'static str) -> Option<(&'static str, Self)> {
        let (kind, rest) = line.split_once(' ')?;
        let kind = match kind {
            "boolean" => Kind::Boolean,
            "int" => Kind::Int,
            "long" => Kind::Long,
            "double" => Kind::Double,
            "String" => Kind::Text,
            "fixed" => Kind::Fixed,
            names => Kind::OneOf(names),
        };
        let (name, value) = rest.split_once('=').map_or((rest, None), |(name, value)| (name, Some(value)));
        Some((name, Self { kind, value: value.map(Cow::Borrowed) }))
    }
}

impl Kind {
    /// The text in Java's form; `None` if it does not fit the type.
    fn read(self, text: &str) -> Option<String> {
        match self {
            Self::Boolean => Some(text.eq_ignore_ascii_case("true").to_string()),
            Self::Int => text.parse().ok().map(|number: i32| number.to_string()),
            Self::Long => text.parse().ok().map(|number: i64| number.to_string()),
            // Java always prints a fraction.
            Self::Double => text.trim().parse().ok().map(|number: f64| format!("{number:?}")),
            Self::Text => Some(text.trim().to_owned()),
            Self::OneOf(names) => names.split('|').find(|name| *name == text.trim()).map(str::to_owned),
            Self::Fixed => None,
        }
    }
}
