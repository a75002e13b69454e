# SPDX-License-Identifier: MIT
"""The list of what was installed: files with their hashes, folders, and where the boot entry points. It lies beside the files.

A file is "ours" only while its hash is in the list: one that was changed since is the user's. What the list says is not trusted further
than that: paths that the installer never writes to are passed over.
"""
import re

from installer.esp import digest

PATH = "EFI/testudo/installed.txt"
HEAD = "# What Testudo's tools/install has put here. Its --uninstall removes these files, where they are unchanged.\n"
LINE = re.compile(r"(file) ([0-9a-f]{64}) (\S.*)|(folder) (\S.*)|(entry) (HD\(\S+\))")


def is_allowed(path):
    return ".." not in path.split("/") and (path == "EFI/BOOT/BOOTX64.EFI" or path.startswith("EFI/testudo/"))


class Manifest:
    """Hashes by path: more than one while files are being replaced."""
    def __init__(self, esp):
        self.esp = esp
        self.files, self.folders, self.entries = {}, [], []
        data = esp.read(PATH)
        self.exists = data is not None
        for line in (data or b"").decode("utf-8", "replace").splitlines():
            match = LINE.fullmatch(line)
            if match and match[1] and is_allowed(match[3]):
                self.files.setdefault(match[3], set()).add(match[2])
            elif match and match[4] and match[5] in ("EFI", "EFI/BOOT", "EFI/testudo", "EFI/testudo/l1"):
                self.folders.append(match[5])
            elif match and match[6]:
                self.entries.append(match[7])

    def is_ours(self, path):
        """Whether the file that is there now is one that was installed."""
        data = self.esp.read(path)
        return data is not None and digest(data) in self.files.get(path, ())

    def text(self):
        lines = [f"file {one} {path}\n" for path in sorted(self.files) for one in sorted(self.files[path])]
        lines += [f"folder {path}\n" for path in sorted(set(self.folders))]
        lines += [f"entry {where}\n" for where in sorted(set(self.entries))]
        return (HEAD + "".join(lines)).encode()

    def save(self):
        self.esp.write({PATH: self.text()})
