/* SPDX-License-Identifier: MIT */
/*
 * VTPR that falls below L1's TPR threshold without an exit, on the model: the entry that
 * L0 makes then, and what L2 does with its task priority afterwards. SDM "TPR
 * Virtualization", "VM-Execution Control Fields".
 */
#include "tests/model/scene.h"

#include <string.h>

#include "vmx/msr_bitmap.h"

#define THRESHOLD 4
#define MOV_RBX_TO_CR8 0x308
#define MOV_RSP_TO_CR8 0x408
#define LENGTH 4
#define BITMAP UINT64_C(0xa0000)

static u32 vtpr(void)
{
	u32 value;

	memcpy(&value, (u8 *)l1_pointer(BUILDER_VIRTUAL_APIC) + 0x80, sizeof(value));
	return value;
}

static void set_vtpr(u32 value)
{
	memcpy((u8 *)l1_pointer(BUILDER_VIRTUAL_APIC) + 0x80, &value, sizeof(value));
}

/* L2 runs, VTPR has been lowered by a plain write, and L0 has had an exit of its own. */
static void lower(u32 proc2, u32 value)
{
	scene_begin(BUILD_LONG);
	scene_control(WORD_PROC, PROC_USE_TPR_SHADOW | PROC_USE_MSR_BITMAPS, PROC_CR8_LOAD_EXITING | PROC_CR8_STORE_EXITING);
	scene_control(WORD_PROC2, proc2, PROC2_VIRTUALIZE_APIC_ACCESSES | PROC2_VIRTUAL_INTERRUPT_DELIVERY |
						 PROC2_APIC_REGISTER_VIRTUALIZATION | PROC2_VIRTUALIZE_X2APIC_MODE);
	scene_control(WORD_PIN, 0, PIN_PROCESS_POSTED_INTERRUPTS);
	scene_set(VMCS_MSR_BITMAP_ADDRESS, BITMAP);
	scene_set(VMCS_TPR_THRESHOLD, THRESHOLD);
	scene_play();
	scene_enter();
	set_vtpr(value);
	scene_exit_to_l0();
}

static bool is_watched(void)
{
	return scene_of02(VMCS_PROCESSOR_BASED_CONTROLS) & PROC_CR8_LOAD_EXITING;
}

static void move_to_cr8(u64 value)
{
	const struct model_exit exit = { .reason = EXIT_CR_ACCESS, .qualification = MOV_RBX_TO_CR8, .length = LENGTH };

	model.vcpu.regs.gpr[REG_RBX] = value;
	assert_true(model_exit(&exit));
}

static void write_msr(u64 value)
{
	const struct model_exit exit = { .reason = EXIT_WRMSR, .length = 2 };

	model.vcpu.regs.gpr[REG_RCX] = IA32_X2APIC_TPR;
	model.vcpu.regs.gpr[REG_RAX] = (u32)value;
	model.vcpu.regs.gpr[REG_RDX] = value >> 32;
	assert_true(model_exit(&exit));
}

static void l2_goes_on_with_the_threshold_that_vtpr_meets(void **state)
{
	(void)state;
	lower(0, 0x20);
	assert_true(model_in_l2());
	assert_int_equal(scene_of02(VMCS_TPR_THRESHOLD), 2);
	assert_int_equal(scene_of12(VMCS_TPR_THRESHOLD), THRESHOLD);
	assert_true(is_watched());
	/* And lower still. */
	set_vtpr(0x1f);
	scene_exit_to_l0();
	assert_int_equal(scene_of02(VMCS_TPR_THRESHOLD), 1);
}

/* Expect: a VTPR that meets the threshold changes nothing. */
static void a_vtpr_at_the_threshold_is_left_alone(void **state)
{
	(void)state;
	lower(0, THRESHOLD << 4);
	assert_int_equal(scene_of02(VMCS_TPR_THRESHOLD), THRESHOLD);
	assert_false(is_watched());
}

static void a_move_to_cr8_below_the_threshold_exits_behind_it(void **state)
{
	u64 rip;

	(void)state;
	lower(0, 0x20);
	rip = scene_running(VMCS_GUEST_RIP);
	move_to_cr8(3);
	assert_false(model_in_l2());
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_TPR_BELOW_THRESHOLD);
	assert_int_equal(l1_get(VMCS_EXIT_QUALIFICATION), 0);
	assert_int_equal(l1_get(VMCS_GUEST_RIP), rip + LENGTH);
	assert_int_equal(vtpr(), 0x30);
	/* Expect: once L1 has raised VTPR, all is as it was. */
	set_vtpr(0x40);
	scene_enter();
	assert_int_equal(scene_of02(VMCS_TPR_THRESHOLD), THRESHOLD);
	assert_false(is_watched());
}

static void a_move_to_cr8_above_it_does_not_exit(void **state)
{
	(void)state;
	lower(0, 0xffffff20);
	move_to_cr8(6);
	assert_true(model_in_l2());
	assert_int_equal(vtpr(), 0x60);
	/* Expect: the next one below the threshold does. */
	move_to_cr8(0);
	assert_false(model_in_l2());
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_TPR_BELOW_THRESHOLD);
}

static void reserved_bits_of_cr8_are_a_fault(void **state)
{
	const struct model_exit exit = { .reason = EXIT_CR_ACCESS, .qualification = MOV_RSP_TO_CR8, .length = LENGTH };

	(void)state;
	lower(0, 0x20);
	move_to_cr8(0x10);
	assert_int_equal(vtpr(), 0x20);
	assert_int_equal(processor.injected & 0xff, VECTOR_GP);
	lower(0, 0x20);
	*processor_field(VMCS_GUEST_RSP) = 5;
	assert_true(model_exit(&exit));
	assert_true(model_in_l2());
	assert_int_equal(vtpr(), 0x50);
}

/* Expect: in virtual x2APIC mode the MSR is another way to VTPR. */
static void the_msr_is_watched_too(void **state)
{
	(void)state;
	lower(PROC2_VIRTUALIZE_X2APIC_MODE, 0x20);
	assert_true(msr_bitmap_exits((const u8 *)model.vcpu.nested->current->msr02.content, IA32_X2APIC_TPR, MSR_WRITE));
	write_msr(0x5b);
	assert_true(model_in_l2());
	assert_int_equal(vtpr(), 0x5b);
	write_msr(0x100);
	assert_int_equal(processor.injected & 0xff, VECTOR_GP);
	assert_int_equal(vtpr(), 0x5b);
	lower(PROC2_VIRTUALIZE_X2APIC_MODE, 0x20);
	write_msr(0x3f);
	assert_false(model_in_l2());
	assert_int_equal(l1_get(VMCS_EXIT_REASON), EXIT_TPR_BELOW_THRESHOLD);
}

/* Expect: an NMI window opened meanwhile leaves CR8 watched. */
static void an_nmi_window_does_not_end_it(void **state)
{
	(void)state;
	lower(0, 0x20);
	*processor_field(VMCS_GUEST_INTERRUPTIBILITY_STATE) = INTERRUPTIBILITY_NMI;
	model.cpu.nmi_pending = 1;
	scene_exit_to_l0();
	assert_true(is_watched());
	assert_int_equal(scene_of02(VMCS_TPR_THRESHOLD), 2);
}

/* Expect: L1's own entry with such a VTPR is refused, as ever. */
static void an_entry_by_l1_is_refused(void **state)
{
	(void)state;
	lower(0, 0x20);
	scene_exit_to_l1(EXIT_CPUID, 0);
	assert_int_equal(l1_vmresume().outcome, L1_FAIL_VALID);
	assert_int_equal(l1_get(VMCS_VM_INSTRUCTION_ERROR), VMERR_CONTROLS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(l2_goes_on_with_the_threshold_that_vtpr_meets),
		cmocka_unit_test(a_vtpr_at_the_threshold_is_left_alone),
		cmocka_unit_test(a_move_to_cr8_below_the_threshold_exits_behind_it),
		cmocka_unit_test(a_move_to_cr8_above_it_does_not_exit),
		cmocka_unit_test(reserved_bits_of_cr8_are_a_fault),
		cmocka_unit_test(the_msr_is_watched_too),
		cmocka_unit_test(an_nmi_window_does_not_end_it),
		cmocka_unit_test(an_entry_by_l1_is_refused),
	};

	return SCENE_RUN_BOTH("path_threshold", tests);
}
