//! Messages, stored records, flags, ids and names of Apache RocketMQ.
