package foreign;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.message.MessageExt;

/** Texts that are the same for each run: no ports, no times, no ids. */
final class Texts {
    /** Properties whose values differ from run to run. */
    private static final Set<String> UNSTEADY = new HashSet<>(Arrays.asList(
        "UNIQ_KEY", "TIMER_OUT_MS", "TIMER_ENQUEUE_MS", "TIMER_DEQUEUE_MS", "TIMER_DELIVER_MS", "ORIGIN_MESSAGE_ID",
        "__transactionId__", "CONSUME_START_TIME", "POP_CK", "1ST_POP_TIME", "CORRELATION_ID", "REPLY_TO_CLIENT",
        "PUSH_REPLY_TIME", "ARRIVE_TIME", "SEND_TIME", "EXTEND_UNIQ_INFO"));
    private static final Pattern ADDRESS = Pattern.compile("(\\d{1,3}\\.){3}\\d{1,3}:\\d+");
    private static final Pattern DURATION = Pattern.compile("\\[\\d+\\]ms");
    private static final Pattern ID = Pattern.compile("\\b[0-9A-F]{32,56}\\b");

    private Texts() {
    }

    static String steady(String text) {
        String withoutAddresses = ADDRESS.matcher(text).replaceAll("ADDRESS");
        return DURATION.matcher(ID.matcher(withoutAddresses).replaceAll("ID")).replaceAll("[TIME]");
    }

    static String firstLine(String text) {
        return text == null ? "null" : text.split("\n", 2)[0];
    }

    static String body(MessageExt message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }

    static String sent(SendResult sent) {
        boolean own = sent.getMsgId() != null && !sent.getMsgId().equals(sent.getOffsetMsgId());
        return String.format("%s queue %d offset %d region %s traced %s, %s, %d digits of offset message id",
            sent.getSendStatus(), sent.getMessageQueue().getQueueId(), sent.getQueueOffset(), sent.getRegionId(),
            sent.isTraceOn(), own ? "an id of the client" : "no id of the client",
            sent.getOffsetMsgId() == null ? 0 : sent.getOffsetMsgId().length());
    }

    /** A stored or delivered message, in full. */
    static String message(MessageExt message) {
        return String.format("queue %d offset %d flag %d system flag %d size %d retried %d body %s properties %s",
            message.getQueueId(), message.getQueueOffset(), message.getFlag(), message.getSysFlag(),
            message.getStoreSize(), message.getReconsumeTimes(), shortened(body(message)),
            properties(message.getProperties()));
    }

    private static String shortened(String body) {
        return body.length() <= 60 ? "'" + body + "'" : body.length() + " characters";
    }

    static String properties(Map<String, String> properties) {
        Map<String, String> sorted = new TreeMap<>(properties);
        sorted.replaceAll((name, value) -> UNSTEADY.contains(name) ? "…" : value);
        return sorted.toString();
    }

    static List<String> bodies(Collection<MessageExt> messages) {
        List<String> bodies = new ArrayList<>();
        messages.forEach(message -> bodies.add(body(message)));
        return bodies;
    }

    static List<String> sortedBodies(Collection<MessageExt> messages) {
        List<String> bodies = bodies(messages);
        Collections.sort(bodies);
        return bodies;
    }

    static String failure(Throwable failure) {
        if (failure instanceof MQBrokerException) {
            MQBrokerException refused = (MQBrokerException) failure;
            return "broker code " + refused.getResponseCode() + " " + firstLine(refused.getErrorMessage());
        }
        if (failure instanceof MQClientException) {
            MQClientException refused = (MQClientException) failure;
            return "client code " + refused.getResponseCode() + " " + firstLine(refused.getErrorMessage());
        }
        return failure.getClass().getSimpleName() + " " + firstLine(failure.getMessage());
    }
}
