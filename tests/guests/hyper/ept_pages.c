/* SPDX-License-Identifier: MIT */
/*
 * EPT structures: page sizes, accessed and dirty bits, misconfigurations,
 * invalidation, violations on the way through L2's own page tables. SDM "EPT
 * Translation Mechanism", "Accessed and Dirty Flags for EPT".
 */
#include "tests/guests/hyper/hyper.h"
#include "tests/guests/hyper/l2_code.h"

#include "tests/guests/lib/memory.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/paging.h"
#include "tests/guests/lib/vm_exit.h"
#include "tests/guests/lib/vmx_ops.h"
#include "tests/guests/lib/x86.h"

#define SIZE_2MB (2ull << 20)
#define SIZE_1GB (1ull << 30)
#define AD (EPT_ACCESSED | EPT_DIRTY)

static u64 page_with(u64 value)
{
	u64 *page = page_alloc();

	*page = value;
	return (u64)page;
}

static struct vm *create(const u8 *code, u64 address)
{
	struct vm *vm = vm_create(code);

	vm->gpr[RSI] = address;
	return vm;
}

static void leaf(struct vm *vm, u64 address, u64 entry)
{
	*ept_entry(vm->ept, address, 1) = entry;
}

static void flush(void)
{
	invept(1, vmread(EPT_POINTER));
}

/* Expect: exit 49, whatever was not allowed in the entry. */
static void misconfigurations(void)
{
	static const struct {
		const char *what;
		u64 bits;
	} bad[] = {
		{ "write_only", EPT_WRITE | EPT_MEMORY_TYPE_WB },
		{ "write_execute", EPT_WRITE | EPT_EXECUTE | EPT_MEMORY_TYPE_WB },
		{ "memory_type_2", EPT_RWX | 2 << 3 },
		{ "memory_type_7", EPT_RWX | 7 << 3 },
		{ "beyond_width", EPT_RWX | EPT_MEMORY_TYPE_WB | BIT(51) },
	};
	struct vm *vm = create(l2_read, TEST_ADDRESS + 8);
	u64 page = page_with(1);

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		leaf(vm, TEST_ADDRESS, page | bad[i].bits);
		flush();
		say("%s ", bad[i].what);
		vm_step(vm);
		say("; ");
	}
	leaf(vm, TEST_ADDRESS, page | EPT_RWX | EPT_MEMORY_TYPE_WB);
	flush();
	vm_step(vm);
}

/* Expect: a reserved bit of a table entry is one, too. */
static void misconfigured_table(void)
{
	struct vm *vm = create(l2_read, TEST_ADDRESS);
	u64 *table_entry;

	leaf(vm, TEST_ADDRESS, page_with(5) | EPT_RWX | EPT_MEMORY_TYPE_WB);
	table_entry = ept_entry(vm->ept, TEST_ADDRESS, 2);
	*table_entry |= BIT(3);
	vm_step(vm);
	say("; ");
	*table_entry &= ~BIT(3);
	vm_step(vm);
	say(" rax=%lx", vm->gpr[RAX]);
}

/* Expect: bits that a processor ignores are ignored. */
static void ignored_bits(void)
{
	struct vm *vm = create(l2_read, TEST_ADDRESS);

	leaf(vm, TEST_ADDRESS, page_with(6) | EPT_RWX | EPT_MEMORY_TYPE_WB | BIT(52) | BIT(56) | BIT(11));
	vm_step(vm);
	say(" rax=%lx", vm->gpr[RAX]);
}

static void execute_only(void)
{
	struct vm *vm = create(l2_call, TEST_ADDRESS);
	u64 page = page_with(0xc3);

	leaf(vm, TEST_ADDRESS, page | EPT_EXECUTE | EPT_MEMORY_TYPE_WB);
	vm_step(vm);
	vm_restart(vm, l2_read);
	vm->gpr[RSI] = TEST_ADDRESS;
	say("; ");
	vm_step(vm);
}

static bool has_execute_only(void)
{
	return ept_vpid_offers(CAP_EPT_EXECUTE_ONLY);
}

/* Expect: one 2 MB page shows both its ends. */
static void page_2mb(void)
{
	struct vm *vm = create(l2_read_twice, TEST_ADDRESS);
	u64 memory = (u64)pages_alloc(512, SIZE_2MB);

	*(u64 *)memory = 0x11;
	*(u64 *)(memory + SIZE_2MB - 8) = 0x22;
	*ept_entry(vm->ept, TEST_ADDRESS, 2) = memory | EPT_RWX | EPT_LARGE | EPT_MEMORY_TYPE_WB;
	vm_step(vm);
	say(" rax=%lx; ", vm->gpr[RAX]);
	vm_skip(vm);
	vm->gpr[RSI] = TEST_ADDRESS + SIZE_2MB - 8;
	vm_step(vm);
	say(" rax=%lx; ", vm->gpr[RAX]);
	vm_restart(vm, l2_read);
	vm->gpr[RSI] = TEST_ADDRESS + SIZE_2MB;
	vm_step(vm);
}

/* Expect: the first gigabyte again, through one 1 GB page. */
static void page_1gb(void)
{
	struct vm *vm = vm_create(l2_read);
	u64 page = page_with(0x33);

	*ept_entry(vm->ept, TEST_ADDRESS, 3) = EPT_RWX | EPT_LARGE | EPT_MEMORY_TYPE_WB;
	vm->gpr[RSI] = TEST_ADDRESS + page % SIZE_1GB;
	vm_step(vm);
	say(" rax=%lx", vm->gpr[RAX]);
}

static bool has_1gb(void)
{
	return ept_vpid_offers(CAP_EPT_1GB);
}

/* Expect: a 2 MB page that is split keeps its other pages, without INVEPT but for the one. */
static void split(void)
{
	struct vm *vm = create(l2_read_twice, TEST_ADDRESS);
	u64 memory = (u64)pages_alloc(512, SIZE_2MB);

	*(u64 *)memory = 0x44;
	*(u64 *)(memory + PAGE_SIZE) = 0x55;
	*ept_entry(vm->ept, TEST_ADDRESS, 2) = memory | EPT_RWX | EPT_LARGE | EPT_MEMORY_TYPE_WB;
	vm_step(vm);
	say(" rax=%lx; ", vm->gpr[RAX]);
	vm_skip(vm);
	leaf(vm, TEST_ADDRESS, 0);
	flush();
	vm->gpr[RSI] = TEST_ADDRESS + PAGE_SIZE;
	vm_step(vm);
	say(" rax=%lx; ", vm->gpr[RAX]);
	vm_restart(vm, l2_read);
	vm->gpr[RSI] = TEST_ADDRESS;
	vm_step(vm);
}

/* Expect: after INVEPT the new page, the new rights. */
static void remap(void)
{
	struct vm *vm = create(l2_read_twice, TEST_ADDRESS);

	leaf(vm, TEST_ADDRESS, page_with(0xa) | EPT_RWX | EPT_MEMORY_TYPE_WB);
	vm_step(vm);
	say(" rax=%lx; ", vm->gpr[RAX]);
	vm_skip(vm);
	leaf(vm, TEST_ADDRESS, page_with(0xb) | EPT_RWX | EPT_MEMORY_TYPE_WB);
	flush();
	vm_step(vm);
	say(" rax=%lx; ", vm->gpr[RAX]);
	vm_restart(vm, l2_write);
	vm->gpr[RSI] = TEST_ADDRESS;
	*ept_entry(vm->ept, TEST_ADDRESS, 1) &= ~EPT_WRITE;
	invept(2, 0);
	vm_step(vm);
}

/* Expect: rights that an access was refused may be given without INVEPT. */
static void more_rights(void)
{
	struct vm *vm = create(l2_write, TEST_ADDRESS);
	u64 page = page_with(0);

	vm->gpr[RAX] = 0x66;
	leaf(vm, TEST_ADDRESS, page | EPT_READ | EPT_MEMORY_TYPE_WB);
	vm_step(vm);
	leaf(vm, TEST_ADDRESS, page | EPT_RWX | EPT_MEMORY_TYPE_WB);
	say("; ");
	vm_step(vm);
	say(" memory=%lx", *(u64 *)page);
}

/* Expect: two EPTPs for one VMCS are two address spaces. */
static void change_eptp(void)
{
	struct vm *vm = create(l2_read_twice, TEST_ADDRESS);
	u64 second = ept_identity();

	leaf(vm, TEST_ADDRESS, page_with(0x100) | EPT_RWX | EPT_MEMORY_TYPE_WB);
	*ept_entry(second, TEST_ADDRESS, 1) = page_with(0x200) | EPT_RWX | EPT_MEMORY_TYPE_WB;
	for (u32 i = 0; i < 4; i++) {
		vm_restart(vm, l2_read);
		vm->gpr[RSI] = TEST_ADDRESS;
		vmwrite(EPT_POINTER, (i & 1 ? second : vm->ept) | EPTP_WB | EPTP_4_LEVELS);
		vm_run(vm);
		say("%s%lx", i ? " " : "", vm->gpr[RAX]);
	}
}

static bool has_accessed_dirty(void)
{
	return ept_vpid_offers(CAP_EPT_ACCESSED_DIRTY);
}

static void say_flags(struct vm *vm, const char *when)
{
	u64 entry = *ept_entry(vm->ept, TEST_ADDRESS, 1), table = *ept_entry(vm->ept, TEST_ADDRESS, 2);

	say("%s a=%u d=%u table a=%u; ", when, !!(entry & EPT_ACCESSED), !!(entry & EPT_DIRTY),
	    !!(table & EPT_ACCESSED));
}

static void accessed_dirty(void)
{
	struct vm *vm = create(l2_read, TEST_ADDRESS);

	leaf(vm, TEST_ADDRESS, page_with(0) | EPT_RWX | EPT_MEMORY_TYPE_WB);
	vm_set(EPT_POINTER, EPTP_ACCESSED_DIRTY);
	say_flags(vm, "before");
	vm_run(vm);
	say_flags(vm, "read");
	vm_restart(vm, l2_write);
	vm->gpr[RSI] = TEST_ADDRESS;
	vm_run(vm);
	say_flags(vm, "written");
	*ept_entry(vm->ept, TEST_ADDRESS, 1) &= ~AD;
	flush();
	vm_restart(vm, l2_write);
	vm->gpr[RSI] = TEST_ADDRESS;
	vm_run(vm);
	say_flags(vm, "cleared and written");
}

/* Expect: without bit 6 of the EPTP the flags stay as L1 wrote them. */
static void accessed_dirty_off(void)
{
	struct vm *vm = create(l2_read_write, TEST_ADDRESS);

	leaf(vm, TEST_ADDRESS, page_with(0) | EPT_RWX | EPT_MEMORY_TYPE_WB);
	vm_run(vm);
	say_flags(vm, "written");
}

static void accessed_dirty_2mb(void)
{
	struct vm *vm = create(l2_write, TEST_ADDRESS + 0x12340);
	u64 *entry = ept_entry(vm->ept, TEST_ADDRESS, 2);

	*entry = (u64)pages_alloc(512, SIZE_2MB) | EPT_RWX | EPT_LARGE | EPT_MEMORY_TYPE_WB;
	vm_set(EPT_POINTER, EPTP_ACCESSED_DIRTY);
	vm_run(vm);
	say("written a=%u d=%u", !!(*entry & EPT_ACCESSED), !!(*entry & EPT_DIRTY));
}

/*
 * L2's page table for TEST_ADDRESS lies where EPT12 maps nothing. Expect: a
 * violation of the walk: linear address valid, but not of the final access.
 */
static void walk_violation(void)
{
	struct vm *vm = create(l2_read, TEST_ADDRESS);
	u64 *directory = paging_entry(vm->page_table, TEST_ADDRESS, 2, PTE_P | PTE_W);
	u64 table_gpa = TEST_ADDRESS + (1 << 20);
	u64 table = (u64)page_alloc();

	*directory = table_gpa | PTE_P | PTE_W | PTE_U;
	*(u64 *)table = TEST_ADDRESS | PTE_P | PTE_W;
	leaf(vm, TEST_ADDRESS, page_with(0x88) | EPT_RWX | EPT_MEMORY_TYPE_WB);
	vm_step(vm);
	say(" linear=%lx; ", vmread(GUEST_LINEAR_ADDRESS));
	leaf(vm, table_gpa, table | EPT_RWX | EPT_MEMORY_TYPE_WB);
	vm_step(vm);
	say(" rax=%lx l2_accessed=%u", vm->gpr[RAX], !!(*(u64 *)table & PTE_A));
}

/* Expect: a page L2's own tables do not map is its page fault, not a violation. */
static void unmapped_by_l2(void)
{
	struct vm *vm = create(l2_read, IDENTITY_LIMIT + 0x123);

	vm_step(vm);
	say(" address=%lx", vmread(EXIT_QUALIFICATION));
}

/* Expect: one page of L1 at two addresses of L2. */
static void alias(void)
{
	struct vm *vm = create(l2_write, TEST_ADDRESS);
	u64 page = page_with(0);

	leaf(vm, TEST_ADDRESS, page | EPT_RWX | EPT_MEMORY_TYPE_WB);
	leaf(vm, TEST_ADDRESS + 7 * PAGE_SIZE, page | EPT_READ | EPT_MEMORY_TYPE_WB);
	vm->gpr[RAX] = 0x99;
	vm_run(vm);
	vm_restart(vm, l2_read);
	vm->gpr[RSI] = TEST_ADDRESS + 7 * PAGE_SIZE;
	vm_step(vm);
	say(" rax=%lx", vm->gpr[RAX]);
}

SCENARIOS(ept_page_scenarios,
	{ "ept.misconfigurations", misconfigurations,
	  "write_only EPT_MISCONFIGURATION(49) physical=0x140000008 rip=+0; "
	  "write_execute EPT_MISCONFIGURATION(49) physical=0x140000008 rip=+0; "
	  "memory_type_2 EPT_MISCONFIGURATION(49) physical=0x140000008 rip=+0; "
	  "memory_type_7 EPT_MISCONFIGURATION(49) physical=0x140000008 rip=+0; "
	  "beyond_width EPT_MISCONFIGURATION(49) physical=0x140000008 rip=+0; "
	  "VMCALL(18) length=3 rip=+3", NULL },
	{ "ept.misconfigured_table", misconfigured_table,
	  "EPT_MISCONFIGURATION(49) physical=0x140000000 rip=+0; "
	  "VMCALL(18) length=3 rip=+3 rax=5", NULL },
	{ "ept.ignored_bits", ignored_bits, "VMCALL(18) length=3 rip=+3 rax=6", NULL },
	{ "ept.execute_only", execute_only,
	  "VMCALL(18) length=3 rip=+2; "
	  "EPT_VIOLATION(48) qualification=0x1a1 physical=0x140000000 rip=+0", has_execute_only },
	{ "ept.2mb", page_2mb,
	  "VMCALL(18) length=3 rip=+3 rax=0x11; VMCALL(18) length=3 rip=+9 rax=0x22; "
	  "EPT_VIOLATION(48) qualification=0x181 physical=0x140200000 rip=+0", NULL },
	{ "ept.1gb", page_1gb, "VMCALL(18) length=3 rip=+3 rax=0x33", has_1gb },
	{ "ept.split", split,
	  "VMCALL(18) length=3 rip=+3 rax=0x44; VMCALL(18) length=3 rip=+9 rax=0x55; "
	  "EPT_VIOLATION(48) qualification=0x181 physical=0x140000000 rip=+0", NULL },
	{ "ept.remap", remap,
	  "VMCALL(18) length=3 rip=+3 rax=0xa; VMCALL(18) length=3 rip=+9 rax=0xb; "
	  "EPT_VIOLATION(48) qualification=0x1aa physical=0x140000000 rip=+0", NULL },
	{ "ept.more_rights", more_rights,
	  "EPT_VIOLATION(48) qualification=0x18a physical=0x140000000 rip=+0; "
	  "VMCALL(18) length=3 rip=+3 memory=0x66", NULL },
	{ "ept.change_eptp", change_eptp, "0x100 0x200 0x100 0x200", NULL },
	{ "ept.accessed_dirty", accessed_dirty,
	  "before a=0 d=0 table a=0; read a=1 d=0 table a=1; written a=1 d=1 table a=1; "
	  "cleared and written a=1 d=1 table a=1; ", has_accessed_dirty },
	{ "ept.accessed_dirty_off", accessed_dirty_off, "written a=0 d=0 table a=0; ", NULL },
	{ "ept.accessed_dirty_2mb", accessed_dirty_2mb, "written a=1 d=1", has_accessed_dirty },
	{ "ept.walk_violation", walk_violation,
	  "EPT_VIOLATION(48) qualification=0x81 physical=0x140100000 rip=+0 linear=0x140000000; "
	  "VMCALL(18) length=3 rip=+3 rax=0x88 l2_accessed=1", NULL },
	{ "ept.unmapped_by_l2", unmapped_by_l2,
	  "EXCEPTION_OR_NMI(0) event=0x80000b0e error=0 rip=+0 address=0x200000123", NULL },
	{ "ept.alias", alias, "VMCALL(18) length=3 rip=+3 rax=0x99", NULL },
);
