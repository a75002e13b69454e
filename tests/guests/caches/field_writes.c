/* SPDX-License-Identifier: MIT */
/*
 * L1 writes one field between an exit and the next entry: L2 sees it in its next round, L1 reads it back after that,
 * and with the old value all is as it was. SDM "Loading Guest State", "VM-Execution Control Fields".
 */
#include "tests/guests/caches/caches.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/text.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

/* What l2_tell_everything stores, in eight bytes each. */
static const char *const names[] = { "rflags", "rsp", "cr0", "cr3", "cr4", "dr7", "es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr",
	"gdtr", "gdtr_high", "idtr", "idtr_high", "fs_base", "gs_base", "sysenter_cs", "sysenter_esp", "sysenter_eip", "pat", "efer", "tsc",
	"mapped" };

struct seen {
	u64 value[ARRAY_SIZE(names)];
};

static struct seen usual;
static struct vm *vm;

static void look(struct seen *to)
{
	memcpy(to, (void *)vm->gpr[RSI], sizeof(*to));
}

static void say_seen(void)
{
	struct seen now;
	bool any = false;

	look(&now);
	for (u32 i = 0; i < ARRAY_SIZE(names); i++) {
		if (now.value[i] == usual.value[i])
			continue;
		say("%s%s", any ? "," : "", names[i]);
		any = true;
	}
	if (!any)
		say("-");
}

static void let_all_msrs_pass(void)
{
	memset((void *)vm->msr_bitmap, 0, PAGE_SIZE);
}

static void map_other(u64 root, u64 value)
{
	u64 *page = page_alloc();

	*page = value;
	*paging_entry(root, MAPPED_ADDRESS, 1, PTE_P | PTE_W | PTE_U) = (u64)page | PTE_P | PTE_W;
}

static u64 other_tables, other_ept;

/* CR0.TS and CR4.TSD are L1's: L2 reads the shadows. */
static void create(void)
{
	vm = rounds_create(l2_tell_everything);
	let_all_msrs_pass();
	vm_set(PROCESSOR_BASED_CONTROLS, PROC_USE_TSC_OFFSETTING);
	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_DEBUG_CONTROLS | ENTRY_LOAD_IA32_PAT | ENTRY_LOAD_IA32_EFER);
	vmwrite(GUEST_IA32_PAT, 0x0007040600070406);
	vmwrite(GUEST_IA32_EFER, EFER_LME | EFER_LMA | EFER_NXE);
	vm_set(GUEST_CR0, CR0_TS);
	vm_set(GUEST_CR4, CR4_TSD);
	vmwrite(CR0_GUEST_HOST_MASK, CR0_TS);
	vmwrite(CR4_GUEST_HOST_MASK, CR4_TSD);
	vmwrite(TSC_OFFSET, 0);
	vm->gpr[RSI] = (u64)page_alloc();
	vm->gpr[RDI] = MAPPED_ADDRESS;
	other_tables = paging_identity(PTE_W);
	map_other(vm->page_table, 0x1111);
	map_other(other_tables, 0x2222);
	other_ept = ept_identity();
	*ept_entry(other_ept, vm->gpr[RSI], 1) = (u64)page_alloc() | EPT_RWX | EPT_MEMORY_TYPE_WB;
	rounds(vm, 1);
	look(&usual);
}

struct field_value {
	const char *name;
	enum vmcs_field field;
	u64 turned;           /* bits turned over */
	const char *expected; /* what L2 sees of it */
};

/* Seen by L2 in the next round, kept in the field, and gone with the old value; at each depth. */
#define SEEN(rows) rows " kept - " rows " kept - " rows " kept - "
static const struct field_value fields[] = {
	{ "rsp", GUEST_RSP, 0x80, SEEN("rsp") },
	{ "rflags", GUEST_RFLAGS, 0x8d5, SEEN("rflags") },
	{ "cr0", GUEST_CR0, CR0_AM, SEEN("cr0") },
	{ "cr0_hidden", GUEST_CR0, CR0_TS, SEEN("-") },
	{ "cr0_shadow", CR0_READ_SHADOW, CR0_TS, SEEN("cr0") },
	{ "cr0_mask", CR0_GUEST_HOST_MASK, CR0_TS, SEEN("cr0") },
	{ "cr3", GUEST_CR3, 8, SEEN("cr3") },
	{ "cr4", GUEST_CR4, CR4_DE, SEEN("cr4") },
	{ "cr4_hidden", GUEST_CR4, CR4_TSD, SEEN("-") },
	{ "cr4_shadow", CR4_READ_SHADOW, CR4_TSD, SEEN("cr4") },
	{ "cr4_mask", CR4_GUEST_HOST_MASK, CR4_TSD, SEEN("cr4") },
	{ "dr7", GUEST_DR7, 0x55, SEEN("dr7") },
	{ "es", GUEST_ES_SELECTOR, SELECTOR_DATA, SEEN("es") },
	{ "cs", GUEST_CS_SELECTOR, 0x40, SEEN("cs") },
	{ "ss", GUEST_SS_SELECTOR, SELECTOR_DATA, SEEN("ss") },
	{ "ds", GUEST_DS_SELECTOR, SELECTOR_DATA, SEEN("ds") },
	{ "fs", GUEST_FS_SELECTOR, SELECTOR_DATA, SEEN("fs") },
	{ "gs", GUEST_GS_SELECTOR, SELECTOR_DATA, SEEN("gs") },
	{ "ldtr", GUEST_LDTR_SELECTOR, 0x30, SEEN("ldtr") },
	{ "tr", GUEST_TR_SELECTOR, 0x10, SEEN("tr") },
	{ "fs_base", GUEST_FS_BASE, 0x1230, SEEN("fs_base") },
	{ "gs_base", GUEST_GS_BASE, 0x1230, SEEN("gs_base") },
	{ "es_base", GUEST_ES_BASE, 0x1230, SEEN("-") },
	{ "es_limit", GUEST_ES_LIMIT, 0xfffff000, SEEN("-") },
	{ "es_rights", GUEST_ES_ACCESS_RIGHTS, 4, SEEN("-") },
	{ "fs_limit", GUEST_FS_LIMIT, 0xfffff000, SEEN("-") },
	{ "tr_base", GUEST_TR_BASE, 0x1000, SEEN("-") },
	{ "tr_limit", GUEST_TR_LIMIT, 0x80, SEEN("-") },
	{ "ldtr_base", GUEST_LDTR_BASE, 0x1000, SEEN("-") },
	{ "ldtr_limit", GUEST_LDTR_LIMIT, 0x80, SEEN("-") },
	{ "gdtr_base", GUEST_GDTR_BASE, 0x1000, SEEN("gdtr") },
	{ "gdtr_limit", GUEST_GDTR_LIMIT, 0x100, SEEN("gdtr") },
	{ "idtr_base", GUEST_IDTR_BASE, 0x1000, SEEN("idtr") },
	{ "idtr_limit", GUEST_IDTR_LIMIT, 0x100, SEEN("idtr") },
	{ "sysenter_cs", GUEST_IA32_SYSENTER_CS, 0x23, SEEN("sysenter_cs") },
	{ "sysenter_esp", GUEST_IA32_SYSENTER_ESP, 0x2340, SEEN("sysenter_esp") },
	{ "sysenter_eip", GUEST_IA32_SYSENTER_EIP, 0x2340, SEEN("sysenter_eip") },
	{ "pat", GUEST_IA32_PAT, 6ull << 56, SEEN("pat") },
	{ "efer", GUEST_IA32_EFER, EFER_SCE, SEEN("efer") },
	{ "tsc_offset", TSC_OFFSET, 1ull << 52, SEEN("tsc") },
	{ "tsc_offsetting", PROCESSOR_BASED_CONTROLS, PROC_USE_TSC_OFFSETTING, SEEN("-") },
	{ "pat_loaded", VM_ENTRY_CONTROLS, ENTRY_LOAD_IA32_PAT, SEEN("-") },
	{ "efer_loaded", VM_ENTRY_CONTROLS, ENTRY_LOAD_IA32_EFER, SEEN("-") },
	{ "exception_bitmap", EXCEPTION_BITMAP, BIT(3), SEEN("-") },
	{ "cr3_target", CR3_TARGET_VALUE_0, 0x1000, SEEN("-") },
	{ "error_code", VM_ENTRY_EXCEPTION_ERROR_CODE, 0x55, SEEN("-") },
	{ "length", VM_ENTRY_INSTRUCTION_LENGTH, 7, SEEN("-") },
	{ "unused_injection", VM_ENTRY_INTERRUPTION_INFORMATION, 0x333, SEEN("-") },
};

/* RIP and RAX to RDX are in the round itself; CPUID leaves flags and RSP alone. */
static void write_once(enum vmcs_field field, u64 value)
{
	u64 old = vmread(field);

	vmwrite(field, value);
	rounds(vm, 1);
	say_seen();
	say(vmread(field) == value ? " kept " : " is %lx ", vmread(field));
	vmwrite(field, old);
	rounds(vm, 1);
	say_seen();
	say(" ");
}

static void write_at_each_depth(const char *name, enum vmcs_field field, u64 turned, const char *expected)
{
	static const u32 depths[] = DEPTHS;
	struct text line;

	for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
		rounds(vm, depths[d]);
		write_once(field, vmread(field) ^ turned);
	}
	name_join(&line, "field_write", name);
	check_said(line.data, expected);
}

/* Expect: nothing but the written field is another to L2. */
static void each_field(void)
{
	create();
	for (u32 i = 0; i < ARRAY_SIZE(fields); i++)
		write_at_each_depth(fields[i].name, fields[i].field, fields[i].turned, fields[i].expected);
	write_at_each_depth("tables", GUEST_CR3, vm->page_table ^ other_tables, SEEN("cr3,mapped"));
	say("done");
}

/* Expect: fields written together all count, in each round, one way and the other. */
static void together(void)
{
	create();
	for (u32 round = 0; round < 5; round++) {
		for (u32 i = 0; i < ARRAY_SIZE(fields); i++)
			if (fields[i].field < VM_ENTRY_INTERRUPTION_INFORMATION || fields[i].field > VM_ENTRY_INSTRUCTION_LENGTH)
				vmwrite(fields[i].field, vmread(fields[i].field) ^ fields[i].turned);
		rounds(vm, 1);
		say_seen();
		say(" ");
	}
}

/* Expect: with the other EPT what L2 tells goes to another page. */
static void ept_pointer(void)
{
	static const u32 depths[] = DEPTHS;
	u64 *page;

	create();
	page = (u64 *)(*ept_entry(other_ept, vm->gpr[RSI], 1) & ~0xfffull);
	for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
		u64 old = vmread(EPT_POINTER);

		rounds(vm, depths[d]);
		*page = *(u64 *)vm->gpr[RSI] = 0;
		vmwrite(EPT_POINTER, (old & 0xfff) | other_ept);
		rounds(vm, 1);
		say("%u%u ", !!*page, !!*(u64 *)vm->gpr[RSI]);
		*page = 0;
		vmwrite(EPT_POINTER, old);
		rounds(vm, 1);
		say("%u%u ", !!*page, !!*(u64 *)vm->gpr[RSI]);
	}
}

static bool loads_msrs(void)
{
	return entry_offers(ENTRY_LOAD_IA32_PAT | ENTRY_LOAD_IA32_EFER);
}

SCENARIOS(field_write_scenarios,
	{ "field_write", each_field, "done", loads_msrs },
	{ "field_write.together", together, NULL, loads_msrs },
	{ "field_write.ept_pointer", ept_pointer, "10 01 10 01 10 01 ", loads_msrs },
);
