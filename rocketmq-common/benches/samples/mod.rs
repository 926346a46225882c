//! Stored messages.

use std::net::{Ipv4Addr, SocketAddr};

use bytes::{Bytes, BytesMut};
use rocketmq_common::MessageSysFlag;
use rocketmq_common::message_ext::RecordHeader;
use rocketmq_common::record::{RecordFields, encode_record};

/// So many messages of 128 bytes, one behind the other, as a broker answers a pull.
pub(crate) fn records(count: usize, properties: &str) -> Bytes {
    let host = SocketAddr::from((Ipv4Addr::LOCALHOST, 10911));
    let mut records = BytesMut::new();
    for offset in 0..count as i64 {
        let header = RecordHeader {
            queue_id: 3,
            queue_offset: offset,
            commit_log_offset: offset * 400,
            sys_flag: MessageSysFlag::default(),
            born_timestamp: 1_700_000_000_000,
            born_host: host,
            store_timestamp: 1_700_000_000_001,
            store_host: host,
            reconsume_times: 0,
            prepared_transaction_offset: 0,
        };
        let fields = RecordFields { header, flag: 0, topic: "TopicTest", body: &[b'x'; 128], properties };
        encode_record(&fields, &mut records).expect("a small record");
    }
    records.freeze()
}
