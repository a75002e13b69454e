/* SPDX-License-Identifier: MIT */
/*
 * Decoded values: bits by name, from vmx/controls.def where they are controls, and from short tables here; events,
 * exit reasons, access rights and pointers in words. Decides nothing. Pure.
 */
#include "monitor/show_fields.h"

#include "mm/ept.h"
#include "vmx/controls.h"
#include "vmx/exit.h"
#include "vmx/insn_info.h"
#include "vmx/nested/insn.h"
#include "vmx/nested/refusal.h"

/* In the file, names are next to their numbers: no pointer, which the loader would have to relocate. */
struct bit_name {
	u8 bit;
	char name[11];
};

/* SDM "Control Registers" and so on. */
static const struct bit_name cr0_bits[] = {
	{ 0, "PE" }, { 1, "MP" }, { 2, "EM" }, { 3, "TS" }, { 4, "ET" }, { 5, "NE" }, { 16, "WP" }, { 18, "AM" },
	{ 29, "NW" }, { 30, "CD" }, { 31, "PG" },
};
static const struct bit_name cr4_bits[] = {
	{ 0, "VME" }, { 1, "PVI" }, { 2, "TSD" }, { 3, "DE" }, { 4, "PSE" }, { 5, "PAE" }, { 6, "MCE" }, { 7, "PGE" },
	{ 8, "PCE" }, { 9, "OSFXSR" }, { 10, "OSXMMEXCPT" }, { 11, "UMIP" }, { 12, "LA57" }, { 13, "VMXE" }, { 14, "SMXE" },
	{ 16, "FSGSBASE" }, { 17, "PCIDE" }, { 18, "OSXSAVE" }, { 19, "KL" }, { 20, "SMEP" }, { 21, "SMAP" }, { 22, "PKE" },
	{ 23, "CET" }, { 24, "PKS" }, { 25, "UINTR" }, { 28, "LAM_SUP" },
};
static const struct bit_name efer_bits[] = { { 0, "SCE" }, { 8, "LME" }, { 10, "LMA" }, { 11, "NXE" } };
static const struct bit_name rflags_bits[] = {
	{ 0, "CF" }, { 2, "PF" }, { 4, "AF" }, { 6, "ZF" }, { 7, "SF" }, { 8, "TF" }, { 9, "IF" }, { 10, "DF" }, { 11, "OF" },
	{ 14, "NT" }, { 16, "RF" }, { 17, "VM" }, { 18, "AC" }, { 19, "VIF" }, { 20, "VIP" }, { 21, "ID" },
};
static const struct bit_name exception_bits[] = {
	{ 0, "#DE" }, { 1, "#DB" }, { 3, "#BP" }, { 4, "#OF" }, { 5, "#BR" }, { 6, "#UD" }, { 7, "#NM" }, { 8, "#DF" },
	{ 10, "#TS" }, { 11, "#NP" }, { 12, "#SS" }, { 13, "#GP" }, { 14, "#PF" }, { 16, "#MF" }, { 17, "#AC" }, { 18, "#MC" },
	{ 19, "#XM" }, { 20, "#VE" }, { 21, "#CP" },
};
/* SDM "Guest Non-Register State". */
static const struct bit_name blocking_bits[] = {
	{ 0, "STI" }, { 1, "MOV_SS" }, { 2, "SMI" }, { 3, "NMI" }, { 4, "ENCLAVE" },
};

/* Which fields have which of them. */
static const struct {
	u16 row;
	u16 count;
	const struct bit_name *names;
} named_bits[] = {
#define NAMED(field, bits) { VMCS_INDEX_##field, array_size(bits), bits }
	NAMED(GUEST_CR0, cr0_bits), NAMED(HOST_CR0, cr0_bits), NAMED(CR0_GUEST_HOST_MASK, cr0_bits), NAMED(CR0_READ_SHADOW, cr0_bits),
	NAMED(GUEST_CR4, cr4_bits), NAMED(HOST_CR4, cr4_bits), NAMED(CR4_GUEST_HOST_MASK, cr4_bits), NAMED(CR4_READ_SHADOW, cr4_bits),
	NAMED(GUEST_IA32_EFER, efer_bits), NAMED(HOST_IA32_EFER, efer_bits), NAMED(GUEST_RFLAGS, rflags_bits),
	NAMED(EXCEPTION_BITMAP, exception_bits), NAMED(GUEST_INTERRUPTIBILITY_STATE, blocking_bits),
#undef NAMED
};

/* --- bits --------------------------------------------------------------------------- */

static void add_names(struct out_wrap *wrap, const struct bit_name *names, u32 count, u64 value)
{
	for (u32 i = 0; i < count; i++)
		if (value >> names[i].bit & 1)
			wrap_add(wrap, "%s", names[i].name);
}

/* Without the word, which is the field's own name. */
static const char *control_name(const struct control_info *control)
{
	const char *name = control->name;

	while (*name++ != '_')
		;
	return name;
}

/* The others are reserved: some of them are always 1. */
static void add_controls(struct out_wrap *wrap, u32 word, u64 value)
{
	u64 others = value;

	for (u32 i = 0; i < controls_count; i++) {
		if (controls[i].word != word || !(value >> controls[i].bit & 1))
			continue;
		others &= ~BIT(controls[i].bit);
		wrap_add(wrap, "%s", control_name(&controls[i]));
	}
	if (others)
		wrap_add(wrap, "reserved:0x%lx", others);
}

static u32 control_word_of(const struct vmcs_field_info *info)
{
	u32 word = 0;

	while (word < CONTROL_WORD_COUNT && control_fields[word].index != info->field.index)
		word++;
	return word;
}

static u32 named_of(u16 row)
{
	u32 i = 0;

	while (i < array_size(named_bits) && named_bits[i].row != row)
		i++;
	return i;
}

bool show_is_bits(const struct vmcs_field_info *info)
{
	return control_word_of(info) < CONTROL_WORD_COUNT || named_of(info->field.index) < array_size(named_bits);
}

void show_bits(struct out_wrap *wrap, vmcs_field alike, u64 value)
{
	u32 i = named_of(alike.index);

	if (i < array_size(named_bits))
		add_names(wrap, named_bits[i].names, named_bits[i].count, value);
}

/* --- words -------------------------------------------------------------------------- */

const char *show_memory_type(u64 type)
{
	static const char names[][9] = { "UC", "WC", "reserved", "reserved", "WT", "WP", "WB", "reserved" };

	return names[type & 7];
}

const char *show_code_size(u64 access_rights, bool is_long_mode)
{
	if (is_long_mode && (access_rights & ACCESS_RIGHTS_L))
		return "64-bit";
	return access_rights & ACCESS_RIGHTS_DB ? "32-bit" : "16-bit";
}

/* SDM "VM-Entry Controls for Event Injection", "Information for VM Exits Due to Vectored Events". */
static void add_event(struct out_wrap *wrap, u64 value)
{
	static const char types[][30] = {
		"external interrupt", "reserved type", "NMI", "hardware exception", "software interrupt",
		"privileged software exception", "software exception", "other event",
	};

	if (!(value & INTERRUPTION_VALID))
		return;
	wrap_add(wrap, "%s", types[interruption_type(value)]);
	wrap_add(wrap, "%lu", field_get(value, INTERRUPTION_VECTOR));
	if (value & INTERRUPTION_DELIVER_ERROR_CODE)
		wrap_add(wrap, "with error code");
	if (value & INTERRUPTION_NMI_UNBLOCKING)
		wrap_add(wrap, "NMI unblocking");
}

/* SDM "Basic VM-Exit Information". */
static void add_exit_reason(struct out_wrap *wrap, u64 value)
{
	static const struct bit_name flags[] = {
		{ 27, "ENCLAVE" }, { 28, "MTF" }, { 29, "FROM_ROOT" }, { 31, "ENTRY_FAIL" },
	};

	wrap_add(wrap, "%s", exit_name((u32)value & EXIT_REASON_BASIC));
	add_names(wrap, flags, array_size(flags), value);
}

/* SDM "Guest Register State". */
static void add_access_rights(struct out_wrap *wrap, u64 value)
{
	static const struct bit_name flags[] = { { 7, "P" }, { 12, "AVL" }, { 13, "L" }, { 14, "D/B" }, { 15, "G" } };
	const char *type = "system";

	if (value & ACCESS_RIGHTS_UNUSABLE) {
		wrap_add(wrap, "unusable");
		return;
	}
	if (value & ACCESS_RIGHTS_S)
		type = value & ACCESS_RIGHTS_TYPE_CODE ? "code" : "data";
	wrap_add(wrap, "%s", type);
	wrap_add(wrap, "type %lu, DPL %lu,", field_get(value, ACCESS_RIGHTS_TYPE), field_get(value, ACCESS_RIGHTS_DPL));
	add_names(wrap, flags, array_size(flags), value);
}

static void add_eptp(struct out_wrap *wrap, u64 value)
{
	wrap_add(wrap, "%s, %lu levels", show_memory_type(field_get(value, EPTP_MEMORY_TYPE)),
		 field_get(value, EPTP_WALK_LENGTH) + 1);
	if (value & EPTP_ACCESSED_DIRTY)
		wrap_add(wrap, "A/D");
}

static void add_activity(struct out_wrap *wrap, u64 value)
{
	static const char names[][14] = { "active", "HLT", "shutdown", "wait for SIPI" };

	wrap_add(wrap, "%s", value < array_size(names) ? names[value] : "no such state");
}

static void add_instruction_error(struct out_wrap *wrap, u64 value)
{
	if (value == VMERR_CONTROLS || value == VMERR_HOST_STATE)
		wrap_add_words(wrap, value == VMERR_CONTROLS ? "VM entry with invalid controls" : "VM entry with invalid host state");
	else if (value)
		wrap_add_words(wrap, refusal_of_instruction((u32)value));
}

void show_meaning(struct out_wrap *wrap, const struct vmcs_field_info *info, u64 value)
{
	u32 word = control_word_of(info);

	if (word < CONTROL_WORD_COUNT) {
		add_controls(wrap, word, value);
		return;
	}
	switch (info->field.index) {
	case VMCS_INDEX_ENTRY_INTERRUPTION_INFORMATION:
	case VMCS_INDEX_EXIT_INTERRUPTION_INFORMATION:
	case VMCS_INDEX_IDT_VECTORING_INFORMATION:
		add_event(wrap, value);
		return;
	case VMCS_INDEX_EXIT_REASON:
		add_exit_reason(wrap, value);
		return;
	case VMCS_INDEX_VM_INSTRUCTION_ERROR:
		add_instruction_error(wrap, value);
		return;
	case VMCS_INDEX_EPT_POINTER:
		add_eptp(wrap, value);
		return;
	case VMCS_INDEX_GUEST_ACTIVITY_STATE:
		add_activity(wrap, value);
		return;
	default:
		if (info->field.index >= VMCS_INDEX_GUEST_ES_ACCESS_RIGHTS && info->field.index <= VMCS_INDEX_GUEST_TR_ACCESS_RIGHTS)
			add_access_rights(wrap, value);
		else
			show_bits(wrap, info->field, value);
	}
}
