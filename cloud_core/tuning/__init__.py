"""Training and judging the cascade; scikit-learn and scipy are loaded when something is trained."""

from cloud_core.tuning.report import Report
from cloud_core.tuning.storing import Trained
from cloud_core.tuning.training import train

__all__ = ["Report", "Trained", "train"]
