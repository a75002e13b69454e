/* SPDX-License-Identifier: MIT */
/* Sequences after which quick entries and exits could answer other than the long way. */
#include "tests/model/scene.h"
#include "vmx/nested/ept02.h"
#include "vmx/nested/quick_switch.h"

#include <string.h>

#define OTHER_EPT UINT64_C(0x50000)
#define LIST UINT64_C(0xb0000)
#define EPTP12(table) ((table) | 6 | 3 << 3)

static void prepare(void)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_EXIT, EXIT_SAVE_DEBUG_CONTROLS | EXIT_SAVE_IA32_EFER | EXIT_LOAD_IA32_EFER | EXIT_SAVE_IA32_PAT |
		      EXIT_LOAD_IA32_PAT, 0);
	scene_control(WORD_ENTRY, ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_IA32_EFER | ENTRY_LOAD_IA32_PAT, 0);
	scene_control(WORD_PROC2, PROC2_ENABLE_VPID, 0);
	scene_set(VMCS_VPID, 5);
	scene_set(VMCS_EPT_POINTER, EPTP12(UINT64_C(0x40000)));
}

static void map(u64 table)
{
	*(u64 *)l1_pointer(table) = (table + 0x1000) | 7;
	*(u64 *)l1_pointer(table + 0x1000) = (table + 0x2000) | 7;
	*(u64 *)l1_pointer(table + 0x2000) = (table + 0x3000) | 7;
	((u64 *)l1_pointer(table + 0x3000))[9] = 0x9000 | 7 | 6 << 3;
}

static void begin(void)
{
	scene_play();
	map(0x40000);
	for (u64 round = 0; round < 5; round++) {
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
		l1_set(VMCS_GUEST_RIP, l1_get(VMCS_GUEST_RIP) + 2);
		l1_set(VMCS_GUEST_RSP, 0x1000 + round);
	}
	scene_enter();
	assert_true(model.vcpu.nested->current->quick.entered);
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_true(model.vcpu.nested->current->deferred);
}

/* A: L0 reinjects X; L1 injects the same X later. */
static void an_injection_like_l0s_own_is_not_lost(void **state)
{
	const u64 page_fault = INTERRUPTION_VALID | INTERRUPTION_DELIVER_ERROR_CODE | 0x300 | VECTOR_PF;
	const struct model_exit miss = { .reason = EXIT_EPT_VIOLATION, .qualification = 0x181, .physical = 0x9000,
					 .vectoring_information = (u32)page_fault };

	(void)state;
	prepare();
	begin();
	scene_enter();
	assert_true(model_exit(&miss));
	assert_true(model_in_l2());
	assert_int_equal(scene_running(VMCS_ENTRY_INTERRUPTION_INFORMATION), page_fault);
	scene_exit_to_l1(EXIT_CPUID, 0);
	l1_set(VMCS_ENTRY_INTERRUPTION_INFORMATION, page_fault);
	l1_set(VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0);
	scene_enter();
	assert_int_equal(scene_running(VMCS_ENTRY_INTERRUPTION_INFORMATION), page_fault);
}

/* A2: L1 injects X; an access becomes an intercepted #VE by the quick way; L1 injects X again. */
static void an_injection_before_a_virtualization_exception_is_not_lost(void **state)
{
	const u64 page_fault = INTERRUPTION_VALID | INTERRUPTION_DELIVER_ERROR_CODE | 0x300 | VECTOR_PF;
	const struct model_exit miss = { .reason = EXIT_EPT_VIOLATION, .qualification = 0x181, .physical = 0xa000 };

	(void)state;
	prepare();
	scene_control(WORD_PROC2, PROC2_EPT_VIOLATION_VE, 0);
	scene_set(VMCS_VIRTUALIZATION_EXCEPTION_ADDRESS, 0xb1000);
	scene_set(VMCS_EXCEPTION_BITMAP, BIT(VECTOR_VE));
	begin();
	for (u32 round = 0; round < 4; round++) {
		memset(l1_pointer(0xb1000), 0, 64);
		l1_set(VMCS_ENTRY_INTERRUPTION_INFORMATION, page_fault);
		l1_set(VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0);
		scene_enter();
		if (scene_running(VMCS_ENTRY_INTERRUPTION_INFORMATION) != page_fault)
			fail_msg("lost in round %u", round);
		assert_true(model_exit(&miss));
		assert_false(model_in_l2());
		assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_EXCEPTION_OR_NMI);
		l1_set(VMCS_ENTRY_INTERRUPTION_INFORMATION, 0);
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
	}
	/* Learned by now: entered the quick way, and then not. */
	l1_set(VMCS_ENTRY_INTERRUPTION_INFORMATION, page_fault);
	memset(l1_pointer(0xb1000), 0, 64);
	scene_enter();
	assert_true(model.vcpu.nested->current->quick.entered);
	assert_true(model_exit(&miss));
	assert_false(model_in_l2());
	l1_set(VMCS_HOST_RSP, 0x12340);
	l1_set(VMCS_ENTRY_INTERRUPTION_INFORMATION, page_fault);
	scene_enter();
	assert_int_equal(scene_running(VMCS_ENTRY_INTERRUPTION_INFORMATION), page_fault);
}

/* E: exits save an EFER that entries do not load; the event that L1 injects is refused. */
static void what_l2_left_in_efer_outlives_a_refusal(void **state)
{
	u64 l1, l2;

	(void)state;
	prepare();
	scene_control(WORD_ENTRY, 0, ENTRY_LOAD_IA32_EFER);
	scene_play();
	map(0x40000);
	for (u64 round = 0; round < 5; round++) {
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
	}
	scene_enter();
	l1 = scene_of12(VMCS_HOST_IA32_EFER);
	l2 = l1 ^ EFER_NXE;
	*processor_field(VMCS_GUEST_IA32_EFER) = l2;
	scene_exit_to_l1(EXIT_CPUID, 0);
	processor.refuse_with = VMERR_CONTROLS;
	assert_int_equal(l1_vmresume().outcome, L1_FAIL_VALID);
	assert_int_equal(l1_get(VMCS_GUEST_IA32_EFER), l2);
}


/* B: L1 enters with another EFER than its host state has. */
static void the_hosts_efer_is_loaded(void **state)
{
	u64 host;

	(void)state;
	prepare();
	scene_play();
	host = scene_of12(VMCS_HOST_IA32_EFER);
	for (u64 round = 0; round < 6; round++) {
		*processor_field(VMCS_GUEST_IA32_EFER) = host ^ EFER_NXE;
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
		if (*processor_field(VMCS_GUEST_IA32_EFER) != host)
			fail_msg("round %lu: EFER %lx, not %lx", round, *processor_field(VMCS_GUEST_IA32_EFER), host);
		l1_set(VMCS_GUEST_RIP, l1_get(VMCS_GUEST_RIP) + 2);
	}
}

static const struct ept02_root *running_root(void)
{
	for (u32 i = 0; i < EPT02_ROOTS; i++)
		if (model.vcpu.nested->ept02.roots[i].eptp02 == scene_running(VMCS_EPT_POINTER))
			return &model.vcpu.nested->ept02.roots[i];
	return NULL;
}

/* C: EPTP switching leaves the plan's EPTP behind. */
static void the_eptp_that_l2_switched_to_counts(void **state)
{
	const struct model_exit exit = { .reason = EXIT_VMFUNC, .length = 3 };

	(void)state;
	prepare();
	scene_control(WORD_PROC2, PROC2_ENABLE_VM_FUNCTIONS, 0);
	scene_set(VMCS_VM_FUNCTION_CONTROLS, 1);
	scene_set(VMCS_EPTP_LIST_ADDRESS, LIST);
	begin();
	((u64 *)l1_pointer(LIST))[5] = EPTP12(OTHER_EPT);
	scene_enter();
	model.vcpu.regs.gpr[REG_RAX] = 0;
	model.vcpu.regs.gpr[REG_RCX] = 5;
	assert_true(model_exit(&exit));
	assert_true(model_in_l2());
	scene_exit_to_l1(EXIT_CPUID, 0);
	/* Other VMCSs, with eight other tables and then the first again. */
	l1_make_region(L1_REGION(1));
	assert_int_equal(l1_vmclear(L1_REGION(1)).outcome, L1_OK);
	assert_int_equal(l1_vmptrld(L1_REGION(1)).outcome, L1_OK);
	l1_write_all(&scene.vmcs12);
	for (u64 n = 1; n <= 18; n++) {
		l1_set(VMCS_EPT_POINTER, EPTP12(n % 2 ? 0x100000 + n * 0x10000 : UINT64_C(0x40000)));
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
	}
	assert_int_equal(l1_vmptrld(L1_REGION(0)).outcome, L1_OK);
	scene_enter();
	assert_non_null(running_root());
	assert_int_equal(running_root()->eptp12 & ~UINT64_C(0xfff), OTHER_EPT);
}

/* D: an NMI in the window, and then the processor refuses vmcs02. */
static void a_vmfail_keeps_the_timer(void **state)
{
	(void)state;
	prepare();
	scene_control(WORD_PIN, PIN_NMI_EXITING | PIN_VIRTUAL_NMIS | PIN_ACTIVATE_PREEMPTION_TIMER, 0);
	scene_control(WORD_EXIT, EXIT_SAVE_PREEMPTION_TIMER, 0);
	scene_set(VMCS_PREEMPTION_TIMER_VALUE, 0x5555);
	scene_set(VMCS_GUEST_INTERRUPTIBILITY_STATE, INTERRUPTIBILITY_NMI);
	begin();
	model.cpu.nmi_pending = 1;
	processor.refuse_with = VMERR_CONTROLS;
	assert_int_equal(l1_vmresume().outcome, L1_FAIL_VALID);
	assert_int_equal(l1_get(VMCS_PREEMPTION_TIMER_VALUE), 0x5555);
}

/* F: a link pointer without VMCS shadowing, to a region whose revision changes in memory. */
static void a_bad_link_pointer_is_refused(void **state)
{
	(void)state;
	prepare();
	scene_set(VMCS_VMCS_LINK_POINTER, L1_REGION(3));
	scene_play();
	l1_make_region(L1_REGION(3));
	for (u64 round = 0; round < 4; round++) {
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
	}
	*(u32 *)l1_pointer(L1_REGION(3)) = 7;
	assert_int_equal(l1_vmresume().outcome, L1_EXITED);
	assert_int_equal((u32)l1_get(VMCS_EXIT_REASON), EXIT_INVALID_GUEST_STATE | EXIT_REASON_ENTRY_FAILURE);
}

/* Rounds with the VMCS of this region, until both ways are quick. */
static void rounds_with(u32 n, u64 pat)
{
	assert_int_equal(l1_vmptrld(L1_REGION(n)).outcome, L1_OK);
	for (u32 round = 0; round < 5; round++) {
		scene_enter();
		*processor_field(VMCS_GUEST_IA32_PAT) = pat;
		scene_exit_to_l1(EXIT_CPUID, 0);
	}
	assert_true(model.vcpu.nested->current->deferred);
}

/* H: exits of one VMCS load a PAT that is 0, those of another one load none. */
static void l1_keeps_l2s_pat_beside_a_vmcs_that_loads_0(void **state)
{
	const u64 pat = 0x0007040600070406;

	(void)state;
	prepare();
	scene_set(VMCS_HOST_IA32_PAT, 0);
	scene_play();
	scene_control(WORD_EXIT, 0, EXIT_LOAD_IA32_PAT);
	l1_start(1, &scene.vmcs12);
	for (u32 round = 0; round < 3; round++) {
		rounds_with(0, pat);
		assert_int_equal(*processor_field(VMCS_GUEST_IA32_PAT), 0);
		rounds_with(1, pat);
		assert_int_equal(*processor_field(VMCS_GUEST_IA32_PAT), pat);
	}
}

/* I: exits do not save the EFER that entries load, but its LMA they do; and the entry after one fails. */
static void the_mode_that_l2_left_outlives_a_refusal(void **state)
{
	u64 entry;

	(void)state;
	prepare();
	scene_control(WORD_PROC2, PROC2_UNRESTRICTED_GUEST, 0);
	scene_control(WORD_EXIT, 0, EXIT_SAVE_IA32_EFER);
	begin();
	scene_enter();
	*processor_field(VMCS_GUEST_CR0) &= ~(u64)CR0_PG;
	*processor_field(VMCS_GUEST_IA32_EFER) &= ~(u64)EFER_LMA;
	scene_exit_to_l1(EXIT_CPUID, 0);
	entry = scene_of02(VMCS_ENTRY_CONTROLS);
	assert_false(entry & ENTRY_IA32E_MODE_GUEST);
	(void)l1_vmresume();
	assert_false(model_in_l2());
	assert_int_equal(l1_get(VMCS_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST, 0);
}

static u64 counted(enum counter counter)
{
	quick_count(&model.vcpu);
	return model.cpu.counter[counter];
}

/* J: an event that is no event makes a quick entry a slow one after all. */
static void a_refused_injection_is_one_exit(void **state)
{
	u64 entries, exits;

	(void)state;
	prepare();
	begin();
	for (u32 round = 0; round < 4; round++) {
		l1_set(VMCS_ENTRY_INTERRUPTION_INFORMATION, 0);
		scene_enter();
		scene_exit_to_l1(EXIT_CPUID, 0);
	}
	l1_set(VMCS_ENTRY_INTERRUPTION_INFORMATION, INTERRUPTION_VALID | 1 << 8);
	assert_true(model.vcpu.nested->current->quick.ready);
	entries = counted(COUNTER_VM_ENTRY_EXITS);
	exits = counted(COUNTER_BY_REASON_L1 + EXIT_VMRESUME);
	assert_int_equal(l1_vmresume().outcome, L1_FAIL_VALID);
	assert_int_equal(counted(COUNTER_VM_ENTRY_EXITS), entries + 1);
	assert_int_equal(counted(COUNTER_BY_REASON_L1 + EXIT_VMRESUME), exits + 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_injection_like_l0s_own_is_not_lost),
		cmocka_unit_test(an_injection_before_a_virtualization_exception_is_not_lost),
		cmocka_unit_test(what_l2_left_in_efer_outlives_a_refusal),
		cmocka_unit_test(a_bad_link_pointer_is_refused),
		cmocka_unit_test(the_hosts_efer_is_loaded),
		cmocka_unit_test(the_eptp_that_l2_switched_to_counts),
		cmocka_unit_test(a_vmfail_keeps_the_timer),
		cmocka_unit_test(l1_keeps_l2s_pat_beside_a_vmcs_that_loads_0),
		cmocka_unit_test(the_mode_that_l2_left_outlives_a_refusal),
		cmocka_unit_test(a_refused_injection_is_one_exit),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return SCENE_RUN_BOTH("path_quick_state", tests);
}
