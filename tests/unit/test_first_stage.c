/* SPDX-License-Identifier: MIT */
/*
 * The UEFI application's first stage as firmware starts it: a loader of two
 * instructions, memory that the firmware maps executable or not, and damaged files.
 * Memory mapped non-executable faults here as it would there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "arch/x86.h"
#include "boot/uefi/packed.h"
#include "boot/uefi/ports.h"

/* The application's own, and the firmware's paging. */
static union {
	struct packed_files files;
	u8 bytes[PACKED_LIMIT + 4096];
} packed;
static u64 firmware_cr3, firmware_cr4;

#define packed_files packed.files
#define read_cr3() firmware_cr3
#define read_cr4() firmware_cr4
#include "boot/uefi/executable.c"
#include "boot/uefi/first.c"
#undef packed_files
#undef read_cr3
#undef read_cr4

#define ANSWER UINT64_C(0x1234)

/* What is in it, which the loader adds to its answer. */
static const u8 kernel[8] = { 0x11, 0x22, 0x33 };
#define KERNEL UINT64_C(0x332211)

/* A file whose only segment is code that returns a number. */
struct loader_file {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, program_headers, section_headers;
	u32 flags;
	u16 sizes[6];
	struct {
		u32 type, flags;
		u64 offset, address, physical, file_size, memory_size, alignment;
	} segment[2];
	u8 code[24];
	u64 dynamic[2];
};

static __attribute__((aligned(4096))) u64 tables[5][512];
static u8 *memory;
static u64 memory_size;
static bool maps_executable, has_protocol, obeys;
static unsigned int allocated, freed, said;

static u64 *leaf(u64 address)
{
	return &tables[4][address >> 12 & 511];
}

/* All of it is in these few tables, as it is less than 2 MB and does not cross a border of them. */
static void map(bool executable)
{
	const u64 begin = (u64)(uintptr_t)memory;

	for (unsigned int level = 0, shift = 48; level < 4; level++, shift -= 9)
		tables[level][begin >> shift & 511] = (u64)(uintptr_t)tables[level + 1] | ENTRY_PRESENT;
	for (u64 at = begin; at < begin + memory_size; at += PAGE)
		*leaf(at) = at | ENTRY_PRESENT | (executable ? 0 : ENTRY_NO_EXECUTE);
	assert_int_equal(mprotect(memory, memory_size, PROT_READ | PROT_WRITE | (executable ? PROT_EXEC : 0)), 0);
}

static EFI_STATUS EFIAPI allocate(EFI_ALLOCATE_TYPE how, EFI_MEMORY_TYPE type, UINTN count, EFI_PHYSICAL_ADDRESS *at)
{
	(void)how;
	assert_int_equal(type, EfiLoaderCode);
	memory_size = count * PAGE;
	/* 4 MB hold a piece of 2 MB that is aligned. */
	memory = mmap(NULL, 2 * (UINT64_C(2) << 20), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(memory != MAP_FAILED && memory_size <= UINT64_C(2) << 20);
	memory = (u8 *)(((uintptr_t)memory + (2 << 20) - 1) & ~(uintptr_t)((2 << 20) - 1));
	*at = (u64)(uintptr_t)memory;
	map(maps_executable);
	allocated += (unsigned int)count;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI give_back(EFI_PHYSICAL_ADDRESS at, UINTN count)
{
	assert_true(at == (u64)(uintptr_t)memory);
	freed += (unsigned int)count;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI clear(struct memory_attribute_protocol *this, u64 base, u64 length, u64 attributes)
{
	(void)this;
	assert_true(base == (u64)(uintptr_t)memory && length <= memory_size && (attributes & ATTRIBUTE_NO_EXECUTE));
	if (obeys)
		map(true);
	return obeys ? EFI_SUCCESS : EFI_UNSUPPORTED;
}

static EFI_STATUS EFIAPI locate(EFI_GUID *guid, VOID *key, VOID **found)
{
	static struct memory_attribute_protocol protocol = { .clear = clear };

	(void)key;
	if (!has_protocol || memcmp(guid, &memory_attribute_protocol, sizeof(*guid)) != 0)
		return EFI_NOT_FOUND;
	*found = &protocol;
	return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI say(SIMPLE_TEXT_OUTPUT_INTERFACE *this, CHAR16 *words)
{
	(void)this;
	assert_true(words == damaged || words == not_executable);
	said++;
	return EFI_SUCCESS;
}

static EFI_STATUS start(void)
{
	SIMPLE_TEXT_OUTPUT_INTERFACE screen = { .OutputString = say };
	EFI_BOOT_SERVICES boot = { .AllocatePages = allocate, .FreePages = give_back, .LocateProtocol = locate };
	EFI_SYSTEM_TABLE system = { .BootServices = &boot, .ConOut = &screen };
	EFI_STATUS status = efi_main(NULL, &system);

	assert_int_equal(freed, status == EFI_TIMEOUT ? 0 : allocated);
	return status;
}

/* A file and a kernel of 8 bytes as literals of one sequence, whose symbol is the lower of two of one bit. */
static void make_loader(u64 answer)
{
	struct loader_file file = {
		.ident = { 0x7f, 'E', 'L', 'F', 2, 1, 1 }, .type = 3, .machine = 62, .version = 1,
		.entry = offsetof(struct loader_file, code), .program_headers = offsetof(struct loader_file, segment),
		.sizes = { 64, 56, 2 },
		.segment = {
			{ 1, 5, 0, 0, 0, sizeof(file), sizeof(file), 4096 },
			{ 2, 4, 0, offsetof(struct loader_file, dynamic), 0, sizeof(file.dynamic), sizeof(file.dynamic), 8 },
		},
		/* mov rax, answer; mov rdx, [rdx]; add rax, [rdx]; ret: the kernel is what the third argument points to first. */
		.code = { 0x48, 0xb8, [10] = 0x48, 0x8b, 0x12, 0x48, 0x03, 0x02, 0xc3 },
	};
	const u32 nones = (UNPACK_SYMBOLS - 8) / 17, last = (UNPACK_SYMBOLS - 8) % 17, bytes_at = 4 + 4 + nones + 2;
	const u64 more = sizeof(file) + sizeof(kernel) - UNPACK_LITERALS;
	u8 *to = packed.files.bytes;

	memcpy(file.code + 2, &answer, 8);
	memset(&packed, 0, 8192);
	memcpy(to, &bytes_at, 4);
	to += 4;
	/* 6 symbols without a code, two with one of a bit, and the others. */
	*to++ = UNPACK_NONE << 4 | (6 - UNPACK_NONE_SHORTEST);
	*to++ = 0x11;
	for (u32 i = 0; i < nones; i++)
		*to++ = UNPACK_NONE << 4 | 15;
	*to++ = (u8)(UNPACK_NONE << 4 | (last - UNPACK_NONE_SHORTEST));
	*to = 0x80;
	to = packed.files.bytes + bytes_at;
	if (more >= 255)
		*to++ = 255;
	*to++ = (u8)(more % 255);
	memcpy(to, &file, sizeof(file));
	memcpy(to + sizeof(file), kernel, sizeof(kernel));
	packed.files.size = sizeof(file) + sizeof(kernel);
	packed.files.loader_size = sizeof(file);
	packed.files.packed_size = (u64)(to + sizeof(file) + sizeof(kernel) + 8 - packed.files.bytes);
	packed.files.sum = unpack_sum(packed.files.bytes, packed.files.packed_size,
				      unpack_seed(packed.files.size, packed.files.loader_size));
}

static int fresh(void **state)
{
	(void)state;
	make_loader(ANSWER - KERNEL);
	memset(tables, 0, sizeof(tables));
	firmware_cr3 = (u64)(uintptr_t)tables[1];
	firmware_cr4 = 0;
	maps_executable = true;
	has_protocol = obeys = false;
	allocated = freed = said = 0;
	return 0;
}

static void the_loader_runs(void **state)
{
	(void)state;
	assert_int_equal(start(), ANSWER);
	assert_int_equal(said, 0);
	firmware_cr3 = (u64)(uintptr_t)tables[0];
	firmware_cr4 = CR4_LA57;
	assert_int_equal(start(), ANSWER);
}

static void the_right_to_run_is_asked_for(void **state)
{
	(void)state;
	maps_executable = false;
	has_protocol = obeys = true;
	assert_int_equal(start(), ANSWER);
	assert_int_equal(said, 0);
}

static void nothing_runs_where_it_cannot(void **state)
{
	(void)state;
	maps_executable = false;
	assert_true(start() == EFI_LOAD_ERROR);
	has_protocol = true;
	assert_true(start() == EFI_LOAD_ERROR);
	assert_int_equal(said, 2);
}

/* launch.c: one that was given up may come back to the loader's code. */
static void pages_that_a_processor_may_come_back_to_stay(void **state)
{
	(void)state;
	make_loader(EFI_TIMEOUT - KERNEL);
	assert_true(start() == EFI_TIMEOUT);
	make_loader(EFI_ABORTED - KERNEL);
	allocated = 0;
	assert_true(start() == EFI_ABORTED);
}

static void a_damaged_loader_is_not_run(void **state)
{
	const u64 length = sizeof(packed.files) + packed.files.packed_size;

	(void)state;
	for (u64 i = 0; i < length; i++)
		for (u32 bit = 0; bit < 8; bit++) {
			packed.bytes[i] ^= (u8)(1u << bit);
			assert_true(start() == EFI_LOAD_ERROR);
			packed.bytes[i] ^= (u8)(1u << bit);
		}
	assert_int_equal(said, 8 * length);
	assert_int_equal(allocated, 0);
	assert_int_equal(start(), ANSWER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_loader_runs, fresh),
		cmocka_unit_test_setup(the_right_to_run_is_asked_for, fresh),
		cmocka_unit_test_setup(nothing_runs_where_it_cannot, fresh),
		cmocka_unit_test_setup(pages_that_a_processor_may_come_back_to_stay, fresh),
		cmocka_unit_test_setup(a_damaged_loader_is_not_run, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
