"""A pack: what an edge answers a company's customers from, in one read-only file.

    NAME.pack                     a ZIP of stored members, laid out in one way only, each at a multiple of 64 bytes
      ├ manifest.json             whose it is, its version, what made it, and size and SHA-256 of every member after it
      ├ classifier/meta.json      with classifier/*.npy what training found; arrays are used where they lie in the file
      ├ content/…                 the company's files as they were written, but no secret and no name of a secret's file
      ├ probe.npy                 what the encoder that it was trained with makes of a few texts
      └ signature                 64 bytes, Ed25519 over manifest.json; there is none yet, and none is asked for

The same members give the same bytes. All bytes outside of the members follow from the manifest, so the file is whole if
the manifest is right and nothing differs: no member twice, hidden, out of order or behind the end.
"""

from nearside.packs.manifest import FORMAT, About, Manifest, Member
from nearside.packs.reading import LARGEST, Pack, open_pack
from nearside.packs.writing import as_npy, write_pack

__all__ = ["FORMAT", "LARGEST", "About", "Manifest", "Member", "Pack", "as_npy", "open_pack", "write_pack"]
