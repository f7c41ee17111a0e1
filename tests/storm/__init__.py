"""The storm: workers, brokers, disks and the network struck again and again on a real Kafka, under load.

    python -m tests.storm                       one run with one broker, one with three
    python -m tests.storm --runs 3              the same three times
    python -m tests.storm --brokers 1 --faults kill --events 50000

Publishers send events through the doors at a steady rate all the while, and changed rule files are put in
force. Afterwards every lead is compared with one careful pass over the log, its total with the slow reference
on what was published, and those that stayed alone with the oracle; every outcome must be there, and dead
letters exactly those that were meant to be. See docs/durability.md.
"""
