/* SPDX-License-Identifier: MIT */
/* VMCLEAR, VMPTRLD and VMPTRST: addresses, revisions, the current VMCS. */
#include "tests/guests/insn/insn.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/x86.h"

static u32 vmclear_at(u64 pa)
{
	return attempt(op_vmclear, (u64)&pa, 0);
}

static u32 vmptrld_at(u64 pa)
{
	return attempt(op_vmptrld, (u64)&pa, 0);
}

static u64 current(void)
{
	u64 pointer = 0;

	attempt(op_vmptrst, (u64)&pointer, 0);
	return pointer;
}

static void without_current(void)
{
	u64 value = 0;

	say("%lx", current());
	check_said("vmptrst.none", "0xffffffffffffffff");
	check_outcome("vmclear.misaligned.none", vmclear_at(vmxon_region + 16), VMFAIL_INVALID);
	check_outcome("vmptrld.misaligned.none", vmptrld_at(vmxon_region + 16), VMFAIL_INVALID);
	check_outcome("vmread.none", attempt(op_vmread, GUEST_RIP, (u64)&value), VMFAIL_INVALID);
	check_outcome("vmwrite.none", attempt(op_vmwrite, GUEST_RIP, 0), VMFAIL_INVALID);
	check_outcome("vmlaunch.none", attempt(op_vmlaunch, 0, 0), VMFAIL_INVALID);
	check_outcome("vmresume.none", attempt(op_vmresume, 0, 0), VMFAIL_INVALID);
	check_outcome("vmcall.none", attempt(op_vmcall, 0, 0), VMFAIL_INVALID);
}

static void refused_addresses(u64 vmcs)
{
	u32 *wrong = page_alloc();

	check_outcome("vmclear.misaligned", vmclear_at(vmcs + 1), VMFAIL(ERROR_VMCLEAR_ADDRESS));
	check_outcome("vmclear.beyond_width", vmclear_at(vmcs | BEYOND_PHYSICAL_WIDTH),
		      VMFAIL(ERROR_VMCLEAR_ADDRESS));
	check_outcome("vmptrld.first_bit_beyond_width", vmptrld_at(vmcs | BIT(cpuid(0x80000008, 0).eax & 0xff)),
		      VMFAIL(ERROR_VMPTRLD_ADDRESS));
	check_outcome("vmclear.first_bit_beyond_width", vmclear_at(vmcs | BIT(cpuid(0x80000008, 0).eax & 0xff)),
		      VMFAIL(ERROR_VMCLEAR_ADDRESS));
	check_outcome("vmclear.vmxon_pointer", vmclear_at(vmxon_region),
		      VMFAIL(ERROR_VMCLEAR_VMXON_POINTER));
	check_outcome("vmptrld.misaligned", vmptrld_at(vmcs + 0x800), VMFAIL(ERROR_VMPTRLD_ADDRESS));
	check_outcome("vmptrld.beyond_width", vmptrld_at(vmcs | BEYOND_PHYSICAL_WIDTH),
		      VMFAIL(ERROR_VMPTRLD_ADDRESS));
	check_outcome("vmptrld.vmxon_pointer", vmptrld_at(vmxon_region),
		      VMFAIL(ERROR_VMPTRLD_VMXON_POINTER));
	*wrong = *(u32 *)vmcs ^ 1;
	check_outcome("vmptrld.wrong_revision", vmptrld_at((u64)wrong),
		      VMFAIL(ERROR_VMPTRLD_REVISION));
	say("%u", current() == vmcs);
	check_said("vmptrld.refused_keeps_current", "1");
}

static void refused_operands(void)
{
	check_outcome("vmclear.operand_unmapped", attempt(op_vmclear, UNMAPPED, 0), FAULT(VECTOR_PF));
	check_outcome("vmptrld.operand_unmapped", attempt(op_vmptrld, UNMAPPED + 8, 0),
		      FAULT(VECTOR_PF));
	say("%lx", read_cr2());
	check_said("vmptrld.operand_unmapped.cr2", "0x240000008");
	check_outcome("vmptrst.operand_unmapped", attempt(op_vmptrst, UNMAPPED, 0), FAULT(VECTOR_PF));
	say("error=%x", attempt_error_code());
	check_said("vmptrst.operand_unmapped.error", "error=2");
	check_outcome("vmptrst.operand_read_only", attempt(op_vmptrst, read_only_page, 0), FAULT(VECTOR_PF));
	say("error=%x", attempt_error_code());
	check_said("vmptrst.operand_read_only.error", "error=3");
	check_outcome("vmptrst.operand_non_canonical", attempt(op_vmptrst, NON_CANONICAL, 0),
		      FAULT(VECTOR_GP));
	check_outcome("vmclear.operand_non_canonical", attempt(op_vmclear, NON_CANONICAL, 0),
		      FAULT(VECTOR_GP));
}

/* The pointer may lie across two pages. */
static void operand_across_pages(u64 vmcs)
{
	u8 *pages = pages_alloc(2, PAGE_SIZE);

	memcpy(pages + PAGE_SIZE - 3, &vmcs, sizeof(vmcs));
	check_outcome("vmptrld.operand_across_pages",
		      attempt(op_vmptrld, (u64)pages + PAGE_SIZE - 3, 0), OUTCOME_OK);
	say("%u", current() == vmcs);
	check_said("vmptrst.after_vmptrld", "1");
}

void group_pointers(void)
{
	u64 vmcs = vmx_region_alloc(), other = vmx_region_alloc();

	without_current();
	check_outcome("vmclear.first", vmclear_at(vmcs), OUTCOME_OK);
	operand_across_pages(vmcs);
	refused_addresses(vmcs);
	refused_operands();
	check_outcome("vmclear.other", vmclear_at(other), OUTCOME_OK);
	say("%u", current() == vmcs);
	check_said("vmclear.other_keeps_current", "1");
	vmwrite(GUEST_RIP, 0x1111);
	vmptrld(other);
	vmwrite(GUEST_RIP, 0x2222);
	vmptrld(vmcs);
	say("%lx", vmread(GUEST_RIP));
	vmclear(vmcs);
	vmptrld(vmcs);
	vmptrld(other);
	say(" %lx", vmread(GUEST_RIP));
	vmptrld(vmcs);
	say(" %lx", vmread(GUEST_RIP));
	check_said("vmptrld.fields_stay", "0x1111 0x2222 0x1111");
	check_outcome("vmclear.current", vmclear_at(vmcs), OUTCOME_OK);
	say("%lx", current());
	check_said("vmclear.current_leaves_none", "0xffffffffffffffff");
	say("complete");
}
