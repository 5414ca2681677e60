"""How a text becomes a document: the parts that `clspec.load` is made of."""
