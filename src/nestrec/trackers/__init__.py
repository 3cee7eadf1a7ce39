"""Callbacks that write training to experiment trackers: MLflow, TensorBoard, Weights & Biases."""
