// SPDX-License-Identifier: MIT
/*
 * Files that go into a guest's memory, read to their end or not at all.
 */
#include "vmm.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

size_t file_open(const char *name, int *file)
{
	struct stat status;

	*file = open(name, O_RDONLY | O_CLOEXEC);
	if (*file < 0 || fstat(*file, &status) < 0)
		fail("%s: cannot be opened", name);
	return (size_t)status.st_size;
}

void file_read(int file, void *to, size_t size, const char *name)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(file, (uint8_t *)to + done, size - done);

		if (n <= 0)
			fail("%s: cannot be read to its end", name);
		done += (size_t)n;
	}
}
