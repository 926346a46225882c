use super::bit_set;

bit_set! {
    /// Units of a topic (Java: `TopicSysFlag`).
    TopicSysFlag {
        /// The topic belongs to a unit.
        UNIT = 0x1;
        /// Consumers of a unit subscribe to the topic.
        UNIT_SUB = 0x2;
    }
}

bit_set! {
    /// Units of a subscription (Java: `SubscriptionSysFlag`).
    SubscriptionSysFlag {
        /// The subscription belongs to a unit.
        UNIT = 0x1;
    }
}
