//! How a broker is set up: 26. Java: `Configuration`.

use rocketmq_remoting::protocol::body::DataVersion;

use crate::broker::Broker;
use crate::broker::table::Request;
use crate::wire::{Answer, Refusal};

/// 26: those of Java's settings that the mock has, as the text of a properties file.
pub(in crate::broker) fn config(broker: &Broker, _: &Request<'_>) -> Result<Answer, Refusal> {
    let options = &broker.options;
    let address = broker.address();
    let servers = options.transactions;
    let settings = [
        ("aclEnable", options.acl.is_some().to_string()),
        ("autoCreateTopicEnable", options.auto_create_topic.to_string()),
        ("brokerClusterName", options.cluster.to_string()),
        ("brokerIP1", address.ip().to_string()),
        ("brokerId", broker.id.to_string()),
        ("brokerName", broker.name.to_string()),
        ("enablePropertyFilter", options.property_filter.to_string()),
        ("inSyncReplicas", options.in_sync_replicas.to_string()),
        ("listenPort", address.port().to_string()),
        ("maxMessageSize", "4194304".to_owned()),
        ("messageDelayLevel", "1s 5s 10s 30s 1m 2m 3m 4m 5m 6m 7m 8m 9m 10m 20m 30m 1h 2h".to_owned()),
        ("recallMessageEnable", options.recall.to_string()),
        ("slaveReadEnable", options.slave_read.to_string()),
        ("transactionCheckInterval", servers.check_interval.as_millis().to_string()),
        ("transactionCheckMax", servers.check_max.to_string()),
        ("transactionTimeOut", servers.timeout.as_millis().to_string()),
    ];
    let text: String = settings.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    let version = DataVersion { timestamp: broker.boot_ms, ..DataVersion::default() };
    let version = serde_json::to_string(&version)
        .map_err(|error| Refusal::exception("java.lang.RuntimeException", error))?;
    Ok(Answer::success().with_field("version", version).with_body(text))
}
