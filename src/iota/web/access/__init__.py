"""Access to the server: tokens, cookies, limits on requests, list of running servers."""
