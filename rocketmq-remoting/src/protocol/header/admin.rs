//! Topics, groups and figures of a broker: 17, 18, 26, 28, 200–204, 207, 208, 215, 225, 300, 303, 308, 314, 315, 317,
//! 321, 343, 345, 351–353.

use super::macros::{bare_requests, headers};
use crate::protocol::NoHeader;
use bytestring::ByteString;

bare_requests! {
    /// Creates or changes several topics (5.x). `UPDATE_AND_CREATE_TOPIC_LIST` 18. The body is a
    /// [`CreateTopicListRequestBody`](crate::protocol::body::CreateTopicListRequestBody).
    pub struct CreateTopicListRequest (UPDATE_AND_CREATE_TOPIC_LIST -> NoHeader);

    /// All topics of a broker. `GET_ALL_TOPIC_CONFIG` 21. The answer's body is a
    /// [`TopicConfigSerializeWrapper`](crate::protocol::body::TopicConfigSerializeWrapper).
    pub struct GetAllTopicConfigRequest (GET_ALL_TOPIC_CONFIG -> NoHeader);

    /// A broker's configuration. `GET_BROKER_CONFIG` 26. The answer's body is a Java properties text.
    pub struct GetBrokerConfigRequest (GET_BROKER_CONFIG -> GetBrokerConfigResponseHeader);

    /// A broker's figures. `GET_BROKER_RUNTIME_INFO` 28. The answer's body is a
    /// [`KVTable`](crate::protocol::body::KVTable).
    pub struct GetBrokerRuntimeInfoRequest (GET_BROKER_RUNTIME_INFO -> NoHeader);

    /// Creates or changes a consumer group. `UPDATE_AND_CREATE_SUBSCRIPTIONGROUP` 200. The body is a
    /// [`SubscriptionGroupConfig`](crate::protocol::body::SubscriptionGroupConfig).
    pub struct UpdateSubscriptionGroupRequest (UPDATE_AND_CREATE_SUBSCRIPTIONGROUP -> NoHeader);

    /// All consumer groups of a broker. `GET_ALL_SUBSCRIPTIONGROUP_CONFIG` 201. The answer's body is a
    /// [`SubscriptionGroupWrapper`](crate::protocol::body::SubscriptionGroupWrapper).
    pub struct GetAllSubscriptionGroupRequest (GET_ALL_SUBSCRIPTIONGROUP_CONFIG -> NoHeader);

    /// Creates or changes several consumer groups (5.x). `UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST` 225. The
    /// body is a [`SubscriptionGroupList`](crate::protocol::body::SubscriptionGroupList).
    pub struct UpdateSubscriptionGroupListRequest (UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST -> NoHeader);

    /// The system topics of a broker. `GET_SYSTEM_TOPIC_LIST_FROM_BROKER` 305. The answer's body is a
    /// [`TopicList`](crate::protocol::body::TopicList).
    pub struct GetSystemTopicListFromBrokerRequest (GET_SYSTEM_TOPIC_LIST_FROM_BROKER -> NoHeader);
}

headers! {
    /// Creates or changes a topic on one broker. Java `CreateTopicRequestHeader`; `UPDATE_AND_CREATE_TOPIC` 17.
    pub struct CreateTopicRequestHeader(UPDATE_AND_CREATE_TOPIC -> NoHeader) as CreateTopicFields {
        /// The topic.
        "topic" topic: ByteString,
        /// The topic whose settings are the template; brokers ignore it.
        "defaultTopic" default_topic: ByteString,
        /// How many queues can be read.
        "readQueueNums" read_queue_nums: i32,
        /// How many queues can be written.
        "writeQueueNums" write_queue_nums: i32,
        /// 4 read, 2 write, 1 inherit; Java `PermName`. Brokers do not check it.
        "perm" perm: i32,
        /// `SINGLE_TAG` or `MULTI_TAG`.
        "topicFilterType" topic_filter_type: ByteString,
        /// 1 unit, 2 unit subscription.
        "topicSysFlag" topic_sys_flag: Option<i32>,
        /// Whether the topic is ordered across brokers.
        "order" order: bool,
        /// `+key=value` sets, `-key` removes, joined by commas (5.0).
        "attributes" attributes: Option<ByteString>,
        /// Applies the change even if the topic is mapped to other brokers (5.0).
        "force" force: Option<bool>,
    }

    /// Java `GetBrokerConfigResponseHeader`.
    pub struct GetBrokerConfigResponseHeader {
        /// Changes with the configuration.
        "version" version: ByteString,
    }

    /// Minimum and maximum offsets. Java `GetTopicStatsInfoRequestHeader`; `GET_TOPIC_STATS_INFO` 202. The
    /// answer's body is a [`TopicStatsTable`](crate::protocol::body::TopicStatsTable).
    pub struct GetTopicStatsInfoRequestHeader(GET_TOPIC_STATS_INFO -> NoHeader) {
        /// The topic.
        "topic" topic: ByteString,
    }

    /// Clients connected for a consumer group. Java `GetConsumerConnectionListRequestHeader`;
    /// `GET_CONSUMER_CONNECTION_LIST` 203. The answer's body is a
    /// [`ConsumerConnection`](crate::protocol::body::ConsumerConnection); code 206 if none is connected.
    pub struct GetConsumerConnectionListRequestHeader(GET_CONSUMER_CONNECTION_LIST -> NoHeader) {
        /// The consumer group.
        "consumerGroup" consumer_group: ByteString,
    }

    /// Clients connected for a producer group. Java `GetProducerConnectionListRequestHeader`;
    /// `GET_PRODUCER_CONNECTION_LIST` 204. The answer's body is a
    /// [`ProducerConnection`](crate::protocol::body::ProducerConnection); code 1 if none is connected.
    pub struct GetProducerConnectionListRequestHeader(GET_PRODUCER_CONNECTION_LIST -> NoHeader) {
        /// The producer group.
        "producerGroup" producer_group: ByteString,
    }

    /// Deletes a consumer group. Java `DeleteSubscriptionGroupRequestHeader`; `DELETE_SUBSCRIPTIONGROUP` 207.
    pub struct DeleteSubscriptionGroupRequestHeader(DELETE_SUBSCRIPTIONGROUP -> NoHeader)
        as DeleteSubscriptionGroupFields {
        /// The consumer group.
        "groupName" group_name: ByteString,
        /// Whether to delete its offsets, too.
        "cleanOffset" clean_offset: bool = false,
    }

    /// The progress of a group. Java `GetConsumeStatsRequestHeader`; `GET_CONSUME_STATS` 208. The answer's body is a
    /// [`ConsumeStats`](crate::protocol::body::ConsumeStats).
    pub struct GetConsumeStatsRequestHeader(GET_CONSUME_STATS -> NoHeader) as GetConsumeStatsFields {
        /// The consumer group.
        "consumerGroup" consumer_group: ByteString,
        /// Only this topic.
        "topic" topic: Option<ByteString>,
        /// Only these topics, separated by semicolons (5.4).
        "topicList" topic_list: Option<ByteString>,
    }

    /// Deletes a topic. Java `DeleteTopicRequestHeader`; `DELETE_TOPIC_IN_BROKER` 215. NameServers keep the route until
    /// code 216 deletes it.
    pub struct DeleteTopicRequestHeader(DELETE_TOPIC_IN_BROKER -> NoHeader) {
        /// The topic.
        "topic" topic: ByteString,
    }

    /// The groups that consume a topic. Java `QueryTopicConsumeByWhoRequestHeader`;
    /// `QUERY_TOPIC_CONSUME_BY_WHO` 300. The answer's body is a
    /// [`GroupList`](crate::protocol::body::GroupList).
    pub struct QueryTopicConsumeByWhoRequestHeader(QUERY_TOPIC_CONSUME_BY_WHO -> NoHeader) {
        /// The topic.
        "topic" topic: ByteString,
    }

    /// A broker's counter. Java `ViewBrokerStatsDataRequestHeader`; `VIEW_BROKER_STATS_DATA` 315. The answer's
    /// body is a [`BrokerStatsData`](crate::protocol::body::BrokerStatsData).
    pub struct ViewBrokerStatsDataRequestHeader(VIEW_BROKER_STATS_DATA -> NoHeader)
        as ViewBrokerStatsDataFields {
        /// The name of the counter, such as `TOPIC_PUT_NUMS`.
        "statsName" stats_name: ByteString,
        /// The counted object: a topic, or `topic@group`.
        "statsKey" stats_key: ByteString,
    }

    /// The topics that a group consumes. Java `QueryTopicsByConsumerRequestHeader`;
    /// `QUERY_TOPICS_BY_CONSUMER` 343. The answer's body is a
    /// [`TopicList`](crate::protocol::body::TopicList).
    pub struct QueryTopicsByConsumerRequestHeader(QUERY_TOPICS_BY_CONSUMER -> NoHeader) {
        /// The consumer group.
        "group" group: ByteString,
    }

    /// A group's subscription of a topic. Java `QuerySubscriptionByConsumerRequestHeader`;
    /// `QUERY_SUBSCRIPTION_BY_CONSUMER` 345. The answer's body is a
    /// [`QuerySubscriptionResponseBody`](crate::protocol::body::QuerySubscriptionResponseBody).
    pub struct QuerySubscriptionByConsumerRequestHeader(QUERY_SUBSCRIPTION_BY_CONSUMER -> NoHeader)
        as QuerySubscriptionByConsumerFields {
        /// The consumer group.
        "group" group: ByteString,
        /// The topic.
        "topic" topic: ByteString,
    }

    /// One topic's settings (5.x). Java `GetTopicConfigRequestHeader`; `GET_TOPIC_CONFIG` 351. The answer's
    /// body is a [`TopicConfigAndQueueMapping`](crate::protocol::body::TopicConfigAndQueueMapping).
    pub struct GetTopicConfigRequestHeader(GET_TOPIC_CONFIG -> NoHeader) {
        /// The topic.
        "topic" topic: ByteString,
        /// Whether the answer shall contain the mapping to brokers; Java sends true.
        "lo" lo: Option<bool>,
    }

    /// One consumer group's settings (5.x). Java `GetSubscriptionGroupConfigRequestHeader`;
    /// `GET_SUBSCRIPTIONGROUP_CONFIG` 352. The answer's body is a
    /// [`SubscriptionGroupConfig`](crate::protocol::body::SubscriptionGroupConfig).
    pub struct GetSubscriptionGroupConfigRequestHeader(GET_SUBSCRIPTIONGROUP_CONFIG -> NoHeader) {
        /// The consumer group.
        "group" group: ByteString,
    }

    /// Tells whether a group may read a topic, and first changes it if `readable` is set. Java
    /// `UpdateGroupForbiddenRequestHeader`; `UPDATE_AND_GET_GROUP_FORBIDDEN` 353. The answer's body is Java's
    /// `GroupForbidden`.
    pub struct UpdateGroupForbiddenRequestHeader(UPDATE_AND_GET_GROUP_FORBIDDEN -> NoHeader)
        as UpdateGroupForbiddenFields {
        /// The consumer group.
        "group" group: ByteString,
        /// The topic.
        "topic" topic: ByteString,
        /// Allows or forbids reading; without it nothing changes.
        "readable" readable: Option<bool>,
    }

    /// Copies the committed offsets of one group to another. Java `CloneGroupOffsetRequestHeader`;
    /// `CLONE_GROUP_OFFSET` 314.
    pub struct CloneGroupOffsetRequestHeader(CLONE_GROUP_OFFSET -> NoHeader) as CloneGroupOffsetFields {
        /// The group whose offsets are copied.
        "srcGroup" src_group: ByteString,
        /// The group that receives the offsets.
        "destGroup" dest_group: ByteString,
        /// The topic; without it brokers do nothing.
        "topic" topic: Option<ByteString>,
        /// Copies even while the group has members.
        "offline" offline: bool = false,
    }

    /// The progress of all groups. Java `GetConsumeStatsInBrokerHeader`; `GET_BROKER_CONSUME_STATS` 317. The answer's
    /// body is Java's `ConsumeStatsList`.
    pub struct GetConsumeStatsInBrokerHeader(GET_BROKER_CONSUME_STATS -> NoHeader) {
        /// Only ordered topics.
        "isOrder" is_order: bool = false,
    }

    /// Times at which messages of each queue were stored and consumed. Java `QueryConsumeTimeSpanRequestHeader`;
    /// `QUERY_CONSUME_TIME_SPAN` 303. The answer's body is Java's `QueryConsumeTimeSpanBody`.
    pub struct QueryConsumeTimeSpanRequestHeader(QUERY_CONSUME_TIME_SPAN -> NoHeader)
        as QueryConsumeTimeSpanFields {
        /// The topic.
        "topic" topic: ByteString,
        /// The consumer group.
        "group" group: ByteString,
    }

    /// The lowest offset that any group has committed. Java `QueryCorrectionOffsetHeader`; `QUERY_CORRECTION_OFFSET`
    /// 308. The answer's body is Java's `QueryCorrectionOffsetBody`.
    pub struct QueryCorrectionOffsetHeader(QUERY_CORRECTION_OFFSET -> NoHeader)
        as QueryCorrectionOffsetFields {
        /// Groups to leave out, separated by commas. Their offsets are deleted.
        "filterGroups" filter_groups: Option<ByteString>,
        /// A group to compare the offsets with.
        "compareGroup" compare_group: Option<ByteString>,
        /// The topic.
        "topic" topic: ByteString,
    }

    /// Entries of a queue. Java `QueryConsumeQueueRequestHeader`; `QUERY_CONSUME_QUEUE` 321. The answer's body is
    /// Java's
    /// `QueryConsumeQueueResponseBody`.
    pub struct QueryConsumeQueueRequestHeader(QUERY_CONSUME_QUEUE -> NoHeader) as QueryConsumeQueueFields {
        /// The topic.
        "topic" topic: ByteString,
        /// The queue.
        "queueId" queue_id: i32,
        /// The first offset.
        "index" index: i64,
        /// The largest number of entries.
        "count" count: i32,
        /// A group whose filter is applied to the entries.
        "consumerGroup" consumer_group: Option<ByteString>,
    }
}
