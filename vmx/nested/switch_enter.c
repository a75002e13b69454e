/* SPDX-License-Identifier: MIT */
/*
 * From L1 to L2: checks, merge, and what hardware is given. It reads like the SDM's
 * "VM Entries". All decisions are taken by the pure files; this one fetches, applies
 * and keeps count.
 */

#include "mm/phys.h"
#include "vmx/nested/check.h"
#include "vmx/nested/merge.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/quick_switch.h"
#include "vmx/nested/switch_parts.h"

/* --- writing what differs ----------------------------------------------------- */

static void write_rows(struct nested *nested, struct nested_slot *slot, const u16 *rows, u16 row_count)
{
	const struct vmcs_image *image = &slot->image02;
	struct vmcs_image *written = &slot->written02;

	for (u16 i = 0; i < row_count; i++) {
		u16 row = rows[i];

		if (slot->written_valid && written->value[row] == image->value[row])
			continue;
		/* What vmcs12 has of the rare guest fields is older than what vmcs02 has. */
		if (slot->rare_in_02 && nested->is_rare[row])
			continue;
		vmcs_write(&slot->vmcs02, vmcs_fields[row].field, image->value[row]);
		written->value[row] = image->value[row];
	}
}

/* Only what an exit-free change can have touched, unless L1 touched more. */
static void merge_and_write(struct nested *nested, struct nested_slot *slot, const struct merge_input *input)
{
	if (slot->written_valid && !slot->dirty) {
		merge_again(&slot->image02, input);
		write_rows(nested, slot, nested->hot_rows, nested->hot_count);
		return;
	}
	merge(&slot->image02, input);
	write_rows(nested, slot, nested->rows02, nested->row02_count);
	slot->written_valid = true;
	slot->dirty = false;
}

/* --- what hardware is given --------------------------------------------------- */

static void fetch_lists(struct nested *nested, const struct vmcs12 *vmcs12)
{
	u32 entry = (u32)vmcs12_get(vmcs12, VMCS_ENTRY_MSR_LOAD_COUNT);

	if (entry)
		switch_fetch_list(nested, nested->entry_load, vmcs12_get(vmcs12, VMCS_ENTRY_MSR_LOAD_ADDRESS), entry, false);
}

/* The tables that translate for L2: EPT02, or without EPT12 those of L1. */
static void choose_tables(struct vcpu *vcpu, const struct vmcs12 *vmcs12, struct merge_input *input)
{
	struct ept02 *ept02 = &vcpu->nested->ept02;
	u64 spptp12;

	if (!vmcs12_has(vmcs12, WORD_PROC2, PROC2_ENABLE_EPT)) {
		input->eptp02 = vcpu->machine->eptp01;
		return;
	}
	input->eptp02 = ept02_eptp(ept02, ept02_pointer12(vmcs12));
	spptp12 = ept02_spp_pointer12(vmcs12);
	if (unlikely(spptp12 != 0))
		input->spptp02 = ept02_spptp(ept02, ept02_pointer12(vmcs12), spptp12);
}

/* Returns L1's IA32_EFER. */
static u64 build_vmcs02(struct vcpu *vcpu, const u64 *pdpte)
{
	struct nested *nested = vcpu->nested;
	struct nested_slot *slot = nested->current;
	struct merge_shadow shadow;
	struct merge_input input = {
		.vmcs12 = slot->vmcs12,
		.image01 = &nested->image01,
		.memory = nested->memory,
		.l1 = switch_l1_state(vcpu),
		.msr_bitmap02 = phys_of(slot->msr02.content),
		.entry_msr_load = phys_of(nested->entry_load),
		.vpid02 = merge_vpid(slot->vmcs12),
		.io = nested->io_bitmaps01 ? &slot->io : NULL,
		.pdpte = pdpte,
	};

	count(COUNTER_VMCS02_BUILDS);
	choose_tables(vcpu, slot->vmcs12, &input);
	fetch_lists(nested, slot->vmcs12);
	bitmaps02_refresh(nested, slot);
	slot->dirty |= merge_io_is_stale(&slot->image02, &input);
	if (unlikely(vmcs12_has(slot->vmcs12, WORD_PROC2, PROC2_VMCS_SHADOWING))) {
		shadow = shadow_arrange_l2(vcpu, slot);
		input.shadow = &shadow;
		slot->dirty |= merge_shadow_is_stale(&slot->image02, &input);
	}
	vmcs_load(&slot->vmcs02);
	merge_and_write(nested, slot, &input);
	/* These are of L1's memory, not of vmcs12, and count at each entry. */
	for (u16 i = 0; pdpte && i < 4; i++)
		switch_write_field02(slot, vmcs_fields[VMCS_INDEX_GUEST_PDPTE0 + i].field, pdpte[i]);
	return input.l1.efer;
}

/* Two VPIDs of L1 share a tag (merge_vpid02): who comes after the other must not see its translations. */
static void flush_shared_vpid(struct nested *nested, const struct nested_slot *slot)
{
	u16 vpid12 = (u16)vmcs12_get(slot->vmcs12, VMCS_VPID);

	if (likely(vpid12 != 1 && vpid12 != 0xffff) || vpid12 == nested->shared_vpid || !merge_vpid(slot->vmcs12))
		return;
	nested->shared_vpid = vpid12;
	(void)invvpid(INVVPID_SINGLE, merge_vpid02(vpid12), 0);
}

void switch_flush_ept02(struct nested *nested)
{
	if (!nested->ept02.flush_needed)
		return;
	nested->ept02.flush_needed = false;
	(void)invept(INVEPT_ALL, 0);
}

bool switch_refresh_tables(struct vcpu *vcpu, struct nested_slot *slot)
{
	struct nested *nested = vcpu->nested;

	if (ept02_eptp(&nested->ept02, ept02_pointer12(slot->vmcs12)) != image_get(&slot->written02, VMCS_EPT_POINTER))
		return false;
	bitmaps02_refresh(nested, slot);
	flush_shared_vpid(nested, slot);
	switch_flush_ept02(nested);
	return true;
}

bool switch_refresh_shadow(struct vcpu *vcpu, struct nested_slot *slot)
{
	struct entry_context context;
	struct entry_failure ignored;
	struct merge_shadow shadow;

	if (likely(shadow_arrange_again(vcpu, slot)))
		return true;
	context = switch_entry_context(vcpu);
	if (!check_link_pointer(&context, &ignored))
		return false;
	shadow = shadow_arrange_l2(vcpu, slot);
	vmcs_load(&vcpu->vmcs01);
	return shadow.link == image_get(&slot->written02, VMCS_VMCS_LINK_POINTER);
}

/* --- checks -------------------------------------------------------------------- */

/* An entry that fails after the controls and host state passed: an exit without L2 having run. */
static struct insn_result fail_entry(struct vcpu *vcpu, u32 basic, u64 qualification)
{
	struct vm_exit exit = {
		.reason = basic | EXIT_REASON_ENTRY_FAILURE,
		.basic = (u16)basic,
		.entry_failure = true,
		.qualification = qualification,
	};

	vcpu->nested->state = NESTED_IN_L2;
	switch_leave_l2(vcpu, &exit);
	return insn_done();
}

static struct insn_result check_controls_and_host(struct vcpu *vcpu, const struct entry_context *context)
{
	struct nested_slot *slot = vcpu->nested->current;
	struct entry_failure failure;

	if (check_is_remembered(&slot->memo, context))
		return insn_ok();
	if (!check_controls(context, &failure)) {
		switch_report_refusal(vcpu, &failure);
		return insn_fail(true, VMERR_CONTROLS);
	}
	if (!check_host(context, &failure)) {
		switch_report_refusal(vcpu, &failure);
		return insn_fail(true, VMERR_HOST_STATE);
	}
	check_remember(&slot->memo, context);
	return insn_ok();
}

/*
 * With the rare fields still in vmcs02, guest state is the processor's to check:
 * it gets L1's state as it is. What it never sees is checked here, and if that is
 * wrong, whatever comes before it in the SDM's order has to be right.
 */
static bool guest_state_passes(struct vcpu *vcpu, const struct entry_context *context, struct entry_failure *failure)
{
	struct nested_slot *slot = vcpu->nested->current;

	if (slot->rare_in_02 && check_link_pointer(context, failure))
		return true;
	if (slot->rare_in_02)
		slots_fetch_rare(vcpu, slot);
	return check_guest(context, failure);
}

struct insn_result switch_enter_l2(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;
	struct nested_slot *slot = nested->current;
	struct entry_context context;
	struct entry_failure failure;
	struct insn_result result;
	u64 l1_efer, pdpte[4];
	bool pae;

	nested->resumed = false; /* whatever fails from here on is L1's entry */
	quick_plan_end(&slot->quick);
	quick_settle(vcpu, slot);
	shadow_pull(vcpu, slot);
	context = switch_entry_context(vcpu);
	result = check_controls_and_host(vcpu, &context);
	if (result.outcome != INSN_OK)
		return result;
	if (!guest_state_passes(vcpu, &context, &failure)) {
		switch_report_refusal(vcpu, &failure);
		return fail_entry(vcpu, EXIT_INVALID_GUEST_STATE, failure.qualification);
	}
	/* Without EPT12 they come from memory, but vmcs02 has EPT: hardware takes them from the VMCS. */
	pae = check_uses_pae_paging(slot->vmcs12) && !vmcs12_has(slot->vmcs12, WORD_PROC2, PROC2_ENABLE_EPT);
	if (pae) {
		switch_read_pdptes(nested, vmcs12_get(slot->vmcs12, VMCS_GUEST_CR3), pdpte);
		if (!check_pdptes(&nested->offered, pdpte)) {
			failure = refusal_other(RULE_PDPTES_IN_MEMORY, vmcs12_get(slot->vmcs12, VMCS_GUEST_CR3), ENTRY_FAIL_PDPTE);
			switch_report_refusal(vcpu, &failure);
			return fail_entry(vcpu, EXIT_INVALID_GUEST_STATE, ENTRY_FAIL_PDPTE);
		}
	}
	slot->last_used = ++nested->clock;
	l1_efer = build_vmcs02(vcpu, pae ? pdpte : NULL);
	flush_shared_vpid(nested, slot);
	switch_flush_ept02(nested);
	quick_prepare(vcpu, slot, l1_efer);
	nested->state = NESTED_IN_L2;
	vcpu->running = &slot->vmcs02;
	return insn_done();
}

/* --- L0 handled an exit of L2 ---------------------------------------------------- */

void switch_drop_once_only(struct nested_slot *slot)
{
	u64 entry = image_get(&slot->written02, VMCS_ENTRY_CONTROLS);

	if (image_get(&slot->written02, VMCS_ENTRY_MSR_LOAD_COUNT))
		switch_write_field02(slot, VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	if (entry & ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL) {
		entry = vmcs_read(&slot->vmcs02, VMCS_ENTRY_CONTROLS); /* the mode may be another than was written */
		switch_write_field02(slot, VMCS_ENTRY_CONTROLS, entry & ~(u64)ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL);
	}
}
