// SPDX-License-Identifier: MIT
/*
 * A UEFI application as the firmware leaves it: its sections in memory, one after another as it wants them.
 *
 * Only for images that relocate themselves in their first instructions, as gnu-efi's start code does. Must not start anything.
 */
#include "vmm.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the fields are that matter; "PE Format" of Microsoft's documentation. */
enum { DOS_NEW_HEADER = 0x3c };
enum { COFF_SECTIONS = 6, COFF_OPTIONAL_SIZE = 20, OPTIONAL = 24 };
enum { OPTIONAL_ENTRY = 16, OPTIONAL_IMAGE_SIZE = 56, OPTIONAL_USED = 60, PE32_PLUS = 0x20b };

struct section {
	char name[8];
	uint32_t size_in_memory, address, size_in_file, place_in_file;
	uint8_t rest[16];
} __attribute__((packed));

struct file {
	const char *name;
	uint8_t *data;
	size_t size;
};

/* So many bytes of the file, which has to have them. */
static const void *piece(const struct file *f, size_t at, size_t size)
{
	if (at > f->size || size > f->size - at)
		fail("%s: ends in the middle", f->name);
	return f->data + at;
}

static uint32_t number(const struct file *f, size_t at, size_t size)
{
	uint32_t value = 0;

	memcpy(&value, piece(f, at, size), size);
	return value;
}

static void load_section(struct vm *vm, uint64_t base, const struct file *f, size_t header, uint32_t image_size)
{
	struct section s;

	memcpy(&s, piece(f, header, sizeof s), sizeof s);

	size_t size = s.size_in_memory < s.size_in_file ? s.size_in_memory : s.size_in_file;

	if (s.address > image_size || size > image_size - s.address)
		fail("%s: a section lies outside the image", f->name);
	memcpy(vm->memory + base + s.address, piece(f, s.place_in_file, size), size);
}

static struct efi_image load(struct vm *vm, uint64_t base, const struct file *f)
{
	size_t header = number(f, DOS_NEW_HEADER, 4), optional = header + OPTIONAL;
	size_t sections = optional + number(f, header + COFF_OPTIONAL_SIZE, 2);
	uint32_t count = number(f, header + COFF_SECTIONS, 2);

	if (memcmp(piece(f, header, 4), "PE\0", 4) || number(f, optional, 2) != PE32_PLUS || sections < optional + OPTIONAL_USED)
		fail("%s: no 64-bit PE image", f->name);

	uint32_t size = number(f, optional + OPTIONAL_IMAGE_SIZE, 4), entry = number(f, optional + OPTIONAL_ENTRY, 4);

	if (base > vm->memory_size || size > vm->memory_size - base || entry >= size)
		fail("%s: the guest's memory is too small for it", f->name);
	for (uint32_t i = 0; i < count; i++)
		load_section(vm, base, f, sections + i * sizeof(struct section), size);
	return (struct efi_image){ .base = base, .size = size, .entry = base + entry };
}

struct efi_image efi_image_load(struct vm *vm, uint64_t base, const char *name)
{
	struct file f = { .name = name };
	int file;

	f.size = file_open(name, &file);
	f.data = malloc(f.size);
	if (!f.data)
		fail("out of memory");
	file_read(file, f.data, f.size, name);
	close(file);

	struct efi_image image = load(vm, base, &f);

	free(f.data);
	return image;
}
