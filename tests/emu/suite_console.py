# SPDX-License-Identifier: MIT
"""The console: 16550s at any port, in memory and on PCI, what is said where there is none, time stamps and colours.

Where only the loader's lines count, QEMU without VMX does. L0's own lines need Bochs, which has no such device on PCI or in memory: there the
guest `console` looks at registers that are a frame buffer.
"""
import re

import acpi
import disks
from disks import BUILD, L1
from results import CPU, complaints

HELLO = f"{L1}/hello.efi"
FILES = [f"{HELLO}={BUILD}/efi/hello.efi"]
LOADER, KERNEL = "processors run under Testudo", "running the firmware as L1"
TIME = re.compile(r"^\[ *(\d+)\.(\d{6})\] testudo\[0\]: ")
RED, GREY, PLAIN = "\x1b[31m", "\x1b[90m", "\x1b[0m"
BAD = "colour = blue"
BAD_LINE = 'there is no key "colour"'


def hello(settings):
    return FILES + disks.under_testudo(HELLO, "", settings)


def has(lines, words):
    return any(words in line for line in lines)


def said(report, port):
    """Every byte of a port, escape sequences included."""
    return report.log.with_name(report.log.stem + port).read_bytes().decode("utf-8", "replace")


def judge(report, result, wrong):
    if result.end != "shutdown":
        wrong.append(f"the machine ended by {result}")
    report.judge(wrong, good=str(result))


def on_second(report, result, words):
    """L0's lines must be on COM2, and only there."""
    wrong = [f'COM2 has no line "{w}"' for w in words if not has(result.lines2, w)]
    wrong += ["COM1 has L0's lines"] if has(result.lines, KERNEL) else []
    wrong += [] if has(result.lines, "hello: ") else ["L1 said nothing on COM1"]
    judge(report, result, wrong)


def at_port(report):
    result = report.machine(files=hello(["console = port:0x2f8", "baud = 9600"]), seconds=120, two_ports=True)
    on_second(report, result, [LOADER, KERNEL])


def as_firmware_has_it(report):
    """OVMF has no SPCR in Bochs; this one names COM2, and then L0's lines are there."""
    files = disks.with_tables(hello(["console = auto"]), acpi.files() + [acpi.spcr(0x2f8)])
    result = report.machine(files=files, seconds=120, two_ports=True)
    on_second(report, result, [LOADER, KERNEL])


def auto_without_a_table(report):
    result = report.machine(files=hello(["console = auto"]), seconds=120)
    judge(report, result, [f'no line "{w}"' for w in (LOADER, KERNEL) if not has(result.lines, w)])


def on_pci(settings, wanted, second=(), unwanted=(), device="pci-serial,addr=5"):
    """The loader on a machine with one more serial port, on PCI."""
    def test(report):
        result = report.machine(backend="qemu-tcg", files=hello(["unsupported = boot"] + settings), seconds=60, two_ports=True, device2=device)
        text = "".join(result.lines)	# the firmware's terminal wraps them
        wrong = [f'COM1 has no "{w}"' for w in wanted if w not in text] + [f'COM1 has "{w}"' for w in unwanted if w in text]
        wrong += [f"the other port has {n} lines \"{w}\" instead of one" for w in second
                  for n in [sum(w in line for line in result.lines2)] if n != 1]
        wrong += [] if has(result.lines, "hello: ") else ["L1 was not started"]
        judge(report, result, wrong)
    return test


def speed(report):
    """The loader sets the divisor of a port that the firmware does not use; the UEFI shell opens the latch and reads it."""
    script = "\r\n".join(["@echo -off", "fs0:", "t.efi console=com3 baud=9600 check=on", "mm 3eb 83 -w 1 -IO -n", "echo the divisor is",
                          "mm 3e8 -w 1 -IO -n", "echo the end"])
    result = report.machine(backend="qemu-tcg", files=[f"t.efi={disks.LOADER}", f"startup.nsh:={script}"], seconds=90, two_ports=True, base2=0x3e8,
                            until="^the end")
    text = "".join(result.lines)
    report.judge([] if re.search(r"the divisor is *0x0C", text) else [f"not 12: {text[-200:]}"], good=str(result))


def nowhere(place, cause):
    """No port there: the firmware's console has the cause, and all goes on; L0 too, which says nothing anywhere."""
    def test(report):
        result = report.machine(files=hello([f"console = {place}"]), seconds=120)
        text = "".join(result.lines)
        wrong = [f'no "{w}"' for w in (f"console = {place}", cause, "going on without a serial port", LOADER) if w not in text]
        wrong += ["L0 has found a port"] if KERNEL in text else []
        wrong += [] if has(result.lines, "hello: ") else ["L1 was not started"]
        judge(report, result, wrong)
    return test


def in_memory(report):
    """A register file in memory, L0's own mapping of it, and L1 at the same registers."""
    script = "\r\n".join(["@echo -off", "fs0:", "frame.efi", "t.efi console=mmio:0xe0000000,8 log=debug l1=console.efi options=none"])
    files = [f"t.efi={disks.LOADER}", f"frame.efi={BUILD}/efi/frame.efi", f"console.efi={BUILD}/guests/console.efi", f"startup.nsh:={script}"]
    result = report.machine(files=files, cpu=CPU, seconds=120)
    wrong = [f"not as it should be: {name}" for name in complaints(result.lines)]
    wrong += [] if has(result.lines, "DONE passed=4 failed=0") else ["not all four scenarios have run and passed"]
    judge(report, result, wrong)


def time_stamps(report):
    """Each line of both has one, none is before the one above, and L0 goes on with the loader's clock."""
    result = report.machine(files=hello(["timestamps = on"]), seconds=120)
    ours = [line for line in result.lines if "testudo[0]: " in line]
    times = [int(m[1]) * 1000000 + int(m[2]) for m in map(TIME.match, ours) if m]
    wrong = [f'no line "{w}"' for w in (LOADER, KERNEL) if not has(ours, w)]
    wrong += [] if len(times) == len(ours) else [f"{len(ours) - len(times)} of {len(ours)} lines have no time"]
    wrong += [] if times == sorted(times) and len(set(times)) > 1 else [f"times do not rise: {times}"]
    wrong += [] if times and times[-1] < 100000000 else ["the last line is later than the run was long"]
    judge(report, result, wrong)


def colours(report):
    """On the serial port alone, by what kind of line it is; other lines and the firmware's terminal stay as they were."""
    result = report.machine(files=hello(["console = com2", "colours = on", "log = debug", BAD]), seconds=120, two_ports=True)
    com1, com2 = said(report, ".log"), said(report, "-com2.log")
    lines = com2.split("\r\n")
    wrong = [f"{words}: not coloured, or wrongly" for words, colour in ((BAD_LINE, RED), ("VMCS shadowing: ", GREY))
             if not any(line.startswith(f"{colour}testudo[0]: ") and words in line and line.endswith(PLAIN) for line in lines)]
    wrong += [f"{words}: coloured" for words in (LOADER, KERNEL) if not any(line.startswith("testudo[0]: ") and words in line for line in lines)]
    wrong += ["colours on the firmware's terminal"] if f"{RED}testudo" in com1 or f"{GREY}testudo" in com1 else []
    judge(report, result, wrong)


def no_colours(report):
    """Not one escape sequence of ours by default: COM3 is nobody's but the loader's."""
    result = report.machine(backend="qemu-tcg", files=hello(["unsupported = boot", "console = com3", BAD]), seconds=60, two_ports=True, base2=0x3e8)
    text = said(report, "-com2.log")
    judge(report, result, ([] if BAD_LINE in text else ["the loader is not on COM3"]) + (["there is an escape sequence"] if "\x1b" in text else []))


PCI = "console = pci:00:05.0"


def add(suite):
    suite.add("console/port", at_port)
    suite.add("console/auto", as_firmware_has_it)
    suite.add("console/auto-without-table", auto_without_a_table)
    suite.add("console/pci", on_pci([PCI], [], ["testudo[0]: Testudo cannot run", "going on without Testudo"], [f"{PCI}: "]))
    suite.add("console/baud", speed)
    suite.add("console/pci-absent", on_pci(["console = pci:00:06.0"], ["console = pci:0000:00:06.0,0,1: there is no such PCI device"]))
    suite.add("console/pci-empty-bar", on_pci([f"{PCI},1"], ["BAR is empty"]))
    suite.add("console/pci-no-16550", on_pci([PCI], ["what answers there is no 16550"], device="pci-testdev,addr=5"))
    suite.add("console/absent", nowhere("com4", "nothing answers there"))
    suite.add("console/memory-refused", nowhere("mmio:0x100000,1", "there is memory, no device"))
    suite.add("console/out-of-reach", nowhere("mmio:0x7fffffff0000,1", "beyond the addresses"))
    suite.add("console/not-mapped", nowhere("mmio:0xf000000000,1", "page tables do not have that address"))
    suite.add("console/memory", in_memory)
    suite.add("console/timestamps", time_stamps)
    suite.add("console/colours", colours)
    suite.add("console/no-colours", no_colours)
