package foreign;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.producer.TransactionSendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/** Messages in transactions. */
final class Transactions {
    private Transactions() {
    }

    static void register(Main main) {
        main.add("transaction", "commit and rollback by the sender: what is delivered", Transactions::ended);
        main.add("transaction-check", "the broker asks: commit, rollback, unknown once", Transactions::asked);
    }

    /** Says what it is told to, and counts the questions about each message. */
    private static final class Listener implements TransactionListener {
        final Map<String, AtomicInteger> questions = new ConcurrentHashMap<>();

        @Override
        public LocalTransactionState executeLocalTransaction(Message message, Object state) {
            return (LocalTransactionState) state;
        }

        @Override
        public LocalTransactionState checkLocalTransaction(MessageExt message) {
            String body = Texts.body(message);
            int asked = questions.computeIfAbsent(body, key -> new AtomicInteger()).incrementAndGet();
            if (body.startsWith("late") && asked == 1) {
                return LocalTransactionState.UNKNOW;
            }
            return body.endsWith("commit")
                ? LocalTransactionState.COMMIT_MESSAGE : LocalTransactionState.ROLLBACK_MESSAGE;
        }
    }

    private static TransactionMQProducer producer(Site site, Listener listener) throws Exception {
        TransactionMQProducer producer = new TransactionMQProducer(site.name("producers"), site.hook());
        producer.setTransactionListener(listener);
        return site.started(producer);
    }

    private static void send(Site site, TransactionMQProducer producer, String topic, String body,
                             LocalTransactionState state) throws Exception {
        Message message = site.message(topic, body);
        message.setKeys("key of " + body);
        TransactionSendResult sent = producer.sendMessageInTransaction(message, state);
        site.print("%s: %s %s queue %d, transaction id is the message's: %s", body, sent.getSendStatus(),
            sent.getLocalTransactionState(), sent.getMessageQueue().getQueueId(),
            sent.getMsgId().equals(sent.getTransactionId()));
    }

    private static void ended(Site site) throws Exception {
        TransactionMQProducer producer = producer(site, new Listener());
        String topic = site.topic(producer, "t", 1);
        send(site, producer, topic, "first", LocalTransactionState.COMMIT_MESSAGE);
        // Ends are oneway, and brokers work on several at a time.
        site.stored(producer, topic, 1);
        send(site, producer, topic, "second", LocalTransactionState.ROLLBACK_MESSAGE);
        send(site, producer, topic, "third", LocalTransactionState.COMMIT_MESSAGE);
        for (MessageExt stored : site.stored(producer, topic, 2)) {
            site.print(Texts.message(stored));
        }
    }

    private static void asked(Site site) throws Exception {
        Listener listener = new Listener();
        TransactionMQProducer producer = producer(site, listener);
        String topic = site.topic(producer, "t", 1);
        for (String body : new String[] {"soon commit", "soon rollback", "late commit", "late rollback"}) {
            send(site, producer, topic, body, LocalTransactionState.UNKNOW);
        }
        site.print("delivered " + Texts.sortedBodies(site.stored(producer, topic, 2)));
        site.await("all questions", () -> listener.questions.size() == 4
            && listener.questions.get("late rollback").get() == 2 && listener.questions.get("late commit").get() == 2);
        for (MessageExt stored : site.stored(producer, topic, 2)) {
            site.print(Texts.body(stored) + " " + Texts.properties(stored.getProperties()));
        }
        listener.questions.forEach((body, asked) -> {
            if (asked.get() != (body.startsWith("late") ? 2 : 1)) {
                site.print("FAILED asked %d times about %s", asked.get(), body);
            }
        });
    }
}
