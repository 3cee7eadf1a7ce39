"""What the command's exit codes mean; 2, wrong usage, is given by typer."""

MISTAKE = 1
INTERRUPTED = 130
