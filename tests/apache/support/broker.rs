//! One of Apache's brokers, which can be stopped and started again.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Boot;
use super::process::Server;

const CLASS: &str = "org.apache.rocketmq.broker.BrokerStartup";
const HEAP: &[&str] = &["-Xms256m", "-Xmx1g", "-XX:MaxDirectMemorySize=1g"];

/// A master (`broker-a`, `broker-b` …) or a slave (`broker-a-s1` …).
#[derive(Debug)]
pub(crate) struct Broker {
    pub(crate) name: String,
    pub(crate) address: String,
    /// Of the master and its slaves.
    set: String,
    id: usize,
    home: PathBuf,
    lib: PathBuf,
    flags: Vec<String>,
    conf: String,
    running: Mutex<Option<Server>>,
}

impl Broker {
    /// The broker with this number, in the order of the names, all masters before the slaves. It is not started yet.
    pub(super) fn new(
        number: usize,
        port: u16,
        name_server_addr: &str,
        boot: &Boot<'_>,
        home: &Path,
        lib: &Path,
    ) -> Self {
        let (id, letter) = (number / boot.masters, b'a' + (number % boot.masters) as u8);
        let room = boot.room.map(|room| format!("{room}@")).unwrap_or_default();
        let set = format!("{room}broker-{}", char::from(letter));
        let name = if id == 0 { set.clone() } else { format!("{set}-s{id}") };
        let store = home.join(&name).join("store");
        let store = store.display();
        let role = if id == 0 { String::new() } else { format!("brokerRole=SLAVE\nbrokerId={id}\n") };
        let conf = format!(
            "brokerClusterName=DefaultCluster\n\
             brokerName={set}\n\
             brokerId=0\n\
             brokerIP1=127.0.0.1\n\
             brokerIP2=127.0.0.1\n\
             bindAddress=127.0.0.1\n\
             listenPort={port}\n\
             haListenPort={ha_port}\n\
             namesrvAddr={name_server_addr}\n\
             storePathRootDir={store}\n\
             storePathCommitLog={store}/commitlog\n\
             mappedFileSizeCommitLog=134217728\n\
             autoCreateTopicEnable=true\n\
             enablePropertyFilter=true\n\
             timerWheelEnable=true\n\
             {extra}\n\
             {role}",
            ha_port = port + 1,
            extra = boot.broker_conf,
        );
        let flags = HEAP.iter().map(|flag| (*flag).to_owned()).chain(boot.java_properties.iter().cloned());
        Self {
            name,
            address: format!("127.0.0.1:{port}"),
            set,
            id,
            home: home.to_owned(),
            lib: lib.to_owned(),
            flags: flags.collect(),
            conf,
            running: Mutex::default(),
        }
    }

    pub(super) fn is_master(&self) -> bool {
        self.id == 0
    }

    /// Starts it with what it stored before. It is ready a few seconds later.
    pub(crate) fn start(&self) {
        let server = Server::start(&self.home, &self.name, CLASS, &self.lib, &self.flags, &self.conf);
        *self.running() = Some(server);
    }

    /// Whether a route in this form lists it.
    pub(super) fn is_in(&self, route: &serde_json::Value) -> bool {
        let sets = route["brokerDatas"].as_array().map(Vec::as_slice).unwrap_or_default();
        let set = sets.iter().find(|data| data["brokerName"] == self.set.as_str());
        set.is_some_and(|data| data["brokerAddrs"][self.id.to_string()] == self.address.as_str())
    }

    /// The process, if it runs.
    pub(crate) fn running(&self) -> MutexGuard<'_, Option<Server>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
