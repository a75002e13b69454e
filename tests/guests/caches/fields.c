/* SPDX-License-Identifier: MIT */
/*
 * Every field of a VMCS, read in several orders after the first exit, a few and many, of an L2 that changes all its state each
 * time; from one VMCS, from two in turn, and after VMCLEAR. SDM "Saving Guest State", "VM-Exit Information Fields".
 */
#include "tests/guests/caches/caches.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/text.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define L2_LDT 0x30
#define L2_OTHER_CODE 0x48
#define READ_HIGH 1024
#define WRITE_LOW 2048
#define WRITE_HIGH 3072
#define UNREADABLE 0xeeeeeeee00000000ull
#define MARK 0x5a0
#define MANY_OTHERS 10

/* Lines of the result. Guest-linear and guest-physical address mean nothing after CPUID, so they are not asked for. */
static const struct group {
	const char *name;
	u32 count;
	enum vmcs_field fields[24];
} groups[] = {
	{ "controls16_32", 17, { VIRTUAL_PROCESSOR_IDENTIFIER, PIN_BASED_CONTROLS, PROCESSOR_BASED_CONTROLS, EXCEPTION_BITMAP,
	  PAGE_FAULT_ERROR_CODE_MASK, PAGE_FAULT_ERROR_CODE_MATCH, CR3_TARGET_COUNT, VM_EXIT_CONTROLS, VM_EXIT_MSR_STORE_COUNT,
	  VM_EXIT_MSR_LOAD_COUNT, VM_ENTRY_CONTROLS, VM_ENTRY_MSR_LOAD_COUNT, VM_ENTRY_INTERRUPTION_INFORMATION,
	  VM_ENTRY_EXCEPTION_ERROR_CODE, VM_ENTRY_INSTRUCTION_LENGTH, TPR_THRESHOLD, SECONDARY_CONTROLS } },
	{ "controls64", 14, { IO_BITMAP_A, IO_BITMAP_B, MSR_BITMAP, VM_EXIT_MSR_STORE_ADDRESS, VM_EXIT_MSR_LOAD_ADDRESS,
	  VM_ENTRY_MSR_LOAD_ADDRESS, TSC_OFFSET, EPT_POINTER, CR0_GUEST_HOST_MASK, CR4_GUEST_HOST_MASK, CR0_READ_SHADOW, CR4_READ_SHADOW,
	  CR3_TARGET_VALUE_0, CR3_TARGET_VALUE_1 } },
	{ "information", 9, { VM_INSTRUCTION_ERROR, EXIT_REASON, VM_EXIT_INTERRUPTION_INFORMATION, VM_EXIT_INTERRUPTION_ERROR_CODE,
	  IDT_VECTORING_INFORMATION, IDT_VECTORING_ERROR_CODE, VM_EXIT_INSTRUCTION_LENGTH, EXIT_QUALIFICATION, VMCS_LINK_POINTER } },
	{ "selectors", 8, { GUEST_ES_SELECTOR, GUEST_CS_SELECTOR, GUEST_SS_SELECTOR, GUEST_DS_SELECTOR, GUEST_FS_SELECTOR,
	  GUEST_GS_SELECTOR, GUEST_LDTR_SELECTOR, GUEST_TR_SELECTOR } },
	{ "limits", 10, { GUEST_ES_LIMIT, GUEST_CS_LIMIT, GUEST_SS_LIMIT, GUEST_DS_LIMIT, GUEST_FS_LIMIT, GUEST_GS_LIMIT, GUEST_LDTR_LIMIT,
	  GUEST_TR_LIMIT, GUEST_GDTR_LIMIT, GUEST_IDTR_LIMIT } },
	{ "rights", 8, { GUEST_ES_ACCESS_RIGHTS, GUEST_CS_ACCESS_RIGHTS, GUEST_SS_ACCESS_RIGHTS, GUEST_DS_ACCESS_RIGHTS,
	  GUEST_FS_ACCESS_RIGHTS, GUEST_GS_ACCESS_RIGHTS, GUEST_LDTR_ACCESS_RIGHTS, GUEST_TR_ACCESS_RIGHTS } },
	{ "bases", 10, { GUEST_ES_BASE, GUEST_CS_BASE, GUEST_SS_BASE, GUEST_DS_BASE, GUEST_FS_BASE, GUEST_GS_BASE, GUEST_LDTR_BASE,
	  GUEST_TR_BASE, GUEST_GDTR_BASE, GUEST_IDTR_BASE } },
	{ "registers", 17, { GUEST_CR0, GUEST_CR3, GUEST_CR4, GUEST_DR7, GUEST_RSP, GUEST_RIP, GUEST_RFLAGS,
	  GUEST_PENDING_DEBUG_EXCEPTIONS, GUEST_IA32_SYSENTER_CS, GUEST_IA32_SYSENTER_ESP, GUEST_IA32_SYSENTER_EIP, GUEST_IA32_DEBUGCTL,
	  GUEST_IA32_PAT, GUEST_IA32_EFER, GUEST_INTERRUPTIBILITY_STATE, GUEST_ACTIVITY_STATE, GUEST_SMBASE } },
	{ "host", 22, { HOST_ES_SELECTOR, HOST_CS_SELECTOR, HOST_SS_SELECTOR, HOST_DS_SELECTOR, HOST_FS_SELECTOR, HOST_GS_SELECTOR,
	  HOST_TR_SELECTOR, HOST_IA32_PAT, HOST_IA32_EFER, HOST_IA32_SYSENTER_CS, HOST_CR0, HOST_CR3, HOST_CR4, HOST_FS_BASE, HOST_GS_BASE,
	  HOST_TR_BASE, HOST_GDTR_BASE, HOST_IDTR_BASE, HOST_IA32_SYSENTER_ESP, HOST_IA32_SYSENTER_EIP, HOST_RSP, HOST_RIP } },
};

#define MOST_FIELDS (ARRAY_SIZE(groups) * 24)

enum order { ASCENDING, DESCENDING, IN_MEMORY, ORDERS };

struct snapshot {
	u64 value[ARRAY_SIZE(groups)][24];
};

/* Of addresses in the image only the distance counts: it may lie anywhere. */
static u64 relative(const struct vm *vm, enum vmcs_field field, u64 value)
{
	if (field == GUEST_RIP)
		return value - vm->code;
	if (field == HOST_RIP)
		return value - (u64)vm_exit_point;
	return value;
}

static u64 read_field(const struct vm *vm, enum vmcs_field field, enum order order)
{
	u64 value = 0;
	u32 outcome = (order == IN_MEMORY ? op_vmread_memory : op_vmread)(field, (u64)&value);

	return outcome == OUTCOME_OK ? relative(vm, field, value) : UNREADABLE | outcome;
}

static void read_all(const struct vm *vm, enum order order, struct snapshot *to)
{
	for (u32 i = 0; i < MOST_FIELDS; i++) {
		u32 at = order == DESCENDING ? (u32)MOST_FIELDS - 1 - i : i;
		const struct group *group = &groups[at / 24];

		if (at % 24 < group->count)
			to->value[at / 24][at % 24] = read_field(vm, group->fields[at % 24], order);
	}
}

static void say_changes(const struct snapshot *is, const struct snapshot *expected)
{
	u32 differ = 0;

	for (u32 g = 0; g < ARRAY_SIZE(groups); g++)
		for (u32 f = 0; f < groups[g].count; f++)
			if (is->value[g][f] != expected->value[g][f] && differ++ < 8)
				say("[%x is %lx not %lx]", (u32)groups[g].fields[f], is->value[g][f], expected->value[g][f]);
	say(differ ? "(%u) " : "- ", differ);
}

static void print_all(const char *name, const struct snapshot *snapshot)
{
	struct text line;

	for (u32 g = 0; g < ARRAY_SIZE(groups); g++) {
		for (u32 f = 0; f < groups[g].count; f++)
			say("%lx ", snapshot->value[g][f]);
		name_join(&line, name, groups[g].name);
		check_said(line.data, NULL);
	}
}

/* --- the L2 ------------------------------------------------------------------------ */

static void let_pass(struct vm *vm)
{
	static const struct {
		u32 area, msr;
	} passed[] = {
		{ WRITE_LOW, IA32_SYSENTER_CS }, { WRITE_LOW, IA32_SYSENTER_ESP }, { WRITE_LOW, IA32_SYSENTER_EIP },
		{ WRITE_LOW, IA32_PAT },
		{ WRITE_HIGH, IA32_FS_BASE }, { WRITE_HIGH, IA32_GS_BASE }, { WRITE_HIGH, IA32_EFER }, { READ_HIGH, IA32_EFER },
	};

	for (u32 i = 0; i < ARRAY_SIZE(passed); i++)
		((u8 *)vm->msr_bitmap)[passed[i].area + (passed[i].msr & 0x1fff) / 8] &= (u8)~(1u << (passed[i].msr & 7));
}

static bool saves_msrs(void)
{
	return entry_offers(ENTRY_LOAD_IA32_PAT | ENTRY_LOAD_IA32_EFER) && exit_offers(EXIT_SAVE_IA32_PAT | EXIT_SAVE_IA32_EFER);
}

/* PAT, EFER and the debug registers as L2's own. */
static void keep_msrs(void)
{
	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_IA32_PAT | ENTRY_LOAD_IA32_EFER | ENTRY_LOAD_DEBUG_CONTROLS);
	vm_set(VM_EXIT_CONTROLS, EXIT_SAVE_IA32_PAT | EXIT_SAVE_IA32_EFER | EXIT_SAVE_DEBUG_CONTROLS);
	vmwrite(GUEST_IA32_PAT, 0x0007040600070406);
	vmwrite(GUEST_IA32_EFER, EFER_LME | EFER_LMA | EFER_NXE);
}

/* Its GDT has an LDT and a second code segment; fields that nothing uses have a value that must stay. */
static struct vm *create(bool own_msrs)
{
	static const enum vmcs_field unused[] = { GUEST_IA32_PAT, GUEST_IA32_EFER, HOST_IA32_PAT, HOST_IA32_EFER, IO_BITMAP_A, IO_BITMAP_B,
		TSC_OFFSET, TPR_THRESHOLD, VIRTUAL_PROCESSOR_IDENTIFIER, CR3_TARGET_VALUE_0, CR3_TARGET_VALUE_1,
		VM_EXIT_MSR_STORE_ADDRESS, VM_EXIT_MSR_LOAD_ADDRESS, VM_ENTRY_MSR_LOAD_ADDRESS };
	struct vm *vm = rounds_create(l2_change_everything);
	u64 ldt = (u64)page_alloc();

	for (u32 i = 0; i < ARRAY_SIZE(unused); i++)
		vmwrite(unused[i], MARK + i * 16);
	let_pass(vm);
	if (own_msrs)
		keep_msrs();
	vm->tables->gdt[L2_LDT / 8] = 0x77 | (ldt & 0xffffff) << 16 | 0x82ull << 40 | (ldt >> 24 & 0xff) << 56;
	vm->tables->gdt[L2_OTHER_CODE / 8] = vm->tables->gdt[SELECTOR_CODE64 / 8];
	vm->gpr[RSI] = (u64)page_alloc();
	return vm;
}

/* At the same addresses each time: between this and end(). */
static struct vm *begin(u64 *mark)
{
	*mark = pages_mark();
	return create(saves_msrs());
}

static void end(u64 mark)
{
	vmx_regions_forget();
	pages_release(mark);
}

static u64 pat, efer;

static void put_back(void)
{
	wrmsr(IA32_PAT, pat);
	wrmsr(IA32_EFER, efer);
}

static void prepare(void)
{
	pat = rdmsr(IA32_PAT);
	efer = rdmsr(IA32_EFER);
	scenario_on_end(put_back);
}

/* --- one VMCS ------------------------------------------------------------------------ */

static void print_at_depths(const char *prefix, bool own_msrs)
{
	static const char *const names[] = { "first", "fifth", "hundredth" };
	static const u32 depths[] = DEPTHS;
	struct snapshot snapshot;
	struct text name;

	prepare();
	for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
		u64 mark = pages_mark();
		struct vm *vm = create(own_msrs);

		rounds(vm, depths[d]);
		read_all(vm, ASCENDING, &snapshot);
		name_join(&name, prefix, names[d]);
		print_all(name.data, &snapshot);
		say("pat=%lx efer=%lx", rdmsr(IA32_PAT), rdmsr(IA32_EFER));
		name_join(&name, name.data, "l1_msrs");
		check_said(name.data, NULL);
		put_back();
		end(mark);
	}
	say("done");
}

static void shared_msrs(void)
{
	print_at_depths("fields.shared_msrs", false);
}

static void own_msrs(void)
{
	print_at_depths("fields.own_msrs", true);
}

/* --- what may come between an exit and the reads ------------------------------------- */

static struct vm *other;

static void nothing(struct vm *vm)
{
	(void)vm;
}

static void again(struct vm *vm)
{
	vmptrld(vm->vmcs);
}

static void other_loaded(struct vm *vm)
{
	other = create(saves_msrs());
	vmptrld(vm->vmcs);
}

static void other_ran(struct vm *vm)
{
	other = create(saves_msrs());
	rounds(other, 3);
	vmptrld(vm->vmcs);
}

static void other_ran_long(struct vm *vm)
{
	other = create(saves_msrs());
	rounds(other, 100);
	vmptrld(vm->vmcs);
	vmptrld(other->vmcs);
	rounds(other, 1);
	vmptrld(vm->vmcs);
}

static void other_cleared(struct vm *vm)
{
	other = create(saves_msrs());
	rounds(other, 1);
	vmptrld(vm->vmcs);
	vmclear(other->vmcs);
}

static void cleared(struct vm *vm)
{
	vmclear(vm->vmcs);
	vmptrld(vm->vmcs);
	vm->launched = false;
}

static void cleared_twice(struct vm *vm)
{
	vmclear(vm->vmcs);
	cleared(vm);
}

static void cleared_not_current(struct vm *vm)
{
	other = create(saves_msrs());
	rounds(other, 1);
	cleared(vm);
}

static void moved(struct vm *vm)
{
	u64 to = vmx_region_alloc();

	vmclear(vm->vmcs);
	memcpy((void *)to, (void *)vm->vmcs, PAGE_SIZE);
	memset((void *)vm->vmcs, 0xff, PAGE_SIZE);
	vm->vmcs = to;
	vmptrld(to);
	vm->launched = false;
}

/* More than anyone keeps. */
static void many_others(struct vm *vm)
{
	for (u32 i = 0; i < MANY_OTHERS; i++) {
		u64 region = vmx_region_alloc();

		vmclear(region);
		vmptrld(region);
		vmwrite(GUEST_ES_BASE, i);
	}
	vmptrld(vm->vmcs);
}

static void over_vmxoff(struct vm *vm)
{
	vmclear(vm->vmcs);
	vmx_off();
	vmx_on();
	vmptrld(vm->vmcs);
	vm->launched = false;
}

static void invalidated(struct vm *vm)
{
	(void)vm;
	vm_flush_all();
}

static void exits_of_l1(struct vm *vm)
{
	(void)vm;
	cpuid(0, 0);
	wrmsr(IA32_SYSENTER_CS, rdmsr(IA32_SYSENTER_CS));
	write_cr0(read_cr0());
	write_cr4(read_cr4());
	rdmsr(IA32_VMX_BASIC);
}

static void failures(struct vm *vm)
{
	u64 nowhere = 1, is = 0;

	attempt(op_vmptrld, (u64)&nowhere, 0);
	attempt(op_vmclear, (u64)&nowhere, 0);
	attempt(op_vmread, 0x7ffe, (u64)&is);
	attempt(op_vmwrite, 0x7ffe, 0);
	vm_enter(vm, !vm->launched);
	/* That it tells of no error again is what a new VMCS has. */
	attempt(op_vmwrite, VM_INSTRUCTION_ERROR, 0);
}

static const struct {
	const char *name;
	void (*disturb)(struct vm *vm);
	bool tells_error; /* of a failed instruction */
} disturbances[] = {
	{ "nothing", nothing, false }, { "again", again, false }, { "other_loaded", other_loaded, false },
	{ "other_ran", other_ran, false },
	{ "other_ran_long", other_ran_long, false }, { "other_cleared", other_cleared, false }, { "cleared", cleared, false },
	{ "cleared_twice", cleared_twice, false }, { "cleared_not_current", cleared_not_current, false }, { "moved", moved, false },
	{ "many_others", many_others, false }, { "over_vmxoff", over_vmxoff, false }, { "invalidated", invalidated, false },
	{ "exits_of_l1", exits_of_l1, false }, { "failures", failures, true },
};

/* What the fields are after so many rounds, and after one more, when nothing comes between. */
static void expect_after(u32 count, struct snapshot expected[2])
{
	u64 mark;
	struct vm *vm = begin(&mark);

	rounds(vm, count);
	read_all(vm, ASCENDING, &expected[0]);
	end(mark);
	vm = begin(&mark);
	rounds(vm, count + 1);
	read_all(vm, ASCENDING, &expected[1]);
	end(mark);
}

/* Another launch of the same VMCS changes one thing only: nothing that can be read. */
static void disturb_once(void (*disturb)(struct vm *vm), u32 count, enum order order, const struct snapshot expected[2])
{
	struct snapshot is;
	u64 mark;
	struct vm *vm = begin(&mark);

	rounds(vm, count);
	disturb(vm);
	read_all(vm, order, &is);
	say_changes(&is, &expected[0]);
	rounds(vm, 1);
	read_all(vm, (order + 1) % ORDERS, &is);
	say_changes(&is, &expected[1]);
	put_back();
	end(mark);
}

/* Expect: the fields are those of an L2 that was left alone, whatever came between, in whatever order they are read. */
static void disturbed(void)
{
	static const u32 depths[] = DEPTHS;
	struct snapshot expected[ARRAY_SIZE(depths)][2];
	struct text name;

	prepare();
	for (u32 d = 0; d < ARRAY_SIZE(depths); d++)
		expect_after(depths[d], expected[d]);
	for (u32 i = 0; i < ARRAY_SIZE(disturbances); i++) {
		for (u32 d = 0; d < ARRAY_SIZE(depths); d++)
			disturb_once(disturbances[i].disturb, depths[d], (i + d) % ORDERS, expected[d]);
		name_join(&name, "fields.after", disturbances[i].name);
		check_said(name.data, disturbances[i].tells_error ? NULL : "- - - - - - ");
	}
	say("done");
}

SCENARIOS(field_scenarios,
	{ "fields.shared_msrs", shared_msrs, "done", NULL },
	{ "fields.own_msrs", own_msrs, "done", saves_msrs },
	{ "fields.after", disturbed, "done", NULL },
);
