"""Charts as SVG text: pure functions of arrays, so that they can be tested as text and sent as a few kilobytes."""
