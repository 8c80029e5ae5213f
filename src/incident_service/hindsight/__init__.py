"""What there is to learn from incidents: the report of one, the numbers of many."""
