use std::fmt;
use std::sync::Arc;

use crate::error::MQClientError;

type Translate = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Maps the address that a broker advertises to an address that can be reached from here: through a tunnel, or into
/// a container network.
///
/// ```
/// use rocketmq_client::conf::{AddressTranslator, ProducerOption};
///
/// let mut option = ProducerOption::default();
/// option.set_address_translator(AddressTranslator::new(|advertised| {
///     advertised.strip_prefix("broker-a.internal").map(|port| format!("127.0.0.1{port}"))
/// }));
/// assert!(option.address_translator().is_some());
/// ```
#[derive(Clone)]
pub struct AddressTranslator(Arc<Translate>);

impl AddressTranslator {
    /// `translate` gets an advertised `host:port`; `None` keeps it.
    pub fn new(translate: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(translate))
    }

    /// The address to dial for an advertised address.
    pub(crate) fn dial_address(translator: Option<&Self>, advertised: &str) -> Arc<str> {
        let translated = translator.and_then(|translator| (translator.0)(advertised));
        translated.map_or_else(|| Arc::from(advertised), Arc::from)
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for AddressTranslator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressTranslator")
    }
}

/// The source of the NameServers' addresses.
#[derive(Debug, Clone)]
pub(crate) enum NameServerSource {
    /// The addresses from the options.
    Fixed(Vec<Arc<str>>),
    /// The address server behind this URL.
    Http(Arc<str>),
}

impl NameServerSource {
    /// A list in the options takes precedence over an address server.
    pub(crate) fn from_options(list: &str, http_address: &str) -> Result<Self, MQClientError> {
        let url = http_address.trim();
        if !list.trim().is_empty() || url.is_empty() {
            return Ok(Self::Fixed(parse_name_servers(list)?));
        }
        let is_url = url.strip_prefix("http://").is_some_and(|rest| !rest.starts_with(['/', ':']));
        if !is_url
            || url.len() == "http://".len()
            || url.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            let url = url.escape_debug();
            return Err(MQClientError::InvalidOption {
                option: "name_server_http_address",
                reason: format!("\"{url}\" is not a URL that can be asked: write \"http://host:port/path\""),
            });
        }
        Ok(Self::Http(url.into()))
    }
}

/// Splits `host:port;host:port`; a comma separates, too. Hosts are names, IPv4 addresses, or IPv6 addresses in brackets.
pub(crate) fn parse_name_servers(list: &str) -> Result<Vec<Arc<str>>, MQClientError> {
    let addresses: Vec<Arc<str>> =
        list.split([';', ',']).map(str::trim).filter(|part| !part.is_empty()).map(Arc::from).collect();
    if addresses.is_empty() {
        return Err(invalid("no NameServer is configured: set it to \"host:port;host:port\"".to_owned()));
    }
    for address in &addresses {
        check_address(address)?;
    }
    Ok(addresses)
}

fn check_address(address: &str) -> Result<(), MQClientError> {
    let complaint = |what: &str| invalid(format!("\"{}\" {what}", address.escape_debug()));
    if address.contains("://") {
        return Err(complaint(
            "is a URL: give \"host:port\" of the NameServer itself, or set name_server_http_address",
        ));
    }
    let Some((host, port)) = address.rsplit_once(':') else {
        return Err(complaint("has no port: write \"host:port\""));
    };
    if host.contains(char::is_whitespace) && host.contains(':') {
        return Err(complaint("is more than an address: separate NameServers with \";\""));
    }
    if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c == '/') {
        return Err(complaint("has no valid host: write \"host:port\""));
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err(complaint("is an IPv6 address without brackets: write \"[address]:port\""));
    }
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok(()),
        _ => Err(complaint("has no valid port: it is a number from 1 to 65535")),
    }
}

fn invalid(reason: String) -> MQClientError {
    MQClientError::InvalidOption { option: "name_server_addr", reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_names_and_addresses_are_taken_apart() {
        let list = parse_name_servers(" ns1.example:9876;10.0.0.1:9876 ;[::1]:9876;").unwrap();
        let list: Vec<&str> = list.iter().map(|address| &**address).collect();
        assert_eq!(list, ["ns1.example:9876", "10.0.0.1:9876", "[::1]:9876"]);
        let list = parse_name_servers("ns1:9876,ns2:9876, [::1]:9876").unwrap();
        assert_eq!(list, ["ns1:9876".into(), "ns2:9876".into(), "[::1]:9876".into()]);
    }

    #[test]
    fn a_configured_list_wins_over_an_address_server() {
        let url = "http://address-server:8080/rocketmq/nsaddr";
        let source = NameServerSource::from_options("ns:9876", url).unwrap();
        assert!(matches!(source, NameServerSource::Fixed(list) if list == ["ns:9876".into()]));
        let source = NameServerSource::from_options(" ", url).unwrap();
        assert!(matches!(source, NameServerSource::Http(asked) if &*asked == url));
    }

    #[test]
    fn only_plain_http_is_asked() {
        for url in ["https://host/x", "host:8080/x", "http://", "http:///x", "http://:80/x", "http://a b/x"] {
            let error = NameServerSource::from_options("", url).unwrap_err();
            assert!(error.to_string().starts_with("option name_server_http_address: "), "{url}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_address_is_said() {
        for (list, reason) in [
            ("", "no NameServer is configured"),
            (" ; ;", "no NameServer is configured"),
            ("localhost", "has no port"),
            ("http://ns:8080/rocketmq", "is a URL"),
            ("::1:9876", "without brackets"),
            ("ns:0", "no valid port"),
            ("ns:99999", "no valid port"),
            ("ns:", "no valid port"),
            (":9876", "no valid host"),
            ("a b:9876", "no valid host"),
            ("a:9876 b:9876", "separate NameServers with \";\""),
            ("good:1;bad", "\"bad\" has no port"),
        ] {
            let error = parse_name_servers(list).unwrap_err();
            assert!(error.to_string().contains(reason), "{list}: {error}");
        }
    }
}
