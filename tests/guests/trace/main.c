/* SPDX-License-Identifier: MIT */
/*
 * trace: exits that are known, and what Testudo's trace ring (docs/tracing.md) has of
 * them. At the end it prints the ring as the lines of a dump, for tools/trace, and so those of all other processors.
 */
#include "tests/guests/lib/machine.h"
#include "tests/guests/lib/ops.h"
#include "tests/guests/lib/report.h"
#include "tests/guests/lib/smp.h"
#include "tests/guests/lib/vm.h"
#include "tests/guests/lib/vmx_ops.h"

#define LEAF_TRACE 0x40000006
#define CPUID_SIZE 2
#define RECORD_SIZE 48
#define HEADER_SIZE 96
#define PIECE_SIZE 16
#define REASON_CPUID 10
#define REASON_VMCALL 18
#define REASON_VMLAUNCH 20
#define REASON_VMRESUME 24
#define NO_ADDRESS (~(u64)0)

extern const u8 l2_cpuids[], l2_cpuids_end[];

/* docs/tracing.md. */
struct header {
	char magic[16];
	u16 version, header_size, record_size, cpu;
	u32 capacity, reserved;
	u64 ticks_per_second, address;
	u32 checksum, is_on;
	u64 count, reserved2[4];
};

struct transition {
	u64 tsc;
	u16 kind;
	u8 level, next;
	u32 reason, cost;
	u8 owner, way;
	u16 cpu;
	u64 qualification, rip, vmcs;
};

_Static_assert(sizeof(struct header) == HEADER_SIZE && sizeof(struct transition) == RECORD_SIZE, "as in memory");

static void read_ring(u64 offset, void *to, u64 size)
{
	for (u64 at = 0; at < size; at += PIECE_SIZE) {
		struct cpuid_result piece = cpuid(LEAF_TRACE, (u32)((offset + at) / PIECE_SIZE));

		__builtin_memcpy((u8 *)to + at, &piece, PIECE_SIZE);
	}
}

static struct header read_header(void)
{
	struct header header;

	read_ring(0, &header, sizeof(header));
	return header;
}

static struct transition read_record(const struct header *header, u64 number)
{
	struct transition record;

	read_ring(HEADER_SIZE + number % header->capacity * RECORD_SIZE, &record, sizeof(record));
	return record;
}

static bool has_ring(void)
{
	struct cpuid_result last = cpuid(0x40000000, 0);

	return under_testudo() && last.eax >= LEAF_TRACE && read_header().capacity != 0;
}

static void header_is_sound(void)
{
	struct header header = read_header();

	say("version %u, %u and %u bytes, %s", header.version, header.header_size, header.record_size, header.is_on ? "on" : "off");
}

/* Reading is no exit that is recorded; CPUID of another leaf is. */
static void only_others_are_recorded(void)
{
	u64 first = read_header().count, second = read_header().count;
	struct header header;
	struct transition record;

	(void)cpuid(0, 0);
	header = read_header();
	record = read_record(&header, header.count - 1);
	say("%lu and %lu more, L%u to L%u for %u", second - first, header.count - second, record.level, record.next, record.reason);
	expect(first == second && header.count == second + 1);
	expect(record.kind == 2 && record.level == 1 && record.next == 1 && record.reason == REASON_CPUID && record.owner == 0);
	expect(record.vmcs == NO_ADDRESS && record.cost != 0);
}

static bool is_entry(const struct transition *record, const struct vm *vm, u32 reason)
{
	return record->level == 1 && record->next == 2 && record->reason == reason && record->owner == 0 && record->vmcs == vm->vmcs;
}

static bool is_exit(const struct transition *record, const struct vm *vm, u32 reason, u64 rip)
{
	return record->level == 2 && record->next == 1 && record->reason == reason && record->owner == 1 && record->vmcs == vm->vmcs &&
	       record->rip == rip;
}

/* Expect: an entry and an exit for each round, the exits with the right RIPs and time going on. */
static void judge_rounds(const struct header *before, const struct vm *vm, u64 rounds, u32 first_entry)
{
	struct header header = read_header();
	u64 time = 0, at = before->count, found = 0;

	/* L1's VMWRITEs and VMREADs exit, too, where the processor has no VMCS shadowing, and L2 for EPT02, which fills. */
	for (; at < header.count; at++) {
		struct transition record = read_record(&header, at);
		u64 round = found / 2;

		expect(record.kind == 2 && record.tsc > time && record.tsc < rdtsc() && record.cost != 0);
		time = record.tsc;
		if (record.level == record.next)
			continue;
		if (found++ % 2 == 0)
			expect(is_entry(&record, vm, round == 0 ? first_entry : REASON_VMRESUME));
		else if (round < rounds)
			expect(is_exit(&record, vm, REASON_CPUID, vm->code + CPUID_SIZE * round));
		else
			expect(is_exit(&record, vm, REASON_VMCALL, vm->code + CPUID_SIZE * rounds));
	}
	say("%lu transitions of %lu rounds and a VMCALL", found, rounds);
	expect(found == 2 * rounds + 2);
}

static void reflected(void)
{
	struct vm *vm = vm_create(l2_cpuids);
	u64 rounds = (u64)(l2_cpuids_end - l2_cpuids) / CPUID_SIZE;

	for (u32 again = 0; again < 2; again++) {
		struct header before = read_header();

		for (u64 i = 0; i < rounds; i++) {
			expect(vm_run(vm) && vm->basic_reason == REASON_CPUID);
			vm_skip(vm);
		}
		expect(vm_run(vm) && vm->basic_reason == REASON_VMCALL);
		judge_rounds(&before, vm, rounds, again ? REASON_VMRESUME : REASON_VMLAUNCH);
		vm_skip(vm);
	}
}

/* More exits than the ring has room for: the newest are there. */
static void overwrites_the_oldest(void)
{
	struct header header = read_header();
	u64 first = header.count, time = 0;

	for (u32 i = 0; i < header.capacity + 10; i++)
		(void)cpuid(0, 0);
	header = read_header();
	expect(header.count == first + header.capacity + 10);
	for (u64 at = header.count - header.capacity; at < header.count; at++) {
		struct transition record = read_record(&header, at);

		expect(record.kind == 2 && record.reason == REASON_CPUID && record.level == 1 && record.tsc > time);
		time = record.tsc;
	}
	say("%u records, all of the last ones", header.capacity);
}

/* The same as at first, to be seen by the test on the host: it comes last. */
static void reflected_again(void)
{
	struct vm *vm = vm_create(l2_cpuids);

	for (const u8 *at = l2_cpuids; at < l2_cpuids_end; at += CPUID_SIZE) {
		expect(vm_run(vm) && vm->basic_reason == REASON_CPUID);
		vm_skip(vm);
	}
	info("l2 at %lx", vm->code);
}

static u32 checksum(const u8 *bytes, u64 size)
{
	u32 sum = 0x811c9dc5;

	for (u64 i = 0; i < size; i++)
		sum = (sum ^ bytes[i]) * 0x01000193;
	return sum;
}

static void put_hex(char *to, const u8 *bytes, u64 size)
{
	static const char digits[] = "0123456789abcdef";

	for (u64 i = 0; i < size; i++) {
		*to++ = digits[bytes[i] >> 4];
		*to++ = digits[bytes[i] & 15];
	}
	*to = '\0';
}

typedef void reader(u64 offset, void *to, u64 size);

/* The lines of a dump, as Testudo itself prints them. */
static void print_ring(reader *read)
{
	struct header header;
	u64 records;

	read(0, &header, sizeof(header));
	records = header.count < header.capacity ? header.count : header.capacity;

	for (u64 line = 0; line < HEADER_SIZE / RECORD_SIZE + records; line++) {
		struct {
			u64 cpu, line;
			u8 bytes[RECORD_SIZE];
		} whole = { .cpu = header.cpu, .line = line };
		char hex[2 * RECORD_SIZE + 1], sum_hex[9];
		u32 sum;

		read(line * RECORD_SIZE, whole.bytes, RECORD_SIZE);
		sum = __builtin_bswap32(checksum((const u8 *)&whole, sizeof(whole)));
		put_hex(hex, whole.bytes, RECORD_SIZE);
		put_hex(sum_hex, (const u8 *)&sum, sizeof(sum));
		info("trace %u %lu %s %s", header.cpu, line, hex, sum_hex);
	}
}

/* --- other processors, each of which can read its own ring only ------------------ */

#define OTHER_CPUIDS 7
#define RING_ROOM 65536

static u8 other_ring[RING_ROOM];
static u64 other_first;		/* its count before */

static void read_other(u64 offset, void *to, u64 size)
{
	__builtin_memcpy(to, other_ring + offset, size);
}

/* On the other processor: exits that are known, and its ring. */
static void work_on_other(void *unused)
{
	struct header header = read_header();

	(void)unused;
	other_first = header.count;
	for (u32 i = 0; i < OTHER_CPUIDS; i++)
		(void)cpuid(0, 0);
	read_ring(0, other_ring, HEADER_SIZE + (u64)header.capacity * RECORD_SIZE);
}

static void others_have_their_own(void)
{
	struct header own = read_header(), header;

	for (u32 cpu = 1; cpu < cpu_count(); cpu++) {
		expect(HEADER_SIZE + (u64)own.capacity * RECORD_SIZE <= RING_ROOM);
		if (HEADER_SIZE + (u64)own.capacity * RECORD_SIZE > RING_ROOM)
			return;
		cpu_call(cpu, work_on_other, NULL);
		read_other(0, &header, sizeof(header));
		expect(header.cpu != own.cpu && header.capacity == own.capacity && header.count == other_first + OTHER_CPUIDS);
		for (u64 at = header.count - OTHER_CPUIDS; at < header.count; at++) {
			struct transition record;

			read_other(HEADER_SIZE + at % header.capacity * RECORD_SIZE, &record, sizeof(record));
			expect(record.kind == 2 && record.level == 1 && record.next == 1 && record.reason == REASON_CPUID);
			expect(record.cpu == header.cpu && record.vmcs == NO_ADDRESS);
		}
		print_ring(read_other);
	}
	say("%u other rings", cpu_count() - 1);
}

static const struct scenario others[] = {
	{ "trace.others", others_have_their_own, NULL, NULL },
};

static const struct scenario scenarios[] = {
	{ "trace.header", header_is_sound, "version 1, 96 and 48 bytes, on", NULL },
	{ "trace.reader", only_others_are_recorded, NULL, NULL },
	{ "trace.reflected", reflected, NULL, NULL },
	{ "trace.full", overwrites_the_oldest, NULL, NULL },
	{ "trace.last", reflected_again, NULL, NULL },
};

void guest_main(void)
{
	if (!vmx_present() || !has_ring()) {
		info("no trace ring");
		return;
	}
	vmx_prepare();
	vmx_on();
	scenarios_run(scenarios, ARRAY_SIZE(scenarios));
	print_ring(read_ring);
	vmx_off();
	if (machine_firmware_cpus() > 1 && smp_start())
		scenarios_run(others, ARRAY_SIZE(others));
}
