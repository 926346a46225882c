//! Much traffic through one connection.

use std::sync::Arc;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::support::*;

/// Bytes that differ from each other and from those of other bodies.
fn body(seed: usize, length: usize) -> Bytes {
    let mut state = seed as u32 | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_come_back_whole_with_many_in_flight() {
    let authority = authority();
    let server = server(&serving(&authority.issue(&["127.0.0.1"]).unwrap())).await;
    let (client, address) = (Arc::new(client(&trusting(&authority))), server.local_addr().to_string());
    let sizes = [0, 1, 100, 16_383, 16_384, 16_385, 65_536, 300_001, 1 << 20];
    let mut calls = JoinSet::new();
    for number in 0..200 {
        let (client, address) = (client.clone(), address.clone());
        calls.spawn(async move {
            let body = body(number, sizes[number % sizes.len()]);
            let came_back = echo(&client, &address, body.clone()).await.unwrap();
            assert!(came_back == body, "body {number} of {} bytes changed", body.len());
        });
    }
    while let Some(call) = calls.join_next().await {
        call.unwrap();
    }
    assert_eq!(server.connections().len(), 1, "all over one connection");
}
