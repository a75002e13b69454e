/* SPDX-License-Identifier: MIT */
/*
 * What moves when L2 exits to L1: guest state into vmcs12, exit information
 * into vmcs12, L1's host state into vmcs01. Images to images, no hardware.
 * SDM "VM Exits". Pure.
 */
#pragma once

#include "arch/x86.h"
#include "vmx/nested/vmcs12.h"

/*
 * Guest fields that every reflected exit brings up to date in vmcs12. The others
 * stay in vmcs02 until L1 asks (sync_is_rare).
 */
extern const vmcs_field sync_hot_fields[];
extern const u32 sync_hot_count;

/* A guest field that is left in vmcs02 until L1 asks for it. */
bool sync_is_rare(const struct vmcs_field_info *info);

/* Saves the hot guest fields of image02. SDM "Saving Guest State". */
void sync_guest(struct vmcs12 *vmcs12, const struct vmcs_image *image02);

/* Saves one rare guest field. */
void sync_rare(struct vmcs12 *vmcs12, const struct vmcs_image *image02, vmcs_field field);

/* Bits of CR0 that no exit changes. SDM "Loading Host Control Registers, Debug Registers, MSRs". */
#define SYNC_CR0_KEPT (CR0_ET | CR0_NW | CR0_CD | BITS(63, 32) | BITS(28, 19) | BIT(17) | BITS(15, 6))

/* What of L2's state L1 inherits when vmcs12 does not load it. */
struct sync_l2_state {
	u64 cr0;		/* for the bits that a VM exit leaves alone */
	u64 efer;
	u64 pat;
	bool nmi_blocking;	/* in force after the exit */
};

/*
 * L1's state after the exit, into the guest rows of image01. SDM "Loading Host
 * State". `written` is a list of what image01's rows are then to be written.
 */
void sync_load_host(struct vmcs_image *image01, const struct vmcs12 *vmcs12, const struct sync_l2_state *l2);
extern const vmcs_field sync_host_fields[];
extern const u32 sync_host_count;
