//! A RocketMQ NameServer and brokers on loopback, in memory, for tests.
