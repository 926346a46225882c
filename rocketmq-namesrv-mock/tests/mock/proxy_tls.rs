//! The proxy between peers that speak TLS, or of which one does.

use rocketmq_namesrv_mock::{MockAuthority, MockCluster, MockProxy};
use rocketmq_remoting::net::tls::{TlsConfig, TlsServerConfig, TlsTransport};
use rocketmq_remoting::net::{TcpTransport, Transport};
use rocketmq_remoting::protocol::RequestCode;
use rocketmq_remoting::protocol::body::{TopicRouteData, decode_body};

use crate::support::*;

/// A certificate of this authority for the loopback.
fn certificate(authority: &MockAuthority) -> TlsServerConfig {
    let certificate = authority.issue(&["127.0.0.1"]).unwrap();
    TlsServerConfig::from_pem(certificate.certificate_pem, certificate.key_pem)
}

/// Trust in this authority alone.
fn trust(authority: &MockAuthority) -> TlsConfig {
    TlsConfig::new().with_ca_pem(authority.certificate_pem())
}

async fn connect(transport: &dyn Transport, address: &str) -> Peer {
    Peer::over(transport.connect(address).await.unwrap())
}

#[tokio::test]
async fn either_side_may_speak_tls() {
    let (of_servers, of_proxy) =
        (MockAuthority::new("servers").unwrap(), MockAuthority::new("proxy").unwrap());
    for (client_tls, server_tls) in [(true, true), (true, false), (false, true)] {
        let builder = MockCluster::builder();
        let builder = if server_tls { builder.tls(certificate(&of_servers)) } else { builder };
        let cluster = builder.start().await.unwrap();
        cluster.create_topic("T", 1).unwrap();
        let builder = MockProxy::builder(cluster.name_server_addr());
        let builder = if server_tls { builder.upstream_tls(trust(&of_servers)) } else { builder };
        let builder = if client_tls { builder.tls(certificate(&of_proxy)) } else { builder };
        let proxy = builder.start().await.unwrap();
        let transport: Box<dyn Transport> = match client_tls {
            true => Box::new(TlsTransport::new(&trust(&of_proxy)).unwrap()),
            false => Box::new(TcpTransport),
        };
        let ask = request(RequestCode::GET_ROUTEINFO_BY_TOPIC, &[("topic", "T")]);
        let answer = connect(&*transport, &proxy.name_server_addr()).await.call(ask).await;
        let route: TopicRouteData = decode_body(&answer.body).unwrap();
        let mut peer = connect(&*transport, &route.broker_datas[0].broker_addrs[&0]).await;
        let large = vec![7; 300_000];
        assert_eq!(peer.call(send_to("T").with_body(large.clone())).await.code, 0);
        assert_eq!(cluster.messages("T")[0].body(), &large[..], "{client_tls} {server_tls}");
        let pulled = peer.call(pull_from("T", 0)).await;
        assert_eq!(records(&pulled)[0].body(), &large[..]);
        proxy.inject("on=sends times=1 do=refuse code=2".parse().unwrap()).unwrap();
        proxy.inject("on=sends after=1 do=cut_answer byte=9 reset=true".parse().unwrap()).unwrap();
        assert_eq!(peer.call(send_to("T")).await.code, 2);
        assert_eq!(peer.call(send_to("T")).await.code, 0);
        peer.send(send_to("T")).await;
        assert_eq!(peer.read_to_end().await.0.len(), 9, "the beginning of the answer, then the end");
        assert_eq!(
            cluster.message_count("T"),
            3,
            "refused by the proxy, stored, and stored with the answer cut"
        );
    }
}

#[tokio::test]
async fn servers_that_the_proxy_does_not_trust_are_not_reached() {
    let of_servers = MockAuthority::new("servers").unwrap();
    let cluster = MockCluster::builder().tls(certificate(&of_servers)).start().await.unwrap();
    let stranger = MockAuthority::new("stranger").unwrap();
    let proxy = MockProxy::builder(cluster.name_server_addr()).upstream_tls(trust(&stranger));
    let proxy = proxy.start().await.unwrap();
    Peer::connect(proxy.name_server_addr()).await.expect_closed().await;
    assert!(cluster.requests().is_empty());
}
