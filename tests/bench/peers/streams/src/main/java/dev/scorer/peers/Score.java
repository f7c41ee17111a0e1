package dev.scorer.peers;

import dev.scorer.peers.LogRecord.Clock;
import dev.scorer.peers.LogRecord.Fact;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;

/** The job, for one partition of the lead log. */
final class Score implements Processor<String, LogRecord, String, Score.Outcome> {
  /** {@code at}: ms. */
  record Outcome(String lead, boolean qualified, int sequence, long at) {}

  static final String STORE = "leads";

  private static final long DAY_MS = 86_400_000L;
  private static final double RATE = Math.log(2) / (30.0 * DAY_MS);
  private static final long ABSENCE_MS = 30 * DAY_MS;
  private static final double ABSENCE_POINTS = -5;
  private static final double ENTER = 20 + 1e-9;
  private static final double EXIT = 15 - 1e-9;
  private static final long GRACE_MS = 2_000;

  private final Progress progress;
  private ProcessorContext<String, Outcome> context;
  private KeyValueStore<String, Lead> leads;
  private long clock;

  Score(Progress progress) {
    this.progress = progress;
  }

  @Override
  public void init(ProcessorContext<String, Outcome> context) {
    this.context = context;
    leads = context.getStateStore(STORE);
  }

  @Override
  public void process(Record<String, LogRecord> record) {
    if (record.value() instanceof Fact fact) {
      take(record.key(), fact, record);
    } else if (record.value() instanceof Clock told) {
      clock = Math.max(clock, told.through());
    }
    progress.one();
  }

  private void take(String key, Fact fact, Record<String, LogRecord> record) {
    long judged = Math.max(clock - GRACE_MS, 0);
    int seconds = (int) Math.max(clock / 1000, 1);
    long at = Math.max(fact.time(), judged);
    Lead lead = leads.get(key);
    if (lead == null) {
      lead = new Lead(at);
    } else {
      if (lead.hasSeen(fact.digest(), seconds)) {
        return;
      }
      if (lead.qualified && total(lead, Math.max(lead.clock, judged), judged) < EXIT) {
        turn(key, lead, judged, record);
      }
      at = Math.max(at, lead.clock);
    }
    lead.remember(fact.digest(), seconds);
    lead.clock = at;
    int points = points(fact.type());
    if (points != 0) {
      lead.mass += points * Math.exp(RATE * (fact.time() - lead.since));
      if (fact.type().equals("email.opened")) {
        lead.opened = Math.max(lead.opened, fact.time());
      }
      if (!lead.qualified && total(lead, at, judged) > ENTER) {
        turn(key, lead, at, record);
      }
    }
    leads.put(key, lead);
  }

  private static int points(String type) {
    return switch (type) {
      case "email.opened" -> 3;
      case "email.clicked", "page.viewed" -> 1;
      case "app.task_created" -> 5;
      case "booking.created" -> 20;
      default -> 0;
    };
  }

  /** Points at an instant (ms), absence judged at another. */
  private static double total(Lead lead, long at, long judged) {
    double points = lead.mass * Math.exp(-RATE * (at - lead.since));
    boolean absent = judged - (lead.opened == 0 ? lead.since : lead.opened) >= ABSENCE_MS;
    return absent ? points + ABSENCE_POINTS : points;
  }

  private void turn(String key, Lead lead, long at, Record<String, LogRecord> record) {
    lead.qualified = !lead.qualified;
    lead.outcomes++;
    context.forward(record.withKey(key).withValue(new Outcome(key, lead.qualified, lead.outcomes, at)));
  }
}
