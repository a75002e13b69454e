/* SPDX-License-Identifier: MIT */
/*
 * VM exits of L2 to L1 on the model: MSR lists, VMX aborts, L1's host state in its modes,
 * exceptions that L0 finds. SDM "VM Exits", "VMX Aborts".
 */
#include "tests/model/scene.h"

#include <string.h>

#include "mm/ept.h"
#include "vmx/nested/merge.h"
#include "vmx/nested/vmx_abort.h"

#define BITMAP UINT64_C(0xa0000)
#define STORE UINT64_C(0x90000)
#define LOAD UINT64_C(0x92000)

static struct msr_entry *entry_of(u64 list, u32 n)
{
	return (struct msr_entry *)l1_pointer(list) + n;
}

static void put(u64 list, u32 n, u32 index, u64 value)
{
	*entry_of(list, n) = (struct msr_entry){ .index = index, .value = value };
}

static u32 abort_indicator(void)
{
	u32 indicator;

	memcpy(&indicator, (u8 *)l1_pointer(L1_REGION(0)) + offsetof(struct vmcs12, abort_indicator), sizeof(indicator));
	return indicator;
}

static void begin_with_lists(u32 store, u32 load)
{
	scene_begin(BUILD_LONG);
	scene_set(VMCS_EXIT_MSR_STORE_ADDRESS, STORE);
	scene_set(VMCS_EXIT_MSR_STORE_COUNT, store);
	scene_set(VMCS_EXIT_MSR_LOAD_ADDRESS, LOAD);
	scene_set(VMCS_EXIT_MSR_LOAD_COUNT, load);
	scene_play();
}

/* --- the store list -------------------------------------------------------------------- */

/* Expect: what an exit switches comes from vmcs02, L1's capability MSRs are L1's, the rest is the processor's. */
static void stored_msrs_are_l2s(void **state)
{
	(void)state;
	begin_with_lists(5, 0);
	put(STORE, 0, IA32_SYSENTER_ESP, 0);
	put(STORE, 1, IA32_LSTAR, 0);
	put(STORE, 2, IA32_FEATURE_CONTROL, 0);
	put(STORE, 3, IA32_VMX_BASIC, 0);
	put(STORE, 4, IA32_PAT, 0);
	scene_enter();
	*processor_field(VMCS_GUEST_IA32_SYSENTER_ESP) = 0x4444;
	wrmsr(IA32_LSTAR, 0x5555);
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(entry_of(STORE, 0)->value, 0x4444);
	assert_int_equal(entry_of(STORE, 1)->value, 0x5555);
	assert_int_equal(entry_of(STORE, 2)->value, FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX);
	assert_int_equal(entry_of(STORE, 3)->value, model.vcpu.nested->offered.basic);
	assert_int_equal(entry_of(STORE, 4)->value, scene_of02(VMCS_GUEST_IA32_PAT));
}

/* Expect: VMX abort 1 in L1's region, and the machine is no more. */
static void an_msr_that_cannot_be_stored_is_an_abort(void **state)
{
	static const u32 bad[] = { 0x1234567, IA32_X2APIC_FIRST, IA32_VMX_PROCBASED_CTLS3 };

	(void)state;
	for (u32 i = 0; i < array_size(bad); i++) {
		begin_with_lists(2, 0);
		put(STORE, 0, IA32_LSTAR, 0);
		put(STORE, 1, bad[i], 0);
		wrmsr(IA32_APIC_BASE, rdmsr(IA32_APIC_BASE) | BIT(10));
		scene_enter();
		assert_false(model_exit_for(EXIT_CPUID, 0));
		assert_non_null(model.ended);
		assert_int_equal(abort_indicator(), ABORT_SAVE_MSRS);
	}
}

/* IA32_VMX_MISC tells L1 how many are recommended; more are not carried out. */
static void a_store_list_too_long_is_an_abort(void **state)
{
	(void)state;
	begin_with_lists(MSR_LIST_MAX + 1, 0);
	for (u32 i = 0; i <= MSR_LIST_MAX; i++)
		put(STORE, i, IA32_LSTAR, 0);
	if (l1_vmlaunch().outcome != L1_IN_L2)
		return;	/* refused before: as good */
	assert_false(model_exit_for(EXIT_CPUID, 0));
	assert_int_equal(abort_indicator(), ABORT_SAVE_MSRS);
}

/* --- the load list ----------------------------------------------------------------------- */

static void loaded_msrs_are_l1s_once(void **state)
{
	(void)state;
	begin_with_lists(0, 1);
	put(LOAD, 0, IA32_LSTAR, 0x1111);
	scene_enter();
	wrmsr(IA32_LSTAR, 0x2222);
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(processor_msr(IA32_LSTAR)->value, 0x1111);
	wrmsr(IA32_LSTAR, 0x3333);
	assert_true(model_exit_for(EXIT_CPUID, 0));
	assert_int_equal(processor_msr(IA32_LSTAR)->value, 0x3333);
}

/* Expect: VMX abort 4, found by the processor at the entry to L1. */
static void an_msr_that_cannot_be_loaded_is_an_abort(void **state)
{
	(void)state;
	begin_with_lists(0, 1);
	put(LOAD, 0, 0x1234567, 0);
	scene_enter();
	assert_false(model_exit_for(EXIT_CPUID, 0));
	assert_int_equal(abort_indicator(), ABORT_LOAD_MSRS);
}

/* --- host state ----------------------------------------------------------------------------- */

static void begin_32_bit(void)
{
	scene_begin(BUILD_32_BIT_HOST);
	scene_set(VMCS_HOST_CR3, 0x74000);
	scene_play();
	/* L1 leaves IA-32e mode: what its own entry checks compare with. */
	*processor_field(VMCS_GUEST_IA32_EFER) = 0;
	*processor_field(VMCS_ENTRY_CONTROLS) &= ~(u64)ENTRY_IA32E_MODE_GUEST;
	*processor_field(VMCS_GUEST_CS_ACCESS_RIGHTS) = 0xc09b;
	*processor_field(VMCS_GUEST_CR4) = CR4_VMXE;
	*processor_field(VMCS_GUEST_CR0) &= ~CR0_PG;
}

/* Expect: the PDPTEs at HOST_CR3 are loaded for an L1 with PAE paging. */
static void pdptes_of_l1_come_from_memory(void **state)
{
	u64 *pdpte;

	(void)state;
	begin_32_bit();
	pdpte = l1_pointer(0x74000);
	for (u64 i = 0; i < 4; i++)
		pdpte[i] = (0x75000 + i * PAGE_SIZE) | 1;
	scene_enter();
	assert_true(model_exit_for(EXIT_CPUID, 0));
	assert_false(model_in_l2());
	assert_int_equal(scene_running(VMCS_GUEST_PDPTE3), 0x78001);
	assert_int_equal(scene_running(VMCS_GUEST_CS_ACCESS_RIGHTS), 0xc09b);
}

static void a_bad_pdpte_of_l1_is_an_abort(void **state)
{
	u64 *pdpte;

	(void)state;
	begin_32_bit();
	pdpte = l1_pointer(0x74000);
	pdpte[0] = 0x75007;
	scene_enter();
	assert_false(model_exit_for(EXIT_CPUID, 0));
	assert_int_equal(abort_indicator(), ABORT_HOST_PDPTE);
}

/* L2 has entered IA-32e mode, and L1 is not to return to it. */
static void a_mode_that_l1_does_not_have_is_an_abort(void **state)
{
	(void)state;
	begin_32_bit();
	scene_enter();
	*processor_field(VMCS_GUEST_IA32_EFER) |= EFER_LMA | EFER_LME;
	assert_false(model_exit_for(EXIT_CPUID, 0));
	assert_int_equal(abort_indicator(), ABORT_ADDRESS_SPACE_SIZE);
}

/* Expect: no event reaches the processor after a VMX abort, and it takes its state without complaint. */
static void a_processor_after_an_abort_stands_still(void **state)
{
	(void)state;
	begin_with_lists(1, 0);
	put(STORE, 0, 0x1234567, 0);
	scene_enter();
	assert_false(model_exit_for(EXIT_CPUID, 0));
	model.ended = NULL;
	assert_true(processor.in_guest);
	assert_int_equal(scene_running(VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_WAIT_FOR_SIPI);
	model.cpu.nmi_pending = 1;
	assert_false(model_exit_for(EXIT_SIPI, 0x12));
	assert_int_equal(scene_running(VMCS_GUEST_ACTIVITY_STATE), ACTIVITY_WAIT_FOR_SIPI);
	assert_false(processor.injected & INTERRUPTION_VALID);
}

/* Expect: the only processor's shutdown, which the platform answers; no VM entry that the processor refuses. */
static void an_abort_without_wait_for_sipi_ends_the_machine(void **state)
{
	(void)state;
	begin_with_lists(1, 0);
	scene.hardware.misc &= ~VMX_MISC_ACTIVITY_WAIT_FOR_SIPI;
	put(STORE, 0, 0x1234567, 0);
	scene_enter();
	assert_false(model_exit_for(EXIT_CPUID, 0));
	assert_string_equal(model.ended, "VMX abort");
	assert_int_equal(abort_indicator(), ABORT_SAVE_MSRS);
}

static void performance_counters_are_loaded(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_control(WORD_EXIT, EXIT_LOAD_IA32_PERF_GLOBAL_CTRL, 0);
	scene_set(VMCS_HOST_IA32_PERF_GLOBAL_CTRL, 3);
	scene_play();
	scene_enter();
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(processor_msr(IA32_PERF_GLOBAL_CTRL)->value, 3);
}

/* An exit without VPIDs drops what L1 had cached, for in its own eyes it lives in VPID 0. */
static void exits_without_vpid_flush_l1(void **state)
{
	const struct tlb_entry entry = { .vpid = VPID01, .linear = 0x1000, .to = 1 };

	(void)state;
	for (u32 uses = 0; uses < 2; uses++) {
		scene_begin(BUILD_LONG);
		scene_control(WORD_PROC2, 0, uses ? 0 : PROC2_ENABLE_VPID);
		scene_play();
		tlb_insert(&processor.tlb, &entry);
		scene_enter();
		assert_non_null(tlb_find(&processor.tlb, VPID01, 0, 0x1000, NULL));
		scene_exit_to_l1(EXIT_CPUID, 0);
		assert_int_equal(tlb_find(&processor.tlb, VPID01, 0, 0x1000, NULL) != NULL, uses == 1);
	}
}

/* An unrestricted L2 may leave IA-32e mode while it runs: the exit says so in both VMCSs. */
static void the_mode_of_an_unrestricted_guest_is_saved(void **state)
{
	(void)state;
	scene_begin(BUILD_LONG);
	scene_control(WORD_PROC2, PROC2_UNRESTRICTED_GUEST, 0);
	scene_control(WORD_EXIT, EXIT_SAVE_IA32_EFER, 0);
	scene_play();
	scene_enter();
	*processor_field(VMCS_GUEST_IA32_EFER) = 0;
	*processor_field(VMCS_GUEST_CR0) &= ~CR0_PG;
	*processor_field(VMCS_GUEST_CS_ACCESS_RIGHTS) = 0xc09b;
	*processor_field(VMCS_GUEST_RIP) = 0x1000;
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_false(l1_get(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST);
	scene_enter();
}

/* --- exit information -------------------------------------------------------------------------- */

/* Expect: L1 reads in each field just what the processor has put there. */
static void exit_information_is_the_processors(void **state)
{
	const struct model_exit exit = {
		.reason = EXIT_EPT_VIOLATION, .qualification = 0x181, .length = 3, .instruction_information = 0x11223344,
		.linear = 0x7111, .physical = 0x123456789, .vectoring_error_code = 0x58,
		.vectoring_information = INTERRUPTION_VALID | INTERRUPTION_DELIVER_ERROR_CODE | 0x300 | VECTOR_GP,
	};

	(void)state;
	scene_begin(BUILD_LONG);
	scene_play();
	scene_enter();
	for (u32 i = 0; i < 4; i++)
		*processor_field(vmcs_fields[VMCS_INDEX_IO_RCX + i].field) = 0x5000 + i;
	assert_true(model_exit(&exit));
	assert_false(model_in_l2());
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_EPT_VIOLATION);
	assert_int_equal(l1_get(VMCS_EXIT_INSTRUCTION_LENGTH), exit.length);
	assert_int_equal(l1_get(VMCS_EXIT_INSTRUCTION_INFORMATION), exit.instruction_information);
	assert_int_equal(l1_get(VMCS_GUEST_LINEAR_ADDRESS), exit.linear);
	assert_int_equal(l1_get(VMCS_GUEST_PHYSICAL_ADDRESS), exit.physical);
	assert_int_equal(l1_get(VMCS_IDT_VECTORING_INFORMATION), exit.vectoring_information);
	assert_int_equal(l1_get(VMCS_IDT_VECTORING_ERROR_CODE), exit.vectoring_error_code);
	for (u32 i = 0; i < 4; i++)
		assert_int_equal(l1_get(vmcs_fields[VMCS_INDEX_IO_RCX + i].field), 0x5000 + i);
}

/* --- exceptions and NMIs ------------------------------------------------------------------------ */

/* An MSR access of L2's that L0 carries out, and that faults. */
static void begin_with_fault(bool intercepted)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_PROC, PROC_USE_MSR_BITMAPS, 0);
	scene_set(VMCS_MSR_BITMAP_ADDRESS, BITMAP);
	scene_set(VMCS_EXCEPTION_BITMAP, intercepted ? BIT(VECTOR_GP) : 0);
	scene_play();
	scene_enter();
	model.vcpu.regs.gpr[REG_RCX] = IA32_RTIT_FIRST;
	assert_true(model_exit(&(struct model_exit){ .reason = EXIT_RDMSR, .length = 2 }));
}

static void a_fault_that_l0_finds_is_l2s(void **state)
{
	(void)state;
	begin_with_fault(false);
	assert_true(model_in_l2());
	assert_int_equal(processor.injected, INTERRUPTION_VALID | INTERRUPTION_DELIVER_ERROR_CODE | 0x300 | VECTOR_GP);
}

static void a_fault_that_l1_intercepts_is_an_exit(void **state)
{
	(void)state;
	begin_with_fault(true);
	assert_false(model_in_l2());
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_EXCEPTION_OR_NMI);
	assert_int_equal(l1_get(VMCS_EXIT_INTERRUPTION_INFORMATION) & 0x7ff, 0x300 | VECTOR_GP);
	assert_int_equal(l1_get(VMCS_EXIT_INTERRUPTION_ERROR_CODE), 0);
	assert_int_equal(l1_get(VMCS_IDT_VECTORING_INFORMATION), 0);
}

/* Expect: NMIs are blocked after an exit by NMI, and as they were in L2 after others. */
static void nmi_blocking_after_an_exit(void **state)
{
	static const struct {
		bool by_nmi, virtual_nmis, blocked_in_l2, blocked_after;
	} cases[] = { { true, false, false, true }, { false, false, true, true }, { false, true, true, false } };

	(void)state;
	for (u32 i = 0; i < array_size(cases); i++) {
		struct model_exit exit = { .reason = EXIT_CPUID, .length = 2 };

		scene_begin(BUILD_LONG);
		scene_control(WORD_PIN, PIN_NMI_EXITING | (cases[i].virtual_nmis ? PIN_VIRTUAL_NMIS : 0), 0);
		scene_play();
		scene_enter();
		if (cases[i].blocked_in_l2)
			*processor_field(VMCS_GUEST_INTERRUPTIBILITY_STATE) = INTERRUPTIBILITY_NMI;
		if (cases[i].by_nmi)
			exit = (struct model_exit){ .reason = EXIT_EXCEPTION_OR_NMI, .interruption_information = (u32)EVENT_NMI };
		assert_true(model_exit(&exit));
		assert_false(model_in_l2());
		assert_int_equal(scene_running(VMCS_GUEST_INTERRUPTIBILITY_STATE), cases[i].blocked_after ? INTERRUPTIBILITY_NMI : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stored_msrs_are_l2s),
		cmocka_unit_test(an_msr_that_cannot_be_stored_is_an_abort),
		cmocka_unit_test(a_store_list_too_long_is_an_abort),
		cmocka_unit_test(loaded_msrs_are_l1s_once),
		cmocka_unit_test(an_msr_that_cannot_be_loaded_is_an_abort),
		cmocka_unit_test(pdptes_of_l1_come_from_memory),
		cmocka_unit_test(a_bad_pdpte_of_l1_is_an_abort),
		cmocka_unit_test(a_mode_that_l1_does_not_have_is_an_abort),
		cmocka_unit_test(a_processor_after_an_abort_stands_still),
		cmocka_unit_test(an_abort_without_wait_for_sipi_ends_the_machine),
		cmocka_unit_test(performance_counters_are_loaded),
		cmocka_unit_test(exits_without_vpid_flush_l1),
		cmocka_unit_test(the_mode_of_an_unrestricted_guest_is_saved),
		cmocka_unit_test(exit_information_is_the_processors),
		cmocka_unit_test(a_fault_that_l0_finds_is_l2s),
		cmocka_unit_test(a_fault_that_l1_intercepts_is_an_exit),
		cmocka_unit_test(nmi_blocking_after_an_exit),
	};

	return SCENE_RUN_BOTH("path_exit", tests);
}
