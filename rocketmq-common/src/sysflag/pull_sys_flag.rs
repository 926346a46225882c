use super::bit_set;

bit_set! {
    /// Options of a pull (Java: `PullSysFlag`).
    PullSysFlag {
        /// The request carries an offset to commit.
        COMMIT_OFFSET = 0x1;
        /// The broker may hold the request until a message comes.
        SUSPEND = 0x2;
        /// The request carries the subscription.
        SUBSCRIPTION = 0x4;
        /// The subscription is a filter class.
        CLASS_FILTER = 0x8;
        /// The pull of a lite pull consumer.
        LITE_PULL_MESSAGE = 0x10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn java_s_lite_pull_consumer_sends_22() {
        let flag = PullSysFlag::SUSPEND.with(PullSysFlag::SUBSCRIPTION).with(PullSysFlag::LITE_PULL_MESSAGE);
        assert_eq!(flag.bits(), 22);
        assert!(flag.contains(PullSysFlag::SUSPEND) && !flag.contains(PullSysFlag::COMMIT_OFFSET));
        assert_eq!(flag.with_if(PullSysFlag::COMMIT_OFFSET, true).bits(), 23);
        assert_eq!(flag.with_if(PullSysFlag::SUSPEND, false).bits(), 20);
    }
}
