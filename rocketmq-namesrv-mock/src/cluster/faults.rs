//! Faults: rules for requests, and servers that stop, move and disagree.

use std::sync::Arc;

use rocketmq_common::PermName;

use super::MockCluster;
use super::slot::Slot;
use crate::faults::Fault;
use crate::{MockError, broker::Broker};

impl MockCluster {
    /// Adds a rule for requests that go wrong from now on. If several rules match a request, the first applies that is
    /// not used up.
    pub fn inject(&self, fault: Fault) {
        self.admission.faults.inject(fault);
    }

    /// Removes all rules. Effects on connections and servers so far stay.
    pub fn clear_faults(&self) {
        self.admission.faults.clear();
    }

    /// The rules, each with the number of requests that went wrong by it.
    pub fn fault_hits(&self) -> Vec<(Fault, u32)> {
        self.admission.faults.hits()
    }

    /// Stops a broker, a master or a slave: it closes its connections, its port refuses new ones, and the NameServers
    /// drop it from their routes. It keeps what it stores. Nothing happens if it is stopped already. Dropping the
    /// future leaves the broker stopping.
    ///
    /// # Errors
    /// There is no such broker.
    pub async fn stop_broker(&self, name: &str) -> Result<(), MockError> {
        let (broker, slot) = self.broker_slot(name)?;
        broker.withdraw();
        slot.stop().await;
        Ok(())
    }

    /// Stops a broker like [`stop_broker`](Self::stop_broker), but the NameServers do not notice and keep its address
    /// in their routes. Dropping the future leaves the broker stopping.
    ///
    /// # Errors
    /// There is no such broker.
    pub async fn crash_broker(&self, name: &str) -> Result<(), MockError> {
        let (_, slot) = self.broker_slot(name)?;
        slot.stop().await;
        Ok(())
    }

    /// Starts a broker again on its former port, with its stored messages. Nothing happens if it runs. Dropping the
    /// future may leave the broker stopped.
    ///
    /// # Errors
    /// There is no such broker, or another process has taken its port.
    pub async fn start_broker(&self, name: &str) -> Result<(), MockError> {
        let (_, slot) = self.broker_slot(name)?;
        slot.restart(false).await
    }

    /// Stops a broker if it runs and starts it on another port, with its stored messages. Dropping the future may
    /// leave the broker stopped.
    ///
    /// # Errors
    /// There is no such broker, or no port is free.
    pub async fn move_broker(&self, name: &str) -> Result<(), MockError> {
        let (_, slot) = self.broker_slot(name)?;
        slot.stop().await;
        slot.restart(true).await
    }

    /// Makes a slave and its master exchange their addresses, like after an election. Connections to both end, and
    /// NameServers know at once. Dropping the future may leave both stopped.
    ///
    /// # Errors
    /// There is no such slave, or another process has taken a port meanwhile.
    pub async fn switch_roles(&self, slave: &str) -> Result<(), MockError> {
        let (broker, slot) = self.broker_slot(slave)?;
        let (_, master) = self.broker_slot(broker.name())?;
        if !broker.is_slave() {
            return Err(MockError::NoSlave { server: slave.to_owned() });
        }
        master.exchange_addresses(slot).await
    }

    /// Sets the permissions of a broker in routes; the NameServers know at once. The broker still stores sends that
    /// reach it. Java: `brokerPermission`.
    ///
    /// # Errors
    /// There is no such broker.
    pub fn set_broker_perm(&self, name: &str, perm: PermName) -> Result<(), MockError> {
        let (broker, _) = self.broker_slot(name)?;
        broker.set_perm(perm);
        Ok(())
    }

    /// Stops a NameServer, counted from 0: it closes its connections, and its port refuses new ones. Dropping the
    /// future leaves it stopping.
    ///
    /// # Errors
    /// There is no such NameServer.
    pub async fn stop_name_server(&self, index: usize) -> Result<(), MockError> {
        self.name_server_slot(index)?.stop().await;
        Ok(())
    }

    /// Starts a NameServer again on its former port, with its former routes. Dropping the future may leave it stopped.
    ///
    /// # Errors
    /// There is no such NameServer, or another process has taken its port.
    pub async fn start_name_server(&self, index: usize) -> Result<(), MockError> {
        self.name_server_slot(index)?.restart(false).await
    }

    /// Stops a NameServer if it runs and starts it on another port, with its former routes. Dropping the future may
    /// leave it stopped.
    ///
    /// # Errors
    /// There is no such NameServer, or no port is free.
    pub async fn move_name_server(&self, index: usize) -> Result<(), MockError> {
        let slot = self.name_server_slot(index)?;
        slot.stop().await;
        slot.restart(true).await
    }

    /// Cuts a NameServer off from the brokers: it ignores their announcements and keeps its routes, so that it
    /// disagrees with the other NameServers.
    ///
    /// # Errors
    /// There is no such NameServer.
    pub fn cut_off_name_server(&self, index: usize) -> Result<(), MockError> {
        self.name_server_slot(index)?;
        self.routes[index].cut_off(true);
        Ok(())
    }

    /// Reconnects a NameServer with the brokers: running brokers announce themselves and their topics at once. Topics
    /// that were deleted meanwhile stay in its routes.
    ///
    /// # Errors
    /// There is no such NameServer.
    pub async fn reconnect_name_server(&self, index: usize) -> Result<(), MockError> {
        self.name_server_slot(index)?;
        self.routes[index].cut_off(false);
        for (broker, slot) in &self.brokers {
            if slot.is_running().await {
                broker.announce(slot.address());
            } else {
                broker.withdraw();
            }
        }
        Ok(())
    }

    /// Makes one NameServer forget a topic until a broker announces it again. Until then it answers code 17, like a
    /// NameServer that has just started.
    ///
    /// # Errors
    /// There is no such NameServer.
    pub fn forget_topic(&self, index: usize, topic: &str) -> Result<(), MockError> {
        self.name_server_slot(index)?;
        self.routes[index].delete_topic(topic, None);
        Ok(())
    }

    pub(super) fn broker_slot(&self, name: &str) -> Result<&(Arc<Broker>, Arc<Slot>), MockError> {
        let found = self.brokers.iter().find(|(broker, _)| **broker.server() == *name);
        found.ok_or_else(|| MockError::NoServer { server: name.to_owned() })
    }

    fn name_server_slot(&self, index: usize) -> Result<&Arc<Slot>, MockError> {
        let found = self.name_servers.get(index);
        found.ok_or_else(|| MockError::NoServer { server: format!("namesrv-{index}") })
    }
}
