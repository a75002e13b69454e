/* SPDX-License-Identifier: MIT */
/*
 * caps: the VMX capability MSRs as this processor, or Testudo, shows them
 * ("I" lines), and whether they agree with each other as SDM "VMX Capability
 * Reporting Facility" demands ("T" lines).
 */
#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/vm.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define BASIC_TRUE_CONTROLS BIT(55)
#define CAP_WALK_LENGTH_4 BIT(6)
#define CAP_MEMORY_TYPE_WB BIT(14)

static const struct {
	const char *name;
	u32 msr;
} capabilities[] = {
	{ "IA32_VMX_BASIC", IA32_VMX_BASIC },
	{ "IA32_VMX_PINBASED_CTLS", IA32_VMX_PINBASED_CTLS },
	{ "IA32_VMX_PROCBASED_CTLS", IA32_VMX_PROCBASED_CTLS },
	{ "IA32_VMX_EXIT_CTLS", IA32_VMX_EXIT_CTLS },
	{ "IA32_VMX_ENTRY_CTLS", IA32_VMX_ENTRY_CTLS },
	{ "IA32_VMX_MISC", IA32_VMX_MISC },
	{ "IA32_VMX_CR0_FIXED0", IA32_VMX_CR0_FIXED0 },
	{ "IA32_VMX_CR0_FIXED1", IA32_VMX_CR0_FIXED1 },
	{ "IA32_VMX_CR4_FIXED0", IA32_VMX_CR4_FIXED0 },
	{ "IA32_VMX_CR4_FIXED1", IA32_VMX_CR4_FIXED1 },
	{ "IA32_VMX_VMCS_ENUM", IA32_VMX_VMCS_ENUM },
	{ "IA32_VMX_PROCBASED_CTLS2", IA32_VMX_PROCBASED_CTLS2 },
	{ "IA32_VMX_EPT_VPID_CAP", IA32_VMX_EPT_VPID_CAP },
	{ "IA32_VMX_TRUE_PINBASED_CTLS", IA32_VMX_TRUE_PINBASED_CTLS },
	{ "IA32_VMX_TRUE_PROCBASED_CTLS", IA32_VMX_TRUE_PROCBASED_CTLS },
	{ "IA32_VMX_TRUE_EXIT_CTLS", IA32_VMX_TRUE_EXIT_CTLS },
	{ "IA32_VMX_TRUE_ENTRY_CTLS", IA32_VMX_TRUE_ENTRY_CTLS },
	{ "IA32_VMX_VMFUNC", IA32_VMX_VMFUNC },
};

/* A control word's two MSRs, and its default1 class: SDM "Reserved Controls and Default Settings". */
static const struct {
	const char *name;
	u32 msr, true_msr;
	u32 default1;
} words[] = {
	{ "pin", IA32_VMX_PINBASED_CTLS, IA32_VMX_TRUE_PINBASED_CTLS, 0x00000016 },
	{ "proc", IA32_VMX_PROCBASED_CTLS, IA32_VMX_TRUE_PROCBASED_CTLS, 0x0401e172 },
	{ "exit", IA32_VMX_EXIT_CTLS, IA32_VMX_TRUE_EXIT_CTLS, 0x00036dff },
	{ "entry", IA32_VMX_ENTRY_CTLS, IA32_VMX_TRUE_ENTRY_CTLS, 0x000011ff },
};

static u32 op_rdmsr(u64 msr, u64 value_address)
{
	*(u64 *)value_address = rdmsr((u32)msr);
	return OUTCOME_OK;
}

static void print_all(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(capabilities); i++) {
		u64 value = 0;
		u32 result = attempt(op_rdmsr, capabilities[i].msr, (u64)&value);

		if (result == OUTCOME_OK)
			info("%s %lx", capabilities[i].name, value);
		else
			info("%s %o", capabilities[i].name, result);
	}
	info("IA32_FEATURE_CONTROL %lx", rdmsr(IA32_FEATURE_CONTROL));
}

static void feature_control(void)
{
	u64 wanted = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX;

	say("locked with VMX=%u", (rdmsr(IA32_FEATURE_CONTROL) & wanted) == wanted);
}

static void basic(void)
{
	u64 value = rdmsr(IA32_VMX_BASIC);
	u64 size = value >> 32 & 0x1fff;

	say("bit31=%lu size_ok=%u write_back=%u true_controls=%u", value >> 31 & 1,
	    size > 0 && size <= PAGE_SIZE, (value >> 50 & 15) == 6, !!(value & BASIC_TRUE_CONTROLS));
}

/* Expect: what must be 1 may be 1, in each MSR. */
static void settings(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
		u64 old = rdmsr(words[i].msr), exact = rdmsr(words[i].true_msr);

		say("%s", i ? " " : "");
		say("%s=%u", words[i].name,
		    !((u32)old & ~(old >> 32)) && !((u32)exact & ~(exact >> 32)));
	}
	say(" secondary=%u", (u32)rdmsr(IA32_VMX_PROCBASED_CTLS2) == 0);
}

/* Expect: the old MSRs have all of the default1 class at 1; the true ones allow no less. */
static void default1(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(words); i++) {
		u64 old = rdmsr(words[i].msr), exact = rdmsr(words[i].true_msr);

		say("%s", i ? " " : "");
		say("%s=%u", words[i].name,
		    ((u32)old & words[i].default1) == words[i].default1 &&
			    !((u32)old & ~words[i].default1) && !((u32)exact & ~(u32)old) &&
			    old >> 32 == exact >> 32);
	}
}

static void fixed_bits(void)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4() | CR4_VMXE;

	say("cr0_fits=%u cr4_fits=%u cr0_subset=%u cr4_subset=%u vmxe_fixed=%u",
	    (rdmsr(IA32_VMX_CR0_FIXED0) & ~cr0) == 0 && (cr0 & ~rdmsr(IA32_VMX_CR0_FIXED1)) == 0,
	    (rdmsr(IA32_VMX_CR4_FIXED0) & ~cr4) == 0 && (cr4 & ~rdmsr(IA32_VMX_CR4_FIXED1)) == 0,
	    (rdmsr(IA32_VMX_CR0_FIXED0) & ~rdmsr(IA32_VMX_CR0_FIXED1)) == 0,
	    (rdmsr(IA32_VMX_CR4_FIXED0) & ~rdmsr(IA32_VMX_CR4_FIXED1)) == 0,
	    !!(rdmsr(IA32_VMX_CR4_FIXED0) & CR4_VMXE));
}

/* What no hypervisor for 64-bit guests goes without. */
static void essentials(void)
{
	say("host64=%u guest64=%u msr_bitmaps=%u secondary=%u ept=%u vpid=%u unrestricted=%u",
	    exit_offers(EXIT_HOST_ADDRESS_SPACE_SIZE), entry_offers(ENTRY_IA32E_MODE_GUEST),
	    proc_offers(PROC_USE_MSR_BITMAPS), proc_offers(PROC_ACTIVATE_SECONDARY_CONTROLS),
	    proc2_offers(PROC2_ENABLE_EPT), proc2_offers(PROC2_ENABLE_VPID),
	    proc2_offers(PROC2_UNRESTRICTED_GUEST));
}

static void ept(void)
{
	say("walk_4=%u write_back=%u 2mb=%u 1gb=%u invept=%u/%u/%u invvpid=%u/%u/%u accessed_dirty=%u",
	    ept_vpid_offers(CAP_WALK_LENGTH_4), ept_vpid_offers(CAP_MEMORY_TYPE_WB),
	    ept_vpid_offers(CAP_EPT_2MB), ept_vpid_offers(CAP_EPT_1GB), ept_vpid_offers(CAP_INVEPT),
	    ept_vpid_offers(CAP_INVEPT_SINGLE), ept_vpid_offers(CAP_INVEPT_ALL),
	    ept_vpid_offers(CAP_INVVPID), ept_vpid_offers(CAP_INVVPID_SINGLE),
	    ept_vpid_offers(CAP_INVVPID_ALL), ept_vpid_offers(CAP_EPT_ACCESSED_DIRTY));
}

/* Expect: controls that need another are offered only with it. */
static void dependencies(void)
{
	bool tpr = proc_offers(PROC_USE_TPR_SHADOW);

	say("virtual_nmis=%u nmi_window=%u x2apic=%u delivery=%u posted=%u unrestricted=%u save_timer=%u",
	    !pin_offers(PIN_VIRTUAL_NMIS) || pin_offers(PIN_NMI_EXITING),
	    !proc_offers(PROC_NMI_WINDOW_EXITING) || pin_offers(PIN_VIRTUAL_NMIS),
	    !proc2_offers(PROC2_VIRTUALIZE_X2APIC_MODE) || tpr,
	    !proc2_offers(PROC2_VIRTUAL_INTERRUPT_DELIVERY) || tpr,
	    !pin_offers(PIN_PROCESS_POSTED_INTERRUPTS) ||
		    proc2_offers(PROC2_VIRTUAL_INTERRUPT_DELIVERY),
	    !proc2_offers(PROC2_UNRESTRICTED_GUEST) || proc2_offers(PROC2_ENABLE_EPT),
	    !exit_offers(EXIT_SAVE_PREEMPTION_TIMER) || pin_offers(PIN_ACTIVATE_PREEMPTION_TIMER));
}

/* Expect: no field that exists has an index above what IA32_VMX_VMCS_ENUM says. */
static void vmcs_enum(void)
{
	u64 highest = rdmsr(IA32_VMX_VMCS_ENUM) >> 1 & 0x1ff, seen = 0;
	u64 region = vmx_region_alloc();
	u32 count = 0;

	vmclear(region);
	vmptrld(region);
	for (u64 field = 0; field < 0x8000; field += 2) {
		u64 value = 0;

		if (field & 0x1000 || attempt(op_vmread, field, (u64)&value) != OUTCOME_OK)
			continue;
		count++;
		if ((field >> 1 & 0x1ff) > seen)
			seen = field >> 1 & 0x1ff;
	}
	vmclear(region);
	info("%u fields, highest index %lx, said %lx", count, seen, highest);
	say("within=%u", seen <= highest);
}

/* Expect: each control that is offered brings its field. */
static void fields_of_controls(void)
{
	static const struct {
		const char *name;
		u64 bit;
		enum vmcs_field field;
	} rows[] = {
		{ "ept", PROC2_ENABLE_EPT, EPT_POINTER },
		{ "vpid", PROC2_ENABLE_VPID, VIRTUAL_PROCESSOR_IDENTIFIER },
		{ "apic_access", PROC2_VIRTUALIZE_APIC_ACCESSES, APIC_ACCESS_ADDRESS },
		{ "delivery", PROC2_VIRTUAL_INTERRUPT_DELIVERY, GUEST_INTERRUPT_STATUS },
		{ "ple", PROC2_PAUSE_LOOP_EXITING, PLE_GAP },
		{ "pml", PROC2_ENABLE_PML, PML_ADDRESS },
		{ "xsaves", PROC2_ENABLE_XSAVES, XSS_EXITING_BITMAP },
		{ "tsc_scaling", PROC2_USE_TSC_SCALING, TSC_MULTIPLIER },
	};
	u64 region = vmx_region_alloc();

	vmclear(region);
	vmptrld(region);
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 value = 0;
		bool exists = attempt(op_vmread, rows[i].field, (u64)&value) == OUTCOME_OK;

		say("%s%s=%u", i ? " " : "", rows[i].name, exists == proc2_offers(rows[i].bit));
	}
	vmclear(region);
}

static u32 op_set_vmxe(u64 first, u64 second)
{
	(void)first, (void)second;
	write_cr4(read_cr4() | CR4_VMXE);
	return OUTCOME_OK;
}

/* Expect: of a processor whose CPUID has no VMX, that nothing of it is there. */
static void without_vmx(void)
{
	u64 value, region = (u64)page_alloc();

	say("msr %o cr4 %o vmxon %o", attempt(op_rdmsr, IA32_VMX_BASIC, (u64)&value), attempt(op_set_vmxe, 0, 0),
	    attempt(op_vmxon, (u64)&region, 0));
}

static const struct scenario absence[] = {
	{ "caps.without_vmx", without_vmx, "msr #13(0) cr4 #13(0) vmxon #6", NULL },
};

static const struct scenario checks[] = {
	{ "caps.feature_control", feature_control, "locked with VMX=1", NULL },
	{ "caps.basic", basic, "bit31=0 size_ok=1 write_back=1 true_controls=1", NULL },
	{ "caps.settings", settings, "pin=1 proc=1 exit=1 entry=1 secondary=1", NULL },
	{ "caps.default1", default1, "pin=1 proc=1 exit=1 entry=1", NULL },
	{ "caps.fixed_bits", fixed_bits,
	  "cr0_fits=1 cr4_fits=1 cr0_subset=1 cr4_subset=1 vmxe_fixed=1", NULL },
	{ "caps.essentials", essentials,
	  "host64=1 guest64=1 msr_bitmaps=1 secondary=1 ept=1 vpid=1 unrestricted=1", NULL },
	{ "caps.ept", ept,
	  "walk_4=1 write_back=1 2mb=1 1gb=1 invept=1/1/1 invvpid=1/1/1 accessed_dirty=1", NULL },
	{ "caps.dependencies", dependencies,
	  "virtual_nmis=1 nmi_window=1 x2apic=1 delivery=1 posted=1 unrestricted=1 save_timer=1", NULL },
	{ "caps.vmcs_enum", vmcs_enum, "within=1", NULL },
	{ "caps.fields_of_controls", fields_of_controls,
	  "ept=1 vpid=1 apic_access=1 delivery=1 ple=1 pml=1 xsaves=1 tsc_scaling=1", NULL },
};

void guest_main(void)
{
	if (!vmx_present()) {
		info("no VMX");
		scenarios_run(absence, ARRAY_SIZE(absence));
		return;
	}
	info("caps, Testudo %s", under_testudo() ? "below" : "not found");
	vmx_prepare();
	print_all();
	vmx_on();
	scenarios_run(checks, ARRAY_SIZE(checks));
	vmx_off();
}
