//! The servers that programs meet: Apache's, and the mock set up alike.

use std::sync::OnceLock;
use std::time::Duration;

use rocketmq::admin::{Brokers, MQAdmin, TopicConfig};
use rocketmq_namesrv_mock::{MockAuthority, MockCluster, MockClusterBuilder};
use rocketmq_remoting::net::tls::TlsServerConfig;
use tokio::runtime::Runtime;

use crate::support::acl::acl_conf;
use crate::support::{ApacheCluster, Boot, Ready};

/// Brokers ask about transactions after 6 s, every 30 s, by default.
const QUICK_QUESTIONS: Duration = Duration::from_secs(3);
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Who may do everything where there is ACL.
const ACCESS_KEY: &str = "foreign-user";
const SECRET_KEY: &str = "foreign-secret";

/// Whose servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Apache,
    Mock,
}

impl Server {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Apache => "apache",
            Self::Mock => "mock",
        }
    }

    /// A broker without ACL and TLS.
    pub(crate) fn plain(self) -> Site {
        match self {
            Self::Apache => Site::of_apache(plain_apache()),
            Self::Mock => Site::of_mock(plain_mock()),
        }
    }

    /// The same, with topics of four queues.
    pub(crate) fn plain_with(self, topics: &[&str]) -> Site {
        let site = self.plain();
        runtime().block_on(async {
            let admin = MQAdmin::connect(site.name_server.as_str()).await.expect("connect an admin");
            for topic in topics {
                let config = TopicConfig::new(*topic, 4);
                admin
                    .create_topic(&config, &Brokers::cluster("DefaultCluster"))
                    .await
                    .expect("create a topic");
            }
        });
        site
    }

    /// A broker that nobody else uses, to change and to count what is on it.
    pub(crate) fn for_admins(self) -> Site {
        match self {
            Self::Apache => Site::of_apache(apache_for_admins()),
            Self::Mock => Site::of_mock(mock_for_admins()),
        }
    }

    /// The NameServer of two brokers; Apache's are in the machine room `north`.
    pub(crate) fn with_two_brokers(self) -> &'static str {
        static APACHE: OnceLock<ApacheCluster> = OnceLock::new();
        static MOCK: OnceLock<(MockCluster, String)> = OnceLock::new();
        match self {
            Self::Apache => {
                let boot = Boot { masters: 2, room: Some("north"), ..Boot::default() };
                APACHE.get_or_init(|| booted(&boot)).name_server_addr()
            }
            Self::Mock => {
                let cluster = || started(MockCluster::builder().brokers(2));
                let (_, name_server) = MOCK.get_or_init(|| {
                    let cluster = cluster();
                    let name_server = cluster.name_server_addr();
                    (cluster, name_server)
                });
                name_server
            }
        }
    }

    /// A broker that knows [`ACCESS_KEY`] with [`SECRET_KEY`] alone.
    pub(crate) fn with_acl(self) -> Site {
        match self {
            Self::Apache => Site::of_apache(apache_with_acl()),
            Self::Mock => Site::of_mock(mock_with_acl()),
        }
    }

    /// Servers that speak TLS alone, with a certificate of nobody's.
    pub(crate) fn with_tls(self) -> Site {
        match self {
            Self::Apache => Site::of_apache(apache_with_tls()),
            Self::Mock => Site::of_mock(mock_with_tls()),
        }
    }
}

/// Where a program finds its servers.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) name_server: String,
    pub(crate) broker: String,
}

impl Site {
    fn of_apache(cluster: &ApacheCluster) -> Self {
        Self { name_server: cluster.name_server_addr().into(), broker: cluster.broker_addr().into() }
    }

    fn of_mock(cluster: &MockCluster) -> Self {
        let broker = cluster.broker_addr("broker-a").expect("the mock has a broker");
        Self { name_server: cluster.name_server_addr(), broker: broker.to_string() }
    }
}

fn plain_apache() -> &'static ApacheCluster {
    static CLUSTER: OnceLock<ApacheCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        // A busy machine is no reason to refuse sends, and the end of a transaction is noted before the next question.
        let conf = format!(
            "transactionTimeOut={}\ntransactionCheckInterval={}\ntransactionOpBatchInterval=100\n\
             recallMessageEnable=true\nwaitTimeMillsInSendQueue=10000\nosPageCacheBusyTimeOutMills=10000\n",
            QUICK_QUESTIONS.as_millis(),
            CHECK_INTERVAL.as_millis()
        );
        ApacheCluster::start(&conf).unwrap_or_else(|reason| panic!("{reason}"))
    })
}

fn apache_for_admins() -> &'static ApacheCluster {
    static CLUSTER: OnceLock<ApacheCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| booted(&Boot::default()))
}

fn mock_for_admins() -> &'static MockCluster {
    static CLUSTER: OnceLock<MockCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| started(MockCluster::builder().enable_property_filter(true)))
}

fn apache_with_acl() -> &'static ApacheCluster {
    static CLUSTER: OnceLock<ApacheCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let conf = acl_conf(ACCESS_KEY, SECRET_KEY);
        booted(&Boot { broker_conf: &conf, ready: Ready::Refuses, ..Boot::default() })
    })
}

fn apache_with_tls() -> &'static ApacheCluster {
    static CLUSTER: OnceLock<ApacheCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        // Without further settings the servers make themselves a certificate, and clients trust any.
        let properties = ["-Dtls.server.mode=enforcing".to_owned(), "-Dtls.enable=true".to_owned()];
        booted(&Boot { java_properties: &properties, ready: Ready::Listens, ..Boot::default() })
    })
}

fn booted(boot: &Boot<'_>) -> ApacheCluster {
    ApacheCluster::boot(boot).unwrap_or_else(|reason| panic!("{reason}"))
}

fn plain_mock() -> &'static MockCluster {
    static CLUSTER: OnceLock<MockCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let builder = MockCluster::builder()
            .transaction_timeout(QUICK_QUESTIONS)
            .transaction_check_interval(CHECK_INTERVAL)
            .recall_message(true)
            .enable_property_filter(true);
        started(builder)
    })
}

fn mock_with_acl() -> &'static MockCluster {
    static CLUSTER: OnceLock<MockCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| started(MockCluster::builder().acl(ACCESS_KEY, SECRET_KEY)))
}

fn mock_with_tls() -> &'static MockCluster {
    static CLUSTER: OnceLock<MockCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let authority = MockAuthority::new("foreign suite").expect("make an authority");
        let certificate = authority.issue(&["127.0.0.1"]).expect("make a certificate");
        let config = TlsServerConfig::from_pem(certificate.certificate_pem, certificate.key_pem);
        started(MockCluster::builder().tls(config))
    })
}

fn started(builder: MockClusterBuilder) -> MockCluster {
    runtime().block_on(builder.start()).expect("start the mock")
}

pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().expect("start a runtime"))
}
