/* SPDX-License-Identifier: MIT */
/*
 * CR0 and CR4: what is refused, and what is read back, outside VMX operation and
 * inside. SDM "MOV-Move to/from Control Registers", "Restrictions on VMX Operation".
 */
#include "tests/guests/insn/insn.h"

#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/x86.h"

#define CR4_UMIP BIT(11)
#define CR4_LA57 BIT(12)
#define CR4_SMEP BIT(20)
#define CACHING (CR0_CD | CR0_NW)

static u32 op_write_cr0(u64 value, u64 unused)
{
	(void)unused;
	write_cr0(value);
	return OUTCOME_OK;
}

static u32 op_write_cr4(u64 value, u64 unused)
{
	(void)unused;
	write_cr4(value);
	return OUTCOME_OK;
}

static u32 op_write_efer(u64 value, u64 unused)
{
	(void)unused;
	wrmsr(IA32_EFER, value);
	return OUTCOME_OK;
}

/* Tries a value, says what came of it and what is read then, and puts the register right. */
static void try_cr0(const char *name, u64 clear, u64 set, u32 expected)
{
	u64 old = read_cr0(), now;
	u32 outcome = attempt(op_write_cr0, (old & ~clear) | set, 0);

	now = read_cr0();
	write_cr0(old);
	say("%o changed %lx", outcome, old ^ now);
	expect(outcome == expected);
	check_said(name, NULL);
}

static void try_cr4(const char *name, u64 clear, u64 set, u32 expected)
{
	u64 old = read_cr4(), now;
	u32 outcome = attempt(op_write_cr4, (old & ~clear) | set, 0);

	now = read_cr4();
	write_cr4(old);
	say("%o changed %lx", outcome, old ^ now);
	expect(outcome == expected);
	check_said(name, NULL);
}

static void both(void)
{
	try_cr0("machine.cr0.reserved_high", 0, BIT(32), FAULT(VECTOR_GP));
	try_cr0("machine.cr0.reserved_low", 0, BIT(6) | BIT(17) | BIT(28), OUTCOME_OK);
	try_cr0("machine.cr0.pg_clear", CR0_PG, 0, FAULT(VECTOR_GP));
	try_cr0("machine.cr0.pe_clear", CR0_PE, 0, FAULT(VECTOR_GP));
	try_cr0("machine.cr0.nw_without_cd", CR0_CD, CR0_NW, FAULT(VECTOR_GP));
	try_cr0("machine.cr0.caching_off", 0, CACHING, OUTCOME_OK);
	try_cr0("machine.cr0.ts_em_mp", CR0_MP, CR0_TS | CR0_EM, OUTCOME_OK);
	try_cr0("machine.cr0.et_clear", CR0_ET, 0, OUTCOME_OK);
	try_cr4("machine.cr4.pae_clear", CR4_PAE, 0, FAULT(VECTOR_GP));
	try_cr4("machine.cr4.la57", 0, CR4_LA57, FAULT(VECTOR_GP));
	try_cr4("machine.cr4.reserved", 0, BIT(15), FAULT(VECTOR_GP));
	try_cr4("machine.cr4.reserved_high", 0, BIT(32), FAULT(VECTOR_GP));
	try_cr4("machine.cr4.tsd_de_pge", 0, CR4_TSD | CR4_DE | CR4_PGE, OUTCOME_OK);
	if (cpuid(7, 0).ebx & BIT(7))
		try_cr4("machine.cr4.smep", 0, CR4_SMEP, OUTCOME_OK);
	check_outcome("machine.efer.lme_clear", attempt(op_write_efer, rdmsr(IA32_EFER) & ~EFER_LME, 0), FAULT(VECTOR_GP));
	check_outcome("machine.efer.reserved", attempt(op_write_efer, rdmsr(IA32_EFER) | BIT(1), 0), FAULT(VECTOR_GP));
}

/* CR3 bits 11:0 must be 0 to turn PCIDs on. */
static void pcid(void)
{
	u64 cr3 = read_cr3();

	if (!(cpuid(1, 0).ecx & BIT(17)))
		return;
	write_cr3(cr3 | 0x8);
	try_cr4("machine.cr4.pcide_with_pcid", 0, CR4_PCIDE, FAULT(VECTOR_GP));
	write_cr3(cr3);
	try_cr4("machine.cr4.pcide", 0, CR4_PCIDE, OUTCOME_OK);
}

/* LMSW sets PE, MP, EM and TS, cannot clear PE, and leaves the rest. */
static void lmsw_and_clts(void)
{
	u64 old = read_cr0(), now[3];

	__asm__ volatile("lmsw %w0" : : "r"(0xfffeull));
	now[0] = read_cr0();
	__asm__ volatile("clts");
	now[1] = read_cr0();
	__asm__ volatile("lmsw %w0" : : "r"(0ull));
	now[2] = read_cr0();
	write_cr0(old);
	say("%x %x %x", (u32)now[0] & 0xf, (u32)now[1] & 0xf, (u32)now[2] & 0xf);
	check_said("machine.lmsw_and_clts", "0xf 7 1");
}

/* Expect: in one MOV with a bit that VMX fixes, too. */
void group_machine_control(void)
{
	both();
	pcid();
	lmsw_and_clts();
	try_cr0("machine.cr0.ne_clear", CR0_NE, 0, OUTCOME_OK);
	try_cr0("machine.cr0.ne_clear_and_caching_off", CR0_NE, CACHING, OUTCOME_OK);
	try_cr0("machine.cr0.ne_clear_and_wp", CR0_NE, CR0_WP, OUTCOME_OK);
	try_cr0("machine.cr0.ne_clear_and_ts", CR0_NE, CR0_TS, OUTCOME_OK);
	try_cr0("machine.cr0.ne_clear_and_reserved_low", CR0_NE, BIT(6) | BIT(17) | BIT(28), OUTCOME_OK);
	try_cr0("machine.cr0.ne_clear_and_reserved_high", CR0_NE, BIT(33), FAULT(VECTOR_GP));
	try_cr0("machine.cr0.ne_clear_and_nw", CR0_NE | CR0_CD, CR0_NW, FAULT(VECTOR_GP));
	try_cr4("machine.cr4.vmxe_clear", CR4_VMXE, 0, OUTCOME_OK);
	try_cr4("machine.cr4.vmxe_clear_and_tsd", CR4_VMXE, CR4_TSD, OUTCOME_OK);
	try_cr4("machine.cr4.vmxe_clear_and_reserved", CR4_VMXE, BIT(15), FAULT(VECTOR_GP));
	try_cr4("machine.cr4.vmxe_clear_and_pae", CR4_VMXE | CR4_PAE, 0, FAULT(VECTOR_GP));
	say("complete");
}

void group_machine_in_root(void)
{
	both();
	pcid();
	lmsw_and_clts();
	try_cr0("root.cr0.ne_clear", CR0_NE, 0, FAULT(VECTOR_GP));
	try_cr0("root.cr0.ne_clear_and_caching_off", CR0_NE, CACHING, FAULT(VECTOR_GP));
	try_cr4("root.cr4.vmxe_clear", CR4_VMXE, 0, FAULT(VECTOR_GP));
	try_cr4("root.cr4.vmxe_clear_and_tsd", CR4_VMXE, CR4_TSD, FAULT(VECTOR_GP));
	say("complete");
}
