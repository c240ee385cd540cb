"""From a forwarded question to a grounded answer."""
