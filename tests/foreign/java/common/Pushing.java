package foreign;

import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Consumers to which messages are delivered. */
final class Pushing {
    private Pushing() {
    }

    static void register(Main main) {
        main.add("push-tags", "push consumer, concurrent, by tags: what is delivered, offsets, a second run", Pushing::byTags);
        main.add("push-sql92", "push consumer by SQL92: what is delivered", Pushing::bySql);
        main.add("push-sql92-refused", "a wrong SQL92 expression", Pushing::wrongSql);
        main.add("push-orderly", "push consumer, orderly: the order in each queue, a message tried again", Pushing::orderly);
        main.add("push-broadcast", "two broadcasting consumers: each gets all", Pushing::broadcast);
        main.add("push-from-last", "a new group starts at the end, or at the beginning of a young topic", Pushing::fromLast);
        main.add("rebalance", "two consumers of a group: who has which queues, before and after one leaves", Pushing::rebalance);
    }

    private static MessageListenerConcurrently into(Received received) {
        return (messages, context) -> {
            received.add(messages);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        };
    }

    private static void byTags(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 2);
        List<MessageQueue> queues = Site.queues(producer, topic);
        String group = site.name("group");
        for (String round : new String[] {"early", "late"}) {
            for (int at = 0; at < 12; at++) {
                Message message = site.message(topic, round + " " + at);
                message.setTags("tag" + at / 2 % 3);
                message.setKeys("key" + at);
                producer.send(message, queues.get(at % 2));
            }
            Received received = new Received();
            DefaultMQPushConsumer consumer = site.pushConsumer(group);
            consumer.subscribe(topic, "tag0 || tag2");
            consumer.registerMessageListener(into(received));
            consumer.start();
            site.print("delivered " + Texts.sortedBodies(received.await(site, 8)));
            if (round.equals("early")) {
                received.all().stream().map(Texts::message).sorted().forEach(site::print);
            }
            consumer.shutdown();
            site.awaitGone(producer, group);
        }
        DefaultMQPullConsumer reader = site.pullConsumer(group);
        for (MessageQueue queue : queues) {
            site.await("all to be committed", () -> reader.fetchConsumeOffset(queue, true) == 12);
        }
    }

    private static void bySql(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 1);
        Sql.send(site, producer, Site.queues(producer, topic).get(0));
        for (String expression : new String[] {"a > 3 AND TAGS = 'odd'", "colour IN ('red', 'blue') OR a IS NULL"}) {
            Received received = new Received();
            DefaultMQPushConsumer consumer = site.pushConsumer(site.name("group" + expression.length()));
            consumer.subscribe(topic, MessageSelector.bySql(expression));
            consumer.registerMessageListener(into(received));
            consumer.start();
            int count = expression.startsWith("a") ? 2 : 4;
            site.print(expression + " " + Texts.sortedBodies(received.await(site, count)));
            consumer.shutdown();
        }
    }

    private static void wrongSql(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 1);
        DefaultMQPushConsumer consumer = site.pushConsumer(site.name("group"));
        consumer.subscribe(topic, MessageSelector.bySql("a > > 3"));
        consumer.registerMessageListener(into(new Received()));
        site.printFailure("start", () -> {
            consumer.start();
            return null;
        });
    }

    private static void orderly(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 2);
        List<MessageQueue> queues = Site.queues(producer, topic);
        for (int at = 0; at < 10; at++) {
            producer.send(site.message(topic, "m" + at), queues.get(at % 2));
        }
        List<List<String>> orders = new ArrayList<>();
        queues.forEach(queue -> orders.add(new CopyOnWriteArrayList<>()));
        DefaultMQPushConsumer consumer = site.pushConsumer(site.name("group"));
        consumer.subscribe(topic, "*");
        consumer.setSuspendCurrentQueueTimeMillis(100);
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            MessageExt message = messages.get(0);
            // The client counts the tries in this very object.
            orders.get(message.getQueueId()).add(Texts.body(message) + " try " + message.getReconsumeTimes());
            boolean again = Texts.body(message).equals("m4") && message.getReconsumeTimes() < 2;
            return again ? ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT : ConsumeOrderlyStatus.SUCCESS;
        });
        consumer.start();
        site.await("all messages", () -> orders.get(0).size() == 7 && orders.get(1).size() == 5);
        orders.forEach(order -> site.print("in order " + order));
    }

    private static void broadcast(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 2);
        List<Received> all = new ArrayList<>();
        for (int at = 0; at < 2; at++) {
            Received received = new Received();
            DefaultMQPushConsumer consumer = site.pushConsumer(site.name("group"));
            Models.broadcast(consumer);
            consumer.subscribe(topic, "*");
            consumer.registerMessageListener(into(received));
            consumer.start();
            all.add(received);
        }
        for (int at = 0; at < 6; at++) {
            producer.send(site.message(topic, "m" + at), Site.queues(producer, topic).get(at % 2));
        }
        for (Received received : all) {
            site.print("delivered " + Texts.sortedBodies(received.await(site, 6)));
        }
    }

    private static void fromLast(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 1);
        producer.send(site.message(topic, "early"));
        Received received = new Received();
        DefaultMQPushConsumer consumer = site.pushConsumer(site.name("group"));
        consumer.setConsumeFromWhere(org.apache.rocketmq.common.consumer.ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener(into(received));
        consumer.start();
        // The broker answers 0 for a group that is new to a topic whose first message is still in memory.
        site.print("delivered " + Texts.sortedBodies(received.await(site, 1)));
        producer.send(site.message(topic, "late"));
        site.print("delivered " + Texts.sortedBodies(received.await(site, 2)));
    }

    private static void rebalance(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 4);
        List<DefaultMQPushConsumer> members = new ArrayList<>();
        List<Received> received = new ArrayList<>();
        for (int at = 0; at < 2; at++) {
            DefaultMQPushConsumer consumer = site.pushConsumer(site.name("group"));
            consumer.subscribe(topic, "*");
            received.add(new Received());
            consumer.registerMessageListener(into(received.get(at)));
            consumer.start();
            members.add(consumer);
            int expected = at == 0 ? 4 : 2;
            for (DefaultMQPushConsumer member : members) {
                site.await(expected + " queues", () -> assigned(member, topic).size() == expected);
                site.print("of %d members, one has %s", at + 1, assigned(member, topic));
            }
        }
        for (int at = 0; at < 8; at++) {
            producer.send(site.message(topic, "m" + at), Site.queues(producer, topic).get(at % 4));
        }
        for (Received one : received) {
            site.print("delivered " + Texts.sortedBodies(one.await(site, 4)));
        }
        members.get(1).shutdown();
        site.await("all queues", () -> assigned(members.get(0), topic).size() == 4);
        site.print("of 1 member, one has %s", assigned(members.get(0), topic));
        for (int at = 10; at < 14; at++) {
            producer.send(site.message(topic, "m" + at), Site.queues(producer, topic).get(at % 4));
        }
        // What the leaver had not committed yet may come again.
        site.await("all new messages", () -> late(received.get(0)).size() == 4);
        site.print("delivered " + late(received.get(0)));
    }

    private static TreeSet<String> late(Received received) {
        TreeSet<String> late = new TreeSet<>(Texts.bodies(received.all()));
        late.removeIf(body -> body.length() == 2);
        return late;
    }

    private static TreeSet<Integer> assigned(DefaultMQPushConsumer consumer, String topic) {
        TreeSet<Integer> queues = new TreeSet<>();
        for (MessageQueue queue : consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet()) {
            if (queue.getTopic().equals(topic)) {
                queues.add(queue.getQueueId());
            }
        }
        return queues;
    }
}
