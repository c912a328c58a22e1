"""The board: reads the store and serves people, Prometheus and programs.

``follower`` keeps ``model`` up to date, ``figures`` makes rows of it, ``history`` those of past times, ``metrics``
the exposition; ``web`` serves all of it.
"""
