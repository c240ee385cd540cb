"""A sealed archive: a tar of files and a manifest with their hashes, encrypted to a recovery key, in a stream.

    nearside archive FORMAT CHECK           one line; CHECK covers the header, so that damage is told from a wrong key
    {"program": …, "schemas": …, …}         one line of JSON, in clear: what is needed to refuse in time
    chunks                                  AES-256-GCM over 1 MiB each, numbered, the last one marked
      └ tar: files …, then manifest.json

Its key is HKDF-SHA256 over an X25519 agreement of a key pair made for this archive with the recovery key, bound to the
header. Whoever knows the public part can make an archive, so an archive is only as trustworthy as where it was kept;
reading one takes nothing for granted.
"""

from nearside.archive.manifest import About, Entry, Manifest, is_safe
from nearside.archive.reading import header_for, read_header, read_manifest, unpack
from nearside.archive.sealed import FORMAT, Header
from nearside.archive.writing import ArchiveWriter, whole_file

__all__ = [
    "FORMAT",
    "About",
    "ArchiveWriter",
    "Entry",
    "Header",
    "Manifest",
    "header_for",
    "is_safe",
    "read_header",
    "read_manifest",
    "unpack",
    "whole_file",
]
