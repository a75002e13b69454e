/* SPDX-License-Identifier: MIT */
/*
 * INVEPT and INVVPID: types and descriptors, SDM "INVEPT—Invalidate
 * Translations Derived from EPT" and "INVVPID—…". A type that the capability
 * MSR does not offer must be refused, one that it offers must work.
 */
#include "tests/guests/insn/insn.h"

#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vm.h"
#include "tests/guests/lib/x86.h"

static u32 invept_with(u64 type, u64 eptp, u64 reserved)
{
	struct descriptor128 descriptor = { eptp, reserved };

	return attempt(op_invept, type, (u64)&descriptor);
}

static u32 invvpid_with(u64 type, u64 low, u64 address)
{
	struct descriptor128 descriptor = { low, address };

	return attempt(op_invvpid, type, (u64)&descriptor);
}

static void invept_cases(u64 eptp)
{
	u32 refused = VMFAIL(ERROR_INVALIDATION_OPERAND);

	check_outcome("invept.type_0", invept_with(0, eptp, 0), refused);
	check_outcome("invept.type_3", invept_with(3, eptp, 0), refused);
	check_outcome("invept.type_large", invept_with(0x7fffffff, eptp, 0), refused);
	check_outcome("invept.single", invept_with(1, eptp, 0), OUTCOME_OK);
	check_outcome("invept.all", invept_with(2, 0, 0), OUTCOME_OK);
	check_outcome("invept.single_bad_memory_type", invept_with(1, eptp ^ 7, 0), refused);
	check_outcome("invept.single_bad_walk_length", invept_with(1, eptp ^ 0x38, 0), refused);
	check_outcome("invept.single_beyond_width",
		      invept_with(1, eptp | BEYOND_PHYSICAL_WIDTH, 0), refused);
	check_outcome("invept.operand_unmapped", attempt(op_invept, 1, UNMAPPED), FAULT(VECTOR_PF));
	check_outcome("invept.operand_non_canonical", attempt(op_invept, 1, NON_CANONICAL),
		      FAULT(VECTOR_GP));
}

static void invvpid_cases(void)
{
	u32 refused = VMFAIL(ERROR_INVALIDATION_OPERAND);

	check_outcome("invvpid.type_4", invvpid_with(4, 1, 0), refused);
	check_outcome("invvpid.type_large", invvpid_with(0x7fffffff, 1, 0), refused);
	check_outcome("invvpid.address", invvpid_with(0, 1, 0x1000), OUTCOME_OK);
	check_outcome("invvpid.single", invvpid_with(1, 1, 0), OUTCOME_OK);
	check_outcome("invvpid.all", invvpid_with(2, 0, 0), OUTCOME_OK);
	check_outcome("invvpid.retain_globals", invvpid_with(3, 1, 0), OUTCOME_OK);
	check_outcome("invvpid.address_of_vpid_0", invvpid_with(0, 0, 0x1000), refused);
	check_outcome("invvpid.single_of_vpid_0", invvpid_with(1, 0, 0), refused);
	check_outcome("invvpid.retain_globals_of_vpid_0", invvpid_with(3, 0, 0), refused);
	check_outcome("invvpid.reserved_bits", invvpid_with(1, 0x10001, 0), refused);
	check_outcome("invvpid.address_non_canonical", invvpid_with(0, 1, NON_CANONICAL), refused);
	check_outcome("invvpid.operand_unmapped", attempt(op_invvpid, 1, UNMAPPED),
		      FAULT(VECTOR_PF));
	check_outcome("invvpid.operand_non_canonical", attempt(op_invvpid, 1, NON_CANONICAL),
		      FAULT(VECTOR_GP));
}

void group_invalidate(void)
{
	struct vm *vm = vm_create(l2_done);

	invept_cases(vmread(EPT_POINTER));
	invvpid_cases();
	vmclear(vm->vmcs);
	check_outcome("invept.no_current_vmcs", invept_with(2, 0, 0), OUTCOME_OK);
	check_outcome("invept.type_3_no_current_vmcs", invept_with(3, 0, 0), VMFAIL_INVALID);
	check_outcome("invvpid.type_4_no_current_vmcs", invvpid_with(4, 1, 0), VMFAIL_INVALID);
	say("complete");
}
