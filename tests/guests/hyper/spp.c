/* SPDX-License-Identifier: MIT */
/*
 * Sub-page write permissions: a page that EPT12 does not let L2 write to, but for some of its 128-byte parts. SDM
 * "Sub-Page Write Permissions".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define SIZE_2MB (2ull << 20)
#define VALID BIT(0)
#define PART(n) BIT(2 * (n))
#define ASKS (EPT_READ | EPT_EXECUTE | EPT_MEMORY_TYPE_WB | EPT_SUB_PAGES)

/* The tables of one VM, from the vectors (1) to the root (4), for TEST_ADDRESS. */
static u64 *sppt[5];
static u64 page;

static bool has_spp(void)
{
	return proc2_offers(PROC2_SUB_PAGE_WRITE_PERMISSIONS);
}

static u64 *sppt_entry(u32 level)
{
	return &sppt[level][TEST_ADDRESS >> (12 + 9 * (level - 1)) & 511];
}

static void build_sppt(u64 vector)
{
	for (u32 level = 1; level <= 4; level++)
		sppt[level] = page_alloc();
	for (u32 level = 2; level <= 4; level++)
		*sppt_entry(level) = (u64)sppt[level - 1] | VALID;
	*sppt_entry(1) = vector;
}

static struct vm *create(u64 vector)
{
	struct vm *vm = vm_create(l2_write);

	page = (u64)page_alloc();
	*ept_entry(vm->ept, TEST_ADDRESS, 1) = page | ASKS;
	build_sppt(vector);
	vm_set_secondary(PROC2_SUB_PAGE_WRITE_PERMISSIONS);
	vmwrite(SUB_PAGE_PERMISSION_TABLE_POINTER, (u64)sppt[4]);
	return vm;
}

static void flush(void)
{
	invept(1, vmread(EPT_POINTER));
}

static void go(struct vm *vm, const u8 *code, u64 offset)
{
	vm_restart(vm, code);
	vm->gpr[RSI] = TEST_ADDRESS + offset;
	vm->gpr[RAX] = 0x5a5a;
	vm_run(vm);
	if (vm->basic_reason == REASON_VMCALL)
		say("done; ");
	else if (vm->basic_reason == REASON_EPT_VIOLATION)
		say("violation %lx; ", vmread(EXIT_QUALIFICATION) & 0x1ff);
	else
		say("%s %lx at %lx; ", exit_reason_name(vm->basic_reason), vmread(EXIT_QUALIFICATION), vmread(GUEST_PHYSICAL_ADDRESS));
}

/* Expect: each part has its bit. */
static void parts(void)
{
	struct vm *vm = create(PART(0) | PART(2) | PART(31));

	go(vm, l2_write, 0);
	go(vm, l2_write, 0x78);
	go(vm, l2_write, 0x80);
	go(vm, l2_write, 0x100);
	go(vm, l2_write, 0x178);
	go(vm, l2_write, 0x180);
	go(vm, l2_write, 0xf80);
	go(vm, l2_read_write, 0xff8);
	go(vm, l2_write, 0xf78);
	say("%lx %lx %lx", *(u64 *)page, *(u64 *)(page + 0x80), *(u64 *)(page + 0xff8));
}

/* Expect: reads and fetches do not ask. */
static void reads(void)
{
	struct vm *vm = create(0);

	*(u8 *)page = 0xc3;
	go(vm, l2_read, 0);
	go(vm, l2_call, 0);
	*sppt_entry(4) = 0;
	flush();
	go(vm, l2_read, 0);
}

/* Expect: a table that is not there exits, and once it is there L2 goes on. */
static void misses(void)
{
	struct vm *vm = create(PART(0));

	for (u32 level = 4; level >= 2; level--) {
		u64 entry = *sppt_entry(level);

		*sppt_entry(level) = entry & ~VALID;
		flush();
		go(vm, l2_write, 0);
		*sppt_entry(level) = entry;
		flush();
		go(vm, l2_write, 0);
	}
}

/* Expect: reserved bits of valid entries and the odd bits of a vector. */
static void misconfigurations(void)
{
	static const u64 bits[] = { BIT(1), BIT(11), BIT(51), BIT(63) };
	struct vm *vm = create(PART(0));

	for (u32 i = 0; i < ARRAY_SIZE(bits); i++) {
		*sppt_entry(2 + i % 3) ^= bits[i];
		flush();
		go(vm, l2_write, 0);
		*sppt_entry(2 + i % 3) ^= bits[i];
	}
	*sppt_entry(1) = PART(0) | BIT(63);
	flush();
	go(vm, l2_write, 0);
}

/* Expect: only a 4 KB page that may be read and not written asks, and only with the control. */
static void who_asks(void)
{
	struct vm *vm = create(PART(0));
	u64 *entry = ept_entry(vm->ept, TEST_ADDRESS, 1);

	*entry = page | ASKS | EPT_WRITE;
	flush();
	go(vm, l2_write, 0x80);
	*entry = page | (ASKS & ~EPT_SUB_PAGES);
	flush();
	go(vm, l2_write, 0);
	*entry = page | ASKS;
	*ept_entry(vm->ept, TEST_ADDRESS + SIZE_2MB, 2) = (u64)pages_alloc(512, SIZE_2MB) | ASKS | EPT_LARGE;
	flush();
	go(vm, l2_write, SIZE_2MB);
	vm_clear(SECONDARY_CONTROLS, PROC2_SUB_PAGE_WRITE_PERMISSIONS);
	flush();
	go(vm, l2_write, 0);
	vm_set_secondary(PROC2_SUB_PAGE_WRITE_PERMISSIONS);
	flush();
	go(vm, l2_write, 0);
}

/* Expect: a table above without write permission counts as the page's own. */
static void read_only_table(void)
{
	struct vm *vm = create(PART(0));

	*ept_entry(vm->ept, TEST_ADDRESS, 1) = page | ASKS | EPT_WRITE;
	*ept_entry(vm->ept, TEST_ADDRESS, 2) &= ~EPT_WRITE;
	flush();
	go(vm, l2_write, 0);
	go(vm, l2_write, 0x80);
}

/* Expect: after INVEPT L1's new vectors and tables hold. */
static void changes(void)
{
	struct vm *vm = create(PART(0));
	u64 *first = sppt[4];

	go(vm, l2_write, 0);
	*sppt_entry(1) = PART(1);
	flush();
	go(vm, l2_write, 0);
	go(vm, l2_write, 0x80);
	build_sppt(PART(2));
	vmwrite(SUB_PAGE_PERMISSION_TABLE_POINTER, (u64)sppt[4]);
	flush();
	go(vm, l2_write, 0x80);
	go(vm, l2_write, 0x100);
	vmwrite(SUB_PAGE_PERMISSION_TABLE_POINTER, (u64)first);
	flush();
	go(vm, l2_write, 0x80);
	go(vm, l2_write, 0x100);
}

/* Expect: a write that is allowed makes the page dirty and is logged, one that is refused is neither. */
static void flags(void)
{
	struct vm *vm = create(PART(0));
	u64 *entry = ept_entry(vm->ept, TEST_ADDRESS, 1);

	vm_set(EPT_POINTER, EPTP_ACCESSED_DIRTY);
	go(vm, l2_write, 0x80);
	say("flags=%lx; ", *entry >> 8 & 3);
	go(vm, l2_read, 0x80);
	say("flags=%lx; ", *entry >> 8 & 3);
	go(vm, l2_write, 0);
	say("flags=%lx; ", *entry >> 8 & 3);
	go(vm, l2_write, 0x80);
}

SCENARIOS(spp_scenarios,
	{ "spp.parts", parts,
	  "done; done; violation 0x1aa; done; done; violation 0x1aa; done; done; violation 0x1aa; 0x5a5a 0 1", has_spp },
	{ "spp.reads", reads, "done; done; done; ", has_spp },
	{ "spp.misses", misses,
	  "SPP_EVENT 0x800 at 0x140000000; done; SPP_EVENT 0x800 at 0x140000000; done; SPP_EVENT 0x800 at 0x140000000; done; ", has_spp },
	{ "spp.misconfigurations", misconfigurations,
	  "SPP_EVENT 0 at 0x140000000; SPP_EVENT 0 at 0x140000000; SPP_EVENT 0 at 0x140000000; "
	  "SPP_EVENT 0 at 0x140000000; SPP_EVENT 0 at 0x140000000; ", has_spp },
	{ "spp.who_asks", who_asks, "done; violation 0x1aa; violation 0x1aa; violation 0x1aa; done; ", has_spp },
	{ "spp.read_only_table", read_only_table, "done; violation 0x1aa; ", has_spp },
	{ "spp.changes", changes,
	  "done; violation 0x1aa; done; violation 0x1aa; done; done; violation 0x1aa; ", has_spp },
	{ "spp.flags", flags, "violation 0x1aa; flags=0; done; flags=1; done; flags=3; violation 0x1aa; ", has_spp },
);
