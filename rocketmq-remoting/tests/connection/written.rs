//! The form of a request at its peer.

use rocketmq_remoting::client::RpcHook;
use rocketmq_remoting::net::{ConnectionOptions, NoRequests};
use rocketmq_remoting::protocol::{
    CommandRef, ExtFields, NoHeader, RemotingCommand, RequestCode, SerializeType,
};
use std::sync::Arc;
use tokio::time::Instant;

use crate::peer::{ADDRESS, Fixture, Memory, Peer, fixture};
use crate::{SECONDS_3, run};

const POP_MESSAGE: RequestCode = RequestCode(200_050);

#[test]
fn a_code_of_more_than_16_bits_goes_out_in_json() {
    run(async {
        let mut fixture = fixture(|_, options| options.serialize_type = SerializeType::RocketMq);
        let mut peer: Option<Peer> = None;
        for (code, form) in [
            (RequestCode::HEART_BEAT, SerializeType::RocketMq),
            (POP_MESSAGE, SerializeType::Json),
            (RequestCode(i32::from(i16::MAX)), SerializeType::RocketMq),
            (RequestCode(i32::from(i16::MAX) + 1), SerializeType::Json),
        ] {
            let deadline = Instant::now() + SECONDS_3;
            fixture.client.oneway(ADDRESS, &CommandRef::request(code, &NoHeader), deadline).await.unwrap();
            if peer.is_none() {
                peer = Some(Peer::accept(&mut fixture).await);
            }
            let request = peer.as_mut().unwrap().read().await.unwrap();
            assert_eq!((request.code, request.serialize_type), (code.0, form));
        }
    });
}

/// Adds a field after the existing ones.
struct Signs;

impl RpcHook for Signs {
    fn before_request(&self, _: &str, request: &mut RemotingCommand) {
        let seen: Vec<String> = request.ext_fields.iter().map(|(name, _)| name.into_owned()).collect();
        request.ext_fields.insert("Signature", seen.join("+"));
    }
}

#[test]
fn remark_fields_and_body_arrive_with_hooks_and_without() {
    run(async {
        for hook in [None, Some(Arc::new(Signs))] {
            let mut fixture = fixture(|_, _| {});
            if let Some(hook) = hook.clone() {
                fixture = hooked(hook);
            }
            let (fields, body) = (ExtFields::from_iter([("a", "1"), ("b", "2")]), "body".into());
            let request = CommandRef::request(RequestCode::END_TRANSACTION, &NoHeader);
            let request = request.with_remark(Some("why")).with_fields(&fields).with_body(&body);
            fixture.client.oneway(ADDRESS, &request, Instant::now() + SECONDS_3).await.unwrap();
            let arrived = Peer::accept(&mut fixture).await.read().await.unwrap();
            assert_eq!((arrived.remark(), &arrived.body), ("why", &body));
            assert_eq!(arrived.ext_fields.get("b").as_deref(), Some("2"));
            assert_eq!(arrived.ext_fields.get("Signature").as_deref(), hook.map(|_| "a+b"));
            assert!(arrived.is_oneway());
        }
    });
}

fn hooked(hook: Arc<dyn RpcHook>) -> Fixture {
    let (far_ends, accept) = tokio::sync::mpsc::channel(1);
    let transport = Arc::new(Memory::new(far_ends, 1 << 20));
    let (options, requests) = (ConnectionOptions::default(), Arc::new(NoRequests));
    let mut client =
        rocketmq_remoting::client::RemotingClient::with_transport(transport.clone(), options, requests)
            .unwrap();
    client.add_hook(hook);
    Fixture { client: Arc::new(client), transport, accept }
}
