"""The cascade's inference: numpy only. `cloud_core.tuning` trains what it loads."""

from nearside.cascade.cascade import Cascade

__all__ = ["Cascade"]
