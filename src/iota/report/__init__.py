"""What a run looks like to people: charts, and the report; for the command line and the web server alike."""
