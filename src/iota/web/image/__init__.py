"""The detector image: what pages and programs ask of the processes that open images."""
