"""Each figure beside the limit measured in the same run: `make bench`."""
