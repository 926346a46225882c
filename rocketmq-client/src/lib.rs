//! Apache RocketMQ client: producers, consumers, admin.
