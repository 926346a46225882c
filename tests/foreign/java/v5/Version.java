package foreign;

import java.util.HashMap;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.impl.factory.MQClientInstance;
import org.apache.rocketmq.client.producer.DefaultMQProducer;

/** What 5.x calls otherwise than 4.x, and what only 5.x has. */
final class Version {
    private Version() {
    }

    static void register(Main main) {
        Timers.register(main);
        Popping.register(main);
    }

    static void createTopic(DefaultMQProducer producer, String topic, int queues) throws MQClientException {
        producer.createTopic("TBW102", topic, queues, new HashMap<>());
    }

    static MQClientInstance factory(DefaultMQProducer producer) {
        return producer.getDefaultMQProducerImpl().getMqClientFactory();
    }
}
