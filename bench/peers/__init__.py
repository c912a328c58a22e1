"""The same work as others would write it, each a program of its own."""
