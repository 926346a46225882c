package foreign;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.example.benchmark.BatchProducer;
import org.apache.rocketmq.example.benchmark.Consumer;
import org.apache.rocketmq.example.benchmark.Producer;
import org.apache.rocketmq.remoting.protocol.header.QueryConsumerOffsetRequestHeader;

/**
 * Short runs of the benchmark programs that come with Apache RocketMQ: {@code Benchmarks NAME_SERVER WHICH}. WHICH is
 * {@code counted}, {@code batch} or {@code async}; the batches are sent until this process ends.
 */
public final class Benchmarks {
    private static final Pattern COMPLETE = Pattern.compile("Send Failed: (\\d+).*Response Failed: (\\d+)");
    private static final String SYNC = "foreign-bench-sync";
    private static final String BATCH = "foreign-bench-batch";
    private static final String ASYNC = "foreign-bench-async";
    private static final String GROUP = "benchmark_consumer";
    private static final int MESSAGES = 3_000;
    private static final long PATIENCE_MS = 40_000;

    private final PrintStream console = System.out;
    private final String nameServer;
    private final DefaultMQPullConsumer reader;

    private Benchmarks(String nameServer) throws Exception {
        this.nameServer = nameServer;
        reader = new DefaultMQPullConsumer("benchmark_reader");
        reader.setNamesrvAddr(nameServer);
        reader.start();
    }

    private interface Body {
        void main(String[] arguments) throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        Benchmarks benchmarks = new Benchmarks(arguments[0]);
        if (arguments[1].equals("counted")) {
            benchmarks.send();
            benchmarks.consume();
        } else if (arguments[1].equals("batch")) {
            benchmarks.sendBatches();
        } else {
            benchmarks.sendAsynchronously();
        }
        benchmarks.console.println("=== done");
        benchmarks.console.flush();
        System.exit(0);
    }

    private void send() throws Exception {
        console.println("=== producer | Producer, 4 threads, 3000 messages");
        ByteArrayOutputStream output = new ByteArrayOutputStream();
        System.setOut(new PrintStream(output, true));
        Producer.main(new String[] {"-n", nameServer, "-t", SYNC, "-q", String.valueOf(MESSAGES), "-w", "4"});
        System.setOut(console);
        Matcher complete = COMPLETE.matcher(output.toString());
        console.println(complete.find()
            ? "failed " + complete.group(1) + ", refused " + complete.group(2) : "FAILED " + output);
        await("all to be stored", () -> stored(SYNC) == MESSAGES);
        console.println("stored " + stored(SYNC));
    }

    private void consume() throws Exception {
        console.println("=== consumer | Consumer: all is consumed and committed");
        start(Consumer::main, "-n", nameServer, "-t", SYNC, "-g", GROUP);
        await("all to be committed", () -> committed() == MESSAGES);
        console.println("committed " + committed());
    }

    private void sendBatches() throws Exception {
        console.println("=== batch-producer | BatchProducer, batches of 16, until 3000 messages are stored");
        start(BatchProducer::main, "-n", nameServer, "-t", BATCH, "-w", "1", "-b", "16");
        await("enough to be stored", () -> stored(BATCH) >= MESSAGES);
        console.println("enough is stored: " + (stored(BATCH) >= MESSAGES));
    }

    /**
     * Without a number of messages, the program fills the heap with those that wait for the connection. With one, it
     * closes its client as soon as it has handed over the last of them, which is before they are sent.
     */
    private void sendAsynchronously() throws Exception {
        console.println("=== producer-async | Producer, asynchronous, 3000 messages");
        System.setOut(new PrintStream(new HeldBack(), true));
        Producer.main(new String[] {"-n", nameServer, "-t", ASYNC, "-q", String.valueOf(MESSAGES), "-y", "true"});
        console.println("stored " + stored(ASYNC));
    }

    /** What the asynchronous producer prints. It prints its last line before it closes its client. */
    private final class HeldBack extends ByteArrayOutputStream {
        private boolean complete;

        @Override
        public synchronized void write(byte[] bytes, int offset, int length) {
            super.write(bytes, offset, length);
            if (!complete && toString().contains("[Complete]")) {
                complete = true;
                try {
                    Benchmarks.this.await("all to be stored", () -> stored(ASYNC) == MESSAGES);
                } catch (Exception failure) {
                    console.println("FAILED " + failure);
                }
            }
        }
    }

    /** The program runs until this process ends; what it reports depends on the machine. */
    private void start(Body program, String... arguments) {
        System.setOut(new PrintStream(new ByteArrayOutputStream(), true));
        Thread thread = new Thread(() -> {
            try {
                program.main(arguments);
            } catch (Exception failure) {
                console.println("FAILED " + failure);
            }
        });
        thread.setDaemon(true);
        thread.start();
    }

    private interface Condition {
        boolean holds() throws Exception;
    }

    private void await(String what, Condition condition) throws Exception {
        long deadline = System.currentTimeMillis() + PATIENCE_MS;
        while (System.currentTimeMillis() < deadline) {
            if (condition.holds()) {
                return;
            }
            Thread.sleep(50);
        }
        console.println("FAILED waited in vain for " + what);
    }

    private long stored(String topic) throws Exception {
        long stored = 0;
        for (MessageQueue queue : reader.fetchSubscribeMessageQueues(topic)) {
            stored += reader.maxOffset(queue);
        }
        return stored;
    }

    private long committed() throws Exception {
        long committed = 0;
        for (MessageQueue queue : reader.fetchSubscribeMessageQueues(SYNC)) {
            QueryConsumerOffsetRequestHeader header = new QueryConsumerOffsetRequestHeader();
            header.setConsumerGroup(GROUP);
            header.setTopic(SYNC);
            header.setQueueId(queue.getQueueId());
            committed += reader.getDefaultMQPullConsumerImpl().getRebalanceImpl().getmQClientFactory()
                .getMQClientAPIImpl().queryConsumerOffset(System.getProperty("foreign.broker"), header, 5_000);
        }
        return committed;
    }
}
