// SPDX-License-Identifier: MIT
/*
 * vmm tiny                                       a small guest that exits a known number of times, and whether all of it came out right
 * vmm rounds NAME                                what a round trip of a guest's CPUID costs that KVM answers, as "B NAME" lines
 * vmm each                                       such guests on all processors at once, each moving about
 * vmm hotplug TIMES                              such guests while NMIs come and processors go off and on
 * vmm linux KERNEL INITRD COMMAND-LINE [VCPUS [MEGABYTES]]
 *                                                a Linux kernel with a serial console; status 0 when it ended the machine by itself
 * vmm efi IMAGE [OPTIONS]                        a UEFI application that needs little of the firmware, with load options; status 0 likewise
 */
#include "vmm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINUX_MEGABYTES = 160, EFI_MEGABYTES = 192 };

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "tiny"))
		return tiny_main();
	if (argc == 3 && !strcmp(argv[1], "rounds"))
		return rounds_main(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "each"))
		return tiny_each_main();
	if (argc == 3 && !strcmp(argv[1], "hotplug"))
		return tiny_hotplug_main(atoi(argv[2]));
	if (argc >= 5 && argc <= 7 && !strcmp(argv[1], "linux"))
		return linux_main(argv[2], argv[3], argv[4], argc >= 6 ? atoi(argv[5]) : 1,
				  argc == 7 ? (size_t)atoi(argv[6]) : LINUX_MEGABYTES);
	if ((argc == 3 || argc == 4) && !strcmp(argv[1], "efi"))
		return efi_main(argv[2], argc == 4 ? argv[3] : "", EFI_MEGABYTES);
	fputs("usage: vmm tiny | rounds NAME | each | hotplug TIMES | "
	      "linux KERNEL INITRD COMMAND-LINE [VCPUS [MEGABYTES]] | efi IMAGE [OPTIONS]\n", stderr);
	return 2;
}
