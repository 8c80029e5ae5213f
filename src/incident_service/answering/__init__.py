"""How the people who were paged answer: by the link in their page, without a key."""
