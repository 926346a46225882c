package foreign;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.ClientConfig;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.impl.MQClientAPIImpl;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.RPCHook;

/** Where one feature runs: its servers, its names, what it has opened and what it has printed. */
final class Site {
    /** Generous: the machine is shared. */
    private static final long PATIENCE_MS = 25_000;
    private static final long POLL_MS = 20;

    final String nameServer;
    private final String tag;
    private final String feature;
    private final List<String> lines = Collections.synchronizedList(new ArrayList<>());
    private final Deque<Runnable> opened = new ArrayDeque<>();
    private RPCHook hook;
    private boolean encrypted;
    private int clients;
    private DefaultMQPullConsumer reader;

    Site(String nameServer, String tag, String feature) {
        this.nameServer = nameServer;
        this.tag = tag;
        this.feature = feature;
    }

    /** All clients from now on sign their requests. */
    void signWith(RPCHook hook) {
        this.hook = hook;
    }

    RPCHook hook() {
        return hook;
    }

    /** All clients from now on speak TLS. */
    void encrypt() {
        encrypted = true;
    }

    /** A name of a topic or group that no other feature has. */
    String name(String suffix) {
        return tag + "-" + feature + "-" + suffix;
    }

    void print(String line) {
        lines.add(Texts.steady(line));
    }

    void print(String format, Object... arguments) {
        print(String.format(format, arguments));
    }

    void failed(Throwable failure) {
        String cause = failure.getCause() == null ? "" : ", because of " + Texts.failure(failure.getCause());
        print("FAILED " + Texts.failure(failure) + cause);
        failure.printStackTrace();
    }

    /** What it fails with is what is compared. */
    void printFailure(String what, Callable<?> call) {
        try {
            call.call();
            print(what + ": no failure");
        } catch (Exception failure) {
            print(what + ": " + Texts.failure(failure));
        }
    }

    List<String> lines() {
        return lines;
    }

    void onClose(Runnable close) {
        opened.push(close);
    }

    void close() {
        while (!opened.isEmpty()) {
            try {
                opened.pop().run();
            } catch (RuntimeException failure) {
                failed(failure);
            }
        }
    }

    /** A client of its own for each, with its own connections. */
    <C extends ClientConfig> C configured(C client) {
        client.setNamesrvAddr(nameServer);
        client.setInstanceName(name("client" + clients++));
        client.setUseTLS(encrypted);
        client.setPollNameServerInterval(1_000);
        client.setHeartbeatBrokerInterval(1_000);
        return client;
    }

    DefaultMQProducer producer() throws MQClientException {
        return started(new DefaultMQProducer(name("producers"), hook));
    }

    <P extends DefaultMQProducer> P started(P producer) throws MQClientException {
        configured(producer);
        producer.setSendMsgTimeout(10_000);
        producer.start();
        onClose(producer::shutdown);
        return producer;
    }

    /** Configured, not started; closed with the feature. */
    DefaultMQPushConsumer pushConsumer(String group) {
        DefaultMQPushConsumer consumer = configured(new DefaultMQPushConsumer(
            group, hook, new org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely()));
        consumer.setConsumeFromWhere(org.apache.rocketmq.common.consumer.ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        // What was delivered is committed.
        consumer.setAwaitTerminationMillisWhenShutdown(5_000);
        onClose(consumer::shutdown);
        return consumer;
    }

    DefaultMQPullConsumer pullConsumer(String group) throws MQClientException {
        DefaultMQPullConsumer consumer = configured(new DefaultMQPullConsumer(group, hook));
        consumer.start();
        onClose(consumer::shutdown);
        return consumer;
    }

    /** Waits until the broker has forgotten all members of a group: a newcomer would share the queues with them. */
    void awaitGone(DefaultMQProducer producer, String group) throws Exception {
        MQClientAPIImpl api = Version.factory(producer).getMQClientAPIImpl();
        await("the members to leave", () -> {
            try {
                return api.getConsumerIdListByGroup(System.getProperty("foreign.broker"), group, 3_000).isEmpty();
            } catch (MQBrokerException none) {
                return true;
            }
        });
    }

    /** Creates a topic and waits until it can be found. */
    String topic(DefaultMQProducer producer, String suffix, int queues) throws Exception {
        String topic = name(suffix);
        // A client that is just starting may run out of its short time-out.
        await("the creation of " + suffix, () -> {
            Version.createTopic(producer, topic, queues);
            return true;
        });
        await("the route of " + suffix, () -> queues(producer, topic).size() == queues);
        return topic;
    }

    /** In the order of their ids. */
    static List<MessageQueue> queues(DefaultMQProducer producer, String topic) throws MQClientException {
        List<MessageQueue> queues = new ArrayList<>(producer.fetchPublishMessageQueues(topic));
        Collections.sort(queues);
        return queues;
    }

    Message message(String topic, String body) {
        return new Message(topic, body.getBytes(java.nio.charset.StandardCharsets.UTF_8));
    }

    /** Whether it came true; if not, that is printed. */
    boolean await(String what, Callable<Boolean> condition) throws Exception {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE_MS);
        Exception last = null;
        while (System.nanoTime() < deadline) {
            try {
                if (condition.call()) {
                    return true;
                }
                last = null;
            } catch (MQClientException | IllegalStateException failure) {
                // The latter is what a time-out at a NameServer becomes.
                last = failure;
            }
            Thread.sleep(POLL_MS);
        }
        print("FAILED waited in vain for " + what + (last == null ? "" : ": " + Texts.failure(last)));
        return false;
    }

    /** All that is stored in a topic, queue by queue, as soon as there are so many. */
    List<MessageExt> stored(DefaultMQProducer producer, String topic, int count) throws Exception {
        List<MessageExt> found = new ArrayList<>();
        await(count + " messages in " + topic, () -> {
            found.clear();
            for (MessageQueue queue : queues(producer, topic)) {
                found.addAll(stored(queue));
            }
            return found.size() >= count;
        });
        return found;
    }

    private List<MessageExt> stored(MessageQueue queue) throws Exception {
        if (reader == null) {
            reader = pullConsumer(name("readers"));
        }
        List<MessageExt> found = new ArrayList<>();
        long max = reader.maxOffset(queue);
        long offset = reader.minOffset(queue);
        while (offset < max) {
            PullResult pulled = reader.pull(queue, "*", offset, 32);
            if (pulled.getMsgFoundList() != null) {
                found.addAll(pulled.getMsgFoundList());
            }
            if (pulled.getNextBeginOffset() <= offset) {
                break;
            }
            offset = pulled.getNextBeginOffset();
        }
        return found;
    }
}
