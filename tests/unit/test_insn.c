/* SPDX-License-Identifier: MIT */
/*
 * What the VMX instructions refuse, and with which error. SDM "VMX Instruction
 * Reference"; the order of faults is that of the "Operation" sections.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86.h"
#include "tests/unit/vmcs12_builder.h"
#include "vmx/nested/insn.h"

static struct builder builder;

static void assert_ok(struct insn_result result)
{
	assert_int_equal(result.outcome, INSN_OK);
}

static void assert_faults(struct insn_result result, u8 vector)
{
	assert_int_equal(result.outcome, INSN_FAULT);
	assert_int_equal(result.vector, vector);
	assert_int_equal(result.error_code, 0);
}

/* VMfailValid with this number. */
static void assert_fails(struct insn_result result, u16 error)
{
	assert_int_equal(result.outcome, INSN_FAIL_VALID);
	assert_int_equal(result.error, error);
}

static void a_failure_without_a_current_vmcs_has_no_number(void **state)
{
	(void)state;
	assert_int_equal(insn_fail(false, VMERR_CONTROLS).outcome, INSN_FAIL_INVALID);
	assert_int_equal(insn_fail(false, VMERR_CONTROLS).error, 0);
	assert_fails(insn_fail(true, VMERR_CONTROLS), 7);
}

/* SDM "VM Instruction Error Numbers". */
static void error_numbers_are_the_sdms(void **state)
{
	(void)state;
	assert_true(VMERR_VMCALL_IN_ROOT == 1 && VMERR_VMCLEAR_ADDRESS == 2 && VMERR_VMCLEAR_VMXON_POINTER == 3);
	assert_true(VMERR_VMLAUNCH_NOT_CLEAR == 4 && VMERR_VMRESUME_NOT_LAUNCHED == 5);
	assert_true(VMERR_CONTROLS == 7 && VMERR_HOST_STATE == 8);
	assert_true(VMERR_VMPTRLD_ADDRESS == 9 && VMERR_VMPTRLD_VMXON_POINTER == 10 && VMERR_VMPTRLD_REVISION == 11);
	assert_true(VMERR_UNSUPPORTED_FIELD == 12 && VMERR_READ_ONLY_FIELD == 13 && VMERR_VMXON_IN_ROOT == 15);
	assert_true(VMERR_MOV_SS == 26 && VMERR_INVALIDATION_OPERAND == 28);
}

/* --- who may execute them ----------------------------------------------------------- */

/* A 64-bit L1 at privilege level 0 with VMX on. */
static struct insn_mode good_mode(void)
{
	return (struct insn_mode){
		.cr0 = CR0_PG | CR0_NE | CR0_PE, .cr4 = CR4_VMXE | CR4_PAE, .rflags = RFLAGS_FIXED,
		.efer = EFER_LMA | EFER_LME, .cs_l = true, .in_vmx_operation = true,
	};
}

static void vmx_instructions_work_in_64_bit_and_in_protected_mode(void **state)
{
	struct insn_mode mode = good_mode();

	(void)state;
	assert_ok(insn_check_mode(&mode));
	mode.efer = 0;
	mode.cs_l = false;
	assert_ok(insn_check_mode(&mode));
}

static void outside_vmx_operation_they_are_undefined(void **state)
{
	struct insn_mode mode = good_mode();

	(void)state;
	mode.in_vmx_operation = false;
	assert_faults(insn_check_mode(&mode), VECTOR_UD);
}

/* The three modes without VMX instructions, into which each case below puts the processor. */
static void leave_vmx_modes(struct insn_mode *mode, u32 which)
{
	if (which == 0) {
		mode->cr0 &= ~CR0_PE;
	} else if (which == 1) {
		mode->rflags |= RFLAGS_VM;
		mode->efer = 0;
	} else {
		mode->cs_l = false; /* compatibility mode */
	}
}

static void real_v8086_and_compatibility_mode_have_no_vmx(void **state)
{
	(void)state;
	builder_init(&builder, BUILD_LONG);
	for (u32 which = 0; which < 3; which++) {
		struct insn_mode mode = good_mode();

		leave_vmx_modes(&mode, which);
		assert_faults(insn_check_mode(&mode), VECTOR_UD);
		mode.in_vmx_operation = false;
		assert_faults(insn_check_vmxon(&mode, &builder.offered), VECTOR_UD);
	}
}

/* Expect: #GP(0) at any level but 0, yet #UD first. */
static void privilege_comes_after_mode(void **state)
{
	(void)state;
	builder_init(&builder, BUILD_LONG);
	for (u8 cpl = 1; cpl <= 3; cpl++) {
		struct insn_mode mode = good_mode();

		mode.cpl = cpl;
		assert_faults(insn_check_mode(&mode), VECTOR_GP);
		assert_faults(insn_check_vmxon(&mode, &builder.offered), VECTOR_GP);
		leave_vmx_modes(&mode, 2);
		assert_faults(insn_check_mode(&mode), VECTOR_UD);
		assert_faults(insn_check_vmxon(&mode, &builder.offered), VECTOR_UD);
		mode = good_mode();
		mode.cpl = cpl;
		mode.in_vmx_operation = false;
		assert_faults(insn_check_mode(&mode), VECTOR_UD);
	}
}

/* Expect: #UD also where the privilege level would make it #GP. */
static void an_invalidation_that_is_not_offered_is_undefined(void **state)
{
	struct insn_mode mode = good_mode();

	(void)state;
	builder_init(&builder, BUILD_LONG);
	assert_ok(insn_check_invalidation(&mode, &builder.offered, EPT_CAP_INVEPT));
	assert_ok(insn_check_invalidation(&mode, &builder.offered, VPID_CAP_INVVPID));
	mode.cpl = 3;
	assert_faults(insn_check_invalidation(&mode, &builder.offered, EPT_CAP_INVEPT), VECTOR_GP);
	builder.offered.ept_vpid &= ~(EPT_CAP_INVEPT | VPID_CAP_INVVPID);
	assert_faults(insn_check_invalidation(&mode, &builder.offered, EPT_CAP_INVEPT), VECTOR_UD);
	mode.cpl = 0;
	assert_faults(insn_check_invalidation(&mode, &builder.offered, VPID_CAP_INVVPID), VECTOR_UD);
}

/* --- VMXON ------------------------------------------------------------------------- */

static struct insn_result vmxon_with(u64 cr0, u64 cr4)
{
	struct insn_mode mode = good_mode();

	mode.in_vmx_operation = false;
	mode.cr0 = cr0;
	mode.cr4 = cr4;
	return insn_check_vmxon(&mode, &builder.offered);
}

static void vmxon_wants_cr0_and_cr4_as_the_fixed_msrs_say(void **state)
{
	const u64 cr0 = CR0_PG | CR0_NE | CR0_PE, cr4 = CR4_VMXE | CR4_PAE;

	(void)state;
	builder_init(&builder, BUILD_LONG);
	assert_ok(vmxon_with(cr0, cr4));
	assert_faults(vmxon_with(cr0 & ~CR0_NE, cr4), VECTOR_GP);
	assert_faults(vmxon_with(cr0 & ~CR0_PG, cr4), VECTOR_GP);
	assert_faults(vmxon_with(cr0 | BIT(32), cr4), VECTOR_GP);
	assert_faults(vmxon_with(cr0, cr4 | BIT(30)), VECTOR_GP);
	builder.offered.cr4_fixed0 |= CR4_MCE;
	assert_faults(vmxon_with(cr0, cr4), VECTOR_GP);
}

/* Expect: #UD, although CR4_FIXED0 would make it #GP. */
static void vmxon_without_vmxe_is_undefined(void **state)
{
	(void)state;
	builder_init(&builder, BUILD_LONG);
	assert_faults(vmxon_with(CR0_PG | CR0_NE | CR0_PE, CR4_PAE), VECTOR_UD);
}

static void a_region_is_an_aligned_page_within_the_width(void **state)
{
	(void)state;
	builder_init(&builder, BUILD_LONG);
	assert_true(insn_is_region_address(&builder.memory, 0));
	assert_true(insn_is_region_address(&builder.memory, 0x1000));
	assert_true(insn_is_region_address(&builder.memory, (UINT64_C(1) << BUILDER_PHYSICAL_BITS) - 0x1000));
	assert_false(insn_is_region_address(&builder.memory, 0x1001));
	assert_false(insn_is_region_address(&builder.memory, 0x1800));
	assert_false(insn_is_region_address(&builder.memory, UINT64_C(1) << BUILDER_PHYSICAL_BITS));
	assert_false(insn_is_region_address(&builder.memory, ~UINT64_C(0xfff)));
}

/* --- VMREAD, VMWRITE ------------------------------------------------------------------ */

/* Expect: each field L1 is offered can be written and read back in its width, and no other. */
static void fields_that_l1_is_offered_and_no_others(void **state)
{
	u32 offered = 0, refused = 0;

	(void)state;
	builder_init(&builder, BUILD_LONG);
	for (u32 encoding = 0; encoding < 0x8000; encoding++) {
		const struct vmcs_field_info *info = vmcs_lookup(encoding);
		bool exists = info != NULL && info->class != CLASS_ABSENT && vmcs_field_exists(info, &builder.offered);
		u64 value = 0x1111111111111111;

		assert_true((insn_field(&builder.offered, encoding) == info) == (exists || info == NULL));
		if (!exists) {
			assert_fails(insn_vmread(&builder.vmcs12, &builder.offered, encoding, &value), VMERR_UNSUPPORTED_FIELD);
			assert_fails(insn_vmwrite(&builder.vmcs12, &builder.offered, encoding, 1), VMERR_UNSUPPORTED_FIELD);
			refused++;
			continue;
		}
		assert_ok(insn_vmwrite(&builder.vmcs12, &builder.offered, encoding, UINT64_C(0xfedcba9876543210)));
		assert_ok(insn_vmread(&builder.vmcs12, &builder.offered, encoding, &value));
		assert_true(value == (UINT64_C(0xfedcba9876543210) & vmcs_width_mask(encoding)));
		offered++;
	}
	assert_true(offered > 150 && refused > 32000);
}

/* Expect: neither a field without its control, nor one that Testudo has no use for, whatever its control. */
static void a_field_must_exist_and_be_known(void **state)
{
	u64 value;

	(void)state;
	builder_init(&builder, BUILD_LONG);
	builder.offered.control[WORD_PROC2].may_be_1 &= ~PROC2_USE_TSC_SCALING;
	assert_fails(insn_vmread(&builder.vmcs12, &builder.offered, VMCS_TSC_MULTIPLIER.encoding, &value), VMERR_UNSUPPORTED_FIELD);
	builder_init(&builder, BUILD_EVERYTHING);
	assert_ok(insn_vmread(&builder.vmcs12, &builder.offered, VMCS_TSC_MULTIPLIER.encoding, &value));
	assert_fails(insn_vmread(&builder.vmcs12, &builder.offered, VMCS_TERTIARY_PROCESSOR_BASED_CONTROLS.encoding, &value),
		     VMERR_UNSUPPORTED_FIELD);
	assert_fails(insn_vmwrite(&builder.vmcs12, &builder.offered, VMCS_HLAT_PREFIX_SIZE.encoding, 0), VMERR_UNSUPPORTED_FIELD);
}

static void an_encoding_of_more_than_32_bits_names_no_field(void **state)
{
	u64 value;

	(void)state;
	builder_init(&builder, BUILD_LONG);
	assert_fails(insn_vmread(&builder.vmcs12, &builder.offered, 0x10000681e, &value), VMERR_UNSUPPORTED_FIELD);
	assert_fails(insn_vmwrite(&builder.vmcs12, &builder.offered, UINT64_C(1) << 63 | 0x681e, 0), VMERR_UNSUPPORTED_FIELD);
}

static void the_high_half_leaves_the_low_half_alone(void **state)
{
	u64 value = 0;

	(void)state;
	builder_init(&builder, BUILD_LONG);
	vmcs12_set(&builder.vmcs12, VMCS_TSC_OFFSET, 0x1111111122222222);
	assert_ok(insn_vmwrite(&builder.vmcs12, &builder.offered, 0x2011, UINT64_C(0xdeadbeef33333333)));
	assert_true(vmcs12_get(&builder.vmcs12, VMCS_TSC_OFFSET) == 0x3333333322222222);
	assert_ok(insn_vmread(&builder.vmcs12, &builder.offered, 0x2011, &value));
	assert_true(value == 0x33333333);
}

static void read_only_fields_can_be_written_where_the_processor_says_so(void **state)
{
	(void)state;
	builder_init(&builder, BUILD_LONG);
	assert_ok(insn_vmwrite(&builder.vmcs12, &builder.offered, VMCS_EXIT_REASON.encoding, 5));
	assert_int_equal(vmcs12_get(&builder.vmcs12, VMCS_EXIT_REASON), 5);
	builder.offered.misc &= ~VMX_MISC_VMWRITE_ANY_FIELD;
	assert_fails(insn_vmwrite(&builder.vmcs12, &builder.offered, VMCS_EXIT_REASON.encoding, 6), VMERR_READ_ONLY_FIELD);
	assert_int_equal(vmcs12_get(&builder.vmcs12, VMCS_EXIT_REASON), 5);
}

/* Expect: 12 and not 13, for a read-only encoding that is no field. */
static void an_unknown_field_is_unsupported_before_it_is_read_only(void **state)
{
	(void)state;
	builder_init(&builder, BUILD_LONG);
	builder.offered.misc &= ~VMX_MISC_VMWRITE_ANY_FIELD;
	assert_fails(insn_vmwrite(&builder.vmcs12, &builder.offered, 0x4410, 0), VMERR_UNSUPPORTED_FIELD);
}

/* --- INVEPT, INVVPID -------------------------------------------------------------------- */

static void invept_has_two_types(void **state)
{
	(void)state;
	builder_init(&builder, BUILD_LONG);
	for (u64 type = 0; type < 8; type++) {
		if (type == 1 || type == 2)
			assert_ok(insn_check_invept(&builder.offered, type, true));
		else
			assert_fails(insn_check_invept(&builder.offered, type, true), VMERR_INVALIDATION_OPERAND);
	}
	assert_fails(insn_check_invept(&builder.offered, UINT64_C(0x100000001), true), VMERR_INVALIDATION_OPERAND);
	assert_int_equal(insn_check_invept(&builder.offered, 0, false).outcome, INSN_FAIL_INVALID);
	builder.offered.ept_vpid &= ~EPT_CAP_INVEPT_SINGLE;
	assert_fails(insn_check_invept(&builder.offered, 1, true), VMERR_INVALIDATION_OPERAND);
	builder.offered.ept_vpid &= ~EPT_CAP_INVEPT_ALL;
	assert_fails(insn_check_invept(&builder.offered, 2, true), VMERR_INVALIDATION_OPERAND);
}

static void invept_of_one_context_wants_an_eptp_that_vm_entry_takes(void **state)
{
	const u64 good[2] = { 0x40000 | 6 | 3 << 3, 0 }, bad_eptp[2] = { 0x40000, 0 }, reserved[2] = { 0x40000 | 6 | 3 << 3, 1 };

	(void)state;
	builder_init(&builder, BUILD_LONG);
	assert_ok(insn_check_invept_descriptor(&builder.offered, 1, good, true));
	assert_fails(insn_check_invept_descriptor(&builder.offered, 1, bad_eptp, true), VMERR_INVALIDATION_OPERAND);
	assert_ok(insn_check_invept_descriptor(&builder.offered, 2, bad_eptp, true));
	assert_fails(insn_check_invept_descriptor(&builder.offered, 1, reserved, true), VMERR_INVALIDATION_OPERAND);
	assert_fails(insn_check_invept_descriptor(&builder.offered, 2, reserved, true), VMERR_INVALIDATION_OPERAND);
	assert_int_equal(insn_check_invept_descriptor(&builder.offered, 1, bad_eptp, false).outcome, INSN_FAIL_INVALID);
}

/* Expect: each part of an EPTP goes by its own capability. SDM "VM-Execution Control Fields" (checks). */
static void an_eptp_has_only_what_the_capabilities_allow(void **state)
{
	const u64 wb_4 = 0x40000 | 6 | 3 << 3, uc_4 = 0x40000 | 3 << 3, wb_5 = 0x40000 | 6 | 4 << 3, accessed_dirty = BIT(6);

	(void)state;
	builder_init(&builder, BUILD_LONG);
	assert_true(check_is_eptp_valid(&builder.offered, wb_4) && check_is_eptp_valid(&builder.offered, wb_4 | accessed_dirty));
	assert_true(check_is_eptp_valid(&builder.offered, uc_4));
	assert_false(check_is_eptp_valid(&builder.offered, wb_5));
	assert_false(check_is_eptp_valid(&builder.offered, wb_4 | BIT(7)));
	assert_false(check_is_eptp_valid(&builder.offered, wb_4 | BIT(BUILDER_PHYSICAL_BITS)));
	for (u64 type = 1; type < 8; type++)
		assert_true(check_is_eptp_valid(&builder.offered, uc_4 | type) == (type == 6));
	builder.offered.ept_vpid = (builder.offered.ept_vpid | EPT_CAP_5_LEVEL) & ~(u64)EPT_CAP_ACCESSED_DIRTY;
	assert_true(check_is_eptp_valid(&builder.offered, wb_5));
	assert_false(check_is_eptp_valid(&builder.offered, wb_4 | accessed_dirty));
	builder.offered.ept_vpid &= ~(u64)(EPT_CAP_UNCACHEABLE | EPT_CAP_4_LEVEL);
	assert_false(check_is_eptp_valid(&builder.offered, uc_4) || check_is_eptp_valid(&builder.offered, wb_4));
	builder.offered.ept_vpid &= ~(u64)EPT_CAP_WRITE_BACK;
	assert_false(check_is_eptp_valid(&builder.offered, wb_5));
}

static void invvpid_has_four_types(void **state)
{
	static const u64 capability[] = {
		VPID_CAP_INVVPID_ADDRESS, VPID_CAP_INVVPID_SINGLE, VPID_CAP_INVVPID_ALL, VPID_CAP_INVVPID_SINGLE_RETAINING_GLOBALS,
	};

	(void)state;
	for (u64 type = 0; type < 4; type++) {
		builder_init(&builder, BUILD_LONG);
		assert_ok(insn_check_invvpid(&builder.offered, type, true));
		builder.offered.ept_vpid &= ~capability[type];
		assert_fails(insn_check_invvpid(&builder.offered, type, true), VMERR_INVALIDATION_OPERAND);
	}
	builder_init(&builder, BUILD_LONG);
	assert_fails(insn_check_invvpid(&builder.offered, 4, true), VMERR_INVALIDATION_OPERAND);
	assert_fails(insn_check_invvpid(&builder.offered, ~UINT64_C(0), true), VMERR_INVALIDATION_OPERAND);
	assert_int_equal(insn_check_invvpid(&builder.offered, 4, false).outcome, INSN_FAIL_INVALID);
}

static struct insn_result invvpid_descriptor(u64 type, u64 low, u64 high)
{
	const u64 descriptor[2] = { low, high };

	return insn_check_invvpid_descriptor(&builder.offered, type, descriptor, true);
}

static void invvpid_refuses_reserved_bits_and_vpid_0(void **state)
{
	(void)state;
	builder_init(&builder, BUILD_LONG);
	for (u64 type = 0; type < 4; type++) {
		assert_ok(invvpid_descriptor(type, 1, 0));
		assert_ok(invvpid_descriptor(type, 0xffff, 0x1000));
		assert_fails(invvpid_descriptor(type, 0x10001, 0), VMERR_INVALIDATION_OPERAND);
		assert_fails(invvpid_descriptor(type, BIT(63) | 1, 0), VMERR_INVALIDATION_OPERAND);
		if (type == 2)
			assert_ok(invvpid_descriptor(type, 0, 0));
		else
			assert_fails(invvpid_descriptor(type, 0, 0), VMERR_INVALIDATION_OPERAND);
	}
}

/* Expect: the address counts for type 0 alone, in the width that the processor has. */
static void invvpid_of_an_address_wants_it_canonical(void **state)
{
	const u64 beyond_57 = BIT(57), beyond_48 = BIT(47);

	(void)state;
	builder_init(&builder, BUILD_LONG);
	assert_fails(invvpid_descriptor(0, 1, beyond_57), VMERR_INVALIDATION_OPERAND);
	assert_ok(invvpid_descriptor(0, 1, beyond_48));
	assert_ok(invvpid_descriptor(0, 1, ~UINT64_C(0)));
	assert_ok(invvpid_descriptor(1, 1, beyond_57));
	assert_ok(invvpid_descriptor(3, 1, beyond_57));
	builder.offered.linear_address_bits = 48;
	assert_fails(invvpid_descriptor(0, 1, beyond_48), VMERR_INVALIDATION_OPERAND);
	assert_ok(invvpid_descriptor(0, 1, BITS(63, 47)));
}

/* Expect: #UD where L1 is not shown the instruction at all. SDM "INVEPT", "INVVPID". */
int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_without_a_current_vmcs_has_no_number),
		cmocka_unit_test(error_numbers_are_the_sdms),
		cmocka_unit_test(vmx_instructions_work_in_64_bit_and_in_protected_mode),
		cmocka_unit_test(outside_vmx_operation_they_are_undefined),
		cmocka_unit_test(real_v8086_and_compatibility_mode_have_no_vmx),
		cmocka_unit_test(privilege_comes_after_mode),
		cmocka_unit_test(an_invalidation_that_is_not_offered_is_undefined),
		cmocka_unit_test(vmxon_wants_cr0_and_cr4_as_the_fixed_msrs_say),
		cmocka_unit_test(vmxon_without_vmxe_is_undefined),
		cmocka_unit_test(a_region_is_an_aligned_page_within_the_width),
		cmocka_unit_test(fields_that_l1_is_offered_and_no_others),
		cmocka_unit_test(a_field_must_exist_and_be_known),
		cmocka_unit_test(an_encoding_of_more_than_32_bits_names_no_field),
		cmocka_unit_test(the_high_half_leaves_the_low_half_alone),
		cmocka_unit_test(read_only_fields_can_be_written_where_the_processor_says_so),
		cmocka_unit_test(an_unknown_field_is_unsupported_before_it_is_read_only),
		cmocka_unit_test(invept_has_two_types),
		cmocka_unit_test(invept_of_one_context_wants_an_eptp_that_vm_entry_takes),
		cmocka_unit_test(an_eptp_has_only_what_the_capabilities_allow),
		cmocka_unit_test(invvpid_has_four_types),
		cmocka_unit_test(invvpid_refuses_reserved_bits_and_vpid_0),
		cmocka_unit_test(invvpid_of_an_address_wants_it_canonical),
	};

	return cmocka_run_group_tests_name("insn", tests, NULL, NULL);
}
