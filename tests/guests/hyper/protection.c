/* SPDX-License-Identifier: MIT */
/*
 * MSRs that VM entries load, and VM exits save and load or clear, only on request:
 * CET state, PKRS, the user-interrupt notification vector, IA32_PERF_GLOBAL_CTRL. SDM "Loading Guest
 * Control Registers, Debug Registers, and MSRs", "Saving Control Registers, Debug
 * Registers, and MSRs", "Loading Host Control Registers, Debug Registers, MSRs".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

/* An MSR and the two controls and fields that switch it. */
struct switched {
	u32 msr;
	u64 entry, exit;
	enum vmcs_field guest, host;	/* host 0: the exit clears it */
	u32 shift;			/* where the field is in the MSR */
	u64 of_l1, of_guest, of_l2, of_host;	/* values in the field's place */
};

static const struct switched s_cet = { IA32_S_CET, ENTRY_LOAD_CET_STATE, EXIT_LOAD_CET_STATE, GUEST_IA32_S_CET, HOST_IA32_S_CET,
				       0, 0x1020, 0x2010, 0x3008, 0x4004 };
static const struct switched ssp_table = { IA32_INTERRUPT_SSP_TABLE_ADDR, ENTRY_LOAD_CET_STATE, EXIT_LOAD_CET_STATE,
					   GUEST_IA32_INTERRUPT_SSP_TABLE, HOST_IA32_INTERRUPT_SSP_TABLE,
					   0, 0x1000, 0x2000, 0x3000, 0x4000 };
static const struct switched pkrs = { IA32_PKRS, ENTRY_LOAD_PKRS, EXIT_LOAD_PKRS, GUEST_IA32_PKRS, HOST_IA32_PKRS,
				      0, 0x11111111, 0x22222222, 0x33333333, 0x44444444 };
static const struct switched uinv = { IA32_UINTR_MISC, ENTRY_LOAD_UINV, EXIT_CLEAR_UINV, GUEST_UINV, 0,
				      32, 0x51, 0x52, 0x53, 0 };

static bool offers(const struct switched *s)
{
	return entry_offers(s->entry) && exit_offers(s->exit);
}

static bool has_cet(void) { return offers(&s_cet); }
static bool has_pkrs(void) { return offers(&pkrs); }
static bool has_uinv(void) { return offers(&uinv); }

/* The MSR's value before L2 changes it is what R8 has then. */
static struct vm *create(const struct switched *s)
{
	struct vm *vm = vm_create(l2_exchange_msr);
	u8 *bitmap = (u8 *)vm->msr_bitmap;

	bitmap[s->msr / 8] &= (u8)~(1u << s->msr % 8);
	bitmap[2048 + s->msr / 8] &= (u8)~(1u << s->msr % 8);
	wrmsr(s->msr, s->of_l1 << s->shift);
	vmwrite(s->guest, s->of_guest);
	if (s->host)
		vmwrite(s->host, s->of_host);
	return vm;
}

static void run(struct vm *vm, const struct switched *s)
{
	u64 value = s->of_l2 << s->shift;

	vm_restart(vm, l2_exchange_msr);
	vm->gpr[RCX] = s->msr;
	vm->gpr[RSI] = (u32)value;
	vm->gpr[RDI] = value >> 32;
	if (!vm_run(vm))
		return;
	say("%s l2=%lx saved=%lx l1=%lx; ", exit_reason_name(vm->basic_reason), vm->gpr[R8] >> s->shift, vmread(s->guest),
	    rdmsr(s->msr) >> s->shift);
}

/* Expect: with neither control, one register for all; it is saved all the same. Then with one, with the other, with both. */
static void all_ways(const struct switched *s)
{
	struct vm *vm = create(s);

	run(vm, s);
	wrmsr(s->msr, s->of_l1 << s->shift);
	vm_set(VM_ENTRY_CONTROLS, s->entry);
	vmwrite(s->guest, s->of_guest);
	run(vm, s);
	vm_clear(VM_ENTRY_CONTROLS, s->entry);
	vm_set(VM_EXIT_CONTROLS, s->exit);
	wrmsr(s->msr, s->of_l1 << s->shift);
	run(vm, s);
	vm_set(VM_ENTRY_CONTROLS, s->entry);
	vmwrite(s->guest, s->of_guest);
	run(vm, s);
	run(vm, s); /* what was saved is loaded */
	wrmsr(s->msr, 0);
}

static void cet_state(void) { all_ways(&s_cet); }
static void cet_ssp_table(void) { all_ways(&ssp_table); }
static void pkrs_state(void) { all_ways(&pkrs); }
static void uinv_state(void) { all_ways(&uinv); }

/* Expect: SSP, too, without shadow stacks in use: what an exit loads is what the next entry passes on. */
static void cet_ssp(void)
{
	struct vm *vm = vm_create(l2_cpuid);

	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_CET_STATE);
	vm_set(VM_EXIT_CONTROLS, EXIT_LOAD_CET_STATE);
	vmwrite(GUEST_IA32_S_CET, 0x10);
	vmwrite(GUEST_SSP, 0x123450);
	vmwrite(GUEST_IA32_INTERRUPT_SSP_TABLE, 0);
	vmwrite(HOST_IA32_S_CET, 0);
	vmwrite(HOST_SSP, 0xffff800000abcde8);
	vmwrite(HOST_IA32_INTERRUPT_SSP_TABLE, 0);
	vm_step(vm);
	say(" ssp=%lx s_cet=%lx; ", vmread(GUEST_SSP), vmread(GUEST_IA32_S_CET));
	vm_clear(VM_ENTRY_CONTROLS, ENTRY_LOAD_CET_STATE);
	vm_clear(VM_EXIT_CONTROLS, EXIT_LOAD_CET_STATE);
	cpuid(0, 0); /* an exit of L1's own between */
	vm_step(vm);
	say(" ssp=%lx s_cet=%lx", vmread(GUEST_SSP), vmread(GUEST_IA32_S_CET));
}

/* Expect: an entry that fails leaves L1 with what the exit controls load. */
static void cet_after_failed_entry(void)
{
	struct vm *vm = vm_create(l2_cpuid);

	wrmsr(IA32_S_CET, 0x1000);
	vm_set(VM_EXIT_CONTROLS, EXIT_LOAD_CET_STATE);
	vmwrite(HOST_IA32_S_CET, 0x2000);
	vmwrite(HOST_SSP, 0);
	vmwrite(HOST_IA32_INTERRUPT_SSP_TABLE, 0);
	vmwrite(GUEST_RFLAGS, 0);
	if (vm_run(vm))
		say("%s s_cet=%lx", exit_reason_name((u16)vm->basic_reason), rdmsr(IA32_S_CET));
	wrmsr(IA32_S_CET, 0);
}

/* Expect: error 8 for the host's, a failed entry for the guest's. */
static void cet_entry_checks(void)
{
	static const struct {
		const char *what;
		enum vmcs_field field;
		u64 value;
	} bad[] = {
		{ "host_s_cet_bit_6", HOST_IA32_S_CET, BIT(6) },
		{ "host_suppress_and_tracker", HOST_IA32_S_CET, BIT(10) | BIT(11) },
		{ "host_s_cet_not_canonical", HOST_IA32_S_CET, BIT(50) },
		{ "host_ssp_2", HOST_SSP, 2 },
		{ "host_ssp_not_canonical", HOST_SSP, BIT(50) },
		{ "host_table_not_canonical", HOST_IA32_INTERRUPT_SSP_TABLE, BIT(50) },
		{ "guest_ssp_1", GUEST_SSP, 1 },
		{ "guest_ssp_beyond_width", GUEST_SSP, BIT(60) },
		{ "guest_table_not_canonical", GUEST_IA32_INTERRUPT_SSP_TABLE, BIT(50) },
		{ "host_cr4_without_wp", HOST_CR0, 0 },
	};
	struct vm *vm = vm_create(l2_vmcall);

	for (u32 f = GUEST_IA32_S_CET; f <= GUEST_IA32_INTERRUPT_SSP_TABLE; f += 2)
		vmwrite(f, 0);
	for (u32 f = HOST_IA32_S_CET; f <= HOST_IA32_INTERRUPT_SSP_TABLE; f += 2)
		vmwrite(f, 0);
	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_CET_STATE);
	vm_set(VM_EXIT_CONTROLS, EXIT_LOAD_CET_STATE);
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		u64 good = vmread(bad[i].field);

		say("%s ", bad[i].what);
		if (bad[i].field == HOST_CR0) {
			vmwrite(HOST_CR0, good & ~CR0_WP);
			vm_set(HOST_CR4, CR4_CET);
		} else {
			vmwrite(bad[i].field, bad[i].value);
		}
		if (vm_run(vm))
			say("%s", exit_reason_name((u16)vm->basic_reason));
		say("; ");
		vmwrite(bad[i].field, good);
	}
	vm_clear(HOST_CR4, CR4_CET);
	vm_step(vm);
}

static void pkrs_entry_checks(void)
{
	struct vm *vm = vm_create(l2_vmcall);

	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_PKRS);
	vm_set(VM_EXIT_CONTROLS, EXIT_LOAD_PKRS);
	vmwrite(GUEST_IA32_PKRS, 0);
	vmwrite(HOST_IA32_PKRS, BIT(32));
	vm_run(vm);
	say("; ");
	vmwrite(HOST_IA32_PKRS, 0);
	vmwrite(GUEST_IA32_PKRS, BIT(63));
	if (vm_run(vm))
		say("%s; ", exit_reason_name((u16)vm->basic_reason));
	vmwrite(GUEST_IA32_PKRS, 0);
	vm_step(vm);
}

static void uinv_entry_check(void)
{
	struct vm *vm = vm_create(l2_vmcall);

	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_UINV);
	vmwrite(GUEST_UINV, 0x152);
	if (vm_run(vm))
		say("%s; ", exit_reason_name((u16)vm->basic_reason));
	vmwrite(GUEST_UINV, 0x52);
	vm_step(vm);
}

static u64 try_perf_global_ctrl(u64 value)
{
	wrmsr(IA32_PERF_GLOBAL_CTRL, value);
	return rdmsr(IA32_PERF_GLOBAL_CTRL);
}

static bool saves_perf_global_ctrl(void)
{
	return exit_offers(EXIT_SAVE_IA32_PERF_GLOBAL_CTRL | EXIT_LOAD_IA32_PERF_GLOBAL_CTRL) &&
	       entry_offers(ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL) && try_perf_global_ctrl(2) == 2;
}

/* Expect: what was loaded is saved, and loaded again; L1 has it after the exit, as the exit loads nothing. */
static void perf_global_ctrl(void)
{
	struct vm *vm = vm_create(l2_cpuid);

	wrmsr(IA32_PERF_GLOBAL_CTRL, 0);
	vm_set(VM_EXIT_CONTROLS, EXIT_SAVE_IA32_PERF_GLOBAL_CTRL);
	vmwrite(GUEST_IA32_PERF_GLOBAL_CTRL, 5);
	vm_step(vm);
	say(" saved=%lx; ", vmread(GUEST_IA32_PERF_GLOBAL_CTRL));
	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_IA32_PERF_GLOBAL_CTRL);
	vmwrite(GUEST_IA32_PERF_GLOBAL_CTRL, 2);
	vm_step(vm);
	say(" saved=%lx l1=%lx", vmread(GUEST_IA32_PERF_GLOBAL_CTRL), rdmsr(IA32_PERF_GLOBAL_CTRL));
	wrmsr(IA32_PERF_GLOBAL_CTRL, 0);
}

#define WAYS(l1, guest, l2, host) \
	"VMCALL l2=" l1 " saved=" l2 " l1=" l2 "; VMCALL l2=" guest " saved=" l2 " l1=" l2 "; " \
	"VMCALL l2=" l1 " saved=" l2 " l1=" host "; VMCALL l2=" guest " saved=" l2 " l1=" host "; " \
	"VMCALL l2=" l2 " saved=" l2 " l1=" host "; "

SCENARIOS(protection_scenarios,
	{ "cet.s_cet", cet_state, WAYS("0x1020", "0x2010", "0x3008", "0x4004"), has_cet },
	{ "cet.ssp_table", cet_ssp_table, WAYS("0x1000", "0x2000", "0x3000", "0x4000"), has_cet },
	{ "cet.ssp", cet_ssp, "CPUID(10) length=2 rip=+10 ssp=0x123450 s_cet=0x10; "
	  "CPUID(10) length=2 rip=+10 ssp=0xffff800000abcde8 s_cet=0", has_cet },
	{ "cet.after_failed_entry", cet_after_failed_entry, "INVALID_GUEST_STATE s_cet=0x2000", has_cet },
	{ "cet.entry_checks", cet_entry_checks,
	  "host_s_cet_bit_6 entry: VMfailValid 8; host_suppress_and_tracker entry: VMfailValid 8; "
	  "host_s_cet_not_canonical entry: VMfailValid 8; host_ssp_2 entry: VMfailValid 8; host_ssp_not_canonical entry: VMfailValid 8; "
	  "host_table_not_canonical entry: VMfailValid 8; guest_ssp_1 INVALID_GUEST_STATE; guest_ssp_beyond_width INVALID_GUEST_STATE; "
	  "guest_table_not_canonical INVALID_GUEST_STATE; host_cr4_without_wp entry: VMfailValid 8; VMCALL(18) length=3 rip=+20",
	  has_cet },
	{ "pkrs.switched", pkrs_state, WAYS("0x11111111", "0x22222222", "0x33333333", "0x44444444"), has_pkrs },
	{ "pkrs.entry_checks", pkrs_entry_checks,
	  "entry: VMfailValid 8; INVALID_GUEST_STATE; VMCALL(18) length=3 rip=+20", has_pkrs },
	{ "uinv.switched", uinv_state, WAYS("0x51", "0x52", "0x53", "0"), has_uinv },
	{ "uinv.entry_check", uinv_entry_check, "INVALID_GUEST_STATE; VMCALL(18) length=3 rip=+20", has_uinv },
	{ "perf_global_ctrl.saved", perf_global_ctrl,
	  "CPUID(10) length=2 rip=+10 saved=0; CPUID(10) length=2 rip=+10 saved=2 l1=2", saves_perf_global_ctrl },
);
