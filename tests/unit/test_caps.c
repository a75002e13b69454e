/* SPDX-License-Identifier: MIT */
/*
 * Capabilities: decoding hardware's MSRs, L0's own controls, and what L1 is
 * shown of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86.h"
#include "tests/unit/vmcs12_builder.h"
#include "vmx/nested/caps12.h"

/* A processor's MSRs, and which were asked for. */
struct fake_msrs {
	u64 value[IA32_VMX_VMFUNC - IA32_VMX_BASIC + 1];
	u32 asked[IA32_VMX_VMFUNC - IA32_VMX_BASIC + 1];
};

static u64 fake_rdmsr(void *context, u32 msr)
{
	struct fake_msrs *msrs = context;

	assert_in_range(msr, IA32_VMX_BASIC, IA32_VMX_VMFUNC);
	msrs->asked[msr - IA32_VMX_BASIC]++;
	return msrs->value[msr - IA32_VMX_BASIC];
}

static void set_msr(struct fake_msrs *msrs, u32 msr, u64 value)
{
	msrs->value[msr - IA32_VMX_BASIC] = value;
}

static u32 asked(const struct fake_msrs *msrs, u32 msr)
{
	return msrs->asked[msr - IA32_VMX_BASIC];
}

static void the_true_msrs_are_read_where_they_exist(void **state)
{
	struct fake_msrs msrs = { .value = { 0 } };
	struct vmx_caps caps = { .basic = 0 };

	(void)state;
	set_msr(&msrs, IA32_VMX_BASIC, VMX_BASIC_TRUE_CONTROLS);
	set_msr(&msrs, IA32_VMX_PROCBASED_CTLS, UINT64_C(0x1111111122222222));
	set_msr(&msrs, IA32_VMX_TRUE_PROCBASED_CTLS, UINT64_C(0x0000000f00000003));
	caps_decode(&caps, fake_rdmsr, &msrs);
	assert_int_equal(caps.control[WORD_PROC].must_be_1, 3);
	assert_int_equal(caps.control[WORD_PROC].may_be_1, 0xf);
	assert_int_equal(asked(&msrs, IA32_VMX_PROCBASED_CTLS), 0);
}

static void without_true_msrs_the_plain_ones_are_read(void **state)
{
	struct fake_msrs msrs = { .value = { 0 } };
	struct vmx_caps caps = { .basic = 0 };

	(void)state;
	set_msr(&msrs, IA32_VMX_ENTRY_CTLS, UINT64_C(0x0000ffff000011ff));
	caps_decode(&caps, fake_rdmsr, &msrs);
	assert_int_equal(caps.control[WORD_ENTRY].must_be_1, 0x11ff);
	for (u32 msr = IA32_VMX_TRUE_PINBASED_CTLS; msr <= IA32_VMX_TRUE_ENTRY_CTLS; msr++)
		assert_int_equal(asked(&msrs, msr), 0);
}

/* Expect: RDMSR of the three is not tried, for it would fault. */
static void msrs_that_do_not_exist_are_not_read(void **state)
{
	struct fake_msrs msrs = { .value = { 0 } };
	struct vmx_caps caps = { .ept_vpid = 7, .vmfunc = 7 };

	(void)state;
	caps_decode(&caps, fake_rdmsr, &msrs);
	assert_int_equal(asked(&msrs, IA32_VMX_PROCBASED_CTLS2), 0);
	assert_int_equal(asked(&msrs, IA32_VMX_EPT_VPID_CAP), 0);
	assert_int_equal(asked(&msrs, IA32_VMX_VMFUNC), 0);
	assert_true(caps.ept_vpid == 0 && caps.vmfunc == 0);
}

/* Expect: each of the three is read once its control may be 1. */
static void msrs_of_a_whole_processor_are_all_read(void **state)
{
	struct fake_msrs msrs = { .value = { 0 } };
	struct vmx_caps caps = { .basic = 0 };

	(void)state;
	set_msr(&msrs, IA32_VMX_PROCBASED_CTLS, UINT64_C(0xffffffff00000000));
	set_msr(&msrs, IA32_VMX_PROCBASED_CTLS2, UINT64_C(0x0000222200000000) | (u64)PROC2_ENABLE_EPT << 32);
	set_msr(&msrs, IA32_VMX_EPT_VPID_CAP, 0x123456789);
	set_msr(&msrs, IA32_VMX_VMFUNC, 1);
	caps_decode(&caps, fake_rdmsr, &msrs);
	assert_int_equal(caps.control[WORD_PROC2].may_be_1, 0x2222);
	assert_true(caps.ept_vpid == 0x123456789 && caps.vmfunc == 1);
	assert_int_equal(asked(&msrs, IA32_VMX_PROCBASED_CTLS2), 1);
}

/* Expect: EPT and VPIDs share a capability MSR, which is there with either. */
static void the_msr_of_ept_and_vpid_is_read_for_either(void **state)
{
	static const u32 controls_with_it[] = { PROC2_ENABLE_EPT, PROC2_ENABLE_VPID };

	(void)state;
	for (u32 i = 0; i < array_size(controls_with_it); i++) {
		struct fake_msrs msrs = { .value = { 0 } };
		struct vmx_caps caps = { .basic = 0 };

		set_msr(&msrs, IA32_VMX_PROCBASED_CTLS, UINT64_C(0xffffffff00000000));
		set_msr(&msrs, IA32_VMX_PROCBASED_CTLS2, (u64)controls_with_it[i] << 32);
		set_msr(&msrs, IA32_VMX_EPT_VPID_CAP, 0x4000);
		caps_decode(&caps, fake_rdmsr, &msrs);
		assert_true(caps.ept_vpid == 0x4000);
	}
}

static void what_l0_must_have_is_named_when_missing(void **state)
{
	struct vmx_caps hardware;

	(void)state;
	builder_hardware(&hardware);
	assert_null(caps_missing_for_l0(&hardware));
	hardware.control[WORD_PROC2].may_be_1 &= ~PROC2_UNRESTRICTED_GUEST;
	assert_non_null(caps_missing_for_l0(&hardware));
	assert_string_equal(caps_missing_for_l0(&hardware)->name, "PROC2_UNRESTRICTED_GUEST");
}

static void l0_controls_obey_the_processor(void **state)
{
	struct vmx_caps hardware;

	(void)state;
	builder_hardware(&hardware);
	hardware.control[WORD_PROC2].may_be_1 &= ~(PROC2_VMCS_SHADOWING | PROC2_ENABLE_XSAVES);
	for (u32 word = 0; word < CONTROL_WORD_COUNT; word++) {
		u32 value = caps_l0_controls(&hardware, word);

		assert_int_equal(value & ~hardware.control[word].may_be_1, 0);
		assert_int_equal(~value & hardware.control[word].must_be_1, 0);
	}
	assert_int_equal(caps_l0_controls(&hardware, WORD_PROC2),
			 PROC2_ENABLE_EPT | PROC2_UNRESTRICTED_GUEST | PROC2_ENABLE_RDTSCP | PROC2_ENABLE_VPID |
				 PROC2_ENABLE_INVPCID | PROC2_ENABLE_USER_WAIT_AND_PAUSE);
}

static void l1_is_never_shown_more_than_hardware_has(void **state)
{
	struct vmx_caps hardware, offered;

	(void)state;
	builder_hardware(&hardware);
	hardware.control[WORD_PROC].may_be_1 &= ~PROC_MONITOR_TRAP_FLAG;
	caps12_derive(&offered, &hardware);
	for (u32 word = 0; word < CONTROL_WORD_COUNT; word++) {
		assert_int_equal(offered.control[word].may_be_1 & ~hardware.control[word].may_be_1, 0);
		assert_int_equal(offered.control[word].must_be_1 & ~offered.control[word].may_be_1, 0);
	}
	for (u32 i = 0; i < controls_count; i++)
		if (!controls[i].offered)
			assert_false(caps_allow(&offered, controls[i].word, UINT32_C(1) << controls[i].bit));
}

static void a_control_goes_with_the_one_it_needs(void **state)
{
	struct vmx_caps hardware, offered;

	(void)state;
	builder_hardware(&hardware);
	hardware.control[WORD_PROC].may_be_1 &= ~PROC_USE_TPR_SHADOW;
	hardware.control[WORD_PIN].may_be_1 &= ~PIN_NMI_EXITING;
	caps12_derive(&offered, &hardware);
	assert_false(caps_allow(&offered, WORD_PROC2, PROC2_VIRTUAL_INTERRUPT_DELIVERY));
	assert_false(caps_allow(&offered, WORD_PIN, PIN_PROCESS_POSTED_INTERRUPTS));
	assert_false(caps_allow(&offered, WORD_PIN, PIN_VIRTUAL_NMIS));
	assert_false(caps_allow(&offered, WORD_PROC, PROC_NMI_WINDOW_EXITING));
	assert_true(caps_allow(&offered, WORD_PROC2, PROC2_VIRTUALIZE_APIC_ACCESSES));
}

/* Expect: else an exit to L1 would write fields and set a control that vmcs01 does not have. */
static void cet_state_is_loaded_at_exits_only_where_entries_can(void **state)
{
	struct vmx_caps hardware, offered;

	(void)state;
	builder_hardware(&hardware);
	hardware.control[WORD_EXIT].may_be_1 |= EXIT_LOAD_CET_STATE;
	hardware.control[WORD_ENTRY].may_be_1 |= ENTRY_LOAD_CET_STATE;
	caps12_derive(&offered, &hardware);
	assert_true(caps_allow(&offered, WORD_EXIT, EXIT_LOAD_CET_STATE));
	hardware.control[WORD_ENTRY].may_be_1 &= ~ENTRY_LOAD_CET_STATE;
	caps12_derive(&offered, &hardware);
	assert_false(caps_allow(&offered, WORD_EXIT, EXIT_LOAD_CET_STATE));
}

static void without_ept_nothing_of_it_is_shown(void **state)
{
	struct vmx_caps hardware, offered;

	(void)state;
	builder_hardware(&hardware);
	hardware.ept_vpid &= ~(u64)EPT_CAP_WRITE_BACK;
	caps12_derive(&offered, &hardware);
	assert_false(caps_allow(&offered, WORD_PROC2, PROC2_ENABLE_EPT));
	assert_false(caps_allow(&offered, WORD_PROC2, PROC2_UNRESTRICTED_GUEST));
	assert_int_equal(offered.ept_vpid & UINT32_MAX, 0);
	assert_true((offered.ept_vpid & VPID_CAP_INVVPID) != 0);
}

/* Expect: exit information could not be put into a shadow VMCS. */
static void without_vmwrite_to_any_field_no_shadowing_is_shown(void **state)
{
	struct vmx_caps hardware, offered;

	(void)state;
	builder_hardware(&hardware);
	caps12_derive(&offered, &hardware);
	assert_true(caps_allow(&offered, WORD_PROC2, PROC2_VMCS_SHADOWING));
	assert_true(vmcs_field_exists(&vmcs_fields[VMCS_INDEX_VMREAD_BITMAP_ADDRESS], &offered));
	hardware.misc &= ~VMX_MISC_VMWRITE_ANY_FIELD;
	caps12_derive(&offered, &hardware);
	assert_false(caps_allow(&offered, WORD_PROC2, PROC2_VMCS_SHADOWING));
	assert_false(vmcs_field_exists(&vmcs_fields[VMCS_INDEX_VMREAD_BITMAP_ADDRESS], &offered));
}

static void without_invvpid_no_vpid_is_shown(void **state)
{
	struct vmx_caps hardware, offered;

	(void)state;
	builder_hardware(&hardware);
	hardware.ept_vpid &= ~(u64)VPID_CAP_INVVPID;
	caps12_derive(&offered, &hardware);
	assert_false(caps_allow(&offered, WORD_PROC2, PROC2_ENABLE_VPID));
	assert_int_equal(offered.ept_vpid >> 32, 0);
	assert_true(caps_allow(&offered, WORD_PROC2, PROC2_ENABLE_EPT));
}

static void the_ept_capabilities_are_those_that_ept02_has(void **state)
{
	struct vmx_caps hardware, offered;

	(void)state;
	builder_hardware(&hardware);
	hardware.ept_vpid |= EPT_CAP_5_LEVEL;
	caps12_derive(&offered, &hardware);
	assert_true(offered.ept_vpid == (hardware.ept_vpid & ~(u64)BIT(23)));
	assert_true(caps_allow(&offered, WORD_PROC2, PROC2_ENABLE_PML));
	hardware.ept_vpid &= ~(u64)(EPT_CAP_1G | EPT_CAP_EXECUTE_ONLY | EPT_CAP_ACCESSED_DIRTY | EPT_CAP_5_LEVEL);
	caps12_derive(&offered, &hardware);
	/* No log without dirty flags. */
	assert_false(caps_allow(&offered, WORD_PROC2, PROC2_ENABLE_PML));
	assert_int_equal(offered.ept_vpid & EPT_CAP_5_LEVEL, 0);
	assert_int_equal(offered.ept_vpid & (EPT_CAP_1G | EPT_CAP_EXECUTE_ONLY | EPT_CAP_ACCESSED_DIRTY), 0);
}

/* Rows of boot/hide.def by their word. */
static u64 row(const char *word)
{
	static const char *const words[] = {
#define H(text, control_word, controls, capabilities) text,
#include "boot/hide.def"
#undef H
	};

	for (u32 i = 0; i < array_size(words); i++)
		if (strcmp(words[i], word) == 0)
			return BIT(i);
	fail_msg("no row \"%s\"", word);
	return 0;
}

static void derive_without(struct vmx_caps *offered, u64 hide)
{
	struct vmx_caps hardware;

	builder_hardware(&hardware);
	hardware.ept_vpid |= EPT_CAP_5_LEVEL;
	caps12_hide(&hardware, hide);
	caps12_derive(offered, &hardware);
}

/* Expect: each row takes something away from what L1 is offered, and never a control that must be 1. */
static void every_feature_that_can_be_hidden_is_offered_without(void **state)
{
	struct vmx_caps whole, offered;
	u64 rows = 0;

	(void)state;
	derive_without(&whole, 0);
#define H(text, control_word, controls, capabilities) rows++;
#include "boot/hide.def"
#undef H
	for (u64 i = 0; i < rows; i++) {
		bool less = false;

		derive_without(&offered, BIT(i));
		for (u32 word = 0; word < CONTROL_WORD_COUNT; word++) {
			less |= offered.control[word].may_be_1 != whole.control[word].may_be_1;
			assert_int_equal(offered.control[word].may_be_1 & ~whole.control[word].may_be_1, 0);
			assert_int_equal(offered.control[word].must_be_1 & ~offered.control[word].may_be_1, 0);
		}
		less |= offered.ept_vpid != whole.ept_vpid || caps12_has_vmx(&offered) != caps12_has_vmx(&whole);
		assert_true((offered.ept_vpid & ~whole.ept_vpid) == 0);
		if (!less)
			fail_msg("row %lu hides nothing", (unsigned long)i);
	}
}

/* Expect: nothing that needs EPT, none of its capabilities and fields; VPIDs stay. */
static void with_ept_hidden_all_that_needs_it_is(void **state)
{
	static const u32 needing[] = { PROC2_ENABLE_EPT, PROC2_UNRESTRICTED_GUEST, PROC2_ENABLE_PML, PROC2_MODE_BASED_EXECUTE,
				       PROC2_SUB_PAGE_WRITE_PERMISSIONS, PROC2_ENABLE_VM_FUNCTIONS, PROC2_EPT_VIOLATION_VE };
	struct vmx_caps offered;
	u64 value;

	(void)state;
	derive_without(&offered, row("ept"));
	for (u32 i = 0; i < array_size(needing); i++)
		assert_false(caps_allow(&offered, WORD_PROC2, needing[i]));
	assert_int_equal(offered.ept_vpid & UINT32_MAX, 0);
	assert_true(offered.ept_vpid & VPID_CAP_INVVPID);
	assert_false(vmcs_field_exists(&vmcs_fields[VMCS_INDEX_EPT_POINTER], &offered));
	assert_false(caps12_rdmsr(&offered, IA32_VMX_VMFUNC, &value));
	derive_without(&offered, row("ept") | row("vpid"));
	assert_false(caps12_rdmsr(&offered, IA32_VMX_EPT_VPID_CAP, &value));
}

/* Expect: CR4.VMXE is reserved, no capability MSR exists, and IA32_FEATURE_CONTROL is locked without VMX. */
static void a_processor_without_vmx_has_nothing_of_it(void **state)
{
	struct vmx_caps offered;
	u64 value;

	(void)state;
	derive_without(&offered, 0);
	assert_true(caps12_has_vmx(&offered));
	assert_true(caps12_rdmsr(&offered, IA32_FEATURE_CONTROL, &value));
	assert_int_equal(value, FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX);
	derive_without(&offered, row("vmx"));
	assert_false(caps12_has_vmx(&offered));
	assert_int_equal(offered.cr4_fixed1 & CR4_VMXE, 0);
	for (u32 msr = IA32_VMX_BASIC; msr <= IA32_VMX_EXIT_CTLS2; msr++)
		assert_false(caps12_rdmsr(&offered, msr, &value));
	assert_true(caps12_rdmsr(&offered, IA32_FEATURE_CONTROL, &value));
	assert_int_equal(value, FEATURE_CONTROL_LOCK);
}

/* Expect: what each of them takes along, and no more than that. */
static void what_needs_a_hidden_feature_goes_with_it(void **state)
{
	struct vmx_caps offered;

	(void)state;
	derive_without(&offered, row("interrupt-delivery"));
	assert_false(caps_allow(&offered, WORD_PIN, PIN_PROCESS_POSTED_INTERRUPTS));
	assert_true(caps_allow(&offered, WORD_PROC2, PROC2_APIC_REGISTER_VIRTUALIZATION | PROC2_VIRTUALIZE_X2APIC_MODE));
	derive_without(&offered, row("virtual-nmis"));
	assert_false(caps_allow(&offered, WORD_PROC, PROC_NMI_WINDOW_EXITING));
	derive_without(&offered, row("preemption-timer"));
	assert_false(caps_allow(&offered, WORD_EXIT, EXIT_SAVE_PREEMPTION_TIMER));
	derive_without(&offered, row("ept-accessed-dirty"));
	assert_false(caps_allow(&offered, WORD_PROC2, PROC2_ENABLE_PML));
	assert_int_equal(offered.ept_vpid & EPT_CAP_ACCESSED_DIRTY, 0);
	derive_without(&offered, row("ept-2m"));
	assert_int_equal(offered.ept_vpid & (EPT_CAP_2M | EPT_CAP_1G), 0);
	assert_true(caps_allow(&offered, WORD_PROC2, PROC2_ENABLE_EPT | PROC2_ENABLE_PML));
	derive_without(&offered, row("shadowing"));
	assert_false(vmcs_field_exists(&vmcs_fields[VMCS_INDEX_VMWRITE_BITMAP_ADDRESS], &offered));
}

static u64 read(const struct vmx_caps *offered, u32 msr)
{
	u64 value = 0;

	assert_true(caps12_rdmsr(offered, msr, &value));
	return value;
}

static void basic_shows_our_revision_and_no_dual_monitor(void **state)
{
	struct vmx_caps hardware, offered;
	u64 basic;

	(void)state;
	builder_hardware(&hardware);
	caps12_derive(&offered, &hardware);
	basic = read(&offered, IA32_VMX_BASIC);
	assert_int_equal(field_get(basic, VMX_BASIC_REVISION), VMCS12_REVISION);
	assert_int_equal(field_get(basic, VMX_BASIC_REGION_SIZE), sizeof(struct vmcs12));
	assert_int_equal(field_get(basic, VMX_BASIC_MEMORY_TYPE), 6);
	assert_int_equal(basic & (VMX_BASIC_DUAL_MONITOR | VMX_BASIC_32_BIT_ADDRESSES | BIT(31)), 0);
	assert_true((basic & VMX_BASIC_TRUE_CONTROLS) != 0);
}

static void fixed_bits_are_the_processors(void **state)
{
	struct vmx_caps hardware, offered;

	(void)state;
	builder_hardware(&hardware);
	caps12_derive(&offered, &hardware);
	assert_true(read(&offered, IA32_VMX_CR0_FIXED0) == hardware.cr0_fixed0);
	assert_true(read(&offered, IA32_VMX_CR0_FIXED1) == hardware.cr0_fixed1);
	assert_true(read(&offered, IA32_VMX_CR4_FIXED0) == hardware.cr4_fixed0);
	assert_true(read(&offered, IA32_VMX_CR4_FIXED1) == hardware.cr4_fixed1);
}

static void misc_hides_what_is_not_virtualized(void **state)
{
	struct vmx_caps hardware, offered;
	u64 misc;

	(void)state;
	builder_hardware(&hardware);
	hardware.misc |= field_put(3, VMX_MISC_MSR_LIST_SIZE) | field_put(16, VMX_MISC_CR3_TARGETS) | BITS(63, 32);
	caps12_derive(&offered, &hardware);
	misc = read(&offered, IA32_VMX_MISC);
	assert_int_equal(misc & (VMX_MISC_PT_IN_VMX | BIT(15) | BIT(28)), 0);
	assert_int_equal(misc >> 32, 0);
	assert_int_equal(field_get(misc, VMX_MISC_CR3_TARGETS), 4);
	assert_int_equal(caps_msr_list_limit(&offered), 512);
	assert_int_equal(caps_msr_list_limit(&hardware), 2048);
	assert_int_equal(misc & VMX_MISC_TIMER_SHIFT, hardware.misc & VMX_MISC_TIMER_SHIFT);
}

/* Expect: all that hardware has of what is virtualized, bit by bit. */
static void misc_and_basic_keep_what_is_virtualized(void **state)
{
	const u64 kept = 5 | VMX_MISC_STORES_LMA | VMX_MISC_ACTIVITY_HLT | VMX_MISC_ACTIVITY_SHUTDOWN |
			 VMX_MISC_ACTIVITY_WAIT_FOR_SIPI | VMX_MISC_VMWRITE_ANY_FIELD | VMX_MISC_INJECT_ZERO_LENGTH;
	struct vmx_caps hardware, offered;

	(void)state;
	builder_hardware(&hardware);
	caps12_derive(&offered, &hardware);
	assert_true(read(&offered, IA32_VMX_MISC) == (kept | field_put(4, VMX_MISC_CR3_TARGETS)));
	hardware.misc = field_put(2, VMX_MISC_CR3_TARGETS);
	hardware.basic |= VMX_BASIC_ANY_ERROR_CODE;
	caps12_derive(&offered, &hardware);
	assert_true(read(&offered, IA32_VMX_MISC) == field_put(2, VMX_MISC_CR3_TARGETS));
	assert_true(read(&offered, IA32_VMX_BASIC) & VMX_BASIC_ANY_ERROR_CODE);
	assert_true(read(&offered, IA32_VMX_BASIC) & VMX_BASIC_INS_OUTS_INFORMATION);
}

static void control_msrs_have_what_must_be_below_what_may_be(void **state)
{
	struct vmx_caps hardware, offered;

	(void)state;
	builder_hardware(&hardware);
	caps12_derive(&offered, &hardware);
	assert_true(read(&offered, IA32_VMX_TRUE_PINBASED_CTLS) == (0x16 | UINT64_C(0xff) << 32));
	assert_true(read(&offered, IA32_VMX_PINBASED_CTLS) == (0x16 | UINT64_C(0xff) << 32));
	assert_true(read(&offered, IA32_VMX_PROCBASED_CTLS2) == (u64)offered.control[WORD_PROC2].may_be_1 << 32);
}

/* Expect: the MSR exists with EPT alone, and with VPID alone. */
static void the_ept_vpid_msr_goes_with_either(void **state)
{
	struct vmx_caps hardware, offered;

	(void)state;
	builder_hardware(&hardware);
	hardware.ept_vpid &= ~(u64)VPID_CAP_INVVPID;
	caps12_derive(&offered, &hardware);
	assert_true(read(&offered, IA32_VMX_EPT_VPID_CAP) != 0);
	builder_hardware(&hardware);
	hardware.ept_vpid &= ~(u64)EPT_CAP_WRITE_BACK;
	caps12_derive(&offered, &hardware);
	assert_true(read(&offered, IA32_VMX_EPT_VPID_CAP) != 0);
}

/* Expect: in the plain MSRs every default1 control must be 1; in the TRUE ones as hardware has it. */
static void plain_msrs_insist_on_the_default1_class(void **state)
{
	static const struct { u32 plain, exact, default1; } pairs[] = {
		{ IA32_VMX_PINBASED_CTLS, IA32_VMX_TRUE_PINBASED_CTLS, 0x16 },
		{ IA32_VMX_PROCBASED_CTLS, IA32_VMX_TRUE_PROCBASED_CTLS, 0x0401e172 },
		{ IA32_VMX_EXIT_CTLS, IA32_VMX_TRUE_EXIT_CTLS, 0x36dff },
		{ IA32_VMX_ENTRY_CTLS, IA32_VMX_TRUE_ENTRY_CTLS, 0x11ff },
	};
	struct vmx_caps hardware, offered;

	(void)state;
	builder_hardware(&hardware);
	caps12_derive(&offered, &hardware);
	for (u32 i = 0; i < array_size(pairs); i++) {
		u64 both = pairs[i].default1 | (u64)pairs[i].default1 << 32;

		assert_true(read(&offered, pairs[i].plain) == (read(&offered, pairs[i].exact) | both));
	}
	assert_int_equal((u32)read(&offered, IA32_VMX_TRUE_PROCBASED_CTLS) & (PROC_CR3_LOAD_EXITING | PROC_CR3_STORE_EXITING), 0);
}

static void msrs_of_controls_that_are_not_offered_do_not_exist(void **state)
{
	struct vmx_caps hardware, offered;
	u64 value;

	(void)state;
	builder_hardware(&hardware);
	caps12_derive(&offered, &hardware);
	assert_true(caps12_rdmsr(&offered, IA32_VMX_PROCBASED_CTLS2, &value));
	assert_true(caps12_rdmsr(&offered, IA32_VMX_EPT_VPID_CAP, &value));
	assert_true(caps12_rdmsr(&offered, IA32_VMX_VMFUNC, &value));
	assert_false(caps12_rdmsr(&offered, IA32_VMX_PROCBASED_CTLS3, &value));
	assert_false(caps12_rdmsr(&offered, IA32_VMX_EXIT_CTLS2, &value));
	assert_false(caps12_rdmsr(&offered, IA32_VMX_BASIC - 1, &value));

	hardware.control[WORD_PROC].may_be_1 &= ~PROC_ACTIVATE_SECONDARY_CONTROLS;
	caps12_derive(&offered, &hardware);
	assert_false(caps12_rdmsr(&offered, IA32_VMX_PROCBASED_CTLS2, &value));
	assert_false(caps12_rdmsr(&offered, IA32_VMX_EPT_VPID_CAP, &value));
	assert_false(caps12_rdmsr(&offered, IA32_VMX_VMFUNC, &value));
}

/* Expect: EPTP switching, and no function that Testudo does not know; neither it nor #VE without EPT. */
static void vm_functions_are_those_of_hardware_that_l0_knows(void **state)
{
	struct vmx_caps hardware, offered;
	u64 value;

	(void)state;
	builder_hardware(&hardware);
	hardware.vmfunc = UINT64_MAX;
	caps12_derive(&offered, &hardware);
	assert_int_equal(read(&offered, IA32_VMX_VMFUNC), 1);
	hardware.vmfunc = 2;
	caps12_derive(&offered, &hardware);
	assert_int_equal(read(&offered, IA32_VMX_VMFUNC), 0);
	hardware.vmfunc = 1;
	hardware.ept_vpid &= ~(u64)EPT_CAP_WRITE_BACK;
	caps12_derive(&offered, &hardware);
	assert_false(caps12_rdmsr(&offered, IA32_VMX_VMFUNC, &value));
	assert_false(caps_allow(&offered, WORD_PROC2, PROC2_EPT_VIOLATION_VE));
}

/* Expect: the highest index of a field that L1 can VMREAD, in bits 9:1. */
static void vmcs_enum_is_the_highest_index_that_exists(void **state)
{
	struct vmx_caps hardware, offered;
	u64 highest = 0;

	(void)state;
	builder_hardware(&hardware);
	caps12_derive(&offered, &hardware);
	for (u32 i = 0; i < VMCS_FIELD_COUNT; i++) {
		u64 index = vmcs_fields[i].field.encoding & 0x3fe;

		if (vmcs_field_exists(&vmcs_fields[i], &offered) && index > highest)
			highest = index;
	}
	assert_true(read(&offered, IA32_VMX_VMCS_ENUM) == highest);
	assert_int_equal(highest, VMCS_ENCLV_EXITING_BITMAP.encoding & 0x3fe);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_true_msrs_are_read_where_they_exist),
		cmocka_unit_test(without_true_msrs_the_plain_ones_are_read),
		cmocka_unit_test(msrs_that_do_not_exist_are_not_read),
		cmocka_unit_test(msrs_of_a_whole_processor_are_all_read),
		cmocka_unit_test(the_msr_of_ept_and_vpid_is_read_for_either),
		cmocka_unit_test(what_l0_must_have_is_named_when_missing),
		cmocka_unit_test(l0_controls_obey_the_processor),
		cmocka_unit_test(l1_is_never_shown_more_than_hardware_has),
		cmocka_unit_test(a_control_goes_with_the_one_it_needs),
		cmocka_unit_test(cet_state_is_loaded_at_exits_only_where_entries_can),
		cmocka_unit_test(without_ept_nothing_of_it_is_shown),
		cmocka_unit_test(without_vmwrite_to_any_field_no_shadowing_is_shown),
		cmocka_unit_test(without_invvpid_no_vpid_is_shown),
		cmocka_unit_test(every_feature_that_can_be_hidden_is_offered_without),
		cmocka_unit_test(with_ept_hidden_all_that_needs_it_is),
		cmocka_unit_test(a_processor_without_vmx_has_nothing_of_it),
		cmocka_unit_test(what_needs_a_hidden_feature_goes_with_it),
		cmocka_unit_test(the_ept_capabilities_are_those_that_ept02_has),
		cmocka_unit_test(basic_shows_our_revision_and_no_dual_monitor),
		cmocka_unit_test(fixed_bits_are_the_processors),
		cmocka_unit_test(misc_hides_what_is_not_virtualized),
		cmocka_unit_test(misc_and_basic_keep_what_is_virtualized),
		cmocka_unit_test(control_msrs_have_what_must_be_below_what_may_be),
		cmocka_unit_test(the_ept_vpid_msr_goes_with_either),
		cmocka_unit_test(plain_msrs_insist_on_the_default1_class),
		cmocka_unit_test(msrs_of_controls_that_are_not_offered_do_not_exist),
		cmocka_unit_test(vm_functions_are_those_of_hardware_that_l0_knows),
		cmocka_unit_test(vmcs_enum_is_the_highest_index_that_exists),
	};

	return cmocka_run_group_tests_name("caps", tests, NULL, NULL);
}
