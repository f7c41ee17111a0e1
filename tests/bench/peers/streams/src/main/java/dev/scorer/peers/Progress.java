package dev.scorer.peers;

import java.io.IOException;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** How many records have been processed, told in the first 8 bytes of a file; for one stream thread. */
final class Progress {
  private final MappedByteBuffer bytes;
  private long count;

  Progress(Path path) throws IOException {
    try (FileChannel file = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      bytes = file.map(FileChannel.MapMode.READ_WRITE, 0, Long.BYTES);
    }
    bytes.order(ByteOrder.LITTLE_ENDIAN);
  }

  void one() {
    bytes.putLong(0, ++count);
  }
}
