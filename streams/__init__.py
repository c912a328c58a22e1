"""What events mean. Pure: no I/O, no clock, no Faust, no Redis.

Read in the way of an event: events, contact, measures, partition, windows, kpis, policy.
"""
