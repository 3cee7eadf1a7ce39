"""One reader per format; each yields batches of usable rows and logs the rejected ones."""
