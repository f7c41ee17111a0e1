package dev.scorer.peers;

import java.nio.ByteBuffer;

/** A lead's state. Its points are a mass with forward decay from {@code since}. */
final class Lead {
  static final int REMEMBERED = 256;
  static final int REMEMBERED_SECONDS = 86_400;
  private static final int FIXED = 4 * 8 + 1 + 4;
  private static final int ENTRY = 8 + 4;

  long since;
  long clock;
  double mass;
  long opened;
  boolean qualified;
  int outcomes;

  /** Event ids and when they were seen (s), oldest first: {@code seenCount} of them from {@code seenFrom} on. */
  private long[] ids;
  private int[] seconds;
  private int from;
  private int count;

  Lead(long now) {
    since = clock = now;
    ids = new long[4];
    seconds = new int[4];
  }

  boolean hasSeen(long id, int now) {
    int forget = Math.max(now - REMEMBERED_SECONDS, 0);
    for (int i = from + count - 1; i >= from && seconds[i] > forget; i--) {
      if (ids[i] == id) {
        return true;
      }
    }
    return false;
  }

  void remember(long id, int now) {
    int forget = Math.max(now - REMEMBERED_SECONDS, 0);
    while (count > 0 && (count >= REMEMBERED || seconds[from] <= forget)) {
      from++;
      count--;
    }
    if (from + count == ids.length) {
      int length = Math.max(4, count + count / 2 + 1);
      long[] newIds = new long[length];
      int[] newSeconds = new int[length];
      System.arraycopy(ids, from, newIds, 0, count);
      System.arraycopy(seconds, from, newSeconds, 0, count);
      ids = newIds;
      seconds = newSeconds;
      from = 0;
    }
    ids[from + count] = id;
    seconds[from + count] = now;
    count++;
  }

  /** Big-endian: since, clock, mass, opened (8 bytes each), qualified (1), outcomes (4), then ids and seconds. */
  byte[] encode() {
    ByteBuffer out = ByteBuffer.allocate(FIXED + count * ENTRY);
    out.putLong(since).putLong(clock).putDouble(mass).putLong(opened);
    out.put((byte) (qualified ? 1 : 0)).putInt(outcomes);
    for (int i = from; i < from + count; i++) {
      out.putLong(ids[i]).putInt(seconds[i]);
    }
    return out.array();
  }

  static Lead decode(byte[] bytes) {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    Lead lead = new Lead(in.getLong());
    lead.clock = in.getLong();
    lead.mass = in.getDouble();
    lead.opened = in.getLong();
    lead.qualified = in.get() == 1;
    lead.outcomes = in.getInt();
    lead.count = in.remaining() / ENTRY;
    lead.ids = new long[lead.count + 1];
    lead.seconds = new int[lead.count + 1];
    for (int i = 0; i < lead.count; i++) {
      lead.ids[i] = in.getLong();
      lead.seconds[i] = in.getInt();
    }
    return lead;
  }
}
