//! The cost of decoding a pulled message, and of reading and writing its properties.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput};
use rocketmq_benches::samples::records;
use rocketmq_common::MessageProperties;
use rocketmq_common::record::RecordDecoder;

/// The properties that a producer and a broker of 5.x set on a message with tags and keys.
const PROPERTIES: &str = "MSG_REGION\u{1}DefaultRegion\u{2}UNIQ_KEY\u{1}7F0000010001000000000000000000FF\u{2}\
    CLUSTER\u{1}DefaultCluster\u{2}TAGS\u{1}TagA\u{2}KEYS\u{1}order-1 order-2\u{2}WAIT\u{1}true\u{2}\
    TRACE_ON\u{1}true\u{2}";
/// Messages of a pull by default.
const RECORDS: usize = 32;

pub(crate) fn decode(criterion: &mut Criterion) {
    let records = records(RECORDS, PROPERTIES);
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

pub(crate) fn properties(criterion: &mut Criterion) {
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
