/* SPDX-License-Identifier: MIT */
/*
 * Outside VMX operation, and the way into it, SDM "VMXON—Enter VMX Operation"
 * and "Restrictions on VMX Operation".
 */
#include "tests/guests/insn/insn.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/x86.h"

static u32 op_write_cr0(u64 value, u64 unused)
{
	(void)unused;
	write_cr0(value);
	return OUTCOME_OK;
}

static u32 op_write_cr4(u64 value, u64 unused)
{
	(void)unused;
	write_cr4(value);
	return OUTCOME_OK;
}

static u32 op_write_feature_control(u64 value, u64 unused)
{
	(void)unused;
	wrmsr(IA32_FEATURE_CONTROL, value);
	return OUTCOME_OK;
}

static u32 op_write_vmx_basic(u64 value, u64 unused)
{
	(void)unused;
	wrmsr(IA32_VMX_BASIC, value);
	return OUTCOME_OK;
}

static u32 vmxon_at(u64 pa)
{
	return attempt(op_vmxon, (u64)&pa, 0);
}

/* Every instruction is #UD outside VMX operation, with and without CR4.VMXE. */
static void all_undefined(const char *const names[11])
{
	static const vmx_op ops[] = { op_vmxoff,  op_vmclear, op_vmptrld,  op_vmptrst,
				      op_vmread,  op_vmwrite, op_vmlaunch, op_vmresume,
				      op_invept,  op_invvpid, op_vmcall };
	u64 *page = page_alloc();

	*page = (u64)page;
	for (u32 i = 0; i < ARRAY_SIZE(ops); i++)
		check_outcome(names[i], attempt(ops[i], ops[i] == op_vmread ? GUEST_RIP : (u64)page,
						(u64)page), FAULT(VECTOR_UD));
}

void group_outside(void)
{
	static const char *const without[] = {
		"outside.vmxoff",  "outside.vmclear",  "outside.vmptrld",  "outside.vmptrst",
		"outside.vmread",  "outside.vmwrite",  "outside.vmlaunch", "outside.vmresume",
		"outside.invept",  "outside.invvpid",  "outside.vmcall",
	};
	static const char *const with[] = {
		"vmxe_only.vmxoff", "vmxe_only.vmclear", "vmxe_only.vmptrld",
		"vmxe_only.vmptrst", "vmxe_only.vmread", "vmxe_only.vmwrite",
		"vmxe_only.vmlaunch", "vmxe_only.vmresume", "vmxe_only.invept",
		"vmxe_only.invvpid", "vmxe_only.vmcall",
	};

	check_outcome("cr4.clear_vmxe_outside",
		      attempt(op_write_cr4, read_cr4() & ~CR4_VMXE, 0), OUTCOME_OK);
	check_outcome("vmxon.without_cr4_vmxe", vmxon_at(vmxon_region), FAULT(VECTOR_UD));
	all_undefined(without);
	vmx_prepare();
	all_undefined(with);
	check_outcome("outside.vmfunc", attempt(op_vmfunc, 0, 0), FAULT(VECTOR_UD));
	check_outcome("feature_control.write_locked",
		      attempt(op_write_feature_control, FEATURE_CONTROL_LOCK, 0),
		      FAULT(VECTOR_GP));
	/* Bochs's own answer is to stop, so only Testudo is asked. */
	if (under_testudo())
		expect(attempt(op_write_vmx_basic, 0, 0) == FAULT(VECTOR_GP));
	say("complete");
}

static void vmxon_refused(void)
{
	u32 *region = (u32 *)vmxon_region;
	u32 revision = *region;

	write_cr0(read_cr0() & ~CR0_NE);
	check_outcome("vmxon.without_cr0_ne", vmxon_at(vmxon_region), FAULT(VECTOR_GP));
	write_cr0(read_cr0() | CR0_NE);
	check_outcome("vmxon.misaligned", vmxon_at(vmxon_region + 8), VMFAIL_INVALID);
	check_outcome("vmxon.beyond_width", vmxon_at(vmxon_region | BEYOND_PHYSICAL_WIDTH),
		      VMFAIL_INVALID);
	*region = revision + 1;
	check_outcome("vmxon.wrong_revision", vmxon_at(vmxon_region), VMFAIL_INVALID);
	*region = revision | 0x80000000;
	check_outcome("vmxon.revision_bit_31", vmxon_at(vmxon_region), VMFAIL_INVALID);
	*region = revision;
	check_outcome("vmxon.operand_unmapped", attempt(op_vmxon, UNMAPPED, 0), FAULT(VECTOR_PF));
	say("%lx", read_cr2());
	check_said("vmxon.operand_unmapped.cr2", "0x240000000");
	check_outcome("vmxon.operand_non_canonical", attempt(op_vmxon, NON_CANONICAL, 0),
		      FAULT(VECTOR_GP));
}

void group_vmxon(void)
{
	u64 vmcs = vmx_region_alloc();

	vmxon_refused();
	check_outcome("vmxon", vmxon_at(vmxon_region), OUTCOME_OK);
	check_outcome("vmxon.in_root_without_vmcs", vmxon_at(vmxon_region), VMFAIL_INVALID);
	check_outcome("vmclear", attempt(op_vmclear, (u64)&vmcs, 0), OUTCOME_OK);
	check_outcome("vmptrld", attempt(op_vmptrld, (u64)&vmcs, 0), OUTCOME_OK);
	check_outcome("vmxon.in_root", vmxon_at(vmxon_region), VMFAIL(ERROR_VMXON_IN_ROOT));
	check_outcome("root.clear_cr4_vmxe", attempt(op_write_cr4, read_cr4() & ~CR4_VMXE, 0),
		      FAULT(VECTOR_GP));
	check_outcome("root.clear_cr0_ne", attempt(op_write_cr0, read_cr0() & ~CR0_NE, 0),
		      FAULT(VECTOR_GP));
	/* Bochs stops here too. */
	if (under_testudo())
		expect(attempt(op_vmcall, 0, 0) == VMFAIL(ERROR_VMCALL_IN_ROOT));
	check_outcome("root.vmfunc", attempt(op_vmfunc, 0, 0), FAULT(VECTOR_UD));
	say("vmxe=%u ne=%u", !!(read_cr4() & CR4_VMXE), !!(read_cr0() & CR0_NE));
	check_said("root.control_registers", "vmxe=1 ne=1");
	check_outcome("vmxoff.with_current_vmcs", attempt(op_vmxoff, 0, 0), OUTCOME_OK);
	check_outcome("vmxon.again", vmxon_at(vmxon_region), OUTCOME_OK);
	check_outcome("vmxon.again.no_current_vmcs", attempt(op_vmwrite, GUEST_RIP, 0),
		      VMFAIL_INVALID);
	say("complete");
}
