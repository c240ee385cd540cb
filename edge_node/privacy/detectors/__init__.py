"""The detectors there are, one file for each family; where two find the same, the one listed first names it."""

from edge_node.privacy.detectors import (
    account,
    address,
    address_east_asian,
    card,
    email,
    iban,
    identity,
    network,
    phone,
    plate,
    url,
    wallet,
)
from edge_node.privacy.spans import Detector

DETECTORS: tuple[Detector, ...] = (
    url.DETECTOR,
    email.DETECTOR,
    iban.DETECTOR,
    wallet.DETECTOR,
    network.DEVICES,
    network.ADDRESSES,
    identity.DETECTOR,
    card.DETECTOR,
    card.MISTYPED,
    plate.DETECTOR,
    phone.DETECTOR,
    account.DETECTOR,
    address.DETECTOR,
    address_east_asian.DETECTOR,
)
