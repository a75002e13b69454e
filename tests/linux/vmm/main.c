// SPDX-License-Identifier: MIT
/*
 * vmm tiny                                       a small guest that exits a known number of times, and whether all of it came out right
 * vmm linux KERNEL INITRD COMMAND-LINE [MB]      a Linux kernel with a serial console; status 0 when it ended the machine by itself
 */
#include "vmm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "tiny"))
		return tiny_main();
	if ((argc == 5 || argc == 6) && !strcmp(argv[1], "linux"))
		return linux_main(argv[2], argv[3], argv[4], argc == 6 ? strtoul(argv[5], NULL, 10) : 160);
	fputs("usage: vmm tiny | vmm linux KERNEL INITRD COMMAND-LINE [MB]\n", stderr);
	return 2;
}
