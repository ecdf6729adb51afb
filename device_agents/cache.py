"""Files on the device: models by their SHA-256, kept between runs; tensors of this run, removed at its end."""

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
import time
from typing import List, Set

from device_agents import leftovers
from device_agents.artefacts import sha256_of
from device_agents.protocol import BACKEND_FAILED, BAD_MODEL, RpcError

_LARGEST_CACHE_BYTES = 4 * 1024**3
# A measurement may need more than that, and another agent may start meanwhile.
_IN_USE_S = 12 * 3600


class Cache:
    """The cache folder of one user on one device.

    Attributes:
        models: Folder with one file a model: `<sha256>.onnx`, or `<sha256>.om` where it was built elsewhere.
        built: Folder of what was compiled here.
        tensors: Folder for inputs and outputs of `run`, one file a tensor, `<sha256>.bin`; gone when the agent ends.
    """

    def __init__(self, root: str) -> None:
        self.root = default_root(root)
        self.models = os.path.join(self.root, "models")
        self.built = os.path.join(self.root, "built")
        for folder in (self.models, self.built):
            if not os.path.isdir(folder):
                os.makedirs(folder, exist_ok=True)  # Another agent may make it at the same time.
        leftovers.remove_leftovers(self.root, tempfile.gettempdir(), sys.argv[0])
        self._compared: Set[str] = set()
        self.tensors = tempfile.mkdtemp(prefix=leftovers.prefix("tensors"))
        self._prune()

    def missing(self, digests: List[str], model_format: str) -> List[str]:
        """Those of the models that are not here."""
        return [digest for digest in digests if not os.path.isfile(self._model(digest, model_format))]

    def model(self, digest: str, model_format: str) -> str:
        """Path of a model whose content was compared with its name, once in the life of this agent."""
        path = self._model(digest, model_format)
        if not os.path.isfile(path):
            raise RpcError(BACKEND_FAILED, "The model %s was not sent to this device." % digest)
        if path in self._compared:
            return path
        found = sha256_of(path)
        if found != digest:
            os.remove(path)
            raise RpcError(BACKEND_FAILED, "The model %s arrived damaged: its content is %s." % (digest, found))
        os.utime(path, None)
        self._compared.add(path)
        return path

    def read_tensor(self, digest: str) -> bytes:
        """Content of a tensor that the host sent."""
        path = os.path.join(self.tensors, _checked(digest) + ".bin")
        try:
            with open(path, "rb") as stream:
                content = stream.read()
        except OSError as error:
            raise RpcError(BAD_MODEL, "The tensor %s was not sent: %s." % (digest, error.strerror))
        if hashlib.sha256(content).hexdigest() != digest:
            raise RpcError(BAD_MODEL, "The tensor %s arrived damaged." % digest)
        return content

    def write_tensor(self, content: bytes) -> str:
        """Keeps a tensor for the host to fetch; returns its digest."""
        digest = hashlib.sha256(content).hexdigest()
        with open(os.path.join(self.tensors, digest + ".bin"), "wb") as stream:
            stream.write(content)
        return digest

    def close(self) -> None:
        """Removes the tensors of this run."""
        shutil.rmtree(self.tensors, ignore_errors=True)

    def _model(self, digest: str, model_format: str) -> str:
        if not model_format.isalnum():
            raise RpcError(BAD_MODEL, "%r is no format of a model." % model_format[:80])
        return os.path.join(self.models, "%s.%s" % (_checked(digest), model_format))

    def _prune(self) -> None:
        """Removes the models that were unused longest when both folders have grown too large.

        Those of the last hours stay: they belong to a measurement that goes on, or that will be continued.
        """
        found = []
        newest = time.time() - _IN_USE_S
        for folder in (self.models, self.built):
            for name in os.listdir(folder):
                path = os.path.join(folder, name)
                try:
                    status = os.stat(path)
                except OSError:  # Another agent removed it.
                    continue
                if os.path.isfile(path):
                    found.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in found)
        for used, size, path in sorted(found):
            if total <= _LARGEST_CACHE_BYTES or used > newest:
                return
            with contextlib.suppress(FileNotFoundError):  # Another agent removed it.
                os.remove(path)
            total -= size


def default_root(root: str) -> str:
    """The cache folder that was asked for, or the user's own."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.abspath(root or os.path.join(home, "mosegedge"))


def _checked(digest: str) -> str:
    """Refuses anything that is no SHA-256, so that a name can never leave the folder."""
    if len(digest) != 64 or any(character not in "0123456789abcdef" for character in digest):
        raise RpcError(BAD_MODEL, "%r is no SHA-256." % digest[:80])
    return digest
