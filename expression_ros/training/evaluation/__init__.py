"""How well a classifier reads: measurements, reports, model cards."""
