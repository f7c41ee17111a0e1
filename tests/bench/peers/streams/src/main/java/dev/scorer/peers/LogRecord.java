package dev.scorer.peers;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.serialization.Deserializer;
import org.msgpack.core.MessagePack;
import org.msgpack.core.MessageUnpacker;
import org.msgpack.core.buffer.ArrayBufferInput;

/** A record of the lead log: msgpack arrays whose first element is the kind, as scorer/domain/record.py has them. */
sealed interface LogRecord {
  record Fact(
      String type,
      long time,
      long received,
      long door,
      long offset,
      long digest,
      String id,
      String source,
      Map<String, Object> properties,
      byte[] sealed)
      implements LogRecord {}

  /** {@code through}: the time (ms) through which every door has been read. */
  record Clock(long through) implements LogRecord {}

  /** Doors, rules, imports. */
  record Other(int kind) implements LogRecord {}

  /** For one thread: an unpacker is reused, because a new one brings a buffer of 16 KiB for its texts. */
  final class Decoder implements Deserializer<LogRecord> {
    private final MessageUnpacker in = MessagePack.newDefaultUnpacker(new byte[0]);

    @Override
    public LogRecord deserialize(String topic, byte[] bytes) {
      try {
        in.reset(new ArrayBufferInput(bytes));
        int fields = in.unpackArrayHeader();
        int kind = in.unpackInt();
        return switch (kind) {
          case 0 -> fact(in, fields);
          case 1 -> new Clock(through(in.readPayload(in.unpackBinaryHeader())));
          default -> new Other(kind);
        };
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private static Fact fact(MessageUnpacker in, int fields) throws IOException {
    String type = in.unpackString();
    long time = in.unpackLong();
    long received = in.unpackLong();
    long door = in.unpackLong();
    long offset = in.unpackLong();
    long digest = 0;
    for (byte b : in.readPayload(in.unpackBinaryHeader())) {
      digest = digest << 8 | b & 0xff;
    }
    String id = in.unpackString();
    String source = in.unpackString();
    int size = in.unpackMapHeader();
    Map<String, Object> properties = new HashMap<>(size * 2);
    for (int i = 0; i < size; i++) {
      properties.put(in.unpackString(), value(in));
    }
    byte[] sealed = fields < 11 || in.tryUnpackNil() ? null : in.readPayload(in.unpackBinaryHeader());
    return new Fact(type, time, received, door, offset, digest, id, source, properties, sealed);
  }

  private static Object value(MessageUnpacker in) throws IOException {
    return switch (in.getNextFormat().getValueType()) {
      case STRING -> in.unpackString();
      case INTEGER -> in.unpackLong();
      case FLOAT -> in.unpackDouble();
      case BOOLEAN -> in.unpackBoolean();
      case NIL -> {
        in.unpackNil();
        yield null;
      }
      case ARRAY -> {
        int size = in.unpackArrayHeader();
        List<Object> list = new ArrayList<>(size);
        for (int i = 0; i < size; i++) {
          list.add(value(in));
        }
        yield list;
      }
      default -> throw new IOException("a property that is neither text, number, boolean nor a list");
    };
  }

  /** The layout is that of scorer/domain/clock.py: newest, then (step of the door number, lag) for each door. */
  private static long through(byte[] packed) {
    long newest = 0;
    long longestLag = 0;
    long value = 0;
    int shift = 0;
    int count = 0;
    for (byte b : packed) {
      value |= (long) (b & 0x7f) << shift;
      if (b < 0) {
        shift += 7;
        continue;
      }
      if (count == 0) {
        newest = value;
      } else if (count % 2 == 0) {
        longestLag = Math.max(longestLag, value);
      }
      count++;
      value = 0;
      shift = 0;
    }
    return newest - longestLag;
  }
}
