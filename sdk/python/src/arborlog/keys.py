"""Ed25519 keys by the package `cryptography`. Anything with `public` and `sign` can take a key's place."""

import os
from typing import Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from .errors import ArborlogError


class Signer(Protocol):
    """What signs: a key in a file, in a hardware module, or in another process."""

    public: bytes

    def sign(self, message: bytes) -> bytes:
        """The 64 bytes of the Ed25519 signature over the plain message."""


class Key:
    """A private key in memory."""

    def __init__(self, private):
        self._private = private
        self.public = private.public_key().public_bytes_raw()

    @classmethod
    def load(cls, path):
        """A key from a PKCS#8 PEM file, as `arborlog keygen` writes."""
        with open(path, "rb") as file:
            return cls.from_pem(file.read(65_536))

    @classmethod
    def from_pem(cls, pem, password=None):
        try:
            private = serialization.load_pem_private_key(pem, password)
        except (ValueError, TypeError) as error:
            raise ArborlogError("key_malformed", f"it is no key in PKCS#8 PEM: {error}") from None
        if not isinstance(private, Ed25519PrivateKey):
            raise ArborlogError("key_malformed", "the key is not for Ed25519", "make one with arborlog keygen")
        return cls(private)

    @classmethod
    def from_seed(cls, seed):
        """A key from its 32 secret bytes."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def generate(cls):
        return cls(Ed25519PrivateKey.generate())

    def sign(self, message):
        return self._private.sign(message)

    def save_new(self, path):
        """Writes a PKCS#8 PEM file that its owner alone can read; a file that is there stays as it is."""
        pem = self._private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
