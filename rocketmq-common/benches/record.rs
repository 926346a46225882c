//! What a pulled message costs to decode, and its properties to read and write.

#![allow(clippy::expect_used, missing_docs, reason = "a benchmark; its entry points come from macros")]

use std::hint::black_box;
use std::net::{Ipv4Addr, SocketAddr};

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rocketmq_common::message_ext::RecordHeader;
use rocketmq_common::record::{RecordDecoder, RecordFields, encode_record};
use rocketmq_common::{MessageProperties, MessageSysFlag};

/// What a producer of 5.x and its broker put on a message with tags and keys.
const PROPERTIES: &str = "MSG_REGION\u{1}DefaultRegion\u{2}UNIQ_KEY\u{1}7F0000010001000000000000000000FF\u{2}\
    CLUSTER\u{1}DefaultCluster\u{2}TAGS\u{1}TagA\u{2}KEYS\u{1}order-1 order-2\u{2}WAIT\u{1}true\u{2}\
    TRACE_ON\u{1}true\u{2}";
/// One pull by default.
const RECORDS: i64 = 32;

criterion_group!(benches, decode, properties);
criterion_main!(benches);

fn decode(criterion: &mut Criterion) {
    let records = records();
    let mut group = criterion.benchmark_group("record");
    group.throughput(Throughput::Elements(RECORDS as u64));
    group.bench_function("decode 32 of 128 B", |bencher| {
        bencher.iter(|| {
            for message in RecordDecoder::new(black_box(records.clone())) {
                black_box(message.expect("a sound record"));
            }
        });
    });
    group.finish();
}

fn properties(criterion: &mut Criterion) {
    let wire = Bytes::from_static(PROPERTIES.as_bytes());
    let wire = bytestring::ByteString::try_from(wire).expect("text");
    let received = MessageProperties::from_wire(wire);
    let mut group = criterion.benchmark_group("properties");
    group.bench_function("get the fifth of seven", |bencher| {
        bencher.iter(|| black_box(&received).get(black_box("KEYS")).map(str::len));
    });
    group.bench_function("put three", |bencher| {
        bencher.iter(|| {
            let mut properties = MessageProperties::new();
            properties.put(black_box("tenant"), black_box("a"));
            properties.put(black_box("region"), black_box("eu-central"));
            properties.put(black_box("attempt"), black_box("1"));
            properties
        });
    });
    group.finish();
}

/// As a broker answers a pull.
fn records() -> Bytes {
    let host = SocketAddr::from((Ipv4Addr::LOCALHOST, 10911));
    let mut records = BytesMut::new();
    for offset in 0..RECORDS {
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
        let fields =
            RecordFields { header, flag: 0, topic: "TopicTest", body: &[b'x'; 128], properties: PROPERTIES };
        encode_record(&fields, &mut records).expect("a small record");
    }
    records.freeze()
}
