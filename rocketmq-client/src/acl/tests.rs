use proptest::prelude::*;
use rocketmq_remoting::protocol::{FrameLimits, decode_frame};

use super::*;
use crate::conf::{AdminOption, ProducerOption};

/// A request that Java's hook signed.
fn captured(name: &str) -> RemotingCommand {
    let text = include_str!("../../../rocketmq-remoting/testdata/captured-5.5.0.hex");
    let hex = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let hex = hex.unwrap_or_else(|| panic!("no captured frame named {name}"));
    let digits = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap());
    let mut bytes = digits.collect();
    decode_frame(&mut bytes, &FrameLimits::default()).unwrap().unwrap()
}

#[test]
fn requests_are_signed_as_java_signs_them() {
    let plain = SessionCredentials::new("accessKey1", "secretKey1");
    let token = SessionCredentials::new("accessKey2", "密钥2").with_security_token("token-1");
    for (name, credentials) in [
        ("send.acl.json.request", &plain),
        ("send.acl.binary.request", &plain),
        ("send.acl-token.json.request", &token),
        ("send.acl-token.binary.request", &token),
        ("route.acl.json.request", &plain),
        ("route.acl.binary.request", &plain),
    ] {
        let signed_by_java = captured(name);
        let mut request = signed_by_java.clone();
        for added in ["AccessKey", "SecurityToken", "Signature"] {
            request.ext_fields.remove(added);
        }
        assert_ne!(request, signed_by_java);
        let hook = AclClientRpcHook::new(credentials.clone()).unwrap();
        hook.before_request("broker:10911", &mut request);
        assert_eq!(request, signed_by_java, "{name}");
        // An attempt that is signed again gets the same signature.
        hook.before_request("broker:10911", &mut request);
        assert_eq!(request, signed_by_java, "{name}, twice");
    }
}

#[test]
fn half_a_pair_of_credentials_is_an_error_that_names_the_other_half() {
    let reason = |option: &AdminOption| option.client_option().client_config().unwrap_err().to_string();
    let mut option = AdminOption::default();
    option.set_name_server_addr("ns:9876").set_access_key("key");
    assert_eq!(reason(&option), "option secret_key: an access key needs one: set the credentials");
    option.set_credentials("", "secret");
    assert!(reason(&option).starts_with("option access_key: "), "{}", reason(&option));
    option.set_credentials("", "").set_security_token("token");
    assert!(reason(&option).starts_with("option access_key: "), "{}", reason(&option));
    option.set_credentials("key", "secret");
    assert!(option.client_option().client_config().unwrap().credentials.is_some());
}

#[test]
fn a_configuration_file_may_hold_credentials() {
    let json = r#"{"name_server_addr": "ns:9876", "access_key": "key", "secret_key": "s-e-c", "security_token": "t-o-k"}"#;
    let option: ProducerOption = serde_json::from_str(json).unwrap();
    let credentials = option.client_option().client_config().unwrap().credentials.unwrap();
    assert_eq!(credentials.access_key(), "key");
    assert_eq!((credentials.secret_key.expose(), credentials.security_token.expose()), ("s-e-c", "t-o-k"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn secrets_are_never_printed(secret in "[A-Z0-9+/]{12,40}", token in "[A-Z0-9+/]{12,40}") {
        let mut producer = ProducerOption::default();
        producer.set_name_server_addr("ns:9876").set_credentials("key", &secret).set_security_token(&token);
        let mut admin = AdminOption::default();
        admin.set_name_server_addr("ns:9876").set_credentials("key", &secret).set_security_token(&token);
        let credentials = SessionCredentials::new("key", &secret).with_security_token(&token);
        let hook = AclClientRpcHook::new(credentials.clone()).unwrap();
        let refused = AclClientRpcHook::new(SessionCredentials::new("", &secret)).unwrap_err();
        for text in [
            format!("{producer:?} {producer:#?}"),
            format!("{admin:?} {:?}", admin.client_config()),
            format!("{credentials:?} {hook:?} {hook:#?}"),
            format!("{refused} {refused:?}"),
        ] {
            prop_assert!(!text.contains(&secret) && !text.contains(&token), "{}", text);
        }
    }
}
