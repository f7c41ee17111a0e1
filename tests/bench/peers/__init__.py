"""``make bench-peers``: one job, in several stream processors, side by side in one run.

**The input** is the lead log as the worker has it: the same topic, partitions, order and bytes (msgpack,
``scorer.domain.record``), read by every system. A second topic in JSON for the peers would have been
another input, larger and slower to decode; so the peers read msgpack too, those in Python with the
worker's own decoder, Kafka Streams with msgpack-core. Everybody decodes the whole record.

**The job**, by ``bench/rules.yaml``, for each record of a partition, in order:

- A clock record moves the partition's clock C to the oldest of its times, never back. Doors, rules and
  other control records are passed over. "Now" is J = C - 2 s.
- A fact belongs to the lead that its key names. Its event id (8 bytes) is looked up among those of the last
  24 h of C, the newest 256 of the lead: what is there changes nothing.
- The lead's clock moves to the latest of itself, the event's time and J. Points count since the event's
  time and halve every 30 days: e-mail opened 3, clicked 1, page viewed 1, task created 5, call booked 20.
  While the newest opened e-mail (or, without one, the lead's first record) lies 30 days before J, 5 are
  taken off.
- A lead whose total rises above 20 is qualified, one that then falls below 15 no longer is; each turn is an
  outcome, a record in an output topic.

**Durable:** the lead's state in RocksDB and in a changelog topic, committed every second; at least once.

**Time.** The worker fires timers: it says that somebody has ceased to be qualified when it happens. The
peers may find out at the lead's next record. By these rules time only takes points, so that is late, but
never another answer: read at one instant after the log's end, the states are equal.

**Equal** means: each system's states, as its changelog has them, give every lead the total (to 1e-6), the
newest opened e-mail, the status and the number of outcomes that ``oracle`` works out from the log, and the
output topics hold as many records as the states say. A system that fails this has no figure.

**What is not equal:** the worker alone keeps an exact ledger per rule, timers, a fence per lead, clock values
and coordinates in its cut, and tells a compacted topic of scores. The peers keep C in memory only.
"""
