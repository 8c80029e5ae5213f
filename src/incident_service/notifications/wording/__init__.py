"""How each channel says a page, so that no text of an alert is read as more than text. Pure."""
