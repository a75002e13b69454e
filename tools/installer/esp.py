# SPDX-License-Identifier: MIT
"""The EFI system partition as a mounted folder: whether it is one, whether there is room, and files that come whole or not at all.

Knows nothing of what is installed. Everything of the system is looked up below `system`, which is / but in tests.
"""
import hashlib
import os
import re
from pathlib import Path

ESP_TYPES = ("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "0xef")
TEMPORARY = ".testudo-tmp"


class Failure(Exception):
    """What is wrong, and what to do about it."""
    def __init__(self, cause, cure):
        super().__init__(cause)
        self.cause, self.cure = cause, cure


class Mount:
    """One line of /proc/self/mountinfo."""
    def __init__(self, line):
        before, _, after = line.partition(" - ")
        fields, rest = before.split(), after.split()
        self.device, self.point, self.options = fields[2], unescape(fields[4]), fields[5].split(",")
        self.type = rest[0]


def unescape(text):
    """Blanks and the like are octal in mountinfo."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def mounts(system):
    try:
        lines = (system / "proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Failure(f"the mounted file systems cannot be listed: {error}", "mount /proc") from error
    return [Mount(line) for line in lines if " - " in line]


def candidates(system):
    """A cure that names FAT file systems that are mounted."""
    found = [mount.point for mount in mounts(system) if mount.type in ("vfat", "msdos")]
    return "mount the EFI system partition and name its mount point" + (f"; FAT is mounted at {', '.join(found)}" if found else "")


def digest(data):
    return hashlib.sha256(data).hexdigest()


class Esp:
    """The partition, by its mount point. With `plain` any folder will do: for staging, and for sticks mounted by other means."""
    def __init__(self, path, system, plain):
        self.path, self.system = Path(path), system
        self.mount = None
        if not self.path.is_dir():
            raise Failure(f"{path} is no folder", candidates(system))
        os.listdir(self.path)	# has an automounter mount it
        self.real = self.path.resolve()
        if not plain:
            self.mount = self.find_mount()
        if not os.access(self.real, os.W_OK):
            raise Failure(f"{path} may not be written by this user", "run this as root")

    def find_mount(self):
        holding = [mount for mount in mounts(self.system) if self.real == Path(mount.point) or Path(mount.point) in self.real.parents]
        if not holding:
            raise Failure(f"nothing is known to be mounted at {self.path}", candidates(self.system))
        # The longest path, and of those the one mounted last.
        mount = max(enumerate(holding), key=lambda pair: (len(Path(pair[1].point).parts), pair[0]))[1]
        if mount.type not in ("vfat", "msdos"):
            raise Failure(f"{self.path} is on {mount.type}, not on FAT: no EFI system partition is mounted there", candidates(self.system))
        if Path(mount.point) != self.real:
            raise Failure(f"{self.path} is a folder inside the file system at {mount.point}", f"name {mount.point}")
        if "ro" in mount.options:
            raise Failure(f"{mount.point} is mounted read-only", f"mount -o remount,rw {mount.point}, after a look at why it is")
        return mount

    def partition(self):
        """(disk's device file, partition number), or None where it is not on a partition of a disk."""
        if not self.mount:
            return None
        block = (self.system / "sys/dev/block" / self.mount.device).resolve()
        try:
            return "/dev/" + block.parent.name.replace("!", "/"), int((block / "partition").read_text(encoding="ascii"))
        except (OSError, ValueError):
            return None

    def is_other_type(self):
        """Whether the partition table is known to call it something else than an EFI system partition."""
        if not self.mount:
            return False
        try:
            text = (self.system / f"run/udev/data/b{self.mount.device}").read_text(encoding="utf-8")
        except OSError:
            return False
        match = re.search(r"^E:ID_PART_ENTRY_TYPE=(.*)$", text, re.M)
        return bool(match) and match[1].lower() not in ESP_TYPES

    def read(self, path):
        """A file's bytes; None if there is none. `path` is relative, with slashes."""
        try:
            return (self.real / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Failure(f"{self.path / path} cannot be read: {error.strerror}", "see what it is, and move it away") from error

    def missing_folders(self, paths):
        """Folders that files at `paths` need and that are not there, outer ones first."""
        folders = {parent for path in paths for parent in Path(path).parents if parent != Path(".")}
        return sorted(str(folder) for folder in folders if not (self.real / folder).is_dir())

    def check_room(self, files, more):
        """The new files lie beside the old ones until all are written, so all of them need room; `more` bytes for what else is written."""
        state = os.statvfs(self.real)
        unit = max(state.f_frsize, 1)
        # Each folder has a cluster of its own, or grows by one.
        folders = {str(Path(path).parent) for path in files} | set(self.missing_folders(files))
        needed = (sum(-(-size // unit) for size in [more, *map(len, files.values())]) + len(folders)) * unit
        free = state.f_bavail * unit
        if needed > free:
            raise Failure(f"{self.path} has {free // 1024} KB free, and {-(-needed // 1024)} KB are needed; nothing was written",
                          "remove what is no longer used there, old kernels for example")

    def write(self, files, before_renames=lambda: None):
        """All files under other names first; only when all are on the disk are they renamed. `before_renames` is called in between."""
        made, temporary = [], {path: self.real / (path + TEMPORARY) for path in files}
        renamed = 0
        try:
            for folder in self.missing_folders(files):
                (self.real / folder).mkdir()
                made.append(self.real / folder)
            for path, data in files.items():
                write_through(temporary[path], data)
            before_renames()
            for path, name in temporary.items():
                os.replace(name, self.real / path)
                renamed += 1
            os.sync()
        except (OSError, Failure, KeyboardInterrupt) as error:
            undo(temporary.values(), [] if renamed else made)
            if not isinstance(error, OSError):
                raise
            raise Failure(f"{error.filename or self.path}: {error.strerror}; " + (
                "some files are new and some are not" if renamed else "what had been written was removed again"),
                "see whether the partition is full, damaged or read-only, and do this again") from error

    def remove_leftovers(self, folders):
        """Of a run that was ended in its middle."""
        for folder in folders:
            for path in (self.real / folder).glob("*" + TEMPORARY):
                path.unlink()

    def remove_folder(self, path):
        """Only if it is empty."""
        try:
            (self.real / path).rmdir()
            return True
        except OSError:
            return False


def undo(files, folders):
    """What of it there is; the first error is the one that counts."""
    for path in files:
        try:
            path.unlink()
        except OSError:
            pass
    for folder in reversed(folders):
        try:
            folder.rmdir()
        except OSError:
            pass


def write_through(path, data):
    try:
        with open(path, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
