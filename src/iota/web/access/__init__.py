"""Who gets in, how, and at what cost: tokens, cookies, limits, and running servers."""
