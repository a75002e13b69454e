/* SPDX-License-Identifier: MIT */
/*
 * What is changed: for each field the bits and the values at its borders, in
 * groups that come up equally often. Nothing here depends on what the processor
 * offers, so that the same seed makes the same changes everywhere.
 *
 * Left out is what would end the run instead of giving a verdict: a timer that
 * is off, an entry into wait-for-SIPI (where the timer does not end it), another
 * way back into this guest than the one it has, lists whose failing at an
 * exit is a VMX abort, and IA-32e mode without protection, of which Bochs dies.
 */
#include "tests/guests/borders/borders.h"

#include "tests/guests/lib/x86.h"
#include "tests/guests/lib/vmx_ops.h"

struct border {
	u32 field;
	u32 count;	   /* of values */
	u64 flips;	   /* bits to be turned over */
	const u64 *values; /* put instead */
};

#define FLIP(field, bits) { field, 0, bits, NULL }
#define BOTH(field, bits, values) { field, ARRAY_SIZE(values), bits, values }
#define PUT(field, values) BOTH(field, 0, values)

#define LOW(n) (BIT(n) - 1)
#define FROM(low, high) (BIT(high) | (BIT(high) - BIT(low)))
#define ALL (~0ull)

/* Around the two canonical halves, for 48 bits. */
static const u64 canonical[] = { 0, LOW(47), BIT(47), LOW(48), ~LOW(47), ~LOW(48), BIT(63), LOW(63), BIT(32), LOW(32) };
static const u64 not_canonical[] = { BIT(47), LOW(48), ~LOW(48), BIT(63), LOW(63) };

/* --- controls ------------------------------------------------------------- */

/* SDM "Pin-Based VM-Execution Controls" and so on; what is not in them is reserved. */
#define PIN_KNOWN (BIT(0) | BIT(3) | BIT(5) | BIT(7))
#define PROC_KNOWN 0xfbfbfe8cull
#define PROC2_KNOWN 0x1ff7fffull
#define EXIT_KNOWN (BIT(2) | BIT(9) | BIT(12) | BIT(15) | FROM(18, 22))
#define ENTRY_KNOWN (BIT(2) | FROM(9, 11) | FROM(13, 15))

static const u64 cr3_targets[] = { 0, 4, 5, 256 };
static const u64 thresholds[] = { 0, 1, 15, 16 };
static const u64 vpids[] = { 0, 1, 0xffff };
static const u64 vectors[] = { 0, 255, 256, 0xffff };
static const u64 multipliers[] = { 0, 1, ALL };

static const struct border controls[] = {
	FLIP(PIN_BASED_CONTROLS, PIN_KNOWN),
	FLIP(PIN_BASED_CONTROLS, LOW(32) & ~BIT(6)),
	FLIP(PROCESSOR_BASED_CONTROLS, PROC_KNOWN),
	FLIP(PROCESSOR_BASED_CONTROLS, PROC_KNOWN),
	FLIP(PROCESSOR_BASED_CONTROLS, LOW(32)),
	FLIP(SECONDARY_CONTROLS, PROC2_KNOWN),
	FLIP(SECONDARY_CONTROLS, PROC2_KNOWN),
	FLIP(SECONDARY_CONTROLS, LOW(32)),
	FLIP(VM_EXIT_CONTROLS, EXIT_KNOWN),
	FLIP(VM_EXIT_CONTROLS, LOW(32)),
	FLIP(VM_ENTRY_CONTROLS, ENTRY_KNOWN),
	FLIP(VM_ENTRY_CONTROLS, LOW(32)),
	PUT(CR3_TARGET_COUNT, cr3_targets),
	BOTH(TPR_THRESHOLD, FROM(0, 5) | BIT(31), thresholds),
	FLIP(MEMORY_VTPR, FROM(3, 7)),
	PUT(VIRTUAL_PROCESSOR_IDENTIFIER, vpids),
	PUT(POSTED_INTERRUPT_NOTIFICATION_VECTOR, vectors),
	PUT(TSC_MULTIPLIER, multipliers),
	FLIP(VM_FUNCTION_CONTROLS, BIT(0) | BIT(1) | BIT(63)),
	FLIP(EXCEPTION_BITMAP, LOW(32)),
};

/* --- addresses: alignment and the physical-address width (40 or more) -------- */

#define PAGE_BITS (LOW(12) | FROM(38, 52) | BIT(63))
#define PAGE_ADDRESS(field) FLIP(field, PAGE_BITS)
/* Where an aligned address would make an exit write or load what lies there. */
#define MISALIGNED_OR_BEYOND (LOW(4) | FROM(40, 52) | BIT(63))

static const u64 link_pointers[] = { 0, 8, BIT(40), ALL - 1, LOW(63) };
static const u64 counts[] = { 0, 1, 2, 512, 513 };
static const u64 exit_counts[] = { 0, 1, 2, 256 };

static const struct border addresses[] = {
	PAGE_ADDRESS(IO_BITMAP_A),
	PAGE_ADDRESS(IO_BITMAP_B),
	PAGE_ADDRESS(MSR_BITMAP),
	PAGE_ADDRESS(VIRTUAL_APIC_ADDRESS),
	PAGE_ADDRESS(APIC_ACCESS_ADDRESS),
	PAGE_ADDRESS(PML_ADDRESS),
	PAGE_ADDRESS(POSTED_INTERRUPT_DESCRIPTOR),
	PAGE_ADDRESS(EPTP_LIST_ADDRESS),
	PAGE_ADDRESS(VIRTUALIZATION_EXCEPTION_ADDRESS),
	PAGE_ADDRESS(VMREAD_BITMAP_ADDRESS),
	PAGE_ADDRESS(VMWRITE_BITMAP_ADDRESS),
	PAGE_ADDRESS(EPT_POINTER),
	FLIP(EPT_POINTER, LOW(12)),
	BOTH(VMCS_LINK_POINTER, ALL, link_pointers),
	FLIP(VM_EXIT_MSR_STORE_ADDRESS, MISALIGNED_OR_BEYOND),
	FLIP(VM_EXIT_MSR_LOAD_ADDRESS, MISALIGNED_OR_BEYOND),
	FLIP(VM_ENTRY_MSR_LOAD_ADDRESS, MISALIGNED_OR_BEYOND),
	PUT(VM_EXIT_MSR_STORE_COUNT, exit_counts),
	PUT(VM_EXIT_MSR_LOAD_COUNT, exit_counts),
	PUT(VM_ENTRY_MSR_LOAD_COUNT, counts),
};

/* --- the VM-entry MSR-load list ---------------------------------------------- */

#define RESERVED_HALF BIT(32)

static const u64 listed_msrs[] = {
	IA32_FS_BASE, IA32_GS_BASE, IA32_KERNEL_GS_BASE, IA32_LSTAR, IA32_CSTAR, IA32_STAR, IA32_FMASK, IA32_SYSENTER_CS,
	IA32_SYSENTER_ESP, IA32_SYSENTER_EIP, 0x79 /* IA32_BIOS_UPDT_TRIG */, 0x9b /* IA32_SMM_MONITOR_CTL */, 0x800, 0x808, 0x8ff,
	0x900, IA32_KERNEL_GS_BASE | RESERVED_HALF, IA32_KERNEL_GS_BASE | BIT(63),
};

static const struct border lists[] = {
	PUT(MEMORY_MSR_INDEX, listed_msrs),
	PUT(MEMORY_MSR_INDEX, listed_msrs),
	PUT(MEMORY_MSR_DATA, canonical),
	PUT(VM_ENTRY_MSR_LOAD_COUNT, counts),
	FLIP(VM_ENTRY_MSR_LOAD_ADDRESS, MISALIGNED_OR_BEYOND),
};

/* --- host state ----------------------------------------------------------------- */

static const u64 none[] = { 0 };
static const u64 host_efers[] = { 0, EFER_LME, EFER_LMA, EFER_LME | EFER_LMA, EFER_LME | EFER_LMA | EFER_NXE };
static const u64 pats[] = { 0x0007040600070406, 0x0007040600070402, 0x0307040600070406, 0x0007040600070806, 0, 0x0101010101010101 };

#define HOST_SELECTOR(field) BOTH(field, LOW(3), none)

static const struct border host[] = {
	FLIP(HOST_CR0, ALL & ~(BIT(31) | BIT(0))),
	FLIP(HOST_CR0, BIT(0) | BIT(5) | BIT(31) | BIT(32)),
	FLIP(HOST_CR3, FROM(40, 63)),
	FLIP(HOST_CR4, LOW(26) | BIT(32) | BIT(63)),
	FLIP(HOST_CR4, BIT(5) | BIT(13) | BIT(12) | BIT(17) | BIT(23)),
	HOST_SELECTOR(HOST_ES_SELECTOR),
	HOST_SELECTOR(HOST_CS_SELECTOR),
	HOST_SELECTOR(HOST_SS_SELECTOR),
	HOST_SELECTOR(HOST_DS_SELECTOR),
	HOST_SELECTOR(HOST_FS_SELECTOR),
	HOST_SELECTOR(HOST_GS_SELECTOR),
	HOST_SELECTOR(HOST_TR_SELECTOR),
	PUT(HOST_FS_BASE, canonical),
	PUT(HOST_GS_BASE, canonical),
	PUT(HOST_TR_BASE, canonical),
	PUT(HOST_GDTR_BASE, canonical),
	PUT(HOST_IDTR_BASE, canonical),
	PUT(HOST_IA32_SYSENTER_ESP, canonical),
	PUT(HOST_IA32_SYSENTER_EIP, canonical),
	PUT(HOST_RIP, not_canonical),
	BOTH(HOST_IA32_EFER, ALL, host_efers),
	BOTH(HOST_IA32_PAT, FROM(0, 7) | FROM(56, 63), pats),
	FLIP(HOST_IA32_PERF_GLOBAL_CTRL, ALL),
	FLIP(VM_EXIT_CONTROLS, BIT(9) | BIT(12) | BIT(19) | BIT(21)),
};

/* --- guest registers ---------------------------------------------------------------- */

static const u64 efers[] = { 0, EFER_LME, EFER_LMA, EFER_LME | EFER_LMA, EFER_LME | EFER_LMA | EFER_NXE, EFER_SCE };

static const struct border registers[] = {
	FLIP(GUEST_CR0, BIT(0) | BIT(5) | BIT(16) | BIT(18) | FROM(29, 31)),
	FLIP(GUEST_CR0, LOW(33) | BIT(63)),
	FLIP(GUEST_CR3, FROM(3, 11) | FROM(30, 63)),
	FLIP(GUEST_CR4, LOW(14) | BIT(17)),
	FLIP(GUEST_CR4, LOW(26) | BIT(32) | BIT(63)),
	FLIP(GUEST_DR7, ALL),
	FLIP(GUEST_IA32_DEBUGCTL, LOW(17) | BIT(32) | BIT(63)),
	BOTH(GUEST_IA32_EFER, ALL, efers),
	BOTH(GUEST_IA32_PAT, FROM(0, 7) | FROM(56, 63), pats),
	FLIP(GUEST_IA32_PERF_GLOBAL_CTRL, ALL),
	PUT(GUEST_IA32_SYSENTER_ESP, canonical),
	PUT(GUEST_IA32_SYSENTER_EIP, canonical),
	FLIP(GUEST_IA32_SYSENTER_CS, LOW(32)),
	FLIP(GUEST_RFLAGS, ALL),
	FLIP(GUEST_RFLAGS, LOW(22)),
	BOTH(GUEST_RIP, BIT(0) | BIT(15) | BIT(16) | BIT(31) | BIT(32) | BIT(46) | BIT(47) | BIT(48) | BIT(63), canonical),
	BOTH(GUEST_RSP, LOW(11) | BIT(32) | BIT(46) | BIT(47) | BIT(63), canonical),
	FLIP(VM_ENTRY_CONTROLS, BIT(2) | BIT(9) | FROM(13, 15)),
};

/* --- guest segments -------------------------------------------------------------------- */

static const u64 limits[] = { 0, 0x66, 0x67, 0xffff, 0xfffff, 0x100000, 0xffffffff, 0xfffff000, 0xffffefff };
static const u64 rights[] = { 0x10000, 0, 0x93, 0x9b, 0xf3, 0xc093, 0xc09b, 0xa09b, 0xe09b, 0x8b, 0x83, 0x82, 0x89 };
static const u64 table_limits[] = { 0, 0xffff, 0x10000, 0xffffffff };

#define SELECTOR_BITS LOW(4)
#define BASE_BITS (LOW(6) | BIT(31) | BIT(32) | BIT(46) | BIT(47) | BIT(63))
#define SEGMENT(name)                                                    \
	BOTH(GUEST_##name##_SELECTOR, SELECTOR_BITS | BIT(15), none),     \
	BOTH(GUEST_##name##_BASE, BASE_BITS, canonical),                 \
	BOTH(GUEST_##name##_LIMIT, BIT(0) | FROM(11, 21) | BIT(31), limits), \
	BOTH(GUEST_##name##_ACCESS_RIGHTS, LOW(18) | BIT(31), rights),   \
	FLIP(GUEST_##name##_ACCESS_RIGHTS, LOW(16))

static const struct border segments[] = {
	SEGMENT(ES), SEGMENT(CS), SEGMENT(SS), SEGMENT(DS), SEGMENT(FS), SEGMENT(GS), SEGMENT(LDTR), SEGMENT(TR),
	SEGMENT(CS), SEGMENT(SS), /* most rules are about these */
	BOTH(GUEST_GDTR_BASE, BASE_BITS, canonical),
	BOTH(GUEST_IDTR_BASE, BASE_BITS, canonical),
	BOTH(GUEST_GDTR_LIMIT, FROM(14, 17) | BIT(31), table_limits),
	BOTH(GUEST_IDTR_LIMIT, FROM(14, 17) | BIT(31), table_limits),
};

/* --- guest state outside registers -------------------------------------------------------- */

static const u64 activities[] = { ACTIVITY_ACTIVE, ACTIVITY_HLT, ACTIVITY_SHUTDOWN, 4, 5, BIT(31), LOW(32) };
static const u64 pending[] = { 0, BIT(14), BIT(12), BIT(12) | BIT(0), BIT(16) | BIT(12), BIT(16), 0xf };

static const struct border state[] = {
	FLIP(GUEST_INTERRUPTIBILITY_STATE, LOW(7) | BIT(31)),
	FLIP(GUEST_INTERRUPTIBILITY_STATE, LOW(4)),
	PUT(GUEST_ACTIVITY_STATE, activities),
	BOTH(GUEST_PENDING_DEBUG_EXCEPTIONS, LOW(18) | BIT(32) | BIT(63), pending),
	BOTH(VMCS_LINK_POINTER, ALL, link_pointers),
	FLIP(GUEST_RFLAGS, BIT(8) | BIT(9) | BIT(17)),
	FLIP(GUEST_IA32_DEBUGCTL, BIT(1)),
	FLIP(PIN_BASED_CONTROLS, BIT(5)),
};

/* --- PDPTEs, in the VMCS and in memory ---------------------------------------------------- */

#define PDPTE_BITS (LOW(9) | FROM(38, 53) | FROM(62, 63))

static const struct border pdptes[] = {
	FLIP(GUEST_PDPTE0, PDPTE_BITS),	 FLIP(GUEST_PDPTE1, PDPTE_BITS),  FLIP(GUEST_PDPTE2, PDPTE_BITS),  FLIP(GUEST_PDPTE3, PDPTE_BITS),
	FLIP(MEMORY_PDPTE0, PDPTE_BITS), FLIP(MEMORY_PDPTE1, PDPTE_BITS), FLIP(MEMORY_PDPTE2, PDPTE_BITS), FLIP(MEMORY_PDPTE3, PDPTE_BITS),
	FLIP(GUEST_CR4, BIT(5)),
};

/* --- event injection: the word is made up as a whole ------------------------------------------ */

static const u64 injected[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 18, 19, 20, 21, 22, 31, 32, 33, 128, 255 };
static const u64 lengths[] = { 0, 1, 2, 14, 15, 16, BIT(31) };

static const struct border event[] = {
	FLIP(VM_ENTRY_INTERRUPTION_INFORMATION, 0),
	FLIP(VM_ENTRY_INTERRUPTION_INFORMATION, 0),
	FLIP(VM_ENTRY_INTERRUPTION_INFORMATION, 0),
	FLIP(VM_ENTRY_EXCEPTION_ERROR_CODE, LOW(17) | BIT(31)),
	PUT(VM_ENTRY_INSTRUCTION_LENGTH, lengths),
};

/* --- what rules compare with each other --------------------------------------------------------- */

static const u64 hlt[] = { ACTIVITY_HLT, ACTIVITY_SHUTDOWN };
static const u64 steps[] = { BIT(14), BIT(14) | BIT(12), BIT(12) | 1 };
static const u64 code_rights[] = { 0x93, 0x9b, 0x9f, 0xc093, 0xc09b, 0xc0fb, 0xc0ff, 0xa09b, 0xa0fb, 0xa09f };
static const u64 stack_rights[] = { 0x93, 0xc093, 0xc0f3, 0x10000, 0xc097 };

static const struct border interruption[] = {
	FLIP(VM_ENTRY_INTERRUPTION_INFORMATION, 0),
	FLIP(VM_ENTRY_INTERRUPTION_INFORMATION, 0),
	FLIP(GUEST_INTERRUPTIBILITY_STATE, LOW(4)),
	FLIP(GUEST_INTERRUPTIBILITY_STATE, LOW(2)),
	PUT(GUEST_ACTIVITY_STATE, hlt),
	PUT(GUEST_PENDING_DEBUG_EXCEPTIONS, steps),
	FLIP(GUEST_RFLAGS, BIT(8) | BIT(9)),
	FLIP(GUEST_RFLAGS, BIT(8)),
	FLIP(GUEST_IA32_DEBUGCTL, BIT(1)),
	FLIP(PIN_BASED_CONTROLS, BIT(3) | BIT(5)),
	FLIP(PROCESSOR_BASED_CONTROLS, BIT(2) | BIT(22) | BIT(27)),
	PUT(GUEST_SS_ACCESS_RIGHTS, stack_rights),
};

static const struct border modes[] = {
	FLIP(GUEST_CR0, BIT(0) | BIT(31)),
	FLIP(GUEST_CR0, BIT(31)),
	FLIP(GUEST_CR4, BIT(5) | BIT(17)),
	PUT(GUEST_IA32_EFER, efers),
	FLIP(VM_ENTRY_CONTROLS, BIT(9) | BIT(15)),
	FLIP(VM_ENTRY_CONTROLS, BIT(9)),
	FLIP(SECONDARY_CONTROLS, BIT(7) | BIT(1)),
	FLIP(GUEST_RFLAGS, RFLAGS_VM),
	PUT(GUEST_CS_ACCESS_RIGHTS, code_rights),
	PUT(GUEST_SS_ACCESS_RIGHTS, stack_rights),
	FLIP(GUEST_RIP, BIT(32) | BIT(47)),
};

static const struct border privileges[] = {
	PUT(GUEST_CS_ACCESS_RIGHTS, code_rights),
	FLIP(GUEST_CS_SELECTOR, LOW(3)),
	PUT(GUEST_SS_ACCESS_RIGHTS, stack_rights),
	FLIP(GUEST_SS_SELECTOR, LOW(3)),
	FLIP(GUEST_SS_ACCESS_RIGHTS, FROM(5, 6)),
	FLIP(GUEST_DS_ACCESS_RIGHTS, FROM(5, 6) | LOW(4)),
	FLIP(GUEST_DS_SELECTOR, LOW(2)),
	FLIP(SECONDARY_CONTROLS, BIT(7)),
};

static const struct border apic[] = {
	FLIP(PIN_BASED_CONTROLS, BIT(0)),
	FLIP(PIN_BASED_CONTROLS, BIT(7)),
	FLIP(PROCESSOR_BASED_CONTROLS, PROC_USE_TPR_SHADOW | PROC_CR8_LOAD_EXITING | PROC_CR8_STORE_EXITING),
	FLIP(SECONDARY_CONTROLS, BIT(0) | BIT(4) | BIT(8) | BIT(9)),
	FLIP(SECONDARY_CONTROLS, BIT(9)),
	FLIP(VM_EXIT_CONTROLS, EXIT_ACKNOWLEDGE_INTERRUPT),
	PUT(TPR_THRESHOLD, thresholds),
	FLIP(MEMORY_VTPR, FROM(3, 7)),
	PUT(POSTED_INTERRUPT_NOTIFICATION_VECTOR, vectors),
	FLIP(POSTED_INTERRUPT_DESCRIPTOR, PAGE_BITS),
	FLIP(GUEST_INTERRUPT_STATUS, LOW(16)),
	PAGE_ADDRESS(VIRTUAL_APIC_ADDRESS),
};

struct group {
	const struct border *borders;
	u32 count;
};

#define GROUP(list) { list, ARRAY_SIZE(list) }

static const struct group groups[] = {
	GROUP(controls), GROUP(addresses), GROUP(lists), GROUP(host),	GROUP(registers), GROUP(registers),
	GROUP(segments), GROUP(segments),  GROUP(state), GROUP(pdptes), GROUP(event),	GROUP(interruption),
	GROUP(modes),	 GROUP(privileges), GROUP(apic),
};

/* --- choosing ------------------------------------------------------------------------------------ */

/* splitmix64: short, and every number is as good as another. */
u64 random_next(u64 *stream)
{
	u64 x = *stream += 0x9e3779b97f4a7c15ull;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

static u64 below(struct launch *launch, u64 limit)
{
	return random_next(&launch->random) % limit;
}

static u64 one_bit_of(struct launch *launch, u64 bits)
{
	u64 count = 0, skip;

	for (u64 left = bits; left; left &= left - 1)
		count++;
	for (skip = below(launch, count); skip; skip--)
		bits &= bits - 1;
	return bits & -bits;
}

/* The value that the launch would enter with. */
static bool value_of(const struct launch *launch, u32 field, u64 *value)
{
	for (u32 i = launch->count; i-- > 0;)
		if (launch->changes[i].field == field && !launch->changes[i].absent) {
			*value = launch->changes[i].new;
			return true;
		}
	return verdict_read_field(launch->subject, field, value);
}

static void change(struct launch *launch, u32 field, u64 flip, u64 put, bool puts)
{
	struct change *c = &launch->changes[launch->count];

	if (launch->count == MAX_CHANGES)
		return;
	*c = (struct change){ .field = field };
	c->absent = !value_of(launch, field, &c->old);
	c->new = puts ? put : c->old ^ flip;
	launch->count++;
}

static void change_event(struct launch *launch)
{
	u32 type = (u32)below(launch, 8), word = type << 8 | EVENT_VALID;
	u64 with = below(launch, 8);

	word |= type == 2 && below(launch, 4) ? 2 : type == 7 && below(launch, 4) ? 0 : (u32)injected[below(launch, ARRAY_SIZE(injected))];
	if (with & 1)
		word |= EVENT_ERROR_CODE;
	if (with == 6)
		word |= (u32)one_bit_of(launch, FROM(12, 30));
	change(launch, VM_ENTRY_INTERRUPTION_INFORMATION, 0, word, true);
	if (with & 1)
		change(launch, VM_ENTRY_EXCEPTION_ERROR_CODE, 0, below(launch, 4) ? 0 : one_bit_of(launch, LOW(17) | BIT(31)), true);
	if (type >= 4 && type <= 6)
		change(launch, VM_ENTRY_INSTRUCTION_LENGTH, 0, below(launch, 4) ? 2 : lengths[below(launch, ARRAY_SIZE(lengths))], true);
	if (!below(launch, 2))
		change(launch, GUEST_RFLAGS, RFLAGS_IF, 0, false);
}

static const struct group *any_group(struct launch *launch)
{
	return &groups[below(launch, ARRAY_SIZE(groups))];
}

static void change_border(struct launch *launch, const struct group *group)
{
	const struct border *border = &group->borders[below(launch, group->count)];

	if (!border->flips && !border->count)
		change_event(launch);
	else if (border->count && (!border->flips || below(launch, 2)))
		change(launch, border->field, 0, border->values[below(launch, border->count)], true);
	else
		change(launch, border->field, one_bit_of(launch, border->flips), 0, false);
}

/* Bochs lets it pass where CR4.PAE is 1, and then panics. SDM "Checks on Guest Control Registers, Debug Registers, and MSRs". */
static bool is_ia32e_without_protection(const struct launch *launch)
{
	u64 entry, cr0, cr4;

	return value_of(launch, VM_ENTRY_CONTROLS, &entry) && (entry & ENTRY_IA32E_MODE_GUEST) &&
	       value_of(launch, GUEST_CR0, &cr0) && !(cr0 & CR0_PE) && value_of(launch, GUEST_CR4, &cr4) && (cr4 & CR4_PAE);
}

void mutations_choose(struct launch *launch)
{
	static const u8 how_many[] = { 1, 1, 1, 2, 2, 3 };
	u64 wanted = how_many[below(launch, ARRAY_SIZE(how_many))];
	const struct group *group = any_group(launch);
	bool of_one_group = below(launch, 2); /* many rules compare fields that are neighbours */

	for (launch->count = 0; wanted--; group = of_one_group ? group : any_group(launch))
		change_border(launch, group);
	while (is_ia32e_without_protection(launch))
		launch->count--;
}
