"""What becomes of models and data once they are in the store: from a spec to promotion, lineage, history, erasure."""
