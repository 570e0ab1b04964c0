"""The web interface: pages, charts and the HTTP API; reads run folders and starts commands."""
