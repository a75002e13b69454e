# SPDX-License-Identifier: MIT
"""QEMU as a back end: TCG, which has no VMX and shows the refusals, and KVM, where the host offers nested VMX.

Port 0x8900 is QEMU's debug-exit device here, so the word "Shutdown" ends this machine as it ends Bochs. Disk changes are thrown away.
"""
import shutil
import sys

from machine import find_firmware

# The debug-exit device leaves with (value << 1) | 1, and the first letter written is S.
STATUS_SHUTDOWN = (ord("S") << 1) | 1
CODE = "/usr/share/OVMF/OVMF_CODE_4M{}.fd"


class Qemu:
    """Prepares one run and reads its exit status."""
    environment = {}

    def __init__(self, options):
        self.options = options
        self.devices = {}
        self.program = shutil.which("qemu-system-x86_64") or sys.exit("no qemu-system-x86_64: run tools/install-packages")

    def firmware(self, work):
        """In flash only where its variables matter: it writes to them, so they are a copy."""
        options = self.options
        if not options.variables:
            return ["-bios", str(find_firmware(work))]
        shutil.copyfile(options.variables, work / "variables.fd")
        return [*(["-global", "driver=cfi.pflash01,property=secure,value=on"] if options.secure_boot else []),
                "-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={CODE.format('.secboot' if options.secure_boot else '')}",
                "-drive", f"if=pflash,format=raw,unit=1,file={work / 'variables.fd'}"]

    def network(self):
        if not self.options.network:
            return ["-nic", "none"]
        order = ",bootindex=1" if self.options.network_boot else ""
        return ["-netdev", f"user,id=net,{self.options.network}", "-device", f"virtio-net-pci,netdev=net,romfile={order}"]

    def command(self, work, image):
        options = self.options
        kvm = options.backend == "qemu-kvm"
        cpu = options.cpu or ("host,+vmx" if kvm else "max")
        return [self.program, "-machine", "q35,accel=" + ("kvm" if kvm else "tcg") + (",smm=on" if options.secure_boot else ""), "-cpu", cpu,
                "-smp", str(options.cpus), "-m", str(options.memory), *self.firmware(work),
                "-drive", f"file={image},format=raw,snapshot=on,if=none,id=disk", "-device", "ide-hd,drive=disk,bootindex=0",
                "-device", "isa-debug-exit,iobase=0x8900,iosize=0x01", *self.network(), "-display", "none", "-no-reboot",
                "-serial", self.port(work, 1), *self.second(work), "-monitor", "none", "-D", str(work / "emulator.log")]

    def port(self, work, number):
        return self.devices.get(number) or f"file:{work / f'com{number}'}"

    def second(self, work):
        """COM2, or a port at an address where OVMF has no console."""
        place = self.options.device2 or f"isa-serial,iobase={self.options.base2:#x},irq=4"
        if not self.options.log2 or not (self.options.base2 or self.options.device2):
            return "-serial", self.port(work, 2) if self.options.log2 else "none"
        device = self.devices.get(2)
        kind = f"serial,path={device}" if device else f"file,path={work / 'com2'}"
        return "-chardev", f"{kind},id=second", "-device", place + (",chardev=second" if "serial" in place else "")

    def read_log(self, line, result):
        """QEMU's log is kept for people; it carries no sign."""

    def read_exit(self, status, said, result):
        # With -no-reboot a reset ends QEMU as a power-off does, with status 0.
        if status in (0, STATUS_SHUTDOWN):
            result.end = "shutdown"
        else:
            result.end = "exit"
            result.detail = f"status {status}: " + " ".join(said.split())[-300:]
