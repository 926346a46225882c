//! Apache's ACL 2.0.

/// The lines of a broker's configuration that let in one user alone, who may do everything.
pub(crate) fn acl_conf(access_key: &str, secret_key: &str) -> String {
    let provider = "org.apache.rocketmq.auth";
    let secret_key = java_escaped(secret_key);
    format!(
        "authenticationEnabled=true\n\
         authenticationProvider={provider}.authentication.provider.DefaultAuthenticationProvider\n\
         authenticationMetadataProvider={provider}.authentication.provider.LocalAuthenticationMetadataProvider\n\
         initAuthenticationUser={{\"username\":\"{access_key}\",\"password\":\"{secret_key}\"}}\n\
         innerClientAuthenticationCredentials={{\"accessKey\":\"{access_key}\",\"secretKey\":\"{secret_key}\"}}\n\
         authorizationEnabled=true\n\
         authorizationProvider={provider}.authorization.provider.DefaultAuthorizationProvider\n\
         authorizationMetadataProvider={provider}.authorization.provider.LocalAuthorizationMetadataProvider\n"
    )
}

/// Escapes characters outside ASCII for Java's properties files.
fn java_escaped(text: &str) -> String {
    let escape = |unit: u16| match u8::try_from(unit) {
        Ok(byte) if byte.is_ascii() => char::from(byte).to_string(),
        _ => format!("\\u{unit:04x}"),
    };
    text.encode_utf16().map(escape).collect()
}
