"""Certificates of an authority of our own, made by the openssl command."""

import pathlib
import subprocess


def _openssl(*arguments):
    outcome = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert outcome.returncode == 0, outcome.stderr


class Authority:
    """Signs certificates. The files of each name are NAME.crt and NAME.key."""

    def __init__(self, folder, name="ca"):
        self.folder = pathlib.Path(folder)
        self.file = self.folder / f"{name}.crt"
        self._key = self.folder / f"{name}.key"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                 "-subj", f"/CN={name}", "-keyout", self._key, "-out", self.file)

    def sign(self, name, subject="localhost", alternatives="DNS:localhost"):
        """The files of a new certificate and its key."""
        certificate, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternatives}\n")
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", f"/CN={subject}",
                 "-keyout", key, "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self._key, "-CAcreateserial", "-days", "30",
                 "-extfile", extensions, "-out", certificate)
        key.chmod(0o600)
        return certificate, key
