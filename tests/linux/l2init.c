// SPDX-License-Identifier: MIT
/*
 * The whole userspace of the Linux guest inside Linux: says which kernel it runs on, lets its processors work where it has several, and
 * ends its machine.
 *
 * The lines it prints are the proof that L2 came to its userspace; tests look for them word by word.
 */
#include "lib/processors.h"
#include "machine_end.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

/* With one processor there is nothing to prove, and the run shall stay as short as it is. */
static void use_processors(void)
{
	int list[PROCESSORS_MAX], count = processors_list(list);

	printf("L2 userspace: %d processors\n", count);
	if (count < 2)
		return;
	processors_work("L2");
	interrupts_print("L2");
	kernel_log_judge("L2");
}

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
	use_processors();
	end_machine();
	for (;;)
		pause();
}
