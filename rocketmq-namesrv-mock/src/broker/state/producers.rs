//! Members of producer groups. Java: `ProducerManager`.

use std::collections::HashMap;

use rocketmq_remoting::net::Connection;

use super::ClientChannelInfo;

/// The producers that sent a heartbeat.
#[derive(Debug, Default)]
pub(crate) struct ProducerTable {
    groups: HashMap<String, Vec<ClientChannelInfo>>,
    /// The last connection of each client.
    clients: HashMap<String, Connection>,
    /// Counts transaction checks, so that all producers get a share.
    turn: usize,
}

impl ProducerTable {
    /// Registers a heartbeat of a producer.
    pub(crate) fn register(&mut self, group: &str, producer: ClientChannelInfo) {
        self.clients.insert(producer.client_id.clone(), producer.connection.clone());
        let members = self.groups.entry(group.to_owned()).or_default();
        match members.iter_mut().find(|member| member.connection.id() == producer.connection.id()) {
            Some(member) => *member = producer,
            None => members.push(producer),
        }
    }

    /// Removes a producer from a group.
    pub(crate) fn unregister(&mut self, group: &str, connection: u64) {
        self.leave(connection, |name| name == group);
    }

    /// Removes the client of an ended connection from all groups.
    pub(crate) fn disconnect(&mut self, connection: u64) {
        self.leave(connection, |_| true);
    }

    /// Drops members. Returns their connections.
    pub(crate) fn drop_members(&mut self, which: impl Fn(&ClientChannelInfo) -> bool) -> Vec<Connection> {
        let all = self.groups.values().flatten().filter(|member| which(member));
        let dropped: Vec<Connection> = all.map(|member| member.connection.clone()).collect();
        for connection in &dropped {
            self.disconnect(connection.id());
        }
        dropped
    }

    /// The members of a group.
    pub(crate) fn members(&self, group: &str) -> &[ClientChannelInfo] {
        self.groups.get(group).map(Vec::as_slice).unwrap_or_default()
    }

    /// All groups with their members.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&String, &Vec<ClientChannelInfo>)> {
        self.groups.iter()
    }

    /// The member of a group whose turn it is.
    pub(crate) fn next(&mut self, group: &str) -> Option<Connection> {
        let members = self.groups.get(group)?;
        self.turn = self.turn.wrapping_add(1);
        members.get(self.turn % members.len()).map(|member| member.connection.clone())
    }

    /// The connection of a client.
    pub(crate) fn find(&self, client_id: &str) -> Option<&Connection> {
        self.clients.get(client_id)
    }

    fn leave(&mut self, connection: u64, which: impl Fn(&str) -> bool) {
        self.groups.retain(|name, members| {
            if which(name) {
                members.retain(|member| member.connection.id() != connection);
            }
            !members.is_empty()
        });
        let members = || self.groups.values().flatten();
        self.clients.retain(|_, kept| {
            kept.id() != connection || members().any(|member| member.connection.id() == connection)
        });
    }
}
