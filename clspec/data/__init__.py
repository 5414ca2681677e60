"""Data and models that outlive a run: sources, versioned datasets, and the store they lie in."""
