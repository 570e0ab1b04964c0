"""CrystFEL geometry files and event lists."""
