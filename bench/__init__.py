"""Speed, measured: ``make bench`` runs it all and prints each figure beside that of a named peer in the same run."""
