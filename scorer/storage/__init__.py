"""What processes keep on their own disks, and how they read Kafka to keep it fresh."""
