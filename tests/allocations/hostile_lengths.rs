//! Garbage from a broker ends a send at once, and memory does not grow with what a length field claims.

use std::time::{Duration, Instant};

use bytes::Bytes;
use rocketmq::error::{MQClientError, Outcome, with_causes};
use rocketmq::model::Message;
use stats_alloc::Region;

use crate::support::{SLACK, answers_with, producer_of};
use crate::{ALLOCATOR, TURN};

#[tokio::test]
async fn garbage_from_a_broker_ends_the_send_at_once_and_memory_stays_small() {
    let _turn = TURN.lock().await;
    const ZEROS: &[u8] = &[0; 1024];
    for (what, bytes, repeat, reason) in [
        ("TLS", &[0x15, 3, 3, 0, 2, 2, 70, 0, 0, 0, 0, 0][..], 1, "TLS"),
        ("2 GiB frame", &[0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 0, 0, 0, 0], 1, ""),
        ("20 MiB frame", &[0x01, 0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1000, ""),
        ("negative length", &[0xFF; 16], 1000, ""),
        ("zeros", ZEROS, 1000, ""),
        ("header longer than its frame", &[0, 0, 0, 8, 0, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4], 1, ""),
        ("unknown header type", &[0, 0, 0, 8, 7, 0, 0, 4, 1, 2, 3, 4], 1, ""),
        ("bad JSON", b"\0\0\0\x08\0\0\0\x04{\"a:", 1, ""),
    ] {
        let (broker, _serving) = answers_with(bytes, repeat).await;
        let (producer, _name_server) = producer_of(&broker).await;
        let region = Region::new(ALLOCATOR);
        let began = Instant::now();
        let error = producer.send(Message::new("T", Bytes::from_static(b"x"))).await.unwrap_err();
        let allocated = region.change().bytes_allocated;
        let text = with_causes(&error);
        assert!(began.elapsed() < Duration::from_secs(1) + SLACK, "{what}: {:?}", began.elapsed());
        assert!(matches!(error, MQClientError::Remoting { .. }), "{what}: {text}");
        assert!(text.contains("no valid frame") || text.contains("not dialling"), "{what}: {text}");
        assert!(text.contains(reason), "{what}: {text}");
        assert_eq!(error.outcome(), Outcome::MaybeStored, "{what}: the frame was written");
        assert!(allocated < 4 * 1024 * 1024, "{what}: {allocated} bytes allocated");
    }
}
