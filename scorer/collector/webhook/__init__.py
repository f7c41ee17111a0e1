"""What sources of vendors' webhooks have in common: signatures, decoding, events, options."""
