/* SPDX-License-Identifier: MIT */
/*
 * Operands: every register, many forms of memory address, segment bases.
 * SDM "VM-Exit Instruction Information" is what L0 decodes them from.
 */
#include "tests/guests/insn/insn.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/x86.h"

void operand_vmread_all(u64 field, u64 out[16]);
void operand_vmwrite_all(u64 field, u64 out[16]);
void operand_field_registers(u64 field, u64 out[4]);
void operand_forms(u64 buffer[16]);
u32 operand_by_stack(u64 address, u64 unused);

static void registers(enum vmcs_field field, const char *name)
{
	u64 *out = page_alloc();
	u64 value = 0x1029384756abcdef;
	u32 read = 0, written = 0, high = 0;

	vmwrite(field, value);
	operand_vmread_all(field, out);
	for (u32 i = 0; i < 16; i++)
		read += out[i] == value;
	operand_vmwrite_all(field, out);
	for (u32 i = 0; i < 16; i++)
		written += out[i] == i + 1u;
	vmwrite(field, value);
	operand_field_registers(field, out);
	for (u32 i = 0; i < 3; i++)
		high += out[i] == value;
	high += out[3] == 0x77;
	say("read into %u, written from %u, field in %u", read, written, high);
	check_said(name, "read into 16, written from 16, field in 4");
}

static void memory_forms(u64 vmcs)
{
	u64 *buffer = page_alloc();
	u32 good = 0;

	operand_forms(buffer);
	for (u32 i = 0; i < 13; i++)
		good += buffer[i] == vmcs;
	say("%u of 13", good);
	check_said("operands.memory_forms", "13 of 13");
}

/* FS and GS have bases in 64-bit mode, the other segments have none. */
static void segment_bases(u64 vmcs)
{
	u64 *buffer = page_alloc();

	wrmsr(IA32_FS_BASE, (u64)buffer);
	wrmsr(IA32_GS_BASE, (u64)buffer + 8);
	__asm__ volatile("vmptrst %%fs:(%0)" : : "r"(0ull) : "cc", "memory");
	__asm__ volatile("vmptrst %%gs:(%0)" : : "r"(0ull) : "cc", "memory");
	__asm__ volatile("vmptrst %%es:(%0)" : : "r"(buffer + 2) : "cc", "memory");
	wrmsr(IA32_FS_BASE, 0);
	wrmsr(IA32_GS_BASE, 0);
	say("fs %u, gs %u, es %u", buffer[0] == vmcs, buffer[1] == vmcs, buffer[2] == vmcs);
	check_said("operands.segment_bases", "fs 1, gs 1, es 1");
}

static void across_pages(void)
{
	u8 *pages = pages_alloc(2, PAGE_SIZE);
	u64 value = 0x1122334455667788;

	memcpy(pages + PAGE_SIZE - 5, &value, sizeof(value));
	say("%o", attempt(op_vmwrite_memory, GUEST_RSP, (u64)pages + PAGE_SIZE - 5));
	say(" %lx", vmread(GUEST_RSP));
	vmwrite(GUEST_RSP, 0x99);
	say(" %o", attempt(op_vmread_memory, GUEST_RSP, (u64)pages + PAGE_SIZE - 3));
	memcpy(&value, pages + PAGE_SIZE - 3, sizeof(value));
	say(" %lx", value);
	check_said("operands.across_pages", "ok 0x1122334455667788 ok 0x99");
}

/* Expect: a memory operand of VMREAD is 64 bits wide whatever the field. */
static void memory_width(void)
{
	u64 value = ~0ull;

	vmwrite(GUEST_ES_SELECTOR, 0x18);
	say("%o", attempt(op_vmread_memory, GUEST_ES_SELECTOR, (u64)&value));
	say(" %lx", value);
	check_said("operands.vmread_memory_width", "ok 0x18");
}

static void faults(void)
{
	check_outcome("vmread.operand_unmapped", attempt(op_vmread_memory, GUEST_RIP, UNMAPPED),
		      FAULT(VECTOR_PF));
	say("error=%x cr2=%lx", attempt_error_code(), read_cr2());
	check_said("vmread.operand_unmapped.fault", "error=2 cr2=0x240000000");
	check_outcome("vmwrite.operand_unmapped", attempt(op_vmwrite_memory, GUEST_RIP, UNMAPPED),
		      FAULT(VECTOR_PF));
	say("error=%x cr2=%lx", attempt_error_code(), read_cr2());
	check_said("vmwrite.operand_unmapped.fault", "error=0 cr2=0x240000000");
	check_outcome("vmread.operand_non_canonical",
		      attempt(op_vmread_memory, GUEST_RIP, NON_CANONICAL), FAULT(VECTOR_GP));
	check_outcome("vmwrite.operand_non_canonical",
		      attempt(op_vmwrite_memory, GUEST_RIP, NON_CANONICAL), FAULT(VECTOR_GP));
	/* Expect: #SS where the stack segment is the default. */
	check_outcome("vmptrst.stack_non_canonical", attempt(operand_by_stack, NON_CANONICAL, 0),
		      FAULT(VECTOR_SS));
}

#define PREFIX(name) u32 operand_prefix_##name(u64 address, u64 field)
PREFIX(lock_vmptrst);
PREFIX(lock_vmread);
PREFIX(lock_vmresume);
PREFIX(66_vmread);
PREFIX(f2_vmread);
PREFIX(f3_vmwrite);
PREFIX(f2_vmptrst);
PREFIX(f3_vmptrst);
PREFIX(rex_vmread);
PREFIX(rex_vmptrst);
PREFIX(segment_vmptrst);
PREFIX(66_vmresume);

/* Expect: #UD with LOCK; of the rest the processor decides. */
static void prefixes(void)
{
	static const struct {
		const char *name;
		vmx_op op;
	} list[] = {
		{ "prefix.lock_vmptrst", operand_prefix_lock_vmptrst }, { "prefix.lock_vmread", operand_prefix_lock_vmread },
		{ "prefix.lock_vmresume", operand_prefix_lock_vmresume }, { "prefix.66_vmread", operand_prefix_66_vmread },
		{ "prefix.f2_vmread", operand_prefix_f2_vmread }, { "prefix.f3_vmwrite", operand_prefix_f3_vmwrite },
		{ "prefix.f2_vmptrst", operand_prefix_f2_vmptrst }, { "prefix.f3_vmptrst", operand_prefix_f3_vmptrst },
		{ "prefix.rex_vmread", operand_prefix_rex_vmread }, { "prefix.rex_vmptrst", operand_prefix_rex_vmptrst },
		{ "prefix.segment_vmptrst", operand_prefix_segment_vmptrst }, { "prefix.66_vmresume", operand_prefix_66_vmresume },
	};
	u64 *buffer = page_alloc();

	for (u32 i = 0; i < ARRAY_SIZE(list); i++) {
		*buffer = 0;
		say("%o", attempt(list[i].op, (u64)buffer, HOST_IA32_SYSENTER_EIP));
		say(", stored %u", !!*buffer);
		check_said(list[i].name, i < 3 ? "#6, stored 0" : NULL);
	}
}

#define STATUS_FLAGS 0x8d5ull

/* SDM "Conventions": each outcome leaves its flag and clears the other five; before, all are set. */
#define FLAGS_OF(name, instruction)                                             \
	static u32 flags_of_##name(u64 a, u64 b)                                \
	{                                                                       \
		u64 flags = STATUS_FLAGS | RFLAGS_FIXED;                        \
										\
		__asm__ volatile("push %0; popfq; " instruction "; pushfq; pop %0" \
				 : "+r"(flags)                                  \
				 : "r"(a), "r"(b)                               \
				 : "cc", "memory");                             \
		return (u32)(flags & STATUS_FLAGS);                             \
	}
FLAGS_OF(vmptrst, "vmptrst (%1)")
FLAGS_OF(vmptrld, "vmptrld (%1)")
FLAGS_OF(vmread, "vmread %2, (%1)")
FLAGS_OF(vmlaunch, "vmlaunch")

static void status_flags(u64 vmcs)
{
	u64 buffer = 8, at = (u64)&buffer;

	say("fail valid %x %x", flags_of_vmread(at, 0x69fe), flags_of_vmptrld(at, 0));
	say(", succeed %x %x", flags_of_vmptrst(at, 0), flags_of_vmread(at, GUEST_RIP));
	vmclear(vmcs);
	say(", fail invalid %x %x", flags_of_vmread(at, GUEST_RIP), flags_of_vmlaunch(at, 0));
	vmptrld(vmcs);
	check_said("operands.status_flags", "fail valid 0x40 0x40, succeed 0 0, fail invalid 1 1");
}

#define CR3_LAM_U57 BIT(61)
#define CR3_LAM_U48 BIT(62)

static bool has_address_masking(void)
{
	return cpuid(0, 0).eax >= 7 && cpuid(7, 0).eax >= 1 && (cpuid(7, 1).eax & BIT(26));
}

/* SDM "Linear-Address Masking": what CR3 says of addresses with bit 63 clear. */
static void address_masking(u64 vmcs)
{
	u64 *buffer = page_alloc(), cr3 = read_cr3();
	u64 six = (u64)buffer | 0x7eull << 56, fifteen = (u64)buffer | 0x7abcull << 48;

	check_outcome("masking.off", attempt(op_vmptrst, six, 0), FAULT(VECTOR_GP));
	write_cr3(cr3 | CR3_LAM_U57);
	check_outcome("masking.u57.six_bits", attempt(op_vmptrst, six, 0), OUTCOME_OK);
	check_outcome("masking.u57.fifteen_bits", attempt(op_vmptrst, fifteen, 0), FAULT(VECTOR_GP));
	write_cr3(cr3 | CR3_LAM_U48);
	check_outcome("masking.u48.fifteen_bits", attempt(op_vmptrst, fifteen + 8, 0), OUTCOME_OK);
	check_outcome("masking.u48.bit_63", attempt(op_vmptrst, fifteen | BIT(63), 0), FAULT(VECTOR_GP));
	write_cr3(cr3);
	say("%u %u", buffer[0] == vmcs, buffer[1] == vmcs);
	check_said("masking.stored", "1 1");
}

void group_operands(void)
{
	u64 vmcs = vmx_region_alloc();

	vmclear(vmcs);
	vmptrld(vmcs);
	registers(GUEST_RSP, "operands.registers");
	registers(HOST_IA32_SYSENTER_EIP, "operands.registers_of_a_rare_field");
	memory_forms(vmcs);
	segment_bases(vmcs);
	across_pages();
	memory_width();
	faults();
	vmwrite(HOST_IA32_SYSENTER_EIP, 0x77);
	prefixes();
	status_flags(vmcs);
	if (has_address_masking())
		address_masking(vmcs);
	vmclear(vmcs);
	say("complete");
}
