/* SPDX-License-Identifier: MIT */
/*
 * Bring-up of a CPU's nested state: every page it will ever need, the rows of
 * vmcs02 that this processor has, and vmcs01's controls as an image.
 */

#include "drivers/console.h"
#include "mm/page_alloc.h"
#include "mm/phys.h"
#include "vmx/nested/caps12.h"
#include "vmx/nested/merge.h"
#include "vmx/nested/nested.h"
#include "vmx/nested/sync.h"
#include "vmx/nested/watch.h"

/* Table pages of EPT02 for each CPU: 2.5 MB, enough for 1.2 GB in 4 KB pages. */
#define EPT02_PAGES 640

/* Does the processor let L0 write this row of a VMCS? */
static bool is_written(const struct vmcs_field_info *info, const struct vmx_caps *hardware)
{
	return info->class != CLASS_INFO && info->class != CLASS_ABSENT && vmcs_field_exists(info, hardware);
}

static void choose_rows(struct nested *nested)
{
	for (u16 i = 0; i < VMCS_FIELD_COUNT; i++) {
		const struct vmcs_field_info *info = &vmcs_fields[i];

		nested->exists[i] = vmcs_field_exists(info, nested->hardware);
		if (!is_written(info, nested->hardware))
			continue;
		nested->rows02[nested->row02_count++] = i;
		nested->is_hot[i] = merge_is_hot(info);
		if (nested->is_hot[i])
			nested->hot_rows[nested->hot_count++] = i;
		nested->is_rare[i] = sync_is_rare(info);
		if (nested->is_rare[i])
			nested->rare_rows[nested->rare_count++] = i;
	}
}

/*
 * Exits change no host state, and of controls the two; what is still to be saved after one depends on others, so L1 does not
 * write them before.
 */
static u16 kept_from_read(const struct nested *nested, const struct vmcs_field_info *info)
{
	u16 row = info->field.index, kept = nested->is_rare[row] ? KEPT_IF_RARE : 0;
	enum vmcs_type type = vmcs_encoding_type(info->field.encoding);
	bool by_exits = row == VMCS_INDEX_ENTRY_CONTROLS || row == VMCS_INDEX_ENTRY_INTERRUPTION_INFORMATION;

	if (type == TYPE_HOST || (type == TYPE_CONTROL && !by_exits))
		return kept;
	return kept | KEPT_IF_DEFERRED;
}

/* Read-only data only some processors can write. */
static u16 kept_from_write(const struct nested *nested, const struct vmcs_field_info *info)
{
	u16 kept = nested->is_rare[info->field.index] || nested_decides_about_rare(info) ? KEPT_IF_RARE : 0;

	if (vmcs_encoding_type(info->field.encoding) == TYPE_READ_ONLY)
		return KEPT_ALWAYS;
	return vmcs_encoding_type(info->field.encoding) == TYPE_HOST ? kept : kept | KEPT_IF_DEFERRED;
}

static void choose_kept_back(struct nested *nested)
{
	nested->kept_back[false][0] = nested->kept_back[true][0] = KEPT_ALWAYS;
	for (u16 i = 0; i < VMCS_FIELD_COUNT; i++) {
		const struct vmcs_field_info *info = &vmcs_fields[i];
		bool offered = insn_field(&nested->offered, info->field.encoding) != NULL;

		nested->kept_back[false][i + 1] = offered ? kept_from_read(nested, info) : KEPT_ALWAYS;
		nested->kept_back[true][i + 1] = offered ? kept_from_write(nested, info) : KEPT_ALWAYS;
	}
}

/* vmcs01 is complete and current: take what vmcs02 shares with it. */
static void read_image01(struct vcpu *vcpu)
{
	struct nested *nested = vcpu->nested;

	vmcs_load(&vcpu->vmcs01);
	for (u16 i = 0; i < nested->row02_count; i++) {
		vmcs_field field = vmcs_fields[nested->rows02[i]].field;

		image_set(&nested->image01, field, vmcs_read(&vcpu->vmcs01, field));
	}
}

static bool init_slots(struct nested *nested)
{
	u32 revision = (u32)field_get(nested->hardware->basic, VMX_BASIC_REVISION);

	for (u32 i = 0; i < NESTED_SLOTS; i++) {
		struct nested_slot *slot = &nested->slots[i];
		void *page02 = page_alloc(), *shadow = page_alloc();

		slot->address = NO_ADDRESS;
		slot->vmcs12 = page_alloc();
		if (!page02 || !shadow || !slot->vmcs12)
			return false;
		vmcs_init(&slot->vmcs02, page02, revision, "vmcs02");
		if (caps_allow(nested->hardware, WORD_PROC2, PROC2_VMCS_SHADOWING))
			vmcs_init(&slot->shadow, shadow, revision | VMCS_SHADOW_INDICATOR, "shadow VMCS");
	}
	return true;
}

/* What L2 runs with in place of L1's bitmaps; of those for I/O only where L0 watches ports. */
static bool init_bitmaps(struct nested *nested)
{
	for (u32 i = 0; i < NESTED_SLOTS; i++) {
		struct nested_slot *slot = &nested->slots[i];
		u64 *msr = page_alloc(), *io = nested->io_bitmaps01 ? page_alloc_contiguous(BITMAP02_PAGES) : NULL;

		if (!msr || (nested->io_bitmaps01 && !io))
			return false;
		bitmap02_init(&slot->msr02, msr, 1);
		if (!io)
			continue;
		bitmap02_init(&slot->io02, io, BITMAP02_PAGES);
		slot->io = (struct merge_io){ phys_of(nested->io_bitmaps01), phys_of(io) };
	}
	return true;
}

static bool init_pages(struct nested *nested)
{
	/* EPT02 clears each page when it takes it. */
	void *tables = page_alloc_uncleared(EPT02_PAGES);

	nested->entry_load = page_alloc_contiguous(MSR_LIST_MAX * sizeof(struct msr_entry) / PAGE_SIZE);
	nested->exit_load = page_alloc_contiguous(MSR_LIST_MAX * sizeof(struct msr_entry) / PAGE_SIZE);
	if (!tables || !nested->entry_load || !nested->exit_load)
		return false;
	ept02_init(&nested->ept02, nested->memory, nested->hardware, &nested->offered, tables, EPT02_PAGES);
	return true;
}

/* As on a processor that has nothing of what the configuration hides. */
static void show_capabilities(struct nested *nested, u64 hide)
{
	struct vmx_caps shown = *nested->hardware;

	caps12_hide(&shown, hide);
	caps12_derive(&nested->offered, &shown);
}

bool nested_init(struct vcpu *vcpu)
{
	struct nested *nested = page_alloc_contiguous(align_up(sizeof(struct nested), PAGE_SIZE) / PAGE_SIZE);

	if (!nested)
		return false;
	vcpu->nested = nested;
	vcpu->running = &vcpu->vmcs01;
	nested->state = NESTED_OUTSIDE;
	nested->vmxon_pointer = NO_ADDRESS;
	nested->hardware = &vcpu->machine->hardware;
	nested->memory = &vcpu->machine->memory;
	nested->msr_bitmap01 = vcpu->machine->msr_bitmap;
	nested->io_bitmaps01 = (const u64 *)(const void *)vcpu->machine->io_bitmaps;
	show_capabilities(nested, vcpu->machine->handoff->hide);
	choose_rows(nested);
	choose_kept_back(nested);
	if (!init_slots(nested) || !init_pages(nested) || !init_bitmaps(nested))
		return false;
	nested->question.watches_ports = nested->io_bitmaps01 != NULL;
	read_image01(vcpu);
	if (!shadow_init(vcpu) || !watch_init(vcpu))
		return false;
	log_debug("VMCS shadowing: %s; vmcs02 has %u rows", nested->shadowing ? "hardware" : "software", nested->row02_count);
	return true;
}
