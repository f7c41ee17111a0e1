"""What a developer's machine needs and production does not: a real Kafka, fetched and run locally."""
