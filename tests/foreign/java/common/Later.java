package foreign;

import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Messages that are delivered later than they are sent. */
final class Later {
    private Later() {
    }

    static void register(Main main) {
        main.add("delay-level", "delay levels 1 and 2: the answer, when and how they are delivered", Later::levels);
    }

    private static void levels(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 1);
        for (int level : new int[] {2, 1, 0}) {
            Message message = site.message(topic, "level " + level);
            message.setDelayTimeLevel(level);
            SendResult sent = producer.send(message);
            site.print("level %d: %s queue %d", level, sent.getSendStatus(), sent.getMessageQueue().getQueueId());
        }
        for (MessageExt stored : site.stored(producer, topic, 3)) {
            site.print(Texts.message(stored));
            site.print("later than sent by whole seconds: %d",
                (stored.getStoreTimestamp() - stored.getBornTimestamp()) / 1_000);
        }
    }
}
