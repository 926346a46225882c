//! The requests that a client makes.
//!
//! | room | holds |
//! |---|---|
//! | `mod` | requests of the core and of producers, each with its deadline: routes, sends, heartbeats |
//! | `asking` | requests to one server or to any NameServer, within a limit that the caller chooses |
//! | `consuming` | what consumers ask of one broker, within such a limit |
//! | `groups` | requests of an admin about consumer groups, within a limit |

mod asking;
mod consuming;
mod group;
mod groups;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rocketmq_remoting::client::{RemotingClient, RemotingError};
use rocketmq_remoting::net::{CallError, Connection};
use rocketmq_remoting::protocol::body::{TopicRouteData, decode_body};
use rocketmq_remoting::protocol::header::{
    EndTransactionRequestHeader, GetRouteInfoRequestHeader, HeartbeatRequestHeader,
    RecallMessageRequestHeader, UnregisterClientRequestHeader,
};
use rocketmq_remoting::protocol::{
    CommandRef, EncodeHeader, RemotingCommand, RequestCode, RequestHeader, ResponseCode,
};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::error::{MQClientError, with_causes};
use crate::name_servers::{NameServers, NoAnswer, Said};
use crate::peer_log::PeerLog;

pub(crate) use asking::Asking;
pub(crate) use group::Group;

/// What to look at when a server does not know the question for a route.
const IS_IT_A_BROKER: &str =
    ": is this a broker? Give the address of a NameServer, whose port is mostly 9876";

/// What to look at when a server ends each connection that it is asked on.
const DOES_IT_WANT_TLS: &str = ": a server that wants TLS ends connections without it (set_tls)";

/// The requests of this client, one method each. Java: `MQClientAPIImpl`.
#[derive(Debug)]
pub(crate) struct MQClientApi {
    remoting: RemotingClient,
    name_servers: NameServers,
    peers: PeerLog,
    /// The limit of requests other than sends.
    timeout: Duration,
}

impl MQClientApi {
    pub(crate) fn new(remoting: RemotingClient, name_servers: NameServers, timeout: Duration) -> Self {
        Self { remoting, name_servers, peers: PeerLog::default(), timeout }
    }

    pub(crate) fn remoting(&self) -> &RemotingClient {
        &self.remoting
    }

    pub(crate) fn name_servers(&self) -> &NameServers {
        &self.name_servers
    }

    /// Hears how requests went, and logs when a peer goes and when it is back.
    pub(crate) fn peers(&self) -> &PeerLog {
        &self.peers
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Makes requests with the default limit, `mq_client_api_timeout`.
    pub(crate) fn asking(&self) -> Asking<'_> {
        self.within(self.timeout)
    }

    /// Makes requests with this limit, dialling included.
    pub(crate) fn within(&self, limit: Duration) -> Asking<'_> {
        Asking { api: self, limit }
    }

    /// The route of a topic (105), from the first NameServer that has it.
    pub(crate) async fn topic_route(
        &self,
        topic: &str,
        deadline: Instant,
    ) -> Result<TopicRouteData, NoAnswer> {
        self.topic_route_and_source(topic, deadline).await.map(|(_, route)| route)
    }

    /// The route of a topic, with the NameServer that gave it.
    pub(crate) async fn topic_route_and_source(
        &self,
        topic: &str,
        deadline: Instant,
    ) -> Result<(Arc<str>, TopicRouteData), NoAnswer> {
        let header = GetRouteInfoRequestHeader { topic: topic.into(), accept_standard_json_only: Some(true) };
        let ask = |address: Arc<str>| {
            let header = &header;
            Box::pin(async move { self.ask_name_server(&address, header, deadline).await }) as _
        };
        self.name_servers.ask(deadline, ask).await
    }

    /// Sends a request to one NameServer; the answer is JSON.
    async fn ask_name_server<H: RequestHeader, T: DeserializeOwned>(
        &self,
        address: &str,
        header: &H,
        deadline: Instant,
    ) -> Result<T, Said> {
        // Only the body counts; a header type would have to be `Send`.
        let ask = async || {
            let left = deadline.saturating_duration_since(Instant::now());
            self.remoting.call(address, header, &Bytes::new(), left).await.map(|reply| reply.body)
        };
        let mut answer = ask().await;
        if matches!(&answer, Err(RemotingError::Call { source: CallError::Ended { .. }, .. })) {
            // The server may have closed an idle connection unnoticed. A read may be repeated, so try once more.
            answer = ask().await;
        }
        self.peers.asked("NameServer", address, &answer);
        match answer {
            Ok(body) => decode_body(&body).map_err(|error| Said { text: with_causes(&error), is_no: false }),
            Err(RemotingError::Refused { code, remark, .. }) => {
                let first_line =
                    remark.as_deref().and_then(|remark| remark.lines().next()).unwrap_or_default().trim();
                // A broker knows no look-ups of routes.
                let hint = if code == ResponseCode::REQUEST_CODE_NOT_SUPPORTED { IS_IT_A_BROKER } else { "" };
                Err(Said {
                    text: format!("{code} {first_line}{hint}"),
                    is_no: code == ResponseCode::TOPIC_NOT_EXIST,
                })
            }
            Err(error) => {
                let ended = matches!(&error, RemotingError::Call { source: CallError::Ended { .. }, .. });
                let hint = if ended { DOES_IT_WANT_TLS } else { "" };
                Err(Said { text: format!("{}{hint}", with_causes(&error)), is_no: false })
            }
        }
    }

    /// Sends a message with its header. The answer may have any code.
    pub(crate) fn send_message<H: EncodeHeader>(
        &self,
        address: &str,
        request: &CommandRef<'_, H>,
        deadline: Instant,
    ) -> impl Future<Output = Result<RemotingCommand, RemotingError>> {
        self.remoting.invoke(address, request, deadline)
    }

    /// Sends a message without an answer.
    pub(crate) fn send_message_oneway<H: EncodeHeader>(
        &self,
        address: &str,
        request: &CommandRef<'_, H>,
        deadline: Instant,
    ) -> impl Future<Output = Result<(), RemotingError>> {
        self.remoting.oneway(address, request, deadline)
    }

    /// Sends a broker a heartbeat (34): `data` is a `HeartbeatData`. The broker keeps it while the connection lasts.
    ///
    /// The fields of the answer say nothing to this client: `IS_SUB_CHANGE` makes a client that leaves its subscriptions out
    /// of heartbeats (version 2, with a fingerprint) send them again. Each heartbeat of this client holds them all, and
    /// brokers answer `true` to each of those.
    pub(crate) async fn heartbeat(
        &self,
        connection: &Connection,
        data: &Bytes,
        deadline: Instant,
    ) -> Result<(), RemotingError> {
        let header = HeartbeatRequestHeader::default();
        let request = CommandRef::request(RequestCode::HEART_BEAT, &header).with_body(data);
        let answer = self.remoting.invoke_on(connection, &request, deadline).await?;
        if answer.code != ResponseCode::SUCCESS.0 {
            return Err(RemotingError::refused(connection.peer(), &answer));
        }
        Ok(())
    }

    /// Ends a transaction at a broker (37), one way. The remark gives the reason of a rollback, if there is one.
    pub(crate) async fn end_transaction(
        &self,
        connection: &Connection,
        header: &EndTransactionRequestHeader,
        remark: Option<&str>,
    ) -> Result<(), RemotingError> {
        let request = CommandRef::request(RequestCode::END_TRANSACTION, header).with_remark(remark);
        self.remoting.oneway_on(connection, &request, Instant::now() + self.timeout).await
    }

    /// Tells a broker that this client leaves a group (35).
    pub(crate) async fn unregister(
        &self,
        address: &str,
        client_id: &str,
        group: &Group,
        deadline: Instant,
    ) -> Result<(), RemotingError> {
        let name = Some((&**group.name()).into());
        let (producer_group, consumer_group) = match group {
            Group::Producer(_) => (name, None),
            Group::Consumer(_) => (None, name),
        };
        let header =
            UnregisterClientRequestHeader { client_id: client_id.into(), producer_group, consumer_group };
        let left = deadline.saturating_duration_since(Instant::now()).min(self.timeout);
        self.remoting.call(address, &header, &Bytes::new(), left).await?;
        Ok(())
    }

    /// Recalls a timer message (370). Returns its id.
    pub(crate) async fn recall_message(
        &self,
        address: &str,
        group: &str,
        topic: &str,
        recall_handle: &str,
        broker: &str,
        deadline: Instant,
    ) -> Result<String, MQClientError> {
        let header = RecallMessageRequestHeader {
            producer_group: Some(group.into()),
            topic: topic.into(),
            recall_handle: recall_handle.into(),
            broker_name: Some(broker.into()),
        };
        let left = deadline.saturating_duration_since(Instant::now());
        let reply = self.remoting.call(address, &header, &Bytes::new(), left).await;
        let reply = reply.map_err(|error| MQClientError::from_remoting(broker, error))?;
        Ok(reply.header.msg_id.into())
    }
}
