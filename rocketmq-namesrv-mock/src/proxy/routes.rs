//! Addresses of brokers in routes.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use rocketmq_remoting::protocol::RequestCode;
use rocketmq_remoting::protocol::body::{BrokerData, ClusterInfo, TopicRouteData, decode_body};

use super::Site;

/// Whether the answer to this request holds addresses of brokers.
pub(super) fn tells_addresses(code: RequestCode) -> bool {
    matches!(code, RequestCode::GET_ROUTEINFO_BY_TOPIC | RequestCode::GET_BROKER_CLUSTER_INFO)
}

/// The body with the proxy's addresses; `None` if there is nothing to change.
pub(super) async fn through_the_proxy(site: &Arc<Site>, code: RequestCode, body: &Bytes) -> Option<String> {
    let mut ours = HashMap::new();
    for broker in brokers(code, body) {
        for (id, address) in &broker.broker_addrs {
            let name = match id {
                0 => broker.broker_name.clone(),
                replica => format!("{}-s{replica}", broker.broker_name),
            };
            match site.broker(&name, address).await {
                Ok(gate) => {
                    ours.insert(address.clone(), gate.address().to_string());
                }
                Err(error) => {
                    tracing::warn!(broker = %name, %error, "clients go past the proxy to this broker")
                }
            }
        }
    }
    replace(std::str::from_utf8(body).ok()?, &ours)
}

fn brokers(code: RequestCode, body: &Bytes) -> Vec<BrokerData> {
    match code {
        RequestCode::GET_BROKER_CLUSTER_INFO => {
            let info: Option<ClusterInfo> = decode_body(body).ok();
            info.map(|info| info.broker_addr_table.into_values().collect()).unwrap_or_default()
        }
        _ => {
            let route: Option<TopicRouteData> = decode_body(body).ok();
            route.map(|route| route.broker_datas).unwrap_or_default()
        }
    }
}

/// Replaces the values in all `brokerAddrs` objects; all other text stays byte for byte.
fn replace(json: &str, ours: &HashMap<String, String>) -> Option<String> {
    const OBJECT: &str = r#""brokerAddrs":{"#;
    if ours.is_empty() {
        return None;
    }
    let mut changed = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(found) = rest.find(OBJECT) {
        let (before, object) = rest.split_at(found + OBJECT.len());
        changed.push_str(before);
        let end = object.find('}')?;
        let (entries, after) = object.split_at(end);
        for (index, entry) in entries.split(',').enumerate() {
            if index > 0 {
                changed.push(',');
            }
            // An entry is an id, a colon, and a quoted address, which contains colons itself.
            match entry.split_once(":\"").and_then(|(id, value)| Some((id, value.strip_suffix('"')?))) {
                Some((id, address)) => {
                    let address = ours.get(address).map_or(address, String::as_str);
                    changed.extend([id, ":\"", address, "\""]);
                }
                None => changed.push_str(entry),
            }
        }
        rest = after;
    }
    changed.push_str(rest);
    Some(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_brokers_change_whatever_the_keys_look_like() {
        let ours = [("10.0.0.1:1", "127.0.0.1:7"), ("::1:2", "127.0.0.1:8")];
        let ours = ours.map(|(real, ours)| (real.to_owned(), ours.to_owned())).into();
        for (json, expected) in [
            (
                r#"{"brokerDatas":[{"brokerAddrs":{0:"10.0.0.1:1",1:"::1:2"},"brokerName":"10.0.0.1:1"}]}"#,
                r#"{"brokerDatas":[{"brokerAddrs":{0:"127.0.0.1:7",1:"127.0.0.1:8"},"brokerName":"10.0.0.1:1"}]}"#,
            ),
            (
                r#"{"brokerAddrs":{"0":"10.0.0.1:1"}} {"brokerAddrs":{"0":"10.0.0.9:1"}}"#,
                r#"{"brokerAddrs":{"0":"127.0.0.1:7"}} {"brokerAddrs":{"0":"10.0.0.9:1"}}"#,
            ),
            (r#"{"brokerAddrs":{}}"#, r#"{"brokerAddrs":{}}"#),
        ] {
            assert_eq!(replace(json, &ours).unwrap(), expected);
        }
        assert_eq!(replace(r#"{"brokerAddrs":{0:"#, &ours), None);
    }
}
