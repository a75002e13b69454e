# SPDX-License-Identifier: MIT
"""One run of one emulated machine: start, watch, end, clean up.

Knows nothing of which emulator it is: bochs.py and qemu.py prepare a command and read their own signs of an end. Every run happens in a
folder of its own that is gone afterwards, however the run ends. Must not judge what the serial lines mean beyond the patterns it is given.
"""
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tty
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHOWN = 3   # seconds until a screen shows what was drawn
ESCAPES = re.compile(r"\x1b(\[[0-9;=?]*[A-Za-z]|\([A-Z0-9]|[=>])")


@dataclass
class Options:
    """What to run and what ends it. Paths are Path objects; 0 or None means the back end's own default."""
    backend: str = "bochs"              # bochs, bochs-system, qemu-tcg, qemu-kvm
    image: Path = None                  # disk image, never written to
    folder: Path = None                 # ... or a folder that becomes the disk
    files: list = field(default_factory=list)  # ... or entries of tools/mkesp ("path=file", "path:=text"), also added to the folder
    cpu: str = ""
    cpus: int = 1
    ips: int = 0
    quantum: int = 0                    # Bochs: instructions of one processor before the next has its turn, 1 to 32
    program: str = ""                   # Bochs: another one than tools/fetch-bochs names
    features: str = ""                  # Bochs: what the CPU model has besides, "cet pks"
    variables: Path = None              # QEMU: OVMF's variables to begin with, in a flash of their own
    secure_boot: bool = False           # ... and OVMF's build with Secure Boot, for which they have keys
    read_only: bool = False             # QEMU: the disk cannot be written to
    network: str = ""                   # QEMU: a network of its own with a DHCP server, and what else -netdev user shall do
    network_boot: bool = False          # ... and the firmware tries it after the disk
    screen: bool = False                # Bochs: a graphics card that OVMF knows; what it shows at the end is the result's
    memory: int = 512
    seconds: float = 300
    until: str = None                   # a serial line that matches ends the run
    times: int = 1                      # ... when so many have matched
    log: Path = None                    # where COM1 is kept
    log2: Path = None                   # where COM2 is kept; without it there is no COM2
    base2: int = 0                      # QEMU: another address for that port, 0x3e8 or 0x2e8
    device2: str = ""                   # QEMU: another device for it, "pci-serial,addr=5"
    emulator_log: Path = None           # where the emulator's own log is kept
    emulator_errors: bool = False       # Bochs: say why each VM entry or VMX instruction failed
    strict_msrs: bool = False           # Bochs: unknown MSRs fault; OVMF starts so on 3.1 only, and Linux nowhere
    allow_reset: bool = False           # a reset of the machine does not end the run
    on_line: object = None              # called with (port, line) for each complete serial line, port being 1 or 2
    stop: object = None                 # a threading.Event that ends the run from another thread
    # (regex, text, port): typed on that serial port (0: QEMU's monitor) when a line of any matches, or the beginning of one, each once, in this order
    keys: list = field(default_factory=list)
    keyboard: int = None                # a file descriptor: what is typed there goes to COM1
    on_rest: object = None              # called with COM1's last line while it is not complete, such as a prompt, when it changes
    on_second: object = None            # called with the seconds since the start, about once a second


@dataclass
class Result:
    """How a run ended: shutdown, until, reset, triple fault, time limit, exit (the emulator ended by itself), interrupted."""
    end: str = ""
    seconds: float = 0
    ticks: int = 0                      # Bochs: instructions executed, by its own clock
    lines: list = field(default_factory=list)   # COM1
    lines2: list = field(default_factory=list)  # COM2
    screen: object = None               # a Picture, where there is a screen
    detail: str = ""                    # the emulator's last words, when they matter

    @property
    def orderly(self):
        return self.end in ("shutdown", "until")

    def __str__(self):
        ticks = f", {self.ticks / 1e6:.1f} M ticks" if self.ticks else ""
        return f"{self.end} after {self.seconds:.1f} s{ticks}" + (f" ({self.detail})" if self.detail else "")


class Follower:
    """Reads a growing file and hands on its complete lines, without terminal escapes."""
    def __init__(self, path):
        self.path, self.file, self.rest = path, None, ""
        self.seen = 0   # how much of the line that is not complete yet has been answered by keys

    def lines(self, last=False):
        if self.file is None:
            try:
                self.file = open(self.path, "rb")
            except FileNotFoundError:
                return
        text = self.rest + self.file.read().decode("utf-8", "replace")
        *whole, self.rest = text.split("\n")
        if last and self.rest:
            whole.append(self.rest)
            self.rest = ""
        for line in whole:
            yield ESCAPES.sub("", line).replace("\r", "").rstrip()
            self.seen = 0

    def unanswered(self):
        """Of the line that is not complete yet: a prompt has no end."""
        return ESCAPES.sub("", self.rest[self.seen:])


class Port:
    """A serial port with somebody at its other end: a pseudo-terminal, of which everything said goes to the file that is followed."""
    def __init__(self, path):
        self.master, self.slave = pty.openpty()
        tty.setraw(self.slave)
        self.device = os.ttyname(self.slave)
        self.file = open(path, "wb")

    def read(self):
        try:
            self.file.write(os.read(self.master, 65536))
            self.file.flush()
        except OSError:
            pass

    def type(self, text):
        os.write(self.master, text.encode("latin-1"))

    def close(self):
        for handle in (self.master, self.slave):
            os.close(handle)
        self.file.close()


def find_firmware(work):
    """OVMF in one file; where Debian has it only as variables and code, the two are joined in the run's folder."""
    for name in (os.environ.get("TESTUDO_OVMF"), "/usr/share/ovmf/OVMF.fd", "/usr/share/OVMF/OVMF.fd", "/usr/share/qemu/OVMF.fd"):
        if name and os.path.isfile(name):
            return Path(name)
    parts = [Path("/usr/share/OVMF") / f"OVMF_{part}_4M.fd" for part in ("VARS", "CODE")]
    if all(part.is_file() for part in parts):
        joined = work / "OVMF.fd"
        joined.write_bytes(b"".join(part.read_bytes() for part in parts))
        return joined
    sys.exit("no OVMF: run tools/install-packages")


def backend_for(options):
    """The back end is imported only when used: each looks for its own emulator."""
    if options.backend.startswith("bochs"):
        from bochs import Bochs
        return Bochs(options)
    from qemu import Qemu
    return Qemu(options)


def make_image(options, work):
    """The disk: the image as given, or a FAT file system made of the folder and the files."""
    if options.image:
        return Path(options.image).resolve()
    image = work / "esp.img"
    command = [ROOT / "tools" / "mkesp"]
    if options.folder:
        command += ["--folder", options.folder]
    subprocess.run(command + [image] + list(options.files), check=True)
    return image


class Machine:
    """A running emulator on a pseudo-terminal (its display, and what keeps a debugger build content)."""
    def __init__(self, options):
        self.options = options
        self.backend = backend_for(options)
        self.work = Path(tempfile.mkdtemp(prefix="testudo-emu."))
        self.result = Result()
        self.process = self.terminal = None
        # Only where something is to be typed: files are simpler.
        numbers = ([1, 2] if options.log2 else [1]) if options.keys or options.keyboard is not None else []
        numbers += [0] if any(port == 0 for _, _, port in options.keys) else []
        self.ports = {number: Port(self.work / f"com{number}") for number in numbers}
        self.keys = [(re.compile(pattern), text, port) for pattern, text, port in options.keys]
        self.backend.devices = {number: port.device for number, port in self.ports.items()}

    def start(self):
        command = self.backend.command(self.work, make_image(self.options, self.work))
        self.terminal, other = pty.openpty()
        environment = {**os.environ, "TERM": "vt100", **self.backend.environment}
        self.process = subprocess.Popen(command, stdin=other, stdout=other, stderr=other, cwd=self.work, env=environment,
                                        start_new_session=True)
        os.close(other)
        if self.options.screen:
            self.backend.started(self.process)

    def screen(self):
        """What the emulator says on its terminal; read even when unused, or the emulator would block."""
        try:
            return os.read(self.terminal, 65536).decode("utf-8", "replace")
        except OSError:
            return ""

    def type_after(self, text):
        """Types what is due when this has come in."""
        if not self.keys or not self.keys[0][0].search(text):
            return False
        _, typed, to = self.keys.pop(0)
        self.ports[to].type(typed)
        return True

    def pass_on(self, keyboard):
        """What is typed now; False at its end."""
        typed = os.read(keyboard, 1024)
        self.ports[1].type(typed.decode("latin-1").replace("\n", "\r"))
        return bool(typed)

    def watch(self):
        """Runs until something ends it; fills in self.result."""
        options, result = self.options, self.result
        serial = [(1, Follower(self.work / "com1"), result.lines), (2, Follower(self.work / "com2"), result.lines2)]
        log = Follower(self.work / "emulator.log")
        until = re.compile(options.until) if options.until else None
        begin, said, told, matched, rest = time.monotonic(), "", 0, 0, ""
        keyboard = [] if options.keyboard is None else [options.keyboard]
        while not result.end:
            masters = {port.master: port for port in self.ports.values()}
            ready, _, _ = select.select([self.terminal, *masters, *keyboard], [], [], 0.1)
            keyboard = [k for k in keyboard if k not in ready or self.pass_on(k)]
            for port in set(ready) & set(masters):
                masters[port].read()
            if self.terminal in ready:
                said = (said + self.screen())[-4000:]
            ended = self.process.poll() is not None
            result.seconds = time.monotonic() - begin
            if options.on_second and int(result.seconds) > told:
                told = int(result.seconds)
                options.on_second(told)
            for port, follower, lines in serial:
                for line in follower.lines(ended):
                    lines.append(line)
                    if options.on_line:
                        options.on_line(port, line)
                    if until and until.search(line):
                        matched += 1
                        if matched >= options.times:
                            result.end = "until"
                    self.type_after(line[follower.seen:])
                if self.type_after(follower.unanswered()):
                    follower.seen = len(follower.rest)
            if options.on_rest and serial[0][1].rest != rest:
                rest = serial[0][1].rest
                options.on_rest(ESCAPES.sub("", rest).replace("\r", ""))
            for line in log.lines(ended):
                self.backend.read_log(line, result)
            if result.end == "reset" and options.allow_reset:
                result.end = ""
            if ended and not result.end:
                self.backend.read_exit(self.process.returncode, said, result)
            elif not result.end and result.seconds > options.seconds:
                result.end = "time limit"
            elif not result.end and options.stop and options.stop.is_set():
                result.end = "interrupted"

    def stop(self):
        """Ends the emulator with all its children and keeps the logs that were asked for."""
        if self.process:
            for number in (signal.SIGTERM, signal.SIGKILL):
                if self.process.poll() is None:
                    try:
                        os.killpg(self.process.pid, number)
                        self.process.wait(2)
                    except (ProcessLookupError, subprocess.TimeoutExpired):
                        pass
            os.close(self.terminal)
        for port in self.ports.values():
            port.close()
        for name, target in (("com1", self.options.log), ("com2", self.options.log2), ("emulator.log", self.options.emulator_log)):
            if target and (self.work / name).exists():
                Path(target).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(self.work / name, target)
        shutil.rmtree(self.work, ignore_errors=True)


def run(options):
    """Runs one machine to its end and returns the Result. Ctrl-C and SIGTERM end the machine too, and are then raised as ever."""
    machine = Machine(options)
    try:
        machine.start()
        machine.watch()
        if options.screen and machine.process.poll() is None:
            time.sleep(SHOWN)
            machine.result.screen = machine.backend.picture()
    except KeyboardInterrupt:
        machine.result.end = "interrupted"
        raise
    finally:
        machine.stop()
    return machine.result
