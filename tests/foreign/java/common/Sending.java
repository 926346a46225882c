package foreign;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** All ways to send. */
final class Sending {
    private Sending() {
    }

    static void register(Main main) {
        main.add("send-sync", "synchronous send to each queue: answers, stored records, offsets", Sending::synchronously);
        main.add("send-round-robin", "sends without a queue go to all queues in turn", Sending::inTurn);
        main.add("send-async", "asynchronous send: callbacks, what is stored", Sending::asynchronously);
        main.add("send-oneway", "oneway send: what is stored", Sending::oneway);
        main.add("send-batch", "a batch: its answer and its stored records", Sending::batch);
        main.add("send-ordered", "send with a selector: the order within each queue", Sending::ordered);
        main.add("send-compressed", "a body over 4 KiB, compressed by the client", Sending::compressed);
        main.add("send-auto-create", "the topic that a send creates", Sending::autoCreate);
        main.add("send-refused", "what brokers and NameServers refuse, and how", Sending::refused);
    }

    private static void synchronously(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 3);
        for (int round = 0; round < 2; round++) {
            for (MessageQueue queue : Site.queues(producer, topic)) {
                Message message = site.message(topic, "round " + round + " queue " + queue.getQueueId());
                message.setTags("tag" + round);
                message.setKeys(Arrays.asList("first" + round, "second" + queue.getQueueId()));
                message.putUserProperty("colour", "grün");
                message.setFlag(7);
                site.print(Texts.sent(producer.send(message, queue)));
            }
        }
        for (MessageExt stored : site.stored(producer, topic, 6)) {
            site.print(Texts.message(stored));
        }
        for (MessageQueue queue : Site.queues(producer, topic)) {
            site.print("queue %d from %d to %d, offset of all time %d, of the future %d", queue.getQueueId(),
                producer.minOffset(queue), producer.maxOffset(queue), producer.searchOffset(queue, 0),
                producer.searchOffset(queue, System.currentTimeMillis() + 3_600_000));
            long age = System.currentTimeMillis() - producer.earliestMsgStoreTime(queue);
            site.print("the first was stored within the last minute: %s", age >= 0 && age < 60_000);
        }
    }

    private static void inTurn(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 4);
        Set<Integer> queues = new TreeSet<>();
        for (int at = 0; at < 4; at++) {
            queues.add(producer.send(site.message(topic, "m" + at)).getMessageQueue().getQueueId());
        }
        site.print("queues " + queues);
    }

    private static void asynchronously(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 2);
        CountDownLatch called = new CountDownLatch(20);
        List<String> answers = Collections.synchronizedList(new ArrayList<>());
        for (int at = 0; at < 20; at++) {
            MessageQueue queue = Site.queues(producer, topic).get(at % 2);
            producer.send(site.message(topic, String.format("m%02d", at)), queue, new SendCallback() {
                @Override
                public void onSuccess(SendResult sent) {
                    answers.add(Texts.sent(sent));
                    called.countDown();
                }

                @Override
                public void onException(Throwable failure) {
                    answers.add(Texts.failure(failure));
                    called.countDown();
                }
            });
        }
        site.print("all callbacks called: %s", called.await(20, TimeUnit.SECONDS));
        Collections.sort(answers);
        answers.forEach(site::print);
        site.print("stored " + Texts.sortedBodies(site.stored(producer, topic, 20)));
    }

    private static void oneway(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 1);
        for (int at = 0; at < 10; at++) {
            producer.sendOneway(site.message(topic, "m" + at));
        }
        site.print("stored " + Texts.sortedBodies(site.stored(producer, topic, 10)));
    }

    private static void batch(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 1);
        List<Message> batch = new ArrayList<>();
        for (int at = 0; at < 4; at++) {
            Message message = site.message(topic, "m" + at);
            message.setTags("tag" + at);
            message.setKeys("key" + at);
            batch.add(message);
        }
        SendResult sent = producer.send(batch);
        site.print("%s queue %d offset %d, %d ids of the client, %d of the broker", sent.getSendStatus(),
            sent.getMessageQueue().getQueueId(), sent.getQueueOffset(), sent.getMsgId().split(",").length,
            sent.getOffsetMsgId().split(",").length);
        for (MessageExt stored : site.stored(producer, topic, 4)) {
            site.print(Texts.message(stored));
        }
        sent = producer.send(batch, Site.queues(producer, topic).get(0));
        site.print("a second one at offset %d", sent.getQueueOffset());
    }

    private static void ordered(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 4);
        for (int at = 0; at < 24; at++) {
            int order = at % 6;
            SendResult sent = producer.send(site.message(topic, "order " + order + " step " + at / 6),
                (queues, message, argument) -> {
                    List<MessageQueue> sorted = new ArrayList<>(queues);
                    Collections.sort(sorted);
                    return sorted.get((Integer) argument % sorted.size());
                }, order);
            site.print("order %d: queue %d offset %d", order, sent.getMessageQueue().getQueueId(),
                sent.getQueueOffset());
        }
        for (MessageExt stored : site.stored(producer, topic, 24)) {
            site.print("queue %d offset %d %s", stored.getQueueId(), stored.getQueueOffset(), Texts.body(stored));
        }
    }

    private static void compressed(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 1);
        StringBuilder body = new StringBuilder();
        for (int at = 0; at < 2_000; at++) {
            body.append("line ").append(at).append('\n');
        }
        site.print(Texts.sent(producer.send(site.message(topic, body.toString()))));
        for (MessageExt stored : site.stored(producer, topic, 1)) {
            site.print(Texts.message(stored));
            site.print("the body is as it was sent: %s", Texts.body(stored).contentEquals(body));
        }
    }

    private static void autoCreate(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.name("unknown");
        producer.setDefaultTopicQueueNums(3);
        site.await("a route", () -> !Site.queues(producer, "TBW102").isEmpty());
        site.print("%s", producer.send(site.message(topic, "first")).getSendStatus());
        site.await("the route", () -> Site.queues(producer, topic).size() == 3);
        site.print("queues " + Site.queues(producer, topic));
        site.print("stored " + Texts.bodies(site.stored(producer, topic, 1)));
    }

    private static void refused(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 1);
        MessageQueue queue = Site.queues(producer, topic).get(0);
        site.printFailure("a queue that is not there",
            () -> producer.send(site.message(topic, "m"), new MessageQueue(topic, queue.getBrokerName(), 5)));
        site.printFailure("a broker that is not there",
            () -> producer.send(site.message(topic, "m"), new MessageQueue(topic, "broker-x", 0)));
        site.printFailure("too long a body",
            () -> producer.send(new Message(topic, new byte[4 * 1024 * 1024 + 1]), queue));
        site.printFailure("an empty body", () -> producer.send(new Message(topic, new byte[0]), queue));
        site.printFailure("a topic with a bad name", () -> producer.send(site.message("bad topic", "m")));
        site.printFailure("a topic of the broker's own", () -> producer.send(site.message("SCHEDULE_TOPIC_XXXX", "m")));
        Message large = site.message(topic, "m");
        large.putUserProperty("large", new String(new char[40_000]).replace('\0', 'x'));
        site.printFailure("properties above 32 KiB", () -> producer.send(large, queue));
        site.printFailure("queues of a topic that is not there",
            () -> producer.fetchPublishMessageQueues(site.name("unknown")));
        site.printFailure("a topic with a bad name created",
            () -> {
                Version.createTopic(producer, "bad topic", 1);
                return null;
            });
        Message late = site.message(topic, "m");
        late.setDelayTimeLevel(99);
        site.print("a delay level that is not there: %s", producer.send(late, queue).getSendStatus());
    }
}
