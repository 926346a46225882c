package foreign;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Consumers that ask for messages. */
final class Pulling {
    private Pulling() {
    }

    static void register(Main main) {
        main.add("pull", "pull consumer: statuses, offsets, tags, offsets kept by the broker", Pulling::pull);
        main.add("pull-sql92", "pull consumer with an SQL92 expression", Pulling::pullBySql);
        main.add("pull-held", "a pull that waits for a message", Pulling::held);
        main.add("lite-assign", "lite pull consumer: assign, seek, commit, committed", Pulling::assign);
        main.add("lite-subscribe", "lite pull consumer: subscribe with tags, commit, a second run", Pulling::subscribe);
    }

    private static void pull(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 1);
        MessageQueue queue = Site.queues(producer, topic).get(0);
        DefaultMQPullConsumer consumer = site.pullConsumer(site.name("group"));
        site.print("queues " + new TreeSet<>(consumer.fetchSubscribeMessageQueues(topic)));
        print(site, "from an empty queue", consumer.pull(queue, "*", 0, 32));
        for (int at = 0; at < 10; at++) {
            Message message = site.message(topic, "m" + at);
            message.setTags(at % 2 == 0 ? "even" : "odd");
            producer.send(message, queue);
        }
        site.stored(producer, topic, 10);
        print(site, "all", consumer.pull(queue, "*", 0, 32));
        print(site, "three", consumer.pull(queue, "*", 2, 3));
        print(site, "by tag", consumer.pull(queue, "odd", 0, 32));
        print(site, "by two tags", consumer.pull(queue, "odd || none", 4, 32));
        print(site, "by a tag that none has", consumer.pull(queue, "none", 0, 32));
        print(site, "from the end", consumer.pull(queue, "*", 10, 32));
        print(site, "from behind the end", consumer.pull(queue, "*", 100, 32));
        site.print("kept offset %d", consumer.fetchConsumeOffset(queue, true));
        consumer.updateConsumeOffset(queue, 7);
        consumer.persist(queue);
        site.await("the kept offset", () -> consumer.fetchConsumeOffset(queue, true) == 7);
        site.print("min %d max %d", consumer.minOffset(queue), consumer.maxOffset(queue));
        site.printFailure("a queue that is not there",
            () -> consumer.pull(new MessageQueue(topic, queue.getBrokerName(), 9), "*", 0, 1));
        site.printFailure("a topic that is not there",
            () -> consumer.pull(new MessageQueue(site.name("unknown"), queue.getBrokerName(), 0), "*", 0, 1));
    }

    private static void print(Site site, String what, PullResult pulled) {
        List<MessageExt> found = pulled.getMsgFoundList() == null ? new ArrayList<>() : pulled.getMsgFoundList();
        site.print("%s: %s %s next %d min %d max %d", what, pulled.getPullStatus(), Texts.bodies(found),
            pulled.getNextBeginOffset(), pulled.getMinOffset(), pulled.getMaxOffset());
    }

    private static void pullBySql(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 1);
        MessageQueue queue = Site.queues(producer, topic).get(0);
        Sql.send(site, producer, queue);
        DefaultMQPullConsumer consumer = site.pullConsumer(site.name("group"));
        site.stored(producer, topic, Sql.MESSAGES);
        // The client learns from the answer to a heartbeat whether the broker filters.
        site.await("the broker to be known",
            () -> consumer.pull(queue, MessageSelector.bySql("a = 0"), 0, 32).getMsgFoundList() != null);
        for (String expression : Sql.EXPRESSIONS) {
            print(site, expression, consumer.pull(queue, MessageSelector.bySql(expression), 0, 32));
        }
    }

    private static void held(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 1);
        MessageQueue queue = Site.queues(producer, topic).get(0);
        DefaultMQPullConsumer consumer = site.pullConsumer(site.name("group"));
        Thread sender = new Thread(() -> {
            try {
                Thread.sleep(1_000);
                producer.send(site.message(topic, "awaited"), queue);
            } catch (Exception failure) {
                site.failed(failure);
            }
        });
        long began = System.nanoTime();
        sender.start();
        print(site, "held", consumer.pullBlockIfNotFound(queue, "*", 0, 32));
        long waited = Duration.ofNanos(System.nanoTime() - began).toMillis();
        site.print("answered when the message came: %s", waited >= 900 && waited < 4_000);
        sender.join();
    }

    private static DefaultLitePullConsumer lite(Site site, String group) {
        DefaultLitePullConsumer consumer = site.configured(new DefaultLitePullConsumer(group, site.hook()));
        consumer.setConsumeFromWhere(
            org.apache.rocketmq.common.consumer.ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setAutoCommit(false);
        return consumer;
    }

    private static List<MessageExt> poll(Site site, DefaultLitePullConsumer consumer, int count) throws Exception {
        List<MessageExt> polled = new ArrayList<>();
        site.await(count + " polled messages", () -> {
            polled.addAll(consumer.poll(100));
            return polled.size() >= count;
        });
        return polled;
    }

    private static void assign(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 2);
        List<MessageQueue> queues = Site.queues(producer, topic);
        for (int at = 0; at < 10; at++) {
            producer.send(site.message(topic, "m" + at), queues.get(at % 2));
        }
        site.stored(producer, topic, 10);
        DefaultLitePullConsumer consumer = lite(site, site.name("group"));
        consumer.start();
        site.onClose(consumer::shutdown);
        Collection<MessageQueue> fetched = consumer.fetchMessageQueues(topic);
        site.print("queues " + new TreeSet<>(fetched));
        consumer.assign(queues);
        site.print("polled " + Texts.sortedBodies(poll(site, consumer, 10)));
        // Before all is polled, 4.x lets what is on its way pass a seek.
        consumer.seekToBegin(queues.get(0));
        consumer.seek(queues.get(1), 3);
        site.print("polled " + Texts.sortedBodies(poll(site, consumer, 7)));
        consumer.seekToEnd(queues.get(1));
        producer.send(site.message(topic, "after the end"), queues.get(1));
        site.print("polled " + Texts.sortedBodies(poll(site, consumer, 1)));
        consumer.commitSync();
        site.await("what is committed",
            () -> consumer.committed(queues.get(0)) == 5 && consumer.committed(queues.get(1)) == 6);
        site.print("offset of the beginning %d", consumer.offsetForTimestamp(queues.get(0), 0L));
        consumer.assign(Collections.singletonList(queues.get(0)));
        consumer.seek(queues.get(0), 4);
        site.print("polled " + Texts.sortedBodies(poll(site, consumer, 1)));
        site.printFailure("a seek behind the end", () -> {
            consumer.seek(queues.get(0), 100);
            return null;
        });
    }

    private static void subscribe(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 2);
        List<MessageQueue> queues = Site.queues(producer, topic);
        send(site, producer, topic, queues, "early");
        String group = site.name("group");
        for (String round : Arrays.asList("early", "late")) {
            DefaultLitePullConsumer consumer = lite(site, group);
            consumer.subscribe(topic, "even");
            consumer.start();
            try {
                // What the consumer commits goes out one-way, so that a busy broker may still give messages of before again.
                List<MessageExt> polled = new ArrayList<>();
                site.await("messages of this round", () -> {
                    consumer.poll(100).stream().filter(message -> Texts.body(message).startsWith(round))
                        .forEach(polled::add);
                    return polled.size() >= 4;
                });
                site.print("polled " + Texts.sortedBodies(polled));
                consumer.commitSync();
                site.print("assigned " + new TreeSet<>(consumer.assignment()));
            } finally {
                consumer.shutdown();
            }
            site.awaitGone(producer, group);
            if (round.equals("early")) {
                send(site, producer, topic, queues, "late");
            }
        }
    }

    private static void send(Site site, DefaultMQProducer producer, String topic, List<MessageQueue> queues,
                             String round) throws Exception {
        for (int at = 0; at < 8; at++) {
            Message message = site.message(topic, round + at);
            message.setTags(at % 2 == 0 ? "even" : "odd");
            // So that both queues have both tags.
            producer.send(message, queues.get(at / 4));
        }
    }
}
