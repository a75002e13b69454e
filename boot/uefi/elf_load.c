/* SPDX-License-Identifier: MIT */
/*
 * The loader's ELF reader. It trusts nothing in the file, though the file is
 * our own kernel: a broken build should end in a sentence, not in a fault.
 * Allocates nothing.
 */
#include "boot/uefi/elf_load.h"

#include "arch/compiler.h"
#include "arch/string.h"

#define PAGE UINT64_C(4096)
#define MAX_IMAGE (UINT64_C(16) << 20)

enum { PT_LOAD = 1, PT_DYNAMIC = 2 };
enum { DT_NULL = 0, DT_RELA = 7, DT_RELASZ = 8, DT_RELAENT = 9, DT_REL = 17, DT_RELRSZ = 35, DT_RELR = 36, DT_RELRENT = 37 };
enum { R_X86_64_NONE = 0, R_X86_64_RELATIVE = 8 };

struct elf_header {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, program_headers, section_headers;
	u32 flags;
	u16 size, program_header_size, program_header_count;
	u16 section_header_size, section_header_count, names;
};

struct program_header {
	u32 type, flags;
	u64 offset, address, physical, file_size, memory_size, alignment;
};

struct rela {
	u64 offset, info, addend;
};

/* Where a relocation table is, how long, and of what entries. */
struct table {
	u64 at, size, entry;
};

static_assert(sizeof(struct elf_header) == 64, "ELF-64 header");
static_assert(sizeof(struct program_header) == 56, "ELF-64 program header");

/* Is [at, at + size) inside [0, limit)? Never wraps. */
static bool inside(u64 at, u64 size, u64 limit)
{
	return at <= limit && size <= limit - at;
}

static const char *read_header(const u8 *file, u64 file_size, struct elf_header *header)
{
	static const u8 magic[] = { 0x7f, 'E', 'L', 'F', 2, 1, 1 };

	if (file_size < sizeof(*header))
		return "the kernel image is shorter than an ELF header";
	memcpy(header, file, sizeof(*header));
	for (size_t i = 0; i < sizeof(magic); i++)
		if (header->ident[i] != magic[i])
			return "the kernel image is no 64-bit little-endian ELF file";
	if (header->type != 3 || header->machine != 62)
		return "the kernel image is not position-independent code for x86-64";
	if (header->program_header_size != sizeof(struct program_header) ||
	    !inside(header->program_headers, (u64)header->program_header_count * sizeof(struct program_header),
		    file_size))
		return "the kernel image's program headers lie outside of it";
	return NULL;
}

static struct program_header segment(const u8 *file, const struct elf_header *header, unsigned int i)
{
	struct program_header ph;

	memcpy(&ph, file + header->program_headers + i * sizeof(ph), sizeof(ph));
	return ph;
}

const char *elf_measure(const u8 *file, u64 file_size, struct elf_image *image)
{
	struct elf_header header;
	const char *error = read_header(file, file_size, &header);
	u64 end = 0;
	bool entry_is_code = false;

	if (error)
		return error;
	for (unsigned int i = 0; i < header.program_header_count; i++) {
		struct program_header ph = segment(file, &header, i);

		if (ph.type != PT_LOAD)
			continue;
		if (!inside(ph.offset, ph.file_size, file_size) || ph.file_size > ph.memory_size ||
		    !inside(ph.address, ph.memory_size, MAX_IMAGE))
			return "a segment of the kernel image is out of bounds";
		if (ph.address + ph.memory_size > end)
			end = ph.address + ph.memory_size;
		if ((ph.flags & 1) && header.entry >= ph.address && header.entry - ph.address < ph.file_size)
			entry_is_code = true;
	}
	if (!entry_is_code)
		return "the kernel image's entry point is not in its code";
	image->size = (end + PAGE - 1) & ~(PAGE - 1);
	image->entry = header.entry;
	return NULL;
}

static const char outside[] = "a relocation of the kernel image points outside of it";

static bool is_good(const struct table *table, const struct elf_image *image)
{
	return inside(table->at, table->size, image->size) && table->size % table->entry == 0;
}

/* Few: only words at odd places. */
static const char *relocate(const struct elf_image *image, u8 *memory, u64 base, const struct table *table)
{
	for (u64 at = table->at; at < table->at + table->size; at += table->entry) {
		struct rela rela;
		u64 value;

		memcpy(&rela, memory + at, sizeof(rela));
		if ((u32)rela.info == R_X86_64_NONE)
			continue;
		if (rela.info != R_X86_64_RELATIVE)
			return "the kernel image has a relocation that is not R_X86_64_RELATIVE";
		if (!inside(rela.offset, sizeof(value), image->size))
			return outside;
		value = base + rela.addend;
		memcpy(memory + rela.offset, &value, sizeof(value));
	}
	return NULL;
}

static bool relocate_word(const struct elf_image *image, u8 *memory, u64 base, u64 at)
{
	u64 value;

	if (!inside(at, sizeof(value), image->size))
		return false;
	memcpy(&value, memory + at, sizeof(value));
	value += base;
	memcpy(memory + at, &value, sizeof(value));
	return true;
}

/* The compact form: an even entry is the address of a word; an odd one has a bit for each of the 63 words behind what was told so far. */
static const char *relocate_compact(const struct elf_image *image, u8 *memory, u64 base, const struct table *table)
{
	u64 entry, next = 0;

	for (u64 at = table->at; at < table->at + table->size; at += table->entry) {
		bool good = true;

		memcpy(&entry, memory + at, sizeof(entry));
		if (entry & 1) {
			for (u64 bits = entry >> 1, word = next; bits && good; bits >>= 1, word += 8)
				good = !(bits & 1) || relocate_word(image, memory, base, word);
			next += UINT64_C(63) * 8;
		} else {
			good = relocate_word(image, memory, base, entry);
			next = entry + 8;
		}
		if (!good)
			return outside;
	}
	return NULL;
}

/* Finds the relocation tables by the dynamic segment and applies them. */
static const char *apply_dynamic(const struct elf_image *image, u8 *memory, u64 base,
				 const struct program_header *dynamic)
{
	struct table rela = { 0, 0, sizeof(struct rela) }, relr = { 0, 0, sizeof(u64) };
	const char *error;
	u64 pair[2];

	if (!inside(dynamic->address, dynamic->memory_size, image->size))
		return "the kernel image's dynamic segment is out of bounds";
	for (u64 at = 0; at + sizeof(pair) <= dynamic->memory_size; at += sizeof(pair)) {
		memcpy(pair, memory + dynamic->address + at, sizeof(pair));
		if (pair[0] == DT_NULL)
			break;
		switch (pair[0]) {
		case DT_RELA: rela.at = pair[1]; break;
		case DT_RELASZ: rela.size = pair[1]; break;
		case DT_RELAENT: rela.entry = pair[1]; break;
		case DT_RELR: relr.at = pair[1]; break;
		case DT_RELRSZ: relr.size = pair[1]; break;
		case DT_RELRENT: relr.entry = pair[1]; break;
		case DT_REL: return "the kernel image has relocations of an unexpected form";
		default: break;
		}
	}
	if (rela.entry != sizeof(struct rela) || relr.entry != sizeof(u64))
		return "the kernel image has relocations of an unexpected size";
	if (!is_good(&rela, image) || !is_good(&relr, image))
		return "the kernel image's relocations lie outside of it";
	error = relocate(image, memory, base, &rela);
	return error ? error : relocate_compact(image, memory, base, &relr);
}

const char *elf_place(const u8 *file, u64 file_size, const struct elf_image *image, u8 *memory, u64 base)
{
	struct elf_image again;
	struct elf_header header;
	const char *error = elf_measure(file, file_size, &again);

	if (error)
		return error;
	if (again.size > image->size)
		return "the kernel image is larger than was measured";
	read_header(file, file_size, &header);
	memset(memory, 0, image->size);
	for (unsigned int i = 0; i < header.program_header_count; i++) {
		struct program_header ph = segment(file, &header, i);

		if (ph.type == PT_LOAD)
			memcpy(memory + ph.address, file + ph.offset, ph.file_size);
	}
	for (unsigned int i = 0; i < header.program_header_count; i++) {
		struct program_header ph = segment(file, &header, i);

		if (ph.type == PT_DYNAMIC)
			return apply_dynamic(image, memory, base, &ph);
	}
	return "the kernel image has no dynamic segment, so it cannot be relocated";
}
