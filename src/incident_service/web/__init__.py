"""The manners of every answer: problems, lists, preconditions, repeated calls, the document.

The domain's routers are beside their domains; this knows none of them.
"""
