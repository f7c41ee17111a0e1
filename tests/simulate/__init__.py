"""The worker in one process, over a Kafka in memory, in virtual time; a seed decides everything else."""
