package foreign;

import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageRequestMode;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/** Consumers whose queues the broker hands out message by message. */
final class Popping {
    private Popping() {
    }

    static void register(Main main) {
        main.add("pop", "two pop consumers of a group: all is delivered, between them once", Popping::pop);
        main.add("pop-retry", "a pop listener that fails once: how the message comes again", Popping::again);
    }

    private static void popMode(Site site, String topic, String group) throws Exception {
        DefaultMQAdminExt admin = site.configured(new DefaultMQAdminExt());
        admin.start();
        site.onClose(admin::shutdown);
        admin.setMessageRequestMode(
            System.getProperty("foreign.broker"), topic, group, MessageRequestMode.POP, 8, 5_000);
    }

    private static DefaultMQPushConsumer consumer(Site site, String topic, MessageListenerConcurrently listener)
        throws Exception {
        DefaultMQPushConsumer consumer = site.pushConsumer(site.name("group"));
        consumer.setClientRebalance(false);
        consumer.setPopInvisibleTime(5_000);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener(listener);
        consumer.start();
        return consumer;
    }

    private static void pop(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 2);
        popMode(site, topic, site.name("group"));
        Received received = new Received();
        for (int at = 0; at < 2; at++) {
            consumer(site, topic, (messages, context) -> {
                received.add(messages);
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
        }
        for (int at = 0; at < 10; at++) {
            producer.send(site.message(topic, "m" + at), Site.queues(producer, topic).get(at % 2));
        }
        List<MessageExt> delivered = received.await(site, 10);
        site.print("delivered " + Texts.sortedBodies(delivered));
        MessageExt first = delivered.get(0);
        site.print("properties " + new TreeSet<>(first.getProperties().keySet()));
    }

    private static void again(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 1);
        popMode(site, topic, site.name("group"));
        List<String> seen = new CopyOnWriteArrayList<>();
        consumer(site, topic, (messages, context) -> {
            MessageExt message = messages.get(0);
            seen.add("try " + message.getReconsumeTimes() + " " + Texts.body(message) + " of " + message.getTopic()
                + " " + new TreeSet<>(message.getProperties().keySet()));
            return message.getReconsumeTimes() == 0
                ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        producer.send(site.message(topic, "difficult"));
        site.await("two tries", () -> seen.size() >= 2);
        seen.forEach(site::print);
    }
}
