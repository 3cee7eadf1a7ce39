"""One reader a format; each yields batches of usable rows and enters the others in a ledger."""
