"""What the records say: pure functions that never touch pixels or files."""
