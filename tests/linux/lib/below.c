// SPDX-License-Identifier: MIT
/*
 * Asking the hypervisor below. The port is touched only where KVM says that it is there; on a bare machine it may be anything's.
 */
#include "below.h"
#include "l0.h"

#include <cpuid.h>
#include <string.h>
#include <sys/io.h>

enum { LEAF_FEATURES = 1, FEATURE_HYPERVISOR = 31, LEAF_SIGNATURE = 0x40000000 };

static int is_kvm(void)
{
	uint32_t a, c, signature[3];

	__cpuid(LEAF_FEATURES, a, signature[0], c, signature[1]);
	if (!(c >> FEATURE_HYPERVISOR & 1))
		return 0;
	__cpuid(LEAF_SIGNATURE, a, signature[0], signature[1], signature[2]);
	return !memcmp(signature, "KVMKVMKVM\0\0\0", sizeof signature);
}

static uint32_t count_of_testudo(uint32_t index)
{
	if (index < BELOW_FROM_L1)
		return (uint32_t)l0_counter(index);

	struct l0_exits exits = l0_exits(index % BELOW_FROM_L1);

	return (uint32_t)(index < BELOW_FROM_L2 ? exits.from_l1 : exits.from_l2);
}

uint32_t below_count(uint32_t index)
{
	if (l0_present())
		return count_of_testudo(index);
	if (!is_kvm() || iopl(3) < 0)
		return BELOW_UNKNOWN;
	outl(index, BELOW_PORT);
	return inl(BELOW_PORT);
}
