/* SPDX-License-Identifier: MIT */
/*
 * hostile: bad input from L1 and L2 that must not harm whoever runs beneath. What
 * comes of each attempt may differ from one machine to the next; that this image
 * still runs afterwards may not, so that is all it says.
 */
#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/vm.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define SIZE_2M (2ull << 20)
#define SEARCH_FROM (64ull << 20)
#define SEARCH_TO (512ull << 20)
#define BITMAP_WRITE_LOW 2048
#define BITMAP_WRITE_HIGH 3072
#define APIC_BASE_ADDRESS 0xffffff000ull
#define SURVIVED "survived"

extern const u8 l2_open_and_wrmsr[], l2_turn_on_long_mode[];

/* Still alive, and with its senses? */
static void say_survived(void)
{
	(void)cpuid(0, 0);
	say(SURVIVED);
}

/* Pages of a hypervisor's block that all show the same scratch page; 0: none. */
static u64 hidden_block(void)
{
	for (u64 at = SEARCH_FROM; at < SEARCH_TO; at += SIZE_2M) {
		volatile u64 *first = (volatile u64 *)at, *next = (volatile u64 *)(at + 4096);
		u64 old = *first, old_next = *next;
		bool same;

		*first = 0x5ec2e7;
		*next = 0xb10c;
		same = *first == 0xb10c;
		*next = old_next;
		*first = old;
		if (same)
			return at;
	}
	return 0;
}

/* L2 changes L1's MSR bitmap between the processor's look at it and a hypervisor's. */
static void bitmap_changes(void)
{
	static const struct {
		u32 msr;
		u64 value;
	} writes[] = {
		{ IA32_GS_BASE, 0x123000 }, { IA32_FS_BASE, 0x123000 }, { IA32_EFER, EFER_LME | EFER_LMA },
		{ IA32_SYSENTER_EIP, 0x1000 }, { IA32_DEBUGCTL, 2 }, { IA32_PAT, 0 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(writes); i++) {
		struct vm *vm = vm_create(l2_open_and_wrmsr);
		u32 area = writes[i].msr >> 31 ? BITMAP_WRITE_HIGH : BITMAP_WRITE_LOW;
		u8 *byte = (u8 *)memset((void *)vm->msr_bitmap, 0, PAGE_SIZE) + area + (writes[i].msr & 0x1fff) / 8;

		*byte = 0xff;
		vm->gpr[RCX] = writes[i].msr;
		vm->gpr[RAX] = (u32)writes[i].value;
		vm->gpr[RDX] = writes[i].value >> 32;
		vm->gpr[RSI] = (u64)byte;
		(void)vm_run(vm);
	}
	say_survived();
}

static u32 op_write_apic_base(u64 value, u64 unused)
{
	(void)unused;
	wrmsr(IA32_APIC_BASE, value);
	return OUTCOME_OK;
}

/* The local APIC's registers laid over a hypervisor's own memory. */
static void apic_over_block(void)
{
	u64 block = hidden_block(), old = rdmsr(IA32_APIC_BASE);

	info("hidden block at %lx", block);
	for (u64 page = block; block && page < block + SIZE_2M; page += PAGE_SIZE) {
		u32 result = attempt(op_write_apic_base, (old & ~APIC_BASE_ADDRESS) | page, 0);

		(void)cpuid(0, 0);
		if (result == OUTCOME_OK)
			wrmsr(IA32_APIC_BASE, old);
	}
	say_survived();
}

/* Regions nowhere, in devices, in ROM, and in a hypervisor's block. */
static void wild_pointers(void)
{
	const u64 wild[] = {
		0, 0x1000, 0xa0000, 0xf0000, 0xc0000000, 0x100000000, 1ull << 36, (1ull << 39) + 4096,
		1ull << 52, ~0ull, ~0ull << 12, hidden_block(), hidden_block() + 4096,
	};

	for (u32 i = 0; i < ARRAY_SIZE(wild); i++) {
		(void)attempt(op_vmptrld, (u64)&wild[i], 0);
		/* VMCLEAR writes: only where nobody else's data is. */
		if (i >= 4 && wild[i])
			(void)attempt(op_vmclear, (u64)&wild[i], 0);
	}
	say_survived();
}

/* As a processor that was reset: 32-bit, paging off. */
static void enter_without_paging(struct vm *vm)
{
	vm_restart(vm, l2_turn_on_long_mode);
	vm_clear(VM_ENTRY_CONTROLS, ENTRY_IA32E_MODE_GUEST);
	vm_clear(GUEST_CR0, CR0_PG);
	vmwrite(GUEST_IA32_EFER, EFER_LME);
	vm_step(vm);
	say(" ia32e=%u", (vmread(VM_ENTRY_CONTROLS) & ENTRY_IA32E_MODE_GUEST) != 0);
}

/* L2 turns on IA-32e mode by itself, which changes a control, and is taken back to where it was. */
static void long_mode_and_back(void)
{
	struct vm *vm = vm_create(l2_turn_on_long_mode);

	vm_set_secondary(PROC2_UNRESTRICTED_GUEST);
	vm_set(VM_ENTRY_CONTROLS, ENTRY_LOAD_IA32_EFER);
	vm_set(VM_EXIT_CONTROLS, EXIT_LOAD_IA32_EFER);
	vmwrite(HOST_IA32_EFER, rdmsr(IA32_EFER));
	vmwrite(GUEST_CS_SELECTOR, SELECTOR_CODE32);
	vmwrite(GUEST_CS_ACCESS_RIGHTS, 0xc09b);
	enter_without_paging(vm);
	say("; ");
	enter_without_paging(vm);
}

static bool has_unrestricted(void)
{
	return proc2_offers(PROC2_UNRESTRICTED_GUEST) && entry_offers(ENTRY_LOAD_IA32_EFER) &&
	       exit_offers(EXIT_LOAD_IA32_EFER);
}

static const struct scenario scenarios[] = {
	{ "hostile.bitmap_changes", bitmap_changes, SURVIVED, NULL },
	{ "hostile.wild_pointers", wild_pointers, SURVIVED, NULL },
	{ "hostile.apic_over_block", apic_over_block, SURVIVED, NULL },
	{ "hostile.long_mode_and_back", long_mode_and_back,
	  "VMCALL(18) length=3 rip=+10 ia32e=1; VMCALL(18) length=3 rip=+10 ia32e=1", has_unrestricted },
};

void guest_main(void)
{
	if (!vmx_present()) {
		info("no VMX");
		return;
	}
	vmx_prepare();
	vmx_on();
	scenarios_run(scenarios, ARRAY_SIZE(scenarios));
	vmx_off();
}
