"""What ends by itself after some time, and what is forgotten after some more."""
