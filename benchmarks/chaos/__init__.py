"""Break a running service at random, under load, and look for broken promises afterwards."""
