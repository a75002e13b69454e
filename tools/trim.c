// SPDX-License-Identifier: MIT
/*
 * trim IMAGE: takes the zeros at the end of each section out of a PE image's file. Whoever loads it fills a section with zeros up to its
 * size in memory (Microsoft PE format, "Section Table": VirtualSize), so nothing changes but how much there is to read.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 1 << 24 };
/* Offsets: in the file, from the PE signature, from a section's header. */
enum { PE_AT = 0x3c, SECTIONS = 6, OPTIONAL_SIZE = 20, HEADERS = 24, FILE_ALIGNMENT = 60, HEADERS_SIZE = 84 };
enum { SECTION_HEADER = 40, VIRTUAL_SIZE = 8, RAW_SIZE = 16, RAW_AT = 20 };

static uint8_t image[LONGEST], out[LONGEST];
static uint32_t size;

static void fail(const char *why)
{
	fprintf(stderr, "trim: %s\n", why);
	exit(1);
}

static uint8_t *inside(uint32_t at, uint32_t length)
{
	if (at > size || length > size - at)
		fail("the image is damaged");
	return image + at;
}

static uint32_t get(uint32_t at)
{
	uint32_t value;

	memcpy(&value, inside(at, sizeof value), sizeof value);
	return value;
}

static void put(uint32_t at, uint32_t value)
{
	memcpy(inside(at, sizeof value), &value, sizeof value);
}

static uint32_t aligned(uint32_t value, uint32_t to)
{
	return (value + to - 1) / to * to;
}

/* Appends what is left of a section's bytes and says so in its header. */
static void take_section(uint32_t header, uint32_t alignment, uint32_t *end)
{
	uint32_t length = get(header + RAW_SIZE), at = get(header + RAW_AT);
	const uint8_t *bytes = inside(at, length);

	if (length > get(header + VIRTUAL_SIZE))
		length = get(header + VIRTUAL_SIZE);
	while (length && !bytes[length - 1])
		length--;
	put(header + RAW_SIZE, aligned(length, alignment));
	put(header + RAW_AT, length ? *end : 0);
	memcpy(out + *end, bytes, length);
	*end += aligned(length, alignment);
}

static void trim(void)
{
	uint32_t pe = get(PE_AT), first = pe + HEADERS + (get(pe + OPTIONAL_SIZE) & 0xffff), count = get(pe + SECTIONS) & 0xffff;
	uint32_t alignment = get(pe + FILE_ALIGNMENT), headers = get(pe + HEADERS_SIZE), end = headers;

	if (memcmp(inside(pe, 4), "PE\0\0", 4) || alignment < 512 || alignment > 65536 || headers % alignment)
		fail("this is no PE image of the expected kind");
	for (uint32_t i = 0; i < count; i++)
		take_section(first + i * SECTION_HEADER, alignment, &end);
	memcpy(out, inside(0, headers), headers);
	size = end;
}

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "r+b") : NULL;

	if (!file)
		fail("usage: trim IMAGE");
	size = (uint32_t)fread(image, 1, sizeof image / 2, file);
	if (size == sizeof image / 2)
		fail("the image is too long");
	trim();
	file = freopen(argv[1], "wb", file);
	if (!file || fwrite(out, 1, size, file) != size || fclose(file))
		fail("cannot write the image");
	return 0;
}
