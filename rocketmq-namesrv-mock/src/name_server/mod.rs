//! A NameServer: keeps the routes that brokers announce.
//!
//! * `routes`: brokers and topics. `json`: the bodies of answers.
//! * `settings`: key-value settings. `config`: its configuration. `admin`: changes and lists for admins.

mod admin;
mod config;
mod json;
mod routes;
mod settings;

use std::sync::Arc;

use admin::{has_unit_sub, is_unit};
use rocketmq_remoting::net::{RequestHandler, Responder};
use rocketmq_remoting::protocol::header::{DeleteTopicInNameServerFields, GetRouteInfoFields};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, ResponseCode};

use crate::faults::Admission;
use crate::wire::{Answer, Refusal, Reply, SEE_FAQ, read_fields};
pub(crate) use config::Setup;
use json::Keys;
pub(crate) use routes::{QueueData, Routes};
pub(crate) use settings::KvSettings;

/// Clients from this version on (4.9.4) get routes as strict JSON.
const STRICT_JSON_FROM: i32 = 401;

/// The namespace of the queues of ordered topics. Java: `NamesrvUtil`.
const ORDER_TOPIC_CONFIG: &str = "ORDER_TOPIC_CONFIG";

/// Serves the requests to one NameServer. Java: `ClientRequestProcessor`, `DefaultRequestProcessor`.
#[derive(Debug, Clone)]
pub(crate) struct NameServer {
    pub(crate) name: Arc<str>,
    pub(crate) routes: Arc<Routes>,
    pub(crate) settings: Arc<KvSettings>,
    pub(crate) setup: Arc<Setup>,
    pub(crate) admission: Arc<Admission>,
}

impl NameServer {
    fn serve(&self, request: &RemotingCommand, reply: Reply) {
        let result = match request.request_code() {
            RequestCode::GET_ROUTEINFO_BY_TOPIC => self.route(request),
            RequestCode::GET_BROKER_CLUSTER_INFO => Ok(self.cluster_info()),
            RequestCode::GET_ALL_TOPIC_LIST_FROM_NAMESERVER => self.topic_list(),
            RequestCode::DELETE_TOPIC_IN_NAMESRV => self.delete_topic(request),
            RequestCode::REGISTER_TOPIC_IN_NAMESRV => self.register_topic(request),
            RequestCode::GET_TOPICS_BY_CLUSTER => self.topics_by_cluster(request),
            RequestCode::GET_SYSTEM_TOPIC_LIST_FROM_NS => self.system_topics(),
            RequestCode::WIPE_WRITE_PERM_OF_BROKER => self.wipe_write_perm(request),
            RequestCode::ADD_WRITE_PERM_OF_BROKER => self.add_write_perm(request),
            RequestCode::GET_UNIT_TOPIC_LIST => self.topics_with(is_unit),
            RequestCode::GET_HAS_UNIT_SUB_TOPIC_LIST => self.topics_with(has_unit_sub),
            RequestCode::GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST => {
                self.topics_with(|flag| has_unit_sub(flag) && !is_unit(flag))
            }
            RequestCode::UPDATE_NAMESRV_CONFIG => self.setup.change(request),
            RequestCode::GET_NAMESRV_CONFIG => Ok(self.setup.tell()),
            RequestCode::PUT_KV_CONFIG => self.settings.put(request),
            RequestCode::GET_KV_CONFIG => self.settings.get(request),
            RequestCode::DELETE_KV_CONFIG => self.settings.delete(request),
            RequestCode::GET_KVLIST_BY_NAMESPACE => self.settings.list(request),
            _ => return reply.not_supported(request),
        };
        match result {
            Ok(answer) => answer.send(reply),
            Err(refusal) => refusal.send(reply),
        }
    }

    /// 105.
    fn route(&self, request: &RemotingCommand) -> Result<Answer, Refusal> {
        let fields: GetRouteInfoFields<'_> = read_fields(&request.ext_fields)?;
        // Java reads a missing topic as "null", and finds no route for it.
        let topic = fields.topic.as_deref().unwrap_or("null");
        let Some(route) = self.routes.route(topic) else {
            let remark = format!("No topic route info in name server for the topic: {topic}{SEE_FAQ}");
            return Err(Refusal::new(ResponseCode::TOPIC_NOT_EXIST, remark));
        };
        let strict = request.version >= STRICT_JSON_FROM || fields.accept_standard_json_only == Some(true);
        let keys = if strict { Keys::Quoted } else { Keys::Bare };
        let order = self
            .setup
            .is_on("orderMessageEnable")
            .then(|| self.settings.find(ORDER_TOPIC_CONFIG, topic))
            .flatten();
        Ok(Answer::success().with_body(json::topic_route(&route, order.as_deref(), keys)))
    }

    /// 106.
    fn cluster_info(&self) -> Answer {
        Answer::success().with_body(json::cluster_info(&self.routes.brokers()))
    }

    /// 206.
    fn topic_list(&self) -> Result<Answer, Refusal> {
        self.setup.check("enableAllTopicList")?;
        Ok(Answer::success().with_body(json::topic_list(&self.routes.topics())))
    }

    /// 216.
    fn delete_topic(&self, request: &RemotingCommand) -> Result<Answer, Refusal> {
        let fields: DeleteTopicInNameServerFields<'_> = read_fields(&request.ext_fields)?;
        if let Some(topic) = &fields.topic {
            let cluster = fields.cluster_name.as_deref().filter(|cluster| !cluster.is_empty());
            self.routes.delete_topic(topic, cluster);
        }
        Ok(Answer::success())
    }
}

impl RequestHandler for NameServer {
    fn handle(&self, request: RemotingCommand, responder: Responder) {
        let server = self.clone();
        let carry_out = move |request, reply| server.serve(&request, reply);
        self.admission.serve(&self.name, request, responder, carry_out);
    }
}
