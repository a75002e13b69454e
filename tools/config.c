/* SPDX-License-Identifier: MIT */
/*
 * config FILE [--esp FOLDER]: judges a testudo.cfg as the loader would, by the
 * loader's own parser, and prints what is wrong with it and then what each
 * entry starts and with which settings. With --esp the images, and initrds in
 * the options of Linux kernels, must be there below FOLDER.
 *
 * Exit status: 0 nothing is wrong, 1 something is, 2 wrong usage.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "boot/uefi/config.h"
#include "boot/uefi/config_console.h"
#include "boot/uefi/config_keys.h"

enum { PATH_SIZE = 4096 };

static struct config config;
static struct config_notes notes;
static char text[CONFIG_FILE_LIMIT + 1];
static size_t size;
static const char *esp;
static unsigned int problems;

static void read_file(const char *name)
{
	FILE *file = fopen(name, "rb");

	if (!file) {
		perror(name);
		exit(2);
	}
	size = fread(text, 1, sizeof(text), file);
	if (ferror(file)) {
		perror(name);
		exit(2);
	}
	fclose(file);
	if (size < sizeof(text))
		return;
	size = CONFIG_FILE_LIMIT;
	printf("%s is longer than %d KB: only its beginning is read\n", name, CONFIG_FILE_LIMIT / 1024);
	problems++;
}

/* Appends the name in `folder` that is `name` without regard to case, as on a FAT file system. */
static bool enter(char *folder, const char *name, size_t length)
{
	DIR *directory = opendir(folder);
	const struct dirent *found;

	if (!directory)
		return false;
	while ((found = readdir(directory)) != NULL)
		if (strlen(found->d_name) == length && strncasecmp(found->d_name, name, length) == 0)
			break;
	if (found && strlen(folder) + length + 2 <= PATH_SIZE)
		strcat(strcat(folder, "/"), found->d_name);
	closedir(directory);
	return found != NULL;
}

/* The file that a path of the firmware's names below the ESP. */
static bool locate(const char *path, char *found)
{
	struct stat status;

	snprintf(found, PATH_SIZE, "%s", esp);
	while (*path) {
		size_t length = strcspn(path, "\\/");

		if (length && !enter(found, path, length))
			return false;
		path += length + (path[length] != '\0');
	}
	return stat(found, &status) == 0 && S_ISREG(status.st_mode);
}

static void complain(const char *name, const char *key, const char *path, const char *why)
{
	printf("%s%s%s = %s: %s\n", name, name[0] ? ": " : "", key, path, why);
	problems++;
}

static void check_image(const char *name, const char *path)
{
	char found[PATH_SIZE], magic[2] = "";
	FILE *file;

	if (!path[0])
		return;
	if (!locate(path, found)) {
		complain(name, "l1", path, "there is no such file on the ESP");
		return;
	}
	file = fopen(found, "rb");
	if (!file || fread(magic, 1, 2, file) != 2 || memcmp(magic, "MZ", 2) != 0)
		complain(name, "l1", path, "this is no UEFI application");
	if (file)
		fclose(file);
}

static void check_initrds(const char *name, const char *options)
{
	char path[PATH_SIZE], found[PATH_SIZE];

	for (const char *at = options; (at = strstr(at, "initrd=")) != NULL; at += 7) {
		size_t length = strcspn(at + 7, " \t\"");

		/* A path of the firmware's: other programs may mean something else by this word. */
		if ((at != options && !strchr(" \t\"", at[-1])) || at[7] != '\\' || length >= sizeof(path))
			continue;
		memcpy(path, at + 7, length);
		path[length] = '\0';
		if (!locate(path, found))
			complain(name, "initrd", path, "there is no such file on the ESP");
	}
}

static void print_words(const char *listed, u64 bits)
{
	unsigned int bit = 0;
	const char *between = "";

	if (!bits)
		printf("none");
	/* The first word is none of them. */
	for (listed = strchr(listed, ','); listed; listed = strchr(listed, ','), bit++) {
		int length = (int)strcspn(listed += 2, ",");

		if (bits >> bit & 1) {
			printf("%s%.*s", between, length, listed);
			between = ", ";
		}
	}
}

static void print_word(const char *listed, u32 number)
{
	while (number--)
		listed = strchr(listed, ',') + 2;
	printf("%.*s", (int)strcspn(listed, ","), listed);
}

static void print_console(const struct config_console *console)
{
	char place[CONFIG_CONSOLE_TEXT];

	config_console_text(console, place, sizeof(place));
	printf("%s", place);
}

/* What the settings of a place are, in the words of the file; texts have lines of their own. */
static void print_settings(const struct config *in_force, enum place place, enum place not)
{
	const char *between = "    ";

	for (u32 i = 0; i < KEY_COUNT; i++) {
		const struct key *key = &config_keys[i];
		const void *at = (const char *)in_force + key->offset;

		if (!(key->places & place) || (key->places & not) || key->kind == TEXT || key->kind == PATH)
			continue;
		printf("%s%s = ", between, key->name);
		between = "; ";
		if (key->kind == CHOICE)
			print_word(key->allowed, *(const u32 *)at);
		else if (key->kind == CHOICES)
			print_words(key->allowed, *(const u64 *)at);
		else if (key->kind == CONSOLE)
			print_console(at);
		else if (key->kind == BAUD && *(const u32 *)at == CONFIG_BAUD_KEEP)
			printf("keep");
		else if (*(const u32 *)at == (key->kind == CPUS ? CONFIG_ALL_CPUS : CONFIG_TIMEOUT_NEVER))
			printf(key->kind == CPUS ? "all" : "never");
		else
			printf("%u", *(const u32 *)at);
	}
	printf("\n");
}

static void summarize(const char *name, const struct config *in_force)
{
	if (in_force->l1[0])
		printf("    starts %s%s%s\n", in_force->l1, in_force->options[0] ? " with " : "", in_force->options);
	else
		printf("    starts nothing: the firmware's boot order goes on\n");
	print_settings(in_force, IN_ENTRY, 0);
	if (!esp)
		return;
	check_image(name, in_force->l1);
	check_initrds(name, in_force->options);
}

static void summarize_all(void)
{
	printf("for all:\n");
	print_settings(&config, IN_FILE, IN_ENTRY);
	if (!config.entries) {
		printf("no entries:\n");
		summarize("", &config);
	}
	for (u32 i = 0; i < config.entries; i++) {
		const struct config_entry *entry = &config.entry[i];
		struct config used = config;
		char heading[CONFIG_NAME_SIZE + 2];

		config_use_entry(&used, text, i);
		snprintf(heading, sizeof(heading), "[%s]", entry->name);
		printf("%s %s%s\n", heading, entry->title, i == config.default_entry ? " (default)" : "");
		summarize(heading, &used);
	}
}

int main(int count, char **words)
{
	char line[CONFIG_LINE_SIZE];

	if (count == 4 && strcmp(words[2], "--esp") == 0)
		esp = words[3];
	else if (count != 2 || words[1][0] == '-') {
		fprintf(stderr, "usage: config FILE [--esp FOLDER]\n");
		return 2;
	}
	read_file(words[1]);
	config_defaults(&config);
	config_read_file(&config, &notes, text, size);
	for (u32 i = 0; i < notes.count; i++) {
		config_describe(&config, &notes.note[i], line, sizeof(line));
		printf("%s\n", line);
	}
	problems += notes.count + notes.dropped;
	if (notes.dropped)
		printf("and %u more such lines\n", notes.dropped);
	summarize_all();
	printf("config: %u problem%s\n", problems, problems == 1 ? "" : "s");
	return problems != 0;
}
