"""The image that steps run in on a cluster: Python, clspec with what it needs, and the user's code; nothing else."""
