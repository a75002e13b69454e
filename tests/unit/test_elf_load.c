/* SPDX-License-Identifier: MIT */
/*
 * The loader's ELF reader: a small image built by hand, right and with one
 * thing wrong at a time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "boot/uefi/elf_load.h"

#define BASE UINT64_C(0x40000000)

/* Two segments: code at 0, data with .bss at 0x1000; relocations in the data, in all three forms. */
struct file {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, program_headers, section_headers;
	u32 flags;
	u16 sizes[6];
	struct {
		u32 type, flags;
		u64 offset, address, physical, file_size, memory_size, alignment;
	} segment[3];
	u8 code[16];
	struct {
		u64 pointer[5];
		u64 relocations[3];
		u64 rela[3];
		u64 dynamic[14];
	} data;
};

static struct file file;
static u8 memory[0x3000];

static int fresh(void **state)
{
	const u64 data = 0x1000, relocations = data + offsetof(struct file, data.relocations) - offsetof(struct file, data);
	const u64 rela = relocations + sizeof(file.data.relocations), dynamic = rela + sizeof(file.data.rela);

	(void)state;
	file = (struct file){
		.ident = { 0x7f, 'E', 'L', 'F', 2, 1, 1 },
		.type = 3, .machine = 62, .version = 1,
		.entry = offsetof(struct file, code) + 4, .program_headers = offsetof(struct file, segment),
		.sizes = { 64, 56, 3 },
		.segment = {
			{ 1, 5, 0, 0, 0, offsetof(struct file, data), offsetof(struct file, data), 4096 },
			{ 1, 6, offsetof(struct file, data), data, data, sizeof(file.data), 0x1100, 4096 },
			{ 2, 4, offsetof(struct file, data.dynamic), dynamic, dynamic, sizeof(file.data.dynamic),
			  sizeof(file.data.dynamic), 8 },
		},
		.code = { 0xc3, 0xc3, 0xc3, 0xc3, 0x90 },
		.data = {
			.pointer = { 0x123, 0x456, 0x789, 0xabc, 0xdef },
			/* A word; the first and the third of the 63 behind it; the word after those 63. */
			.relocations = { data, 1 | 1 << 1 | 1 << 3, 1 | 1 << 1 },
			.rela = { data + 0x80c, 8, 0xfed },
			.dynamic = { 36, relocations, 35, 24, 37, 8, 7, rela, 8, 24, 9, 24, 0, 0 },
		},
	};
	memset(memory, 0xaa, sizeof(memory));
	return 0;
}

static const char *place(void)
{
	struct elf_image image;
	const char *error = elf_measure((const u8 *)&file, sizeof(file), &image);

	return error ? error : elf_place((const u8 *)&file, sizeof(file), &image, memory, BASE);
}

static void assert_refused(const char *words)
{
	const char *error = place();

	assert_non_null(error);
	if (!strstr(error, words))
		fail_msg("\"%s\" does not say \"%s\"", error, words);
}

/* Expect: size in whole pages, code copied, the pointer relocated, .bss zero. */
static void a_good_image_is_placed_and_relocated(void **state)
{
	struct elf_image image;
	u64 pointer[5], later;

	(void)state;
	assert_null(elf_measure((const u8 *)&file, sizeof(file), &image));
	assert_int_equal(image.size, 0x3000);
	assert_null(place());
	assert_int_equal(memory[image.entry], 0x90);
	memcpy(pointer, memory + 0x1000, sizeof(pointer));
	assert_int_equal(pointer[0], BASE + 0x123);
	assert_int_equal(pointer[1], BASE + 0x456);
	assert_int_equal(pointer[2], 0x789);
	assert_int_equal(pointer[3], BASE + 0xabc);
	assert_int_equal(pointer[4], 0xdef);
	memcpy(&later, memory + 0x1000 + 64 * 8, 8);
	assert_int_equal(later, BASE);
	memcpy(&later, memory + 0x1000 + 0x80c, 8);
	assert_int_equal(later, BASE + 0xfed);
	assert_int_equal(memory[0x20ff], 0);
	assert_int_equal(memory[0x1000 + sizeof(file.data)], 0);
}

/* Expect: no read beyond the file, whatever its length. */
static void a_cut_file_is_refused(void **state)
{
	struct elf_image image;

	(void)state;
	for (u64 size = 0; size < sizeof(file); size++)
		assert_non_null(elf_measure((const u8 *)&file, size, &image));
}

static void headers_that_are_not_ours_are_refused(void **state)
{
	(void)state;
	file.ident[0] = 0;
	assert_refused("no 64-bit little-endian ELF");
	fresh(NULL);
	file.ident[4] = 1;
	assert_refused("no 64-bit little-endian ELF");
	fresh(NULL);
	file.type = 2;
	assert_refused("position-independent");
	fresh(NULL);
	file.machine = 3;
	assert_refused("x86-64");
	fresh(NULL);
	file.program_headers = UINT64_MAX - 10;
	assert_refused("program headers");
	fresh(NULL);
	file.entry = 0x1000;
	assert_refused("entry point");
}

static void segments_out_of_bounds_are_refused(void **state)
{
	(void)state;
	file.segment[1].offset = UINT64_MAX - 4;
	assert_refused("segment");
	fresh(NULL);
	file.segment[1].memory_size = 4;
	assert_refused("segment");
	fresh(NULL);
	file.segment[1].address = UINT64_MAX - 0x1000;
	assert_refused("segment");
}

static void relocations_out_of_bounds_or_of_other_kinds_are_refused(void **state)
{
	(void)state;
	file.data.relocations[0] = 0x2ffa;
	assert_refused("points outside");
	fresh(NULL);
	file.data.relocations[0] = UINT64_MAX - 7;
	assert_refused("points outside");
	fresh(NULL);
	file.data.relocations[0] = 0x2ff0;
	assert_refused("points outside");
	fresh(NULL);
	file.data.dynamic[1] = 0x2ff0;
	assert_refused("relocations lie outside");
	fresh(NULL);
	file.data.dynamic[3] = UINT64_MAX;
	assert_refused("relocations lie outside");
	fresh(NULL);
	file.data.dynamic[3] = 12;
	assert_refused("relocations lie outside");
	fresh(NULL);
	file.data.dynamic[5] = 16;
	assert_refused("unexpected size");
	fresh(NULL);
	file.data.dynamic[4] = 17;
	assert_refused("unexpected form");
	fresh(NULL);
	file.data.rela[0] = 0x2ff9;
	assert_refused("points outside");
	fresh(NULL);
	file.data.rela[1] = 1;
	assert_refused("not R_X86_64_RELATIVE");
	fresh(NULL);
	file.data.dynamic[7] = 0x2ff0;
	assert_refused("relocations lie outside");
	fresh(NULL);
	file.data.dynamic[9] = UINT64_MAX;
	assert_refused("relocations lie outside");
	fresh(NULL);
	file.data.dynamic[11] = 16;
	assert_refused("unexpected size");
	fresh(NULL);
	file.segment[2].type = 4;
	assert_refused("no dynamic segment");
	fresh(NULL);
	file.segment[2].address = 0x3000;
	assert_refused("dynamic segment");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_good_image_is_placed_and_relocated, fresh),
		cmocka_unit_test_setup(a_cut_file_is_refused, fresh),
		cmocka_unit_test_setup(headers_that_are_not_ours_are_refused, fresh),
		cmocka_unit_test_setup(segments_out_of_bounds_are_refused, fresh),
		cmocka_unit_test_setup(relocations_out_of_bounds_or_of_other_kinds_are_refused, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
