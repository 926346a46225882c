use std::collections::BTreeMap;

use super::answers::fan_out;
use super::{Answers, Brokers, MQAdmin, Server, TopicConfig};

/// The namespace in which NameServers keep the queues of ordered topics. Java: `NamesrvUtil`.
pub(super) const ORDER_TOPIC_CONFIG: &str = "ORDER_TOPIC_CONFIG";

impl MQAdmin {
    /// Tells every NameServer the queues of an ordered topic on the brokers where it was created. Entries of other
    /// brokers stay only if the brokers were named one by one. Java: `MQAdminExt.createOrUpdateOrderConf`.
    pub(super) async fn put_order_config(
        &self,
        config: &TopicConfig,
        brokers: &Brokers,
        created: &Answers<Server, ()>,
    ) -> Answers<Server, ()> {
        let names: Vec<&str> = created.done.iter().filter_map(|(server, ())| server.broker_name()).collect();
        let names = names.as_slice();
        let topic = config.topic.as_str();
        fan_out(self.name_server_list(), |server| async move {
            let api = self.asking()?;
            let known = match brokers {
                Brokers::Named(_) => api.kv_config(server.address(), ORDER_TOPIC_CONFIG, topic).await?,
                Brokers::All | Brokers::Cluster(_) => None,
            };
            let value = merged(known.as_deref().unwrap_or_default(), names, config.write_queue_nums);
            api.put_kv_config(server.address(), ORDER_TOPIC_CONFIG, topic, &value).await
        })
        .await
    }
}

/// Merges an entry such as `broker-a:4;broker-b:4` with the new number of queues on these brokers.
fn merged(known: &str, brokers: &[&str], queues: u32) -> String {
    let known = known.split(';').filter_map(|entry| Some((entry.split_once(':')?.0, entry.to_owned())));
    let mut entries: BTreeMap<&str, String> = known.collect();
    entries.extend(brokers.iter().map(|broker| (*broker, format!("{broker}:{queues}"))));
    entries.into_values().collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_added_and_replaced_and_what_is_no_entry_is_dropped() {
        assert_eq!(merged("", &["b", "a"], 4), "a:4;b:4");
        assert_eq!(merged("c:8;a:2", &["b", "a"], 4), "a:4;b:4;c:8");
        assert_eq!(merged("nonsense;;c:8", &["a"], 1), "a:1;c:8");
    }
}
