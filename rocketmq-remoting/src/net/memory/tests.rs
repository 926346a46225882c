use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

use super::{InMemoryNetwork, MemoryListener, MemoryStream};
use crate::net::{ByteStream, Transport};

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Both ends of a stream.
async fn connected(
    network: &InMemoryNetwork,
    listener: &mut MemoryListener,
) -> (Box<dyn ByteStream>, MemoryStream) {
    let client = network.connect(&listener.local_addr().to_string()).await.unwrap();
    (client, listener.accept().await.unwrap())
}

#[tokio::test(start_paused = true)]
async fn bytes_arrive_in_order_after_their_latency_and_then_the_end() {
    let network = InMemoryNetwork::new(1);
    let mut listener = network.listen(ANY).unwrap();
    let most = Duration::from_millis(30);
    network.set_latency(Duration::from_millis(10)..=most);
    let began = Instant::now();
    let (mut client, mut server) = connected(&network, &mut listener).await;
    assert!((Duration::from_millis(20)..=2 * most).contains(&began.elapsed()), "{:?}", began.elapsed());
    let began = Instant::now();
    for byte in 0..100u8 {
        client.write_all(&[byte]).await.unwrap();
    }
    drop(client);
    let mut all = Vec::new();
    server.read_to_end(&mut all).await.unwrap();
    assert_eq!(all, (0..100).collect::<Vec<u8>>());
    assert!((Duration::from_millis(10)..=most).contains(&began.elapsed()), "{:?}", began.elapsed());
    assert_eq!(server.write_all(b"x").await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(network.streams(listener.local_addr()), 1);
    drop(server);
    assert_eq!(network.streams(listener.local_addr()), 0);
}

#[tokio::test(start_paused = true)]
async fn a_writer_waits_for_its_reader() {
    let network = InMemoryNetwork::new(1);
    let mut listener = network.listen(ANY).unwrap();
    let (mut client, mut server) = connected(&network, &mut listener).await;
    let all = vec![7; 3_000_000];
    assert!(timeout(Duration::from_secs(1), client.write_all(&all)).await.is_err());
    let write = async {
        client.write_all(&all).await.unwrap();
        drop(client);
    };
    let mut read = Vec::new();
    let (_, count) = tokio::join!(write, server.read_to_end(&mut read));
    // What the first attempt wrote before it was dropped has arrived, too.
    assert!(count.unwrap() > all.len());
}

#[tokio::test(start_paused = true)]
async fn a_cut_stream_fails_at_both_ends_and_a_stalled_one_is_silent() {
    let network = InMemoryNetwork::new(1);
    let mut listener = network.listen(ANY).unwrap();
    let server_addr = listener.local_addr();
    let (mut client, mut server) = connected(&network, &mut listener).await;
    network.cut(server_addr);
    for end in [&mut client as &mut dyn ByteStream, &mut server] {
        assert_eq!(end.read_u8().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(end.write_u8(1).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
    let (mut client, mut server) = connected(&network, &mut listener).await;
    client.write_u8(1).await.unwrap();
    network.stall(server_addr);
    server.write_u8(2).await.unwrap();
    drop(server);
    assert!(
        timeout(Duration::from_secs(99), client.read_u8()).await.is_err(),
        "neither bytes nor the end arrive"
    );
    client.write_u8(3).await.unwrap();
    // A new stream is well.
    let (mut client, mut server) = connected(&network, &mut listener).await;
    client.write_u8(4).await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), 4);
}

#[tokio::test(start_paused = true)]
async fn dials_are_refused_without_a_listener_and_hang_where_nothing_answers() {
    let network = InMemoryNetwork::new(1);
    let listener = network.listen(ANY).unwrap();
    let address = listener.local_addr();
    assert_eq!(network.listen(address).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    network.set_reachable(address, false);
    let text = address.to_string();
    assert!(timeout(Duration::from_secs(99), network.connect(&text)).await.is_err());
    network.set_reachable(address, true);
    assert!(network.connect(&text).await.is_ok());
    drop(listener);
    assert!(
        matches!(network.connect(&text).await, Err(error) if error.kind() == io::ErrorKind::ConnectionRefused)
    );
    assert!(network.listen(address).is_ok());
    assert!(matches!(network.connect("name:1").await, Err(error) if error.kind() == io::ErrorKind::NotFound));
}
