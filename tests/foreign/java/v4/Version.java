package foreign;

import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.impl.factory.MQClientInstance;
import org.apache.rocketmq.client.producer.DefaultMQProducer;

/** What 4.x calls otherwise than 5.x. */
final class Version {
    private Version() {
    }

    static void register(Main main) {
        // 5.x adds features of its own here.
    }

    static void createTopic(DefaultMQProducer producer, String topic, int queues) throws MQClientException {
        producer.createTopic("TBW102", topic, queues);
    }

    static MQClientInstance factory(DefaultMQProducer producer) {
        return producer.getDefaultMQProducerImpl().getmQClientFactory();
    }
}
