"""What people and programs read: problems in a terminal or as JSON, scenario tables, the page of a run."""
