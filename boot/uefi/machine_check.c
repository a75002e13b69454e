/* SPDX-License-Identifier: MIT */
/*
 * What L0 needs of the processor, as tables of bits, and the plain words for
 * each lack. Touches no hardware itself. The bits are those of
 * vmx/controls.def that are marked MUST; a test keeps the two together.
 */
#include "boot/uefi/machine_check.h"

#include "arch/bits.h"
#include "arch/compiler.h"
#include "arch/x86.h"

#define CPUID_1_ECX_VMX BIT(5)
#define CPUID_1_ECX_HYPERVISOR BIT(31)
#define CPUID_80000001_EDX_NX BIT(20)
#define CPUID_80000001_EDX_1G BIT(26)
#define EPT_VPID_1G BIT(17)

/* SDM "Basic VMX Information". */
#define BASIC_32_BIT_ADDRESSES BIT(48)
#define BASIC_MEMORY_TYPE BITS(53, 50)
#define BASIC_TRUE_CONTROLS BIT(55)
#define MEMORY_TYPE_WB 6

/* The allowed 1-settings are the high half of a capability MSR. */
#define ALLOWED_1(bit) BIT(32 + (bit))
#define PROC_SECONDARY 31
#define PROC2_EPT 1
#define PROC2_VPID 5

struct need {
	size_t word;		/* offset in struct machine */
	u64 bit;
	const char *what;
};

#define WORD(member) offsetof(struct machine, member)

static const struct need controls_needed[] = {
	{ WORD(proc), ALLOWED_1(28), "MSR bitmaps (processor-based control 28)" },
	{ WORD(proc), ALLOWED_1(PROC_SECONDARY), "secondary processor-based controls (processor-based control 31)" },
	{ WORD(exit), ALLOWED_1(2), "save debug controls (VM-exit control 2)" },
	{ WORD(exit), ALLOWED_1(9), "64-bit host (VM-exit control 9)" },
	{ WORD(exit), ALLOWED_1(20), "save IA32_EFER (VM-exit control 20)" },
	{ WORD(exit), ALLOWED_1(21), "load IA32_EFER (VM-exit control 21)" },
	{ WORD(entry), ALLOWED_1(2), "load debug controls (VM-entry control 2)" },
	{ WORD(entry), ALLOWED_1(15), "load IA32_EFER (VM-entry control 15)" },
	{ WORD(proc2), ALLOWED_1(PROC2_EPT), "extended page tables, EPT (secondary control 1)" },
	{ WORD(proc2), ALLOWED_1(7), "unrestricted guest (secondary control 7)" },
};

/* SDM "VPID and EPT Capabilities"; asked only where EPT exists. */
static const struct need ept_needed[] = {
	{ WORD(ept_vpid), BIT(6), "EPT with 4 levels (IA32_VMX_EPT_VPID_CAP bit 6)" },
	{ WORD(ept_vpid), BIT(14), "EPT in write-back memory (IA32_VMX_EPT_VPID_CAP bit 14)" },
	{ WORD(ept_vpid), BIT(16), "EPT with 2 MB pages (IA32_VMX_EPT_VPID_CAP bit 16)" },
	{ WORD(ept_vpid), BIT(20), "INVEPT (IA32_VMX_EPT_VPID_CAP bit 20)" },
	{ WORD(ept_vpid), BIT(26), "INVEPT of all contexts (IA32_VMX_EPT_VPID_CAP bit 26)" },
};

static void copy_words(char text[13], u32 a, u32 b, u32 c)
{
	const u32 words[3] = { a, b, c };

	for (unsigned int i = 0; i < 12; i++)
		text[i] = (char)(words[i / 4] >> (8 * (i % 4)));
	text[12] = '\0';
}

static bool begins_with(const char *text, const char *with)
{
	while (*with && *text == *with)
		text++, with++;
	return !*with;
}

static void read_identity(struct machine *machine, const struct machine_reader *r)
{
	struct cpuid_result leaf = r->cpuid(r->context, 0, 0);

	copy_words(machine->vendor, leaf.ebx, leaf.edx, leaf.ecx);
	leaf = r->cpuid(r->context, 1, 0);
	machine->has_vmx = leaf.ecx & CPUID_1_ECX_VMX;
	machine->has_hypervisor = leaf.ecx & CPUID_1_ECX_HYPERVISOR;
	if (r->cpuid(r->context, 0x80000000, 0).eax >= 0x80000001) {
		leaf = r->cpuid(r->context, 0x80000001, 0);
		machine->has_nx = leaf.edx & CPUID_80000001_EDX_NX;
		machine->has_1g_pages = leaf.edx & CPUID_80000001_EDX_1G;
	}

	/* Testudo leaves the hypervisor bit as hardware has it, so its signature is looked for in any case. */
	leaf = r->cpuid(r->context, 0x40000000, 0);
	copy_words(machine->hypervisor, leaf.ebx, leaf.ecx, leaf.edx);
	machine->is_testudo = leaf.eax >= 0x40000000 && begins_with(machine->hypervisor, "Testudo L0  ");
	if (!machine->has_hypervisor && !machine->is_testudo)
		machine->hypervisor[0] = '\0';
}

/* SDM "VMX Capability Reporting Facility": which MSR exists is said by those before it. */
void machine_read(struct machine *machine, const struct machine_reader *r)
{
	bool is_true;

	read_identity(machine, r);
	if (!machine->has_vmx)
		return;
	machine->feature_control = r->rdmsr(r->context, IA32_FEATURE_CONTROL);
	machine->basic = r->rdmsr(r->context, IA32_VMX_BASIC);
	is_true = machine->basic & BASIC_TRUE_CONTROLS;
	machine->pin = r->rdmsr(r->context, is_true ? IA32_VMX_TRUE_PINBASED_CTLS : IA32_VMX_PINBASED_CTLS);
	machine->proc = r->rdmsr(r->context, is_true ? IA32_VMX_TRUE_PROCBASED_CTLS : IA32_VMX_PROCBASED_CTLS);
	machine->exit = r->rdmsr(r->context, is_true ? IA32_VMX_TRUE_EXIT_CTLS : IA32_VMX_EXIT_CTLS);
	machine->entry = r->rdmsr(r->context, is_true ? IA32_VMX_TRUE_ENTRY_CTLS : IA32_VMX_ENTRY_CTLS);
	if (!(machine->proc & ALLOWED_1(PROC_SECONDARY)))
		return;
	machine->proc2 = r->rdmsr(r->context, IA32_VMX_PROCBASED_CTLS2);
	if (machine->proc2 & (ALLOWED_1(PROC2_EPT) | ALLOWED_1(PROC2_VPID)))
		machine->ept_vpid = r->rdmsr(r->context, IA32_VMX_EPT_VPID_CAP);
	machine->has_1g_pages = machine->has_1g_pages && (machine->ept_vpid & EPT_VPID_1G);
}

static void add(struct machine_faults *faults, const char *what, const char *cause, const char *cure)
{
	if (faults->count < MACHINE_MAX_FAULTS)
		faults->fault[faults->count++] = (struct machine_fault){ what, cause, cure };
}

static void explain_no_vmx(const struct machine *machine, struct machine_faults *faults)
{
	const char *what = "VMX (CPUID.1:ECX bit 5)";

	if (machine->is_testudo)
		add(faults, what, "the Testudo that this one runs under hides it", "take vmx out of its setting hide");
	else if (begins_with(machine->hypervisor, "TCGTCGTCGTCG"))
		add(faults, what, "this is QEMU's own emulation (TCG), which has no VMX",
		    "use QEMU with -enable-kvm -cpu host,+vmx on a host that offers nested VMX, or Bochs");
	else if (machine->has_hypervisor)
		add(faults, what, "this machine is virtual, and its hypervisor offers no nested VMX",
		    "turn nested virtualization on there (Linux/KVM: kvm_intel nested=1 and QEMU -cpu host,+vmx)");
	else if (begins_with(machine->vendor, "AuthenticAMD") || begins_with(machine->vendor, "HygonGenuine"))
		add(faults, what, "processors of this maker have SVM instead of VMX",
		    "use a processor with Intel VT-x");
	else
		add(faults, what, "the processor has no VMX, or the firmware hides it",
		    "look for \"Intel Virtualization Technology\" or \"VT-x\" in the firmware's setup "
		    "and turn it on");
}

static void check_word(const struct machine *machine, const struct need *need, struct machine_faults *faults)
{
	u64 word = *(const u64 *)(const void *)((const char *)machine + need->word);

	if (word & need->bit)
		return;
	if (machine->has_hypervisor || machine->is_testudo)
		add(faults, need->what, "the hypervisor that this machine runs under does not offer it",
		    "use a newer one, or a processor model that has it");
	else
		add(faults, need->what, "this processor is too old",
		    "use a processor of Intel's Westmere generation (2010) or later");
}

static void check_basic(const struct machine *machine, struct machine_faults *faults)
{
	static const struct need true_controls = { WORD(basic), BASIC_TRUE_CONTROLS,
						   "the TRUE capability MSRs (IA32_VMX_BASIC bit 55)" };

	check_word(machine, &true_controls, faults);
	if (field_get(machine->basic, BASIC_MEMORY_TYPE) != MEMORY_TYPE_WB)
		add(faults, "VMCSs in write-back memory (IA32_VMX_BASIC bits 53:50)",
		    "the processor wants another memory type", "use another processor or emulator");
	if (machine->basic & BASIC_32_BIT_ADDRESSES)
		add(faults, "VMCSs above 4 GB (IA32_VMX_BASIC bit 48)",
		    "the processor keeps VMX structures to 32-bit addresses", "use a 64-bit processor");
}

void machine_check(const struct machine *machine, struct machine_faults *faults)
{
	const u64 vmx_on = FEATURE_CONTROL_VMX_OUTSIDE_SMX;

	faults->count = 0;
	if (!machine->has_nx)
		add(faults, "no-execute pages (CPUID.80000001H:EDX bit 20)",
		    "the processor lacks them, or the firmware hides them",
		    "turn \"Execute Disable Bit\" on in the firmware's setup");
	if (machine->cr4 & CR4_LA57)
		add(faults, "paging with 4 levels", "the firmware runs with 5-level paging (CR4.LA57)",
		    "turn 5-level paging (LA57) off in the firmware's setup");
	if (!machine->has_vmx) {
		explain_no_vmx(machine, faults);
		return;
	}
	if ((machine->feature_control & FEATURE_CONTROL_LOCK) && !(machine->feature_control & vmx_on))
		add(faults, "permission for VMXON (IA32_FEATURE_CONTROL bit 2)",
		    "the firmware has locked IA32_FEATURE_CONTROL with VMX off",
		    "turn \"Intel Virtualization Technology\" or \"VT-x\" on in the firmware's setup, "
		    "then switch the power off and on");
	check_basic(machine, faults);
	for (size_t i = 0; i < array_size(controls_needed); i++)
		check_word(machine, &controls_needed[i], faults);
	if (!(machine->proc2 & ALLOWED_1(PROC2_EPT)))
		return;
	for (size_t i = 0; i < array_size(ept_needed); i++)
		check_word(machine, &ept_needed[i], faults);
}
