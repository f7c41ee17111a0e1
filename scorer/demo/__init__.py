"""The demonstration: invented people leave traces on a real road; a terminal shows what comes of it."""
