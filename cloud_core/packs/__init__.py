"""Packs of the companies: built from the folder that an operator writes, kept until they are brought to an edge."""
