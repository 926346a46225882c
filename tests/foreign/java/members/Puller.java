package foreign;

import java.util.Map;
import java.util.stream.Stream;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageQueue;

/** A lite pull consumer, with a thread that polls. */
final class Puller implements Members.Joined {
    private final DefaultLitePullConsumer consumer;
    private final Thread polling;
    private volatile boolean leaves;

    Puller(String nameServer, Members.Member member, Map<String, String> settings) throws Exception {
        consumer = new DefaultLitePullConsumer(settings.get("group"));
        consumer.setNamesrvAddr(nameServer);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setClientIP("10.0.0.1");
        consumer.setInstanceName(member.name);
        consumer.setPersistConsumerOffsetInterval(Integer.parseInt(settings.get("persist")));
        // The least that is allowed.
        consumer.setAutoCommitIntervalMillis(1_000);
        consumer.setEnableTrace(Boolean.parseBoolean(settings.get("trace")));
        consumer.subscribe(settings.get("topic"), "*");
        consumer.start();
        polling = new Thread(() -> {
            while (!leaves) {
                member.handle(consumer.poll(100));
            }
        });
        polling.start();
    }

    @Override
    public Stream<MessageQueue> queues() throws Exception {
        return consumer.assignment().stream();
    }

    @Override
    public void leave() throws Exception {
        leaves = true;
        polling.join();
        consumer.commit();
        consumer.shutdown();
    }
}
