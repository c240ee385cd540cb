"""The packs of a company at this edge, and what the edge answers it from."""
