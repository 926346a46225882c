package foreign;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.rocketmq.client.consumer.AllocateMessageQueueStrategy;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMachineRoomNearby;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragelyByCircle;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueByConfig;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueByMachineRoom;
import org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueConsistentHash;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;

/**
 * Consumers of Apache's client: {@code Members NAMESRV}. `tests/members/ours.rs` is its twin with this project's client,
 * and says what the lines on standard input and output mean.
 */
public final class Members {
    private static final Map<String, Joined> MEMBERS = new HashMap<>();
    private static final Map<String, String> TOPICS = new HashMap<>();

    private Members() {
    }

    public static void main(String[] arguments) throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ");
            switch (words[0]) {
                case "join":
                    join(arguments[0], words);
                    print("joined " + words[1]);
                    break;
                case "queues":
                    print("queues " + words[1] + queues(words[1]));
                    break;
                case "leave":
                    MEMBERS.remove(words[1]).leave();
                    print("left " + words[1]);
                    break;
                default:
                    throw new IllegalArgumentException(line);
            }
        }
        // Whoever holds the other end is gone.
        Runtime.getRuntime().halt(0);
    }

    private static void join(String nameServer, String[] words) throws Exception {
        Map<String, String> settings = new HashMap<>();
        for (String word : words) {
            int equals = word.indexOf('=');
            settings.put(equals < 0 ? word : word.substring(0, equals), word.substring(equals + 1));
        }
        String topic = settings.get("topic");
        Member member = new Member(words[1], Long.parseLong(settings.get("work")));
        boolean pulls = settings.get("kind").equals("pull");
        TOPICS.put(words[1], topic);
        MEMBERS.put(words[1], pulls ? new Puller(nameServer, member, settings) : pushed(nameServer, member, settings));
    }

    private static Joined pushed(String nameServer, Member member, Map<String, String> settings) throws Exception {
        String topic = settings.get("topic");
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(settings.get("group"));
        consumer.setNamesrvAddr(nameServer);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        // One address everywhere, because strategies look at the ids of members, and the file of a broadcast member is
        // named after it.
        consumer.setClientIP("10.0.0.1");
        // The route of the retry topic is new, too.
        consumer.setPollNameServerInterval(1_000);
        consumer.setPersistConsumerOffsetInterval(Integer.parseInt(settings.get("persist")));
        consumer.setMaxReconsumeTimes(Integer.parseInt(settings.get("max")));
        // What was handled is committed.
        consumer.setAwaitTerminationMillisWhenShutdown(5_000);
        consumer.setAllocateMessageQueueStrategy(strategy(settings.get("strategy"), topic));
        if (settings.get("kind").equals("pop")) {
            consumer.setClientRebalance(false);
            consumer.setPopInvisibleTime(10_000);
        }
        if (settings.get("kind").equals("broadcast")) {
            // The instance keeps its name, so that the member finds its file again.
            consumer.setMessageModel(MessageModel.BROADCASTING);
        } else {
            consumer.setInstanceName(member.name);
        }
        consumer.setEnableTrace(Boolean.parseBoolean(settings.get("trace")));
        if (settings.get("kind").equals("orderly")) {
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> member.handle(messages)
                ? ConsumeOrderlyStatus.SUCCESS : ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT);
        } else {
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                context.setDelayLevelWhenNextConsume(1);
                return member.handle(messages) ? ConsumeConcurrentlyStatus.CONSUME_SUCCESS
                    : ConsumeConcurrentlyStatus.RECONSUME_LATER;
            });
        }
        consumer.subscribe(topic, "*");
        consumer.start();
        return new Joined() {
            @Override
            public Stream<MessageQueue> queues() {
                return consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().entrySet().stream()
                    .filter(entry -> !entry.getValue().isDropped()).map(Map.Entry::getKey);
            }

            @Override
            public void leave() {
                consumer.shutdown();
            }
        };
    }

    private static String queues(String name) throws Exception {
        return MEMBERS.get(name).queues().filter(queue -> queue.getTopic().equals(TOPICS.get(name)))
            .map(queue -> " " + queue.getBrokerName() + ":" + queue.getQueueId()).collect(Collectors.joining());
    }

    private static AllocateMessageQueueStrategy strategy(String text, String topic) {
        String[] parts = text.split("/");
        switch (parts[0]) {
            case "avg":
                return new AllocateMessageQueueAveragely();
            case "circle":
                return new AllocateMessageQueueAveragelyByCircle();
            case "hash":
                return new AllocateMessageQueueConsistentHash();
            case "room":
                AllocateMessageQueueByMachineRoom rooms = new AllocateMessageQueueByMachineRoom();
                rooms.setConsumeridcs(Collections.singleton(parts[1]));
                return rooms;
            case "nearby":
                return new AllocateMachineRoomNearby(new AllocateMessageQueueAveragely(), new Rooms());
            case "config":
                List<MessageQueue> queues = new ArrayList<>();
                for (String id : parts[2].split(",")) {
                    queues.add(new MessageQueue(topic, parts[1], Integer.parseInt(id)));
                }
                AllocateMessageQueueByConfig config = new AllocateMessageQueueByConfig();
                config.setMessageQueueList(queues);
                return config;
            default:
                throw new IllegalArgumentException(text);
        }
    }

    private static synchronized void print(String line) {
        System.out.println("@ " + line);
    }

    /** Brokers are in the room of the last letter of their name, members in that of their first. */
    private static final class Rooms implements AllocateMachineRoomNearby.MachineRoomResolver {
        @Override
        public String brokerDeployIn(MessageQueue queue) {
            return queue.getBrokerName().substring(queue.getBrokerName().length() - 1);
        }

        @Override
        public String consumerDeployIn(String clientId) {
            return clientId.split("@")[1].substring(0, 1);
        }
    }

    /** A consumer that runs. */
    interface Joined {
        /** The queues that it has now, of all topics. */
        Stream<MessageQueue> queues() throws Exception;

        /** What it handled is committed when this returns. */
        void leave() throws Exception;
    }

    /** Handles messages, and says so. */
    static final class Member {
        final String name;
        private final long work;

        Member(String name, long work) {
            this.name = name;
            this.work = work;
        }

        boolean handle(List<MessageExt> messages) {
            boolean handled = true;
            for (MessageExt message : messages) {
                long began = micros();
                if (work > 0) {
                    try {
                        Thread.sleep(work);
                    } catch (InterruptedException stopped) {
                        return false;
                    }
                }
                String body = new String(message.getBody(), StandardCharsets.UTF_8);
                boolean failed = body.startsWith("always")
                    || body.startsWith("once") && message.getReconsumeTimes() == 0;
                handled &= !failed;
                print("done " + name + " " + message.getTopic() + " " + message.getQueueId() + " " + message.getQueueOffset()
                    + " " + message.getReconsumeTimes() + " " + began + " " + micros() + " " + body);
            }
            return handled;
        }

        private static long micros() {
            Instant now = Instant.now();
            return now.getEpochSecond() * 1_000_000 + now.getNano() / 1_000;
        }
    }
}
