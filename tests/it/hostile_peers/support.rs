//! Peers that answer with given bytes, and a producer that meets them.

use std::time::Duration;

use rocketmq::conf::ProducerOption;
use rocketmq::producer::Producer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::peer::NameServer;

/// By how much a busy machine may miss a deadline.
pub(crate) const SLACK: Duration = Duration::from_secs(2);

pub(crate) fn option(name_server: &str) -> ProducerOption {
    let mut option = ProducerOption::default();
    option.set_name_server_addr(name_server).set_group_name("hostile");
    option.set_mq_client_api_timeout(500).set_send_msg_timeout(1000);
    option
}

/// Accepts connections, and on each waits for a first byte and answers with these bytes. Then it keeps the
/// connection open and reads on.
pub(crate) async fn answers_with(bytes: &'static [u8], repeat: usize) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let serving = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            if stream.read(&mut buffer).await.is_ok() {
                for _ in 0..repeat {
                    if stream.write_all(bytes).await.is_err() {
                        break;
                    }
                }
            }
            open.push(stream);
        }
    });
    (address, serving)
}

/// A started producer whose only broker is at this address.
pub(crate) async fn producer_of(broker: &str) -> (Producer, NameServer) {
    let name_server = NameServer::of_broker(broker).await;
    let producer = Producer::new(option(&name_server.address()));
    producer.start().await.unwrap();
    (producer, name_server)
}
