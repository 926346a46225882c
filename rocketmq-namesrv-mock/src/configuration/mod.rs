//! The settings of a server under Java's names. Java: `Configuration`, `MixAll.properties2Object`.
//!
//! The texts beside this file say what Apache's server 5.5.0 has: for each setting its type, its name and the value that
//! it has by default; none if Java's is null. Folders, which Java puts below the home of the user, are those of
//! the user `rocketmq` in Apache's container images.

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
    /// By name.
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

/// What a setting can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Boolean,
    Int,
    Long,
    Double,
    Text,
    /// One of these names, with bars between them.
    OneOf(&'static str),
    /// What it is cannot be told by a text.
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

    /// Sets what a setting of this server is, in place of Apache's default.
    pub(crate) fn set(&mut self, name: &str, value: impl ToString) {
        if let Some(setting) = self.settings.get_mut(name) {
            setting.value = Some(Cow::Owned(value.to_string()));
        }
    }

    /// Takes over a properties file, and says whether a name is in it. Unknown names are passed over, and so are
    /// values of another type.
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

    /// The value of a setting; empty if it has none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.settings.get(name).and_then(|setting| setting.value.as_deref()).unwrap_or_default()
    }

    /// Whether a setting is on.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.get(name) == "true"
    }

    /// A setting that is a number; 0 for one that is none.
    pub(crate) fn number(&self, name: &str) -> i64 {
        self.get(name).parse().unwrap_or(0)
    }

    /// How often it was changed.
    pub(crate) fn version(&self) -> &DataVersion {
        &self.version
    }

    /// All that have a value, as a properties file.
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
    /// What Java makes of a text; `None` if it is not of this kind.
    fn read(self, text: &str) -> Option<String> {
        match self {
            Self::Boolean => Some(text.eq_ignore_ascii_case("true").to_string()),
            Self::Int => text.parse().ok().map(|number: i32| number.to_string()),
            Self::Long => text.parse().ok().map(|number: i64| number.to_string()),
            // Java prints a number with a fraction.
            Self::Double => text.trim().parse().ok().map(|number: f64| format!("{number:?}")),
            Self::Text => Some(text.trim().to_owned()),
            Self::OneOf(names) => names.split('|').find(|name| *name == text.trim()).map(str::to_owned),
            Self::Fixed => None,
        }
    }
}
