# SPDX-License-Identifier: MIT
"""Bochs as a back end: its configuration file, its command line, and the signs in its log.

One configuration serves 2.7 and 3.x. The end of the machine is the word "Shutdown" written to port 0x8900; Bochs then leaves with status
1, as after a panic, so only its log tells them apart. A triple fault leaves it spinning: the log is watched for it.
"""
import os
import re
import subprocess
import sys
import time

import rfb
from machine import ROOT, find_firmware

DEFAULT_CPU = "corei7_haswell_4770"
AWAKE = ROOT / "build" / "emu" / "awake.so"

CONFIGURATION = """\
megs: {memory}
romimage: file={firmware}, address={address:#x}
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
cpu: model={cpu}, count={cpus}, ips={ips}, reset_on_triple_fault=0{bad_msrs}{quantum}{features}
clock: sync=none, time0=1700000000
pci: enabled=1, chipset=i440fx
vga: extension=vbe, update_freq={refresh}, realtime=0
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path={image}, mode=volatile, journal={journal}, {geometry}, translation=none
boot: disk
sound: waveoutdrv=dummy, midioutdrv=dummy, waveindrv=dummy
speaker: enabled=0
panic: action=fatal
error: action={errors}
info: action=report
debug: action=ignore
log: emulator.log
display_library: {display}
com1: {com1}
com2: {com2}
"""

TICK = re.compile(r"^(\d{11,})[a-z]\[")
SIGNS = (
    (re.compile(r"exception\(\): 3rd \("), "triple fault"),
    (re.compile(r"Shutdown port: shutdown requested|soft power off"), "shutdown"),
    (re.compile(r">>PANIC<<"), "panic"),
    (re.compile(r"^(?!0+[a-z])\d+[a-z]\[(KBD|PCI2ISA|PCI|CPU0)\s*\] .*(reset cpu|[Cc][Pp][Uu] hardware reset|PC reset)"), "reset"),
)


def output_of(*command):
    """What Bochs prints about itself; its exit status says nothing."""
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False, errors="replace").stdout


def newest():
    """The newest Bochs that was fetched, also one that divides wrongly; None where the one in use is too old to add features."""
    found = subprocess.run([ROOT / "tools" / "fetch-bochs", "newest"], stdout=subprocess.PIPE, text=True, check=False).stdout.strip()
    return found or None


def find_model(program, wanted):
    """The one CPU model whose name ends in what was asked for: skylake-x is corei7_skylake_x."""
    models = output_of(program, "--help", "cpu").split()
    wanted = wanted.replace("-", "_").lower()
    found = [m for m in models if m == wanted] or [m for m in models if m.endswith(wanted)]
    if len(found) != 1:
        sys.exit(f"{program} has no CPU model {wanted}")
    return found[0]


def geometry(image):
    """Cylinders, heads and sectors that make up the image to the last sector."""
    sectors = os.path.getsize(image) // 512
    for heads, spt in ((16, 63), (16, 32), (16, 8), (1, 1)):
        if sectors % (heads * spt) == 0 and sectors // (heads * spt) < 262144:
            return f"cylinders={sectors // (heads * spt)}, heads={heads}, spt={spt}"
    sys.exit(f"{image}: its size is no multiple of 64 KB")


class Bochs:
    """Prepares one run and reads its signs."""
    def __init__(self, options):
        self.options = options
        self.devices = {}
        self.screen_port = 0
        if options.backend == "bochs-system":
            self.program = "bochs"
        elif options.program:
            self.program = options.program
        else:
            self.program = subprocess.run([ROOT / "tools" / "fetch-bochs"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
        # Builds that know the flag start without their debugger; older ones always stop in it and have to be told to go on.
        self.debugger = "-debugger" not in output_of(self.program, "--help")

        self.environment = {"LD_PRELOAD": str(AWAKE)} if AWAKE.exists() else {}

    def port(self, number):
        device = self.devices.get(number)
        return f"enabled=1, mode=term, dev={device}" if device else f"enabled=1, mode=file, dev=com{number}"

    def command(self, work, image):
        options, firmware = self.options, find_firmware(work)
        text = CONFIGURATION.format(
            memory=options.memory, firmware=firmware, address=2**32 - os.path.getsize(firmware), image=image, geometry=geometry(image),
            cpu=find_model(self.program, options.cpu or DEFAULT_CPU), cpus=options.cpus, ips=options.ips or 200000000,
            bad_msrs=", ignore_bad_msrs=0" if options.strict_msrs else "", journal=work / "journal",
            quantum=f", quantum={options.quantum}" if options.quantum else "",
            refresh=20 if options.screen else 2, display="rfb, options=\"timeout=20\"" if options.screen else "term",
            features=f', add_features="{options.features}"' if options.features else "",
            com1=self.port(1), com2=self.port(2) if options.log2 else "enabled=0",
            errors="report" if options.emulator_errors else "ignore")
        (work / "bochsrc").write_text(text, encoding="utf-8")
        command = [self.program, "-q", "-f", "bochsrc"]
        if self.debugger:
            (work / "debugger").write_text("c\n", encoding="utf-8")
            command += ["-rc", "debugger"]
        return command

    def read_log(self, line, result):
        stamp = TICK.match(line)
        if stamp:
            result.ticks = max(result.ticks, int(stamp[1]))
        for sign, end in SIGNS:
            if sign.search(line) and not result.end:
                result.end = end
                result.detail = "" if end == "shutdown" else line[12:].strip()

    def started(self, process):
        """Bochs chooses its screen server's port, and says so too late; the process has no other one."""
        while self.options.screen and not self.screen_port and process.poll() is None:
            time.sleep(0.05)
            self.screen_port = rfb.listening_port(process.pid)
        if self.screen_port:
            rfb.greet(self.screen_port)

    def picture(self):
        """What the screen shows, by Bochs's own server of it."""
        return rfb.picture(self.screen_port)

    def read_exit(self, status, said, result):
        result.end = "exit"
        result.detail = f"status {status}: " + " ".join(said.split())[-300:]
