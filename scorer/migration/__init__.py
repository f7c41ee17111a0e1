"""A new generation of the lead log: other partitions, another prefix, another cluster.

What the leads' past means for their scores is in their states; these are carried over, each to the partition
that it has in the new log, and the new log begins where they stand (docs/decisions/0052).
"""
