package dev.scorer.peers;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.CloseOptions.GroupMembershipOperation;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.Stores;

/** The job in Kafka Streams; see tests/bench/peers/__init__.py. Ends cleanly on SIGTERM. */
final class Main {
  private static final Duration PATIENCE = Duration.ofSeconds(60);

  public static void main(String[] arguments) throws Exception {
    Progress progress = new Progress(Path.of(System.getenv("PEER_PROGRESS")));
    KafkaStreams streams = new KafkaStreams(topology(progress).build(), properties());
    CountDownLatch ended = new CountDownLatch(1);
    Runtime.getRuntime()
        .addShutdownHook(
            new Thread(
                () -> {
                  // Otherwise the restart that is to be measured waits for the old member's session to end.
                  streams.close(
                      CloseOptions.timeout(PATIENCE)
                          .withGroupMembershipOperation(GroupMembershipOperation.LEAVE_GROUP));
                  ended.countDown();
                }));
    streams.start();
    ended.await();
  }

  private static StreamsBuilder topology(Progress progress) {
    Serde<LogRecord> records = Serdes.serdeFrom(Main::unsupported, new LogRecord.Decoder());
    Serde<Lead> leads =
        Serdes.serdeFrom(
            (topic, lead) -> lead == null ? null : lead.encode(),
            (topic, bytes) -> bytes == null ? null : Lead.decode(bytes));
    Serde<Score.Outcome> outcomes = Serdes.serdeFrom((topic, outcome) -> json(outcome), (topic, bytes) -> null);
    StreamsBuilder builder = new StreamsBuilder();
    builder.addStateStore(
        Stores.keyValueStoreBuilder(Stores.persistentKeyValueStore(Score.STORE), Serdes.String(), leads)
            .withCachingEnabled()
            .withLoggingEnabled(Map.of()));
    builder.stream(System.getenv("PEER_LOG"), Consumed.with(Serdes.String(), records))
        .process(() -> new Score(progress), Score.STORE)
        .to(System.getenv("PEER_OUTCOMES"), Produced.with(Serdes.String(), outcomes));
    return builder;
  }

  private static Properties properties() {
    Properties properties = new Properties();
    properties.put("bootstrap.servers", System.getenv("PEER_BOOTSTRAP"));
    properties.put("application.id", System.getenv("PEER_ID"));
    properties.put("state.dir", System.getenv("PEER_FOLDER"));
    properties.put("num.stream.threads", "1");
    properties.put("processing.guarantee", "at_least_once");
    properties.put("commit.interval.ms", "1000");
    properties.put("statestore.cache.max.bytes", String.valueOf(64 * 1024 * 1024));
    properties.put("replication.factor", "1");
    properties.put("auto.offset.reset", "earliest");
    // Not its default of 500 ms, so that no fetch waits long on a partition that is read to its end.
    properties.put("main.consumer.fetch.max.wait.ms", "10");
    return properties;
  }

  private static byte[] json(Score.Outcome outcome) {
    return ("{\"lead\":\"" + outcome.lead() + "\",\"qualified\":" + outcome.qualified()
            + ",\"sequence\":" + outcome.sequence() + ",\"time\":" + outcome.at() + "}")
        .getBytes(StandardCharsets.UTF_8);
  }

  private static byte[] unsupported(String topic, LogRecord record) {
    throw new UnsupportedOperationException("nobody here writes to the lead log");
  }
}
