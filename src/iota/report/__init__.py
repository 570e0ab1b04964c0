"""Charts and reports of a run, for the command line and the web server."""
