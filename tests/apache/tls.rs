//! TLS with Apache's servers in `enforcing` mode, which want a certificate of their clients too.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rocketmq::admin::MQAdmin;
use rocketmq::conf::{AdminOption, TlsConfig};
use rocketmq::error::MQClientError;
use rocketmq::model::Message;
use rocketmq::producer::Producer;
use rocketmq_namesrv_mock::{MockAuthority, MockCertificate, MockProxy};
use rocketmq_remoting::protocol::{RequestCode, ResponseCode};

use crate::cases::support::{eventually, fresh_topic};
use crate::support::{ApacheCluster, Boot, Ready};

/// The broker registers a moment after it listens.
const REGISTERED_WITHIN: Duration = Duration::from_secs(60);

/// A cluster, the authority that it belongs to, and who its clients are.
struct Site {
    cluster: ApacheCluster,
    authority: MockAuthority,
    identity: MockCertificate,
}

impl Site {
    fn shared() -> &'static Self {
        static SITE: OnceLock<Site> = OnceLock::new();
        SITE.get_or_init(Self::start)
    }

    fn start() -> Self {
        let authority = MockAuthority::new("Apache suite").expect("make a certificate");
        let server = authority.issue(&["127.0.0.1", "apache.example"]).expect("make a certificate");
        let identity = authority.issue(&["client.example"]).expect("make a certificate");
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{}", std::process::id()));
        let properties = write_properties(&folder, &authority, &server);
        let java_properties = [
            "-Dtls.server.mode=enforcing".to_owned(),
            // For the way from the broker to the NameServer.
            "-Dtls.enable=true".to_owned(),
            format!("-Dtls.config.file={}", properties.display()),
        ];
        let boot = Boot { java_properties: &java_properties, ready: Ready::Listens, ..Boot::default() };
        let cluster = ApacheCluster::boot(&boot).unwrap_or_else(|reason| panic!("{reason}"));
        fs::remove_dir_all(&folder).expect("remove the certificates, which the servers have read");
        Self { cluster, authority, identity }
    }

    /// Trusts the cluster and is known to it.
    fn tls(&self) -> TlsConfig {
        self.trusting()
            .with_identity_pem(self.identity.certificate_pem.as_str(), self.identity.key_pem.as_str())
    }

    fn trusting(&self) -> TlsConfig {
        TlsConfig::new().with_ca_pem(self.authority.certificate_pem())
    }

    async fn admin(&self, tls: Option<TlsConfig>) -> Result<MQAdmin, MQClientError> {
        let mut option = AdminOption::default();
        option.set_name_server_addr(self.cluster.name_server_addr());
        if let Some(tls) = tls {
            option.set_tls(tls);
        }
        MQAdmin::with_option(&option).await
    }

    async fn refusal(&self, tls: Option<TlsConfig>) -> String {
        let error = self.admin(tls).await.expect_err("the NameServer cannot be reached");
        assert!(matches!(error, MQClientError::NameServerUnreachable { .. }), "{error:?}");
        error.to_string()
    }
}

/// For the example.
pub(crate) fn environment() -> Vec<(&'static str, String)> {
    let site = Site::shared();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tls-client");
    fs::create_dir_all(&folder).expect("create a folder for certificates");
    let write = |variable: &'static str, text: &str| {
        let path = folder.join(variable);
        fs::write(&path, text).expect("write a certificate");
        (variable, path.display().to_string())
    };
    vec![
        ("NAMESRV_ADDR", site.cluster.name_server_addr().to_owned()),
        write("TLS_CA", &site.authority.certificate_pem()),
        write("TLS_CERT", &site.identity.certificate_pem),
        write("TLS_KEY", &site.identity.key_pem),
    ]
}

fn write_properties(folder: &Path, authority: &MockAuthority, server: &MockCertificate) -> PathBuf {
    fs::create_dir_all(folder).expect("create a folder for certificates");
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).expect("write a certificate");
        path
    };
    let ca = write("ca.pem", &authority.certificate_pem());
    let (certificate, key) = (write("cert.pem", &server.certificate_pem), write("key.pem", &server.key_pem));
    let (ca, certificate, key) = (ca.display(), certificate.display(), key.display());
    write(
        "tls.properties",
        &format!(
            "tls.test.mode.enable=false\n\
             tls.server.need.client.auth=require\n\
             tls.server.authClient=true\n\
             tls.server.certPath={certificate}\n\
             tls.server.keyPath={key}\n\
             tls.server.trustCertPath={ca}\n\
             tls.client.authServer=true\n\
             tls.client.certPath={certificate}\n\
             tls.client.keyPath={key}\n\
             tls.client.trustCertPath={ca}\n"
        ),
    )
}

#[tokio::test]
async fn messages_go_there_and_back_over_tls() {
    let site = Site::shared();
    let builder = Producer::builder("tls_producer").name_server_addr(site.cluster.name_server_addr());
    let producer = builder
        .option(|option| {
            option.set_tls(site.tls()).set_send_msg_timeout(20_000);
        })
        .start()
        .await
        .expect("the producer starts");
    let topic = fresh_topic("tls");
    let began = Instant::now();
    // A body that fits into a TLS record, and a body that takes hundreds of records.
    for size in [100, 3 << 20_u32] {
        let body: Vec<u8> = (0..size).map(|at: u32| (at.wrapping_mul(at) >> 7) as u8).collect();
        let sent = loop {
            match producer.send(Message::new(topic.as_str(), body.clone())).await {
                Ok(sent) => break sent,
                Err(MQClientError::BrokerNotFound { .. }) if began.elapsed() < REGISTERED_WITHIN => {}
                Err(error) => panic!("not sent over TLS: {error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let admin = site.admin(Some(site.tls())).await.expect("the admin connects");
        let stored = admin.view_message(&sent.offset_msg_id).await.expect("it can be viewed");
        assert!(stored.body() == &body, "the body of {size} bytes changed");
    }
    assert!(producer.shutdown().await.expect("it shuts down").is_clean());
}

#[tokio::test]
async fn a_proxy_stands_between_plain_clients_and_servers_with_tls() {
    let site = Site::shared();
    let proxy = MockProxy::builder(site.cluster.name_server_addr()).upstream_tls(site.tls());
    let proxy = proxy.start().await.expect("the proxy starts");
    proxy.inject("on=sends times=1 do=close_afterwards".parse().expect("a rule")).expect("one for proxies");
    let topic = fresh_topic("tls_proxied");
    let producer = Producer::builder("tls_proxied").name_server_addr(proxy.name_server_addr());
    let producer = producer.option(|option| _ = option.set_send_msg_timeout(20_000)).start().await;
    let producer = producer.expect("the producer starts");
    eventually("a route to the broker", async || {
        match producer.send(Message::new(topic.as_str(), "through the proxy")).await {
            Ok(sent) => Some(sent),
            Err(MQClientError::BrokerNotFound { .. }) => None,
            Err(error) => panic!("not sent through the proxy: {error:?}"),
        }
    })
    .await;
    let sends = proxy.wait_for_requests(RequestCode::SEND_MESSAGE_V2, 2).await.expect("two attempts");
    assert_eq!(sends.iter().map(|send| send.answer).collect::<Vec<_>>(), [None, Some(ResponseCode::SUCCESS)]);
    assert!(producer.shutdown().await.expect("it shuts down").is_clean());
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_is_refused() {
    let site = Site::shared();
    let stranger = MockAuthority::new("stranger").unwrap();
    let text = site.refusal(Some(TlsConfig::new().with_ca_pem(stranger.certificate_pem()))).await;
    assert!(text.contains("an authority that is not trusted here"), "{text}");
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused() {
    let site = Site::shared();
    assert!(site.admin(Some(site.tls().with_server_name("apache.example"))).await.is_ok());
    let text = site.refusal(Some(site.tls().with_server_name("other.example"))).await;
    assert!(text.contains("is not for \"other.example\""), "{text}");
}

#[tokio::test]
async fn a_client_without_a_certificate_learns_it_from_the_dial() {
    let site = Site::shared();
    let text = site.refusal(Some(site.trusting())).await;
    assert!(text.contains("wants a client certificate"), "{text}");
}

#[tokio::test]
async fn a_client_certificate_of_another_authority_is_refused() {
    let site = Site::shared();
    let identity = MockAuthority::new("stranger").unwrap().issue(&["client.example"]).unwrap();
    let tls = site.trusting().with_identity_pem(identity.certificate_pem, identity.key_pem);
    let text = site.refusal(Some(tls)).await;
    assert!(text.contains("refuses the client certificate"), "{text}");
}

#[tokio::test]
async fn plain_text_is_not_served() {
    Site::shared().refusal(None).await;
}
