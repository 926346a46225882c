//! The protocol's share of a send: its frame, its entry in the in-flight table, its answer.

use std::hint::black_box;
use std::task::Waker;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use criterion::{Criterion, Throughput};
use rocketmq_benches::samples::{answer, send_header};
use rocketmq_remoting::protocol::header::{SendMessageAnswer, SendTemplate};
use rocketmq_remoting::protocol::{
    CommandView, ExtFields, FrameHead, FrameLimits, RequestCode, SerializeType, encode_frame,
};
use rocketmq_remoting::session::{InFlightTable, Waiter};

const FORMS: [(SerializeType, &str); 2] =
    [(SerializeType::RocketMq, "binary"), (SerializeType::Json, "json")];
/// Answers of one read while many sends are in flight.
const ANSWERS: usize = 100;

pub(crate) fn encode_send(criterion: &mut Criterion) {
    let header = send_header("TopicTest");
    let fields = ExtFields::default();
    let mut group = criterion.benchmark_group("encode a send header");
    group.throughput(Throughput::Elements(1));
    for (serialize_type, name) in FORMS {
        let code = RequestCode::SEND_MESSAGE_V2.0;
        let head = FrameHead { serialize_type, code, opaque: 123_456, ..FrameHead::default() };
        let mut out = BytesMut::with_capacity(4096);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                encode_frame(&mut out, &head, None, black_box(&header), &fields, 128)
            });
        });
    }
    let template = SendTemplate::new(&header).expect("short texts").expect("a plain message");
    let head = FrameHead { serialize_type: SerializeType::RocketMq, ..FrameHead::default() };
    let mut out = BytesMut::with_capacity(4096);
    group.bench_function("binary, with a template", |bencher| {
        bencher.iter(|| {
            out.clear();
            let properties = [header.properties.unwrap_or_default()];
            let send = template.send(black_box(header.born_timestamp), &properties);
            encode_frame(&mut out, &head, None, &send, &fields, 128)
        });
    });
    group.finish();
}

pub(crate) fn read_answers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read the answers to sends");
    group.throughput(Throughput::Elements(ANSWERS as u64));
    for (serialize_type, name) in FORMS {
        let answers = answer(serialize_type).repeat(ANSWERS);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut rest = &answers[..];
                while let Some((answer, behind)) =
                    CommandView::first(rest, &FrameLimits::default()).expect("sound frames")
                {
                    black_box(SendMessageAnswer::read(answer.fields()).expect("all fields"));
                    rest = behind;
                }
            });
        });
    }
    group.finish();
}

pub(crate) fn in_flight_table(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("in-flight table");
    group.throughput(Throughput::Elements(1));
    for waiting in [0, 1000] {
        let deadline = Instant::now() + Duration::from_secs(3600);
        let mut table = InFlightTable::<(), u64>::new(0);
        for _ in 0..waiting {
            table.insert(deadline, 0, Waiter::Nobody);
        }
        group.bench_function(format!("insert, complete, poll beside {waiting}"), |bencher| {
            bencher.iter(|| {
                let opaque = table.insert(deadline, 0, Waiter::Task(Waker::noop().clone()));
                black_box(table.complete(opaque, || 7));
                table.poll(opaque, Waker::noop())
            });
        });
    }
    group.finish();
}
