"""What a user is told when something they gave is wrong."""


class UsageError(Exception):
    """A user's mistake, as one line that says what is wrong, where, and what to do.

    The command line prints it without a traceback and exits with 2.
    """
