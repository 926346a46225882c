package foreign;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.header.QueryConsumerOffsetRequestHeader;
import org.apache.rocketmq.tools.command.MQAdminStartup;

/** Runs commands of mqadmin one after the other in one JVM, and prints what each prints: {@code Mqadmin NAME_SERVER}. */
public final class Mqadmin {
    private static final String TOPIC = "admin-topic";
    private static final String GROUP = "admin-group";
    private static final Pattern DATE = Pattern.compile("\\d{4}-\\d\\d-\\d\\d[ #,T]\\d\\d:\\d\\d:\\d\\d[,.:]?\\d*");
    private static final Pattern ADDRESS = Pattern.compile("(\\d{1,3}\\.){3}\\d{1,3}(:\\d+)?");
    private static final Pattern ID = Pattern.compile("\\b[0-9A-F]{32,56}\\b");
    private static final Pattern NUMBER = Pattern.compile("\\b\\d{10,}\\b|\\b\\d+\\.\\d+");
    /** Where a record lies depends on what else was stored. */
    private static final Pattern PLACE =
        Pattern.compile("(CommitLog Offset: |physicOffset=|commitLogOffset=|MaxOffset |ID@)\\d+|\\b\\d+-\\d+(?=\\()");
    /** Settings that differ from machine to machine: ports, folders, and what goes by the number of processors. */
    private static final Pattern OF_MACHINE = Pattern.compile("^(listenPort|haListenPort|rocketmqHome|kvConfigPath|configStorePath|storePath\\w+"
        + "|(sendMessage|putMessageFuture|pullMessage|litePullMessage|processReplyMessage|queryMessage|heartbeat|endTransaction)ThreadPoolNums"
        + "|clientCallbackExecutorThreads) = .*");
    private static final Pattern BLANKS = Pattern.compile("\\s+");

    private final PrintStream console = System.out;
    private final String nameServer;
    private final String broker = System.getProperty("foreign.broker");
    private final List<SendResult> sent = new ArrayList<>();
    private final Map<String, Integer> runs = new HashMap<>();

    private Mqadmin(String nameServer) {
        this.nameServer = nameServer;
    }

    public static void main(String[] arguments) throws Exception {
        Mqadmin mqadmin = new Mqadmin(arguments[0]);
        mqadmin.topics();
        try (Clients clients = new Clients(arguments[0])) {
            mqadmin.sent.addAll(clients.send());
            mqadmin.messages();
            mqadmin.groups(clients);
        }
        mqadmin.offsets();
        mqadmin.cluster();
        mqadmin.nameServers();
        mqadmin.deletions();
        mqadmin.console.println("=== done");
        mqadmin.console.flush();
        System.exit(0);
    }

    private void topics() {
        run("updateTopic", "-b", broker, "-t", TOPIC, "-r", "2", "-w", "2");
        run("updateTopic", "-c", "DefaultCluster", "-t", "admin-of-cluster", "-r", "3", "-w", "3", "-o", "true", "-a", "+message.type=FIFO");
        run("updateTopicPerm", "-b", broker, "-t", "admin-of-cluster", "-p", "4");
        run("topicRoute", "-t", TOPIC);
        run("topicRoute", "-t", "admin-of-cluster", "-l");
        run("topicRoute", "-t", "admin-unknown");
        run("topicClusterList", "-t", TOPIC);
        runSorted("topicList");
        runSorted("topicList", "-c");
        run("topicStatus", "-t", TOPIC);
        run("allocateMQ", "-t", TOPIC, "-i", "10.0.0.1,10.0.0.2");
        run("updateOrderConf", "-t", TOPIC, "-v", "broker-a:2", "-m", "put");
        run("updateOrderConf", "-t", TOPIC, "-m", "get");
        run("updateOrderConf", "-t", TOPIC, "-m", "delete");
    }

    private void messages() {
        run("sendMessage", "-t", TOPIC, "-p", "by mqadmin", "-k", "admin-key", "-c", "admin-tag", "-b", "broker-a", "-i", "1");
        run("topicStatus", "-t", TOPIC);
        run("queryMsgById", "-t", TOPIC, "-i", sent.get(0).getOffsetMsgId());
        run("queryMsgByUniqueKey", "-t", TOPIC, "-i", sent.get(0).getMsgId());
        run("queryMsgByKey", "-t", TOPIC, "-k", "common");
        run("queryMsgByOffset", "-t", TOPIC, "-b", "broker-a", "-i", "0", "-o", "1");
        run("printMsg", "-t", TOPIC);
        run("printMsgByQueue", "-t", TOPIC, "-a", "broker-a", "-i", "0", "-p", "true", "-d", "true");
        run("consumeMessage", "-t", TOPIC, "-b", "broker-a", "-i", "0", "-g", "reader", "-o", "0", "-c", "2");
        run("queryCq", "-t", TOPIC, "-b", broker, "-q", "0", "-i", "0", "-c", "2");
    }

    private void groups(Clients clients) throws Exception {
        run("updateSubGroup", "-b", broker, "-g", "admin-other-group", "-r", "3", "-q", "2", "-s", "true", "-m", "false");
        run("getConsumerConfig", "-g", "admin-other-group");
        run("updateSubGroup", "-c", "DefaultCluster", "-g", "admin-other-group", "-r", "5");
        run("getConsumerConfig", "-g", "admin-other-group");
        clients.consume();
        run("consumerProgress", "-g", GROUP);
        run("consumerProgress", "-g", "admin-unknown");
        runSorted("consumerProgress");
        run("consumerConnection", "-g", GROUP);
        run("consumerConnection", "-g", "admin-unknown");
        run("producerConnection", "-g", "admin-producers", "-t", TOPIC);
        runSorted("producer", "-b", broker);
        run("consumerStatus", "-g", GROUP);
        run("setConsumeMode", "-b", broker, "-t", TOPIC, "-g", "admin-other-group", "-m", "POP", "-q", "4");
        run("setConsumeMode", "-b", broker, "-t", TOPIC, "-g", "admin-other-group", "-m", "PULL");
        awaitStats();
        runSorted("statsAll", "-t", TOPIC);
        runSorted("brokerConsumeStats", "-b", broker);
    }

    private void offsets() {
        run("consumerProgress", "-g", GROUP);
        run("resetOffsetByTime", "-g", GROUP, "-t", TOPIC, "-s", "0");
        run("consumerProgress", "-g", GROUP);
        run("resetOffsetByTime", "-g", GROUP, "-t", TOPIC, "-s", "now");
        run("resetOffsetByTime", "-g", GROUP, "-t", TOPIC, "-s", "now", "-b", broker, "-q", "0", "-o", "1");
        run("resetOffsetByTime", "-g", "admin-unknown", "-t", TOPIC, "-s", "now");
        run("skipAccumulatedMessage", "-g", GROUP, "-t", TOPIC);
        run("cloneGroupOffset", "-s", GROUP, "-d", "admin-cloned", "-t", TOPIC, "-o", "false");
        run("consumerProgress", "-g", "admin-cloned", "-t", TOPIC);
    }

    private void cluster() {
        run("clusterList");
        runKeys("brokerStatus", "-b", broker);
        run("haStatus", "-b", broker);
        // Apache's broker starts with small files here.
        run("updateBrokerConfig", "-b", broker, "-k", "mappedFileSizeCommitLog", "-v", "1073741824");
        runSettings("getBrokerConfig", "-b", broker);
        run("updateBrokerConfig", "-b", broker, "-k", "transactionCheckMax", "-v", "14");
        run("updateBrokerConfig", "-b", broker, "-k", "brokerIP1", "-v", "127.0.0.1");
        run("updateBrokerConfig", "-b", broker, "-k", "transactionTimeOut", "-v", "soon");
        run("updateBrokerConfig", "-b", broker, "-k", "unknownSetting", "-v", "1");
        run("updateBrokerConfig", "-b", broker, "-k", "brokerConfigPath", "-v", "elsewhere");
        runSettings("getBrokerConfig", "-b", broker);
        run("cleanExpiredCQ", "-b", broker);
        run("cleanUnusedTopic", "-b", broker);
        run("deleteExpiredCommitLog", "-b", broker);
    }

    private void nameServers() {
        run("updateKvConfig", "-s", "ADMIN", "-k", "key", "-v", "value");
        run("deleteKvConfig", "-s", "ADMIN", "-k", "key");
        run("deleteKvConfig", "-s", "ADMIN", "-k", "unknown");
        runSettings("getNamesrvConfig");
        run("updateNamesrvConfig", "-k", "waitSecondsForService", "-v", "46");
        run("updateNamesrvConfig", "-k", "kvConfigPath", "-v", "elsewhere");
        runSettings("getNamesrvConfig");
        run("wipeWritePerm", "-b", "broker-a");
        run("topicRoute", "-t", TOPIC);
        run("addWritePerm", "-b", "broker-a");
        run("topicRoute", "-t", TOPIC);
        run("wipeWritePerm", "-b", "broker-x");
    }

    private void deletions() {
        run("deleteSubGroup", "-b", broker, "-g", "admin-other-group");
        run("getConsumerConfig", "-g", "admin-other-group");
        run("deleteSubGroup", "-c", "DefaultCluster", "-g", GROUP, "-r", "true");
        run("deleteTopic", "-c", "DefaultCluster", "-t", "admin-of-cluster");
        run("topicRoute", "-t", "admin-of-cluster");
        run("deleteTopic", "-c", "DefaultCluster", "-t", "admin-unknown");
    }

    private void run(String... command) {
        print(command, line -> line);
    }

    /** Of a list in no order only what is this program's counts; the heads of its columns sort before all else. */
    private void runSorted(String... command) {
        print(command, line -> line.contains("admin-") || line.startsWith("#") ? line : "", true);
    }

    /** Values differ from machine to machine. */
    private void runKeys(String... command) {
        print(command, line -> line.split("[:=/]", 2)[0].trim());
    }

    /** All values, but those of the machine. */
    private void runSettings(String... command) {
        print(command, line -> OF_MACHINE.matcher(line).replaceAll("$1 = OF MACHINE"), false, Mqadmin::withoutAddresses);
    }

    /** Apache's broker counts in steps of ten seconds. */
    private void awaitStats() throws InterruptedException {
        Pattern counted = Pattern.compile(GROUP + " .* 7 +7 *(\n|$)");
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(40);
        String seen = "";
        while (!counted.matcher(seen).find() && System.nanoTime() < deadline) {
            seen = output(new String[] {"statsAll", "-t", TOPIC});
            Thread.sleep(200);
        }
    }

    private void print(String[] command, UnaryOperator<String> seen) {
        print(command, seen, false);
    }

    private void print(String[] command, UnaryOperator<String> seen, boolean sorted) {
        print(command, seen, sorted, Mqadmin::steady);
    }

    private void print(String[] command, UnaryOperator<String> seen, boolean sorted, UnaryOperator<String> steady) {
        int times = runs.merge(command[0], 1, Integer::sum);
        String name = times == 1 ? command[0] : command[0] + "-" + times;
        console.println("=== " + name + " | `" + steady(String.join(" ", command)) + "`");
        String[] lines = output(command).split("\n");
        if (sorted) {
            Arrays.sort(lines);
        }
        for (String line : lines) {
            String shown = seen.apply(steady.apply(BLANKS.matcher(line).replaceAll(" ").trim()));
            if (!shown.isEmpty() && !shown.startsWith("at ") && !shown.startsWith("... ")) {
                console.println(shown);
            }
        }
    }

    private String output(String[] command) {
        String output = outputOnce(command);
        // The tool is impatient; a server that has just started may not be fast enough for it.
        for (int tries = 1; tries < 3 && output.contains("RemotingTimeoutException"); tries++) {
            output = outputOnce(command);
        }
        return output;
    }

    private String outputOnce(String[] command) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        PrintStream captured = new PrintStream(bytes);
        PrintStream errors = System.err;
        System.setOut(captured);
        System.setErr(captured);
        try {
            List<String> arguments = new ArrayList<>(Arrays.asList(command));
            arguments.addAll(Arrays.asList("-n", nameServer));
            MQAdminStartup.main0(arguments.toArray(new String[0]), null);
        } catch (Exception failure) {
            failure.printStackTrace(captured);
        } finally {
            System.setOut(console);
            System.setErr(errors);
        }
        captured.flush();
        return bytes.toString();
    }

    private static String withoutAddresses(String line) {
        return ADDRESS.matcher(line).replaceAll("ADDRESS");
    }

    private static String steady(String line) {
        String text = withoutAddresses(DATE.matcher(line).replaceAll("DATE"));
        text = ID.matcher(text).replaceAll("ID");
        text = PLACE.matcher(text).replaceAll("$1PLACE");
        return NUMBER.matcher(text).replaceAll("NUMBER");
    }

    /** A producer and a consumer to ask about. */
    private static final class Clients implements AutoCloseable {
        private final DefaultMQProducer producer = new DefaultMQProducer("admin-producers");
        private final DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(GROUP);

        Clients(String nameServer) throws Exception {
            producer.setNamesrvAddr(nameServer);
            producer.setInstanceName("admin-producer");
            producer.start();
            consumer.setNamesrvAddr(nameServer);
            consumer.setInstanceName("admin-consumer");
            consumer.setAwaitTerminationMillisWhenShutdown(5_000);
        }

        List<SendResult> send() throws Exception {
            List<SendResult> sent = new ArrayList<>();
            for (int at = 0; at < 6; at++) {
                Message message = new Message(TOPIC, "tag", "common key" + at, ("m" + at).getBytes());
                sent.add(producer.send(message, new MessageQueue(TOPIC, "broker-a", at % 2)));
            }
            return sent;
        }

        /** Returns when all is consumed and committed. */
        void consume() throws Exception {
            consumer.subscribe(TOPIC, "tag || admin-tag");
            CountDownLatch delivered = new CountDownLatch(7);
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                messages.forEach(message -> delivered.countDown());
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            consumer.start();
            if (!delivered.await(25, TimeUnit.SECONDS)) {
                throw new IllegalStateException("not all was delivered");
            }
            long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(20);
            while ((committed(0) < 3 || committed(1) < 4) && System.nanoTime() < deadline) {
                consumer.getDefaultMQPushConsumerImpl().persistConsumerOffset();
            }
        }

        private long committed(int queue) throws Exception {
            QueryConsumerOffsetRequestHeader header = new QueryConsumerOffsetRequestHeader();
            header.setConsumerGroup(GROUP);
            header.setTopic(TOPIC);
            header.setQueueId(queue);
            return producer.getDefaultMQProducerImpl().getMqClientFactory().getMQClientAPIImpl()
                .queryConsumerOffset(System.getProperty("foreign.broker"), header, 3_000);
        }

        @Override
        public void close() {
            consumer.shutdown();
            producer.shutdown();
        }
    }
}
