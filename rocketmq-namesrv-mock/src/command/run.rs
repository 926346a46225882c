//! Runs the mock until it is told to end.

use std::error::Error;
use std::io::{Read, Write};

use rocketmq_namesrv_mock::{MockClusterBuilder, MockProxy, MockProxyBuilder};
use serde_json::{Map, Value, json};

use super::arguments::{Arguments, Preload};

type Failure = Box<dyn Error>;

/// Starts a cluster or a proxy, prints where it is, and stops it at the end.
pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        match arguments.proxy.clone() {
            Some(name_servers) => run_proxy(arguments, name_servers).await,
            None => run_cluster(arguments).await,
        }
    });
    // Do not wait for the thread that reads standard input: it may block for ever.
    runtime.shutdown_background();
    done
}

async fn run_cluster(arguments: Arguments) -> Result<(), Failure> {
    // Listen first: a signal may come as soon as the ready line is printed.
    let end = End::listen(arguments.until_stdin_closes)?;
    let builder = arguments.faults.iter().cloned().fold(arguments.cluster.clone(), MockClusterBuilder::fault);
    let cluster = with_tls(builder, &arguments)?.start().await?;
    for (topic, queues) in &arguments.topics {
        cluster.create_topic(topic, *queues)?;
    }
    for Preload { topic, queues, messages, bytes } in &arguments.preloads {
        cluster.preload(topic, *queues, *messages, &vec![b'x'; *bytes])?;
    }
    let addresses = cluster.name_server_addr();
    let brokers = cluster.broker_names().into_iter().filter_map(|name| {
        let address = cluster.broker_addr(name)?;
        Some((name.to_owned(), json!(address.to_string())))
    });
    let started = json!(u64::try_from(cluster.started_in().as_micros()).unwrap_or(u64::MAX));
    let more = [("brokers", Value::Object(brokers.collect())), ("startedInMicros", started)];
    tell(arguments.json, &addresses, more)?;
    end.wait().await;
    cluster.shutdown().await;
    Ok(())
}

async fn run_proxy(arguments: Arguments, name_servers: String) -> Result<(), Failure> {
    let end = End::listen(arguments.until_stdin_closes)?;
    let builder =
        MockProxy::builder(name_servers.clone()).port(arguments.port).captured_requests(arguments.captured);
    let mut builder = proxy_with_tls(builder, &arguments)?;
    for fault in arguments.faults {
        builder = builder.fault(fault)?;
    }
    let proxy = builder.start().await?;
    tell(arguments.json, &proxy.name_server_addr(), [("proxyOf", json!(name_servers))])?;
    end.wait().await;
    proxy.shutdown().await;
    Ok(())
}

#[cfg(feature = "tls")]
fn with_tls(builder: MockClusterBuilder, arguments: &Arguments) -> Result<MockClusterBuilder, Failure> {
    Ok(match certificate(arguments)? {
        Some(certificate) => builder.tls(certificate),
        None => builder,
    })
}

#[cfg(feature = "tls")]
fn proxy_with_tls(builder: MockProxyBuilder, arguments: &Arguments) -> Result<MockProxyBuilder, Failure> {
    use rocketmq_remoting::net::tls::TlsConfig;
    let builder = match certificate(arguments)? {
        Some(certificate) => builder.tls(certificate),
        None => builder,
    };
    Ok(match arguments.upstream_tls.as_deref() {
        Some("any") => builder.upstream_tls(TlsConfig::new().dangerous_without_verification()),
        Some(file) => builder.upstream_tls(TlsConfig::new().with_ca_file(file)),
        None => builder,
    })
}

/// The certificate that clients see.
#[cfg(feature = "tls")]
fn certificate(
    arguments: &Arguments,
) -> Result<Option<rocketmq_remoting::net::tls::TlsServerConfig>, Failure> {
    use rocketmq_remoting::net::tls::TlsServerConfig;
    match (&arguments.tls_cert, &arguments.tls_key) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => Ok(Some(TlsServerConfig::from_files(cert, key))),
        _ => Err("--tls-cert and --tls-key go together".into()),
    }
}

#[cfg(not(feature = "tls"))]
fn with_tls(builder: MockClusterBuilder, arguments: &Arguments) -> Result<MockClusterBuilder, Failure> {
    check_no_tls(arguments).map(|()| builder)
}

#[cfg(not(feature = "tls"))]
fn proxy_with_tls(builder: MockProxyBuilder, arguments: &Arguments) -> Result<MockProxyBuilder, Failure> {
    check_no_tls(arguments).map(|()| builder)
}

#[cfg(not(feature = "tls"))]
fn check_no_tls(arguments: &Arguments) -> Result<(), Failure> {
    match (&arguments.tls_cert, &arguments.tls_key, &arguments.upstream_tls) {
        (None, None, None) => Ok(()),
        _ => Err("this build speaks no TLS; build it with --features tls".into()),
    }
}

/// Prints the ready line.
fn tell<const N: usize>(as_json: bool, addresses: &str, more: [(&str, Value); N]) -> Result<(), Failure> {
    let line = if as_json {
        let mut all = Map::from_iter([("nameServers".to_owned(), json!(addresses))]);
        all.extend(more.map(|(name, value)| (name.to_owned(), value)));
        Value::Object(all).to_string()
    } else {
        addresses.to_owned()
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    // The reader may wait on a pipe: flush.
    Ok(out.flush()?)
}

/// The events that end the program.
struct End {
    signals: Signals,
    closed: Option<tokio::sync::oneshot::Receiver<()>>,
}

#[cfg(unix)]
struct Signals {
    terminated: tokio::signal::unix::Signal,
    interrupted: tokio::signal::unix::Signal,
}

#[cfg(not(unix))]
struct Signals;

impl End {
    fn listen(until_stdin_closes: bool) -> std::io::Result<Self> {
        let signals = Signals::listen()?;
        if !until_stdin_closes {
            return Ok(Self { signals, closed: None });
        }
        let (tell, closed) = tokio::sync::oneshot::channel();
        // A thread, not a task: reading standard input blocks and cannot be cancelled.
        std::thread::Builder::new().spawn(move || {
            let mut ignored = [0; 1024];
            while matches!(std::io::stdin().read(&mut ignored), Ok(1..)) {}
            let _ = tell.send(());
        })?;
        Ok(Self { signals, closed: Some(closed) })
    }

    async fn wait(self) {
        let closed = async {
            match self.closed {
                Some(closed) => _ = closed.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.signals.wait() => {}
            () = closed => {}
        }
    }
}

#[cfg(unix)]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminated: signal(SignalKind::terminate())?,
            interrupted: signal(SignalKind::interrupt())?,
        })
    }

    async fn wait(mut self) {
        tokio::select! {
            _ = self.terminated.recv() => {}
            _ = self.interrupted.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn wait(self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
