"""What runs. Each folder is one running thing or the edge it stands on; ``app`` puts the parts together."""
