"""AutotuneResult: measuring ways to answer a model's questions, and choosing the cheapest that is good enough."""
