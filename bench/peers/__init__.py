"""The same work as others would write it, each a program of its own, each in a virtual environment of its own."""
