package foreign;

import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Messages that are delivered at a time of their own. */
final class Timers {
    private Timers() {
    }

    static void register(Main main) {
        main.add("timer", "messages with a timer: in seconds, in milliseconds, at a time, in the past, too late", Timers::timers);
        main.add("recall", "a timer message taken back; handles that are wrong", Timers::recall);
    }

    private static void send(Site site, DefaultMQProducer producer, Message message) throws Exception {
        SendResult sent = producer.send(message);
        site.print("%s: %s queue %d, with a handle: %s", new String(message.getBody()), sent.getSendStatus(),
            sent.getMessageQueue().getQueueId(), sent.getRecallHandle() != null);
    }

    private static void timers(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 1);
        Message inSeconds = site.message(topic, "in seconds");
        inSeconds.setDelayTimeSec(3);
        send(site, producer, inSeconds);
        Message atATime = site.message(topic, "at a time");
        atATime.setDeliverTimeMs(System.currentTimeMillis() + 6_000);
        send(site, producer, atATime);
        Message inMillis = site.message(topic, "in milliseconds");
        inMillis.setDelayTimeMs(9_000);
        send(site, producer, inMillis);
        Message past = site.message(topic, "in the past");
        past.setDeliverTimeMs(System.currentTimeMillis() - 1_000);
        send(site, producer, past);
        Message tooLate = site.message(topic, "in four days");
        tooLate.setDelayTimeSec(4 * 24 * 3600);
        site.printFailure("in four days", () -> producer.send(tooLate));
        for (MessageExt stored : site.stored(producer, topic, 4)) {
            site.print(Texts.message(stored));
        }
    }

    private static void recall(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 1);
        Message message = site.message(topic, "taken back");
        message.setDelayTimeSec(5);
        SendResult sent = producer.send(message);
        Message other = site.message(topic, "delivered");
        other.setDelayTimeSec(6);
        producer.send(other);
        site.print("the id of what is taken back is the message's: %s",
            sent.getMsgId().equals(producer.recallMessage(topic, sent.getRecallHandle())));
        site.printFailure("a wrong handle", () -> producer.recallMessage(topic, "bm90IGEgaGFuZGxl"));
        site.printFailure("another topic", () -> producer.recallMessage(site.name("unknown"), sent.getRecallHandle()));
        site.print("stored " + Texts.bodies(site.stored(producer, topic, 1)));
    }
}
