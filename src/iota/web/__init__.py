"""The web interface: pages, charts and the JSON API; it shows what is in run folders and starts commands."""
