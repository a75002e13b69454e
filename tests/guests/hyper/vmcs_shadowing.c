/* SPDX-License-Identifier: MIT */
/*
 * VMCS shadowing: an L2 that reads and writes the VMCS of the link pointer without an
 * exit. SDM "VMCS Types: Ordinary and Shadow", "VMREAD", "VMWRITE".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/shadowing.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

/* SDM "Structure of VMCS Component Encoding" */
#define LAST_ENCODING 0x6fff
#define ENCODING_RESERVED 0x1000u
#define ENCODING_INDEX 0x3feu

bool has_vmcs_shadowing(void)
{
	return proc2_offers(PROC2_VMCS_SHADOWING);
}

u64 shadow_region(void)
{
	u64 region = vmx_region_alloc();

	*(u32 *)region |= SHADOW_INDICATOR;
	vmclear(region);
	return region;
}

struct shadowing *shadowing_create(u64 region)
{
	struct shadowing *s = page_alloc();

	s->vm = vm_create(l2_shadow_read);
	s->read_bitmap = memset(page_alloc(), 0, PAGE_SIZE);
	s->write_bitmap = memset(page_alloc(), 0, PAGE_SIZE);
	vm_set_secondary(PROC2_VMCS_SHADOWING);
	vmwrite(VMREAD_BITMAP_ADDRESS, (u64)s->read_bitmap);
	vmwrite(VMWRITE_BITMAP_ADDRESS, (u64)s->write_bitmap);
	vmwrite(VMCS_LINK_POINTER, region);
	return s;
}

void close_field(u8 *bitmap, u32 encoding)
{
	bitmap[encoding / 8] |= (u8)(1 << encoding % 8);
}

u32 shadow_access(struct shadowing *s, const u8 *code, u64 field, u64 value, u64 address)
{
	struct vm *vm = s->vm;

	vm_restart(vm, code);
	vm->gpr[RCX] = field;
	vm->gpr[RDX] = value;
	vm->gpr[RSI] = address;
	if (!vm_run(vm))
		return OUTCOME_EXCEPTION;
	if (vm->basic_reason != REASON_VMCALL)
		return SHADOW_EXITED | vm->basic_reason;
	if (vm->gpr[RBX] & RFLAGS_CF)
		return OUTCOME_FAIL_INVALID;
	if (vm->gpr[RBX] & RFLAGS_ZF)
		return OUTCOME_FAIL_VALID | (u32)vmread(VM_INSTRUCTION_ERROR);
	return OUTCOME_OK;
}

u64 shadow_read(struct shadowing *s, u64 field)
{
	u32 outcome = shadow_access(s, l2_shadow_read, field, 0, 0);

	if (outcome != OUTCOME_OK)
		say("[read %lx: %x]", field, outcome);
	return s->vm->gpr[RDX];
}

void shadow_write(struct shadowing *s, u64 field, u64 value)
{
	u32 outcome = shadow_access(s, l2_shadow_write, field, value, 0);

	if (outcome != OUTCOME_OK)
		say("[write %lx: %x]", field, outcome);
}

u64 region_read(u64 region, enum vmcs_field field, u64 back_to)
{
	u64 value;

	vmptrld(region);
	value = vmread(field);
	vmptrld(back_to);
	return value;
}

void region_write(u64 region, enum vmcs_field field, u64 value, u64 back_to)
{
	vmptrld(region);
	vmwrite(field, value);
	vmptrld(back_to);
}

static void say_access(struct shadowing *s, const u8 *code, u64 field)
{
	say("%x ", shadow_access(s, code, field, 0, 0));
}

static void say_both(struct shadowing *s, u64 field)
{
	say_access(s, l2_shadow_read, field);
	say_access(s, l2_shadow_write, field);
}

/* --- all fields ---------------------------------------------------------------- */

static u64 pattern(u32 encoding, u64 round)
{
	return (encoding + round) * 0x9e3779b97f4a7c15ull;
}

/*
 * Beyond the highest index there is no field (`caps` makes sure of it), and each try costs an exit through all levels beneath. A VMWRITE
 * here may change the VM-instruction error.
 */
static bool may_be_field(u32 encoding, u64 highest)
{
	return !(encoding & ENCODING_RESERVED) && (encoding & ENCODING_INDEX) <= highest && encoding != VM_INSTRUCTION_ERROR;
}

/* What the VMCS makes of a value is what L1 reads after writing it. */
static u32 fill(u64 region, u64 round, u16 *fields, u64 *values)
{
	u64 highest = rdmsr(IA32_VMX_VMCS_ENUM) & ENCODING_INDEX;
	u32 count = 0;

	vmptrld(region);
	for (u32 encoding = 0; encoding <= LAST_ENCODING; encoding += 2) {
		if (!may_be_field(encoding, highest))
			continue;
		if (op_vmwrite(encoding, pattern(encoding, round)) != OUTCOME_OK)
			continue;
		fields[count] = (u16)encoding;
		values[count++] = vmread((enum vmcs_field)encoding);
	}
	vmclear(region);
	return count;
}

static void compare(const char *what, u32 count, const u16 *fields, const u64 *values, const u64 *expected)
{
	u32 wrong = 0;

	for (u32 i = 0; i < count; i++)
		if (values[i] != expected[i] && !wrong++)
			say("field %x is %lx instead of %lx, ", fields[i], values[i], expected[i]);
	say("%s: %u wrong%s; ", what, wrong, count < 100 ? ", too few fields" : "");
}

/* Expect: L2 reads what L1 has written, and L1 what L2 has written, in every field there is. */
static void all_fields(void)
{
	u64 region = shadow_region(), other = shadow_region();
	struct shadowing *s = shadowing_create(region);
	u16 *fields = page_alloc();
	u64 *first = page_alloc(), *second = page_alloc(), *seen = page_alloc();
	u32 count = fill(region, 0, fields, first);

	vmptrld(s->vm->vmcs);
	for (u32 i = 0; i < count; i++)
		seen[i] = shadow_read(s, fields[i]);
	compare("read by L2", count, fields, seen, first);
	fill(other, 1, fields, second);
	vmptrld(s->vm->vmcs);
	for (u32 i = 0; i < count; i++)
		shadow_write(s, fields[i], pattern(fields[i], 1));
	vmptrld(region);
	for (u32 i = 0; i < count; i++)
		seen[i] = vmread((enum vmcs_field)fields[i]);
	compare("written by L2", count, fields, seen, second);
	vmclear(region);
	vmptrld(region);
	for (u32 i = 0; i < count; i++)
		seen[i] = vmread((enum vmcs_field)fields[i]);
	compare("after VMCLEAR", count, fields, seen, second);
}

static void high_halves(void)
{
	u64 region = shadow_region();
	struct shadowing *s = shadowing_create(region);

	region_write(region, TSC_OFFSET, 0x1122334455667788, s->vm->vmcs);
	vmclear(region);
	say("%lx ", shadow_read(s, TSC_OFFSET));
	say("%lx ", shadow_read(s, TSC_OFFSET + 1));
	shadow_write(s, TSC_OFFSET + 1, 0xffffffffdeadbeef);
	say("%lx ", shadow_read(s, TSC_OFFSET));
	say("%lx; ", region_read(region, TSC_OFFSET, s->vm->vmcs));
	/* The two are fields of their own to the bitmaps. */
	vmclear(region);
	close_field(s->write_bitmap, TSC_OFFSET);
	say_access(s, l2_shadow_write, TSC_OFFSET);
	shadow_write(s, TSC_OFFSET + 1, 1);
	say("%lx", shadow_read(s, TSC_OFFSET));
}

/* --- who gets the access --------------------------------------------------------- */

static void bitmaps(void)
{
	u64 region = shadow_region();
	struct shadowing *s = shadowing_create(region);

	close_field(s->read_bitmap, GUEST_RIP);
	close_field(s->write_bitmap, GUEST_RSP);
	say("closed: ");
	say_access(s, l2_shadow_read, GUEST_RIP);
	say_access(s, l2_shadow_write, GUEST_RSP);
	say("open: ");
	shadow_write(s, GUEST_RIP, 5);
	say_access(s, l2_shadow_read, GUEST_RSP);
	say_both(s, GUEST_RFLAGS);
	s->read_bitmap[GUEST_RIP / 8] = 0;
	memset(s->write_bitmap, 0xff, PAGE_SIZE);
	say("changed: %lx ", shadow_read(s, GUEST_RIP));
	say_access(s, l2_shadow_write, GUEST_RIP);
	say_access(s, l2_shadow_write, HOST_RIP);
}

/* Expect: bits 63:15 exit whatever the bitmaps say. */
static void beyond_bitmaps(void)
{
	struct shadowing *s = shadowing_create(shadow_region());

	for (u32 bit = 15; bit < 64; bit += 16)
		say_both(s, GUEST_RIP | BIT(bit));
}

static void exit_information(void)
{
	struct shadowing *s = shadowing_create(shadow_region());
	u64 memory = (u64)page_alloc();

	memset(s->read_bitmap, 0xff, PAGE_SIZE);
	memset(s->write_bitmap, 0xff, PAGE_SIZE);
	shadow_access(s, l2_shadow_read, GUEST_RIP, 0, 0);
	vm_say_exit(s->vm);
	say("; ");
	shadow_access(s, l2_shadow_write_memory, GUEST_RIP, 0, memory);
	vm_say_exit(s->vm);
}

/* Expect: VMfail 12, in the VM-instruction error of L1's current VMCS, not in the shadow VMCS. */
static void unsupported(void)
{
	static const u32 encodings[] = { 0x003e, 0x203e, 0x681f, 0x4003, 0x0bc0, 0x7000, 0x1000, 0x6c3e };
	u64 region = shadow_region(), memory = (u64)page_alloc();
	struct shadowing *s = shadowing_create(region);

	region_write(region, VM_INSTRUCTION_ERROR, 77, s->vm->vmcs);
	vmclear(region);
	for (u32 i = 0; i < ARRAY_SIZE(encodings); i++)
		say_both(s, encodings[i]);
	say("memory %x ", shadow_access(s, l2_shadow_read_memory, encodings[0], 0, memory));
	say("%x ", shadow_access(s, l2_shadow_write_memory, encodings[0], 0, memory));
	say("shadow VMCS %lu", shadow_read(s, VM_INSTRUCTION_ERROR));
}

static void no_link(void)
{
	struct shadowing *s = shadowing_create(~0ull);

	say_both(s, GUEST_RIP);
	say("unsupported ");
	say_access(s, l2_shadow_read, 0x203e);
	close_field(s->read_bitmap, GUEST_RIP);
	say("closed ");
	say_access(s, l2_shadow_read, GUEST_RIP);
}

static void read_only_fields(void)
{
	u64 region = shadow_region();
	struct shadowing *s = shadowing_create(region);

	shadow_write(s, EXIT_REASON, 0x1234);
	shadow_write(s, EXIT_QUALIFICATION, 0x123456789abcdef0);
	say("%lx ", shadow_read(s, EXIT_REASON));
	say("%lx", region_read(region, EXIT_QUALIFICATION, s->vm->vmcs));
}

/* --- operands --------------------------------------------------------------------- */

static void memory_operands(void)
{
	u64 region = shadow_region();
	struct shadowing *s = shadowing_create(region);
	u64 *memory = page_alloc();

	memory[0] = 0xaabbccdd00112233;
	memory[2] = ~0ull;
	say("%x ", shadow_access(s, l2_shadow_write_memory, GUEST_RSP, 0, (u64)memory));
	say("%x ", shadow_access(s, l2_shadow_read_memory, GUEST_RSP, 0, (u64)&memory[1]));
	say("%lx ", memory[1]);
	/* All 64 bits are written, whatever the field's width. */
	shadow_write(s, GUEST_ES_SELECTOR, 0x55555);
	say("%x ", shadow_access(s, l2_shadow_read_memory, GUEST_ES_SELECTOR, 0, (u64)&memory[2]));
	say("%lx ", memory[2]);
	/* At the top of L2's stack, where RSP is an operand. */
	say("%x ", shadow_access(s, l2_shadow_read_stack, GUEST_RSP, 0, ~0ull << 6));
	say("%lx", *(u64 *)(s->vm->stack_top - 64));
}

static void say_fault(struct shadowing *s, const u8 *code, u64 address)
{
	u32 outcome = shadow_access(s, code, GUEST_RSP, 0, address);

	say("%x", outcome);
	if (outcome == (SHADOW_EXITED | REASON_EXCEPTION_OR_NMI))
		say("(%x %lx)", (u32)vmread(VM_EXIT_INTERRUPTION_INFORMATION), vmread(VM_EXIT_INTERRUPTION_ERROR_CODE));
	say(" ");
}

/* Expect: page faults, EPT violations and #GP of the operand, before anything is written. */
static void operand_faults(void)
{
	u64 region = shadow_region();
	struct shadowing *s = shadowing_create(region);
	u64 *page = page_alloc();

	region_write(region, GUEST_RSP, 0x777, s->vm->vmcs);
	vmclear(region);
	say_fault(s, l2_shadow_read_memory, 1ull << 63);
	say_fault(s, l2_shadow_write_memory, 1ull << 63);
	say_fault(s, l2_shadow_read_stack, 1ull << 62);
	say_fault(s, l2_shadow_read_memory, IDENTITY_LIMIT);
	say_fault(s, l2_shadow_write_memory, IDENTITY_LIMIT);
	say_fault(s, l2_shadow_read_memory, TEST_ADDRESS);
	say_fault(s, l2_shadow_write_memory, TEST_ADDRESS);
	*ept_entry(s->vm->ept, (u64)page, 1) &= ~EPT_WRITE;
	vm_flush_all();
	say_fault(s, l2_shadow_read_memory, (u64)page);
	say_fault(s, l2_shadow_write_memory, (u64)page);
	say("%lx %lx", page[0], region_read(region, GUEST_RSP, s->vm->vmcs));
}

static void become_user(void)
{
	vmwrite(GUEST_CR3, paging_identity(PTE_W | PTE_U));
	vmwrite(GUEST_CS_SELECTOR, SELECTOR_USER_CODE64);
	vmwrite(GUEST_CS_ACCESS_RIGHTS, 0xa0fb);
	vmwrite(GUEST_SS_SELECTOR, SELECTOR_USER_DATA);
	vmwrite(GUEST_SS_ACCESS_RIGHTS, 0xc0f3);
	for (u32 field = GUEST_ES_ACCESS_RIGHTS; field <= GUEST_ES_ACCESS_RIGHTS + 10; field += 2)
		if (field != GUEST_CS_ACCESS_RIGHTS)
			vmwrite((enum vmcs_field)field, 0xc0f3);
}

/* Expect: at privilege level 3 a bitmap's exit first, then #GP, and nothing is read or written. */
static void user_mode(void)
{
	u64 region = shadow_region();
	struct shadowing *s = shadowing_create(region);

	close_field(s->read_bitmap, GUEST_RIP);
	become_user();
	say_both(s, GUEST_RIP);
	say("%x %x ", (u32)vmread(VM_EXIT_INTERRUPTION_INFORMATION), (u32)vmread(VM_EXIT_INTERRUPTION_ERROR_CODE));
	say_both(s, 0x203e);
	say("%x ", (u32)vmread(VM_EXIT_INTERRUPTION_INFORMATION));
	say_both(s, 0x10000 | GUEST_RIP);
	vmwrite(VMCS_LINK_POINTER, ~0ull);
	say_access(s, l2_shadow_write, GUEST_RIP);
	say("%lx", region_read(region, GUEST_RIP, s->vm->vmcs));
}

SCENARIOS(vmcs_shadowing_scenarios,
	{ "shadowing.all_fields", all_fields, "read by L2: 0 wrong; written by L2: 0 wrong; after VMCLEAR: 0 wrong; ",
	  has_vmcs_shadowing },
	{ "shadowing.high_halves", high_halves,
	  "0x1122334455667788 0x11223344 0xdeadbeef55667788 0xdeadbeef55667788; 0x10019 0x155667788", has_vmcs_shadowing },
	{ "shadowing.bitmaps", bitmaps, "closed: 0x10017 0x10019 open: 0 0 0 changed: 5 0x10019 0x10019 ", has_vmcs_shadowing },
	{ "shadowing.beyond_bitmaps", beyond_bitmaps,
	  "0x10017 0x10019 0x10017 0x10019 0x10017 0x10019 0x10017 0x10019 ", has_vmcs_shadowing },
	{ "shadowing.exit_information", exit_information,
	  "VMREAD(23) length=3 information=0x10000410 rip=+0; "
	  "VMWRITE(25) qualification=0 length=3 information=0x13418100 rip=+0", has_vmcs_shadowing },
	{ "shadowing.unsupported_fields", unsupported,
	  "0x200c 0x200c 0x200c 0x200c 0x200c 0x200c 0x200c 0x200c 0x200c 0x200c 0x200c 0x200c 0x200c 0x200c 0x200c 0x200c "
	  "memory 0x200c 0x200c shadow VMCS 77", has_vmcs_shadowing },
	{ "shadowing.user_mode", user_mode,
	  "0x10017 0x10000 0x80000b0d 0 0x10000 0x10000 0x80000b0d 0x10017 0x10019 0x10000 0", has_vmcs_shadowing },
	{ "shadowing.no_link", no_link, "0x1000 0x1000 unsupported 0x1000 closed 0x10017 ", has_vmcs_shadowing },
	{ "shadowing.read_only_fields", read_only_fields, "0x1234 0x123456789abcdef0", has_vmcs_shadowing },
	{ "shadowing.memory_operands", memory_operands, "0 0 0xaabbccdd00112233 0 0x5555 0 0xaabbccdd00112233",
	  has_vmcs_shadowing },
	{ "shadowing.operand_faults", operand_faults,
	  "0x10000(0x80000b0d 0) 0x10000(0x80000b0d 0) 0x10000(0x80000b0c 0) 0x10000(0x80000b0e 2) 0x10000(0x80000b0e 0) "
	  "0x10030 0x10030 0x10030 0 0 0", has_vmcs_shadowing },
);
