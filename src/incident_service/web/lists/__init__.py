"""What the lists of the API have in common: filters, pages, cursors."""
