"""What the document begins with: its sections, in the order in which a newcomer needs them."""

TAGS = {
    "incidents": "What is wrong, who deals with it, and the verbs by which people answer.",
    "alerts": "What came in, one item for each time that an alert fired.",
    "ingest": "The addresses that senders of alerts post to.",
    "services": "What alerts are about: how they group, and which policy pages.",
    "integrations": "Senders of alerts, their keys, and the rules that route what they send.",
    "escalation policies": "Who is paged, level by level, until somebody acknowledges.",
    "schedules": "Who is on call: layers, overrides, shifts, gaps and calendars.",
    "maintenance windows": "Times in which what they cover pages nobody, until their end.",
    "teams": "Who owns what, and who belongs to whom.",
    "team channels": "Chats and machines that a level tells in addition to people.",
    "users": "People, and how they want to be told.",
    "contact methods": "The addresses at which people are paged.",
    "pages": "The messages that went out, attempt by attempt.",
    "analytics": "How many incidents went: counts, times, pages, noise.",
    "webhook subscriptions": "Incident events for other programs.",
    "API keys": "Keys of people and programs, what they may do and in which teams.",
    "audit log": "Who changed what of the configuration, and which keys were refused.",
    "health": "Whether this process lives, and whether it can store an alert.",
}


def listed() -> list[dict[str, str]]:
    """Return the sections as the document has them."""
    return [{"name": name, "description": description} for name, description in TAGS.items()]
