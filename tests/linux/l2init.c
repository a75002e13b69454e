// SPDX-License-Identifier: MIT
/*
 * The whole userspace of the Linux guest inside Linux: says which kernel it runs on, and ends its machine.
 *
 * The line it prints is the proof that L2 came to its userspace; tests look for it word by word.
 */
#include "machine_end.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

int main(void)
{
	char version[512];
	ssize_t length = 0;

	mkdir("/proc", 0755);
	mount("proc", "/proc", "proc", 0, NULL);

	int file = open("/proc/version", O_RDONLY);

	if (file >= 0)
		length = read(file, version, sizeof version - 1);
	if (length > 0) {
		version[length] = '\0';
		printf("L2 userspace: %s", version);
	} else {
		printf("L2 userspace: /proc/version cannot be read\n");
	}
	end_machine();
	for (;;)
		pause();
}
