"""The arithmetic of gates: what golden rows let one claim about a model, and with how much doubt."""
