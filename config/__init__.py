"""What an operator edits, and the two modules that read it."""
