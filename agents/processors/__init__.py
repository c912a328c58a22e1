"""Faust's side: record batches in, one commit out.

``kafka`` makes Faust hand over whole batches, ``processor`` counts one partition, ``ledger`` keeps its rows,
``worker`` runs it all.
"""
