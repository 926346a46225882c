package foreign;

import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;

/** Messages that were not consumed: again, and in the end to the dead letters. */
final class Retrying {
    private Retrying() {
    }

    static void register(Main main) {
        main.add("retry", "a listener that fails twice: how the message comes again", Retrying::again);
        main.add("dead-letter", "a listener that always fails: tries, and the dead letter as it is stored", Retrying::given);
        main.add("dead-letter-orderly", "the same for an orderly listener", Retrying::givenInOrder);
        main.add("send-back", "a pull consumer sends a message back: the retry topic", Retrying::sentBack);
    }

    private static DefaultMQPushConsumer consumer(Site site, String topic, int tries) throws Exception {
        DefaultMQPushConsumer consumer = site.pushConsumer(site.name("group"));
        consumer.subscribe(topic, "*");
        consumer.setMaxReconsumeTimes(tries);
        return consumer;
    }

    /** Seen when it is delivered: the client counts on in the same object. */
    private static String seen(MessageExt message) {
        return Texts.body(message) + " of " + message.getTopic() + " try " + message.getReconsumeTimes() + " "
            + Texts.properties(message.getProperties());
    }

    private static Message message(Site site, String topic) {
        Message message = site.message(topic, "difficult");
        message.setTags("tag");
        message.setKeys("key");
        message.putUserProperty("colour", "red");
        return message;
    }

    private static void again(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 1);
        producer.send(message(site, topic));
        producer.send(site.message(topic, "easy"));
        List<String> seen = new CopyOnWriteArrayList<>();
        DefaultMQPushConsumer consumer = consumer(site, topic, 5);
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            MessageExt message = messages.get(0);
            seen.add(seen(message));
            context.setDelayLevelWhenNextConsume(1);
            return Texts.body(message).equals("difficult") && message.getReconsumeTimes() < 2
                ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        site.await("all tries", () -> seen.size() >= 4);
        seen.stream().sorted().forEach(site::print);
    }

    private static void given(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 1);
        producer.send(message(site, topic));
        List<Integer> tries = new CopyOnWriteArrayList<>();
        DefaultMQPushConsumer consumer = consumer(site, topic, 1);
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            tries.add(messages.get(0).getReconsumeTimes());
            context.setDelayLevelWhenNextConsume(1);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        consumer.start();
        printDeadLetters(site, producer);
        site.print("tries " + tries);
    }

    private static void givenInOrder(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 1);
        producer.send(message(site, topic));
        List<Integer> tries = new CopyOnWriteArrayList<>();
        DefaultMQPushConsumer consumer = consumer(site, topic, 1);
        consumer.setSuspendCurrentQueueTimeMillis(100);
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            tries.add(messages.get(0).getReconsumeTimes());
            return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
        });
        consumer.start();
        printDeadLetters(site, producer);
        site.print("tries " + tries);
    }

    private static void printDeadLetters(Site site, DefaultMQProducer producer) throws Exception {
        String dead = "%DLQ%" + site.name("group");
        site.await("the dead letter topic", () -> !producer.fetchPublishMessageQueues(dead).isEmpty());
        site.print("queues " + Site.queues(producer, dead));
        for (MessageExt letter : site.stored(producer, dead, 1)) {
            site.print(Texts.message(letter));
        }
    }

    private static void sentBack(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 1);
        MessageQueue queue = Site.queues(producer, topic).get(0);
        producer.send(message(site, topic), queue);
        String group = site.name("group");
        DefaultMQPullConsumer consumer = site.pullConsumer(group);
        site.stored(producer, topic, 1);
        MessageExt message = consumer.pull(queue, "*", 0, 1).getMsgFoundList().get(0);
        consumer.sendMessageBack(message, 1, queue.getBrokerName());
        String retry = "%RETRY%" + group;
        site.await("the retry topic", () -> !producer.fetchPublishMessageQueues(retry).isEmpty());
        site.print("queues " + Site.queues(producer, retry));
        for (MessageExt back : site.stored(producer, retry, 1)) {
            Map<String, String> properties = back.getProperties();
            site.print(Texts.message(back));
            site.print("it names the first by its id: %s",
                message.getMsgId().equals(properties.get("UNIQ_KEY")));
        }
    }
}
