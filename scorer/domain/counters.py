"""What has happened to one partition's leads."""

from __future__ import annotations


class Counters:
    """What has happened since the partition was assigned; plain numbers for the owner's metrics."""

    __slots__ = (
        "accounts_created",
        "duplicates",
        "erased",
        "evicted_ids",
        "facts",
        "faults",
        "forwarded",
        "late",
        "leads_created",
        "live_disqualified",
        "live_qualified",
        "machines",
        "members_refused",
        "merged",
        "records",
        "refused",
        "shadow_disqualified",
        "shadow_failed",
        "shadow_qualified",
        "shunned",
        "skipped",
        "timers",
        "timers_waited",
        "undecodable",
    )

    def __init__(self) -> None:
        self.records = 0
        self.facts = 0
        """Applied."""
        self.duplicates = 0
        self.skipped = 0
        """At or below a lead's fence: delivered again."""
        self.late = 0
        """Facts of a time before the clock less the grace."""
        self.timers = 0
        self.timers_waited = 0
        """ms, in the doors' time, from when each of them was due until the clock had come that far."""
        self.leads_created = 0
        self.machines = 0
        """Opens and clicks that were a machine's."""
        self.forwarded = 0
        """Facts passed on to what their lead has become part of."""
        self.merged = 0
        """Leads that have become part of another."""
        self.refused = 0
        """Links that the limits of one person refuse."""
        self.accounts_created = 0
        self.members_refused = 0
        """Reports of leads that an account has no room for."""
        self.erased = 0
        """Leads whose person was forgotten."""
        self.shunned = 0
        """Facts passed over because their person was forgotten."""
        self.evicted_ids = 0
        self.undecodable = 0
        self.faults = 0
        self.live_qualified = 0
        self.live_disqualified = 0
        """Outcomes of leads that have a shadow,"""
        self.shadow_qualified = 0
        self.shadow_disqualified = 0
        """and those that their shadows would have told."""
        self.shadow_failed = 0
        """Leads for which our own code failed under the shadow's rules."""
