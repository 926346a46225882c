package foreign;

import org.apache.rocketmq.acl.common.AclClientRPCHook;
import org.apache.rocketmq.acl.common.SessionCredentials;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.remoting.RPCHook;

/** Brokers that do not serve everybody. */
final class Guarded {
    private static final String ACCESS_KEY = "foreign-user";
    private static final String SECRET_KEY = "foreign-secret";

    private Guarded() {
    }

    static void registerSigned(Main main) {
        main.add("acl", "a broker with ACL: messages there and back, with signed requests", Guarded::signed);
        main.add("acl-refused", "a wrong secret, an unknown user, no signature", Guarded::refused);
    }

    static void registerEncrypted(Main main) {
        main.add("tls", "servers that speak TLS alone: messages there and back", Guarded::encrypted);
        main.add("tls-refused", "plain text to servers that speak TLS alone", Guarded::inPlainText);
    }

    private static RPCHook key(String accessKey, String secretKey) {
        return new AclClientRPCHook(new SessionCredentials(accessKey, secretKey));
    }

    private static void signed(Site site) throws Exception {
        site.signWith(key(ACCESS_KEY, SECRET_KEY));
        thereAndBack(site);
    }

    private static void encrypted(Site site) throws Exception {
        site.encrypt();
        thereAndBack(site);
    }

    private static void thereAndBack(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 1);
        for (int at = 0; at < 5; at++) {
            site.print(Texts.sent(producer.send(site.message(topic, "m" + at))));
        }
        Received received = new Received();
        DefaultMQPushConsumer consumer = site.pushConsumer(site.name("group"));
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            received.add(messages);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        site.print("delivered " + Texts.sortedBodies(received.await(site, 5)));
    }

    private static void refused(Site site) throws Exception {
        refused(site, "a wrong secret", key(ACCESS_KEY, "wrong-secret"));
        refused(site, "an unknown user", key("stranger", SECRET_KEY));
        refused(site, "no signature", null);
    }

    private static void refused(Site site, String what, RPCHook hook) throws Exception {
        site.signWith(hook);
        DefaultMQProducer producer = site.producer();
        // NameServers serve everybody.
        site.await("a route", () -> !producer.fetchPublishMessageQueues("TBW102").isEmpty());
        site.printFailure(what, () -> producer.send(site.message(site.name("t"), "m")));
    }

    private static void inPlainText(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        try {
            producer.send(site.message(site.name("t"), "m"));
            site.print("sent");
        } catch (Exception closed) {
            // Which failure it is depends on when the client notices that the connection is gone.
            site.print("not sent");
        }
    }
}
