//! Request codes.

use super::open_code::open_code;

open_code! {
    /// The `code` of a request: the operation. Open: an unknown value survives a round trip.
    ///
    /// Java `RequestCode`. Codes above 32767 (the pop family) need the JSON header.
    pub struct RequestCode(i32) of "RequestCode" {
        /// Store one message, long field names.
        SEND_MESSAGE = 10,
        /// Read messages from one queue, waiting for new ones if asked to.
        PULL_MESSAGE = 11,
        /// Find messages by key or by unique id.
        QUERY_MESSAGE = 12,
        /// Not served by current brokers.
        QUERY_BROKER_OFFSET = 13,
        /// The committed offset of a group in a queue.
        QUERY_CONSUMER_OFFSET = 14,
        /// Commit the offset of a group in a queue; normally one way.
        UPDATE_CONSUMER_OFFSET = 15,
        /// Create or change a topic on one broker.
        UPDATE_AND_CREATE_TOPIC = 17,
        /// Create or change several topics on one broker (5.x).
        UPDATE_AND_CREATE_TOPIC_LIST = 18,
        /// All topics of a broker with their settings.
        GET_ALL_TOPIC_CONFIG = 21,
        /// Not served by current brokers.
        GET_TOPIC_CONFIG_LIST = 22,
        /// Not served by current brokers.
        GET_TOPIC_NAME_LIST = 23,
        /// Change a broker's configuration.
        UPDATE_BROKER_CONFIG = 25,
        /// Read a broker's configuration.
        GET_BROKER_CONFIG = 26,
        /// Not served by current brokers.
        TRIGGER_DELETE_FILES = 27,
        /// A broker's run-time figures.
        GET_BROKER_RUNTIME_INFO = 28,
        /// The offset at a point in time.
        SEARCH_OFFSET_BY_TIMESTAMP = 29,
        /// The offset behind the last message of a queue.
        GET_MAX_OFFSET = 30,
        /// The offset of the first message that is left in a queue.
        GET_MIN_OFFSET = 31,
        /// When the first message that is left in a queue was stored.
        GET_EARLIEST_MSG_STORETIME = 32,
        /// Read one message at its physical offset.
        VIEW_MESSAGE_BY_ID = 33,
        /// Register a client's groups and subscriptions, again every 30 s.
        HEART_BEAT = 34,
        /// Take a client out of a group.
        UNREGISTER_CLIENT = 35,
        /// Give a message back for a later retry.
        CONSUMER_SEND_MSG_BACK = 36,
        /// Commit or roll back a half message; one way.
        END_TRANSACTION = 37,
        /// The client ids of a consumer group.
        GET_CONSUMER_LIST_BY_GROUP = 38,
        /// Broker to producer, one way: what became of this transaction?
        CHECK_TRANSACTION_STATE = 39,
        /// Broker to consumer, one way: the members of the group changed.
        NOTIFY_CONSUMER_IDS_CHANGED = 40,
        /// Lock queues for orderly consumption.
        LOCK_BATCH_MQ = 41,
        /// Release such locks.
        UNLOCK_BATCH_MQ = 42,
        /// All committed offsets of a broker.
        GET_ALL_CONSUMER_OFFSET = 43,
        /// The offsets of the delay queues.
        GET_ALL_DELAY_OFFSET = 45,
        /// Ask a broker to check a filter expression.
        CHECK_CLIENT_CONFIG = 46,
        /// Not served by current brokers.
        GET_CLIENT_CONFIG = 47,
        /// ACL 1.0, gone since 5.3.3.
        UPDATE_AND_CREATE_ACL_CONFIG = 50,
        /// ACL 1.0, gone since 5.3.3.
        DELETE_ACL_CONFIG = 51,
        /// ACL 1.0, gone since 5.3.3.
        GET_BROKER_CLUSTER_ACL_INFO = 52,
        /// ACL 1.0, gone since 5.3.3.
        UPDATE_GLOBAL_WHITE_ADDRS_CONFIG = 53,
        /// Progress of the timer wheel, for slaves.
        GET_TIMER_CHECK_POINT = 60,
        /// Messages that the timer wheel holds, per topic.
        GET_TIMER_METRICS = 61,
        /// Set a key on a NameServer.
        PUT_KV_CONFIG = 100,
        /// Read a key from a NameServer.
        GET_KV_CONFIG = 101,
        /// Remove a key from a NameServer.
        DELETE_KV_CONFIG = 102,
        /// Broker to NameServer: here I am, with these topics.
        REGISTER_BROKER = 103,
        /// Broker to NameServer: I am leaving.
        UNREGISTER_BROKER = 104,
        /// The brokers and queues of a topic.
        GET_ROUTEINFO_BY_TOPIC = 105,
        /// All clusters and brokers that a NameServer knows.
        GET_BROKER_CLUSTER_INFO = 106,
        /// Create or change a consumer group.
        UPDATE_AND_CREATE_SUBSCRIPTIONGROUP = 200,
        /// All consumer groups of a broker.
        GET_ALL_SUBSCRIPTIONGROUP_CONFIG = 201,
        /// Minimum and maximum offset of each queue of a topic.
        GET_TOPIC_STATS_INFO = 202,
        /// The clients connected for a consumer group.
        GET_CONSUMER_CONNECTION_LIST = 203,
        /// The clients connected for a producer group.
        GET_PRODUCER_CONNECTION_LIST = 204,
        /// Take the write permission of a broker's topics away.
        WIPE_WRITE_PERM_OF_BROKER = 205,
        /// All topics that a NameServer knows.
        GET_ALL_TOPIC_LIST_FROM_NAMESERVER = 206,
        /// Delete a consumer group.
        DELETE_SUBSCRIPTIONGROUP = 207,
        /// The progress of a group, per queue.
        GET_CONSUME_STATS = 208,
        /// Delete a topic on one broker.
        DELETE_TOPIC_IN_BROKER = 215,
        /// Delete a topic's route on one NameServer.
        DELETE_TOPIC_IN_NAMESRV = 216,
        /// Register a topic's route on one NameServer.
        REGISTER_TOPIC_IN_NAMESRV = 217,
        /// All keys of a namespace on a NameServer.
        GET_KVLIST_BY_NAMESPACE = 219,
        /// Broker to consumer, one way: continue from these offsets.
        RESET_CONSUMER_CLIENT_OFFSET = 220,
        /// Broker to consumer: which offsets do you hold?
        GET_CONSUMER_STATUS_FROM_CLIENT = 221,
        /// Set a group's offsets to a point in time.
        INVOKE_BROKER_TO_RESET_OFFSET = 222,
        /// Ask a broker for the offsets that its consumers hold.
        INVOKE_BROKER_TO_GET_CONSUMER_STATUS = 223,
        /// All topics of a cluster.
        GET_TOPICS_BY_CLUSTER = 224,
        /// Create or change several consumer groups (5.x).
        UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST = 225,
        /// The groups that consume a topic.
        QUERY_TOPIC_CONSUME_BY_WHO = 300,
        /// The times at which a group consumed the parts of a topic.
        QUERY_CONSUME_TIME_SPAN = 303,
        /// The system topics of all clusters.
        GET_SYSTEM_TOPIC_LIST_FROM_NS = 304,
        /// The system topics of one broker.
        GET_SYSTEM_TOPIC_LIST_FROM_BROKER = 305,
        /// Delete consume queues that nothing refers to.
        CLEAN_EXPIRED_CONSUMEQUEUE = 306,
        /// The state of a consumer; the broker forwards the request to it.
        GET_CONSUMER_RUNNING_INFO = 307,
        /// Offsets of other groups, to correct one.
        QUERY_CORRECTION_OFFSET = 308,
        /// Let one consumer process one message now; the broker forwards the request to it.
        CONSUME_MESSAGE_DIRECTLY = 309,
        /// Store one message, short field names.
        SEND_MESSAGE_V2 = 310,
        /// Topics of the unit.
        GET_UNIT_TOPIC_LIST = 311,
        /// Topics with unit subscriptions.
        GET_HAS_UNIT_SUB_TOPIC_LIST = 312,
        /// Topics outside the unit that have unit subscriptions.
        GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST = 313,
        /// Copy the offsets of one group to another.
        CLONE_GROUP_OFFSET = 314,
        /// A broker's counters.
        VIEW_BROKER_STATS_DATA = 315,
        /// Delete topics that nothing uses.
        CLEAN_UNUSED_TOPIC = 316,
        /// The progress of all groups of a broker.
        GET_BROKER_CONSUME_STATS = 317,
        /// Change a NameServer's configuration.
        UPDATE_NAMESRV_CONFIG = 318,
        /// Read a NameServer's configuration.
        GET_NAMESRV_CONFIG = 319,
        /// Store several messages with one request.
        SEND_BATCH_MESSAGE = 320,
        /// Entries of a consume queue.
        QUERY_CONSUME_QUEUE = 321,
        /// Whether a broker's topics changed since the NameServer last saw them.
        QUERY_DATA_VERSION = 322,
        /// Check a half message again whose checks were given up.
        RESUME_CHECK_HALF_MESSAGE = 323,
        /// Store and push a reply, long field names.
        SEND_REPLY_MESSAGE = 324,
        /// Store and push a reply, short field names.
        SEND_REPLY_MESSAGE_V2 = 325,
        /// Broker to client: the reply to your request.
        PUSH_REPLY_MESSAGE_TO_CLIENT = 326,
        /// Give the write permission of a broker's topics back.
        ADD_WRITE_PERM_OF_BROKER = 327,
        /// All producers of a broker.
        GET_ALL_PRODUCER_INFO = 328,
        /// Delete expired commit log files.
        DELETE_EXPIRED_COMMITLOG = 329,
        /// The topics that a group consumes.
        QUERY_TOPICS_BY_CONSUMER = 343,
        /// A group's subscription to a topic.
        QUERY_SUBSCRIPTION_BY_CONSUMER = 345,
        /// One topic's settings (5.x).
        GET_TOPIC_CONFIG = 351,
        /// One consumer group's settings (5.x).
        GET_SUBSCRIPTIONGROUP_CONFIG = 352,
        /// Forbid a group to read a topic.
        UPDATE_AND_GET_GROUP_FORBIDDEN = 353,
        /// Read messages without a push consumer's bookkeeping (4.9).
        LITE_PULL_MESSAGE = 361,
        /// Take back a delayed message that is not yet due (5.3.1).
        RECALL_MESSAGE = 370,
        /// The queues that the broker assigns to a consumer (5.0).
        QUERY_ASSIGNMENT = 400,
        /// Set whether a group's members pull or pop (5.0).
        SET_MESSAGE_REQUEST_MODE = 401,
        /// The request modes of all groups (5.0).
        GET_ALL_MESSAGE_REQUEST_MODE = 402,
        /// Create or change a topic whose queues are mapped to brokers (5.0).
        UPDATE_AND_CREATE_STATIC_TOPIC = 513,
        /// The brokers of one name, asked by brokers (5.0).
        GET_BROKER_MEMBER_GROUP = 901,
        /// Add a broker to a container (5.0).
        ADD_BROKER = 902,
        /// Remove a broker from a container (5.0).
        REMOVE_BROKER = 903,
        /// Broker to NameServer: still here (5.0).
        BROKER_HEARTBEAT = 904,
        /// NameServer to broker: another broker now has the smallest id (5.0).
        NOTIFY_MIN_BROKER_ID_CHANGE = 905,
        /// A broker's replication status (5.0).
        GET_BROKER_HA_STATUS = 907,
        /// Create a user, ACL 2.0 (5.3).
        AUTH_CREATE_USER = 3001,
        /// Change a user, ACL 2.0 (5.3).
        AUTH_UPDATE_USER = 3002,
        /// Delete a user, ACL 2.0 (5.3).
        AUTH_DELETE_USER = 3003,
        /// Read a user, ACL 2.0 (5.3).
        AUTH_GET_USER = 3004,
        /// All users, ACL 2.0 (5.3).
        AUTH_LIST_USER = 3005,
        /// Create a subject's policies, ACL 2.0 (5.3).
        AUTH_CREATE_ACL = 3006,
        /// Change a subject's policies, ACL 2.0 (5.3).
        AUTH_UPDATE_ACL = 3007,
        /// Delete a subject's policies, ACL 2.0 (5.3).
        AUTH_DELETE_ACL = 3008,
        /// Read a subject's policies, ACL 2.0 (5.3).
        AUTH_GET_ACL = 3009,
        /// All policies, ACL 2.0 (5.3).
        AUTH_LIST_ACL = 3010,
        /// Read messages and hide them from others for a while (5.0).
        POP_MESSAGE = 200050,
        /// Acknowledge a popped message (5.0).
        ACK_MESSAGE = 200051,
        /// Look at messages without hiding them (5.0).
        PEEK_MESSAGE = 200052,
        /// Hide a popped message for longer (5.0).
        CHANGE_MESSAGE_INVISIBLETIME = 200053,
        /// Wait until there is something to pop (5.0).
        NOTIFICATION = 200054,
        /// The number of pops that wait at a queue (5.0).
        POLLING_INFO = 200055,
        /// Write the pop records of a store back (5.x).
        POP_ROLLBACK = 200056,
        /// Acknowledge several popped messages (5.1).
        BATCH_ACK_MESSAGE = 200151,
    }
}

#[cfg(test)]
mod tests {
    use super::RequestCode;

    #[test]
    fn shows_the_name_where_there_is_one() {
        assert_eq!(RequestCode::SEND_MESSAGE_V2.to_string(), "SEND_MESSAGE_V2(310)");
        assert_eq!(RequestCode(9999).to_string(), "9999");
        assert_eq!(format!("{:?}", RequestCode(9999)), "RequestCode(9999)");
        assert_eq!(i32::from(RequestCode::from(-7)), -7);
    }

    #[test]
    fn is_found_by_its_name() {
        assert_eq!(RequestCode::named("SEND_MESSAGE_V2"), Some(RequestCode::SEND_MESSAGE_V2));
        assert_eq!(RequestCode::named("send_message_v2"), None);
    }
}
