/* SPDX-License-Identifier: MIT */
/* L0's vmcs01 and what it feeds merge() with, for tests. */
#include <stdlib.h>

#include "arch/x86.h"
#include "tests/unit/merge_world.h"

static void set(struct merge_world *world, vmcs_field field, u64 value)
{
	image_set(&world->image01, field, value);
}

/* As the root kernel sets them: boot/root/vmcs01.c, vmx/host_state.c. */
static void build_image01(struct merge_world *world)
{
	world->image01 = (struct vmcs_image){ .value = { 0 } };
	for (u32 word = 0; word < CONTROL_WORD_COUNT; word++)
		set(world, control_fields[word], caps_l0_controls(&world->builder.hardware, (enum control_word)word));
	set(world, VMCS_VMCS_LINK_POINTER, ~UINT64_C(0));
	set(world, VMCS_VPID, VPID01);
	set(world, VMCS_MSR_BITMAP_ADDRESS, FAKE_BLOCK_BASE + 0x9000);
	set(world, VMCS_EPT_POINTER, FAKE_BLOCK_BASE + 0xa000 + 0x5e);
	set(world, VMCS_HOST_CR0, CR0_PG | CR0_WP | CR0_NE | CR0_PE);
	set(world, VMCS_HOST_CR3, WORLD_HOST_CR3);
	set(world, VMCS_HOST_CR4, CR4_VMXE | CR4_PAE);
	set(world, VMCS_HOST_IA32_EFER, EFER_LMA | EFER_LME | EFER_NXE);
	set(world, VMCS_HOST_IA32_PAT, UINT64_C(0x0007040600070406));
	set(world, VMCS_HOST_CS_SELECTOR, 8);
	set(world, VMCS_HOST_TR_SELECTOR, 0x18);
	set(world, VMCS_HOST_RIP, FAKE_BLOCK_BASE + 0x100);
	set(world, VMCS_HOST_RSP, FAKE_BLOCK_BASE + 0x2000);
}

void merge_world_update(struct merge_world *world)
{
	world->input.vpid02 = merge_vpid(&world->builder.vmcs12);
}

void merge_world_surround(struct merge_world *world)
{
	u64 mode = world->builder.context.l1_in_long_mode ? EFER_LMA | EFER_LME : 0;

	build_image01(world);
	world->input = (struct merge_input){
		.vmcs12 = &world->builder.vmcs12,
		.image01 = &world->image01,
		.memory = &world->builder.memory,
		.l1 = { .efer = EFER_SCE | mode, .pat = WORLD_L1_PAT, .dr7 = WORLD_L1_DR7, .debugctl = WORLD_L1_DEBUGCTL },
		.eptp02 = WORLD_EPTP02,
		.msr_bitmap02 = hpa(WORLD_MSR_BITMAP02),
		.entry_msr_load = hpa(WORLD_ENTRY_LOAD),
	};
	merge_world_update(world);
}

void merge_world_init(struct merge_world *world, enum builder_kind kind)
{
	builder_init(&world->builder, kind);
	merge_world_surround(world);
}

void merge_world_as_vmcs(const struct merge_world *world, const struct vmcs_image *image, struct vmcs12 *vmcs,
			 struct entry_context *context)
{
	*vmcs = (struct vmcs12){ .fields = *image };
	*context = (struct entry_context){
		.vmcs12 = vmcs,
		.caps = &world->builder.hardware,
		.memory = &world->builder.memory,
		.vmcs12_address = l1_gpa(BUILDER_VMCS12),
		.l1_in_long_mode = true,
	};
}

/* Which control of vmcs12 a guest field is saved by; the others are saved always, or never. */
struct saved_by {
	vmcs_field field;
	enum control_word word;
	u32 mask;
};

static const struct saved_by conditional[] = {
	{ VMCS_FIELD(GUEST_IA32_EFER), WORD_EXIT, CONTROL_MASK(EXIT, SAVE_IA32_EFER) },
	{ VMCS_FIELD(GUEST_IA32_PAT), WORD_EXIT, CONTROL_MASK(EXIT, SAVE_IA32_PAT) },
	{ VMCS_FIELD(GUEST_DR7), WORD_EXIT, CONTROL_MASK(EXIT, SAVE_DEBUG_CONTROLS) },
	{ VMCS_FIELD(GUEST_IA32_DEBUGCTL), WORD_EXIT, CONTROL_MASK(EXIT, SAVE_DEBUG_CONTROLS) },
	{ VMCS_FIELD(PREEMPTION_TIMER_VALUE), WORD_EXIT, CONTROL_MASK(EXIT, SAVE_PREEMPTION_TIMER) },
	{ VMCS_FIELD(GUEST_INTERRUPT_STATUS), WORD_PROC2, CONTROL_MASK(PROC2, VIRTUAL_INTERRUPT_DELIVERY) },
	{ VMCS_FIELD(GUEST_PDPTE0), WORD_PROC2, CONTROL_MASK(PROC2, ENABLE_EPT) },
	{ VMCS_FIELD(GUEST_PDPTE1), WORD_PROC2, CONTROL_MASK(PROC2, ENABLE_EPT) },
	{ VMCS_FIELD(GUEST_PDPTE2), WORD_PROC2, CONTROL_MASK(PROC2, ENABLE_EPT) },
	{ VMCS_FIELD(GUEST_PDPTE3), WORD_PROC2, CONTROL_MASK(PROC2, ENABLE_EPT) },
};

bool merge_world_is_saved(const struct vmcs12 *vmcs12, const struct vmcs_field_info *info)
{
	vmcs_field field = info->field;

	if (info->class != CLASS_GUEST)
		return false;
	if (field.index == VMCS_INDEX_GUEST_SMBASE || field.index == VMCS_INDEX_GUEST_IA32_PERF_GLOBAL_CTRL)
		return false;
	for (u32 i = 0; i < array_size(conditional); i++)
		if (conditional[i].field.index == field.index)
			return vmcs12_has(vmcs12, conditional[i].word, conditional[i].mask);
	return true;
}

u64 random64(void)
{
	return (u64)random() << 42 ^ (u64)random() << 21 ^ (u64)random();
}

void merge_world_random_controls(struct merge_world *world)
{
	for (u32 word = 0; word < CONTROL_WORD_COUNT; word++) {
		const struct allowed *allowed = &world->builder.offered.control[word];
		u32 value = ((u32)random64() & allowed->may_be_1) | allowed->must_be_1;

		vmcs12_set(&world->builder.vmcs12, control_fields[word], value);
	}
}
