"""This machine as a target: a plan as a plain Python program, and the engine that runs plans here."""
