"""Models on the Hugging Face Hub: upload, download, model cards."""
