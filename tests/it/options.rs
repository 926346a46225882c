//! Options have one name each: of the setter, in configuration files, and in the table for readers who come from Java.

use std::collections::BTreeSet;

use rocketmq::conf::{AdminOption, ProducerOption, SerializeType};

use crate::alone::run_alone;

const OF_ALL_CLIENTS: &str = include_str!("../../rocketmq-client/src/conf/macros.rs");
const OF_PRODUCERS: &str = include_str!("../../rocketmq-client/src/conf/producer_option.rs");
const FROM_JAVA: &str = include_str!("../../docs/producer-from-java.md");

/// Setters whose value no configuration file can hold, or which set several keys at once.
const NO_KEYS: [&str; 4] = ["set_address_translator", "set_credentials", "set_tls", "set_transport"];

/// A configuration file with a key that is none.
const UNKNOWN_KEY: &str = r#"{"?": 0}"#;

/// The keys that a configuration file may have: the complaint about an unknown key lists them.
fn keys<T>(parsed: Result<T, serde_json::Error>) -> BTreeSet<String> {
    let complaint = parsed.err().expect("no option has this name").to_string();
    let (_, listed) = complaint.split_once("expected one of ").expect("a list of keys");
    listed.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Each option in a declaration `kind name / setter: type = default`.
fn declared(source: &str) -> Vec<(&str, &str)> {
    source
        .lines()
        .filter_map(|line| line.split_once(" / set_"))
        .map(|(before, after)| (before.rsplit(' ').next().unwrap(), after.split(':').next().unwrap()))
        .collect()
}

#[test]
fn every_setter_is_a_key_and_every_key_a_setter() {
    let (shared, own) = (declared(OF_ALL_CLIENTS), declared(OF_PRODUCERS));
    assert!(shared.len() > 10 && own.len() > 20, "the declarations are found");
    for (name, setter) in shared.iter().chain(&own) {
        assert_eq!(name, setter, "the setter of {name} is set_{setter}");
    }
    let names = |options: &[(&str, &str)]| -> BTreeSet<String> {
        options.iter().map(|(name, _)| (*name).to_owned()).collect()
    };
    assert_eq!(keys(serde_json::from_str::<AdminOption>(UNKNOWN_KEY)), names(&shared));
    assert_eq!(keys(serde_json::from_str::<ProducerOption>(UNKNOWN_KEY)), names(&[shared, own].concat()));
}

#[test]
fn other_setters_are_known() {
    let written = [OF_ALL_CLIENTS, OF_PRODUCERS].concat();
    let by_hand = written.split("pub fn set_").skip(1).map(|rest| {
        let name = rest.split(['(', '<']).next().unwrap();
        format!("set_{name}")
    });
    for setter in by_hand {
        assert!(NO_KEYS.contains(&setter.as_str()), "{setter} has no key in configuration files");
    }
}

#[test]
fn the_table_for_readers_from_java_has_every_option() {
    let named: BTreeSet<&str> = FROM_JAVA.split('`').collect();
    for key in keys(serde_json::from_str::<ProducerOption>(UNKNOWN_KEY)) {
        assert!(named.contains(key.as_str()), "docs/producer-from-java.md does not name {key}");
    }
}

#[test]
fn the_environment_is_read_only_when_asked() {
    let variables = [
        ("NAMESRV_ADDR", "ns1:9876;ns2:9876"),
        ("ROCKETMQ_SERIALIZE_TYPE", "JSON"),
        ("ROCKETMQ_ZONE", "z1"),
        ("ROCKETMQ_ZONE_MODE", "true"),
    ];
    run_alone("options::child::with_variables", &variables);
    run_alone("options::child::without_variables", &[]);
    run_alone("options::child::with_a_bad_variable", &[("NAMESRV_ADDR", "no-port")]);
}

mod child {
    use super::*;

    #[test]
    #[ignore = "the_environment_is_read_only_when_asked runs it with its variables"]
    fn with_variables() {
        let option = ProducerOption::from_env().unwrap();
        assert_eq!(option.name_server_addr(), Some("ns1:9876;ns2:9876"));
        assert_eq!(option.serialize_type(), SerializeType::Json);
        assert_eq!(option.zone(), Some("z1"));
        assert_eq!(option.send_msg_timeout(), 3000, "all else has its default");
        assert_eq!(AdminOption::from_env().unwrap().name_server_addr(), Some("ns1:9876;ns2:9876"));
        assert_eq!(ProducerOption::default().name_server_addr(), None);
    }

    #[test]
    #[ignore = "the_environment_is_read_only_when_asked runs it with its variables"]
    fn without_variables() {
        let option = ProducerOption::from_env().unwrap();
        assert_eq!((option.name_server_addr(), option.serialize_type()), (None, SerializeType::RocketMq));
    }

    #[test]
    #[ignore = "the_environment_is_read_only_when_asked runs it with its variables"]
    fn with_a_bad_variable() {
        let error = ProducerOption::from_env().unwrap_err().to_string();
        assert!(error.contains("\"no-port\" has no port"), "{error}");
    }
}
