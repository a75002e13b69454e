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
	vmclear(vmcs);
	say("complete");
}
