"""The verbs on an incident: where its lifecycle meets its timers."""
