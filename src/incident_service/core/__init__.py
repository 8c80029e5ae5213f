"""What every domain stands on: transactions, queue, clock, errors, audit."""
