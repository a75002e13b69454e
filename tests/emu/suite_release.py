# SPDX-License-Identifier: MIT
"""What leaves the tree: the signed loader under Secure Boot, the archive, and the loader that comes over the network.

Secure Boot is OVMF's, in QEMU, with the test key ("snakeoil") that comes with it in PK, KEK and db. QEMU's own emulation has no VMX, so the
loader's first lines and its start of L1 are what is to be seen.
"""
import functools
import hashlib
import http.server
import os
import re
import shutil
import sys
import tarfile
import tempfile
import threading
from pathlib import Path

import disks
from disks import BUILD, FIRST, L1, LOADER
from machine import ROOT
from suite_loader import HELLO, expect

sys.path.insert(0, str(ROOT / "tests" / "install"))
from load_option import load_option, started_once, uri  # noqa: E402  (after the path is set)

VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
KEYS = Path("/usr/share/OVMF/OVMF_VARS_4M.snakeoil.fd")
TEST_KEY = Path("/usr/share/ovmf/PkKek-1-snakeoil.key")
TEST_CERTIFICATE = Path("/usr/share/ovmf/PkKek-1-snakeoil.pem")
REFUSED = r"^BdsDxe: failed to load Boot\d+ .*: (Access Denied|Security Violation)"
OURS = r"^testudo\["
ARCHIVE = threading.Lock()	# two tests make it
NOT_TRUSTED = r"cannot load l1 = \\EFI\\testudo\\l1\\hello\.efi .*Secure Boot does not trust it"


class Signer:
    """Keys in a folder that is gone afterwards: the test key, and one that the firmware does not know."""
    def __init__(self, report):
        self.report = report

    def __enter__(self):
        self.work = Path(tempfile.mkdtemp(prefix="testudo-sign."))
        self.call("openssl", "rsa", "-passin", "pass:snakeoil", "-in", TEST_KEY, "-out", self.work / "test.key")
        shutil.copy(TEST_CERTIFICATE, self.work / "test.pem")
        self.call("openssl", "req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=unknown", "-days", "30",
                  "-keyout", self.work / "other.key", "-out", self.work / "other.pem")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.work)

    def call(self, *command):
        status, output = self.report.command(command, 60)
        if status:
            raise RuntimeError(output)

    def sign(self, image, key="test"):
        to = self.work / f"{Path(image).name}.{key}"
        self.call(ROOT / "tools/sign", self.work / f"{key}.key", self.work / f"{key}.pem", image, to)
        return to


def secure(report, loader, wanted, unwanted=(), l1=None, until=REFUSED):
    """One start under Secure Boot."""
    files = [f"{FIRST}={loader}", "EFI/testudo/testudo.cfg:=unsupported = boot" + (f"\nl1 = {disks.efi_path(HELLO)}\noptions = seen" if l1 else "")]
    files += [f"{HELLO}={l1}"] if l1 else []
    result = report.machine(backend="qemu-tcg", variables=KEYS, secure_boot=True, files=files, seconds=120, until=until)
    expect(report, result, wanted, unwanted, ends=("until", "shutdown"))


def signed(report):
    """Starts, and a signed L1 after it."""
    with Signer(report) as signer:
        secure(report, signer.sign(LOADER), [r"^testudo\[0\]: Testudo \d", r"VMX .*TCG", r'^hello: options "seen"'], [NOT_TRUSTED],
               signer.sign(BUILD / "efi/hello.efi"))


def unsigned(report):
    secure(report, LOADER, [REFUSED], [OURS])


def other_key(report):
    with Signer(report) as signer:
        secure(report, signer.sign(LOADER, "other"), [REFUSED], [OURS])


def unsigned_l1(report):
    """The firmware checks what Testudo loads; its refusal comes out with cause and cure."""
    with Signer(report) as signer:
        secure(report, signer.sign(LOADER), [NOT_TRUSTED + r".*in db", r"returning to the firmware"], [r"^hello:"], BUILD / "efi/hello.efi",
               r"returning to the firmware")


def sign_says(report):
    """What `make sign` answers to wrong use: no file is left behind then."""
    with Signer(report) as signer:
        work, wrong = signer.work, []
        for words, cause in (((work / "none.key", work / "test.pem", LOADER), 'none.key" cannot be read'),
                             ((work / "test.key", work / "none.pem", LOADER), 'none.pem" cannot be read'),
                             ((work / "test.key", work / "other.pem", LOADER), "error in key/certificate chain"),
                             ((TEST_KEY, work / "test.pem", LOADER), "Enter PEM pass phrase"),
                             ((work / "test.key", work / "test.pem", ROOT / "README.md"), "Invalid DOS header magic")):
            status, output = report.command([ROOT / "tools/sign", *words, work / "out.efi"], 60)
            if status != 1 or cause not in output or "sign: cure: " not in output:
                wrong.append(f"status {status} and not \"{cause}\": {output}")
            if list(work.glob("out.efi*")):
                wrong.append(f"\"{cause}\" leaves a file")
        report.judge(wrong)


NO_VOLUME = r"no \\EFI\\testudo\\testudo\.cfg, since Testudo was started from no file system"
SOME_CONFIGURATION = "EFI/testudo/testudo.cfg:=log = debug"


def by_pxe(report):
    """The same file, as there is nothing to start on the disk: it says that it has no file system, and gives the machine back."""
    network = f"restrict=on,tftp={LOADER.parent},bootfile={LOADER.name}"
    result = report.machine(backend="qemu-tcg", network=network, network_boot=True, files=[SOME_CONFIGURATION], seconds=120, until=r"failed to start Boot.*IPv4")
    expect(report, result, [NO_VOLUME, r"VMX .*TCG", r"returning to the firmware"], ends=("until",))


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):	# pylint: disable=arguments-differ
        pass


def by_http(report):
    """A boot entry with an address and load options, which count: L1 cannot be found, and the firmware gets control back."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=LOADER.parent)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        # 10.0.2.2 is this machine.
        option = load_option("HTTP", uri(f"http://10.0.2.2:{server.server_address[1]}/{LOADER.name}"), r"unsupported=boot l1=\EFI\hello.efi")
        with tempfile.NamedTemporaryFile(prefix="testudo-variables.") as store:
            store.write(started_once(VARIABLES.read_bytes(), option))
            store.flush()
            result = report.machine(backend="qemu-tcg", network="ipv6=off", variables=store.name, seconds=120, until="failed to start Boot0100",
                                    files=[SOME_CONFIGURATION, f"EFI/hello.efi={BUILD}/efi/hello.efi"])
        server.shutdown()
    expect(report, result, [r'BdsDxe: starting Boot0100 "HTTP"', NO_VOLUME, r"going on without Testudo",
                            r"cannot load l1 = \\EFI\\hello\.efi .*that is no file system"], [r"^hello:"], ends=("until",))


def not_a_file(report):
    """What looks like a device is not replaced by an image."""
    with tempfile.TemporaryDirectory(prefix="testudo-usb.") as work:
        device = Path(work) / "sdx"
        os.mkfifo(device)
        status, output = report.command([ROOT / "tools/mkusb", device, LOADER], 60)
        report.judge([] if status == 1 and device.is_fifo() and "is no ordinary file" in output and "dd if=" in output else [f"status {status}: {output}"])


def archive_of(output):
    match = re.search(r"^([0-9a-f]{64})  (testudo-\S+\.tar\.gz)$", output, re.M)
    return (match[1], match[2]) if match else (None, None)


def reproducible(report):
    """Built once more from a copy in another folder, by another clock, with other permissions: the same archive."""
    with ARCHIVE:
        status, output = report.command(["make", "--no-print-directory", "-s", "dist"], 120, SOURCE_DATE_EPOCH="1700000000")
    first, _ = archive_of(output)
    with tempfile.TemporaryDirectory(prefix="testudo other ") as work:
        copy = Path(work) / "a" / "longer path"
        listed = [path for path in os.popen(f"git -C '{ROOT}' ls-files -co --exclude-standard").read().splitlines() if (ROOT / path).is_file()]
        for path in listed:
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, copy / path)
        script = 'umask 077 && cd "$1" && make --no-print-directory -s -j2 BUILD=elsewhere dist'
        status2, output2 = report.command(["sh", "-c", script, "sh", copy], 300, SOURCE_DATE_EPOCH="1700000000", TZ="Asia/Tokyo", LC_ALL="C",
                                          MAKEFLAGS="", MAKELEVEL="")
        second, _ = archive_of(output2)
    report.judge([] if first and first == second and not status and not status2 else [f"{first} and {second}: {output[-300:]} {output2[-300:]}"],
                 good=f"{first[:16]}… twice" if first else "")


def content(report):
    """The archive is whole: hashes, links of the documents, and its installer, which finds its loader."""
    with ARCHIVE:
        look_inside(report)


def look_inside(report):
    _, output = report.command(["make", "--no-print-directory", "-s", "dist"], 120)
    one, name = archive_of(output)
    if not name:
        report.fail(f"no archive: {output[-300:]}")
        return
    wrong = []
    if hashlib.sha256((BUILD / name).read_bytes()).hexdigest() != one:
        wrong.append("the hash that is printed is another")
    with tempfile.TemporaryDirectory(prefix="testudo-dist.") as work:
        with tarfile.open(BUILD / name) as archive:
            wrong += [f"{entry.name} belongs to somebody" for entry in archive if entry.uid or entry.gid or entry.uname or entry.gname]
            archive.extractall(work)
        top = Path(work) / name[:-len(".tar.gz")]
        status, output = report.command(["sh", "-c", 'cd "$1" && sha256sum --check --strict SHA256SUMS', "sh", top], 60)
        present = {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}
        sums = {line.split("  ", 1)[1] for line in (top / "SHA256SUMS").read_text(encoding="utf-8").splitlines()}
        if status or sums != present - {"SHA256SUMS"}:
            wrong.append(f"SHA256SUMS: {output[-300:]} {sums ^ present}")
        for page in top.rglob("*.md"):
            links = re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8"))
            wrong += [f"{page.name}: {link} leads nowhere" for link in links if "://" not in link and not (page.parent / link).exists()]
        (top / "esp").mkdir()
        status, output = report.command([top / "tools/install", "--esp", top / "esp", "--any-folder"], 60)
        if status or (top / "esp/EFI/testudo/testudo.efi").read_bytes() != LOADER.read_bytes():
            wrong.append(f"its installer: {output[-300:]}")
    report.judge(wrong, good=f"{len(present)} files")


def add(suite):
    suite.add("secure-boot/signed", signed)
    suite.add("secure-boot/unsigned", unsigned)
    suite.add("secure-boot/other-key", other_key)
    suite.add("secure-boot/unsigned-l1", unsigned_l1)
    suite.add("secure-boot/sign-says", sign_says)
    suite.add("network/pxe", by_pxe)
    suite.add("network/http", by_http)
    suite.add("usb/not-a-device", not_a_file)
    suite.add("dist/reproducible", reproducible)
    suite.add("dist/content", content)
