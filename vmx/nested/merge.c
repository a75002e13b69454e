/* SPDX-License-Identifier: MIT */
/*
 * vmcs02 = merge(L0's needs, vmcs12). Straight copies are expanded from the
 * field table and control words from the control table, so the compiler folds
 * both to constants; what is left is computed by a named function each.
 */

#include "vmx/nested/merge.h"

#include "arch/x86.h"
#include "vmx/nested/sync.h"

/* The bits of a word whose merge column says `kind`; a constant where both arguments are. */
static inline __attribute__((always_inline)) u32 mask_of(enum control_word word, enum control_merge kind)
{
	u32 mask = 0;

#define C(w, bit, name, need, offer, merge)                 \
	if (WORD_##w == word && MERGE_##merge == kind)      \
		mask |= UINT32_C(1) << (bit);
#include "vmx/controls.def"
#undef C
	return mask;
}

/*
 * Bits that no row names are default1 or reserved: they are as in vmcs01, whose
 * value the processor accepted. SDM "Reserved Controls and Default Settings".
 */
static inline __attribute__((always_inline)) u32 merge_word(u32 l1, u32 l0, enum control_word word)
{
	const u32 from_l1 = mask_of(word, MERGE_L1);
	const u32 either = mask_of(word, MERGE_OR);
	const u32 off = mask_of(word, MERGE_OFF) | mask_of(word, MERGE_FN);

	return (l1 & (from_l1 | either)) | (l0 & ~(from_l1 | off));
}

static inline __attribute__((always_inline)) u32 control02(const struct merge_input *input, enum control_word word)
{
	u32 l1 = vmcs12_control(input->vmcs12, word);
	u32 l0 = (u32)image_get(input->image01, control_fields[word]);

	return merge_word(l1, l0, word);
}

u32 merge_control(const struct vmcs12 *vmcs12, const struct vmcs_image *image01, enum control_word word)
{
	u32 l1 = vmcs12_control(vmcs12, word), l0 = (u32)image_get(image01, control_fields[word]);

	if (word == WORD_PROC2 && !vmcs12_has(vmcs12, WORD_PROC, PROC_ACTIVATE_SECONDARY_CONTROLS))
		l1 = 0;
	switch (word) {
	case WORD_PIN: return merge_word(l1, l0, WORD_PIN);
	case WORD_PROC: return merge_word(l1, l0, WORD_PROC);
	case WORD_PROC2: return merge_word(l1, l0, WORD_PROC2);
	case WORD_EXIT: return merge_word(l1, l0, WORD_EXIT);
	case WORD_ENTRY: return merge_word(l1, l0, WORD_ENTRY);
	case CONTROL_WORD_COUNT: break;
	}
	return 0;
}

u16 merge_vpid02(u16 vpid12)
{
	return vpid12 == 0xffff ? 2 : (u16)(vpid12 + 1);
}

u16 merge_vpid(const struct vmcs12 *vmcs12)
{
	if (!vmcs12_has(vmcs12, WORD_PROC2, PROC2_ENABLE_VPID))
		return 0;
	return merge_vpid02((u16)vmcs12_get(vmcs12, VMCS_VPID));
}

static void copy_straight(struct vmcs_image *image02, const struct merge_input *input)
{
	const struct vmcs_image *image12 = &input->vmcs12->fields;
	const struct vmcs_image *image01 = input->image01;

#define COPY_GUEST(i) image02->value[i] = image12->value[i];
#define COPY_PASS(i) image02->value[i] = image12->value[i];
#define COPY_HOST(i) image02->value[i] = image01->value[i];
#define COPY_L0(i) image02->value[i] = image01->value[i];
#define COPY_INFO(i)
#define COPY_MERGE(i)
#define COPY_ABSENT(i)
#define F(encoding, name, class, shadow, exists) COPY_##class(VMCS_INDEX_##name)
#include "vmx/vmcs_fields.def"
#undef F
#undef COPY_HOST
#undef COPY_L0
}

static void merge_controls(struct vmcs_image *image02, const struct merge_input *input)
{
	const struct vmcs12 *vmcs12 = input->vmcs12;
	bool secondary = vmcs12_has(vmcs12, WORD_PROC, PROC_ACTIVATE_SECONDARY_CONTROLS);
	u32 pin = control02(input, WORD_PIN);
	u32 exit = control02(input, WORD_EXIT);
	u32 proc2 = secondary ? control02(input, WORD_PROC2)
			      : merge_word(0, (u32)image_get(input->image01, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS), WORD_PROC2);

	if (unlikely(input->shadow))
		proc2 |= PROC2_VMCS_SHADOWING;

	/* An exit that L0 keeps to itself must not restart L1's timer, and none at all L0's. */
	if (pin & PIN_ACTIVATE_PREEMPTION_TIMER)
		exit |= EXIT_SAVE_PREEMPTION_TIMER;
	if ((pin & PIN_ACTIVATE_PREEMPTION_TIMER) && !vmcs12_has(vmcs12, WORD_PIN, PIN_ACTIVATE_PREEMPTION_TIMER))
		image_set(image02, VMCS_PREEMPTION_TIMER_VALUE, image_get(input->image01, VMCS_PREEMPTION_TIMER_VALUE));

	image_set(image02, VMCS_PIN_BASED_CONTROLS, pin);
	image_set(image02, VMCS_PROCESSOR_BASED_CONTROLS, control02(input, WORD_PROC));
	image_set(image02, VMCS_SECONDARY_PROCESSOR_BASED_CONTROLS, proc2);
	image_set(image02, VMCS_EXIT_CONTROLS, exit);
	image_set(image02, VMCS_ENTRY_CONTROLS, control02(input, WORD_ENTRY));
	image_set(image02, VMCS_ENTRY_INTERRUPTION_INFORMATION,
		  vmcs12_get(vmcs12, VMCS_ENTRY_INTERRUPTION_INFORMATION));
}

/* Every address that L1 hands to hardware is L1's idea of physical. */
static void merge_addresses(struct vmcs_image *image02, const struct merge_input *input)
{
	static const vmcs_field pages[] = {
		VMCS_FIELD(IO_BITMAP_A_ADDRESS), VMCS_FIELD(IO_BITMAP_B_ADDRESS), VMCS_FIELD(VIRTUAL_APIC_ADDRESS),
		VMCS_FIELD(APIC_ACCESS_ADDRESS), VMCS_FIELD(POSTED_INTERRUPT_DESCRIPTOR_ADDRESS),
	};

	for (u32 i = 0; i < array_size(pages); i++) {
		l1_gpa_t address = l1_gpa(vmcs12_get(input->vmcs12, pages[i]));

		image_set(image02, pages[i], l1_to_hpa(input->memory, address).value);
	}
	image_set(image02, VMCS_MSR_BITMAP_ADDRESS, input->msr_bitmap02.value);
	image_set(image02, VMCS_EPT_POINTER, input->eptp02);
	image_set(image02, VMCS_SUB_PAGE_PERMISSION_TABLE_POINTER, input->spptp02);
	image_set(image02, VMCS_VPID, input->vpid02);
}

/*
 * Where L0 watches ports, L2 runs with bitmaps that have them: L0's own, or a copy of
 * L1's with L0's bits. Bitmaps would switch unconditional exits off, and with those
 * every port is watched. SDM "Processor-Based VM-Execution Controls".
 */
static void merge_io_control(struct vmcs_image *image02, const struct merge_input *input)
{
	u64 proc;

	if (likely(!input->io))
		return;
	proc = image_get(image02, VMCS_PROCESSOR_BASED_CONTROLS);
	if (!(proc & PROC_UNCONDITIONAL_IO_EXITING))
		image_set(image02, VMCS_PROCESSOR_BASED_CONTROLS, proc | PROC_USE_IO_BITMAPS);
}

static hpa_t io_bitmaps02(const struct merge_input *input)
{
	return vmcs12_has(input->vmcs12, WORD_PROC, PROC_USE_IO_BITMAPS) ? input->io->bitmaps02 : input->io->bitmaps01;
}

static void merge_io_addresses(struct vmcs_image *image02, const struct merge_input *input)
{
	if (!input->io)
		return;
	image_set(image02, VMCS_IO_BITMAP_A_ADDRESS, io_bitmaps02(input).value);
	image_set(image02, VMCS_IO_BITMAP_B_ADDRESS, io_bitmaps02(input).value + PAGE_SIZE);
}

bool merge_io_is_stale(const struct vmcs_image *image02, const struct merge_input *input)
{
	return input->io && image_get(image02, VMCS_IO_BITMAP_A_ADDRESS) != io_bitmaps02(input).value;
}

/* SDM "Checks on Guest Non-Register State": without the control a link pointer must not lead to a shadow VMCS. */
static void merge_shadow(struct vmcs_image *image02, const struct merge_input *input)
{
	const struct merge_shadow *shadow = input->shadow;

	image_set(image02, VMCS_VMCS_LINK_POINTER, shadow ? shadow->link : ~UINT64_C(0));
	image_set(image02, VMCS_VMREAD_BITMAP_ADDRESS, shadow ? shadow->vmread_bitmap.value : 0);
	image_set(image02, VMCS_VMWRITE_BITMAP_ADDRESS, shadow ? shadow->vmwrite_bitmap.value : 0);
}

bool merge_shadow_is_stale(const struct vmcs_image *image02, const struct merge_input *input)
{
	return input->shadow && image_get(image02, VMCS_VMCS_LINK_POINTER) != input->shadow->link;
}

/*
 * State that vmcs12 need not load is then L1's: hardware would leave it alone,
 * but between L1 and L2 there was L0. SDM "Loading Guest Control Registers,
 * Debug Registers, and MSRs".
 */
static void merge_unloaded_state(struct vmcs_image *image02, const struct merge_input *input)
{
	u32 entry = vmcs12_control(input->vmcs12, WORD_ENTRY);

	if (!(entry & ENTRY_LOAD_IA32_EFER)) {
		u64 mode = EFER_LMA | (vmcs12_get(input->vmcs12, VMCS_GUEST_CR0) & CR0_PG ? EFER_LME : 0);
		u64 efer = input->l1.efer & ~EFER_LMA;

		/* LME follows IA-32e mode only while paging is on. */
		if (entry & ENTRY_IA32E_MODE_GUEST)
			efer |= mode;
		else if (mode & EFER_LME)
			efer &= ~EFER_LME;
		image_set(image02, VMCS_GUEST_IA32_EFER, efer);
	}
	if (!(entry & ENTRY_LOAD_IA32_PAT))
		image_set(image02, VMCS_GUEST_IA32_PAT, input->l1.pat);
	if (!(entry & ENTRY_LOAD_DEBUG_CONTROLS)) {
		image_set(image02, VMCS_GUEST_DR7, input->l1.dr7);
		image_set(image02, VMCS_GUEST_IA32_DEBUGCTL, input->l1.debugctl);
	}
}

/*
 * The entry list runs on hardware from L0's copy; the exit lists are L0's work
 * (msr_store.c; the load list is vmcs01's at the next entry), because a list that
 * hardware cannot carry out at an exit stops the real processor.
 */
static void merge_msr_lists(struct vmcs_image *image02, const struct merge_input *input)
{
	image_set(image02, VMCS_ENTRY_MSR_LOAD_ADDRESS, input->entry_msr_load.value);
	image_set(image02, VMCS_ENTRY_MSR_LOAD_COUNT, vmcs12_get(input->vmcs12, VMCS_ENTRY_MSR_LOAD_COUNT));
	image_set(image02, VMCS_EXIT_MSR_STORE_COUNT, 0);
	image_set(image02, VMCS_EXIT_MSR_LOAD_COUNT, 0);
}

/* The fields that change without an exit: L1 writes them through the shadow VMCS, L2 by running. */
static void copy_hot(struct vmcs_image *image02, const struct merge_input *input)
{
	const struct vmcs_image *image12 = &input->vmcs12->fields;

#define IF_RW_NO(copy)
#define IF_RW_RO(copy)
#define IF_RW_RW(copy) copy
#define COPY_HOST(i)
#define COPY_L0(i)
#define F(encoding, name, class, shadow, exists) IF_RW_##shadow(COPY_##class(VMCS_INDEX_##name))
#include "vmx/vmcs_fields.def"
#undef F
	for (u32 i = 0; i < sync_hot_count; i++)
		image02->value[sync_hot_fields[i].index] = image12->value[sync_hot_fields[i].index];
}

void merge_again(struct vmcs_image *image02, const struct merge_input *input)
{
	copy_hot(image02, input);
	merge_controls(image02, input);
	merge_unloaded_state(image02, input);
	merge_msr_lists(image02, input);
	merge_io_control(image02, input);
	image_set(image02, VMCS_EPT_POINTER, input->eptp02);
	image_set(image02, VMCS_SUB_PAGE_PERMISSION_TABLE_POINTER, input->spptp02);
	/* Secondary controls, and with them VPIDs, come and go with a bit that L1 writes without an exit. */
	image_set(image02, VMCS_VPID, input->vpid02);
}

void merge(struct vmcs_image *image02, const struct merge_input *input)
{
	copy_straight(image02, input);
	merge_controls(image02, input);
	merge_addresses(image02, input);
	merge_io_control(image02, input);
	merge_io_addresses(image02, input);
	merge_unloaded_state(image02, input);
	merge_msr_lists(image02, input);
	merge_shadow(image02, input);
	for (u32 i = 0; input->pdpte && i < 4; i++)
		image02->value[VMCS_INDEX_GUEST_PDPTE0 + i] = input->pdpte[i];
}

bool merge_is_hot(const struct vmcs_field_info *info)
{
	static const vmcs_field computed[] = {
		VMCS_FIELD(PIN_BASED_CONTROLS), VMCS_FIELD(PROCESSOR_BASED_CONTROLS),
		VMCS_FIELD(SECONDARY_PROCESSOR_BASED_CONTROLS), VMCS_FIELD(EXIT_CONTROLS), VMCS_FIELD(ENTRY_CONTROLS),
		VMCS_FIELD(ENTRY_INTERRUPTION_INFORMATION), VMCS_FIELD(EPT_POINTER), VMCS_FIELD(VPID),
		VMCS_FIELD(SUB_PAGE_PERMISSION_TABLE_POINTER),
		VMCS_FIELD(ENTRY_MSR_LOAD_ADDRESS), VMCS_FIELD(ENTRY_MSR_LOAD_COUNT), VMCS_FIELD(EXIT_MSR_STORE_COUNT),
		VMCS_FIELD(EXIT_MSR_LOAD_COUNT),
	};

	for (u32 i = 0; i < array_size(computed); i++)
		if (computed[i].index == info->field.index)
			return true;
	for (u32 i = 0; i < sync_hot_count; i++)
		if (sync_hot_fields[i].index == info->field.index)
			return true;
	return info->shadow == SHADOW_RW && (info->class == CLASS_GUEST || info->class == CLASS_PASS);
}
