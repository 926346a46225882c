//! Brokers of one cluster that are stopped and started again.

use std::io::Write;
use std::thread::park_timeout;
use std::time::Instant;

use crate::support::broker::Broker;
use crate::support::process::Server;
use crate::support::{ApacheCluster, BOOT_DEADLINE, POLL_INTERVAL, Ready};

impl ApacheCluster {
    /// The names of masters and slaves.
    pub(crate) fn broker_names(&self) -> Vec<&str> {
        self.brokers.iter().map(|broker| &*broker.name).collect()
    }

    /// Where a broker listens: `broker-a`, `broker-a-s1` ….
    pub(crate) fn addr_of(&self, broker: &str) -> &str {
        &self.broker(broker).address
    }

    /// Kills a broker; its store stays. The NameServer notices at once, because the broker's connection ends.
    pub(crate) fn stop_broker(&self, name: &str) {
        let Some(mut server) = self.broker(name).running().take() else { return };
        if let Some(input) = server.shell.stdin.as_mut() {
            // A shell that cannot be told has ended already.
            let _ = input.write_all(b"keep\n");
        }
    }

    /// Starts a broker again with what it stored, and waits until it is in the routes.
    pub(crate) fn start_broker(&self, name: &str) {
        let broker = self.broker(name);
        broker.start();
        let began = Instant::now();
        while let Some(what) = broker.waiting_for(self.name_server_addr(), Ready::Serves) {
            let ended = broker.running().as_mut().and_then(Server::ended);
            assert!(ended.is_none(), "{name} did not start again: {ended:?}");
            assert!(began.elapsed() < BOOT_DEADLINE, "waited in vain for the {what} after a restart");
            park_timeout(POLL_INTERVAL);
        }
    }

    fn broker(&self, name: &str) -> &Broker {
        self.brokers.iter().find(|broker| broker.name == name).expect("a broker of this cluster")
    }
}
