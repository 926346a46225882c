use rocketmq_remoting::protocol::SerializeType;

use super::parse_name_servers;
use crate::error::{MQClientError, invalid};

/// The variables of the environment that concern a client.
#[derive(Debug, Default)]
pub(crate) struct Environment {
    pub(crate) name_server_addr: Option<String>,
    pub(crate) serialize_type: Option<SerializeType>,
    pub(crate) zone: Option<String>,
}

impl Environment {
    pub(crate) fn read() -> Result<Self, MQClientError> {
        Self::from(|name| std::env::var_os(name))
    }

    fn from(variable: impl Fn(&str) -> Option<std::ffi::OsString>) -> Result<Self, MQClientError> {
        let text =
            |name: &str, option: &'static str| match variable(name).map(std::ffi::OsString::into_string) {
                None => Ok(None),
                Some(Ok(value)) => Ok(Some(value).filter(|value| !value.trim().is_empty())),
                Some(Err(_)) => Err(invalid(option, format!("the variable {name} is not Unicode"))),
            };
        let name_server_addr = text("NAMESRV_ADDR", "name_server_addr")?;
        if let Some(addresses) = &name_server_addr {
            parse_name_servers(addresses)?;
        }
        let serialize_type = match text("ROCKETMQ_SERIALIZE_TYPE", "serialize_type")?.as_deref() {
            None => None,
            Some("JSON") => Some(SerializeType::Json),
            Some("ROCKETMQ") => Some(SerializeType::RocketMq),
            Some(other) => {
                let reason = format!("ROCKETMQ_SERIALIZE_TYPE is \"{other}\": JSON and ROCKETMQ are known");
                return Err(invalid("serialize_type", reason));
            }
        };
        // Like in Java, a zone without its mode has no effect.
        let zone_mode =
            text("ROCKETMQ_ZONE_MODE", "zone")?.is_some_and(|mode| mode.eq_ignore_ascii_case("true"));
        let zone = text("ROCKETMQ_ZONE", "zone")?.filter(|_| zone_mode);
        Ok(Self { name_server_addr, serialize_type, zone })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &str, value: &str) -> Result<Environment, MQClientError> {
        Environment::from(|wanted| (wanted == name).then(|| value.into()))
    }

    #[test]
    fn java_s_variables_are_read() {
        let env = with("NAMESRV_ADDR", "ns1:9876;ns2:9876").unwrap();
        assert_eq!(env.name_server_addr.as_deref(), Some("ns1:9876;ns2:9876"));
        assert_eq!(
            with("ROCKETMQ_SERIALIZE_TYPE", "JSON").unwrap().serialize_type,
            Some(SerializeType::Json)
        );
        assert!(with("NAMESRV_ADDR", " ").unwrap().name_server_addr.is_none());
    }

    #[test]
    fn a_zone_counts_if_its_mode_is_on() {
        let zone = |mode: &str| {
            let variable = |wanted: &str| match wanted {
                "ROCKETMQ_ZONE" => Some("z1".into()),
                "ROCKETMQ_ZONE_MODE" => Some(mode.into()),
                _ => None,
            };
            Environment::from(variable).unwrap().zone
        };
        assert_eq!((zone("true").as_deref(), zone("false").as_deref()), (Some("z1"), None));
    }

    #[test]
    fn bad_values_are_errors_that_name_the_variable() {
        let error = with("ROCKETMQ_SERIALIZE_TYPE", "XML").unwrap_err();
        assert!(error.to_string().contains("ROCKETMQ_SERIALIZE_TYPE is \"XML\""), "{error}");
        assert!(with("NAMESRV_ADDR", "no-port").is_err());
    }
}
