//! Requests to a NameServer: 100–106, 205, 206, 216, 217, 219, 224, 304, 327.

use super::macros::{bare_requests, headers};
use crate::protocol::NoHeader;
use bytestring::ByteString;

bare_requests! {
    /// All clusters and brokers. Java sends no header; `GET_BROKER_CLUSTER_INFO` 106. The answer's body is a
    /// [`ClusterInfo`](crate::protocol::body::ClusterInfo).
    pub struct GetBrokerClusterInfoRequest (GET_BROKER_CLUSTER_INFO -> NoHeader);

    /// All topics. Java sends no header; `GET_ALL_TOPIC_LIST_FROM_NAMESERVER` 206. The answer's body is a
    /// [`TopicList`](crate::protocol::body::TopicList).
    pub struct GetAllTopicListFromNameServerRequest (GET_ALL_TOPIC_LIST_FROM_NAMESERVER -> NoHeader);

    /// The topics named after clusters and brokers. Java sends no header;
    /// `GET_SYSTEM_TOPIC_LIST_FROM_NS` 304. The answer's body is a
    /// [`TopicList`](crate::protocol::body::TopicList).
    pub struct GetSystemTopicListFromNameServerRequest (GET_SYSTEM_TOPIC_LIST_FROM_NS -> NoHeader);
}

headers! {
    /// The route of a topic. Java `GetRouteInfoRequestHeader`; `GET_ROUTEINFO_BY_TOPIC` 105. The answer's
    /// body is a [`TopicRouteData`](crate::protocol::body::TopicRouteData).
    pub struct GetRouteInfoRequestHeader(GET_ROUTEINFO_BY_TOPIC -> NoHeader) as GetRouteInfoFields {
        /// The topic.
        "topic" topic: ByteString,
        /// Asks for strict JSON even with a version below 4.9.4.
        "acceptStandardJsonOnly" accept_standard_json_only: Option<bool>,
    }

    /// Sets a value. Java `PutKVConfigRequestHeader`; `PUT_KV_CONFIG` 100.
    pub struct PutKvConfigRequestHeader(PUT_KV_CONFIG -> NoHeader) as PutKvConfigFields {
        /// The namespace, such as `ORDER_TOPIC_CONFIG`.
        "namespace" namespace: ByteString,
        /// The key.
        "key" key: ByteString,
        /// The value.
        "value" value: ByteString,
    }

    /// Reads a value. Java `GetKVConfigRequestHeader`; `GET_KV_CONFIG` 101. Code 22 if there is no value.
    pub struct GetKvConfigRequestHeader(GET_KV_CONFIG -> GetKvConfigResponseHeader) {
        /// The namespace.
        "namespace" namespace: ByteString,
        /// The key.
        "key" key: ByteString,
    }

    /// Java `GetKVConfigResponseHeader`.
    pub struct GetKvConfigResponseHeader {
        /// The value.
        "value" value: Option<ByteString>,
    }

    /// Deletes a value. Java `DeleteKVConfigRequestHeader`; `DELETE_KV_CONFIG` 102.
    pub struct DeleteKvConfigRequestHeader(DELETE_KV_CONFIG -> NoHeader) {
        /// The namespace.
        "namespace" namespace: ByteString,
        /// The key.
        "key" key: ByteString,
    }

    /// All values of a namespace. Java `GetKVListByNamespaceRequestHeader`; `GET_KVLIST_BY_NAMESPACE` 219. The
    /// answer's body is a [`KVTable`](crate::protocol::body::KVTable).
    pub struct GetKvListByNamespaceRequestHeader(GET_KVLIST_BY_NAMESPACE -> NoHeader) {
        /// The namespace.
        "namespace" namespace: ByteString,
    }

    /// Announces a broker. Java `RegisterBrokerRequestHeader`; `REGISTER_BROKER` 103.
    pub struct RegisterBrokerRequestHeader(REGISTER_BROKER -> RegisterBrokerResponseHeader) {
        /// The broker's name, shared by a master and its slaves.
        "brokerName" broker_name: ByteString,
        /// The address that clients dial.
        "brokerAddr" broker_addr: ByteString,
        /// The cluster's name.
        "clusterName" cluster_name: ByteString,
        /// The address that slaves replicate from.
        "haServerAddr" ha_server_addr: ByteString,
        /// 0 is the master.
        "brokerId" broker_id: i64,
        /// Milliseconds without a heartbeat after which the broker is dropped (5.0).
        "heartbeatTimeoutMillis" heartbeat_timeout_millis: Option<i64>,
        /// Whether a slave may act as master (5.0).
        "enableActingMaster" enable_acting_master: Option<bool>,
        /// Whether the body is compressed.
        "compressed" compressed: bool = false,
        /// CRC-32 of the body, 0 for none.
        "bodyCrc32" body_crc32: i32 = 0,
    }

    /// Java `RegisterBrokerResponseHeader`.
    pub struct RegisterBrokerResponseHeader {
        /// Where the master replicates from.
        "haServerAddr" ha_server_addr: Option<ByteString>,
        /// The master's address.
        "masterAddr" master_addr: Option<ByteString>,
    }

    /// Removes a broker that shuts down. Java `UnRegisterBrokerRequestHeader`; `UNREGISTER_BROKER` 104.
    pub struct UnregisterBrokerRequestHeader(UNREGISTER_BROKER -> NoHeader) {
        /// The broker's name.
        "brokerName" broker_name: ByteString,
        /// The address that it announced.
        "brokerAddr" broker_addr: ByteString,
        /// The cluster's name.
        "clusterName" cluster_name: ByteString,
        /// 0 is the master.
        "brokerId" broker_id: i64,
    }

    /// Takes the write permission of a broker's topics away. Java `WipeWritePermOfBrokerRequestHeader`;
    /// `WIPE_WRITE_PERM_OF_BROKER` 205.
    pub struct WipeWritePermOfBrokerRequestHeader(WIPE_WRITE_PERM_OF_BROKER -> WipeWritePermOfBrokerResponseHeader)
        as WipeWritePermOfBrokerFields {
        /// The broker's name.
        "brokerName" broker_name: ByteString,
    }

    /// Java `WipeWritePermOfBrokerResponseHeader`.
    pub struct WipeWritePermOfBrokerResponseHeader {
        /// How many topics lost the permission.
        "wipeTopicCount" wipe_topic_count: i32,
    }

    /// Gives the write permission of a broker's topics back. Java `AddWritePermOfBrokerRequestHeader`;
    /// `ADD_WRITE_PERM_OF_BROKER` 327.
    pub struct AddWritePermOfBrokerRequestHeader(ADD_WRITE_PERM_OF_BROKER -> AddWritePermOfBrokerResponseHeader) {
        /// The broker's name.
        "brokerName" broker_name: ByteString,
    }

    /// Java `AddWritePermOfBrokerResponseHeader`.
    pub struct AddWritePermOfBrokerResponseHeader {
        /// How many topics got the permission.
        "addTopicCount" add_topic_count: i32,
    }

    /// Deletes a topic's route. Java `DeleteTopicFromNamesrvRequestHeader`; `DELETE_TOPIC_IN_NAMESRV` 216.
    pub struct DeleteTopicInNameServerRequestHeader(DELETE_TOPIC_IN_NAMESRV -> NoHeader)
        as DeleteTopicInNameServerFields {
        /// The topic.
        "topic" topic: ByteString,
        /// Only in this cluster (5.0).
        "clusterName" cluster_name: Option<ByteString>,
    }

    /// Registers a topic's route. Java `RegisterTopicRequestHeader`; `REGISTER_TOPIC_IN_NAMESRV` 217. The body is a
    /// [`TopicRouteData`](crate::protocol::body::TopicRouteData).
    pub struct RegisterTopicRequestHeader(REGISTER_TOPIC_IN_NAMESRV -> NoHeader) as RegisterTopicFields {
        /// The topic.
        "topic" topic: ByteString,
    }

    /// All topics of a cluster. Java `GetTopicsByClusterRequestHeader`; `GET_TOPICS_BY_CLUSTER` 224. The answer's body
    /// is a
    /// [`TopicList`](crate::protocol::body::TopicList).
    pub struct GetTopicsByClusterRequestHeader(GET_TOPICS_BY_CLUSTER -> NoHeader)
        as GetTopicsByClusterFields {
        /// The cluster's name.
        "cluster" cluster: ByteString,
    }
}
