/* SPDX-License-Identifier: MIT */
/*
 * VMREAD and VMWRITE: which fields exist, widths, the high halves of 64-bit
 * fields, read-only fields. SDM "VMREAD—Read Field from Virtual-Machine
 * Control Structure", "Field Encoding in VMCS".
 */
#include "tests/guests/insn/insn.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/x86.h"

#define MISC_VMWRITE_ANY_FIELD BIT(29)

static u32 read_field(u64 field)
{
	u64 value = 0;

	return attempt(op_vmread, field, (u64)&value);
}

static void unsupported(void)
{
	static const struct {
		const char *name;
		u64 field;
	} cases[] = {
		{ "field.0x0c10", 0x0c10 },
		{ "field.natural_high_half", GUEST_RIP + 1 },
		{ "field.32_bit_high_half", GUEST_ES_LIMIT + 1 },
		{ "field.16_bit_high_half", GUEST_ES_SELECTOR + 1 },
		{ "field.index_out_of_range", 0x69fe },
		{ "field.type_gap", 0x6fff },
		{ "field.reserved_bit_12", GUEST_RIP | 0x1000 },
		{ "field.reserved_bit_15", GUEST_RIP | 0x8000 },
		{ "field.bit_16", GUEST_RIP | 0x10000 },
		{ "field.all_ones", 0xffffffff },
		{ "field.0x40fe", 0x40fe },
	};

	for (u32 i = 0; i < ARRAY_SIZE(cases); i++) {
		say("vmread %o", read_field(cases[i].field));
		say(", vmwrite %o", attempt(op_vmwrite, cases[i].field, 0));
		check_said(cases[i].name, "vmread VMfailValid 12, vmwrite VMfailValid 12");
	}
}

static void said_width(const char *name, enum vmcs_field field, const char *expected)
{
	vmwrite(field, 0xfedcba9876543210);
	say("%lx", vmread(field));
	vmwrite(field, 0);
	check_said(name, expected);
}

static void high_halves(void)
{
	vmwrite(TSC_OFFSET, 0x1122334455667788);
	say("%lx", vmread(TSC_OFFSET + 1));
	check_said("high_half.read", "0x11223344");
	vmwrite(TSC_OFFSET + 1, 0xffffffffaabbccdd);
	say("%lx", vmread(TSC_OFFSET));
	check_said("high_half.write", "0xaabbccdd55667788");
	vmwrite(VMCS_LINK_POINTER, ~0ull);
	vmwrite(VMCS_LINK_POINTER + 1, 0x12);
	say("%lx", vmread(VMCS_LINK_POINTER));
	check_said("high_half.link_pointer", "0x12ffffffff");
	say("%o", read_field(GUEST_PHYSICAL_ADDRESS + 1));
	check_said("high_half.read_only_field", "ok");
}

/* Expect: as IA32_VMX_MISC bit 29 says, either all or none can be written. */
static void read_only(void)
{
	static const enum vmcs_field fields[] = {
		VM_INSTRUCTION_ERROR, EXIT_REASON, VM_EXIT_INTERRUPTION_INFORMATION,
		IDT_VECTORING_INFORMATION, VM_EXIT_INSTRUCTION_LENGTH, EXIT_QUALIFICATION,
		GUEST_LINEAR_ADDRESS, GUEST_PHYSICAL_ADDRESS,
	};
	bool writable = rdmsr(IA32_VMX_MISC) & MISC_VMWRITE_ANY_FIELD;
	u32 wanted = writable ? OUTCOME_OK : VMFAIL(ERROR_READ_ONLY_FIELD);
	u32 agree = 0;

	for (u32 i = 0; i < ARRAY_SIZE(fields); i++)
		agree += attempt(op_vmwrite, fields[i], 1) == wanted;
	say("%u fields as the capability says", agree);
	check_said("read_only", "8 fields as the capability says");
}

/* Fields that exist on every processor with VMX; all widths and types. */
static const enum vmcs_field always[] = {
	GUEST_ES_SELECTOR, GUEST_CS_SELECTOR, GUEST_SS_SELECTOR, GUEST_DS_SELECTOR,
	GUEST_FS_SELECTOR, GUEST_GS_SELECTOR, GUEST_LDTR_SELECTOR, GUEST_TR_SELECTOR,
	HOST_ES_SELECTOR, HOST_CS_SELECTOR, HOST_SS_SELECTOR, HOST_DS_SELECTOR,
	HOST_FS_SELECTOR, HOST_GS_SELECTOR, HOST_TR_SELECTOR, IO_BITMAP_A, IO_BITMAP_B,
	VM_EXIT_MSR_STORE_ADDRESS, VM_EXIT_MSR_LOAD_ADDRESS, VM_ENTRY_MSR_LOAD_ADDRESS,
	TSC_OFFSET, VMCS_LINK_POINTER, GUEST_IA32_DEBUGCTL, PIN_BASED_CONTROLS,
	PROCESSOR_BASED_CONTROLS, EXCEPTION_BITMAP, PAGE_FAULT_ERROR_CODE_MASK,
	PAGE_FAULT_ERROR_CODE_MATCH, CR3_TARGET_COUNT, VM_EXIT_CONTROLS,
	VM_EXIT_MSR_STORE_COUNT, VM_EXIT_MSR_LOAD_COUNT, VM_ENTRY_CONTROLS,
	VM_ENTRY_MSR_LOAD_COUNT, VM_ENTRY_INTERRUPTION_INFORMATION,
	VM_ENTRY_EXCEPTION_ERROR_CODE, VM_ENTRY_INSTRUCTION_LENGTH, GUEST_ES_LIMIT,
	GUEST_CS_LIMIT, GUEST_SS_LIMIT, GUEST_DS_LIMIT, GUEST_FS_LIMIT, GUEST_GS_LIMIT,
	GUEST_LDTR_LIMIT, GUEST_TR_LIMIT, GUEST_GDTR_LIMIT, GUEST_IDTR_LIMIT,
	GUEST_INTERRUPTIBILITY_STATE, GUEST_ACTIVITY_STATE, GUEST_SMBASE,
	GUEST_IA32_SYSENTER_CS, HOST_IA32_SYSENTER_CS, CR0_GUEST_HOST_MASK,
	CR4_GUEST_HOST_MASK, CR0_READ_SHADOW, CR4_READ_SHADOW, CR3_TARGET_VALUE_0,
	CR3_TARGET_VALUE_1, GUEST_CR0, GUEST_CR3, GUEST_CR4, GUEST_ES_BASE, GUEST_CS_BASE,
	GUEST_SS_BASE, GUEST_DS_BASE, GUEST_FS_BASE, GUEST_GS_BASE, GUEST_LDTR_BASE,
	GUEST_TR_BASE, GUEST_GDTR_BASE, GUEST_IDTR_BASE, GUEST_DR7, GUEST_RSP, GUEST_RIP,
	GUEST_RFLAGS, GUEST_PENDING_DEBUG_EXCEPTIONS, GUEST_IA32_SYSENTER_ESP,
	GUEST_IA32_SYSENTER_EIP, HOST_CR0, HOST_CR3, HOST_CR4, HOST_FS_BASE, HOST_GS_BASE,
	HOST_TR_BASE, HOST_GDTR_BASE, HOST_IDTR_BASE, HOST_IA32_SYSENTER_ESP,
	HOST_IA32_SYSENTER_EIP, HOST_RSP, HOST_RIP,
};

static u64 pattern(u32 i, enum vmcs_field field)
{
	static const u64 widths[] = { 0xffff, ~0ull, 0xffffffff, ~0ull };

	return (0x0123456789abcdef * (i + 1)) & widths[field >> 13 & 3];
}

/* Expect: no two fields share storage, also after VMCLEAR and VMPTRLD. */
static void all_keep_their_value(u64 vmcs)
{
	u32 good = 0;

	for (u32 i = 0; i < ARRAY_SIZE(always); i++)
		vmwrite(always[i], pattern(i, always[i]));
	for (u32 i = 0; i < ARRAY_SIZE(always); i++)
		good += vmread(always[i]) == pattern(i, always[i]);
	say("%u of %u fields", good, (u32)ARRAY_SIZE(always));
	expect(good == ARRAY_SIZE(always));
	check_said("fields.keep_their_value", NULL);
	vmclear(vmcs);
	vmptrld(vmcs);
	good = 0;
	for (u32 i = 0; i < ARRAY_SIZE(always); i++)
		good += vmread(always[i]) == pattern(i, always[i]);
	say("%u of %u fields", good, (u32)ARRAY_SIZE(always));
	expect(good == ARRAY_SIZE(always));
	check_said("fields.keep_their_value_over_vmclear", NULL);
}

void group_fields(void)
{
	u64 vmcs = vmx_region_alloc();

	vmclear(vmcs);
	vmptrld(vmcs);
	unsupported();
	say("vmread %o", read_field(GUEST_RIP | BIT(32)));
	check_said("field.bit_32", "vmread VMfailValid 12");
	said_width("width.16", GUEST_ES_SELECTOR, "0x3210");
	said_width("width.32", GUEST_ES_LIMIT, "0x76543210");
	said_width("width.64", TSC_OFFSET, "0xfedcba9876543210");
	said_width("width.natural", GUEST_RIP, "0xfedcba9876543210");
	high_halves();
	read_only();
	check_outcome("error_after_refusal", attempt(op_vmwrite, 0x69fe, 0),
		      VMFAIL(ERROR_UNSUPPORTED_FIELD));
	say("%lu", vmread(VM_INSTRUCTION_ERROR));
	check_said("error_field_stays", "12");
	all_keep_their_value(vmcs);
	vmclear(vmcs);
	say("complete");
}
