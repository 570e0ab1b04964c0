"""Monitor mode: files and folders that appear, grow, are renamed, and are complete."""
