/* SPDX-License-Identifier: MIT */
/* See tests/model/scene.h. */
#include "tests/model/scene.h"

#include <string.h>

struct builder scene;
bool scene_watches_ports;
bool scene_is_soft;

int scene_make_soft(void **state)
{
	(void)state;
	scene_is_soft = true;
	return 0;
}

void scene_begin(enum builder_kind kind)
{
	scene_watches_ports = false;
	builder_init(&scene, kind);
	if (scene_is_soft)
		scene.hardware.control[WORD_PROC2].may_be_1 &= ~PROC2_VMCS_SHADOWING;
	scene_set(VMCS_HOST_CR3, L1_PAGING);
}

void scene_set(vmcs_field field, u64 value)
{
	vmcs12_set(&scene.vmcs12, field, value);
}

void scene_control(enum control_word word, u32 set, u32 clear)
{
	scene_set(control_fields[word], (vmcs12_control(&scene.vmcs12, word) & ~clear) | set);
}

void scene_play(void)
{
	assert_true(model_boot(&scene.hardware, scene_watches_ports));
	((u8 *)l1_pointer(BUILDER_VIRTUAL_APIC))[0x80] = 0x50;
	l1_start(0, &scene.vmcs12);
}

void scene_enter(void)
{
	bool launched = model.vcpu.nested->current->vmcs12->launch_state == LAUNCH_STATE_LAUNCHED;

	assert_int_equal((launched ? l1_vmresume() : l1_vmlaunch()).outcome, L1_IN_L2);
	assert_true(processor.in_guest);
}

void scene_exit_to_l1(u32 reason, u64 qualification)
{
	assert_true(model_exit_for(reason, qualification));
	assert_false(model_in_l2());
	assert_int_equal(l1_get(VMCS_EXIT_REASON), reason);
	assert_int_equal(l1_get(VMCS_EXIT_QUALIFICATION), qualification);
}

void l1_set(vmcs_field field, u64 value)
{
	assert_int_equal(l1_vmwrite(field.encoding, value).outcome, L1_OK);
}

/* With an MSR bitmap of L1's that is all zeros. */
void scene_exit_to_l0(void)
{
	model.vcpu.regs.gpr[REG_RCX] = IA32_FEATURE_CONTROL;
	assert_true(model_exit_for(EXIT_RDMSR, 0));
	assert_true(model_in_l2());
}

u64 scene_running(vmcs_field field)
{
	return *processor_field(field);
}

u64 scene_of02(vmcs_field field)
{
	return image_get(&processor_region(model.vcpu.nested->current->vmcs02.address.value)->fields, field);
}

u64 scene_of12(vmcs_field field)
{
	return vmcs12_get(model.vcpu.nested->current->vmcs12, field);
}
