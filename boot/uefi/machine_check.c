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

#define PROC_SECONDARY 31
#define PROC2_EPT 1
#define PROC2_VPID 5
#define PROC2_VM_FUNCTIONS 13

#define WORD(member) MACHINE_WORD(member)
#define ALLOWED_1(bit) MACHINE_ALLOWED_1(bit)

static const struct machine_bit true_controls = {
	WORD(basic), BASIC_TRUE_CONTROLS, "the TRUE capability MSRs (IA32_VMX_BASIC bit 55)", "tell which controls may be 0"
};

static const struct machine_bit controls_needed[] = {
	{ WORD(proc), ALLOWED_1(28), "MSR bitmaps (processor-based control 28)", "most MSRs are L1's without exits" },
	{ WORD(proc), ALLOWED_1(PROC_SECONDARY), "secondary processor-based controls (processor-based control 31)", "EPT is one" },
	{ WORD(exit), ALLOWED_1(2), "save debug controls (VM-exit control 2)", "keeps L1's DR7 and IA32_DEBUGCTL" },
	{ WORD(exit), ALLOWED_1(9), "64-bit host (VM-exit control 9)", "Testudo is 64-bit code" },
	{ WORD(exit), ALLOWED_1(20), "save IA32_EFER (VM-exit control 20)", "keeps L1's mode" },
	{ WORD(exit), ALLOWED_1(21), "load IA32_EFER (VM-exit control 21)", "Testudo's own at each exit" },
	{ WORD(entry), ALLOWED_1(2), "load debug controls (VM-entry control 2)", "keeps L1's DR7 and IA32_DEBUGCTL" },
	{ WORD(entry), ALLOWED_1(15), "load IA32_EFER (VM-entry control 15)", "keeps L1's mode" },
	{ WORD(proc2), ALLOWED_1(PROC2_EPT), "extended page tables, EPT (secondary control 1)", "keep L1 out of Testudo's memory" },
	{ WORD(proc2), ALLOWED_1(7), "unrestricted guest (secondary control 7)", "L1 starts processors in real mode" },
};

/* SDM "VPID and EPT Capabilities"; asked only where EPT exists. */
static const struct machine_bit ept_needed[] = {
	{ WORD(ept_vpid), BIT(6), "EPT with 4 levels (IA32_VMX_EPT_VPID_CAP bit 6)", "the form of Testudo's tables" },
	{ WORD(ept_vpid), BIT(14), "EPT in write-back memory (IA32_VMX_EPT_VPID_CAP bit 14)", "where the tables are" },
	{ WORD(ept_vpid), BIT(16), "EPT with 2 MB pages (IA32_VMX_EPT_VPID_CAP bit 16)", "few tables for much memory" },
	{ WORD(ept_vpid), BIT(20), "INVEPT (IA32_VMX_EPT_VPID_CAP bit 20)", "changes of the tables take effect" },
	{ WORD(ept_vpid), BIT(26), "INVEPT of all contexts (IA32_VMX_EPT_VPID_CAP bit 26)", "the kind that Testudo uses" },
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

/* Some have blanks in front. */
static void read_brand(struct machine *machine, const struct machine_reader *r)
{
	size_t length = 0;

	for (u32 i = 0; i < 48; i++) {
		struct cpuid_result leaf = r->cpuid(r->context, 0x80000002 + i / 16, 0);
		const u32 words[4] = { leaf.eax, leaf.ebx, leaf.ecx, leaf.edx };
		char c = (char)(words[i / 4 % 4] >> (8 * (i % 4)));

		if (!c)
			break;
		if (length || c != ' ')
			machine->brand[length++] = c >= ' ' && c < 0x7f ? c : '?';
	}
	machine->brand[length] = '\0';
}

static void read_identity(struct machine *machine, const struct machine_reader *r)
{
	struct cpuid_result leaf = r->cpuid(r->context, 0, 0);
	u32 last;

	copy_words(machine->vendor, leaf.ebx, leaf.edx, leaf.ecx);
	leaf = r->cpuid(r->context, 1, 0);
	machine->signature = leaf.eax;
	machine->has_vmx = leaf.ecx & CPUID_1_ECX_VMX;
	machine->has_hypervisor = leaf.ecx & CPUID_1_ECX_HYPERVISOR;
	last = r->cpuid(r->context, 0x80000000, 0).eax;
	if (last >= 0x80000004)
		read_brand(machine, r);
	if (last >= 0x80000001) {
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
	machine->misc = r->rdmsr(r->context, IA32_VMX_MISC);
	machine->pin = r->rdmsr(r->context, is_true ? IA32_VMX_TRUE_PINBASED_CTLS : IA32_VMX_PINBASED_CTLS);
	machine->proc = r->rdmsr(r->context, is_true ? IA32_VMX_TRUE_PROCBASED_CTLS : IA32_VMX_PROCBASED_CTLS);
	machine->exit = r->rdmsr(r->context, is_true ? IA32_VMX_TRUE_EXIT_CTLS : IA32_VMX_EXIT_CTLS);
	machine->entry = r->rdmsr(r->context, is_true ? IA32_VMX_TRUE_ENTRY_CTLS : IA32_VMX_ENTRY_CTLS);
	if (!(machine->proc & ALLOWED_1(PROC_SECONDARY)))
		return;
	machine->proc2 = r->rdmsr(r->context, IA32_VMX_PROCBASED_CTLS2);
	if (machine->proc2 & (ALLOWED_1(PROC2_EPT) | ALLOWED_1(PROC2_VPID)))
		machine->ept_vpid = r->rdmsr(r->context, IA32_VMX_EPT_VPID_CAP);
	if (machine->proc2 & ALLOWED_1(PROC2_VM_FUNCTIONS))
		machine->vmfunc = r->rdmsr(r->context, IA32_VMX_VMFUNC);
	machine->has_1g_pages = machine->has_1g_pages && (machine->ept_vpid & EPT_VPID_1G);
}

/* To whom it is told, and whether what follows can be known at all. */
struct teller {
	const struct machine *machine;
	machine_tell *tell;
	void *context;
	bool known;
};

struct reason {
	const char *cause, *cure;
};

static void tell(const struct teller *teller, const char *what, const char *purpose, bool found, struct reason reason)
{
	struct machine_finding finding = { MACHINE_UNKNOWN, what, purpose, NULL, NULL };

	if (teller->known)
		finding.state = found ? MACHINE_FOUND : MACHINE_MISSING;
	if (finding.state == MACHINE_MISSING)
		finding.cause = reason.cause, finding.cure = reason.cure;
	teller->tell(teller->context, &finding);
}

static struct reason explain_no_vmx(const struct machine *machine)
{
	if (machine->is_testudo)
		return (struct reason){ "the Testudo that this one runs under hides it", "take vmx out of its setting hide" };
	if (begins_with(machine->hypervisor, "TCGTCGTCGTCG"))
		return (struct reason){ "this is QEMU's own emulation (TCG), which has no VMX",
					"use QEMU with -enable-kvm -cpu host,+vmx on a host that offers nested VMX, or Bochs" };
	if (machine->has_hypervisor)
		return (struct reason){ "this machine is virtual, and its hypervisor offers no nested VMX",
					"turn nested virtualization on there (Linux/KVM: kvm_intel nested=1 and QEMU -cpu host,+vmx)" };
	if (begins_with(machine->vendor, "AuthenticAMD") || begins_with(machine->vendor, "HygonGenuine"))
		return (struct reason){ "processors of this maker have SVM instead of VMX", "use a processor with Intel VT-x" };
	return (struct reason){ "the processor has no VMX, or the firmware hides it",
				"look for \"Intel Virtualization Technology\" or \"VT-x\" in the firmware's setup and turn it on" };
}

static void tell_bits(const struct teller *teller, const struct machine_bit *bits, size_t count)
{
	static const struct reason too_old = {
		"this processor is too old", "use a processor of Intel's Westmere generation (2010) or later"
	}, not_offered = {
		"the hypervisor that this machine runs under does not offer it", "use a newer one, or a processor model that has it"
	};
	const struct machine *machine = teller->machine;

	for (size_t i = 0; i < count; i++)
		tell(teller, bits[i].what, bits[i].purpose, machine_has(machine, &bits[i]),
		     machine->has_hypervisor || machine->is_testudo ? not_offered : too_old);
}

static void tell_basic(const struct teller *teller)
{
	u64 basic = teller->machine->basic;

	tell_bits(teller, &true_controls, 1);
	tell(teller, "VMCSs in write-back memory (IA32_VMX_BASIC bits 53:50)", "where Testudo keeps them",
	     field_get(basic, BASIC_MEMORY_TYPE) == MEMORY_TYPE_WB,
	     (struct reason){ "the processor wants another memory type", "use another processor or emulator" });
	tell(teller, "VMCSs above 4 GB (IA32_VMX_BASIC bit 48)", "where Testudo keeps them", !(basic & BASIC_32_BIT_ADDRESSES),
	     (struct reason){ "the processor keeps VMX structures to 32-bit addresses", "use a 64-bit processor" });
}

void machine_needs(const struct machine *machine, machine_tell *to, void *context)
{
	const u64 vmx_on = FEATURE_CONTROL_VMX_OUTSIDE_SMX;
	struct teller teller = { machine, to, context, true };

	tell(&teller, "no-execute pages (CPUID.80000001H:EDX bit 20)", "Testudo's data is never code", machine->has_nx,
	     (struct reason){ "the processor lacks them, or the firmware hides them",
			      "turn \"Execute Disable Bit\" on in the firmware's setup" });
	tell(&teller, "paging with 4 levels", "the form of Testudo's tables", !(machine->cr4 & CR4_LA57),
	     (struct reason){ "the firmware runs with 5-level paging (CR4.LA57)",
			      "turn 5-level paging (LA57) off in the firmware's setup" });
	tell(&teller, "VMX (CPUID.1:ECX bit 5)", "all of Testudo", machine->has_vmx, explain_no_vmx(machine));
	teller.known = machine->has_vmx;
	tell(&teller, "permission for VMXON (IA32_FEATURE_CONTROL bit 2)", "turns VMX on",
	     !(machine->feature_control & FEATURE_CONTROL_LOCK) || (machine->feature_control & vmx_on),
	     (struct reason){ "the firmware has locked IA32_FEATURE_CONTROL with VMX off",
			      "turn \"Intel Virtualization Technology\" or \"VT-x\" on in the firmware's setup, "
			      "then switch the power off and on" });
	tell_basic(&teller);
	tell_bits(&teller, controls_needed, array_size(controls_needed));
	teller.known = machine->proc2 & ALLOWED_1(PROC2_EPT);
	tell_bits(&teller, ept_needed, array_size(ept_needed));
}

/* SDM "Miscellaneous Data": the activity state wait-for-SIPI. */
u32 machine_processors(const struct machine *machine, u32 wanted)
{
	return !machine->has_vmx || (machine->misc & BIT(8)) ? wanted : 1;
}

static void add_fault(void *context, const struct machine_finding *finding)
{
	struct machine_faults *faults = context;

	if (finding->state == MACHINE_MISSING && faults->count < MACHINE_MAX_FAULTS)
		faults->fault[faults->count++] = (struct machine_fault){ finding->what, finding->cause, finding->cure };
}

void machine_check(const struct machine *machine, struct machine_faults *faults)
{
	faults->count = 0;
	machine_needs(machine, add_fault, faults);
}
