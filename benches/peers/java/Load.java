import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyContext;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyContext;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.impl.factory.MQClientInstance;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.message.MessageRequestMode;

/**
 * Apache's Java client under load: `java Load NAMESRV`, driven by the protocol in `load.rs`.
 */
public final class Load {
    private static final String TOPIC = "Bench";

    public static void main(String[] arguments) throws Exception {
        // Threads of the client would keep the process from ending when this one fails.
        Thread.currentThread().setUncaughtExceptionHandler((thread, failure) -> {
            failure.printStackTrace();
            System.exit(1);
        });
        DefaultMQProducer producer = new DefaultMQProducer("bench_java");
        producer.setNamesrvAddr(arguments[0]);
        producer.start();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null && !line.isBlank(); line = in.readLine()) {
            String[] words = line.trim().split("\\s+");
            long messages = Long.parseLong(words[7]);
            if (messages > 0 || words[0].equals("latency")) {
                Consuming consuming = new Consuming(arguments[0], words[0], Integer.parseInt(words[1]),
                    Integer.parseInt(words[5]), new LongAdder(), new Histogram(), new Random().nextLong(),
                    topics(Integer.parseInt(words[6])), producer);
                System.out.println(messages > 0 ? consuming.all(messages) : consuming.atRate(producer,
                    Integer.parseInt(words[2]), Long.parseLong(words[3]), Double.parseDouble(words[4]),
                    Integer.parseInt(words[8])));
                continue;
            }
            Run run = new Run(producer, Integer.parseInt(words[1]), new byte[Integer.parseInt(words[2])],
                Long.parseLong(words[3]), Double.parseDouble(words[4]), Integer.parseInt(words[5]),
                topics(Integer.parseInt(words[6])));
            Arrays.fill(run.body, (byte) 'x');
            for (String topic : run.topics) {
                producer.send(new Message(topic, run.body));
            }
            System.out.println("ready");
            System.out.println(run.of(words[0]));
        }
        producer.shutdown();
        System.exit(0);
    }

    private static String[] topics(int count) {
        String[] topics = new String[count];
        for (int i = 0; i < count; i++) {
            topics[i] = i == 0 ? TOPIC : TOPIC + i;
        }
        return topics;
    }

    private record Run(DefaultMQProducer producer, int inFlight, byte[] body, long millis, double rate, int batch,
                       String[] topics) {
        String of(String mode) throws Exception {
            Histogram histogram = new Histogram();
            AtomicLong failed = new AtomicLong();
            producer.setAutoBatch(mode.equals("auto_batch"));
            long began = System.nanoTime();
            long end = began + millis * 1_000_000;
            switch (mode) {
                case "await", "auto_batch" -> inThreads(histogram, failed, end, 1);
                case "batch" -> inThreads(histogram, failed, end, batch);
                case "callback" -> withCallbacks(histogram, failed, end);
                case "open" -> atRate(histogram, failed, began, end);
                default -> throw new IllegalArgumentException(mode);
            }
            return histogram.json((System.nanoTime() - began) / 1e9, failed.get());
        }

        private void inThreads(Histogram all, AtomicLong failed, long end, int count) throws InterruptedException {
            List<Thread> threads = new ArrayList<>();
            for (int i = 0; i < inFlight; i++) {
                Thread thread = new Thread(() -> all.add(sendInTurn(failed, end, count)));
                threads.add(thread);
                thread.start();
            }
            for (Thread thread : threads) {
                thread.join();
            }
        }

        private Histogram sendInTurn(AtomicLong failed, long end, int count) {
            Histogram mine = new Histogram();
            long before = System.nanoTime();
            while (before < end) {
                boolean sent = send(count);
                long now = System.nanoTime();
                if (sent) {
                    mine.add(now - before, count);
                } else {
                    failed.addAndGet(count);
                }
                before = now;
            }
            return mine;
        }

        private boolean send(int count) {
            try {
                if (count == 1) {
                    producer.send(new Message(TOPIC, body));
                } else {
                    List<Message> messages = new ArrayList<>(count);
                    for (int i = 0; i < count; i++) {
                        messages.add(new Message(TOPIC, body));
                    }
                    producer.send(messages);
                }
                return true;
            } catch (Exception error) {
                return false;
            }
        }

        private void withCallbacks(Histogram all, AtomicLong failed, long end) throws Exception {
            Semaphore permits = new Semaphore(inFlight);
            for (int turn = 0; System.nanoTime() < end; turn = (turn + 1) % topics.length) {
                permits.acquire();
                send(topics[turn], new Counting(all, failed, permits, System.nanoTime()));
            }
            permits.acquire(inFlight);
        }

        private void atRate(Histogram all, AtomicLong failed, long began, long end) throws Exception {
            int most = 1 << 20;
            Semaphore permits = new Semaphore(most);
            long sent = 0;
            for (long now = began; now < end; now = System.nanoTime()) {
                long due = (long) ((now - began) / 1e9 * rate);
                for (; sent < due; sent++) {
                    permits.acquire();
                    send(TOPIC, new Counting(all, failed, permits, began + (long) (sent / rate * 1e9)));
                }
                LockSupport.parkNanos(500_000);
            }
            permits.acquire(most);
        }

        private void send(String topic, Counting callback) throws Exception {
            try {
                producer.send(new Message(topic, body), callback);
            } catch (MQClientException error) {
                callback.onException(error);
            }
        }
    }

    private record Counting(Histogram all, AtomicLong failed, Semaphore permits, long from) implements SendCallback {
        @Override
        public void onSuccess(SendResult result) {
            all.addShared(System.nanoTime() - from);
            permits.release();
        }

        @Override
        public void onException(Throwable error) {
            failed.incrementAndGet();
            permits.release();
        }
    }

    private record Consuming(String nameServer, String mode, int threads, int batch, LongAdder seen,
                             Histogram histogram, long number, String[] topics, DefaultMQProducer producer) {
        private static final AtomicLong GROUPS = new AtomicLong();

        /** Consumes all messages of the topic once, in a group that is new. */
        String all(long messages) throws Exception {
            System.out.println("ready");
            if (mode.equals("poll")) {
                return polled(messages);
            }
            if (mode.equals("read_queue")) {
                return read(messages);
            }
            DefaultMQPushConsumer consumer = start();
            waitFor(1);
            long began = System.nanoTime();
            waitFor(messages);
            double seconds = (System.nanoTime() - began) / 1e9;
            consumer.shutdown();
            histogram.add(0, (int) seen.sum());
            return histogram.json(seconds, 0);
        }

        /** Polls all messages of the topic once, in a group that is new. */
        private String polled(long messages) throws Exception {
            String group = "java_" + ProcessHandle.current().pid() + "_" + GROUPS.incrementAndGet();
            DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(group);
            consumer.setNamesrvAddr(nameServer);
            consumer.setInstanceName(group);
            consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
            // The default, 10, makes smaller requests than those of the other clients.
            consumer.setPullBatchSize(32);
            consumer.subscribe(TOPIC, "*");
            consumer.start();
            long began = 0;
            while (seen.sum() < messages) {
                List<MessageExt> some = consumer.poll(1000);
                if (began == 0 && !some.isEmpty()) {
                    began = System.nanoTime();
                }
                seen.add(some.size());
            }
            double seconds = (System.nanoTime() - began) / 1e9;
            consumer.shutdown();
            histogram.add(0, (int) seen.sum());
            return histogram.json(seconds, 0);
        }

        /** Reads each queue of the topic from its begin to its end, a thread for each. */
        private String read(long messages) throws Exception {
            DefaultMQPullConsumer consumer = new DefaultMQPullConsumer("java_read_" + GROUPS.incrementAndGet());
            consumer.setNamesrvAddr(nameServer);
            consumer.setInstanceName("read_" + number);
            consumer.start();
            Set<MessageQueue> queues = consumer.fetchSubscribeMessageQueues(TOPIC);
            long began = System.nanoTime();
            List<Thread> threads = new ArrayList<>();
            for (MessageQueue queue : queues) {
                Thread thread = new Thread(() -> {
                    try {
                        long end = consumer.maxOffset(queue);
                        for (long at = consumer.minOffset(queue); at < end;) {
                            PullResult pulled = consumer.pull(queue, "*", at, 32);
                            at = pulled.getNextBeginOffset();
                            seen.add(pulled.getMsgFoundList() == null ? 0 : pulled.getMsgFoundList().size());
                        }
                    } catch (Exception e) {
                        throw new IllegalStateException(e);
                    }
                });
                threads.add(thread);
                thread.start();
            }
            for (Thread thread : threads) {
                thread.join();
            }
            double seconds = (System.nanoTime() - began) / 1e9;
            consumer.shutdown();
            if (seen.sum() != messages) {
                throw new IllegalStateException(seen.sum() + " messages");
            }
            histogram.add(0, (int) seen.sum());
            return histogram.json(seconds, 0);
        }

        /** Sends at a rate to a listener of this process. Messages of other runs do not count. */
        String atRate(DefaultMQProducer producer, int bytes, long millis, double rate, int queues) throws Exception {
            DefaultMQPushConsumer consumer = start();
            while (consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().size() < queues) {
                Thread.sleep(1);
            }
            // The first pull of a queue waits for half a second.
            Thread.sleep(1000);
            System.out.println("ready");
            long began = System.nanoTime();
            long end = began + millis * 1_000_000;
            long sent = 0;
            for (long now = began; now < end; now = System.nanoTime()) {
                for (; sent < (now - began) / 1e9 * rate; sent++) {
                    byte[] body = ByteBuffer.allocate(bytes).putLong(began + (long) (sent / rate * 1e9)).putLong(number).array();
                    producer.send(new Message(TOPIC, body), new SendCallback() {
                        @Override
                        public void onSuccess(SendResult result) {
                        }

                        @Override
                        public void onException(Throwable error) {
                            throw new IllegalStateException(error);
                        }
                    });
                }
                LockSupport.parkNanos(500_000);
            }
            waitFor(sent);
            double seconds = (System.nanoTime() - began) / 1e9;
            consumer.shutdown();
            return histogram.json(seconds, 0);
        }

        private DefaultMQPushConsumer start() throws Exception {
            String group = "java_" + ProcessHandle.current().pid() + "_" + GROUPS.incrementAndGet();
            DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
            consumer.setNamesrvAddr(nameServer);
            consumer.setInstanceName(group);
            consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
            consumer.setConsumeThreadMin(threads);
            consumer.setConsumeThreadMax(threads);
            if (mode.equals("pop")) {
                handOut(group);
                consumer.setClientRebalance(false);
                consumer.setPopBatchNums(32);
            }
            if (mode.equals("batch_listener")) {
                consumer.setConsumeMessageBatchMaxSize(batch);
            }
            for (String topic : topics) {
                consumer.subscribe(topic, "*");
            }
            if (mode.equals("orderly")) {
                consumer.registerMessageListener((List<MessageExt> messages, ConsumeOrderlyContext context) -> {
                    handle(messages);
                    return ConsumeOrderlyStatus.SUCCESS;
                });
            } else {
                consumer.registerMessageListener((List<MessageExt> messages, ConsumeConcurrentlyContext context) -> {
                    handle(messages);
                    return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
                });
            }
            consumer.start();
            return consumer;
        }

        /** Says to the broker that it hands messages to the group. */
        private void handOut(String group) throws Exception {
            MQClientInstance client = producer.getDefaultMQProducerImpl().getMqClientFactory();
            client.updateTopicRouteInfoFromNameServer(TOPIC);
            String broker = producer.fetchPublishMessageQueues(TOPIC).get(0).getBrokerName();
            client.getMQClientAPIImpl().setMessageRequestMode(client.findBrokerAddressInPublish(broker), TOPIC, group,
                MessageRequestMode.POP, 0, 3000);
        }

        private void handle(List<MessageExt> messages) {
            if (!mode.equals("latency")) {
                seen.add(messages.size());
                return;
            }
            for (MessageExt message : messages) {
                ByteBuffer body = ByteBuffer.wrap(message.getBody());
                long due = body.getLong();
                if (body.getLong() == number) {
                    histogram.addShared(System.nanoTime() - due);
                    seen.increment();
                }
            }
        }

        private void waitFor(long count) throws InterruptedException {
            while (seen.sum() < count) {
                Thread.sleep(1);
            }
        }
    }

    /** Times in nanoseconds, within 0.8 %; the same buckets as in the Rust programs. */
    private static final class Histogram {
        private final int[] buckets = new int[256 + 128 * 32];
        private long count;

        void add(long nanos, int times) {
            buckets[Math.min(bucket(nanos), buckets.length - 1)] += times;
            count += times;
        }

        synchronized void addShared(long nanos) {
            add(nanos, 1);
        }

        synchronized void add(Histogram other) {
            for (int i = 0; i < buckets.length; i++) {
                buckets[i] += other.buckets[i];
            }
            count += other.count;
        }

        private static int bucket(long nanos) {
            if (nanos < 256) {
                return (int) nanos;
            }
            int shift = 63 - Long.numberOfLeadingZeros(nanos) - 7;
            return (int) (256 + (shift - 1) * 128L + (nanos >> shift) - 128);
        }

        private static long lowest(int bucket) {
            if (bucket < 256) {
                return bucket;
            }
            int shift = (bucket - 256) / 128 + 1;
            return ((bucket - 256) % 128 + 128L) << shift;
        }

        private double quantile(double part) {
            long rank = (long) (count * part);
            long seen = 0;
            for (int i = 0; i < buckets.length; i++) {
                seen += buckets[i];
                if (seen > rank) {
                    return lowest(i) / 1000.0;
                }
            }
            return 0;
        }

        synchronized String json(double seconds, long failed) {
            return String.format(Locale.ROOT,
                "{\"messages\":%d,\"failed\":%d,\"seconds\":%.6f,\"p50\":%.2f,\"p99\":%.2f,\"p999\":%.2f}",
                count, failed, seconds, quantile(0.5), quantile(0.99), quantile(0.999));
        }
    }
}
