"""What is shown of a trained model: tables, the picture and the page of quality against width."""
