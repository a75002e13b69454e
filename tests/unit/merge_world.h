/* SPDX-License-Identifier: MIT */
/*
 * What merge.c and sync.c work on: a valid vmcs12 (vmcs12_builder.h), L0's own
 * vmcs01 as an image, and recognizable values for what L0 puts into vmcs02.
 */
#pragma once

#include "tests/fake/phys.h"
#include "tests/unit/vmcs12_builder.h"
#include "vmx/nested/merge.h"

/* L0's own pages, all in its block. */
#define WORLD_MSR_BITMAP02 (FAKE_BLOCK_BASE + 0x5000)
#define WORLD_ENTRY_LOAD (FAKE_BLOCK_BASE + 0x6000)
#define WORLD_EPTP02 (FAKE_BLOCK_BASE + 0x7000 + 0x5e)
#define WORLD_HOST_CR3 (FAKE_BLOCK_BASE + 0x8000)

/* L1's state that L2 inherits where vmcs12 does not load it. */
#define WORLD_L1_PAT UINT64_C(0x0007050400010406)
#define WORLD_L1_DR7 (UINT64_C(0x55) | 0x400)
#define WORLD_L1_DEBUGCTL UINT64_C(2)

struct merge_world {
	struct builder builder;
	struct vmcs_image image01;
	struct merge_input input;
};

/* Everything but `input.pdpte`, which stays NULL. */
void merge_world_init(struct merge_world *world, enum builder_kind kind);

/* The same around a builder that is filled already. */
void merge_world_surround(struct merge_world *world);

/* `input.vpid02`, again, for a vmcs12 that has changed. */
void merge_world_update(struct merge_world *world);

/* An image as the VMCS of an entry that L0 makes on hardware, for the checks of VM entry. */
void merge_world_as_vmcs(const struct merge_world *world, const struct vmcs_image *image, struct vmcs12 *vmcs,
			 struct entry_context *context);

/* Random control words, each within what the builder's L1 is offered. */
void merge_world_random_controls(struct merge_world *world);

/* Does an exit to L1 store this field into vmcs12? SDM "Saving Guest State". */
bool merge_world_is_saved(const struct vmcs12 *vmcs12, const struct vmcs_field_info *info);

/* 64 random bits from random(). */
u64 random64(void);
