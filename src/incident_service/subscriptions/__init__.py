"""Tell other programs what happens to incidents: signed webhooks, in order for each incident."""
