"""One frame from import to filter, and the tasks, processes and files that belong to it."""
