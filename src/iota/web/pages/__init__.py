"""The pages of the browser interface."""
