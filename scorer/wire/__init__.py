"""What travels through Kafka: topics, events, the intake library, dead letters, partitions."""
