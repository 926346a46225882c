//! Signed requests, judged by Apache's broker with ACL 2.0.

use std::sync::OnceLock;

use crate::cases::acl::{self, ACCESS_KEY, SECRET_KEY};
use crate::for_each_acl_case;
use crate::support::{ApacheCluster, Boot, Ready};

pub(crate) fn cluster() -> &'static ApacheCluster {
    static CLUSTER: OnceLock<ApacheCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let secret = java_escaped(SECRET_KEY);
        let provider = "org.apache.rocketmq.auth";
        let conf = format!(
            "authenticationEnabled=true\n\
             authenticationProvider={provider}.authentication.provider.DefaultAuthenticationProvider\n\
             authenticationMetadataProvider={provider}.authentication.provider.LocalAuthenticationMetadataProvider\n\
             initAuthenticationUser={{\"username\":\"{ACCESS_KEY}\",\"password\":\"{secret}\"}}\n\
             innerClientAuthenticationCredentials={{\"accessKey\":\"{ACCESS_KEY}\",\"secretKey\":\"{secret}\"}}\n\
             authorizationEnabled=true\n\
             authorizationProvider={provider}.authorization.provider.DefaultAuthorizationProvider\n\
             authorizationMetadataProvider={provider}.authorization.provider.LocalAuthorizationMetadataProvider\n"
        );
        let boot = Boot { broker_conf: &conf, ready: Ready::Refuses, ..Boot::default() };
        ApacheCluster::boot(&boot).unwrap_or_else(|reason| panic!("{reason}"))
    })
}

/// As Java's properties files want what is not Latin-1.
fn java_escaped(text: &str) -> String {
    let escape = |unit: u16| match u8::try_from(unit) {
        Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
        _ => format!("\\u{unit:04x}"),
    };
    text.encode_utf16().map(escape).collect()
}

macro_rules! on_apache_with_acl {
    ($($case:ident),+) => {
        $(#[tokio::test]
        async fn $case() {
            acl::$case(cluster().name_server_addr()).await;
        })+
    };
}

for_each_acl_case!(on_apache_with_acl);
