"""Several models at every width, tuned on one budget, trained with several seeds and judged on the same test part."""
