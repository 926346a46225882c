//! A broker that does with each send what the test says.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use rocketmq_remoting::net::{ConnectionOptions, RequestHandler, Responder};
use rocketmq_remoting::protocol::{RemotingCommand, RequestCode, ResponseCode};
use rocketmq_remoting::server::RemotingServer;

/// What a broker does with one send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    /// Stores it and says so.
    Store,
    /// Answers with this code.
    Answer(i32),
    /// Stores it, and keeps the answer until [`Broker::answer_late`].
    StoreInSilence,
    /// Stores it and closes the connection.
    StoreAndHangUp,
}

/// A send as the broker saw it.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) at: Instant,
}

type Script = dyn Fn(usize) -> Act + Send + Sync;

/// The part of a broker that requests come to.
pub(crate) struct Broker {
    script: Box<Script>,
    seen: Mutex<Vec<Seen>>,
    late: Mutex<Vec<(Responder, RemotingCommand)>>,
}

impl Broker {
    /// `script` gets how many sends there were before.
    pub(crate) async fn start(
        script: impl Fn(usize) -> Act + Send + Sync + 'static,
    ) -> (Arc<Self>, RemotingServer) {
        let (seen, late) = (Mutex::default(), Mutex::default());
        let broker = Arc::new(Self { script: Box::new(script), seen, late });
        let options = ConnectionOptions::default();
        let server = RemotingServer::bind("127.0.0.1:0", broker.clone(), options).await.unwrap();
        (broker, server)
    }

    /// The sends so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.id).collect()
    }

    /// Sends the answers that were kept. Returns how many.
    pub(crate) fn answer_late(&self) -> usize {
        let late = std::mem::take(&mut *self.late.lock().unwrap());
        let count = late.len();
        late.into_iter().for_each(|(responder, answer)| responder.answer_with(answer));
        count
    }
}

impl RequestHandler for Broker {
    fn handle(&self, request: RemotingCommand, responder: Responder) {
        if request.request_code() != RequestCode::SEND_MESSAGE_V2 {
            return responder.answer_with(RemotingCommand::response(ResponseCode::SUCCESS));
        }
        let mut seen = self.seen.lock().unwrap();
        let act = (self.script)(seen.len());
        seen.push(Seen { id: unique_key(&request), at: Instant::now() });
        drop(seen);
        match act {
            Act::Store => responder.answer_with(stored(&request, 0)),
            Act::Answer(code) => responder.answer_with(stored(&request, code)),
            Act::StoreInSilence => self.late.lock().unwrap().push((responder, stored(&request, 0))),
            Act::StoreAndHangUp => responder.connection().close(),
        }
    }
}

/// The id that the client gave a message.
pub(crate) fn unique_key(request: &RemotingCommand) -> String {
    let properties = request.ext_fields.get("i").expect("a send has properties").into_owned();
    let property = properties.split('\u{2}').find_map(|property| property.strip_prefix("UNIQ_KEY\u{1}"));
    property.expect("a message has an id").to_owned()
}

/// The answer to a send, with the fields of one that was stored.
pub(crate) fn stored(request: &RemotingCommand, code: i32) -> RemotingCommand {
    RemotingCommand::response(ResponseCode(code))
        .with_remark("as scripted")
        .with_field("msgId", "7F00000100002A9F0000000000000000")
        .with_field("queueId", request.ext_fields.get("e").unwrap_or_default().into_owned())
        .with_field("queueOffset", "7")
}
