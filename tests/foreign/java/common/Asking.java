package foreign;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.RequestCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Questions to other clients, and to brokers about what they store. */
final class Asking {
    private Asking() {
    }

    static void register(Main main) {
        main.add("request-reply", "requests and their replies, also asynchronous ones, and one without an answer", Asking::request);
        main.add("query", "messages found by key, by the client's id and by the broker's id", Asking::query);
        main.add("trace", "what a traced producer and consumer leave in the topic of traces", Asking::trace);
    }

    private static void request(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        DefaultMQProducer replier = site.started(new DefaultMQProducer(site.name("repliers")));
        String topic = site.topic(producer, "t", 1);
        DefaultMQPushConsumer consumer = site.pushConsumer(site.name("group"));
        consumer.subscribe(topic, "*");
        List<String> answers = new CopyOnWriteArrayList<>();
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            for (MessageExt message : messages) {
                answer(site, replier, message, answers);
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        Message reply = producer.request(site.message(topic, "first"), 20_000);
        site.print("reply " + new String(reply.getBody()) + " " + Texts.properties(reply.getProperties()));
        BlockingQueue<String> later = new ArrayBlockingQueue<>(1);
        producer.request(site.message(topic, "second"), new RequestCallback() {
            @Override
            public void onSuccess(Message message) {
                later.add("reply " + new String(message.getBody()));
            }

            @Override
            public void onException(Throwable failure) {
                later.add(Texts.failure(failure));
            }
        }, 20_000);
        site.print(later.poll(20, TimeUnit.SECONDS));
        try {
            producer.request(site.message(topic, "unanswered"), 1_000);
        } catch (org.apache.rocketmq.client.exception.RequestTimeoutException late) {
            site.print("no reply: a time-out");
        }
        site.await("both answers", () -> answers.size() == 2);
        answers.forEach(site::print);
    }

    private static void answer(Site site, DefaultMQProducer replier, MessageExt message,
                               List<String> answers) {
        if (Texts.body(message).equals("unanswered")) {
            return;
        }
        try {
            Message reply = MessageUtil.createReplyMessage(message, ("to " + Texts.body(message)).getBytes());
            answers.add("sent to " + reply.getTopic() + " " + replier.send(reply, 10_000).getSendStatus());
        } catch (Exception failure) {
            site.failed(failure);
        }
    }

    private static void query(Site site) throws Exception {
        DefaultMQProducer producer = site.producer();
        String topic = site.topic(producer, "t", 2);
        List<SendResult> sent = new ArrayList<>();
        for (int at = 0; at < 6; at++) {
            Message message = site.message(topic, "m" + at);
            message.setKeys("common key" + at);
            sent.add(producer.send(message, Site.queues(producer, topic).get(at % 2)));
        }
        site.stored(producer, topic, 6);
        long begin = System.currentTimeMillis() - 60_000;
        long end = System.currentTimeMillis() + 60_000;
        for (String key : new String[] {"common", "key3"}) {
            // The index is written behind the answer.
            int count = key.equals("common") ? 6 : 1;
            site.await("messages by key", () -> producer.queryMessage(topic, key, 32, begin, end).getMessageList().size() == count);
            List<MessageExt> found = producer.queryMessage(topic, key, 32, begin, end).getMessageList();
            site.print("by key %s: %s", key, Texts.sortedBodies(found));
        }
        site.print("the first found: " + Texts.message(producer.queryMessage(topic, "key0", 32, begin, end).getMessageList().get(0)));
        site.print("at most two: " + producer.queryMessage(topic, "common", 2, begin, end).getMessageList().size());
        site.printFailure("a key that none has", () -> producer.queryMessage(topic, "none", 32, begin, end));
        SendResult one = sent.get(3);
        site.print("by the client's id: " + Texts.message(producer.viewMessage(topic, one.getMsgId())));
        site.print("by the broker's id: " + Texts.message(producer.viewMessage(topic, one.getOffsetMsgId())));
        site.printFailure("an id that none has", () -> producer.viewMessage(topic, "AC1100020001" + one.getMsgId().substring(12)));
    }

    private static void trace(Site site) throws Exception {
        String topic = site.topic(site.producer(), "t", 1);
        DefaultMQProducer producer = site.started(new DefaultMQProducer(site.name("traced"), true, null));
        Message message = site.message(topic, "traced");
        message.setKeys("traced-key");
        SendResult sent = producer.send(message);
        DefaultMQPushConsumer consumer = site.configured(new DefaultMQPushConsumer(
            site.name("group"), null, new org.apache.rocketmq.client.consumer.rebalance.AllocateMessageQueueAveragely(), true, null));
        consumer.setConsumeFromWhere(org.apache.rocketmq.common.consumer.ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        site.onClose(consumer::shutdown);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener(
            (MessageListenerConcurrently) (messages, context) -> ConsumeConcurrentlyStatus.CONSUME_SUCCESS);
        consumer.start();
        site.await("the topic of traces", () -> !Site.queues(producer, "RMQ_SYS_TRACE_TOPIC").isEmpty());
        site.print("queues " + Site.queues(producer, "RMQ_SYS_TRACE_TOPIC"));
        List<String> kinds = new ArrayList<>();
        site.await("three traces", () -> {
            kinds.clear();
            for (MessageExt stored : site.stored(producer, "RMQ_SYS_TRACE_TOPIC", 1)) {
                for (String trace : Texts.body(stored).split("\u0002")) {
                    if (trace.contains(sent.getMsgId()) || trace.contains(site.name("group"))) {
                        kinds.add(trace.split("\u0001")[0]);
                    }
                }
            }
            return kinds.size() >= 3;
        });
        kinds.sort(null);
        site.print("traces " + kinds);
    }
}
