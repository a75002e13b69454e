// SPDX-License-Identifier: MIT
/*
 * What L1's init script needs and busybox has not:
 *
 * tool ticks NAME      prints the time-stamp counter: in Bochs, instructions since reset
 * tool l0              prints L0's counters through its CPUID leaves (docs/cpuid.md); status 1 where there is no Testudo beneath
 * tool end             ends the machine
 */
#include "machine_end.h"

#include <cpuid.h>
#include <stdint.h>
#include <string.h>
#include <x86intrin.h>

enum { LEAF_SIGNATURE = 0x40000000, LEAF_VERSION, LEAF_COUNTER, LEAF_EXITS };

struct registers {
	uint32_t a, b, c, d;
};

static struct registers cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct registers r;

	__cpuid_count(leaf, subleaf, r.a, r.b, r.c, r.d);
	return r;
}

static const char *const counter_names[] = {
	"exits",
	"exits from L1",
	"exits from L2",
	"exits reflected to L1",
	"vmcs02 builds",
	"EPT02 fills",
	"VMREAD exits",
	"VMWRITE exits",
	"VMLAUNCH and VMRESUME exits",
	"VM entries refused",
	"VMREADs by L0",
	"VMWRITEs by L0",
	"VMPTRLDs by L0",
	"VMCLEARs by L0",
};

static int print_l0(void)
{
	struct registers r = cpuid(LEAF_SIGNATURE, 0);
	char signature[13] = "";

	memcpy(signature, &r.b, 4);
	memcpy(signature + 4, &r.c, 4);
	memcpy(signature + 8, &r.d, 4);
	if (strcmp(signature, "Testudo L0  ")) {
		printf("L0: none\n");
		return 1;
	}
	r = cpuid(LEAF_VERSION, 0);
	printf("L0: Testudo %u.%u, VMCS shadowing %s\n", r.a >> 16, r.a & 0xffff, r.b & 1 ? "on" : "off");

	uint32_t counters = r.c, reasons = r.d;

	for (uint32_t i = 0; i < counters && i < sizeof counter_names / sizeof counter_names[0]; i++) {
		r = cpuid(LEAF_COUNTER, i);
		printf("L0: %-28s %llu\n", counter_names[i], (unsigned long long)r.d << 32 | r.a);
	}
	for (uint32_t i = 0; i < reasons && i < 128; i++) {
		r = cpuid(LEAF_EXITS, i);

		unsigned long long l1 = (unsigned long long)r.b << 32 | r.a, l2 = (unsigned long long)r.d << 32 | r.c;

		if (l1 || l2)
			printf("L0: exit reason %-3u from L1 %llu, from L2 %llu\n", i, l1, l2);
	}
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "ticks"))
		printf("TICKS %s %llu\n", argv[2], (unsigned long long)__rdtsc());
	else if (argc == 2 && !strcmp(argv[1], "l0"))
		return print_l0();
	else if (argc == 2 && !strcmp(argv[1], "end"))
		end_machine();
	else
		return 2;
	return 0;
}
