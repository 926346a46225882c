import io.cloudevents.CloudEvent;
import io.cloudevents.core.builder.CloudEventBuilder;
import io.cloudevents.kafka.CloudEventDeserializer;
import io.cloudevents.kafka.CloudEventSerializer;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.OffsetDateTime;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** CloudEvents' SDK for Java writes an event to a topic, and prints the first that it reads from another. */
class CloudEvents {
    public static void main(String[] arguments) throws Exception {
        String brokers = arguments[0], writes = arguments[1], reads = arguments[2];
        CloudEvent written = CloudEventBuilder.v1()
            .withId("java-1")
            .withSource(URI.create("shop/java"))
            .withType("order.placed")
            .withTime(OffsetDateTime.parse("2023-11-14T22:13:20.123456Z"))
            .withDataContentType("application/json")
            .withSubject("orders")
            .withExtension("partitionkey", "ann")
            .withExtension("correlationid", "conversation")
            .withData("{\"number\":8,\"customer\":\"ann\"}".getBytes(StandardCharsets.UTF_8))
            .build();
        try (var producer = new KafkaProducer<>(
                Map.<String, Object>of("bootstrap.servers", brokers), new StringSerializer(), new CloudEventSerializer())) {
            producer.send(new ProducerRecord<>(writes, "ann", written)).get();
        }
        Map<String, Object> settings = Map.of("bootstrap.servers", brokers, "auto.offset.reset", "earliest");
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new CloudEventDeserializer())) {
            List<TopicPartition> partitions = consumer.partitionsFor(reads).stream()
                .map(found -> new TopicPartition(found.topic(), found.partition())).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            while (true) {
                for (ConsumerRecord<String, CloudEvent> record : consumer.poll(Duration.ofSeconds(1))) {
                    print(record);
                    return;
                }
            }
        }
    }

    static void print(ConsumerRecord<String, CloudEvent> record) {
        CloudEvent event = record.value();
        System.out.println("key=" + record.key());
        System.out.println("specversion=" + event.getSpecVersion());
        System.out.println("id=" + event.getId());
        System.out.println("source=" + event.getSource());
        System.out.println("type=" + event.getType());
        System.out.println("time=" + event.getTime());
        System.out.println("datacontenttype=" + event.getDataContentType());
        for (String name : new TreeSet<>(event.getExtensionNames())) {
            System.out.println(name + "=" + event.getExtension(name));
        }
        System.out.println("data=" + new String(event.getData().toBytes(), StandardCharsets.UTF_8));
    }
}
