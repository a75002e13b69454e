// SPDX-License-Identifier: MIT
/*
 * Reads L0's counters with CPUID, each of which is an exit that L0 counts, too.
 */
#include "l0.h"

#include <cpuid.h>
#include <stdint.h>
#include <string.h>

enum { LEAF_SIGNATURE = 0x40000000, LEAF_VERSION, LEAF_COUNTER, LEAF_EXITS };

struct registers {
	uint32_t a, b, c, d;
};

const char *const l0_counter_names[L0_COUNTERS] = {
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

static struct registers cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct registers r;

	__cpuid_count(leaf, subleaf, r.a, r.b, r.c, r.d);
	return r;
}

int l0_present(void)
{
	struct registers r = cpuid(LEAF_SIGNATURE, 0);
	char signature[13] = "";

	memcpy(signature, &r.b, 4);
	memcpy(signature + 4, &r.c, 4);
	memcpy(signature + 8, &r.d, 4);
	return !strcmp(signature, "Testudo L0  ");
}

struct l0_version l0_version(void)
{
	struct registers version = cpuid(LEAF_VERSION, 0);

	return (struct l0_version){ version.a >> 16, version.a & 0xffff, version.b & 1 };
}

unsigned long long l0_counter(unsigned int index)
{
	struct registers r = cpuid(LEAF_COUNTER, index);

	return (unsigned long long)r.d << 32 | r.a;
}

struct l0_exits l0_exits(unsigned int reason)
{
	struct registers r = cpuid(LEAF_EXITS, reason);

	return (struct l0_exits){ (unsigned long long)r.b << 32 | r.a, (unsigned long long)r.d << 32 | r.c };
}

void l0_add(struct l0_counts *sums)
{
	struct registers version = cpuid(LEAF_VERSION, 0);

	for (uint32_t i = 0; i < version.c && i < L0_COUNTERS; i++)
		sums->counter[i] += l0_counter(i);
	for (uint32_t i = 0; i < version.d && i < L0_REASONS; i++) {
		struct l0_exits exits = l0_exits(i);

		sums->from_l1[i] += exits.from_l1;
		sums->from_l2[i] += exits.from_l2;
	}
}
