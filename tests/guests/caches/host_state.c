/* SPDX-License-Identifier: MIT */
/*
 * L1 changes a register between an exit and the next entry. The exit after that must load the host-state area, whole,
 * and leave alone what the SDM leaves alone. SDM "Loading Host State".
 */
#include "tests/guests/caches/caches.h"

#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/text.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define OTHER_PAT 0x0607040600070406ull

/* L1's state after an exit, when nothing was changed. Changes go from here, as each is made twice. */
static struct l1_state usual;

/* --- changes ----------------------------------------------------------------------- */

#define CHANGE_SEGMENT(name)                                                                \
	static void change_##name(void)                                                     \
	{                                                                                   \
		__asm__ volatile("mov %0, %%" #name : : "r"((u64)SELECTOR_SMALL));          \
	}                                                                                   \
	static void null_##name(void)                                                       \
	{                                                                                   \
		__asm__ volatile("mov %0, %%" #name : : "r"(0ull));                         \
	}
CHANGE_SEGMENT(es)
CHANGE_SEGMENT(ds)
CHANGE_SEGMENT(fs)
CHANGE_SEGMENT(gs)
CHANGE_SEGMENT(ss)
#undef CHANGE_SEGMENT

static void change_cs(void)
{
	load_cs(SELECTOR_OTHER_CODE);
}

static void change_fs_base(void)
{
	wrmsr(IA32_FS_BASE, 0x300);
}

static void change_gs_base(void)
{
	wrmsr(IA32_GS_BASE, 0x400);
}

static void set_gdtr(u64 *gdt, u16 limit)
{
	struct table_register gdtr = { limit, (u64)gdt };

	lgdt(&gdtr);
}

static void change_gdtr_base(void)
{
	set_gdtr(l1_pages.other_gdt, 0xffff);
}

static void change_gdtr_limit(void)
{
	set_gdtr(l1_pages.gdt, 0xfff);
}

static void change_idtr_base(void)
{
	struct table_register idtr = { 0xffff, (u64)l1_pages.other_idt };

	lidt(&idtr);
}

static void change_idtr_limit(void)
{
	struct table_register idtr = { 0xfff, (u64)l1_pages.idt };

	lidt(&idtr);
}

static void change_ldtr(void)
{
	__asm__ volatile("lldt %0" : : "r"((u16)SELECTOR_LDT));
}

static void load_tr(u16 selector)
{
	l1_pages.gdt[selector / 8] &= ~BIT(41);
	ltr(selector);
}

static void change_tr_limit(void)
{
	load_tr(SELECTOR_TSS_PORTS);
}

static void change_tr_base(void)
{
	load_tr(SELECTOR_TSS_STACK);
}

static void change_cr0_ts(void)
{
	write_cr0(read_cr0() | CR0_TS);
}

static void change_cr0_mp(void)
{
	write_cr0(usual.value[L1_cr0] ^ CR0_MP);
}

static void change_cr0_am(void)
{
	write_cr0(read_cr0() | CR0_AM);
}

/* SDM "Loading Host Control Registers, Debug Registers, MSRs": CD and NW are not modified. */
static void change_cr0_cd(void)
{
	write_cr0(read_cr0() | CR0_CD);
}

static void change_cr2(void)
{
	write_cr2(0x12345678);
}

static void change_cr3(void)
{
	write_cr3(l1_pages.other_cr3);
}

static void change_cr4_pge(void)
{
	write_cr4(read_cr4() | CR4_PGE);
}

static void change_cr4_osfxsr(void)
{
	write_cr4(read_cr4() & ~CR4_OSFXSR);
}

static void change_cr4_tsd(void)
{
	write_cr4(read_cr4() | CR4_TSD | CR4_DE);
}

static void change_dr0(void)
{
	__asm__ volatile("mov %0, %%dr0" : : "r"(0x7777777ull));
}

static void change_dr3(void)
{
	__asm__ volatile("mov %0, %%dr3" : : "r"(0x8888888ull));
}

static void change_dr7(void)
{
	__asm__ volatile("mov %0, %%dr7" : : "r"(0x455ull));
}

#define CHANGE_MSR(name, msr, value)         \
	static void change_##name(void)      \
	{                                    \
		wrmsr(msr, value);           \
	}
CHANGE_MSR(debugctl, IA32_DEBUGCTL, 1)
CHANGE_MSR(sysenter_cs, IA32_SYSENTER_CS, 0x33)
CHANGE_MSR(sysenter_esp, IA32_SYSENTER_ESP, 0x7000)
CHANGE_MSR(sysenter_eip, IA32_SYSENTER_EIP, 0x8000)
CHANGE_MSR(pat, IA32_PAT, OTHER_PAT)
CHANGE_MSR(star, IA32_STAR, 0x1000000000)
CHANGE_MSR(lstar, IA32_LSTAR, 0x2000)
CHANGE_MSR(cstar, IA32_CSTAR, 0x3000)
CHANGE_MSR(fmask, IA32_FMASK, 0x200)
CHANGE_MSR(kernel_gs_base, IA32_KERNEL_GS_BASE, 0x9000)
CHANGE_MSR(efer_sce, IA32_EFER, usual.value[L1_efer] ^ EFER_SCE)
CHANGE_MSR(efer_nxe, IA32_EFER, usual.value[L1_efer] ^ EFER_NXE)
#undef CHANGE_MSR

/* IOPL 3, AC and NT. */
static void change_rflags(void)
{
	__asm__ volatile("pushq %0; popfq" : : "i"(0x47002) : "cc");
}

static void set_xcr0(u64 value)
{
	__asm__ volatile("xsetbv" : : "a"((u32)value), "d"((u32)(value >> 32)), "c"(0));
}

static void change_xcr0(void)
{
	set_xcr0(usual.value[L1_xcr0] ^ 2);
}

/* --- the rounds -------------------------------------------------------------------- */

/* The MSRs, CR2, CR0.CD and debug registers that an exit leaves alone, as they were before. */
static void undo_what_stays(void)
{
	const u64 *v = usual.value;
	static const struct {
		u32 msr;
		enum l1_state_row row;
	} msrs[] = {
		{ IA32_PAT, L1_pat }, { IA32_EFER, L1_efer }, { IA32_STAR, L1_star }, { IA32_LSTAR, L1_lstar },
		{ IA32_CSTAR, L1_cstar }, { IA32_FMASK, L1_fmask }, { IA32_KERNEL_GS_BASE, L1_kernel_gs_base },
	};

	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++)
		wrmsr(msrs[i].msr, v[msrs[i].row]);
	write_cr0(v[L1_cr0]);
	write_cr2(v[L1_cr2]);
	__asm__ volatile("mov %0, %%dr0; mov %1, %%dr3" : : "r"(v[L1_dr0]), "r"(v[L1_dr3]));
	if (v[L1_cr4] & CR4_OSXSAVE)
		set_xcr0(v[L1_xcr0]);
}

struct change {
	const char *name;
	void (*apply)(void);
	const char *expected; /* with the host state as l1_prepare() has it */
	bool (*offered)(void);
};

/* What it changes, and what of that an exit leaves as it is; the exit after finds the usual state. At each depth. */
#define LEAVES(changes, stays) ONCE(changes, stays) ONCE(changes, stays) ONCE(changes, stays)
#define ONCE(changes, stays) changes "|" stays "|- "
/* Each read needs the stack to come back. */
#define READS "es_read,ss_read,ds_read,fs_read,gs_read"

static bool has_xsave(void)
{
	return read_cr4() & CR4_OSXSAVE;
}

/* Bochs takes the write and reads 0. */
static bool has_debugctl(void)
{
	bool kept;

	change_debugctl();
	kept = rdmsr(IA32_DEBUGCTL) == 1;
	wrmsr(IA32_DEBUGCTL, 0);
	return kept;
}

static const struct change changes[] = {
	{ "rflags", change_rflags, LEAVES("rflags", "-"), NULL },
	{ "es", change_es, LEAVES("es,es_read", "-"), NULL },
	{ "es_null", null_es, LEAVES("es,es_read", "-"), NULL },
	{ "cs", change_cs, LEAVES("cs", "-"), NULL },
	{ "ss", change_ss, LEAVES("ss," READS, "-"), NULL },
	{ "ss_null", null_ss, LEAVES("ss," READS, "-"), NULL },
	{ "ds", change_ds, LEAVES("ds,ds_read", "-"), NULL },
	{ "ds_null", null_ds, LEAVES("ds,ds_read", "-"), NULL },
	{ "fs", change_fs, LEAVES("fs,fs_base,fs_read", "-"), NULL },
	{ "fs_null", null_fs, LEAVES("fs,fs_base,fs_read", "-"), NULL },
	{ "gs", change_gs, LEAVES("gs,gs_base,gs_read", "-"), NULL },
	{ "gs_null", null_gs, LEAVES("gs,gs_base,gs_read", "-"), NULL },
	{ "fs_base", change_fs_base, LEAVES("fs_base,fs_read", "-"), NULL },
	{ "gs_base", change_gs_base, LEAVES("gs_base,gs_read", "-"), NULL },
	{ "gdtr_base", change_gdtr_base, LEAVES("gdtr_base", "-"), NULL },
	{ "gdtr_limit", change_gdtr_limit, LEAVES("gdtr_limit", "-"), NULL },
	{ "idtr_base", change_idtr_base, LEAVES("idtr_base", "-"), NULL },
	{ "idtr_limit", change_idtr_limit, LEAVES("idtr_limit", "-"), NULL },
	{ "ldtr", change_ldtr, LEAVES("ldtr,ldt_load", "-"), NULL },
	{ "tr_limit", change_tr_limit, LEAVES("tr,tss_ports", "-"), NULL },
	{ "tr_base", change_tr_base, LEAVES("tr,tss_stack", "-"), NULL },
	{ "cr0_ts", change_cr0_ts, LEAVES("cr0", "-"), NULL },
	{ "cr0_mp", change_cr0_mp, LEAVES("cr0", "-"), NULL },
	{ "cr0_am", change_cr0_am, LEAVES("cr0", "-"), NULL },
	{ "cr0_cd", change_cr0_cd, LEAVES("cr0", "cr0"), NULL },
	{ "cr2", change_cr2, LEAVES("cr2", "cr2"), NULL },
	{ "cr3", change_cr3, LEAVES("cr3,mapped", "-"), NULL },
	{ "cr4_pge", change_cr4_pge, LEAVES("cr4", "-"), NULL },
	{ "cr4_osfxsr", change_cr4_osfxsr, LEAVES("cr4", "-"), NULL },
	{ "cr4_tsd_de", change_cr4_tsd, LEAVES("cr4", "-"), NULL },
	{ "xcr0", change_xcr0, LEAVES("xcr0", "xcr0"), has_xsave },
	{ "dr0", change_dr0, LEAVES("dr0", "dr0"), NULL },
	{ "dr3", change_dr3, LEAVES("dr3", "dr3"), NULL },
	{ "dr7", change_dr7, LEAVES("dr7", "-"), NULL },
	{ "debugctl", change_debugctl, LEAVES("debugctl", "-"), has_debugctl },
	{ "sysenter_cs", change_sysenter_cs, LEAVES("sysenter_cs", "-"), NULL },
	{ "sysenter_esp", change_sysenter_esp, LEAVES("sysenter_esp", "-"), NULL },
	{ "sysenter_eip", change_sysenter_eip, LEAVES("sysenter_eip", "-"), NULL },
	{ "pat", change_pat, LEAVES("pat", "pat"), NULL },
	{ "efer_sce", change_efer_sce, LEAVES("efer", "efer"), NULL },
	{ "efer_nxe", change_efer_nxe, LEAVES("efer", "efer"), NULL },
	{ "star", change_star, LEAVES("star", "star"), NULL },
	{ "lstar", change_lstar, LEAVES("lstar", "lstar"), NULL },
	{ "cstar", change_cstar, LEAVES("cstar", "cstar"), NULL },
	{ "fmask", change_fmask, LEAVES("fmask", "fmask"), NULL },
	{ "kernel_gs_base", change_kernel_gs_base, LEAVES("kernel_gs_base", "kernel_gs_base"), NULL },
};

/* The change, and what L1 finds after the next exit and the one after that. */
static void change_once(struct vm *vm, const struct change *change)
{
	struct l1_state state;

	change->apply();
	l1_capture(&state);
	l1_say_differences(&usual, &state);
	/* Looking took some of it away. */
	change->apply();
	rounds(vm, 1);
	l1_capture(&state);
	say("|");
	l1_say_differences(&usual, &state);
	undo_what_stays();
	rounds(vm, 1);
	l1_capture(&state);
	say("|");
	l1_say_differences(&usual, &state);
	say(" ");
}

/* A line for each. What is expected is known of one host-state area only; of others the bare machine knows. */
static void each_change(struct vm *vm, const char *prefix, bool expected)
{
	static const u32 depths[] = DEPTHS;
	struct text name;

	rounds(vm, 1);
	l1_capture(&usual);
	for (u32 c = 0; c < ARRAY_SIZE(changes); c++) {
		if (changes[c].offered && !changes[c].offered())
			continue;
		for (u32 d = 0; d < ARRAY_SIZE(depths); d++) {
			rounds(vm, depths[d]);
			change_once(vm, &changes[c]);
		}
		name_join(&name, prefix, changes[c].name);
		check_said(name.data, expected ? changes[c].expected : NULL);
	}
}

static struct vm *create(void)
{
	struct vm *vm = rounds_create(l2_cpuid_for_ever);

	l1_prepare();
	return vm;
}

/* Expect: every register of the host-state area has its value again, and its hidden parts those that the SDM prescribes. */
static void flat(void)
{
	each_change(create(), "host_state", true);
	say("done");
}

static void load_pat_and_efer(void)
{
	vm_set(VM_EXIT_CONTROLS, EXIT_LOAD_IA32_PAT | EXIT_LOAD_IA32_EFER);
	vmwrite(HOST_IA32_PAT, rdmsr(IA32_PAT));
	vmwrite(HOST_IA32_EFER, rdmsr(IA32_EFER));
}

/* Expect: the same of null selectors, which are unusable, and with PAT and EFER loaded. */
static void null_selectors(void)
{
	struct vm *vm = create();

	for (u32 i = 0; i < 6; i++)
		if (i != 1) /* CS */
			vmwrite(HOST_ES_SELECTOR + i * 2, 0);
	load_pat_and_efer();
	each_change(vm, "host_state.null", false);
	say("done");
}

#define LONG_QUIET 1500

/*
 * Expect: the same when nothing was looked at for long: SGDT and its like tell a hypervisor that watches, too. What L1 has
 * changed is not looked at before the next exit.
 */
static void after_long_quiet(void)
{
	struct vm *vm = create();
	struct l1_state state;
	struct text name;

	load_pat_and_efer();
	rounds(vm, 1);
	l1_capture(&usual);
	for (u32 c = 0; c < ARRAY_SIZE(changes); c++) {
		if (changes[c].offered && !changes[c].offered())
			continue;
		rounds(vm, LONG_QUIET);
		changes[c].apply();
		rounds(vm, 1);
		l1_capture(&state);
		l1_say_differences(&usual, &state);
		undo_what_stays();
		name_join(&name, "host_state.quiet", changes[c].name);
		check_said(name.data, NULL);
	}
	say("done");
}

static bool loads_pat_and_efer(void)
{
	return exit_offers(EXIT_LOAD_IA32_PAT | EXIT_LOAD_IA32_EFER);
}

SCENARIOS(host_state_scenarios,
	{ "host_state", flat, "done", NULL },
	{ "host_state.quiet", after_long_quiet, "done", loads_pat_and_efer },
	{ "host_state.null", null_selectors, "done", loads_pat_and_efer },
);
