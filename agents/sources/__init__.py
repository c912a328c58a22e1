"""What feeds Kafka: a simulated call center and the replay of recorded events.

A source knows only the event contract: one JSON object per message, keyed by the contact, agent or
customer it is about.
"""
