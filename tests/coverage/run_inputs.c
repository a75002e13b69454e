/* SPDX-License-Identifier: MIT */
/* A fuzzer without libFuzzer: its inputs are the files and folders on the command line. For `make coverage`. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LARGEST (1u << 20)

static unsigned int run_file(const char *path)
{
	static uint8_t bytes[LARGEST];
	FILE *file = fopen(path, "rb");
	size_t size;
	uint8_t *copy;

	if (!file)
		return 0;
	size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	copy = malloc(size + 1);
	if (!copy)
		return 0;
	for (size_t i = 0; i < size; i++)
		copy[i] = bytes[i];
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	return 1;
}

static unsigned int run_folder(const char *path)
{
	DIR *folder = opendir(path);
	unsigned int runs = 0;
	char name[4096];

	for (struct dirent *entry = folder ? readdir(folder) : NULL; entry; entry = readdir(folder)) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		runs += run_file(name);
	}
	if (folder)
		closedir(folder);
	return runs;
}

int main(int argc, char **argv)
{
	unsigned int runs = 0;

	for (int i = 1; i < argc; i++) {
		struct stat found;

		if (stat(argv[i], &found) == 0)
			runs += S_ISDIR(found.st_mode) ? run_folder(argv[i]) : run_file(argv[i]);
	}
	printf("%u inputs\n", runs);
	return runs == 0;
}
