//! Reads the command line.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use rocketmq_namesrv_mock::{Fault, FaultError, MockCluster, MockClusterBuilder};
use rocketmq_remoting::protocol::SerializeType;

/// Queues of a topic that is given without a number. Java: `defaultTopicQueueNums`.
const DEFAULT_QUEUES: u32 = 8;

/// The wish of the user.
#[derive(Debug)]
pub(crate) enum Wish {
    Help,
    Version,
    Run(Box<Arguments>),
}

/// The options of a run.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) cluster: MockClusterBuilder,
    pub(crate) port: u16,
    pub(crate) captured: usize,
    /// Topics with their numbers of queues.
    pub(crate) topics: Vec<(String, u32)>,
    pub(crate) preloads: Vec<Preload>,
    pub(crate) tls_cert: Option<PathBuf>,
    pub(crate) tls_key: Option<PathBuf>,
    pub(crate) faults: Vec<Fault>,
    /// The NameServers behind the proxy, if the mock is to be a proxy.
    pub(crate) proxy: Option<String>,
    /// The file of certificates to trust, or `any`, if the proxy speaks TLS with servers.
    pub(crate) upstream_tls: Option<String>,
    pub(crate) json: bool,
    pub(crate) until_stdin_closes: bool,
}

/// A topic that is full from the start.
#[derive(Debug)]
pub(crate) struct Preload {
    pub(crate) topic: String,
    pub(crate) queues: u32,
    /// Messages in each queue.
    pub(crate) messages: u32,
    /// Bytes of each body.
    pub(crate) bytes: usize,
}

/// Errors of the command line.
#[derive(Debug)]
pub(crate) enum ArgumentError {
    Unknown(String),
    NoValue(String),
    Unwanted { option: String, value: String },
    NotAllowed { option: String, value: String, allowed: &'static str },
    Fault { option: String, source: FaultError },
}

impl Arguments {
    /// Reads the command line, without the name of the program.
    pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Result<Wish, ArgumentError> {
        let mut read = Self {
            cluster: MockCluster::builder(),
            port: 0,
            captured: 10_000,
            topics: Vec::new(),
            preloads: Vec::new(),
            tls_cert: None,
            tls_key: None,
            faults: Vec::new(),
            proxy: None,
            upstream_tls: None,
            json: false,
            until_stdin_closes: false,
        };
        let mut broker_port = 0;
        let mut line = Line { rest: arguments, option: String::new(), value: None };
        while line.advance()? {
            let cluster = read.cluster.clone();
            match line.option.as_str() {
                "--help" | "-h" => return Ok(Wish::Help),
                "--version" | "-V" => return Ok(Wish::Version),
                "--brokers" => read.cluster = cluster.brokers(line.count("a whole number from 1 on is")?),
                "--slaves" => read.cluster = cluster.slaves(line.number("a whole number is")?),
                "--slave-read" => read.cluster = cluster.slave_read(line.flag()?),
                "--name-servers" => {
                    read.cluster = cluster.name_servers(line.count("a whole number from 1 on is")?);
                }
                "--cluster" => read.cluster = cluster.cluster_name(line.value()?),
                "--port" => read.port = line.port()?,
                "--broker-port" => broker_port = line.port()?,
                "--ipv6" => read.cluster = cluster.ipv6(line.flag()?),
                "--topic" => read.topics.push(line.topic()?),
                "--preload" => read.preloads.push(line.preload()?),
                "--no-auto-create" => read.cluster = cluster.auto_create_topic(!line.flag()?),
                "--no-auto-create-group" => read.cluster = cluster.auto_create_group(!line.flag()?),
                "--in-sync-replicas" => {
                    read.cluster = cluster.in_sync_replicas(line.count("a whole number from 1 on is")?);
                }
                "--order-message" => read.cluster = cluster.order_message(line.flag()?),
                "--transaction-timeout" => read.cluster = cluster.transaction_timeout(line.duration()?),
                "--transaction-interval" => {
                    read.cluster = cluster.transaction_check_interval(line.duration()?);
                }
                "--transaction-checks" => {
                    read.cluster = cluster.transaction_check_max(line.number("a whole number is")?);
                }
                "--recall" => read.cluster = cluster.recall_message(line.flag()?),
                "--acl" => {
                    let (access_key, secret_key) = line.key_pair()?;
                    read.cluster = cluster.acl(access_key, secret_key);
                }
                "--tls-cert" => read.tls_cert = Some(line.value()?.into()),
                "--tls-key" => read.tls_key = Some(line.value()?.into()),
                "--memory" => read.cluster = cluster.memory_limit(line.bytes()?),
                "--store-limit" => read.cluster = cluster.store_limit(line.bytes()?),
                "--property-filter" => read.cluster = cluster.enable_property_filter(line.flag()?),
                "--captured" => read.captured = line.number("a whole number is")?,
                "--binary-headers" => {
                    line.flag()?;
                    read.cluster = cluster.serialize_type(SerializeType::RocketMq);
                }
                "--fault" => read.faults.push(line.fault()?),
                "--faults" => read.faults.extend(line.fault_file()?),
                "--proxy" => read.proxy = Some(line.value()?),
                "--upstream-tls" => read.upstream_tls = Some(line.value()?),
                "--json" => read.json = line.flag()?,
                "--until-stdin-closes" => read.until_stdin_closes = line.flag()?,
                _ => return Err(ArgumentError::Unknown(line.option)),
            }
        }
        read.cluster = read.cluster.captured_requests(read.captured).ports(read.port, broker_port);
        Ok(Wish::Run(Box::new(read)))
    }
}

/// The command line, word by word.
struct Line<I> {
    rest: I,
    /// The option being read.
    option: String,
    /// The text after its equals sign.
    value: Option<String>,
}

impl<I: Iterator<Item = String>> Line<I> {
    /// Moves to the next option; false at the end.
    fn advance(&mut self) -> Result<bool, ArgumentError> {
        let Some(word) = self.rest.next() else { return Ok(false) };
        match word.split_once('=') {
            Some((option, value)) if option.starts_with("--") => {
                (self.option, self.value) = (option.to_owned(), Some(value.to_owned()));
            }
            _ => (self.option, self.value) = (word, None),
        }
        Ok(true)
    }

    fn flag(&mut self) -> Result<bool, ArgumentError> {
        match self.value.take() {
            None => Ok(true),
            Some(value) => Err(ArgumentError::Unwanted { option: self.option.clone(), value }),
        }
    }

    fn value(&mut self) -> Result<String, ArgumentError> {
        let value = self.value.take().or_else(|| self.rest.next());
        value.filter(|value| !value.is_empty()).ok_or_else(|| ArgumentError::NoValue(self.option.clone()))
    }

    fn number<T: std::str::FromStr>(&mut self, allowed: &'static str) -> Result<T, ArgumentError> {
        let value = self.value()?;
        value.parse().map_err(|_| self.not_allowed(value, allowed))
    }

    fn count(&mut self, allowed: &'static str) -> Result<usize, ArgumentError> {
        match self.number(allowed)? {
            0 => Err(self.not_allowed("0".to_owned(), allowed)),
            count => Ok(count),
        }
    }

    fn port(&mut self) -> Result<u16, ArgumentError> {
        self.number("a port from 0 (any that is free) to 65535 is")
    }

    fn topic(&mut self) -> Result<(String, u32), ArgumentError> {
        let value = self.value()?;
        let Some((name, queues)) = value.rsplit_once(':') else { return Ok((value, DEFAULT_QUEUES)) };
        match queues.parse() {
            Ok(queues @ 1..) => Ok((name.to_owned(), queues)),
            _ => Err(self.not_allowed(value, "NAME or NAME:QUEUES with at least one queue is")),
        }
    }

    fn preload(&mut self) -> Result<Preload, ArgumentError> {
        let value = self.value()?;
        let parts: Vec<&str> = value.split(':').collect();
        let read = || match parts[..] {
            [topic, queues, messages, bytes] => Some(Preload {
                topic: topic.to_owned(),
                queues: queues.parse().ok()?,
                messages: messages.parse().ok()?,
                bytes: bytes.parse().ok()?,
            }),
            _ => None,
        };
        read().ok_or_else(|| self.not_allowed(value.clone(), "NAME:QUEUES:MESSAGES:BYTES is"))
    }

    fn key_pair(&mut self) -> Result<(String, String), ArgumentError> {
        let value = self.value()?;
        match value.split_once(':') {
            Some((access, secret)) if !access.is_empty() && !secret.is_empty() => {
                Ok((access.to_owned(), secret.to_owned()))
            }
            // The error must not repeat the secret.
            _ => Err(self.not_allowed("what stands there".to_owned(), "ACCESS:SECRET is")),
        }
    }

    fn bytes(&mut self) -> Result<usize, ArgumentError> {
        let value = self.value()?;
        let (digits, shift) = match value.as_bytes().last() {
            Some(b'K' | b'k') => (&value[..value.len() - 1], 10),
            Some(b'M' | b'm') => (&value[..value.len() - 1], 20),
            Some(b'G' | b'g') => (&value[..value.len() - 1], 30),
            _ => (value.as_str(), 0),
        };
        let bytes = digits.parse::<usize>().ok().and_then(|number| number.checked_mul(1 << shift));
        bytes.ok_or_else(|| self.not_allowed(value.clone(), "a number of bytes such as 64M is"))
    }

    fn duration(&mut self) -> Result<Duration, ArgumentError> {
        let value = self.value()?;
        let number = |digits: &str| digits.parse::<u64>().ok();
        let duration = match (value.strip_suffix("ms"), value.strip_suffix('s')) {
            (Some(digits), _) => number(digits).map(Duration::from_millis),
            (None, Some(digits)) => number(digits).map(Duration::from_secs),
            (None, None) => None,
        };
        duration.ok_or_else(|| self.not_allowed(value.clone(), "a time such as 500ms or 6s is"))
    }

    fn fault(&mut self) -> Result<Fault, ArgumentError> {
        let rule = self.value()?;
        rule.parse().map_err(|source| ArgumentError::Fault { option: self.option.clone(), source })
    }

    fn fault_file(&mut self) -> Result<Vec<Fault>, ArgumentError> {
        let file = self.value()?;
        Fault::read_file(&file).map_err(|source| ArgumentError::Fault { option: self.option.clone(), source })
    }

    fn not_allowed(&self, value: String, allowed: &'static str) -> ArgumentError {
        ArgumentError::NotAllowed { option: self.option.clone(), value, allowed }
    }
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(option) => write!(f, "there is no option {option}"),
            Self::NoValue(option) => write!(f, "{option} needs a value"),
            Self::Unwanted { option, value } => write!(f, "{option} takes no value, {value} is one"),
            Self::NotAllowed { option, value, allowed } => {
                write!(f, "{option}: {value} is not allowed; {allowed}")
            }
            Self::Fault { option, .. } => write!(f, "{option}"),
        }
    }
}

impl std::error::Error for ArgumentError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Fault { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[&str]) -> Result<Wish, ArgumentError> {
        Arguments::read(line.iter().map(|word| (*word).to_owned()))
    }

    fn run(line: &[&str]) -> Arguments {
        match read(line) {
            Ok(Wish::Run(arguments)) => *arguments,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_stand_behind_a_space_or_an_equals_sign() {
        let read =
            run(&["--topic", "A", "--topic=B:2", "--fault=on=sends do=close", "--port", "9876", "--json"]);
        assert_eq!(read.topics, [("A".to_owned(), 8), ("B".to_owned(), 2)]);
        assert_eq!((read.faults.len(), read.port, read.json), (1, 9876, true));
        assert_eq!(run(&["--captured=5"]).captured, 5);
        assert!(matches!(read_wish(&["--port", "1", "--help"]), Wish::Help));
    }

    fn read_wish(line: &[&str]) -> Wish {
        read(line).expect("understood")
    }

    #[test]
    fn what_cannot_be_understood_is_named_with_what_is_allowed() {
        for (line, expected) in [
            (&["--bokers", "2"][..], "there is no option --bokers"),
            (&["nonsense"], "there is no option nonsense"),
            (&["--brokers"], "--brokers needs a value"),
            (&["--brokers", "0"], "--brokers: 0 is not allowed; a whole number from 1 on is"),
            (&["--port", "70000"], "--port: 70000 is not allowed; a port from 0"),
            (&["--json=yes"], "--json takes no value, yes is one"),
            (&["--memory", "1T"], "--memory: 1T is not allowed; a number of bytes such as 64M is"),
            (&["--transaction-timeout", "6"], "--transaction-timeout: 6 is not allowed; a time such as"),
            (&["--in-sync-replicas=0"], "--in-sync-replicas: 0 is not allowed; a whole number from 1 on is"),
            (&["--topic", "T:0"], "--topic: T:0 is not allowed"),
            (&["--acl", "secret"], "--acl: what stands there is not allowed; ACCESS:SECRET is"),
        ] {
            let error = read(line).expect_err("refused").to_string();
            assert!(error.starts_with(expected), "{error}");
        }
        let error = read(&["--fault", "do=delay"]).expect_err("refused");
        let source = std::error::Error::source(&error).expect("a cause").to_string();
        assert!(source.contains("field `ms`: is missing"), "{source}");
    }
}
