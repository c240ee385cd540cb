"""A sealed archive of everything that a core has, and a core made of one."""
